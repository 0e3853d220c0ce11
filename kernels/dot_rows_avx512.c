#include "kernels/fold_avx512.h"
#include "kernels/kernels_internal.h"

#include <immintrin.h>

/* One step along k for a block of rows of x against a block of rows of w. Each pair has one
 * register of running sums whatever the size of the block, so the bits of a product do not depend
 * on its neighbours: a block only reuses what it loaded. */
#define STEP(LOAD)                                                                  \
    do {                                                                            \
        __m512 b[8];                                                                \
        _Pragma("GCC unroll 8") for (int j = 0; j < cols; j++)                      \
            b[j] = LOAD(w + (size_t)j * k + at);                                    \
        _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) {                    \
            __m512 a = LOAD(x + (size_t)i * ldx + at);                              \
            _Pragma("GCC unroll 8") for (int j = 0; j < cols; j++)                  \
                sum[i * cols + j] = _mm512_fmadd_ps(a, b[j], sum[i * cols + j]);    \
        }                                                                           \
    } while (0)
#define MASKED(p) _mm512_maskz_loadu_ps(mask, (p))

/* Always inlined with constant sizes, so that sum[] is registers. */
static inline __attribute__((always_inline)) void
block(const float *x, size_t ldx, const int rows, const float *w, const int cols, size_t k,
      float *y, size_t ldy)
{
    __m512 sum[16];
    size_t at = 0;
#pragma GCC unroll 16
    for (int i = 0; i < rows * cols; i++)
        sum[i] = _mm512_setzero_ps();
    for (; at + 16 <= k; at += 16)
        STEP(_mm512_loadu_ps);
    if (at < k) {
        __mmask16 mask = (__mmask16)((1u << (k - at)) - 1);
        STEP(MASKED);
    }
    fold_block(sum, (size_t)rows, (size_t)cols, y, ldy);
}

/* All rows of w against `rows` rows of x, `cols` at a time. */
static inline __attribute__((always_inline)) void
band(const float *x, size_t ldx, const int rows, const float *w, const int cols, size_t n,
     size_t k, float *y, size_t ldy)
{
    size_t j = 0;
    for (; j + (size_t)cols <= n; j += (size_t)cols)
        block(x, ldx, rows, w + j * k, cols, k, y + j, ldy);
    for (; j < n; j++)
        block(x, ldx, rows, w + j * k, 1, k, y + j, ldy);
}

void ft_k_dot_rows_avx512(const float *x, size_t ldx, size_t m, const float *w, size_t n,
                          size_t k, float *y, size_t ldy)
{
    size_t i = 0;
    for (; i + 4 <= m; i += 4)
        band(x + i * ldx, ldx, 4, w, 4, n, k, y + i * ldy, ldy);
    for (; i + 2 <= m; i += 2)
        band(x + i * ldx, ldx, 2, w, 8, n, k, y + i * ldy, ldy);
    for (; i < m; i++)
        band(x + i * ldx, ldx, 1, w, 8, n, k, y + i * ldy, ldy);
}
