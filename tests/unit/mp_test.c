/* mp_test: msgpack against python3-msgpack (tests/golden/make_mp.py), and what no count may do. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a hexadecimal word, in a block of just that size, so that a sanitizer sees any
 * read behind it. */
static ft_slice bytes_of_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        p[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return (ft_slice){p, n};
}

static int checks(const uint8_t *p, size_t n, size_t *used)
{
    ft_err e = {0};
    uint8_t *copy = malloc(n ? n : 1);
    int rc;
    assert_non_null(copy);
    if (n)
        memcpy(copy, p, n);
    rc = ft_mp_check(copy, n, used, &e);
    free(copy);
    if (rc < 0) {
        assert_int_equal(rc, FT_ERR_DATA);
        assert_true(strstr(e.text, "msgpack") != NULL);
    }
    return rc == 0;
}

static void put_hex(ft_buf *b, char tag, ft_slice s)
{
    ft_buf_add_byte(b, (uint8_t)tag);
    for (size_t i = 0; i < s.n; i++)
        ft_buf_add_fmt(b, "%02x", s.p[i]);
}

static void render(ft_buf *b, ft_mp v);

static void render_items(ft_buf *b, ft_mp v, int is_map)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp item;
    uint64_t n = 0;
    ft_buf_add_byte(b, is_map ? '{' : '[');
    for (; ft_mp_next(&it, &item); n++) {
        render(b, item);
        ft_buf_add_byte(b, is_map && n % 2 == 0 ? ':' : ',');
    }
    ft_buf_add_byte(b, is_map ? '}' : ']');
    assert_int_equal(n, ft_mp_count(v) * (is_map ? 2 : 1));
    assert_ptr_equal(it.p, v.p + v.n);
}

/* Appends the object in the words of make_mp.py. */
static void render(ft_buf *b, ft_mp v)
{
    ft_slice s;
    uint64_t u;
    int64_t i;
    double d;
    int truth;
    switch (ft_mp_type_of(v)) {
    case FT_MP_NIL: ft_buf_add_str(b, "nil"); break;
    case FT_MP_BOOL:
        assert_true(ft_mp_bool(v, &truth));
        ft_buf_add_byte(b, truth ? 'T' : 'F');
        break;
    case FT_MP_UINT:
        assert_true(ft_mp_uint(v, &u));
        assert_int_equal(ft_mp_int(v, &i), u <= INT64_MAX);
        assert_true(u > INT64_MAX || (uint64_t)i == u);
        assert_true(ft_mp_float(v, &d) && d == (double)u);
        ft_buf_add_fmt(b, "u%" PRIu64, u);
        break;
    case FT_MP_INT:
        assert_true(ft_mp_int(v, &i) && i < 0 && !ft_mp_uint(v, &u));
        assert_true(ft_mp_float(v, &d) && d == (double)i);
        ft_buf_add_fmt(b, "i%" PRId64, i);
        break;
    case FT_MP_FLOAT:
        assert_true(ft_mp_float(v, &d) && !ft_mp_int(v, &i) && !ft_mp_uint(v, &u));
        memcpy(&u, &d, sizeof u);
        ft_buf_add_fmt(b, "d%016" PRIx64, u);
        break;
    case FT_MP_STR:
        assert_true(ft_mp_str(v, &s) && s.p + s.n == v.p + v.n);
        put_hex(b, 's', s);
        break;
    case FT_MP_BIN:
        assert_true(ft_mp_bin(v, &s) && s.p + s.n == v.p + v.n);
        put_hex(b, 'b', s);
        break;
    case FT_MP_EXT: ft_buf_add_byte(b, 'x'); break;
    case FT_MP_ARRAY: render_items(b, v, 0); break;
    case FT_MP_MAP: render_items(b, v, 1); break;
    }
}

/* What may be asked of an object is what its type has. */
static void ask_other_types(ft_mp v)
{
    enum ft_mp_type t = ft_mp_type_of(v);
    ft_slice s;
    double d;
    int truth;
    assert_int_equal(ft_mp_bool(v, &truth), t == FT_MP_BOOL);
    assert_int_equal(ft_mp_str(v, &s), t == FT_MP_STR);
    assert_int_equal(ft_mp_bin(v, &s), t == FT_MP_BIN);
    assert_int_equal(ft_mp_float(v, &d), t == FT_MP_UINT || t == FT_MP_INT || t == FT_MP_FLOAT);
    if (t != FT_MP_ARRAY && t != FT_MP_MAP)
        assert_int_equal(ft_mp_count(v), 0);
}

