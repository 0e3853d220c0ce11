/* transpose_avx512.h: the turn from rows to columns that packing needs. */
#ifndef FT_TRANSPOSE_AVX512_H
#define FT_TRANSPOSE_AVX512_H

#include <immintrin.h>

/* Transposes 16 x 16 words of 32 bits in four rounds of exchanges at distances 1, 2, 4, 8. */
static inline __attribute__((always_inline)) void ft_transpose16(__m512i r[16])
{
    __m512i t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* r[4g + c] now holds, for each 128-bit lane l, column 4l + c of rows 4g..4g+3. */
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++) {
        __m512i a = _mm512_shuffle_i32x4(r[c], r[c + 4], 0x44);
        __m512i b = _mm512_shuffle_i32x4(r[c], r[c + 4], 0xee);
        __m512i d = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], 0x44);
        __m512i e = _mm512_shuffle_i32x4(r[c + 8], r[c + 12], 0xee);
        t[c] = _mm512_shuffle_i32x4(a, d, 0x88);
        t[c + 4] = _mm512_shuffle_i32x4(a, d, 0xdd);
        t[c + 8] = _mm512_shuffle_i32x4(b, e, 0x88);
        t[c + 12] = _mm512_shuffle_i32x4(b, e, 0xdd);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        r[i] = t[i];
}

#endif
