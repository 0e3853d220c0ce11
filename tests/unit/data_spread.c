/* data_spread.c: counted keys and tallies against plain counting, also when they spill or forget;
 * k-means, neighbours and evenness against their definitions; eigenvalues and Vendi scores against
 * numpy (tests/golden/make_vendi.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/multiset.h"
#include "data/spread.h"
#include "data/tally.h"
#include "data/text_points.h"
#include "data/ngrams.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ft_err e;

static uint64_t mix(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static float *points(uint64_t seed, size_t n, size_t d, double pull)
{
    float *x = malloc(n * d * sizeof *x);
    for (size_t i = 0; i < n * d; i++)
        x[i] = (float)((double)(mix(seed, i) >> 44) / (1 << 19) - 1 + pull);
    return x;
}

static ft_pool *pool_of(unsigned threads)
{
    ft_pool *p = NULL;
    assert_int_equal(ft_pool_new(&p, threads, &e), 0);
    return p;
}

/* ---- counted keys ---- */

typedef struct pair {
    uint64_t key;
    uint32_t row;
} pair;

static int by_pair(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Draws n keys below `range`, in rows of 50, into a multiset of `bytes` and into pairs. */
static ft_multiset *fill(uint64_t seed, size_t n, uint64_t range, uint64_t bytes, pair *plain)
{
    ft_multiset *m = NULL;
    assert_int_equal(ft_multiset_new(&m, bytes, &e), 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t key = mix(seed, i) % range * (range > 1u << 20 ? 0x9e3779b97f4a7c15u : 1);
        plain[i] = (pair){key, (uint32_t)(i / 50)};
        assert_int_equal(ft_multiset_add(m, key, plain[i].row, &e), 0);
    }
    qsort(plain, n, sizeof *plain, by_pair);
    return m;
}

static void check_walk(ft_multiset *m, const pair *plain, size_t n)
{
    ft_counted c;
    size_t i = 0;
    assert_int_equal(ft_multiset_begin(m, &e), 0);
    while (i < n) {
        size_t same = 1;
        while (i + same < n && by_pair(&plain[i], &plain[i + same]) == 0)
            same++;
        assert_int_equal(ft_multiset_next(m, &c, &e), 0);
        assert_true(c.key == plain[i].key && c.row == plain[i].row && c.count == same);
        i += same;
    }
    assert_int_equal(ft_multiset_next(m, &c, &e), FT_EOS);
}

static void check_summary(ft_multiset *m, const pair *plain, size_t n)
{
    ft_multiset_summary s;
    static const double percent[] = {0, 10, 50, 99.9, 100};
    uint64_t got[5], distinct = 0, most = 0;
    double entropy = 0;
    for (size_t i = 0, same; i < n; i += same) {
        for (same = 1; i + same < n && plain[i + same].key == plain[i].key;)
            same++;
        distinct++;
        most = same > most ? same : most;
        entropy -= (double)same / (double)n * log2((double)same / (double)n);
    }
    assert_int_equal(ft_multiset_sum(m, &s, &e), 0);
    assert_int_equal(s.total, n);
    assert_int_equal(s.distinct, distinct);
    assert_int_equal(s.most, most);
    assert_true(fabs(s.entropy - entropy) <= 1e-9);
    assert_int_equal(ft_multiset_percentiles(m, percent, 5, got, &e), 0);
    for (size_t i = 0; i < 5; i++) {
        size_t rank = (size_t)ceil(percent[i] / 100 * (double)n);
        assert_true(got[i] == plain[rank > 0 ? rank - 1 : 0].key);
    }
}

static void test_multiset(void **state)
{
    static const struct { size_t n; uint64_t range, bytes; } cases[] = {
        {1, 10, 1}, {500, 3, 1}, {60000, 40, 1}, {60000, 5000, 1}, {60000, 1u << 30, 1},
        {60000, 1u << 30, 1 << 20}, {60000, 1u << 30, 64 << 20}};
    pair *plain = malloc(60000 * sizeof *plain);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ft_multiset *m = fill(i, cases[i].n, cases[i].range, cases[i].bytes, plain);
        check_walk(m, plain, cases[i].n);
        check_walk(m, plain, cases[i].n);
        check_summary(m, plain, cases[i].n);
        assert_true(ft_multiset_add(m, 1, 0, &e) < 0);
        ft_multiset_free(&m);
    }
    free(plain);
}

static void test_empty_multiset(void **state)
{
    ft_multiset *m = NULL;
    ft_multiset_summary s;
    uint64_t v = 7;
    (void)state;
    assert_int_equal(ft_multiset_new(&m, 0, &e), 0);
    assert_int_equal(ft_multiset_sum(m, &s, &e), 0);
    assert_true(s.total == 0 && s.distinct == 0 && s.most == 0 && s.entropy == 0);
    assert_int_equal(ft_multiset_percentiles(m, (double[]){50}, 1, &v, &e), 0);
    assert_int_equal(v, 0);
    ft_multiset_free(&m);
}

