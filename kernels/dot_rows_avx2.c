#include "kernels/kernels_internal.h"

#include <immintrin.h>

/* A window of eight entries that starts at 8 - n has n lanes set. */
static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

static inline float reduce(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* One step along k for a block of rows; see dot_rows_avx512.c for why the bits of a pair do not
 * depend on the block. */
#define STEP(LOAD)                                                                  \
    do {                                                                            \
        __m256 b[8];                                                                \
        _Pragma("GCC unroll 8") for (int j = 0; j < cols; j++)                      \
            b[j] = LOAD(w + (size_t)j * k + at);                                    \
        _Pragma("GCC unroll 4") for (int i = 0; i < rows; i++) {                    \
            __m256 a = LOAD(x + (size_t)i * ldx + at);                              \
            _Pragma("GCC unroll 8") for (int j = 0; j < cols; j++)                  \
                sum[i * cols + j] = _mm256_fmadd_ps(a, b[j], sum[i * cols + j]);    \
        }                                                                           \
    } while (0)
#define MASKED(p) _mm256_maskload_ps((p), mask)

static inline __attribute__((always_inline)) void
block(const float *x, size_t ldx, const int rows, const float *w, const int cols, size_t k,
      float *y, size_t ldy)
{
    __m256 sum[8];
    size_t at = 0;
#pragma GCC unroll 8
    for (int i = 0; i < rows * cols; i++)
        sum[i] = _mm256_setzero_ps();
    for (; at + 8 <= k; at += 8)
        STEP(_mm256_loadu_ps);
    if (at < k) {
        __m256i mask = _mm256_loadu_si256((const void *)(lanes + 8 - (k - at)));
        STEP(MASKED);
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j < cols; j++)
            y[(size_t)i * ldy + (size_t)j] = reduce(sum[i * cols + j]);
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

void ft_k_dot_rows_avx2(const float *x, size_t ldx, size_t m, const float *w, size_t n, size_t k,
                        float *y, size_t ldy)
{
    size_t i = 0;
    for (; i + 4 <= m; i += 4)
        band(x + i * ldx, ldx, 4, w, 2, n, k, y + i * ldy, ldy);
    for (; i < m; i++)
        band(x + i * ldx, ldx, 1, w, 8, n, k, y + i * ldy, ldy);
}
