/* data_leaks_test.c: first ones among digests, held records, the pieces of examples and leaks of
 * evaluation items, each against a plain search or a record written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/first_of.h"
#include "data/held.h"
#include "data/leak_index.h"
#include "data/pieces.h"

#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t seed, uint64_t i, uint64_t below)
{
    return ft_rng_u64(seed, FT_RNG_DATA, 0, i) % below;
}

/* ---- first_of ---- */

static ft_digest digest_of(uint64_t value)
{
    return ft_digest_of(&value, sizeof value);
}

static void check_first_of(uint64_t n, uint64_t below, uint64_t bytes_max)
{
    ft_first_of *f = NULL;
    ft_err e = {0};
    uint8_t *seen = calloc(below, 1);
    assert_non_null(seen);
    assert_int_equal(ft_first_of_new(&f, &e), 0);
    for (uint64_t i = 0; i < n; i++) {
        ft_digest d = digest_of(draw(3, i, below));
        assert_int_equal(ft_first_of_add(f, &d, &e), 0);
    }
    assert_int_equal(ft_first_of_resolve(f, bytes_max, &e), 0);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t v = draw(3, i, below);
        assert_int_equal(ft_first_of_is(f, i), !seen[v]);
        seen[v] = 1;
    }
    ft_first_of_free(&f);
    assert_null(f);
    free(seen);
}

static void test_first_of(void **state)
{
    (void)state;
    check_first_of(0, 1, 65536);
    check_first_of(1, 1, 65536);
    check_first_of(5000, 40, 65536);
    check_first_of(60000, 40000, 65536);         /* divided once */
    check_first_of(150000, 120000, 65536);       /* and twice    */
}

/* ---- held ---- */

static size_t make_held(uint64_t i, uint8_t *to)
{
    size_t n = draw(4, i, 10) ? 1 + draw(5, i, 300) : 60000 + draw(5, i, 90000);
    for (size_t k = 0; k < n; k++)
        to[k] = (uint8_t)(i * 31 + k * k);
    return n;
}

static void test_held(void **state)
{
    enum { N = 200, ROOM = 160000 };
    ft_held *h = NULL;
    ft_mp record = {0};
    ft_err e = {0};
    uint8_t *want = malloc(ROOM), *again = malloc(ROOM);
    (void)state;
    assert_true(want && again);
    assert_int_equal(ft_held_new(&h, &e), 0);
    assert_int_equal(ft_held_rewind(h, &e), 0);
    assert_int_equal(ft_held_next(h, &record, &e), 0);
    for (uint64_t i = 0; i < N; i++) {
        size_t n = make_held(i, want);
        assert_int_equal(ft_held_add(h, (ft_mp){want, n}, &e), 0);
        assert_int_equal(ft_held_count(h), i + 1);
    }
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(ft_held_rewind(h, &e), 0);
        for (uint64_t i = 0, before = 0; i < N; i++) {
            size_t n = make_held(i, want);
            assert_int_equal(ft_held_next(h, &record, &e), 1);
            assert_int_equal(record.n, n);
            assert_memory_equal(record.p, want, n);
            assert_true(i == 0 || ft_held_place(h) > before);
            before = ft_held_place(h) + n;
            assert_int_equal(ft_held_read(h, ft_held_place(h) + n / 2, again, n - n / 2, &e), 0);
            assert_memory_equal(again, want + n / 2, n - n / 2);
            assert_memory_equal(record.p, want, n);          /* reading moved nothing */
        }
        assert_int_equal(ft_held_next(h, &record, &e), 0);
    }
    ft_held_free(&h);
    assert_null(h);
    free(want);
    free(again);
}

/* ---- pieces ---- */

static void put_turn(ft_buf *b, const char *role, const char *content)
{
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "role");
    ft_mp_put_cstr(b, role);
    ft_mp_put_cstr(b, "content");
    ft_mp_put_cstr(b, content);
}