/* ---- tallies ---- */

static void add_name(ft_tally *t, uint64_t number)
{
    char name[32];
    int n = snprintf(name, sizeof name, "n%llu", (unsigned long long)number);
    assert_int_equal(ft_tally_add(t, (ft_slice){(const uint8_t *)name, (size_t)n}, &e), 0);
}

/* 400,000 adds: half of them 200 names, which must be found, half names of their own. */
static void test_tally_forgets(void **state)
{
    static uint64_t exact[200];
    ft_tallied top[200];
    ft_tally *t = NULL;
    (void)state;
    assert_int_equal(ft_tally_new(&t, &e), 0);
    for (uint64_t i = 0; i < 400000; i++) {
        uint64_t pick = mix(1, i) % 200;
        pick = pick < mix(2, i) % 200 ? pick : mix(2, i) % 200;      /* low ones more often */
        if (i % 2 == 0)
            exact[pick]++;
        add_name(t, i % 2 ? 1000 + i : pick);
        if (i == 60000)
            assert_true(ft_tally_error(t) == 0);
    }
    assert_true(ft_tally_error(t) > 0 && ft_tally_error(t) <= 6);
    assert_true(ft_tally_names(t) < 4 * (size_t)FT_TALLY_NAMES);
    assert_int_equal(ft_tally_top(t, top, 150), 150);
    for (size_t i = 0; i < 150; i++) {
        uint64_t name = strtoull((const char *)top[i].name.p + 1, NULL, 10);
        assert_true(name < 200 && top[i].count <= exact[name]);
        assert_true(top[i].count + ft_tally_error(t) >= exact[name]);
        assert_true(i == 0 || top[i].count <= top[i - 1].count);
    }
    ft_tally_free(&t);
}

