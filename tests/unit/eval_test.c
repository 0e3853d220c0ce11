/* eval_test.c: what metrics stand on: stems equal to NLTK's, n-grams and LCS against brute
 * force, the intervals of the bootstrap against what they claim: in a simulation they hold the
 * truth in 95 of 100 cases. The scores themselves are held to those of other programs in
 * tests/cli/metrics.sh. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/pool.h"
#include "base/rng.h"
#include "eval/bootstrap.h"
#include "eval/char_grams.h"
#include "eval/classify.h"
#include "eval/lcs.h"
#include "eval/exact_grams.h"
#include "eval/porter.h"
#include "text/points.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stems_equal_nltks(void **state)
{
    FILE *f = fopen("tests/golden/porter.txt", "r");
    char word[64], ending[64], want[128], got[64];
    unsigned cut;
    size_t n = 0;
    (void)state;
    assert_non_null(f);
    for (; fscanf(f, "%63s %u %63s", word, &cut, ending) == 3; n++) {
        size_t len = strlen(word), stem;
        snprintf(want, sizeof want, "%.*s%s", (int)(len - cut), word,
                 strcmp(ending, "-") == 0 ? "" : ending);
        memcpy(got, word, len);
        stem = ft_porter_stem(got, len);
        if (stem != strlen(want) || memcmp(got, want, stem) != 0)
            fail_msg("%s: the stem is %.*s, not %s", word, (int)stem, got, want);
    }
    fclose(f);
    assert_true(n > 10000);
}

static uint32_t draw(uint32_t what, size_t i, uint32_t n)
{
    return (uint32_t)ft_rng_below(11, FT_RNG_DATA, what, i, n);
}

/* How often the k symbols at p stand in s. */
static size_t occurrences(const uint32_t *p, const uint32_t *s, size_t n, size_t k)
{
    size_t found = 0;
    for (size_t i = 0; i + k <= n; i++)
        found += memcmp(p, s + i, k * sizeof *s) == 0;
    return found;
}

/* Clipped matches by looking everywhere: each place of s counts 1/occurrences of its n-gram. */
static double clipped(const uint32_t *s, size_t n, const uint32_t refs[2][80], const size_t m[2],
                      size_t k)
{
    double all = 0;
    for (size_t i = 0; i + k <= n; i++) {
        size_t here = occurrences(s + i, s, n, k), most = 0;
        for (size_t r = 0; r < 2; r++) {
            size_t there = occurrences(s + i, refs[r], m[r], k);
            most = there > most ? there : most;
        }
        all += (double)(most < here ? most : here) / (double)here;
    }
    return all;
}

static void matches_equal_brute_force(void **state)
{
    ft_exact_grams *g = NULL;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_exact_grams_new(&g, &e), 0);
    for (uint32_t round = 0; round < 400; round++) {
        uint32_t s[80], refs[2][80];
        size_t n = draw(round, 0, 80), m[2] = {draw(round, 1, 80), draw(round, 2, 80)};
        uint32_t alphabet = 1 + draw(round, 3, 12);
        double match[6];
        for (size_t i = 0; i < 80; i++) {
            s[i] = draw(round, 10 + i, alphabet);
            refs[0][i] = draw(round, 100 + i, alphabet);
            refs[1][i] = draw(round, 200 + i, alphabet);
        }
        assert_int_equal(ft_exact_grams_reset(g, round % 3 ? m[0] : 0, &e), 0);
        assert_int_equal(ft_exact_grams_add(g, refs[0], m[0], 6, &e), 0);
        assert_int_equal(ft_exact_grams_add(g, refs[1], m[1], 6, &e), 0);
        ft_exact_grams_match(g, s, n, 6, match);
        for (size_t k = 0; k < 6; k++)
            assert_true(fabs(match[k] - clipped(s, n, refs, m, k + 1)) < 1e-9);
    }
    ft_exact_grams_free(&g);
}

static void characters_match_as_ngrams_do(void **state)
{
    enum { MOST = 3000 };
    static uint32_t a[MOST], b[MOST];
    ft_char_grams *c = NULL;
    ft_exact_grams *g = NULL;
    ft_err e = {0};
    unsigned taken = 0;
    (void)state;
    assert_int_equal(ft_char_grams_new(&c, &e), 0);
    assert_int_equal(ft_exact_grams_new(&g, &e), 0);
    for (uint32_t round = 0; round < 300; round++) {
        static const uint32_t alphabets[] = {1, 2, 5, 30, 300, 900, 4000};
        uint32_t alphabet = alphabets[draw(round, 0, 7)];
        size_t longest = alphabet > 30 ? MOST : 90;
        size_t n = draw(round, 1, (uint32_t)longest), m = draw(round, 2, (uint32_t)longest);
        double fast[6], slow[6];
        int done;
        for (size_t i = 0; i < MOST; i++)
            a[i] = 0x40 + 7 * draw(round, 10 + i, alphabet);
        for (size_t i = 0; i < MOST; i++)
            b[i] = i % 9 ? a[(i + 3) % MOST] : 0x40 + 7 * draw(round, 5000 + i, alphabet);
        assert_int_equal(ft_char_grams_match(c, a, n, b, m, fast, &done, &e), 0);
        assert_true(done || alphabet > FT_CHAR_GRAM_ALPHABET);
        if (!done)
            continue;
        taken++;
        assert_int_equal(ft_exact_grams_reset(g, m, &e), 0);
        assert_int_equal(ft_exact_grams_add(g, b, m, 6, &e), 0);
        ft_exact_grams_match(g, a, n, 6, slow);
        assert_memory_equal(fast, slow, sizeof fast);
    }
    assert_true(taken > 200 && taken < 300);
    ft_char_grams_free(&c);
    ft_exact_grams_free(&g);
}

