/* exp_avx512.h: e^x of sixteen floats by the method of exp_ref.h, with fused multiply-add; the same
 * bits as exp_avx2.h. */
#ifndef FT_EXP_AVX512_H
#define FT_EXP_AVX512_H

#include "kernels/exp_ref.h"

#include <immintrin.h>
#include <stddef.h>

static inline __m512 ft_exp_avx512(__m512 x)
{
    __mmask16 low = _mm512_cmp_ps_mask(x, _mm512_set1_ps(FT_EXP_LOWEST), _CMP_LT_OQ);
    __mmask16 high = _mm512_cmp_ps_mask(x, _mm512_set1_ps(FT_EXP_HIGHEST), _CMP_GT_OQ);
    __m512 k = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(FT_EXP_LOG2E)),
                                    _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(k, _mm512_set1_ps(FT_EXP_LN2_HI), x);
    __m512 p = _mm512_set1_ps(1.0f / 5040);
    r = _mm512_fnmadd_ps(k, _mm512_set1_ps(FT_EXP_LN2_LO), r);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 720));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_scalef_ps(p, k);      /* p 2^k; NaN stays NaN */
    p = _mm512_mask_mov_ps(p, low, _mm512_setzero_ps());
    return _mm512_mask_mov_ps(p, high, _mm512_set1_ps(INFINITY));
}

/* The lanes of the last n floats, all for n >= 16. */
static inline __mmask16 ft_tail_avx512(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xffff : (1 << n) - 1);
}

#endif
