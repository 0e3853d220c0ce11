/* words_test.c: words against spaCy's (golden/words.txt), sentences and characters by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "text/words.h"

static ft_words *w;
static ft_err e;

/* Compares one line of the golden file. Returns: whether all is as it says. */
static int same_as(const char *line, size_t n)
{
    const char *tab = memchr(line, '\t', n);
    size_t text_n = tab ? (size_t)(tab - line) : n, i = 0;
    assert_int_equal(ft_words_split(w, line, text_n, &e), 0);
    for (; tab; i++) {
        const char *from = tab + 1, *end = line + n;
        tab = memchr(from, '\t', (size_t)(end - from));
        end = tab ? tab : end;
        if (i == w->n || w->v[i].bytes != (size_t)(end - from) ||
            memcmp(line + w->v[i].at, from, w->v[i].bytes) != 0)
            return 0;
        if (w->v[i].chars != ft_char_count(from, w->v[i].bytes))
            return 0;
    }
    return i == w->n;
}

static void test_golden(void **state)
{
    static char line[65536];
    FILE *f = fopen("tests/golden/words.txt", "r");
    size_t lines = 0, wrong = 0;
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        size_t n = strcspn(line, "\n");
        lines++;
        for (int twice = 0; twice < 2; twice++)          /* and from the cache */
            if (!same_as(line, n)) {
                print_message("not as spaCy cuts: %.*s\n", (int)n, line);
                wrong++;
            }
    }
    fclose(f);
    assert_true(lines > 2000);
    assert_int_equal(wrong, 0);
}

static void test_flags(void **state)
{
    static const char text[] = "The be, to 42 ... x2 .";
    (void)state;
    assert_int_equal(ft_words_split(w, text, strlen(text), &e), 0);
    assert_int_equal(w->n, 8);
    assert_int_equal(w->v[0].flags, FT_WORD_ALPHA | FT_WORD_TEXT);
    assert_int_equal(w->v[1].flags, FT_WORD_ALPHA | FT_WORD_TEXT | FT_WORD_STOP << 1);
    assert_int_equal(w->v[2].flags, FT_WORD_PUNCT);
    assert_int_equal(w->v[3].flags, FT_WORD_ALPHA | FT_WORD_TEXT | FT_WORD_STOP << 2);
    assert_int_equal(w->v[4].flags, FT_WORD_TEXT);
    assert_int_equal(w->v[5].flags, FT_WORD_PUNCT);
    assert_int_equal(w->v[6].flags, FT_WORD_ALPHA | FT_WORD_TEXT);
    assert_int_equal(w->v[7].flags, FT_WORD_PUNCT | FT_WORD_END);
}

static size_t sentences(const char *text)
{
    assert_int_equal(ft_words_split(w, text, strlen(text), &e), 0);
    return ft_words_sentences(w->v, w->n);
}

static void test_sentences(void **state)
{
    (void)state;
    assert_int_equal(sentences(""), 0);
    assert_int_equal(sentences("one"), 1);
    assert_int_equal(sentences("One. Two! Three?"), 3);
    assert_int_equal(sentences("He said \"no.\" And left."), 2);
    assert_int_equal(sentences("Wait... what"), 1);             /* "..." is no end by itself */
    assert_int_equal(sentences("Mr. Smith (see p. 3.) came"), 2);
}

static void test_garbage(void **state)
{
    static const char text[] = "a\xff\xfe b\xc3 \xe2\x82 c";
    uint32_t c;
    (void)state;
    assert_int_equal(ft_words_split(w, text, sizeof text - 1, &e), 0);
    assert_int_equal(w->n, 4);
    assert_int_equal(w->v[0].bytes, 3);
    assert_int_equal(w->v[0].chars, 3);
    assert_int_equal(ft_char_at((const uint8_t *)"\xff", 1, &c), 1);
    assert_int_equal(c, 0xdcff);
    assert_int_equal(ft_words_split(w, "\xc2\xa0\x1c \t", 5, &e), 0);
    assert_int_equal(w->n, 0);
    assert_int_equal(ft_words_split(w, "", 0, &e), 0);
    assert_int_equal(w->n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_flags),
                                       cmocka_unit_test(test_sentences),
                                       cmocka_unit_test(test_garbage)};
    int rc;
    if (ft_words_new(&w, &e) < 0)
        return 1;
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    ft_words_free(&w);
    return rc;
}
