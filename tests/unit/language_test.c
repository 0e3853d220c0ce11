/* language_test.c: guesses against those that libexttextcat gave (tests/golden/make_language.py),
 * one object on several threads, and broken fingerprints. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/pool.h"
#include "text/language.h"

static ft_language *language;
static ft_words *words;
static ft_err e;

typedef struct row {
    char want[64];
    const uint8_t *text;
    size_t n;
} row;
static row rows[64];
static size_t n_rows;
static ft_map golden;

static void read_golden(void)
{
    const char *p, *end;
    assert_int_equal(ft_map_open(&golden, "tests/golden/language.txt", &e), 0);
    end = (const char *)golden.p + golden.n;
    for (p = (const char *)golden.p; p < end; n_rows++) {
        const char *tab = memchr(p, '\t', (size_t)(end - p)), *text;
        assert_true(tab && n_rows < 64);
        text = (const char *)memchr(tab + 1, '\t', (size_t)(end - tab - 1)) + 1;
        snprintf(rows[n_rows].want, sizeof rows->want, "%.*s", (int)(text - tab - 2), tab + 1);
        p = memchr(text, '\n', (size_t)(end - text));
        assert_non_null(p);
        rows[n_rows].text = (const uint8_t *)text;
        rows[n_rows].n = (size_t)(p++ - text);
    }
}

static void names_of(const ft_guess *g, char out[64])
{
    size_t n = 0;
    strcpy(out, "?");
    for (size_t i = 0; i < g->n; i++)
        n += (size_t)snprintf(out + n, 64 - n, "%s%s", i ? "," : "", g->name[i]);
}

/* The best one is the library's, and most lists are equal: those of near languages depend on the
 * order of equally frequent n-grams. */
static void test_library(void **state)
{
    size_t same = 0;
    (void)state;
    read_golden();
    assert_int_equal(n_rows, 40);
    for (size_t i = 0; i < n_rows; i++) {
        ft_guess g = ft_language_guess(language, words, rows[i].text, rows[i].n);
        char got[64];
        names_of(&g, got);
        same += strcmp(got, rows[i].want) == 0;
        if (strcspn(got, ",") != strcspn(rows[i].want, ",") ||
            strncmp(got, rows[i].want, strcspn(got, ",")) != 0)
            fail_msg("line %zu: %s, not %s", i + 1, got, rows[i].want);
    }
    assert_true(same >= 36);
}

static void guess_many(void *ctx, size_t i, unsigned worker)
{
    size_t *wrong = ctx;
    const row *r = &rows[i % n_rows];
    ft_guess g = ft_language_guess(language, words, r->text, r->n);
    char got[64];
    (void)worker;
    names_of(&g, got);
    if (strncmp(got, r->want, 2) != 0)
        __atomic_add_fetch(wrong, 1, __ATOMIC_RELAXED);
}

static void test_threads(void **state)
{
    size_t wrong = 0;
    ft_pool *pool = NULL;
    (void)state;
    assert_int_equal(ft_pool_new(&pool, 4, &e), 0);
    ft_pool_run(pool, 400, guess_many, &wrong);
    ft_pool_free(&pool);
    assert_int_equal(wrong, 0);
}

static void test_unknown(void **state)
{
    static const char fifty[] = "The quick brown fox jumps over the lazy dog and the end";
    char text[3000];
    ft_guess g = ft_language_guess(language, words, fifty, sizeof fifty - 1);
    (void)state;
    assert_int_equal(g.n, 0);
    g = ft_language_guess(language, words, "", 0);
    assert_int_equal(g.n, 0);
    memset(text, '1', sizeof text);
    memcpy(text, rows[0].text, rows[0].n);              /* digits are as white space */
    g = ft_language_guess(language, words, text, sizeof text);
    assert_string_equal(g.name[0], "en");
    memset(text + rows[0].n, 0, sizeof text - rows[0].n);
    g = ft_language_guess(language, words, text, sizeof text);
    assert_string_equal(g.name[0], "en");
    text[20] = '\xff';
    g = ft_language_guess(language, words, text, sizeof text);
    assert_int_equal(g.n, 0);
    memset(text, 'x', sizeof text);                     /* long runs of one n-gram */
    (void)ft_language_guess(language, words, text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)            /* as many n-grams as there can be */
        text[i] = (char)('!' + (i * i * 7 + i / 90) % 94);
    (void)ft_language_guess(language, words, text, sizeof text);
    for (size_t i = 0; i < 1003; i += 3)                /* cut at a whole character */
        memcpy(text + i, "\u4e00", 3);
    (void)ft_language_guess(language, words, text, 1002);
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[512];
    ft_out *out = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(ft_out_open(&out, path, &e), 0);
    assert_int_equal(ft_out_write(out, text, strlen(text), &e), 0);
    assert_int_equal(ft_out_commit(&out, &e), 0);
}

static void test_broken(void **state)
{
    static const struct { const char *conf, *lm; int code; const char *says; } cases[] = {
        {"a.lm xx--utf8\n# no\n\n", "_\t 5\nab\nabcde\n", 0, ""},
        {"a.lm xx--utf8", "", 0, ""},
        {"", "", 0, ""},
        {"\na.lm\n", "a\n", FT_ERR_DATA, "fpdb.conf, line 2: not a file and a language"},
        {"a.lm 7x\n", "a\n", FT_ERR_DATA, "line 1: not a file"},
        {"a.lm abcdefghi\n", "a\n", FT_ERR_DATA, "line 1: not a file"},
        {"../a.lm xx\n", "a\n", FT_ERR_DATA, "line 1: not a file"},
        {"a.lm xx\n", "a\n\nb\n", FT_ERR_DATA, "a.lm, line 2: no n-gram"},
        {"a.lm xx\n", "abcdef\n", FT_ERR_DATA, "a.lm, line 1: no n-gram"},
        {"a.lm xx\n", "a\n\xff\n", FT_ERR_DATA, "a.lm, line 2: no n-gram"},
        {"b.lm xx\n", "a\n", FT_ERR_NOINPUT, "b.lm"}};
    const char *tmp = getenv("TMPDIR");
    char folder[256], path[512];
    (void)state;
    snprintf(folder, sizeof folder, "%s/ft_language.%ld", tmp ? tmp : "/tmp", (long)getpid());
    assert_int_equal(mkdir(folder, 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ft_language *l = NULL;
        write_file(folder, "fpdb.conf", cases[i].conf);
        write_file(folder, "a.lm", cases[i].lm);
        e = (ft_err){0};
        assert_int_equal(ft_language_new_from(&l, folder, &e), cases[i].code);
        if (!strstr(e.text, cases[i].says))
            fail_msg("case %zu: %s", i, e.text);
        if (l)                                          /* even an empty set can be asked */
            (void)ft_language_guess(l, words, rows[0].text, rows[0].n);
        ft_language_free(&l);
    }
    snprintf(path, sizeof path, "%s/a.lm", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/fpdb.conf", folder);
    unlink(path);
    assert_int_equal(ft_language_new_from(&(ft_language *){NULL}, folder, &e), FT_ERR_NOINPUT);
    assert_non_null(strstr(e.text, "install libexttextcat-data"));
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_library),
                                       cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_unknown),
                                       cmocka_unit_test(test_broken)};
    int rc;
    if (ft_words_new(&words, &e) < 0)
        return 1;
    if (ft_language_new(&language, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    ft_map_close(&golden);
    ft_language_free(&language);
    ft_words_free(&words);
    return rc;
}
