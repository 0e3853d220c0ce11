/* fold_avx512.h: sums over the lanes of several registers at once.
 *
 * Each register is folded by halves, lane l with lane l + 8, then 4, 2 and 1, as
 * _mm512_reduce_add_ps does it: the same bits. Two registers share each addition, so sixteen cost
 * fifteen additions and not sixty-four. */
#ifndef FT_FOLD_AVX512_H
#define FT_FOLD_AVX512_H

#include <immintrin.h>
#include <stddef.h>

/* Lanes 0..7: a folded once, lanes 8..15: b. */
static inline __m512 fold_to_8(__m512 a, __m512 b)
{
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}

/* Quarter q: s[q] folded to four lanes. */
static inline __m512 fold_to_4(const __m512 s[4])
{
    __m512 a = fold_to_8(s[0], s[1]), b = fold_to_8(s[2], s[3]);
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

/* Quarter q: s[q] and s[q + 4], each folded to two lanes. */
static inline __m512 fold_to_2(const __m512 s[8])
{
    __m512d a = _mm512_castps_pd(fold_to_4(s)), b = _mm512_castps_pd(fold_to_4(s + 4));
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
}

/* Lane 4 q + c: the sum of s[q + 4 c]. */
static inline __m512 fold_16(const __m512 s[16])
{
    __m512 a = fold_to_2(s), b = fold_to_2(s + 8);
    return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

/* Lane i: the sum of s[i]. */
static inline __m256 fold_8(const __m512 s[8])
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512 a = fold_to_2(s);
    a = _mm512_add_ps(_mm512_shuffle_ps(a, a, 0x88), _mm512_shuffle_ps(a, a, 0xdd));
    return _mm512_castps512_ps256(_mm512_permutexvar_ps(order, a));
}

/* Lane i: the sum of s[i]. */
static inline __m128 fold_4(const __m512 s[4])
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    __m512 a = fold_to_4(s);
    a = _mm512_add_ps(a, _mm512_shuffle_ps(a, a, 0x4e));
    a = _mm512_add_ps(a, _mm512_shuffle_ps(a, a, 0xb1));
    return _mm512_castps512_ps128(_mm512_permutexvar_ps(order, a));
}

/* y[i * ldy + j] = the sum of s[i * R + j]; M x R is at most 16, R is 8, 4 or less than 4. */
static inline __attribute__((always_inline)) void
fold_block(const __m512 *s, const size_t M, const size_t R, float *y, size_t ldy)
{
    if (M == 4 && R == 4) {
        __m512 t[16], v;
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            t[i] = s[i % 4 * 4 + i / 4];
        v = fold_16(t);
        _mm_storeu_ps(y, _mm512_castps512_ps128(v));
        _mm_storeu_ps(y + ldy, _mm512_extractf32x4_ps(v, 1));
        _mm_storeu_ps(y + 2 * ldy, _mm512_extractf32x4_ps(v, 2));
        _mm_storeu_ps(y + 3 * ldy, _mm512_extractf32x4_ps(v, 3));
        return;
    }
    if (M * R == 16) {
        float sums[16];
        __m512 t[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            t[i / 4 + i % 4 * 4] = s[i];
        _mm512_storeu_ps(sums, fold_16(t));
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            y[i / R * ldy + i % R] = sums[i];
        return;
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < M; i++) {
        if (R == 8)
            _mm256_storeu_ps(y + i * ldy, fold_8(s + i * R));
        else if (R == 4)
            _mm_storeu_ps(y + i * ldy, fold_4(s + i * R));
        else
#pragma GCC unroll 4
            for (size_t j = 0; j < R; j++)
                y[i * ldy + j] = _mm512_reduce_add_ps(s[i * R + j]);
    }
}

#endif