static void test_tally_order(void **state)
{
    static const char *const names[] = {"b", "a", "c", "b", "ab", "a", "", ""};
    static const char *const want[] = {"", "a", "b", "ab"};
    ft_tallied top[4];
    ft_tally *t = NULL;
    (void)state;
    assert_int_equal(ft_tally_new(&t, &e), 0);
    assert_int_equal(ft_tally_top(t, top, 4), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(ft_tally_add(t, (ft_slice){(const uint8_t *)names[i], strlen(names[i])},
                                      &e), 0);
    assert_int_equal(ft_tally_top(t, top, 4), 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(top[i].name.n == strlen(want[i]) &&
                    (top[i].name.n == 0 || !memcmp(top[i].name.p, want[i], top[i].name.n)));
    ft_tally_free(&t);
}

/* ---- spread ---- */

static double square(const float *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return sum;
}

/* Where k-means ended, each point is nearest to the mean of its own cell. */
static void check_cells(const float *x, size_t n, size_t d, size_t k, const uint32_t *cell,
                        double inertia)
{
    double *mean = calloc(k * d, sizeof *mean), sum = 0;
    size_t *size = calloc(k, sizeof *size);
    for (size_t i = 0; i < n; i++) {
        assert_true(cell[i] < k);
        size[cell[i]]++;
        for (size_t j = 0; j < d; j++)
            mean[cell[i] * d + j] += (double)x[i * d + j];
    }
    for (size_t c = 0; c < k; c++)
        for (size_t j = 0; j < d && size[c]; j++)
            mean[c * d + j] /= (double)size[c];
    for (size_t i = 0; i < n; i++) {
        double own = square(x + i * d, mean + cell[i] * d, d);
        sum += own;
        for (size_t c = 0; c < k; c++)
            assert_true(!size[c] || own <= square(x + i * d, mean + c * d, d) + 1e-5);
    }
    assert_true(fabs(inertia - sum / (double)n) <= 1e-5);
    free(mean);
    free(size);
}

static void test_kmeans(void **state)
{
    static const struct { size_t n, d, k; } cases[] = {{1, 3, 1}, {10, 4, 10}, {300, 17, 18},
                                                       {500, 2, 23}};
    ft_pool *one = pool_of(1), *four = pool_of(4);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t n = cases[i].n, d = cases[i].d;
        ft_kmeans_options o = {.k = cases[i].k, .iterations = 500, .seed = i};
        float *x = points(i, n, d, 0);
        uint32_t *a = calloc(n, sizeof *a), *b = calloc(n, sizeof *b);
        double ia, ib;
        ft_points_normalise(x, n, d);
        assert_int_equal(ft_kmeans(x, n, d, &o, one, a, &ia, &e), 0);
        assert_int_equal(ft_kmeans(x, n, d, &o, four, b, &ib, &e), 0);
        assert_memory_equal(a, b, n * sizeof *a);
        assert_memory_equal(&ia, &ib, sizeof ia);
        check_cells(x, n, d, o.k, a, ia);
        free(x);
        free(a);
        free(b);
    }
    ft_pool_free(&one);
    ft_pool_free(&four);
}

static void test_nearest(void **state)
{
    enum { N = 150, M = 31, D = 13 };
    ft_pool *pool = pool_of(3);
    float *x = points(1, N, D, 0), *y = points(2, M, D, 0);
    ft_nearest self[N], other[M];
    double median, all[N];
    (void)state;
    ft_points_normalise(x, N, D);
    ft_points_normalise(y, M, D);
    ft_nearest_points(x, N, x, N, D, pool, self);
    ft_nearest_points(y, M, x, N, D, pool, other);
    for (size_t i = 0; i < N + M; i++) {
        const float *p = i < N ? x + i * D : y + (i - N) * D;
        const ft_nearest *got = i < N ? &self[i] : &other[i - N];
        double least = INFINITY;
        for (size_t k = 0; k < N; k++) {
            double cosine = 0;
            for (size_t j = 0; j < D; j++)
                cosine += (double)p[j] * (double)x[k * D + j];
            if (k != i)
                least = fmin(least, 1 - cosine);
        }
        assert_true(fabs(got->distance - least) <= 1e-6);
        if (i < N)
            all[i] = got->distance;
    }
    assert_int_equal(ft_median_distance(self, N, &median, &e), 0);
    {
        size_t below = 0, most = 0;
        for (size_t i = 0; i < N; i++) {
            below += all[i] < median;
            most += all[i] <= median;
        }
        assert_true(below < N / 2 && most >= N / 2);
    }
    ft_nearest_points(y, 1, x, 0, D, pool, other);
    assert_true(isinf(other[0].distance));
    free(x);
    free(y);
    ft_pool_free(&pool);
}

static void test_evenness(void **state)
{
    uint64_t even[] = {5, 5, 5, 5}, one[] = {0, 0, 8, 0}, two[] = {3, 1}, none[] = {0, 0};
    ft_evenness s;
    (void)state;
    ft_evenness_of(even, 4, &s);
    assert_true(s.filled == 1 && s.gini == 0 && fabs(s.entropy - 1) < 1e-12);
    ft_evenness_of(one, 4, &s);
    assert_true(s.filled == 0.25 && s.gini == 0.75 && s.entropy == 0);
    ft_evenness_of(two, 2, &s);
    assert_true(s.gini == 0.25 && fabs(s.entropy - 0.8112781244591328) < 1e-12);
    ft_evenness_of(none, 2, &s);
    assert_true(s.filled == 0 && s.gini == 0 && s.entropy == 0);
    ft_evenness_of(none, 0, &s);
    assert_true(s.filled == 0);
}

/* ---- numpy's answers ---- */

static void check_vendi(const char *line, ft_pool *pool)
{
    unsigned long long seed;
    size_t n, d;
    double pull, want, got;
    float *x;
    assert_int_equal(sscanf(line, "vendi %llu %zu %zu %lf %lf", &seed, &n, &d, &pull, &want), 5);
    x = points(seed, n, d, pull);
    ft_points_normalise(x, n, d);
    assert_int_equal(ft_vendi(x, n, d, pool, &got, &e), 0);
    assert_true(fabs(got - want) <= 1e-5 * want);
    free(x);
}

static void check_eigen(const char *line, ft_pool *pool)
{
    unsigned long long seed;
    size_t n;
    int used;
    float *x;
    double *a, *values;
    assert_int_equal(sscanf(line, "eigen %llu %zu%n", &seed, &n, &used), 2);
    x = points(seed, n, n, 0);
    a = malloc(n * n * sizeof *a);
    values = malloc(n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)           /* the upper half must not matter */
            a[i * n + j] = j > i ? NAN : ((double)x[i * n + j] + (double)x[j * n + i]) / 2;
    assert_int_equal(ft_eigenvalues(a, n, pool, values, &e), 0);
    for (size_t i = 0; i < n; i++) {
        char *end;
        double want = strtod(line + used, &end);
        used = (int)(end - line);
        assert_true(fabs(values[i] - want) <= 1e-12 * (double)n);
    }
    free(x);
    free(a);
    free(values);
}

static void test_golden(void **state)
{
    static char line[1 << 16];
    FILE *f = fopen("tests/golden/vendi.txt", "r");
    ft_pool *pool = pool_of(2);
    size_t seen = 0;
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "vendi", 5) == 0)
            check_vendi(line, pool);
        else if (strncmp(line, "eigen", 5) == 0)
            check_eigen(line, pool);
        else
            continue;
        seen++;
    }
    fclose(f);
    assert_int_equal(seen, 10);
    ft_pool_free(&pool);
}

