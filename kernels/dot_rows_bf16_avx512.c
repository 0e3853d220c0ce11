/* dot_rows_bf16_avx512.c: as dot_rows_avx512.c, by vdpbf16ps: a step of 32 elements adds two
 * products to each lane. The first rows of x ask for what follows the weights that they meet, AHEAD
 * bytes before it is wanted. */
#include "kernels/fold_avx512.h"
#include "kernels/kernels_internal.h"

enum { AHEAD = 16384 };

#define INLINE static inline __attribute__((always_inline))

INLINE __m512bh load(const uint16_t *p, __mmask32 mask)
{
    return (__m512bh)(mask == 0xffffffff ? _mm512_loadu_si512(p)
                                         : _mm512_maskz_loadu_epi16(mask, p));
}

INLINE void step(const uint16_t *x, size_t ldx, const size_t M, const uint16_t *w, const size_t R,
                 size_t k, __mmask32 mask, __m512 *sum)
{
    __m512bh b[8];
#pragma GCC unroll 8
    for (size_t j = 0; j < R; j++)
        b[j] = load(w + j * k, mask);
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++) {
        __m512bh a = load(x + i * ldx, mask);
#pragma GCC unroll 8
        for (size_t j = 0; j < R; j++)
            sum[i * R + j] = _mm512_dpbf16_ps(sum[i * R + j], a, b[j]);
    }
}

INLINE void block(const uint16_t *x, size_t ldx, const size_t M, const uint16_t *w, const size_t R,
                  size_t k, int fetching, float *y, size_t ldy)
{
    __m512 sum[16];
    size_t at = 0;
#pragma GCC unroll 16
    for (size_t i = 0; i < M * R; i++)
        sum[i] = _mm512_setzero_ps();
    for (; at + 32 <= k; at += 32) {
        if (fetching)
#pragma GCC unroll 8
            for (size_t j = 0; j < R; j++)
                _mm_prefetch((const char *)(w + j * k + at) + AHEAD, _MM_HINT_T1);
        step(x + at, ldx, M, w + at, R, k, 0xffffffff, sum);
    }
    if (at < k)
        step(x + at, ldx, M, w + at, R, k, (__mmask32)((1u << (k - at)) - 1), sum);
    fold_block(sum, M, R, y, ldy);
}

INLINE void band(const uint16_t *x, size_t ldx, const size_t M, const uint16_t *w, const size_t R,
                 size_t n, size_t k, int fetching, float *y, size_t ldy)
{
    size_t j = 0;
    for (; j + R <= n; j += R)
        block(x, ldx, M, w + j * k, R, k, fetching, y + j, ldy);
    for (; j < n; j++)
        block(x, ldx, M, w + j * k, 1, k, fetching, y + j, ldy);
}

void ft_k_dot_rows_bf16_avx512(const uint16_t *x, size_t ldx, size_t m, const uint16_t *w, size_t n,
                               size_t k, float *y, size_t ldy)
{
    int fetching = 1;
    for (; m >= 4; m -= 4, x += 4 * ldx, y += 4 * ldy, fetching = 0)
        band(x, ldx, 4, w, 4, n, k, fetching, y, ldy);
    for (; m; m--, x += ldx, y += ldy, fetching = 0)
        band(x, ldx, 1, w, 8, n, k, fetching, y, ldy);
}
