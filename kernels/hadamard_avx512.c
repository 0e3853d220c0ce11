/* hadamard_avx512.c: as hadamard_ref.c, with the same additions in another order. */
#include "kernels/exp_avx512.h"
#include "kernels/kernels_internal.h"

#define INLINE static inline __attribute__((always_inline))

enum { BLOCK = FT_HADAMARD };

/* Lanes at distance h: sums in the lower, differences in the upper. */
INLINE __m512 lanes(__m512 x, __m512 other, __mmask16 upper)
{
    return _mm512_mask_sub_ps(_mm512_add_ps(x, other), upper, other, x);
}

INLINE __m512 within(__m512 x)
{
    x = lanes(x, _mm512_permute_ps(x, 0xb1), 0xaaaa);
    x = lanes(x, _mm512_permute_ps(x, 0x4e), 0xcccc);
    x = lanes(x, _mm512_shuffle_f32x4(x, x, 0xb1), 0xf0f0);
    return lanes(x, _mm512_shuffle_f32x4(x, x, 0x4e), 0xff00);
}

void ft_k_hadamard_avx512(float *x, size_t n)
{
    const __m512 scale = _mm512_set1_ps(0.125f);
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK) {
        __m512 a = within(_mm512_loadu_ps(x)), b = within(_mm512_loadu_ps(x + 16));
        __m512 c = within(_mm512_loadu_ps(x + 32)), d = within(_mm512_loadu_ps(x + 48));
        __m512 ab = _mm512_add_ps(a, b), a_b = _mm512_sub_ps(a, b);
        __m512 cd = _mm512_add_ps(c, d), c_d = _mm512_sub_ps(c, d);
        _mm512_storeu_ps(x, _mm512_mul_ps(_mm512_add_ps(ab, cd), scale));
        _mm512_storeu_ps(x + 16, _mm512_mul_ps(_mm512_add_ps(a_b, c_d), scale));
        _mm512_storeu_ps(x + 32, _mm512_mul_ps(_mm512_sub_ps(ab, cd), scale));
        _mm512_storeu_ps(x + 48, _mm512_mul_ps(_mm512_sub_ps(a_b, c_d), scale));
    }
}

/* Three rounds of butterflies over eight rows that are `step` rows apart. */
INLINE void eight(float *x, size_t ld, size_t step, __mmask16 here, __m512 scale)
{
    __m512 r[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        r[i] = _mm512_maskz_loadu_ps(here, x + i * step * ld);
#pragma GCC unroll 3
    for (size_t h = 1; h < 8; h *= 2)
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            if (!(i & h)) {
                __m512 sum = _mm512_add_ps(r[i], r[i + h]);
                r[i + h] = _mm512_sub_ps(r[i], r[i + h]);
                r[i] = sum;
            }
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        _mm512_mask_storeu_ps(x + i * step * ld, here, _mm512_mul_ps(r[i], scale));
}

void ft_k_hadamard_rows_avx512(float *x, size_t ld, size_t rows, size_t n)
{
    const __m512 one = _mm512_set1_ps(1), scale = _mm512_set1_ps(0.125f);
    for (; rows >= BLOCK; rows -= BLOCK, x += BLOCK * ld)
        for (size_t j = 0; j < n; j += 16) {
            __mmask16 here = ft_tail_avx512(n - j);
            for (size_t i = 0; i < 8; i++)
                eight(x + i * 8 * ld + j, ld, 1, here, one);
            for (size_t i = 0; i < 8; i++)
                eight(x + i * ld + j, ld, 8, here, scale);
        }
}
