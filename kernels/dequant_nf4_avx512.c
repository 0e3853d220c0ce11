/* dequant_nf4_avx512.c: as dequant_nf4_ref.c, the same bits. */
#include "kernels/kernels_internal.h"
#include "kernels/nf4_values.h"

#include <immintrin.h>

static __m512 values_of(__m128i codes)
{
    return _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(codes), _mm512_loadu_ps(nf4_values));
}

void ft_k_dequant_nf4_avx512(const void *codes, const float *scale, size_t from, float *dst,
                             size_t n)
{
    const __m128i mask = _mm_set1_epi8(15);
    for (size_t i = from; i < from + n; i += 32, dst += 32) {
        const void *p = (const uint8_t *)codes + i / 2;
        __m128i b = _mm_loadu_si128((const __m128i *)p);
        __m128i even = _mm_and_si128(_mm_srli_epi16(b, 4), mask), odd = _mm_and_si128(b, mask);
        __m512 s = _mm512_set1_ps(scale[i / 64]);
        _mm512_storeu_ps(dst, _mm512_mul_ps(values_of(_mm_unpacklo_epi8(even, odd)), s));
        _mm512_storeu_ps(dst + 16, _mm512_mul_ps(values_of(_mm_unpackhi_epi8(even, odd)), s));
    }
}
