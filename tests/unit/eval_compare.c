/* eval_compare.c: comparisons of systems: against scipy and numpy (tests/golden/make_compare.py),
 * against all swaps and all resamples of small cases, and by what they promise of many samples:
 * that intervals cover, that false alarms are rare, that a difference of the detectable size is
 * found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "eval/binomial.h"
#include "eval/compare.h"
#include "eval/distributions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 64 };

/* A bound that NaN does not pass. */
static void assert_near(double got, double want, double relative, const char *what)
{
    if (fabs(got - want) <= relative * fabs(want) + 1e-15 || got == want)
        return;
    fail_msg("%s: got %.17g, expected %.17g", what, got, want);
}

/* ---- against the golden file ---- */

static ft_pool *one_thread(void)
{
    static ft_pool *pool;
    if (!pool)
        assert_int_equal(ft_pool_new(&pool, 1, NULL), 0);
    return pool;
}

static double number(FILE *f)
{
    double v = 0;
    assert_int_equal(fscanf(f, "%lf", &v), 1);
    return v;
}

static void check_function(FILE *f, const char *word)
{
    double x[3] = {0}, want[2], low, high;
    size_t n = strcmp(word, "normal") == 0 ? 1
               : strcmp(word, "beta") == 0 || strcmp(word, "wilson") == 0 ? 3 : 2;
    for (size_t i = 0; i < n; i++)
        x[i] = number(f);
    want[0] = number(f);
    if (strcmp(word, "normal") == 0)
        assert_near(ft_normal_quantile(x[0]), want[0], 1e-12, word);
    else if (strcmp(word, "quantile") == 0)
        assert_near(ft_t_quantile(x[0], x[1]), want[0], 1e-9, word);
    else if (strcmp(word, "t") == 0)
        assert_near(ft_t_two_sided(x[0], x[1]), want[0], 1e-9, word);
    else if (strcmp(word, "beta") == 0)
        assert_near(ft_beta_regular(x[0], x[1], x[2], 1 - x[2]), want[0], 5e-12, word);
    else if (strcmp(word, "mcnemar") == 0)
        assert_near(ft_mcnemar((size_t)x[0], (size_t)x[1]), want[0], 1e-11, word);
    else if (strcmp(word, "wilson") == 0) {
        want[1] = number(f);
        ft_wilson((size_t)x[0], (size_t)x[1], x[2], &low, &high);
        assert_true(fabs(low - want[0]) <= 1e-12 && fabs(high - want[1]) <= 1e-12);
    } else {
        fail_msg("%s is not known", word);
    }
}

static void check_holm(FILE *f)
{
    double p[ROWS], got[ROWS];
    size_t n = (size_t)number(f);
    assert_true(n <= ROWS);
    for (size_t i = 0; i < n; i++)
        p[i] = number(f);
    ft_holm(p, n, got);
    for (size_t i = 0; i < n; i++)
        assert_near(got[i], number(f), 1e-14, "holm");
}

static void check_rows(FILE *f)
{
    double a[ROWS], b[ROWS], w[ROWS];
    uint32_t cluster[ROWS];
    size_t n = (size_t)number(f);
    int weighted = (int)number(f);
    ft_pairs pairs = {n, a, b, weighted ? w : NULL, cluster, 0};
    ft_comparison r;
    assert_true(n <= ROWS);
    for (size_t i = 0; i < n; i++) {
        a[i] = number(f);
        b[i] = number(f);
        w[i] = number(f);
        cluster[i] = (uint32_t)number(f);
    }
    assert_int_equal(fscanf(f, " expect"), 0);
    assert_int_equal(ft_compare(&pairs, &ft_compare_usual, one_thread(), &r, NULL), 0);
    assert_near(r.difference.mean, number(f), 1e-11, "mean");
    assert_near(r.difference.se, number(f), 1e-11, "se");
    assert_near(r.difference.se_rows, number(f), 1e-11, "se_rows");
    assert_near(r.difference.low, number(f), 1e-9, "low");
    assert_near(r.difference.high, number(f), 1e-9, "high");
    assert_near(r.t_p, number(f), 1e-9, "t_p");
    assert_near(r.detectable, number(f), 1e-9, "detectable");
    assert_near(r.effect_size, number(f), 1e-11, "effect size");
    assert_int_equal(r.difference.clusters, (size_t)number(f));
}

