/* data_ngrams.c: words and n-grams against what a person finds in short texts, and counts of random
 * texts against counting each n-gram by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"
#include "data/ngrams.h"
#include "data/plain_words.h"

#include <math.h>
#include <string.h>

static ft_err e;

/* Compares the words of a text with a list of them, each followed by '|'. */
static void words_are(const char *text, const char *want)
{
    ft_slice s = {(const uint8_t *)text, strlen(text)}, word;
    size_t at = 0;
    while (ft_word_next(s, &at, &word)) {
        size_t n = strcspn(want, "|");
        assert_int_equal(word.n, n);
        assert_memory_equal(word.p, want, n);
        want += n + 1;
    }
    assert_string_equal(want, "");
    assert_int_equal(at, s.n);
}

static void test_words(void **state)
{
    (void)state;
    words_are("", "");
    words_are(" .,;-_@ ", "");
    words_are("a b2c,d's", "a|b2c|d|s|");
    words_are("na\u00efve caf\u00e9\u00a0x", "na\u00efve|caf\u00e9|x|");
    words_are("\u03b1\u03b2 \u0434\u0430\u2014\u0431", "\u03b1\u03b2|\u0434\u0430|\u0431|");
    words_are("\u4e2d\u6587abc\u5b57", "\u4e2d|\u6587|abc|\u5b57|");
    words_are("\u3042\u30a2\u3001\u3002\uff01", "\u3042|\u30a2|");
    words_are("\uac00\ub098 \ub2e4", "\uac00\ub098|\ub2e4|");          /* spaces part Korean */
    words_are("x\U00020000y", "x|\U00020000|y|");
    words_are("\xff\xfe" "a \xe4\xb8", "\xff\xfe" "a|\xe4\xb8|");
}

static double f1_of(const char *a, const char *b)
{
    ft_buf x = {0}, y = {0};
    double f1;
    assert_int_equal(ft_words_sorted((ft_slice){(const uint8_t *)a, strlen(a)}, &x, &e), 0);
    assert_int_equal(ft_words_sorted((ft_slice){(const uint8_t *)b, strlen(b)}, &y, &e), 0);
    f1 = ft_words_f1((const uint64_t *)(const void *)x.p, x.n / 8,
                     (const uint64_t *)(const void *)y.p, y.n / 8);
    ft_buf_free(&x);
    ft_buf_free(&y);
    return f1;
}

static void test_f1(void **state)
{
    const double tiny = 1e-15;
    (void)state;
    assert_true(fabs(f1_of("", " . ") - 1) <= tiny);
    assert_true(fabs(f1_of("a", "") - 0) <= tiny);
    assert_true(fabs(f1_of("a b c", "c,b,a") - 1) <= tiny);
    assert_true(fabs(f1_of("a a b", "a c c") - 1.0 / 3) <= tiny);
    assert_true(fabs(f1_of("a a b", "a a a a") - 4.0 / 7) <= tiny);
    assert_true(fabs(f1_of("\u4e2d\u6587", "\u4e2d \u56fd") - 0.5) <= tiny);
}

/* The bucket of an n-gram by the contract of ngrams.h. */
static uint32_t bucket_of(const void *p, size_t n, int is_word)
{
    uint64_t h = ft_hash64(p, n, is_word ? 1 : 2);
    return (uint32_t)(h % FT_NGRAM_BUCKETS) + (is_word ? 0 : FT_NGRAM_BUCKETS);
}

static void has(ft_buf packed, const char *gram, int is_word, uint32_t want)
{
    ft_ngram_iter it = ft_ngrams_of((ft_slice){packed.p, packed.n});
    uint32_t bucket, count, found = 0;
    while (ft_ngrams_next(&it, &bucket, &count))
        if (bucket == bucket_of(gram, strlen(gram), is_word))
            found = count;
    if (found != want)
        fail_msg("\"%s\" is there %u times, not %u", gram, found, want);
}

static uint32_t all_counts(ft_buf packed)
{
    ft_ngram_iter it = ft_ngrams_of((ft_slice){packed.p, packed.n});
    uint32_t bucket, count, sum = 0, before = 0;
    for (int first = 1; ft_ngrams_next(&it, &bucket, &count); first = 0) {
        assert_true(first || bucket > before);
        before = bucket;
        sum += count;
    }
    return sum;
}

static void test_short_texts(void **state)
{
    ft_ngrams g = {0};
    ft_buf b = {0};
    (void)state;
    assert_int_equal(ft_ngrams_make(&g, "", 0, &b, &e), 0);
    assert_int_equal(b.n, 0);
    assert_int_equal(ft_ngrams_make(&g, "Ab  ab,\tAB", 10, &b, &e), 0);    /* "ab ab, ab" */
    has(b, "ab", 1, 3);
    has(b, "ab ab", 1, 2);
    has(b, "ab a", 0, 1);
    has(b, "b ab", 0, 1);
    has(b, ", ab", 0, 1);
    has(b, "ab", 0, 0);
    assert_int_equal(all_counts(b), 3 + 2 + 6);
    b.n = 0;
    assert_int_equal(ft_ngrams_make(&g, "\u4e2d\u6587\u5b57\u6c49x", 13, &b, &e), 0);
    has(b, "\u4e2d", 1, 1);
    has(b, "\u4e2d \u6587", 1, 1);
    has(b, "\u4e2d\u6587\u5b57\u6c49", 0, 1);
    has(b, "\u6587\u5b57\u6c49x", 0, 1);
    assert_int_equal(all_counts(b), 5 + 4 + 2);
    b.n = 0;
    assert_int_equal(ft_ngrams_make(&g, "abc", 3, &b, &e), 0);
    assert_int_equal(all_counts(b), 1);
    ft_buf_free(&b);
    ft_ngrams_free(&g);
}

/* Many counts over 127, many buckets: all runs of a long text of four letters. */
static void test_many(void **state)
{
    enum { N = 20000 };
    static char text[N + 1];
    ft_ngrams g = {0};
    ft_buf b = {0};
    char gram[5] = "";
    (void)state;
    for (size_t i = 0; i < N; i++)
        text[i] = "abcd"[ft_rng_below(5, FT_RNG_DATA, 0, i, 4)];
    assert_int_equal(ft_ngrams_make(&g, text, N, &b, &e), 0);
    for (size_t code = 0; code < 256; code += 5) {
        uint32_t count = 0;
        for (size_t i = 0; i < 4; i++)
            gram[i] = "abcd"[code >> (2 * i) & 3];
        for (size_t i = 0; i + 4 <= N; i++)
            count += memcmp(text + i, gram, 4) == 0;
        has(b, gram, 0, count);
    }
    assert_int_equal(all_counts(b), 1 + N - 3);
    ft_buf_free(&b);
    ft_ngrams_free(&g);
}

/* What is packed wrongly ends the walk. */
static void test_damage(void **state)
{
    static const char *const bad[] = {"\x80", "\x05", "\xff\xff\xff\xff\xff\xff\x01\x01",
                                      "\xff\xff\xff\x7f\x01"};
    uint32_t bucket, count;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ft_ngram_iter it = ft_ngrams_of((ft_slice){(const uint8_t *)bad[i], strlen(bad[i])});
        assert_int_equal(ft_ngrams_next(&it, &bucket, &count), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words), cmocka_unit_test(test_f1),
        cmocka_unit_test(test_short_texts), cmocka_unit_test(test_many),
        cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
