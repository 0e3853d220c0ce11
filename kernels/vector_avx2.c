#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

/* Sums in double, in eight lanes: the low and the high four of each load. */
static inline double fold(__m256d low, __m256d high)
{
    __m256d s = _mm256_add_pd(low, high);
    __m128d h = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

static inline double dot(const float *a, const float *b, size_t n)
{
    __m256d low = _mm256_setzero_pd(), high = low;
    for (size_t i = 0; i < n; i += 8) {
        __m256 x = ft_load_avx2(a + i, n - i, 0), y = ft_load_avx2(b + i, n - i, 0);
        low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x)),
                              _mm256_cvtps_pd(_mm256_castps256_ps128(y)), low);
        high = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)),
                               _mm256_cvtps_pd(_mm256_extractf128_ps(y, 1)), high);
    }
    return fold(low, high);
}

float ft_k_dot_avx2(const float *a, const float *b, size_t n)
{
    return (float)dot(a, b, n);
}

double ft_k_sum_squares_avx2(const float *x, size_t n)
{
    return dot(x, x, n);
}

void ft_k_axpy_avx2(float a, const float *x, float *y, size_t n)
{
    __m256 f = _mm256_set1_ps(a);
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(y + i, n - i, _mm256_fmadd_ps(f, ft_load_avx2(x + i, n - i, 0),
                                                    ft_load_avx2(y + i, n - i, 0)));
}

void ft_k_scale_avx2(float a, float *x, size_t n)
{
    __m256 f = _mm256_set1_ps(a);
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(x + i, n - i, _mm256_mul_ps(f, ft_load_avx2(x + i, n - i, 0)));
}
