/* gemm_s8_avx2.c: as gemm_s8_ref.c by vpmaddwd on bytes widened to words: exact, where the product
 * of bytes that AVX2 has, vpmaddubsw, saturates. A block of MR rows by 16 columns stays in
 * registers for all of k. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { MR_MAX = 4 };

/* Of four bytes, the first and third, and the second and fourth, as two words. */
INLINE __m256i even_of(__m256i b)
{
    return _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
}

INLINE __m256i odd_of(__m256i b)
{
    return _mm256_srai_epi16(b, 8);
}

INLINE __m256i add_products(__m256i sum, __m256i x, __m256i even, __m256i odd)
{
    __m256i x_even = _mm256_and_si256(x, _mm256_set1_epi16(255));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x_even, even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_srli_epi16(x, 8), odd));
}

INLINE __m256i broadcast_four(const uint8_t *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}

INLINE __m256i load(const int8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* c[0..n) (+)= the 16 sums in floats, n <= 16. */
INLINE void put(float *c, size_t n, int add, __m256i low, __m256i high, float row,
                const float *scale, const int32_t *offset)
{
    int32_t sums[16];
    _mm256_storeu_si256((__m256i *)(void *)sums, low);
    _mm256_storeu_si256((__m256i *)(void *)(sums + 8), high);
    for (size_t j = 0; j < n; j++) {
        float v = (float)(sums[j] - offset[j]) * row * scale[j];
        c[j] = add ? c[j] + v : v;
    }
}

INLINE void block(const size_t MR, size_t k, const uint8_t *a, size_t lda, const float *a_scale,
                  const int8_t *b, size_t width, const float *scale, const int32_t *offset,
                  float *c, size_t ldc, size_t n, int add)
{
    __m256i low[MR_MAX], high[MR_MAX];
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        low[r] = high[r] = _mm256_setzero_si256();
    for (size_t p = 0; p < k; p += 4, b += 4 * width) {
        __m256i b0 = load(b), b1 = load(b + 32);
        __m256i even0 = even_of(b0), odd0 = odd_of(b0), even1 = even_of(b1), odd1 = odd_of(b1);
#pragma GCC unroll 4
        for (size_t r = 0; r < MR; r++) {
            __m256i x = broadcast_four(a + r * lda + p);
            low[r] = add_products(low[r], x, even0, odd0);
            high[r] = add_products(high[r], x, even1, odd1);
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < MR; r++)
        put(c + r * ldc, n, add, low[r], high[r], a_scale[r], scale, offset);
}

#define ROWS(MR)                                                                         \
    case MR:                                                                             \
        block(MR, k, a + i * lda, lda, a_scale + i, b, width, scale + j, offset + j,     \
              c + i * ldc + j, ldc, cols, add);                                          \
        break

void ft_k_gemm_s8_avx2(size_t m, size_t n, size_t k, const uint8_t *a, size_t lda,
                       const float *a_scale, const void *panel, const float *scale,
                       const int32_t *offset, float *c, size_t ldc, int add)
{
    const int8_t *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t j = 0; j < n; j += 16, b += 64) {
        size_t cols = n - j < 16 ? n - j : 16, rows;
        for (size_t i = 0; i < m; i += rows) {
            rows = m - i < MR_MAX ? m - i : MR_MAX;
            switch (rows) { ROWS(1); ROWS(2); ROWS(3); ROWS(4); }
        }
    }
}