static void test_golden(void **state)
{
    FILE *f = fopen("tests/golden/compare.txt", "r");
    char word[32];
    size_t n = 0, tables = 0;
    (void)state;
    assert_non_null(f);
    for (; fscanf(f, "%31s", word) == 1; n++) {
        if (strcmp(word, "holm") == 0)
            check_holm(f);
        else if (strcmp(word, "rows") != 0)
            check_function(f, word);
        else {
            check_rows(f);
            tables++;
        }
    }
    fclose(f);
    assert_int_equal(n, 110);
    assert_int_equal(tables, 5);
}

/* ---- against everything that can be drawn ---- */

static double uniform(uint32_t step, uint64_t i)
{
    return ((double)(ft_rng_u64(11, FT_RNG_DATA, 100 + step, i) >> 11) + 0.5) * 0x1p-53;
}

static double gauss(uint32_t step, uint64_t i)
{
    return sqrt(-2 * log(uniform(step, 2 * i))) * cos(6.283185307179586 * uniform(step, 2 * i + 1));
}

/* The share of all 2^n swaps that give as much, by adding what is swapped twice. */
static double all_swaps(const double *s, size_t n)
{
    double observed = 0, beyond = 0;
    for (size_t i = 0; i < n; i++)
        observed += s[i];
    for (uint32_t set = 0; set < 1u << n; set++) {
        double sum = observed;
        for (size_t i = 0; i < n; i++)
            if (set >> i & 1)
                sum -= 2 * s[i];
        beyond += fabs(sum) > fabs(observed) - 1e-9;
    }
    return beyond / (double)(1u << n);
}

static void test_all_swaps(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 40; round++) {
        double s[12], w[12], p;
        size_t n = 1 + round % 12;
        ft_clusters c = {n, s, w};
        ft_randomised r;
        for (size_t i = 0; i < n; i++) {
            /* Small whole numbers have many ties, 0 among them. */
            s[i] = round % 2 ? gauss(round, i) + 0.5 : floor(4 * uniform(round, i)) - 1;
            w[i] = 1 + (double)(i % 3);
        }
        p = all_swaps(s, n);
        assert_int_equal(ft_randomise(&c, 4096, 3, one_thread(), &r, NULL), 0);
        assert_true(r.exact);
        assert_near(r.p, p, 1e-12, "all swaps");
        if (n < 12 || round % 2 == 0)
            continue;
        assert_int_equal(ft_randomise(&c, 4095, 3, one_thread(), &r, NULL), 0);
        assert_false(r.exact);
        assert_int_equal(r.swaps, 4095);
        assert_true(fabs(r.p - p) <= 4 * sqrt(p * (1 - p) / 4095) + 1.0 / 4095);
    }
}

/* With 0 and 1 and no groups randomisation is McNemar's test; strictly larger ones alone would give
 * 1/10001 here. */
static void test_few_values(void **state)
{
    double s[5] = {1, 1, 1, 1, 1}, w[5] = {1, 1, 1, 1, 1};
    ft_clusters c = {5, s, w};
    ft_randomised r;
    (void)state;
    assert_int_equal(ft_randomise(&c, 10000, 1, one_thread(), &r, NULL), 0);
    assert_near(r.p, 2.0 / 32, 1e-12, "five gains");
    s[0] = -1;
    assert_int_equal(ft_randomise(&c, 10000, 1, one_thread(), &r, NULL), 0);
    assert_near(r.p, ft_mcnemar(4, 1), 1e-12, "four gains and a loss");
    memset(s, 0, sizeof s);
    assert_int_equal(ft_randomise(&c, 10000, 1, one_thread(), &r, NULL), 0);
    assert_near(r.p, 1, 0, "no difference");
}

