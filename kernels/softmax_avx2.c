#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

float ft_k_max_avx2(const float *x, size_t n)
{
    __m256 m = _mm256_set1_ps(-INFINITY);
    __m128 h;
    for (size_t i = 0; i < n; i += 8)
        /* max_ps gives its second operand when one is NaN: like the reference, NaN is passed by. */
        m = _mm256_max_ps(ft_load_avx2(x + i, n - i, -INFINITY), m);
    h = _mm_max_ps(_mm256_castps256_ps128(m), _mm256_extractf128_ps(m, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}

/* x[i] = exp(x[i] * scale - shift) when store is set; returns the sum, kept in eight lanes for
 * blocks of 1024 and in double over the blocks. */
static inline double exp_pass(float *x, float scale, float shift, size_t n, int store)
{
    __m256 s = _mm256_set1_ps(scale), t = _mm256_set1_ps(shift);
    double sum = 0;
    for (size_t block = 0; block < n; block += 1024) {
        size_t end = block + 1024 < n ? block + 1024 : n;
        __m256 part = _mm256_setzero_ps();
        for (size_t i = block; i < end; i += 8) {
            __m256 v = _mm256_mul_ps(ft_load_avx2(x + i, end - i, 0), s);
            v = ft_exp_avx2(_mm256_sub_ps(v, t));
            if (store)
                ft_store_avx2(x + i, end - i, v);
            if (end - i < 8)
                v = _mm256_and_ps(v, _mm256_castsi256_ps(ft_tail_avx2(end - i)));
            part = _mm256_add_ps(part, v);
        }
        sum += (double)ft_sum_avx2(part);
    }
    return sum;
}

float ft_k_sum_exp_avx2(const float *x, float shift, size_t n)
{
    return (float)exp_pass((float *)(uintptr_t)x, 1.0f, shift, n, 0);
}

float ft_k_softmax_avx2(float *x, float scale, size_t n)
{
    float max = ft_k_max_avx2(x, n) * scale;
    double sum = exp_pass(x, scale, max, n, 1);
    __m256 inv = _mm256_set1_ps((float)(1 / sum));
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(x + i, n - i, _mm256_mul_ps(ft_load_avx2(x + i, n - i, 0), inv));
    return (float)(log(sum) + (double)max);
}

void ft_k_softmax_again_avx2(float *x, float scale, float lse, size_t n)
{
    (void)exp_pass(x, scale, lse, n, 1);
}
