#include "kernels/exp_avx512.h"
#include "kernels/kernels_internal.h"

float ft_k_max_avx512(const float *x, size_t n)
{
    __m512 m = _mm512_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = ft_tail_avx512(n - i);
        /* The second operand is given back when one is NaN: NaN is passed by. */
        m = _mm512_mask_max_ps(m, here, _mm512_maskz_loadu_ps(here, x + i), m);
    }
    return _mm512_reduce_max_ps(m);
}

/* x[i] = exp(x[i] * scale - shift) when store is set; returns the sum, kept in sixteen lanes for
 * blocks of 1024 and in double over the blocks. */
static inline double exp_pass(float *x, float scale, float shift, size_t n, int store)
{
    __m512 s = _mm512_set1_ps(scale), t = _mm512_set1_ps(shift);
    double sum = 0;
    for (size_t block = 0; block < n; block += 1024) {
        size_t end = block + 1024 < n ? block + 1024 : n;
        __m512 part = _mm512_setzero_ps();
        for (size_t i = block; i < end; i += 16) {
            __mmask16 here = ft_tail_avx512(end - i);
            __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, x + i), s);
            v = ft_exp_avx512(_mm512_sub_ps(v, t));
            if (store)
                _mm512_mask_storeu_ps(x + i, here, v);
            part = _mm512_mask_add_ps(part, here, part, v);
        }
        sum += (double)_mm512_reduce_add_ps(part);
    }
    return sum;
}

float ft_k_sum_exp_avx512(const float *x, float shift, size_t n)
{
    return (float)exp_pass((float *)(uintptr_t)x, 1.0f, shift, n, 0);
}

float ft_k_softmax_avx512(float *x, float scale, size_t n)
{
    float max = ft_k_max_avx512(x, n) * scale;
    double sum = exp_pass(x, scale, max, n, 1);
    __m512 inv = _mm512_set1_ps((float)(1 / sum));
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 here = ft_tail_avx512(n - i);
        _mm512_mask_storeu_ps(x + i, here, _mm512_mul_ps(_mm512_maskz_loadu_ps(here, x + i), inv));
    }
    return (float)(log(sum) + (double)max);
}

void ft_k_softmax_again_avx512(float *x, float scale, float lse, size_t n)
{
    (void)exp_pass(x, scale, lse, n, 1);
}