enum { LONG = 300 };

/* The classic table, and the walk back as ROUGE's reference program takes it. */
static size_t lcs_by_table(const uint32_t *a, size_t n, const uint32_t *b, size_t m,
                           uint8_t *marked)
{
    static size_t t[LONG + 1][LONG + 1];
    size_t i, j;
    for (i = 0; i <= n; i++)
        for (j = 0; j <= m; j++)
            t[i][j] = i == 0 || j == 0         ? 0
                      : a[i - 1] == b[j - 1]   ? t[i - 1][j - 1] + 1
                      : t[i - 1][j] > t[i][j - 1] ? t[i - 1][j]
                                                  : t[i][j - 1];
    for (i = n, j = m; i > 0 && j > 0;) {
        if (a[i - 1] == b[j - 1]) {
            marked[--i] = 1;
            j--;
        } else if (t[i][j - 1] > t[i - 1][j]) {
            j--;
        } else {
            i--;
        }
    }
    return t[n][m];
}

static void lcs_equals_the_table(void **state)
{
    ft_lcs *l = NULL;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_lcs_new(&l, &e), 0);
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t a[LONG], b[LONG], longest = round % 2 ? 70 : LONG;
        uint8_t want[LONG] = {0}, got[LONG] = {0};
        size_t n = draw(round, 0, longest), m = draw(round, 1, longest), length, table;
        uint32_t alphabet = 1 + draw(round, 2, round % 5 ? 20 : 3);
        for (size_t i = 0; i < LONG; i++) {
            a[i] = draw(round, 10 + i, alphabet);
            b[i] = draw(round, 1000 + i, alphabet);
        }
        table = lcs_by_table(a, n, b, m, want);
        assert_int_equal(ft_lcs_length(l, a, n, b, m, alphabet, &length, &e), 0);
        assert_int_equal(length, table);
        assert_int_equal(ft_lcs_mark(l, a, n, b, m, alphabet, got, &e), 0);
        assert_memory_equal(got, want, LONG);
    }
    ft_lcs_free(&l);
}

static void long_lines_are_refused(void **state)
{
    enum { MANY = 100000 };
    uint32_t *a = calloc(MANY, sizeof *a);
    uint8_t *marked = calloc(MANY, 1);
    ft_lcs *l = NULL;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_lcs_new(&l, &e), 0);
    assert_int_equal(ft_lcs_mark(l, a, MANY, a, MANY, 1, marked, &e), FT_ERR_NOMEM);
    assert_non_null(strstr(e.text, "1 GiB"));
    ft_lcs_free(&l);
    free(a);
    free(marked);
}

/* ---- intervals ---- */

/* The sum of twelve uniform numbers less six: mean 0, variance 1. */
static double normal(uint32_t step, uint64_t index)
{
    double sum = -6;
    for (uint64_t k = 0; k < 12; k++)
        sum += (double)ft_rng_float(5, FT_RNG_DATA, step, index * 12 + k);
    return sum;
}

static void mean(const void *ctx, const double *sums, double *scores)
{
    (void)ctx;
    scores[0] = sums[1] / sums[0];
}

/* Draws samples of 80 groups of 5 whose members share a part of their value, and counts
 * intervals that hold the true mean, 0. together: groups are drawn, not examples. */
static double coverage(unsigned samples, int together)
{
    ft_pool *pool = NULL;
    ft_err e = {0};
    unsigned holds = 0;
    assert_int_equal(ft_pool_new(&pool, 0, &e), 0);
    for (uint32_t s = 0; s < samples; s++) {
        ft_units *u = NULL;
        double interval[1][2], *unit;
        assert_int_equal(ft_units_new(&u, 2, &e), 0);
        for (uint64_t i = 0; i < 400; i++) {
            uint64_t group = i / 5;
            double row[2] = {1, normal(s, group) + normal(s, 1000 + i)};
            assert_int_equal(together ? ft_units_add_to(u, &group, sizeof group, row, &unit, &e)
                                      : ft_units_add(u, row, &unit, &e), 0);
        }
        assert_int_equal(ft_units_count(u), together ? 80 : 400);
        assert_int_equal(ft_bootstrap(u, 400, s, mean, NULL, 1, pool, interval, &e), 0);
        holds += interval[0][0] <= 0 && 0 <= interval[0][1];
        ft_units_free(&u);
    }
    ft_pool_free(&pool);
    return (double)holds / samples;
}

