/* rows_test: records of tokens and packed rows: what is put is read back, and each field that is
 * not as rows.h says is refused by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "stream/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Appends fields to a map that is announced once all are known. */
typedef struct fields { ft_buf b; size_t n; } fields;

static void key(fields *f, const char *name)
{
    ft_mp_put_cstr(&f->b, name);
    f->n++;
}

static void bin(fields *f, const char *name, const void *p, size_t n)
{
    key(f, name);
    ft_mp_put_bin(&f->b, p, n);
}

static ft_buf map_of(fields *f)
{
    ft_buf b = {0};
    ft_mp_put_map(&b, f->n);
    ft_buf_add(&b, f->b.p, f->b.n);
    ft_buf_free(&f->b);
    f->n = 0;
    return b;
}

static ft_mp checked(const ft_buf *b)
{
    size_t used;
    ft_err e = {0};
    assert_false(b->failed);
    assert_int_equal(ft_mp_check(b->p, b->n, &used, &e), 0);
    assert_int_equal(used, b->n);
    return (ft_mp){b->p, b->n};
}

enum { NO_ID = 1, NO_IDS = 2, NO_MASK = 4, NO_LENGTH = 8 };

/* A good segment of three tokens, the last two of them targets, without the named fields. */
static fields segment_but(unsigned without)
{
    static const uint8_t ids[] = {5, 0, 0, 0, 1, 2, 3, 4, 255, 255, 255, 255};
    fields f = {0};
    if (!(without & NO_ID)) {
        key(&f, "id");
        ft_mp_put_cstr(&f.b, "x");
    }
    if (!(without & NO_IDS))
        bin(&f, "ids", ids, sizeof ids);
    if (!(without & NO_MASK))
        bin(&f, "mask", "\x06", 1);
    if (!(without & NO_LENGTH)) {
        key(&f, "length");
        ft_mp_put_uint(&f.b, 3);
    }
    return f;
}

static int parse(fields *f, ft_segment *s, ft_buf *b, ft_err *e)
{
    *b = map_of(f);
    return ft_segment_parse(checked(b), s, e);
}

static void refused(fields *f, const char *field)
{
    ft_buf b;
    ft_segment s;
    ft_err e = {0};
    if (parse(f, &s, &b, &e) != FT_ERR_DATA || !strstr(e.text, field))
        fail_msg("no refusal that names %s: %s", field, e.text);
    ft_buf_free(&b);
}

static void a_good_segment(void **state)
{
    fields f = segment_but(NO_LENGTH);
    ft_segment s;
    ft_slice word;
    ft_buf b;
    ft_err e = {0};
    (void)state;
    assert_int_equal(parse(&f, &s, &b, &e), 0);
    assert_int_equal(s.n_tokens, 3);
    assert_int_equal(s.n_targets, 2);
    assert_int_equal(ft_segment_id_at(&s, 0), 5);
    assert_int_equal(ft_segment_id_at(&s, 1), 0x04030201);
    assert_int_equal(ft_segment_id_at(&s, 2), 0xffffffff);
    assert_false(ft_segment_is_target(&s, 0));
    assert_true(ft_segment_is_target(&s, 1) && ft_segment_is_target(&s, 2));
    assert_true(s.weight == 1);
    assert_int_equal(s.group.n, 0);
    assert_true(ft_mp_str(s.id, &word) && ft_slice_is(word, "x"));
    assert_true(s.map.p == b.p && s.map.n == b.n);
    ft_buf_free(&b);

    f = segment_but(0);
    key(&f, "weight");
    ft_mp_put_uint(&f.b, 0);
    key(&f, "group");
    ft_mp_put_int(&f.b, -4);
    assert_int_equal(parse(&f, &s, &b, &e), 0);
    assert_true(s.weight == 0);
    assert_int_equal(s.group.n, 1);
    ft_buf_free(&b);
}

static void ids_and_masks_are_refused(void **state)
{
    static const uint8_t zeros[64];
    static const struct { size_t ids, mask; const char *field; } sizes[] = {
        {0, 0, "ids"}, {0, 1, "ids"}, {1, 1, "ids"}, {7, 1, "ids"}, {4, 0, "mask"}, {4, 2, "mask"},
        {32, 2, "mask"}, {36, 1, "mask"}};
    uint8_t *many = calloc(FT_TOKENS_PER_SEGMENT_MAX + 1, 4);
    fields f;
    (void)state;
    assert_non_null(many);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        f = segment_but(NO_IDS | NO_MASK | NO_LENGTH);
        bin(&f, "ids", zeros, sizes[i].ids);
        bin(&f, "mask", zeros, sizes[i].mask);
        refused(&f, sizes[i].field);
    }
    f = segment_but(NO_IDS | NO_MASK | NO_LENGTH);
    bin(&f, "ids", many, 4 * ((size_t)FT_TOKENS_PER_SEGMENT_MAX + 1));
    bin(&f, "mask", many, FT_TOKENS_PER_SEGMENT_MAX / 8 + 1);
    refused(&f, "ids");
    free(many);

    f = segment_but(NO_MASK);
    bin(&f, "mask", "\x07", 1);             /* the first token */
    refused(&f, "mask");
    for (uint8_t bit = 3; bit < 8; bit++) { /* behind the last token */
        uint8_t mask = (uint8_t)(2 | 1 << bit);
        f = segment_but(NO_MASK);
        bin(&f, "mask", &mask, 1);
        refused(&f, "mask");
    }
}

