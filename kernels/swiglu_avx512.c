#include "kernels/exp_avx512.h"
#include "kernels/kernels_internal.h"

static inline __m512 sigmoid(__m512 g)
{
    __m512 one = _mm512_set1_ps(1.0f);
    __m512 e = ft_exp_avx512(_mm512_sub_ps(_mm512_setzero_ps(), g));
    return _mm512_div_ps(one, _mm512_add_ps(one, e));
}

void ft_k_swiglu_avx512(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = ft_tail_avx512(n - i);
        __m512 g = _mm512_maskz_loadu_ps(here, gate + i), u = _mm512_maskz_loadu_ps(here, up + i);
        _mm512_mask_storeu_ps(y + i, here, _mm512_mul_ps(_mm512_mul_ps(g, sigmoid(g)), u));
    }
}

void ft_k_swiglu_back_avx512(const float *dy, const float *gate, const float *up, float *dgate,
                             float *dup, size_t n)
{
    __m512 one = _mm512_set1_ps(1.0f);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = ft_tail_avx512(n - i);
        __m512 g = _mm512_maskz_loadu_ps(here, gate + i), u = _mm512_maskz_loadu_ps(here, up + i);
        __m512 s = sigmoid(g), ds = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, dy + i), s);
        __m512 slope = _mm512_fmadd_ps(g, _mm512_sub_ps(one, s), one);
        _mm512_mask_storeu_ps(dgate + i, here, _mm512_mul_ps(_mm512_mul_ps(ds, u), slope));
        _mm512_mask_storeu_ps(dup + i, here, _mm512_mul_ps(ds, g));
    }
}
