/* gemm_avx2.c: products of rows with a packed panel in registers of eight. A block of MR rows by 16
 * columns stays in registers for all of k; a bf16 pair is two floats after a shift and a mask. */
#include "kernels/bf16_ref.h"
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { MR_MAX = 4 };

/* c[0..n) (+)= the 16 sums, n <= 16. */
INLINE void put(float *c, size_t n, int add, __m256 low, __m256 high)
{
    float sums[16];
    _mm256_storeu_ps(sums, low);
    _mm256_storeu_ps(sums + 8, high);
    for (size_t j = 0; j < n; j++)
        c[j] = add ? c[j] + sums[j] : sums[j];
}

INLINE void block_f32(const size_t MR, size_t k, const float *a, size_t lda, const float *b,
                      size_t width, float *c, size_t ldc, size_t n, int add)
{
    __m256 low[MR_MAX], high[MR_MAX];
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        low[r] = high[r] = _mm256_setzero_ps();
    for (size_t p = 0; p < k; p++, b += width) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 4
        for (size_t r = 0; r < MR; r++) {
            __m256 x = _mm256_set1_ps(a[r * lda + p]);
            low[r] = _mm256_fmadd_ps(x, b0, low[r]);
            high[r] = _mm256_fmadd_ps(x, b1, high[r]);
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        put(c + r * ldc, n, add, low[r], high[r]);
}

/* The lower and the upper bf16 of eight pairs. */
INLINE __m256 first_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}

INLINE __m256 second_of(__m256i pairs)
{
    return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int)0xffff0000)));
}

INLINE void block_bf16(const size_t MR, size_t k, const uint16_t *a, size_t lda, const uint16_t *b,
                       size_t width, float *c, size_t ldc, size_t n, int add)
{
    __m256 low[MR_MAX], high[MR_MAX];
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        low[r] = high[r] = _mm256_setzero_ps();
    for (size_t p = 0; p < k; p += 2, b += 2 * width) {
        __m256i p0 = _mm256_loadu_si256((const __m256i *)(const void *)b);
        __m256i p1 = _mm256_loadu_si256((const __m256i *)(const void *)(b + 16));
        __m256 b0 = first_of(p0), b1 = first_of(p1), d0 = second_of(p0), d1 = second_of(p1);
#pragma GCC unroll 4
        for (size_t r = 0; r < MR; r++) {
            __m256 x = _mm256_set1_ps(ft_from_bf16(a[r * lda + p]));
            __m256 y = _mm256_set1_ps(ft_from_bf16(a[r * lda + p + 1]));
            low[r] = _mm256_fmadd_ps(y, d0, _mm256_fmadd_ps(x, b0, low[r]));
            high[r] = _mm256_fmadd_ps(y, d1, _mm256_fmadd_ps(x, b1, high[r]));
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        put(c + r * ldc, n, add, low[r], high[r]);
}

#define ROWS(type, MR)                                                                   \
    case MR:                                                                             \
        block_##type(MR, k, x + i * lda, lda, b, width, c + i * ldc + j, ldc, cols, add); \
        break

#define BLOCKS(type, STEP)                                                               \
    size_t width = FT_PANEL_WIDTH(n);                                                    \
    for (size_t j = 0; j < n; j += 16, b += (STEP)) {                                    \
        size_t cols = n - j < 16 ? n - j : 16, rows;                                     \
        for (size_t i = 0; i < m; i += rows) {                                           \
            rows = m - i < MR_MAX ? m - i : MR_MAX;                                      \
            switch (rows) { ROWS(type, 1); ROWS(type, 2); ROWS(type, 3); ROWS(type, 4); } \
        }                                                                                \
    }

void ft_k_gemm_f32_avx2(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                        float *c, size_t ldc, int add)
{
    const float *x = a, *b = panel;
    BLOCKS(f32, 16)
}

void ft_k_gemm_bf16_avx2(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                         float *c, size_t ldc, int add)
{
    const uint16_t *x = a, *b = panel;
    BLOCKS(bf16, 32)
}
