/* data_vectors.c: the nearest vectors against all cosines in double, over several blocks; ties,
 * zeros and vectors that point away; the same for any threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = 777, N = 3100, M = 37, K = 7 };     /* a block holds 1349 */

static ft_err e;
static float all[N * D], asked[M * D];

static float value(uint32_t step, uint64_t i)
{
    return (float)((double)(ft_rng_u64(5, FT_RNG_DATA, step, i) >> 40) / (1 << 23) - 1);
}

static ft_vectors *fill(void)
{
    ft_vectors *v = NULL;
    float *x = malloc(sizeof all);
    assert_non_null(x);
    memcpy(x, all, sizeof all);
    assert_int_equal(ft_vectors_new(&v, D, &e), 0);
    for (size_t i = 0, some; i < N; i += some) {
        some = N - i < 100 ? N - i : 100;
        assert_int_equal(ft_vectors_add(v, x + i * D, some, &e), 0);
    }
    assert_int_equal(ft_vectors_end(v, &e), 0);
    assert_int_equal(ft_vectors_count(v), N);
    free(x);
    return v;
}

static void nearest(ft_vectors *v, size_t m, size_t k, unsigned threads, uint32_t *best,
                    uint32_t *found)
{
    ft_pool *pool = NULL;
    float *q = malloc(sizeof asked);
    assert_non_null(q);
    memcpy(q, asked, sizeof asked);
    assert_int_equal(ft_pool_new(&pool, threads, &e), 0);
    assert_int_equal(ft_vectors_nearest(v, q, m, k, pool, best, found, &e), 0);
    ft_pool_free(&pool);
    free(q);
}

static double cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t c = 0; c < D; c++) {
        ab += (double)a[c] * (double)b[c];
        aa += (double)a[c] * (double)a[c];
        bb += (double)b[c] * (double)b[c];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* What was found are the K largest, in order: each at least as near as the next and as any other,
 * but for the rounding of floats. */
static void check_question(size_t i, const uint32_t *best)
{
    double last = 2, lowest = cosine(asked + i * D, all + (size_t)best[K - 1] * D);
    for (size_t k = 0; k < K; k++) {
        double c = cosine(asked + i * D, all + (size_t)best[k] * D);
        assert_true(best[k] < N && c > 0 && c <= last + 1e-6);
        last = c;
    }
    for (size_t n = 0; n < N; n++) {
        size_t k = 0;
        while (k < K && best[k] != n)
            k++;
        if (k == K)
            assert_true(cosine(asked + i * D, all + n * D) <= lowest + 1e-6);
    }
}

static void test_all_cosines(void **state)
{
    ft_vectors *v;
    uint32_t best[M * K], found[M], again[M * K], found_again[M];
    (void)state;
    for (size_t i = 0; i < N * D; i++)
        all[i] = value(1, i);
    for (size_t i = 0; i < M * D; i++)
        asked[i] = 3 * value(2, i);
    v = fill();
    nearest(v, M, K, 1, best, found);
    for (size_t i = 0; i < M; i++) {
        assert_int_equal(found[i], K);
        check_question(i, best + i * K);
    }
    nearest(v, M, K, 3, again, found_again);
    assert_memory_equal(best, again, sizeof best);
    nearest(v, 1, K, 2, again, found_again);
    assert_memory_equal(best, again, K * sizeof *best);
    ft_vectors_free(&v);
}

/* Equal vectors in several blocks: the first ones, in order. Zeros and what points away: never. */
static void test_ties_and_nothing(void **state)
{
    static const uint32_t same[] = {3, 1000, 1348, 1349, 3099};
    ft_vectors *v;
    uint32_t best[3 * K], found[3];
    (void)state;
    memset(all, 0, sizeof all);
    memset(asked, 0, sizeof asked);
    for (size_t n = 0; n < N; n += 2)
        all[n * D] = -1;
    for (size_t i = 0; i < 5; i++)
        for (size_t c = 0; c < D; c++)
            all[same[i] * D + c] = 2 * value(3, c);
    for (size_t c = 0; c < D; c++)
        asked[c] = value(3, c);
    asked[D + 5] = 1;
    all[77 * D + 5] = 0.01f;
    v = fill();
    nearest(v, 3, 3, 2, best, found);
    assert_int_equal(found[0], 3);
    assert_memory_equal(best, same, 3 * sizeof *same);
    assert_true(found[1] >= 1 && best[3] == 77);
    assert_int_equal(found[2], 0);
    nearest(v, 1, K, 2, best, found);
    assert_true(found[0] >= 5);
    assert_memory_equal(best, same, sizeof same);
    ft_vectors_free(&v);
}

static void test_none(void **state)
{
    ft_vectors *v = NULL;
    uint32_t best[K], found[1] = {9};
    (void)state;
    assert_int_equal(ft_vectors_new(&v, D, &e), 0);
    assert_int_equal(ft_vectors_end(v, &e), 0);
    nearest(v, 1, K, 1, best, found);
    assert_int_equal(found[0], 0);
    ft_vectors_free(&v);
    ft_vectors_free(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_cosines),
        cmocka_unit_test(test_ties_and_nothing),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