/* 1,000 samples know a coverage of 0.95 to 0.007. */
static void intervals_hold_the_truth(void **state)
{
    unsigned samples = getenv("FT_SOAK") ? 20000 : 1000;
    double grouped = coverage(samples, 1), single = coverage(samples, 0);
    (void)state;
    print_message("coverage: %.3f by group, %.3f by example\n", grouped, single);
    assert_true(grouped >= 0.93 && grouped <= 0.97);
    assert_true(single < 0.85);                  /* what the groups are for */
}

/* Over 4,096 units neighbours are merged; nothing is lost, and the interval stays as wide. */
static void many_examples_take_bounded_room(void **state)
{
    ft_pool *pool = NULL;
    ft_units *u = NULL;
    ft_err e = {0};
    double total[2] = {0, 0}, squares = 0, interval[1][2], *unit, width;
    size_t n = 100000;
    (void)state;
    assert_int_equal(ft_pool_new(&pool, 1, &e), 0);
    assert_int_equal(ft_units_new(&u, 2, &e), 0);
    for (size_t i = 0; i < n; i++) {
        double row[2] = {1, normal(77, i)};
        squares += row[1] * row[1];
        assert_int_equal(ft_units_add(u, row, &unit, &e), 0);
    }
    assert_true(ft_units_count(u) <= FT_UNITS_MAX && ft_units_count(u) > FT_UNITS_MAX / 2);
    for (size_t i = 0; i < ft_units_count(u); i++)
        for (size_t k = 0; k < 2; k++)
            total[k] += ft_units_sums(u, i)[k];
    assert_true(total[0] == (double)n);
    assert_int_equal(ft_bootstrap(u, 2000, 1, mean, NULL, 1, pool, interval, &e), 0);
    width = 2 * 1.96 * sqrt(squares / (double)n / (double)n);
    assert_true(fabs(interval[0][1] - interval[0][0] - width) < 0.12 * width);
    ft_units_free(&u);
    ft_pool_free(&pool);
}

/* Groups beyond 4,096 share units, and sums that were added later survive. */
static void many_groups_share_units(void **state)
{
    ft_units *u = NULL;
    ft_err e = {0};
    double *unit, row[1] = {1}, total[2] = {0, 0};
    (void)state;
    assert_int_equal(ft_units_new(&u, 1, &e), 0);
    for (uint32_t i = 0; i < 30000; i++) {
        uint32_t group = i % 10000;
        if (i == 5000)
            assert_int_equal(ft_units_widen(u, 2, &e), 0);
        assert_int_equal(ft_units_add_to(u, &group, sizeof group, row, &unit, &e), 0);
        if (i >= 5000)
            unit[1] += 2;
    }
    assert_int_equal(ft_units_count(u), FT_UNITS_MAX);
    for (size_t i = 0; i < FT_UNITS_MAX; i++)
        for (size_t k = 0; k < 2; k++)
            total[k] += ft_units_sums(u, i)[k];
    assert_true(total[0] == 30000 && total[1] == 50000);
    ft_units_free(&u);
}

/* ---- the rest ---- */

/* Worked by hand: of 6 rows, reference a a a b b c, predicted a a b b b a. */
static void labels_by_hand(void **state)
{
    double counts[9] = {2, 3, 3, 2, 3, 2, 0, 0, 1};
    ft_classified m;
    (void)state;
    ft_classify(counts, 3, 6, &m);
    assert_true(fabs(m.accuracy - 4.0 / 6) < 1e-15 && m.micro_f1 == m.accuracy);
    assert_true(fabs(m.macro_f1 - (4.0 / 6 + 4.0 / 5 + 0) / 3) < 1e-15);
    /* (4*6 - (9 + 6 + 0)) / sqrt((36 - 18) (36 - 14)) */
    assert_true(fabs(m.mcc - 9 / sqrt(18.0 * 22)) < 1e-15);
}

static void bytes_that_are_no_text_stay(void **state)
{
    static const uint8_t bad[] = {0xff, 'A', 0xc3, 0xe2, 0x82, 'B', 0xf0, 0x9f};
    static const uint8_t want[] = {0xff, 'a', 0xc3, 0xe2, 0x82, 'b', 0xf0, 0x9f};
    ft_points t = {0};
    ft_buf b = {0};
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_lower(bad, sizeof bad, &t, &b, &e), 0);
    assert_int_equal(b.n, sizeof want);
    assert_memory_equal(b.p, want, sizeof want);
    ft_buf_free(&b);
    ft_points_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stems_equal_nltks),
        cmocka_unit_test(matches_equal_brute_force),
        cmocka_unit_test(characters_match_as_ngrams_do),
        cmocka_unit_test(lcs_equals_the_table),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(many_examples_take_bounded_room),
        cmocka_unit_test(many_groups_share_units),
        cmocka_unit_test(labels_by_hand),
        cmocka_unit_test(bytes_that_are_no_text_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