/* All 5^5 resamples of five clusters: p by its definition, and the ends' probabilities. */
static void test_all_resamples(void **state)
{
    enum { N = 5, ALL = 3125, DRAWN = 40000 };
    static double drawn[ALL];
    double s[N], w[N], sum = 0, weight = 0, mean = 0, p = 0, below = 0, above = 0;
    ft_clusters c = {N, s, w};
    ft_resampled r;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        s[i] = gauss(50, i) + 0.4;
        w[i] = 1 + floor(5 * uniform(51, i));
        sum += s[i];
        weight += w[i];
    }
    for (size_t k = 0; k < ALL; k++) {
        double x = 0, y = 0;
        for (size_t i = 0, rest = k; i < N; i++, rest /= N) {
            x += s[rest % N];
            y += w[rest % N];
        }
        drawn[k] = x / y;
        mean += drawn[k] / ALL;
    }
    assert_int_equal(ft_bootstrap_pairs(&c, DRAWN, 0.1, 9, one_thread(), &r, NULL), 0);
    for (size_t k = 0; k < ALL; k++) {
        p += (fabs(drawn[k] - mean) >= fabs(sum / weight)) / (double)ALL;
        below += (drawn[k] < r.low - 1e-12) / (double)ALL;
        above += (drawn[k] > r.high + 1e-12) / (double)ALL;
    }
    assert_true(p > 0.02 && p < 0.98);
    assert_true(fabs(r.p - p) <= 4 * sqrt(p * (1 - p) / DRAWN) + 2.0 / ALL);
    assert_true(below > 0.04 && below <= 0.055 && above > 0.04 && above <= 0.055);
}

/* ---- what they promise ---- */

typedef struct promise {
    size_t covered, naive, t, swaps, bootstrap, found;
} promise;

/* One sample of 2 to 6 rows in each of G clusters, which share a part of their difference. */
static void sample(uint32_t round, size_t groups, double shift, ft_comparison *r)
{
    enum { MOST = 6 * 40 };
    static double a[MOST], b[MOST];
    static uint32_t cluster[MOST];
    size_t n = 0;
    ft_compare_options o = {0.05, 0.8, 199, 199, round};
    ft_pairs pairs = {0, a, b, NULL, cluster, 0};
    for (size_t g = 0; g < groups; g++)
        for (size_t i = 0; i < 2 + g % 5; i++, n++) {
            a[n] = gauss(1000 + 3 * round, n);
            b[n] = a[n] + shift + 0.6 * gauss(1001 + 3 * round, g) + gauss(1002 + 3 * round, n);
            cluster[n] = (uint32_t)g;
        }
    pairs.n = n;
    assert_int_equal(ft_compare(&pairs, &o, one_thread(), r, NULL), 0);
}

static void test_promises(void **state)
{
    enum { TIMES = 1200, GROUPS = 40 };
    promise k = {0};
    double detectable = 0;
    ft_comparison r;
    (void)state;
    for (uint32_t i = 0; i < TIMES; i++) {
        double naive;
        sample(i, GROUPS, 0, &r);
        naive = 1.96 * r.difference.se_rows;
        k.covered += r.difference.low <= 0 && r.difference.high >= 0;
        k.naive += fabs(r.difference.mean) <= naive;
        k.t += r.t_p <= 0.05;
        k.swaps += r.swaps.p <= 0.05;
        k.bootstrap += r.bootstrap.p <= 0.05;
        detectable += r.detectable / TIMES;
    }
    for (uint32_t i = 0; i < TIMES; i++) {
        sample(TIMES + i, GROUPS, detectable, &r);
        k.found += r.t_p <= 0.05;
    }
    print_message("# covered %zu, naive %zu, false alarms %zu %zu %zu, found %zu of %d\n",
                  k.covered, k.naive, k.t, k.swaps, k.bootstrap, k.found, TIMES);
    assert_in_range(k.covered, TIMES * 0.93, TIMES * 0.97);
    assert_in_range(k.t, TIMES * 0.03, TIMES * 0.07);
    assert_in_range(k.swaps, TIMES * 0.03, TIMES * 0.07);
    assert_in_range(k.bootstrap, TIMES * 0.03, TIMES * 0.07);
    assert_in_range(k.found, TIMES * 0.77, TIMES * 0.84);
    assert_true(k.naive < TIMES * 0.90);     /* what the clusters are for */
}

