/* adamw_avx2.c: as adamw_ref.c, the same bits: products are rounded before they are added. */
#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

static inline __m256 mix(__m256 a, __m256 x, __m256 b, __m256 y)
{
    return _mm256_add_ps(_mm256_mul_ps(a, x), _mm256_mul_ps(b, y));
}

void ft_k_adamw_avx2(float *w, float *m, float *v, const float *g, size_t n, float lr, float beta1,
                     float beta2, float c1, float c2, float eps, float decay)
{
    __m256 b1 = _mm256_set1_ps(beta1), rest1 = _mm256_set1_ps(1 - beta1);
    __m256 b2 = _mm256_set1_ps(beta2), rest2 = _mm256_set1_ps(1 - beta2);
    for (size_t i = 0; i < n; i += 8) {
        size_t left = n - i;
        __m256 gi = ft_load_avx2(g + i, left, 0), wi = ft_load_avx2(w + i, left, 0);
        __m256 mi = mix(b1, ft_load_avx2(m + i, left, 0), rest1, gi);
        __m256 vi = mix(b2, ft_load_avx2(v + i, left, 0), _mm256_mul_ps(rest2, gi), gi);
        __m256 root = _mm256_sqrt_ps(_mm256_div_ps(vi, _mm256_set1_ps(c2)));
        __m256 step = _mm256_div_ps(_mm256_div_ps(mi, _mm256_set1_ps(c1)),
                                    _mm256_add_ps(root, _mm256_set1_ps(eps)));
        step = _mm256_add_ps(step, _mm256_mul_ps(_mm256_set1_ps(decay), wi));
        ft_store_avx2(m + i, left, mi);
        ft_store_avx2(v + i, left, vi);
        ft_store_avx2(w + i, left, _mm256_sub_ps(wi, _mm256_mul_ps(_mm256_set1_ps(lr), step)));
    }
}
