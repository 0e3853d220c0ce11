/* dequant_nf4_avx2.c: as dequant_nf4_ref.c, the same bits. */
#include "kernels/kernels_internal.h"
#include "kernels/nf4_values.h"

#include <immintrin.h>

/* Eight codes to their values: the lower three bits choose from each half of the table, the fourth
 * moves into the sign, which chooses the half. */
static __m256 values_of(__m128i codes)
{
    __m256i i = _mm256_cvtepu8_epi32(codes);
    __m256 lower = _mm256_permutevar8x32_ps(_mm256_loadu_ps(nf4_values), i);
    __m256 upper = _mm256_permutevar8x32_ps(_mm256_loadu_ps(nf4_values + 8), i);
    return _mm256_blendv_ps(lower, upper, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}

void ft_k_dequant_nf4_avx2(const void *codes, const float *scale, size_t from, float *dst, size_t n)
{
    const __m128i mask = _mm_set1_epi8(15);
    for (size_t i = from; i < from + n; i += 32, dst += 32) {
        const void *p = (const uint8_t *)codes + i / 2;
        __m128i b = _mm_loadu_si128((const __m128i *)p);
        __m128i even = _mm_and_si128(_mm_srli_epi16(b, 4), mask), odd = _mm_and_si128(b, mask);
        __m128i first = _mm_unpacklo_epi8(even, odd), last = _mm_unpackhi_epi8(even, odd);
        __m256 s = _mm256_set1_ps(scale[i / 64]);
        _mm256_storeu_ps(dst, _mm256_mul_ps(values_of(first), s));
        _mm256_storeu_ps(dst + 8, _mm256_mul_ps(values_of(_mm_srli_si128(first, 8)), s));
        _mm256_storeu_ps(dst + 16, _mm256_mul_ps(values_of(last), s));
        _mm256_storeu_ps(dst + 24, _mm256_mul_ps(values_of(_mm_srli_si128(last, 8)), s));
    }
}
