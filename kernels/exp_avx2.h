/* exp_avx2.h: e^x of eight floats by the method of exp_ref.h, with fused multiply-add. */
#ifndef FT_EXP_AVX2_H
#define FT_EXP_AVX2_H

#include "kernels/exp_ref.h"

#include <immintrin.h>

static inline __m256 ft_exp_avx2(__m256 x)
{
    __m256 low = _mm256_cmp_ps(x, _mm256_set1_ps(FT_EXP_LOWEST), _CMP_LT_OQ);
    __m256 high = _mm256_cmp_ps(x, _mm256_set1_ps(FT_EXP_HIGHEST), _CMP_GT_OQ);
    __m256 k = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(FT_EXP_LOG2E)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(FT_EXP_LN2_HI), x);
    __m256 p = _mm256_set1_ps(1.0f / 5040), two_k;
    r = _mm256_fnmadd_ps(k, _mm256_set1_ps(FT_EXP_LN2_LO), r);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    two_k = _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127)), 23));
    p = _mm256_mul_ps(p, two_k);
    p = _mm256_andnot_ps(low, p);
    p = _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY), high);
    /* NaN: every comparison above is false and k is garbage; give the NaN back. */
    return _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* Lanes in a fixed order: folded by halves. */
static inline float ft_sum_avx2(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Loads and stores of the last n < 8 floats; absent lanes read as fill. */
static inline __m256i ft_tail_avx2(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline __m256 ft_load_avx2(const float *p, size_t n, float fill)
{
    if (n >= 8)
        return _mm256_loadu_ps(p);
    __m256i mask = ft_tail_avx2(n);
    return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask),
                            _mm256_castsi256_ps(mask));
}

static inline void ft_store_avx2(float *p, size_t n, __m256 v)
{
    if (n >= 8)
        _mm256_storeu_ps(p, v);
    else
        _mm256_maskstore_ps(p, ft_tail_avx2(n), v);
}

#endif
