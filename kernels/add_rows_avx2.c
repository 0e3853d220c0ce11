/* add_rows_avx2.c: two rows of P and four registers of columns at a time, whose sums stay in
 * registers for all of k. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* A window of eight entries that starts at 8 - n has n lanes set. */
static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

INLINE void block(const float *p, size_t ldp, const size_t M, const float *v, size_t k, size_t n,
                  const size_t V, size_t left, float *y)
{
    const __m256i mask = _mm256_loadu_si256((const void *)(lanes + 8 - (left < 8 ? left : 8)));
    __m256 sum[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < M * V; i++)
        sum[i] = _mm256_maskload_ps(y + i / V * n + i % V * 8, mask);
    for (size_t t = 0; t < k; t++) {
        __m256 b[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < V; j++)
            b[j] = _mm256_maskload_ps(v + t * n + 8 * j, mask);
#pragma GCC unroll 2
        for (size_t i = 0; i < M; i++)
#pragma GCC unroll 4
            for (size_t j = 0; j < V; j++)
                sum[i * V + j] = _mm256_fmadd_ps(_mm256_set1_ps(p[i * ldp + t]), b[j],
                                                 sum[i * V + j]);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < M * V; i++)
        _mm256_maskstore_ps(y + i / V * n + i % V * 8, mask, sum[i]);
}

INLINE void band(const float *p, size_t ldp, const size_t M, const float *v, size_t k, size_t n,
                 float *y)
{
    size_t j = 0;
    for (; j + 32 <= n; j += 32)
        block(p, ldp, M, v + j, k, n, 4, 8, y + j);
    for (; j < n; j += 8)
        block(p, ldp, M, v + j, k, n, 1, n - j, y + j);
}

void ft_k_add_rows_avx2(const float *p, size_t ldp, size_t m, const float *v, size_t k, size_t n,
                        float *y)
{
    for (; m >= 2; m -= 2, p += 2 * ldp, y += 2 * n)
        band(p, ldp, 2, v, k, n, y);
    if (m)
        band(p, ldp, 1, v, k, n, y);
}