/* One record of each shape, with the texts of that list. */
static void put_record(ft_buf *b, int shape, const char *const *t)
{
    ft_mp_put_map(b, shape == 2 ? 4 : 3);
    ft_mp_put_cstr(b, "x");
    ft_mp_put_array(b, 2);
    ft_mp_put_cstr(b, "prompt");
    ft_mp_put_float(b, 0.5);
    if (shape == 0) {
        ft_mp_put_cstr(b, "messages");
        ft_mp_put_array(b, 3);
        put_turn(b, "system", t[0]);
        put_turn(b, "user", t[1]);
        put_turn(b, "assistant", t[2]);
        ft_mp_put_cstr(b, "n");
        ft_mp_put_nil(b);
    } else if (shape == 1) {                     /* not in the usual order */
        ft_mp_put_cstr(b, "completion");
        ft_mp_put_cstr(b, t[0]);
        ft_mp_put_cstr(b, "prompt");
        ft_mp_put_cstr(b, t[1]);
    } else if (shape == 2) {
        ft_mp_put_cstr(b, "prediction");
        ft_mp_put_cstr(b, t[0]);
        ft_mp_put_cstr(b, "reference");
        ft_mp_put_array(b, 2);
        ft_mp_put_cstr(b, t[1]);
        ft_mp_put_cstr(b, t[2]);
        ft_mp_put_cstr(b, "prompt");
        ft_mp_put_cstr(b, t[3]);
    } else {
        ft_mp_put_cstr(b, "text");
        ft_mp_put_cstr(b, t[0]);
        ft_mp_put_cstr(b, "cluster");
        ft_mp_put_cstr(b, "text");
    }
}

static void test_pieces(void **state)
{
    static const char *const before[] = {"one", "two of it", "", "four"};
    static const char *const after[] = {"", "a longer text than the one that was there before it",
                                        "3", "IV"};
    static const enum ft_piece_kind kinds[4][4] = {
        {FT_PIECE_OTHER, FT_PIECE_PROMPT, FT_PIECE_RESPONSE},
        {FT_PIECE_RESPONSE, FT_PIECE_PROMPT},
        {FT_PIECE_RESPONSE, FT_PIECE_REFERENCE, FT_PIECE_REFERENCE, FT_PIECE_PROMPT},
        {FT_PIECE_TEXT}};
    static const size_t counts[4] = {3, 2, 4, 1};
    ft_piece_list list = {0};
    ft_err e = {0};
    (void)state;
    for (int shape = 0; shape < 4; shape++) {
        ft_buf record = {0}, want = {0}, got = {0};
        ft_mp v;
        put_record(&record, shape, before);
        put_record(&want, shape, after);
        v = (ft_mp){record.p, record.n};
        assert_int_equal(ft_pieces_of(v, &list, &e), 0);
        assert_int_equal(list.n, counts[shape]);
        ft_pieces_put(v, &list, &got);           /* as it is */
        assert_int_equal(got.n, record.n);
        assert_memory_equal(got.p, record.p, record.n);
        for (size_t i = 0; i < list.n; i++) {
            ft_piece *p = &list.piece[i];
            assert_int_equal(p->kind, kinds[shape][i]);
            assert_true(ft_slice_is(p->text, before[i]));
            p->text = (ft_slice){(const uint8_t *)after[i], strlen(after[i])};
        }
        ft_buf_clear(&got);
        ft_pieces_put(v, &list, &got);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        ft_buf_free(&record);
        ft_buf_free(&want);
        ft_buf_free(&got);
    }
    ft_pieces_free(&list);
}

static void test_with_field(void **state)
{
    ft_buf record = {0}, value = {0}, want = {0}, got = {0};
    (void)state;
    ft_mp_put_map(&record, 2);                   /* replaced, and put last */
    ft_mp_put_cstr(&record, "dirty");
    ft_mp_put_uint(&record, 1);
    ft_mp_put_cstr(&record, "text");
    ft_mp_put_cstr(&record, "dirty");
    ft_mp_put_cstr(&value, "yes");
    ft_mp_put_map(&want, 2);
    ft_mp_put_cstr(&want, "text");
    ft_mp_put_cstr(&want, "dirty");
    ft_mp_put_cstr(&want, "dirty");
    ft_mp_put_cstr(&want, "yes");
    ft_record_put_with((ft_mp){record.p, record.n}, "dirty", (ft_mp){value.p, value.n}, &got);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    ft_buf_free(&record);
    ft_buf_free(&value);
    ft_buf_free(&want);
    ft_buf_free(&got);
}

