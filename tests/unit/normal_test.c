/* normal_test.c: canonical forms equal to those of Python's unicodedata, for every code point it
 * knows and for texts that mix what is hard; and bytes that are no text. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "text/normal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;
    if (strcmp(hex, "-") == 0)
        return 0;
    for (; sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out[n] = (uint8_t)byte;
    return n;
}

static size_t utf8_of(unsigned c, uint8_t *p)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

static void assert_form(const uint8_t *text, size_t n, const uint8_t *want, size_t want_n,
                        const char *what)
{
    ft_err e = {0};
    ft_buf b = {0};
    assert_int_equal(ft_normalise(text, n, &b, &e), 0);
    if (b.n != want_n || (want_n && memcmp(b.p, want, want_n) != 0))
        fail_msg("another canonical form than the reference's: %s", what);
    ft_buf_free(&b);
}

static void forms_are_the_reference_s(void **state)
{
    static uint8_t assigned[0x110000], changed[0x110000];
    static char line[4096], a[2048], b[2048];
    uint8_t text[1024], want[1024];
    size_t texts = 0, codes = 0;
    unsigned first, last;
    FILE *f = fopen("tests/golden/normal.txt", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "A %x %x", &first, &last) == 2) {
            assert_true(first <= last && last < 0x110000);
            memset(assigned + first, 1, last - first + 1);
        } else if (sscanf(line, "C %x %2047s", &first, a) == 2) {
            assert_true(first < 0x110000);
            changed[first] = 1;
            assert_form(text, utf8_of(first, text), want, unhex(a, want), line);
        } else {
            assert_int_equal(sscanf(line, "T %2047s %2047s", a, b), 2);
            assert_form(text, unhex(a, text), want, unhex(b, want), line);
            texts++;
        }
    }
    fclose(f);
    for (unsigned c = 0; c < 0x110000; c++)
        if (assigned[c] && !changed[c]) {
            size_t n = utf8_of(c, text);
            snprintf(line, sizeof line, "U+%04X", c);
            assert_form(text, n, text, n, line);
            codes++;
        }
    assert_int_equal(texts, 800);
    assert_true(codes > 250000);
}

static void garbage_stays_different(void **state)
{
    static const struct { const char *text, *want; } cases[] = {
        {"A\xff""B", "a\xff""b"}, {"A\xfe""B", "a\xfe""b"}, {" \xc3 ", "\xc3"},
        {"\xed\xa0\x80", "\xed\xa0\x80"}, {"\xc0\xaf", "\xc0\xaf"}, {"\xf4\x90\x80\x80",
        "\xf4\x90\x80\x80"}, {"E\xcc\x81\xcc", "\xc3\xa9\xcc"}, {"\xe2\x82", "\xe2\x82"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_form((const uint8_t *)cases[i].text, strlen(cases[i].text),
                    (const uint8_t *)cases[i].want, strlen(cases[i].want), cases[i].text);
}

/* Two million marks in falling order of class: sorting them one by one would take hours, which
 * the time limit of the tests would end. */
static void a_pile_of_marks_is_sorted_quickly(void **state)
{
    enum { HALF = 1000000 };
    ft_err e = {0};
    ft_buf in = {0}, out = {0};
    (void)state;
    ft_buf_add_byte(&in, 'q');
    for (size_t i = 0; i < HALF; i++)
        ft_buf_add_str(&in, "\xcc\x8d");          /* U+030D, class 230 */
    for (size_t i = 0; i < HALF; i++)
        ft_buf_add_str(&in, "\xcc\xb2");          /* U+0332, class 220 */
    assert_false(in.failed);
    assert_int_equal(ft_normalise(in.p, in.n, &out, &e), 0);
    assert_int_equal(out.n, in.n);
    assert_memory_equal(out.p + 1, "\xcc\xb2", 2);
    assert_memory_equal(out.p + 1 + 2 * HALF - 2, "\xcc\xb2\xcc\x8d", 4);
    ft_buf_free(&in);
    ft_buf_free(&out);
}

static void assert_plain(const uint8_t *text, size_t n)
{
    ft_err e = {0};
    ft_buf quick = {0}, plain = {0};
    assert_int_equal(ft_normalise(text, n, &quick, &e), 0);
    assert_int_equal(ft_normalise_plainly(text, n, &plain, &e), 0);
    assert_int_equal(quick.n, plain.n);
    if (n)
        assert_memory_equal(quick.p ? quick.p : text, plain.p ? plain.p : text, plain.n);
    ft_buf_free(&quick);
    ft_buf_free(&plain);
}

/* Any character of the first two planes before and behind what composes, folds or is white. */
static void quick_ways_are_the_plain_one_s_for_pairs(void **state)
{
    static const unsigned beside[] = {'a', 'Z', ' ', 0xe9, 0x3b1, 0x430, 0x4e2d, 0x301, 0x345,
                                      0x327, 0x3000, 0x1100, 0x1161, 0x11a8, 0xac00, 0x9be, 0x9c7,
                                      0x1b35,
                                      0xdf, 0x130, 0x1f600, 0xfe0f, 0x2126, 0x1fb3};
    uint8_t text[16];
    (void)state;
    for (unsigned c = 1; c < 0x20000; c++)
        for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
            size_t n = utf8_of(c, text);
            n += utf8_of(beside[i], text + n);
            n += utf8_of(c, text + n);
            assert_plain(text, n);
        }
}

static void quick_ways_are_the_plain_one_s_for_any_bytes(void **state)
{
    static const unsigned blocks[] = {0x20, 0x40, 0x60, 0xc0, 0xa0, 0x2c60, 0x300, 0x340, 0x380,
                                      0x400, 0x900, 0xe00, 0x1100, 0x1160, 0x11a0, 0x1e00, 0x1f00,
                                      0x2000,
                                      0x3040, 0x4e00, 0xac00, 0xff00, 0x1f600, 0x10400};
    uint8_t text[9000];
    (void)state;
    for (uint64_t t = 0, k = 0; t < 3000; t++) {
        size_t n = 0, most = ft_rng_u64(8, FT_RNG_DATA, 0, k++) % (t % 50 ? 200 : 8900);
        unsigned block = 0x20;
        while (n < most) {
            uint64_t r = ft_rng_u64(8, FT_RNG_DATA, 0, k++);
            if (r % 8 == 0)
                block = blocks[(r >> 8) % (sizeof blocks / sizeof *blocks)];
            if (r % 211 == 1)
                text[n++] = (uint8_t)(r >> 20);  /* what need not be UTF-8 */
            else
                n += utf8_of(r % 5 == 0 ? 0x20 : block + (r >> 16 & 0x3f), text + n);
        }
        assert_plain(text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_the_reference_s),
        cmocka_unit_test(garbage_stays_different),
        cmocka_unit_test(quick_ways_are_the_plain_one_s_for_pairs),
        cmocka_unit_test(quick_ways_are_the_plain_one_s_for_any_bytes),
        cmocka_unit_test(a_pile_of_marks_is_sorted_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