static void other_fields_are_refused(void **state)
{
    static const double bad_weights[] = {-1, -1e-300, INFINITY, -INFINITY, NAN};
    static const char *const names[] = {"id", "ids", "mask", "length"};
    fields f;
    ft_buf number = {0};
    ft_segment s;
    ft_err e = {0};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {      /* length alone may be missing */
        f = segment_but(1u << i);
        refused(&f, names[i]);
    }
    for (unsigned i = 0; i < 4; i++) {      /* of another type */
        f = segment_but(1u << i);
        key(&f, names[i]);
        ft_mp_put_array(&f.b, 0);
        refused(&f, names[i]);
    }
    for (uint64_t n = 0; n < 6; n += n == 2 ? 2 : 1) {
        f = segment_but(NO_LENGTH);
        key(&f, "length");
        ft_mp_put_uint(&f.b, n);
        refused(&f, "length");
    }
    for (size_t i = 0; i < sizeof bad_weights / sizeof *bad_weights; i++) {
        f = segment_but(0);
        key(&f, "weight");
        ft_mp_put_float(&f.b, bad_weights[i]);
        refused(&f, "weight");
    }
    f = segment_but(0);
    key(&f, "weight");
    ft_mp_put_cstr(&f.b, "1");
    refused(&f, "weight");
    f = segment_but(0);
    key(&f, "group");
    ft_mp_put_map(&f.b, 0);
    refused(&f, "group");
    ft_mp_put_uint(&number, 3);
    assert_int_equal(ft_segment_parse(checked(&number), &s, &e), FT_ERR_DATA);
    ft_buf_free(&number);
}

/* {"id": -7, "ids": 9 numbers, "mask": …, "group": "g", "more": [1]} by python3-msgpack 1.0.3:
 * packb({"id": -7, "ids": struct.pack("<9I", *range(1, 10)), "mask": b"\x02\x01", "group": "g",
 *        "more": [1]}) */
static const uint8_t by_python[] =
    "\x85\xa2id\xf9\xa3ids\xc4\x24\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0\6\0\0\0\7\0\0\0"
    "\x8\0\0\0\x9\0\0\0\xa4mask\xc4\2\2\1\xa5group\xa1g\xa4more\x91\1";

static void tokens_are_put_as_python_packs_them(void **state)
{
    static const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const uint8_t mask[] = {1, 1, 0, 0, 0, 0, 0, 0, 255};   /* the first never is one */
    fields f = {0};
    ft_buf carry, id = {0}, b = {0};
    (void)state;
    key(&f, "ids");                         /* the writer's own fields are not carried */
    ft_mp_put_uint(&f.b, 1);
    key(&f, "group");
    ft_mp_put_cstr(&f.b, "g");
    key(&f, "id");
    ft_mp_put_cstr(&f.b, "not this one");
    key(&f, "length");
    ft_mp_put_uint(&f.b, 1);
    key(&f, "mask");
    ft_mp_put_nil(&f.b);
    key(&f, "more");
    ft_mp_put_array(&f.b, 1);
    ft_mp_put_uint(&f.b, 1);
    carry = map_of(&f);
    ft_mp_put_int(&id, -7);
    ft_tokens_put(&b, checked(&carry), checked(&id), ids, mask, 9);
    (void)checked(&b);
    assert_int_equal(b.n, sizeof by_python - 1);
    assert_memory_equal(b.p, by_python, b.n);
    ft_buf_free(&carry);
    ft_buf_free(&id);
    ft_buf_free(&b);
}

/* Sizes on both sides of each width of a bin's head, masks at random. */
static void what_is_put_is_read(void **state)
{
    static const size_t sizes[] = {1, 2, 7, 8, 9, 63, 64, 65, 2040, 2041, 16383, 16384, 16385,
                                   FT_TOKENS_PER_SEGMENT_MAX};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k], targets = 0;
        uint32_t *ids = malloc(n * sizeof *ids);
        uint8_t *mask = malloc(n);
        ft_buf id = {0}, b = {0};
        ft_segment s;
        ft_err e = {0};
        assert_true(ids && mask);
        for (size_t i = 0; i < n; i++) {
            ids[i] = (uint32_t)ft_rng_below(1, FT_RNG_DATA, 0, i, 0xffffffff);
            mask[i] = (uint8_t)ft_rng_below(1, FT_RNG_DATA, 1, i, 2);
            targets += i && mask[i];
        }
        ft_mp_put_uint(&id, k);
        ft_tokens_put(&b, (ft_mp){0}, checked(&id), ids, mask, n);
        assert_int_equal(ft_segment_parse(checked(&b), &s, &e), 0);
        assert_int_equal(s.n_tokens, n);
        assert_int_equal(s.n_targets, targets);
        for (size_t i = 0; i < n; i++)
            if (ft_segment_id_at(&s, i) != ids[i] || ft_segment_is_target(&s, i) != (i && mask[i]))
                fail_msg("token %zu of %zu", i, n);
        ft_buf_free(&id);
        ft_buf_free(&b);
        free(ids);
        free(mask);
    }
}

