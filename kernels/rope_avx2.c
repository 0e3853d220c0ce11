#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

/* Four pairs (a, b) by (cos, sin): a c - b s and b c + a s are one multiply-add with signs that
 * take turns. */
static __m256 turn(__m256 x, __m256 angles, int back)
{
    __m256 c = _mm256_moveldup_ps(angles), s = _mm256_movehdup_ps(angles);
    __m256 crossed = _mm256_mul_ps(_mm256_permute_ps(x, 0xb1), s);
    return back ? _mm256_fmsubadd_ps(x, c, crossed) : _mm256_fmaddsub_ps(x, c, crossed);
}

void ft_k_rope_avx2(float *x, const float *cos_sin, size_t n)
{
    n &= ~(size_t)1;
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(x + i, n - i, turn(ft_load_avx2(x + i, n - i, 0),
                                         ft_load_avx2(cos_sin + i, n - i, 0), 0));
}

void ft_k_rope_back_avx2(float *x, const float *cos_sin, size_t n)
{
    n &= ~(size_t)1;
    for (size_t i = 0; i < n; i += 8)
        ft_store_avx2(x + i, n - i, turn(ft_load_avx2(x + i, n - i, 0),
                                         ft_load_avx2(cos_sin + i, n - i, 0), 1));
}
