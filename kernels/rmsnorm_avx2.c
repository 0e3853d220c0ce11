#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

#include <math.h>

float ft_k_rmsnorm_avx2(const float *x, const float *w, float eps, float *y, size_t n)
{
    double mean = ft_k_sum_squares_avx2(x, n) / (double)(n ? n : 1);
    float inv = (float)(1 / sqrt(mean + (double)eps));
    __m256 r = _mm256_set1_ps(inv);
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(y + i, n - i, _mm256_mul_ps(_mm256_mul_ps(ft_load_avx2(x + i, n - i, 0), r),
                                                  ft_load_avx2(w + i, n - i, 0)));
    return inv;
}

/* As the reference; the sum runs in two times four lanes of double. */
void ft_k_rmsnorm_back_avx2(const float *dy, const float *x, const float *w, float inv_rms,
                            float *dx, size_t n)
{
    __m256d low = _mm256_setzero_pd(), high = low;
    __m256 r = _mm256_set1_ps(inv_rms), shared;
    double lanes[4];
    for (size_t i = 0; i < n; i += 8) {
        __m256 v = ft_load_avx2(x + i, n - i, 0);
        __m256 d = _mm256_mul_ps(ft_load_avx2(dy + i, n - i, 0), ft_load_avx2(w + i, n - i, 0));
        low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(d)),
                              _mm256_cvtps_pd(_mm256_castps256_ps128(v)), low);
        high = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(d, 1)),
                               _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)), high);
    }
    _mm256_storeu_pd(lanes, _mm256_add_pd(low, high));
    shared = _mm256_set1_ps((float)((lanes[0] + lanes[1] + lanes[2] + lanes[3]) /
                                    (double)(n ? n : 1)) * inv_rms * inv_rms);
    for (size_t i = 0; i < n; i += 8) {
        __m256 v = ft_load_avx2(x + i, n - i, 0);
        __m256 d = _mm256_mul_ps(ft_load_avx2(dy + i, n - i, 0), ft_load_avx2(w + i, n - i, 0));
        __m256 part = _mm256_fnmadd_ps(v, shared, d);
        ft_store_avx2(dx + i, n - i, _mm256_fmadd_ps(r, part, ft_load_avx2(dx + i, n - i, 0)));
    }
}
