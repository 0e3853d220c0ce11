#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

static inline __m256 sigmoid(__m256 g)
{
    __m256 one = _mm256_set1_ps(1.0f);
    __m256 e = ft_exp_avx2(_mm256_sub_ps(_mm256_setzero_ps(), g));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

void ft_k_swiglu_avx2(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        __m256 g = ft_load_avx2(gate + i, n - i, 0), u = ft_load_avx2(up + i, n - i, 0);
        ft_store_avx2(y + i, n - i, _mm256_mul_ps(_mm256_mul_ps(g, sigmoid(g)), u));
    }
}

void ft_k_swiglu_back_avx2(const float *dy, const float *gate, const float *up, float *dgate,
                           float *dup, size_t n)
{
    __m256 one = _mm256_set1_ps(1.0f);
    for (size_t i = 0; i < n; i += 8) {
        __m256 g = ft_load_avx2(gate + i, n - i, 0), u = ft_load_avx2(up + i, n - i, 0);
        __m256 d = ft_load_avx2(dy + i, n - i, 0), s = sigmoid(g);
        __m256 slope = _mm256_fmadd_ps(g, _mm256_sub_ps(one, s), one);
        __m256 ds = _mm256_mul_ps(d, s);
        ft_store_avx2(dgate + i, n - i, _mm256_mul_ps(_mm256_mul_ps(ds, u), slope));
        ft_store_avx2(dup + i, n - i, _mm256_mul_ps(ds, g));
    }
}
