/* data_confident.c: confident learning against what cleanlab found (tests/golden/make_label.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "data/confident.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct set {
    unsigned long long seed;
    size_t n, K, present;
    unsigned skew, noise, boost;
    double *p;
    uint32_t *given;
} set;

static uint64_t splitmix(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* As make() in make_label.py. */
static void make_row(set *s, size_t i, const uint64_t *shares, uint64_t all)
{
    uint64_t at = i * (s->K + 8), pick = splitmix(s->seed, at) % all, sum = 0;
    uint64_t weights[64];
    size_t true_class = 0;
    while (pick >= shares[true_class])
        pick -= shares[true_class++];
    s->given[i] = (uint32_t)true_class;
    if (splitmix(s->seed, at + 1) % 1000 < s->noise)
        s->given[i] = (uint32_t)(splitmix(s->seed, at + 2) % s->present);
    for (size_t k = 0; k < s->K; k++)
        weights[k] = splitmix(s->seed, at + 8 + k) % (1u << 20) + 1;
    weights[true_class] += splitmix(s->seed, at + 3) % ((uint64_t)s->boost << 20);
    for (size_t k = 0; k < s->K; k++)
        sum += weights[k];
    for (size_t k = 0; k < s->K; k++)
        s->p[i * s->K + k] = (double)weights[k] / (double)sum;
}

static void make_set(set *s)
{
    uint64_t shares[64], all = 0, power = 1;
    assert_true(s->K <= 64 && s->present <= s->K);
    s->p = calloc(s->n * s->K, sizeof *s->p);
    s->given = calloc(s->n, sizeof *s->given);
    assert_non_null(s->p);
    assert_non_null(s->given);
    for (size_t k = 0; k < s->present; k++, power *= s->skew) {
        shares[k] = 1000 / power ? 1000 / power : 1;
        all += shares[k];
    }
    for (size_t i = 0; i < s->n; i++)
        make_row(s, i, shares, all);
}

/* Compares with the rows in the rest of the line. */
static void compare(const set *s, enum ft_rank rank, const char *line)
{
    char *end;
    size_t n = strtoul(line, &end, 10);
    ft_confident found;
    ft_err e = {0};
    assert_int_equal(ft_confident_find(s->p, s->given, s->n, s->K, rank, &found, &e), 0);
    assert_int_equal(found.n, n);
    for (size_t i = 0; i < n; i++) {
        const double *p = s->p + found.rows[i] * s->K;
        assert_int_equal(found.rows[i], strtoul(end, &end, 10));
        assert_true(i == 0 || found.scores[i] >= found.scores[i - 1]);
        if (rank == FT_RANK_SELF)
            assert_true(found.scores[i] == p[s->given[found.rows[i]]]);
    }
    ft_confident_free(&found);
    assert_null(found.rows);
}

static void test_golden(void **state)
{
    static char line[1 << 16];
    FILE *f = fopen("tests/golden/label.txt", "r");
    set s = {0};
    size_t compared = 0;
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "set ", 4) == 0) {
            free(s.p);
            free(s.given);
            assert_int_equal(sscanf(line, "set %llu %zu %zu %zu %u %u %u", &s.seed, &s.n, &s.K,
                                    &s.present, &s.skew, &s.noise, &s.boost), 7);
            make_set(&s);
        } else if (strncmp(line, "margin ", 7) == 0) {
            compare(&s, FT_RANK_MARGIN, line + 7);
            compared++;
        } else if (strncmp(line, "self ", 5) == 0) {
            compare(&s, FT_RANK_SELF, line + 5);
            compared++;
        }
    }
    fclose(f);
    free(s.p);
    free(s.given);
    assert_int_equal(compared, 12);
}

static void test_refusals(void **state)
{
    double p[] = {0.5, 0.5, 0.25, 0.75}, bad[] = {NAN, -0.1, 1.5, INFINITY};
    uint32_t given[] = {0, 1}, outside[] = {0, 2};
    ft_confident found;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_confident_find(p, given, 0, 2, FT_RANK_SELF, &found, &e), 0);
    assert_int_equal(found.n, 0);
    ft_confident_free(&found);
    assert_int_equal(ft_confident_find(p, given, 2, 1, FT_RANK_SELF, &found, &e), FT_ERR_USAGE);
    assert_int_equal(ft_confident_find(p, outside, 2, 2, FT_RANK_SELF, &found, &e), FT_ERR_USAGE);
    for (size_t i = 0; i < 4; i++) {
        p[3] = bad[i];
        assert_int_equal(ft_confident_find(p, given, 2, 2, FT_RANK_SELF, &found, &e), FT_ERR_DATA);
        assert_non_null(strstr(e.text, "row 1, class 1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
