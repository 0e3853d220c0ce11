/* json_test.c: which texts are JSON and what they mean, as Python's json and msgpack say
 * (bad/json.txt, by bad/make_json.py); that what is printed is read back as the same; and where
 * errors are. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"

#include <math.h>
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

/* Parses a copy that ends where its memory ends, behind bytes that must stay as they are. */
static int parse(const uint8_t *text, size_t n, ft_buf *out, ft_err *e)
{
    uint8_t *copy = malloc(n ? n : 1);
    int rc;
    assert_non_null(copy);
    if (n)
        memcpy(copy, text, n);
    ft_buf_clear(out);
    ft_buf_add_str(out, "before");
    *e = (ft_err){0};
    rc = ft_json_parse(copy, n, out, e);
    assert_true(out->n >= 6);
    assert_memory_equal(out->p, "before", 6);
    free(copy);
    return rc;
}

static void accept(const uint8_t *text, size_t n, const uint8_t *want, size_t want_n)
{
    ft_buf out = {0}, printed = {0};
    ft_err e;
    if (parse(text, n, &out, &e) < 0)
        fail_msg("%.*s: %s", (int)n, (const char *)text, e.text);
    if (out.n - 6 != want_n || memcmp(out.p + 6, want, want_n) != 0)
        fail_msg("%.*s: means something else", (int)n, (const char *)text);
    ft_json_put(&printed, (ft_mp){want, want_n});
    assert_int_equal(ft_buf_check(&printed, &e), 0);
    assert_null(memchr(printed.p, '\n', printed.n));
    if (parse(printed.p, printed.n, &out, &e) < 0 || out.n - 6 != want_n ||
        memcmp(out.p + 6, want, want_n) != 0)
        fail_msg("%.*s: printed as %.*s", (int)n, (const char *)text, (int)printed.n,
                 (const char *)printed.p);
    ft_buf_free(&out);
    ft_buf_free(&printed);
}

static void reject(const uint8_t *text, size_t n)
{
    ft_buf out = {0};
    ft_err e;
    if (parse(text, n, &out, &e) != FT_ERR_DATA)
        fail_msg("%.*s: not refused", (int)n, (const char *)text);
    assert_int_equal(e.code, FT_ERR_DATA);
    assert_int_equal(out.n, 6);
    assert_int_equal(strncmp(e.text, "column ", 7), 0);
    for (const char *p = e.text; *p; p++)
        assert_true(*p >= ' ' && *p <= '~');     /* it goes to terminals */
    ft_buf_free(&out);
}

/* Runs `each` on the lines of the golden file that begin with a word. */
static size_t for_lines(const char *word, void (*each)(char *text, char *rest))
{
    FILE *f = fopen("tests/bad/json.txt", "r");
    char *line = NULL;
    size_t cap = 0, seen = 0;
    assert_non_null(f);
    while (getline(&line, &cap, f) > 0) {
        char *at = line, *first = strsep(&at, " \n"), *text = strsep(&at, " \n");
        if (strcmp(first, word) != 0)
            continue;
        each(text, strsep(&at, " \n"));
        seen++;
    }
    free(line);
    fclose(f);
    return seen;
}

static void accept_line(char *text, char *packed)
{
    size_t n = unhex(text, (uint8_t *)text), want_n = unhex(packed, (uint8_t *)packed);
    accept((uint8_t *)text, n, (uint8_t *)packed, want_n);
}

static void reject_line(char *text, char *rest)
{
    (void)rest;
    reject((uint8_t *)text, unhex(text, (uint8_t *)text));
}

static void texts_mean_what_python_says(void **state)
{
    (void)state;
    assert_true(for_lines("accept", accept_line) >= 60);
}

static void what_python_and_the_rules_refuse_is_refused(void **state)
{
    (void)state;
    assert_true(for_lines("reject", reject_line) >= 100);
}

/* The number of significant digits of a printed double. */
static size_t digits_of(const char *s)
{
    size_t n = 0, zeros = 0;
    for (; *s && *s != 'e'; s++) {
        if (*s < '0' || *s > '9' || (*s == '0' && n == 0))
            continue;
        zeros = *s == '0' ? zeros + 1 : 0;
        n++;
    }
    return n - zeros;
}

static void double_line(char *bits, char *digits)
{
    uint64_t u = strtoull(bits, NULL, 16);
    ft_buf b = {0};
    double d, back;
    memcpy(&d, &u, sizeof d);
    ft_json_put_double(&b, d);
    ft_buf_add_byte(&b, 0);
    assert_false(b.failed);
    back = strtod((char *)b.p, NULL);
    assert_memory_equal(&back, &d, sizeof d);
    if (digits_of((char *)b.p) != strtoul(digits, NULL, 10))
        fail_msg("%s has not the %s digits of the shortest form", (char *)b.p, digits);
    ft_buf_free(&b);
}

static void doubles_are_printed_in_their_shortest_form(void **state)
{
    (void)state;
    assert_true(for_lines("double", double_line) >= 200);
}

static void assert_printed(const char *packed, size_t n, const char *want)
{
    ft_buf b = {0};
    ft_json_put(&b, (ft_mp){(const uint8_t *)packed, n});
    ft_buf_add_byte(&b, 0);
    assert_false(b.failed);
    assert_string_equal((char *)b.p, want);
    ft_buf_free(&b);
}

