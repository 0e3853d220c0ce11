/* eval_coverage.c: what a 95 % interval promises, by simulation: of 2,000 seeded data sets whose
 * truth is known, the intervals of 93 to 97 % hold it: right or wrong answers, alone and in
 * clusters, one system and two on the same examples, and losses that count by their targets. 2,000
 * know a coverage of 0.95 to 0.005. Intervals that ignore the clusters must fail, or nothing was
 * tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "eval/bootstrap.h"
#include "eval/compare.h"

#include <math.h>
#include <stdlib.h>

enum { SETS = 2000, GROUPS = 80, EACH = 3, ROWS = GROUPS * EACH };

static ft_err e;
static double a[ROWS], b[ROWS], weight[ROWS];
static uint32_t cluster[ROWS];

static double uniform(uint32_t set, uint64_t i)
{
    return ((double)(ft_rng_u64(21, FT_RNG_DATA, set, i) >> 11) + 0.5) * 0x1p-53;
}

static double gauss(uint32_t set, uint64_t i)
{
    return sqrt(-2 * log(uniform(set, 2 * i))) * cos(6.283185307179586 * uniform(set, 2 * i + 1));
}

static ft_pool *pool_of(void)
{
    ft_pool *p = NULL;
    assert_int_equal(ft_pool_new(&p, 0, &e), 0);
    return p;
}

static void assert_covers(const char *what, size_t held)
{
    double share = (double)held / SETS;
    print_message("# %s: %.3f\n", what, share);
    if (!(share >= 0.93 && share <= 0.97))
        fail_msg("%s: %.3f of the intervals hold the truth", what, share);
}

/* Right answers of two systems: b is right with probability pb where a is, qb where it is not.
 * In clusters, half of which are hard: a is right with probability 0.2 there, 0.8 elsewhere. */
static void draw_answers(uint32_t set, int clustered)
{
    for (size_t i = 0; i < ROWS; i++) {
        int hard = uniform(set, 4 * ROWS + i / EACH) < 0.5;
        double pa = !clustered ? 0.5 : hard ? 0.2 : 0.8;
        a[i] = uniform(set, i) < pa;
        b[i] = uniform(set, ROWS + i) < (a[i] > 0 ? 0.9 : clustered && hard ? 0.1 : 0.3);
        cluster[i] = (uint32_t)(i / EACH);
    }
}

static const double right_a = 0.5, right_b = 0.9 * 0.5 + 0.3 * 0.5;
/* Hard: 0.2 * 0.9 + 0.8 * 0.1; easy: 0.8 * 0.9 + 0.2 * 0.3. */
static const double right_b_clustered = (0.26 + 0.78) / 2;

static void accuracy(const void *ctx, const double *sums, double *scores)
{
    (void)ctx;
    scores[0] = sums[1] / sums[0];
}

static size_t bootstrap_held(int clustered, int together)
{
    ft_pool *pool = pool_of();
    size_t held = 0;
    for (uint32_t set = 0; set < SETS; set++) {
        ft_units *u = NULL;
        double interval[1][2], *unit;
        draw_answers(set, clustered);
        assert_int_equal(ft_units_new(&u, 2, &e), 0);
        for (size_t i = 0; i < ROWS; i++) {
            double row[2] = {1, a[i]};
            assert_int_equal(together ? ft_units_add_to(u, &cluster[i], 4, row, &unit, &e)
                                      : ft_units_add(u, row, &unit, &e), 0);
        }
        assert_int_equal(ft_bootstrap(u, 240, set, accuracy, NULL, 1, pool, interval, &e), 0);
        held += interval[0][0] <= right_a && right_a <= interval[0][1];
        ft_units_free(&u);
    }
    ft_pool_free(&pool);
    return held;
}

static void test_bootstrap(void **state)
{
    size_t naive;
    (void)state;
    assert_covers("accuracy, examples drawn", bootstrap_held(0, 0));
    assert_covers("accuracy in clusters, drawn", bootstrap_held(1, 1));
    naive = bootstrap_held(1, 0);
    assert_true(naive < SETS * 0.90);
}

typedef struct held {
    size_t difference, bootstrap, wilson_a, wilson_b, rows;
} held;

static size_t within(double low, double truth, double high)
{
    return low <= truth && truth <= high;
}

static held compare_held(int clustered)
{
    ft_pool *pool = pool_of();
    double b_true = clustered ? right_b_clustered : right_b, truth = b_true - right_a;
    held h = {0};
    for (uint32_t set = 0; set < SETS; set++) {
        ft_compare_options o = {0.05, 0.8, clustered ? 400 : 240, 100, set};
        ft_pairs p = {ROWS, a, b, NULL, clustered ? cluster : NULL, 0};
        ft_comparison r;
        draw_answers(set, clustered);
        assert_int_equal(ft_compare(&p, &o, pool, &r, &e), 0);
        h.difference += within(r.difference.low, truth, r.difference.high);
        h.bootstrap += within(r.bootstrap.low, truth, r.bootstrap.high);
        h.wilson_a += within(r.a_low, right_a, r.a_high);
        h.wilson_b += within(r.b_low, b_true, r.b_high);
        h.rows += fabs(r.difference.mean - truth) <= 1.96 * r.difference.se_rows;
    }
    ft_pool_free(&pool);
    return h;
}

static void test_compare(void **state)
{
    held h = compare_held(0);
    (void)state;
    assert_covers("difference of accuracies", h.difference);
    assert_covers("difference, bootstrap", h.bootstrap);
    assert_covers("Wilson's of one system", h.wilson_a);
    assert_covers("Wilson's of the other", h.wilson_b);
    h = compare_held(1);
    assert_covers("difference in clusters", h.difference);
    assert_covers("difference in clusters, bootstrap", h.bootstrap);
}

/* Losses that count by their targets, of texts in documents of very different length: what is
 * estimated is the mean over targets, 2 and 2.3, since lengths say nothing about losses. */
static void test_losses(void **state)
{
    ft_pool *pool = pool_of();
    size_t difference = 0, rows = 0;
    (void)state;
    for (uint32_t set = 0; set < SETS; set++) {
        ft_compare_options o = {0.05, 0.8, 100, 100, set};
        ft_pairs p = {ROWS, a, b, weight, cluster, 0};
        ft_comparison r;
        for (size_t i = 0; i < ROWS; i++) {
            double document = gauss(set, i / EACH);
            cluster[i] = (uint32_t)(i / EACH);
            weight[i] = 1 + floor(30 * uniform(set, 9 * ROWS + i) * (1 + (double)(i / EACH % 4)));
            a[i] = 2 + 0.3 * document + 0.4 * gauss(set, ROWS + i);
            b[i] = a[i] + 0.3 + 0.2 * gauss(set, 2 * ROWS + i / EACH) +
                   0.2 * gauss(set, 3 * ROWS + i);
        }
        assert_int_equal(ft_compare(&p, &o, pool, &r, &e), 0);
        difference += within(r.difference.low, 0.3, r.difference.high);
        rows += fabs(r.difference.mean - 0.3) <= 1.96 * r.difference.se_rows;
    }
    ft_pool_free(&pool);
    assert_covers("difference of losses by targets", difference);
    assert_true(rows < SETS * 0.90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bootstrap),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