static void check_object(const char *hex, size_t want, const char *text)
{
    ft_slice raw = bytes_of_hex(hex);
    ft_buf b = {0};
    size_t used = 0, shorter;
    if (!checks(raw.p, raw.n, &used) || used != want)
        fail_msg("%s: used %zu of %zu", hex, used, want);
    for (size_t n = 0; n < want; n++)
        if (checks(raw.p, n, &shorter))
            fail_msg("%s: accepted when cut at %zu", hex, n);
    render(&b, (ft_mp){raw.p, used});
    ask_other_types((ft_mp){raw.p, used});
    if (b.n != strlen(text) || memcmp(b.p, text, b.n) != 0)
        fail_msg("%s: read as %.*s, not %s", hex, (int)b.n, (const char *)b.p, text);
    ft_buf_free(&b);
    free((void *)(uintptr_t)raw.p);
}

static void check_bad(const char *hex)
{
    ft_slice raw = bytes_of_hex(hex);
    size_t used;
    if (checks(raw.p, raw.n, &used))
        fail_msg("%s: accepted", hex);
    free((void *)(uintptr_t)raw.p);
}

static void check_put(const char *type, const char *value, const char *hex)
{
    ft_slice want = bytes_of_hex(hex);
    ft_buf b = {0};
    ft_err e = {0};
    size_t n = strtoull(value, NULL, 10), content = 0;
    static char letters[65536];
    memset(letters, 'a', sizeof letters);
    if (strcmp(type, "uint") == 0) {
        ft_mp_put_uint(&b, n);
    } else if (strcmp(type, "int") == 0) {
        ft_mp_put_int(&b, strtoll(value, NULL, 10));
    } else if (strcmp(type, "float") == 0) {
        ft_mp_put_float(&b, strtod(value, NULL));
    } else if (strcmp(type, "array") == 0) {
        ft_mp_put_array(&b, n);
    } else if (strcmp(type, "map") == 0) {
        ft_mp_put_map(&b, n);
    } else {
        content = n;
        assert_true(n <= sizeof letters);
        if (strcmp(type, "str") == 0)
            ft_mp_put_str(&b, letters, n);
        else
            ft_mp_put_bin(&b, letters, n);
    }
    assert_int_equal(ft_buf_check(&b, &e), 0);
    if (b.n != want.n + content || memcmp(b.p, want.p, want.n) != 0 ||
        memcmp(b.p + want.n, letters, content) != 0)
        fail_msg("put %s %s: not %s", type, value, hex);
    ft_buf_free(&b);
    free((void *)(uintptr_t)want.p);
}

static void golden(void **state)
{
    FILE *f = fopen("tests/golden/mp.txt", "r");
    static char line[1 << 16];
    size_t objects = 0, bad = 0, puts_ = 0;
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *word[4] = {"", "", "", ""}, *rest = line;
        line[strcspn(line, "\n")] = 0;
        for (size_t i = 0; i < 4 && rest; i++)
            word[i] = strsep(&rest, " ");
        if (strcmp(word[0], "object") == 0) {
            check_object(word[1], strtoul(word[2], NULL, 10), word[3]);
            objects++;
        } else if (strcmp(word[0], "bad") == 0) {
            check_bad(word[1]);
            bad++;
        } else {
            assert_string_equal(word[0], "put");
            check_put(word[1], word[2], word[3]);
            puts_++;
        }
    }
    fclose(f);
    assert_true(objects > 400 && bad > 80 && puts_ > 80);
}

/* Each head that counts something, with each count that the bytes behind it cannot hold. */
static void counts_are_not_believed(void **state)
{
    static const struct { uint8_t first; size_t width, unit; } heads[] = {
        {0xc4, 1, 1}, {0xc5, 2, 1}, {0xc6, 4, 1}, {0xd9, 1, 1}, {0xda, 2, 1}, {0xdb, 4, 1},
        {0xc7, 1, 1}, {0xc8, 2, 1}, {0xc9, 4, 1}, {0xdc, 2, 1}, {0xdd, 4, 1}, {0xde, 2, 2},
        {0xdf, 4, 2}};
    static const uint64_t more[] = {1, 2, 100, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000,
                                    0xffffffff};
    (void)state;
    for (size_t h = 0; h < sizeof heads / sizeof *heads; h++)
        for (size_t m = 0; m < sizeof more / sizeof *more; m++)
            for (size_t held = 0; held < 4; held++) {
                uint64_t count = held + more[m], top = ~(uint64_t)0 >> (64 - 8 * heads[h].width);
                uint8_t raw[32] = {heads[h].first};
                size_t used, ext = heads[h].first >= 0xc7 && heads[h].first <= 0xc9;
                count = count < top ? count : top;
                for (size_t i = 0; i < heads[h].width; i++)
                    raw[1 + i] = (uint8_t)(count >> (8 * (heads[h].width - 1 - i)));
                assert_false(checks(raw, 1 + heads[h].width + ext + held * heads[h].unit, &used));
            }
}