/* ---- the rest ---- */

static void test_same_for_any_pool(void **state)
{
    double a[ROWS], b[ROWS];
    ft_pairs pairs = {ROWS, a, b, NULL, NULL, 1};
    ft_comparison one, four, other;
    ft_compare_options o = ft_compare_usual;
    ft_pool *pool = NULL;
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        a[i] = gauss(90, i);
        b[i] = i % 4 ? a[i] - gauss(91, i) : a[i];
    }
    assert_int_equal(ft_pool_new(&pool, 4, NULL), 0);
    memset(&one, 0, sizeof one);
    memset(&four, 0, sizeof four);
    assert_int_equal(ft_compare(&pairs, &o, one_thread(), &one, NULL), 0);
    assert_int_equal(ft_compare(&pairs, &o, pool, &four, NULL), 0);
    assert_true(one.swaps.p == four.swaps.p && one.bootstrap.p == four.bootstrap.p);
    assert_true(one.bootstrap.low == four.bootstrap.low);
    assert_true(one.bootstrap.high == four.bootstrap.high);
    o.seed++;
    assert_int_equal(ft_compare(&pairs, &o, pool, &other, NULL), 0);
    assert_true(other.bootstrap.low != one.bootstrap.low);
    assert_int_equal(one.ties, 16);
    assert_int_equal(one.wins + one.losses, ROWS - 16);
    for (size_t i = 0; i < ROWS; i++)
        one.wins -= b[i] < a[i];                  /* lower is better */
    assert_int_equal(one.wins, 0);
    assert_false(one.binary);
    ft_pool_free(&pool);
}

static void test_small_cases(void **state)
{
    double a[] = {0, 0, 1}, b[] = {1, 1, 1};
    uint32_t together[] = {7, 7, 7};
    ft_pairs pairs = {1, a, b, NULL, NULL, 0};
    ft_comparison r;
    (void)state;
    assert_int_equal(ft_compare(&pairs, &ft_compare_usual, one_thread(), &r, NULL), 0);
    assert_true(isnan(r.difference.se) && isnan(r.t_p) && isnan(r.bootstrap.p));
    assert_true(isnan(r.difference.low) && isnan(r.detectable) && r.swaps.p == 1);
    assert_true(r.binary && r.wins == 1);
    pairs.n = 2;                                  /* the same difference twice */
    assert_int_equal(ft_compare(&pairs, &ft_compare_usual, one_thread(), &r, NULL), 0);
    assert_true(r.difference.se == 0 && isnan(r.detectable) && isnan(r.effect_size));
    assert_near(r.swaps.p, 0.5, 1e-12, "two of two");
    pairs.n = 3;
    pairs.cluster = together;
    assert_int_equal(ft_compare(&pairs, &ft_compare_usual, one_thread(), &r, NULL), 0);
    assert_int_equal(r.difference.clusters, 1);
    assert_true(isnan(r.difference.se) && !isnan(r.difference.se_rows) && r.swaps.p == 1);
    pairs.b = a;
    pairs.cluster = NULL;
    assert_int_equal(ft_compare(&pairs, &ft_compare_usual, one_thread(), &r, NULL), 0);
    assert_true(r.ties == 3 && r.t_p == 1 && r.swaps.p == 1 && r.bootstrap.p == 1);
    assert_true(r.mcnemar_p == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_all_swaps),
        cmocka_unit_test(test_few_values),
        cmocka_unit_test(test_all_resamples),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_same_for_any_pool),
        cmocka_unit_test(test_small_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
