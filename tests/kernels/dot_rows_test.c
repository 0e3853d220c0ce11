/* dot_rows of every family against sums in double, and its promise: an element has the same bits
 * whatever m, n and its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { M = 9, N = 19, K = 70, LDX = K + 3, LDY = N + 2 };

static float x[M * LDX + 1], w[N * K + 1], y[M * LDY];

static void check_sizes(const ft_kernels *f, size_t m, size_t n, size_t k)
{
    for (size_t i = 0; i < M * LDY; i++)
        y[i] = 1234.0f;
    f->dot_rows(x + 1, LDX, m, w + 1, n, k, y, LDY);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < LDY; j++) {
            double sum = 0, size = 0;
            float alone, got = y[i * LDY + j];
            if (i >= m || j >= n) {
                assert_true(got == 1234.0f);
                continue;
            }
            for (size_t l = 0; l < k; l++) {
                double p = (double)x[1 + i * LDX + l] * (double)w[1 + j * k + l];
                sum += p;
                size += fabs(p);
            }
            assert_true(fabs((double)got - sum) <= 1e-6 * size);
            f->dot_rows(x + 1 + i * LDX, k, 1, w + 1 + j * k, 1, k, &alone, 1);
            assert_memory_equal(&alone, &got, sizeof got);
        }
}

static void check_family(const char *name)
{
    const ft_kernels *f = ft_kernels_family(name);
    if (!f)
        skip();
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)sin((double)i * 1.7);
    for (size_t i = 0; i < sizeof w / sizeof *w; i++)
        w[i] = (float)cos((double)i * 2.3);
    for (size_t m = 0; m <= M; m++)
        for (size_t n = 0; n <= N; n++)
            for (size_t k = 0; k <= K; k += k < 34 ? 1 : 12)
                check_sizes(f, m, n, k);
}

static void test_ref(void **state)
{
    (void)state;
    check_family("ref");
}

static void test_avx2(void **state)
{
    (void)state;
    check_family("avx2");
}

static void test_avx512(void **state)
{
    (void)state;
    check_family("avx512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref), cmocka_unit_test(test_avx2), cmocka_unit_test(test_avx512)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