/* Diagonal, all the same, and with couplings of 0: where reduction and bisection have nothing to
 * hold on to. */
static void test_odd_matrices(void **state)
{
    double zero[9] = {0}, same[4] = {2, 0, 0, 2}, blocks[16] = {1, 0, 0, 0, 1, 1, 0, 0,
                                                                 0, 0, 5, 0, 0, 0, 0, -3};
    double v[4];
    ft_pool *pool = pool_of(1);
    (void)state;
    assert_int_equal(ft_eigenvalues(zero, 3, pool, v, &e), 0);
    assert_true(fabs(v[0]) < 1e-300 && fabs(v[2]) < 1e-300);
    assert_int_equal(ft_eigenvalues(same, 2, pool, v, &e), 0);
    assert_true(fabs(v[0] - 2) < 1e-14 && fabs(v[1] - 2) < 1e-14);
    assert_int_equal(ft_eigenvalues(blocks, 4, pool, v, &e), 0);
    assert_true(fabs(v[0] + 3) < 1e-14 && fabs(v[1]) < 1e-14 && fabs(v[2] - 2) < 1e-14 &&
                fabs(v[3] - 5) < 1e-14);
    ft_pool_free(&pool);
}

/* The projection keeps cosines: of vectors that are computed here from the packed n-grams. */
static void test_text_points(void **state)
{
    static const char *const texts[] = {"the ship sails over the sea", "the ship sails on a sea",
                                        "birds fly through clouds", "", "the ship sails over it"};
    enum { N = 5 };
    float x[N * FT_TEXT_POINTS], again[N * FT_TEXT_POINTS];
    ft_slice packed[N];
    ft_buf b[N] = {{0}};
    ft_ngrams g = {0};
    ft_pool *one = pool_of(1), *two = pool_of(2);
    (void)state;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(ft_ngrams_make(&g, texts[i], strlen(texts[i]), &b[i], &e), 0);
        packed[i] = (ft_slice){b[i].p, b[i].n};
    }
    assert_int_equal(ft_text_points(packed, N, FT_TEXT_POINTS, one, x, &e), 0);
    assert_int_equal(ft_text_points(packed, N, FT_TEXT_POINTS, two, again, &e), 0);
    assert_memory_equal(x, again, sizeof x);
    for (size_t a = 0; a < N; a++)
        for (size_t c = 0; c < N; c++) {
            double got = 0, want = 0, na = 0, nc = 0;
            uint32_t col, count, col2, count2;
            for (size_t j = 0; j < FT_TEXT_POINTS; j++)
                got += (double)x[a * FT_TEXT_POINTS + j] * (double)x[c * FT_TEXT_POINTS + j];
            for (ft_ngram_iter i = ft_ngrams_of(packed[a]); ft_ngrams_next(&i, &col, &count);) {
                double have = 0, va;
                for (size_t t = 0; t < N; t++)
                    for (ft_ngram_iter k = ft_ngrams_of(packed[t]);
                         ft_ngrams_next(&k, &col2, &count2);)
                        have += col2 == col;
                va = (1 + log(count)) * (1 + log((1 + (double)N) / (1 + have)));
                na += va * va;
                for (ft_ngram_iter k = ft_ngrams_of(packed[c]);
                     ft_ngrams_next(&k, &col2, &count2);)
                    if (col2 == col)
                        want += va * (1 + log(count2)) * (1 + log((1 + (double)N) / (1 + have)));
            }
            for (ft_ngram_iter i = ft_ngrams_of(packed[c]); ft_ngrams_next(&i, &col, &count);) {
                double have = 0;
                for (size_t t = 0; t < N; t++)
                    for (ft_ngram_iter k = ft_ngrams_of(packed[t]);
                         ft_ngrams_next(&k, &col2, &count2);)
                        have += col2 == col;
                nc += pow((1 + log(count)) * (1 + log((1 + (double)N) / (1 + have))), 2);
            }
            want = na > 0 && nc > 0 ? want / sqrt(na * nc) : 0;
            assert_true(fabs(got - want) <= 0.15);       /* 3.4 standard deviations */
        }
    for (size_t i = 0; i < N; i++)
        ft_buf_free(&b[i]);
    ft_ngrams_free(&g);
    ft_pool_free(&one);
    ft_pool_free(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_multiset), cmocka_unit_test(test_empty_multiset),
        cmocka_unit_test(test_tally_forgets), cmocka_unit_test(test_tally_order),
        cmocka_unit_test(test_kmeans), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_evenness), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_odd_matrices), cmocka_unit_test(test_text_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