/* Each cut [from, to) with each context of a segment of 11 tokens. */
static void cuts_keep_their_targets(void **state)
{
    static const uint32_t ids[] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    static const uint8_t mask[] = {0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1};
    ft_buf id = {0}, whole = {0};
    ft_segment s, cut;
    ft_err e = {0};
    (void)state;
    ft_mp_put_cstr(&id, "c");
    ft_tokens_put(&whole, (ft_mp){0}, checked(&id), ids, mask, 11);
    assert_int_equal(ft_segment_parse(checked(&whole), &s, &e), 0);
    for (size_t from = 0; from < 11; from++)
        for (size_t to = from + 1; to <= 11; to++)
            for (size_t context = 0; context <= to - from; context++) {
                ft_buf b = {0};
                uint64_t length;
                ft_segment_put(&b, &s, from, to, context);
                assert_int_equal(ft_segment_parse(checked(&b), &cut, &e), 0);
                assert_int_equal(cut.n_tokens, to - from);
                assert_true(ft_mp_get_uint(cut.map, "length", &length) && length == to - from);
                for (size_t i = 0; i < to - from; i++) {
                    int target = i > 0 && i >= context && mask[from + i];
                    assert_int_equal(ft_segment_id_at(&cut, i), ids[from + i]);
                    assert_int_equal(ft_segment_is_target(&cut, i), target);
                }
                ft_buf_free(&b);
            }
    ft_buf_free(&id);
    ft_buf_free(&whole);
}

/* Walks a row whose segments are good but for the last, which lacks the named fields.
 * Returns: how the walk ended; *seen: the good segments. */
static int walk(size_t segments, unsigned without, size_t *seen, ft_err *e)
{
    ft_buf record = {0};
    ft_row_iter it;
    ft_segment s;
    size_t n;
    int rc;
    ft_mp_put_map(&record, 1);
    ft_mp_put_cstr(&record, "segments");
    ft_mp_put_array(&record, segments);
    for (size_t i = 0; i < segments; i++) {
        fields f = segment_but(i + 1 == segments ? without : 0);
        ft_buf map = map_of(&f);
        ft_buf_add(&record, map.p, map.n);
        ft_buf_free(&map);
    }
    *seen = 0;
    rc = ft_row_begin(checked(&record), &it, &n, e);
    assert_true(rc < 0 || n == segments);
    while (rc == 0 && (rc = ft_row_next(&it, &s, e)) == 0) {
        assert_int_equal(s.n_tokens, 3);
        ++*seen;
    }
    ft_buf_free(&record);
    return rc;
}

static void rows_are_walked(void **state)
{
    static const struct { unsigned without; const char *field; } lacks[] = {
        {NO_ID, "id"}, {NO_IDS, "ids"}, {NO_MASK, "mask"}, {NO_LENGTH, "length"}};
    ft_buf b = {0};
    ft_row_iter it;
    size_t seen, n;
    ft_err e = {0};
    (void)state;
    for (size_t segments = 1; segments < 40; segments++) {
        assert_int_equal(walk(segments, 0, &seen, &e), FT_EOS);
        assert_int_equal(seen, segments);
    }
    for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++) {
        assert_int_equal(walk(3, lacks[i].without, &seen, &e), FT_ERR_DATA);
        assert_int_equal(seen, 2);
        assert_non_null(strstr(e.text, "segment 3"));
        assert_non_null(strstr(e.text, lacks[i].field));
    }
    assert_int_equal(walk(0, 0, &seen, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "segments"));
    ft_mp_put_map(&b, 0);
    assert_int_equal(ft_row_begin(checked(&b), &it, &n, &e), FT_ERR_DATA);
    ft_buf_clear(&b);
    ft_mp_put_map(&b, 1);
    ft_mp_put_cstr(&b, "segments");
    ft_mp_put_uint(&b, 2);
    assert_int_equal(ft_row_begin(checked(&b), &it, &n, &e), FT_ERR_DATA);
    ft_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_segment),
        cmocka_unit_test(ids_and_masks_are_refused),
        cmocka_unit_test(other_fields_are_refused),
        cmocka_unit_test(tokens_are_put_as_python_packs_them),
        cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(cuts_keep_their_targets),
        cmocka_unit_test(rows_are_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
