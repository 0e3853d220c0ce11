/* add_rows_avx512.c: four rows of P and four registers of columns at a time, whose sums stay in
 * registers for all of k. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE void block(const float *p, size_t ldp, const size_t M, const float *v, size_t k, size_t n,
                  const size_t V, __mmask16 tail, float *y)
{
    __m512 sum[16];
#pragma GCC unroll 16
    for (size_t i = 0; i < M * V; i++)
        sum[i] = _mm512_maskz_loadu_ps(tail, y + i / V * n + i % V * 16);
    for (size_t t = 0; t < k; t++) {
        __m512 b[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < V; j++)
            b[j] = _mm512_maskz_loadu_ps(tail, v + t * n + 16 * j);
#pragma GCC unroll 4
        for (size_t i = 0; i < M; i++) {
            __m512 a = _mm512_set1_ps(p[i * ldp + t]);
#pragma GCC unroll 4
            for (size_t j = 0; j < V; j++)
                sum[i * V + j] = _mm512_fmadd_ps(a, b[j], sum[i * V + j]);
        }
    }
#pragma GCC unroll 16
    for (size_t i = 0; i < M * V; i++)
        _mm512_mask_storeu_ps(y + i / V * n + i % V * 16, tail, sum[i]);
}

INLINE void band(const float *p, size_t ldp, const size_t M, const float *v, size_t k, size_t n,
                 float *y)
{
    size_t j = 0;
    for (; j + 64 <= n; j += 64)
        block(p, ldp, M, v + j, k, n, 4, 0xffff, y + j);
    for (; j + 32 <= n; j += 32)
        block(p, ldp, M, v + j, k, n, 2, 0xffff, y + j);
    for (; j < n; j += 16)
        block(p, ldp, M, v + j, k, n, 1,
              (__mmask16)(n - j < 16 ? (1u << (n - j)) - 1 : 0xffff), y + j);
}

void ft_k_add_rows_avx512(const float *p, size_t ldp, size_t m, const float *v, size_t k, size_t n,
                          float *y)
{
    for (; m >= 4; m -= 4, p += 4 * ldp, y += 4 * n)
        band(p, ldp, 4, v, k, n, y);
    switch (m) {
    case 3: band(p, ldp, 3, v, k, n, y); break;
    case 2: band(p, ldp, 2, v, k, n, y); break;
    case 1: band(p, ldp, 1, v, k, n, y); break;
    }
}