/* What JSON has no word for, as json.h says; base64 after RFC 4648's own examples. */
static void values_without_a_word_are_shown(void **state)
{
    static const char quiet_nan[] = "\xcb\x7f\xf8\0\0\0\0\0";
    static const char infinity[] = "\xca\x7f\x80\0";
    (void)state;
    assert_printed("\xc4\x00", 2, "{\"$bin\":\"\"}");
    assert_printed("\xc4\x01" "f", 3, "{\"$bin\":\"Zg==\"}");
    assert_printed("\xc4\x02" "fo", 4, "{\"$bin\":\"Zm8=\"}");
    assert_printed("\xc4\x06" "foobar", 8, "{\"$bin\":\"Zm9vYmFy\"}");
    assert_printed("\xd4\x05\x07", 3, "{\"$msgpack\":\"1AUH\"}");
    assert_printed(quiet_nan, 9, "null");
    assert_printed(infinity, 5, "null");
    assert_printed("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "18446744073709551615");
    assert_printed("\x82\x01\x02\xc0\x03", 5, "{\"1\":2,\"null\":3}");
    assert_printed("\xa3" "a\xff" "b", 4, "\"a\xef\xbf\xbd" "b\"");
    assert_printed("\xa4\x7f\xc2\x9b\x1b", 5, "\"\\u007f\\u009b\\u001b\"");
}

static void errors_name_the_column(void **state)
{
    static const struct { const char *text, *where; } cases[] = {
        {"[1,x]", "column 4:"}, {"{\"a\":1,\"a\":2}", "column 10:"}, {"\"日本\" x", "column 6:"},
        {"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "column 17:"},
        {"[\"日\\\"\", [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "column 24:"}};
    ft_buf out = {0};
    ft_err e;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t *text = (const uint8_t *)cases[i].text;
        assert_int_equal(parse(text, strlen(cases[i].text), &out, &e), FT_ERR_DATA);
        if (strncmp(e.text, cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("%s: expected %s, got %s", cases[i].text, cases[i].where, e.text);
    }
    ft_buf_free(&out);
}

/* Random decimals of all lengths: the short ones take another way than the C library's, and must
 * come to the same bits. */
static void decimals_are_those_of_the_c_library(void **state)
{
    ft_buf out = {0};
    ft_err e;
    uint64_t r = 88172645463325252u;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double want, got;
        size_t n = 0, digits;
        r ^= r << 13, r ^= r >> 7, r ^= r << 17;        /* Marsaglia's xorshift */
        digits = r % 20 + 1;
        n = (size_t)snprintf(text, sizeof text, "%s%llu.%0*llu", r >> 8 & 1 ? "-" : "",
                             (unsigned long long)(r >> (r >> 16) % 64), (int)digits,
                             (unsigned long long)((r * 0x9e3779b97f4a7c15u) >> (64 - digits * 3)));
        if (r >> 9 & 1)
            n += (size_t)snprintf(text + n, sizeof text - n, "e%d", (int)((r >> 24) % 60) - 30);
        assert_int_equal(parse((uint8_t *)text, n, &out, &e), 0);
        want = strtod(text, NULL);
        assert_true(ft_mp_float((ft_mp){out.p + 6, out.n - 6}, &got));
        if (memcmp(&want, &got, sizeof got) != 0)
            fail_msg("%s is %.17g, read as %.17g", text, want, got);
    }
    ft_buf_free(&out);
}

/* Objects of n keys, in which the last is one of the others. */
static void a_key_twice_is_found_in_any_object(void **state)
{
    ft_buf text = {0}, out = {0};
    ft_err e;
    (void)state;
    for (int n = 1; n < 70; n++)
        for (int twin = 0; twin < n; twin++)
            for (int twice = 0; twice < 2; twice++) {
                ft_buf_clear(&text);
                for (int i = 0; i < n; i++)
                    ft_buf_add_fmt(&text, "%c\"k%d\":{\"\":[%d]}", i ? ',' : '{', i, i);
                ft_buf_add_fmt(&text, ",\"k%d\":1}", twice ? twin : n);
                assert_int_equal(parse(text.p, text.n, &out, &e), twice ? FT_ERR_DATA : 0);
                if (twice)
                    assert_non_null(strstr(e.text, "duplicate"));
            }
    ft_buf_free(&text);
    ft_buf_free(&out);
}

/* "[[],[],…]" of k + 1 empty lists. Returns: its length. */
static size_t many_lists(uint8_t *text, size_t k)
{
    text[0] = '[';
    for (size_t i = 0; i < k; i++)
        memcpy(text + 1 + 3 * i, "[],", 3);
    memcpy(text + 1 + 3 * k, "[]]", 3);
    return 4 + 3 * k;
}

static void large_texts_take_bounded_memory(void **state)
{
    enum { N = 12 << 20 };
    uint8_t *text = malloc(N);
    ft_buf out = {0};
    ft_err e;
    (void)state;
    assert_non_null(text);
    memset(text, 'a', N);
    text[0] = text[N - 1] = '"';
    assert_int_equal(parse(text, N, &out, &e), 0);
    assert_int_equal(out.n, 6 + 5 + N - 2);
    assert_int_equal(parse(text, many_lists(text, 99999), &out, &e), 0);
    assert_int_equal(out.n, 6 + 5 + 100000);
    /* As many lists as fit a line: no tree of them is built. */
    assert_int_equal(parse(text, many_lists(text, 4000000), &out, &e), 0);
    assert_int_equal(out.n, 6 + 5 + 4000001);
    ft_buf_free(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_mean_what_python_says),
        cmocka_unit_test(what_python_and_the_rules_refuse_is_refused),
        cmocka_unit_test(doubles_are_printed_in_their_shortest_form),
        cmocka_unit_test(values_without_a_word_are_shown),
        cmocka_unit_test(errors_name_the_column),
        cmocka_unit_test(decimals_are_those_of_the_c_library),
        cmocka_unit_test(a_key_twice_is_found_in_any_object),
        cmocka_unit_test(large_texts_take_bounded_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
