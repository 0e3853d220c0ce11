/* dot_rows_bf16_avx2.c: as dot_rows_bf16_ref.c. A word of two elements becomes two floats by a shift
 * and a mask; two registers hold the sixteen sums. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { STEP = 32, ROWS = 4 };

INLINE __m256 even(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
}

INLINE __m256 odd(__m256i v)
{
    return _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xffff0000)));
}

INLINE __m256i load16(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE void step(const uint16_t *x, const uint16_t *w, __m256 sum[2])
{
#pragma GCC unroll 2
    for (size_t i = 0; i < 2; i++) {
        __m256i a = load16(x + 16 * i), b = load16(w + 16 * i);
        sum[i] = _mm256_fmadd_ps(even(a), even(b), sum[i]);
        sum[i] = _mm256_fmadd_ps(odd(a), odd(b), sum[i]);
    }
}

INLINE float fold(const __m256 sum[2])
{
    __m256 v = _mm256_add_ps(sum[0], sum[1]);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* What is left behind the last whole step, with zeros behind it. */
INLINE void last_step(const uint16_t *x, const uint16_t *w, size_t n, __m256 sum[2])
{
    uint16_t a[STEP] = {0}, b[STEP] = {0};
    memcpy(a, x, n * sizeof *a);
    memcpy(b, w, n * sizeof *b);
    step(a, b, sum);
}

INLINE void block(const uint16_t *x, const uint16_t *w, const size_t R, size_t k, float *y)
{
    __m256 sum[2 * ROWS];
    size_t at = 0;
#pragma GCC unroll 8
    for (size_t j = 0; j < 2 * R; j++)
        sum[j] = _mm256_setzero_ps();
    for (; at + STEP <= k; at += STEP)
#pragma GCC unroll 4
        for (size_t j = 0; j < R; j++)
            step(x + at, w + j * k + at, sum + 2 * j);
#pragma GCC unroll 4
    for (size_t j = 0; j < R && at < k; j++)
        last_step(x + at, w + j * k + at, k - at, sum + 2 * j);
#pragma GCC unroll 4
    for (size_t j = 0; j < R; j++)
        y[j] = fold(sum + 2 * j);
}

void ft_k_dot_rows_bf16_avx2(const uint16_t *x, size_t ldx, size_t m, const uint16_t *w, size_t n,
                             size_t k, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++, x += ldx, y += ldy) {
        size_t j = 0;
        for (; j + ROWS <= n; j += ROWS)
            block(x, w + j * k, ROWS, k, y + j);
        for (; j < n; j++)
            block(x, w + j * k, 1, k, y + j);
    }
}