/* Counts that fit one by one but not together: what outer levels still wait for is owed too. */
static void counts_share_the_bytes(void **state)
{
    static const uint8_t raw[] = {0x93, 0x93, 1, 2, 3, 4, 5};
    uint8_t deep[256] = {0};
    size_t used;
    (void)state;
    assert_true(checks(raw, 7, &used));
    assert_int_equal(used, 7);
    for (size_t n = 0; n < 7; n++)
        assert_false(checks(raw, n, &used));
    for (size_t level = 0; level < 16; level++) {   /* each claims all that is left */
        deep[3 * level] = 0xdc;
        deep[3 * level + 2] = (uint8_t)(250 - 3 * (level + 1));
    }
    assert_false(checks(deep, 250, &used));
}

static void nesting_ends_at_16(void **state)
{
    (void)state;
    for (size_t levels = 1; levels < 40; levels++)
        for (int map = 0; map < 2; map++) {
            uint8_t raw[128] = {0};
            size_t n = 0, used = 0;
            for (size_t i = 0; i < levels; i++) {
                raw[n++] = map ? 0x81 : 0x91;
                n += (size_t)map;                   /* the key 0 */
            }
            n++;                                    /* the scalar 0 */
            assert_int_equal(checks(raw, n, &used), levels <= 16);
            assert_true(levels > 16 || used == n);
            raw[n - 1] = 0x90;                      /* an empty container counts as none */
            assert_int_equal(checks(raw, n, &used), levels <= 16);
        }
}

static void keys_are_found(void **state)
{
    ft_buf b = {0};
    ft_mp v, map, was = {(const uint8_t *)"", 0};
    ft_slice s;
    uint64_t u;
    double d;
    (void)state;
    ft_mp_put_map(&b, 6);
    ft_mp_put_uint(&b, 1);
    ft_mp_put_cstr(&b, "a key that is no string");
    ft_mp_put_cstr(&b, "list");
    ft_mp_put_array(&b, 2);
    ft_mp_put_cstr(&b, "name");                     /* not a key */
    ft_mp_put_nil(&b);
    ft_mp_put_cstr(&b, "names");
    ft_mp_put_uint(&b, 8);
    ft_mp_put_cstr(&b, "name");
    ft_mp_put_cstr(&b, "first");
    ft_mp_put_cstr(&b, "name");
    ft_mp_put_cstr(&b, "second");
    ft_mp_put_cstr(&b, "");
    ft_mp_put_float(&b, 0.5);
    map = (ft_mp){b.p, b.n};
    assert_true(checks(b.p, b.n, &(size_t){0}));
    assert_int_equal(ft_mp_count(map), 6);
    assert_true(ft_mp_get_str(map, "name", &s) && ft_slice_is(s, "first"));
    assert_true(ft_mp_get_uint(map, "names", &u) && u == 8);
    assert_true(ft_mp_get_float(map, "names", &d) && d == 8);
    assert_true(ft_mp_get_float(map, "", &d) && d == 0.5);
    assert_false(ft_mp_get_uint(map, "", &u));
    assert_false(ft_mp_get_str(map, "names", &s));
    v = was;
    assert_false(ft_mp_get(map, "nam", &v));
    assert_ptr_equal(v.p, was.p);
    assert_true(ft_mp_get(map, "list", &v) && ft_mp_count(v) == 2);
    assert_false(ft_mp_get(v, "name", &v));         /* of an array */
    assert_false(ft_slice_is(s, "firs"));
    ft_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(counts_are_not_believed),
        cmocka_unit_test(counts_share_the_bytes),
        cmocka_unit_test(nesting_ends_at_16),
        cmocka_unit_test(keys_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