/* ---- leaks ---- */

enum { WORDS_MAX = 40, ITEMS = 40, ROWS = 50 };

typedef struct row {
    uint64_t word[WORDS_MAX];
    size_t n;
    ft_digest key;
} row;

/* Few different words; many a row has a part of an item in it. */
static row make_row(uint64_t seed, uint64_t i, const row *from)
{
    row r = {.n = draw(seed, 100 * i, WORDS_MAX), .key = digest_of(draw(seed, 100 * i + 1, 6))};
    for (size_t k = 0; k < r.n; k++)
        r.word[k] = draw(seed, 100 * i + 2 + k, 5);
    if (from && from->n)
        for (size_t k = draw(seed, 100 * i + 60, from->n), at = r.n / 3; k < from->n && at < r.n;
             k++)
            r.word[at++] = from->word[k];
    return r;
}

static ft_word_list words_of(row *r)
{
    return (ft_word_list){.hash = r->word, .n = r->n};
}

static int has_run(const row *r, const uint64_t *run, size_t n)
{
    for (size_t i = 0; i + n <= r->n; i++)
        if (memcmp(r->word + i, run, n * sizeof *run) == 0)
            return 1;
    return 0;
}

/* Whether a run stands in more than `often` of the rows. */
static int is_frequent(const row *rows, const uint64_t *run, size_t n, uint64_t often)
{
    uint64_t in = 0;
    for (size_t i = 0; i < ROWS; i++)
        in += (uint64_t)has_run(&rows[i], run, n);
    return in > often;
}

/* By the rule, all places against all. Returns: whether it leaks. */
static int brute(const ft_leak_rule *rule, const row *item, const row *r, const row *rows,
                 uint64_t often, ft_leak_match *m)
{
    uint8_t hit[WORDS_MAX][WORDS_MAX] = {{0}}, covered[WORDS_MAX] = {0};
    size_t n = rule->n, share = 0;
    m->span = m->from = 0;
    for (size_t a = 0; a + n <= item->n; a++)
        for (size_t b = 0; b + n <= r->n; b++)
            hit[a][b] = memcmp(item->word + a, r->word + b, n * sizeof *r->word) == 0 &&
                        !is_frequent(rows, item->word + a, n, often);
    for (size_t b = 0; b + n <= r->n; b++)       /* by places in the row: the first one wins */
        for (size_t a = 0; a + n <= item->n; a++) {
            size_t k = 0;
            while (a + k < WORDS_MAX && b + k < WORDS_MAX && hit[a + k][b + k]) {
                memset(covered + a + k, 1, n);
                k++;
            }
            if (k && k + n - 1 > m->span) {
                m->span = (uint32_t)(k + n - 1);
                m->from = (uint32_t)b;
            }
        }
    for (size_t a = 0; a < item->n; a++)
        share += covered[a];
    m->share = item->n ? (double)share / (double)item->n : 0;
    return m->span >= rule->span_min && m->span >= n &&
           (m->share >= rule->share_min || m->span >= rule->span_sure);
}

static void check_row(const ft_leak_rule *rule, const ft_leak_index *x, const row *items, row *r,
                      const row *rows, uint64_t often, ft_leak_scratch *s)
{
    ft_word_list w = words_of(r);
    ft_err e = {0};
    size_t k = 0;
    assert_int_equal(ft_leak_find(x, &w, &r->key, 1, s, &e), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        ft_leak_match m = {0};
        int is_short = items[i].n < rule->n;
        if (is_short ? !ft_digest_equal(&items[i].key, &r->key)
                     : !brute(rule, &items[i], r, rows, often, &m))
            continue;
        assert_true(k < s->n_matches);
        assert_int_equal(s->match[k].item, i);
        assert_int_equal(s->match[k].is_short, is_short);
        if (is_short) {
            assert_int_equal(s->match[k].span, items[i].n);
        } else {
            assert_int_equal(s->match[k].span, m.span);
            assert_int_equal(s->match[k].from, m.from);
            assert_true(s->match[k].share == m.share);
        }
        k++;
    }
    assert_int_equal(k, s->n_matches);
}

