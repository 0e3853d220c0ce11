/* bf16_avx2.h: eight floats to bfloat16, the bits of bf16_ref.h. */
#ifndef FT_BF16_AVX2_H
#define FT_BF16_AVX2_H

#include <immintrin.h>

/* Each in the low half of its word, the high half zero. */
static inline __m256i ft_bf16_words_avx2(__m256 v)
{
    __m256i u = _mm256_castps_si256(v), high = _mm256_srli_epi32(u, 16);
    __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i near = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(_mm256_srli_epi32(near, 16), quiet, nan);
}

static inline __m128i ft_bf16_packed_avx2(__m256 v)
{
    __m256i w = ft_bf16_words_avx2(v);
    return _mm_packus_epi32(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1));
}

#endif