/* Counts the row for its runs, found with and without the items they are in. */
static void see(ft_leak_index *x, row *r, ft_leak_scratch *s)
{
    ft_word_list w = words_of(r);
    ft_leak_scratch all = *s;
    ft_err e = {0};
    *s = (ft_leak_scratch){0};
    assert_int_equal(ft_leak_find_runs(x, &w, &r->key, 1, s, &e), 0);
    for (size_t i = 0; i < all.n_hits; i++) {
        size_t k = 0;
        while (k < s->n_hits && s->hit[k].run != all.hit[i].run)
            k++;
        assert_true(k < s->n_hits);
    }
    for (size_t i = 0; i < s->n_hits; i++) {
        size_t k = 0;
        while (k < all.n_hits && all.hit[k].run != s->hit[i].run)
            k++;
        assert_true(k < all.n_hits && (i == 0 || s->hit[i].row > s->hit[i - 1].row));
    }
    ft_leak_scratch_free(&all);
    for (size_t i = 0; i < s->n_hits; i++) {
        size_t k = 0;
        while (s->hit[k].run != s->hit[i].run)
            k++;
        if (k == i)                              /* each run once an example */
            ft_leak_seen(x, &s->hit[i].run, 1);
    }
}

static void check_leaks(const ft_leak_rule *rule, uint64_t seed)
{
    static row items[ITEMS], rows[ROWS];
    ft_leak_index *x = NULL;
    ft_leak_scratch s = {0};
    ft_err e = {0};
    assert_int_equal(ft_leak_index_new(&x, rule, 0, &e), 0);
    for (uint64_t i = 0; i < ITEMS; i++) {
        ft_word_list w;
        items[i] = make_row(seed, i, NULL);
        if (i % 7 == 0)
            items[i].n = i % rule->n;            /* some short ones */
        w = words_of(&items[i]);
        assert_int_equal(ft_leak_index_add(x, &w, &items[i].key, 1, &e), 0);
    }
    assert_int_equal(ft_leak_index_finish(x, &e), 0);
    assert_int_equal(ft_leak_index_items(x), ITEMS);
    assert_true(ft_leak_index_has_short(x));
    for (uint64_t i = 0; i < ROWS; i++)
        rows[i] = make_row(seed + 1, i, i % 2 ? &items[i % ITEMS] : NULL);
    for (size_t i = 0; i < ROWS; i++) {
        check_row(rule, x, items, &rows[i], rows, ROWS, &s);
        see(x, &rows[i], &s);
    }
    assert_true(ft_leak_ignore_often(x, 3) > 0);
    for (size_t i = 0; i < ROWS; i++)
        check_row(rule, x, items, &rows[i], rows, 3, &s);
    ft_leak_scratch_free(&s);
    ft_leak_index_free(&x);
    assert_null(x);
}

static void test_leaks(void **state)
{
    (void)state;
    check_leaks(&(ft_leak_rule){3, 3, 6, 0.5}, 20);
    check_leaks(&(ft_leak_rule){4, 6, 9, 0.3}, 30);
    check_leaks(&(ft_leak_rule){1, 1, 40, 0.9}, 40);
}

static void test_bound(void **state)
{
    ft_leak_index *x = NULL;
    ft_err e = {0};
    row r = make_row(1, 1, NULL);
    ft_word_list w = words_of(&r);
    (void)state;
    assert_int_equal(ft_leak_index_new(&x, &(ft_leak_rule){2, 2, 2, 1}, 26 * r.n, &e), 0);
    assert_int_equal(ft_leak_index_add(x, &w, NULL, 0, &e), 0);
    assert_int_equal(ft_leak_index_add(x, &w, NULL, 0, &e), FT_ERR_NOMEM);
    assert_non_null(strstr(e.text, "bound"));
    ft_leak_index_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_of), cmocka_unit_test(test_held),
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_with_field),
        cmocka_unit_test(test_leaks),    cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
