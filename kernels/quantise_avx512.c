/* quantise_avx512.c: as gemm_s8_ref.c, rows and panels of bytes; the same bits. */
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"
#include "kernels/transpose_avx512.h"

#define INLINE static inline __attribute__((always_inline))

/* The lanes that hold elements [at, left) of a row. */
INLINE __mmask16 lanes(size_t left, size_t at)
{
    return (__mmask16)(left >= at + 16 ? 0xffff : left > at ? 0xffff >> (16 - (left - at)) : 0);
}

INLINE __m512i magnitude(__m512 x)
{
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

INLINE uint32_t largest(const float *x, size_t n)
{
    __m512i m0 = _mm512_setzero_si512(), m1 = m0, m2 = m0, m3 = m0;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        m0 = _mm512_max_epi32(m0, magnitude(_mm512_loadu_ps(x + i)));
        m1 = _mm512_max_epi32(m1, magnitude(_mm512_loadu_ps(x + i + 16)));
        m2 = _mm512_max_epi32(m2, magnitude(_mm512_loadu_ps(x + i + 32)));
        m3 = _mm512_max_epi32(m3, magnitude(_mm512_loadu_ps(x + i + 48)));
    }
    for (; i < n; i += 16)
        m0 = _mm512_max_epi32(m0, magnitude(_mm512_maskz_loadu_ps(lanes(n - i, 0), x + i)));
    m0 = _mm512_max_epi32(_mm512_max_epi32(m0, m1), _mm512_max_epi32(m2, m3));
    return (uint32_t)_mm512_reduce_max_epi32(m0);
}

/* Bytes of four registers. In lane l of 128 bits the words are a, b, c and d's four bytes of that
 * lane. */
INLINE __m512i bytes_of(__m512i a, __m512i b, __m512i c, __m512i d)
{
    return _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
}

/* Up to 64 numbers of a row, in the order of bytes_of. */
INLINE __m512i quantised(const float *x, size_t left, __m512 inverse)
{
    __m512i q[4];
#pragma GCC unroll 4
    for (size_t t = 0; t < 4; t++) {
        __m512 v = left >= 64 ? _mm512_loadu_ps(x + 16 * t)
                              : _mm512_maskz_loadu_ps(lanes(left, 16 * t), x + 16 * t);
        q[t] = _mm512_cvtps_epi32(_mm512_mul_ps(v, inverse));
    }
    return bytes_of(q[0], q[1], q[2], q[3]);
}

float ft_k_quantise_row_s8_avx512(const float *x, uint8_t *q, size_t n)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    float inverse, scale = ft_scale_s8(largest(x, n), &inverse);
    __m512 by = _mm512_set1_ps(inverse);
    if (inverse == 0) {
        memset(q, 128, n);
        return scale;
    }
    for (size_t i = 0; i < n; i += 64) {
        size_t left = n - i;
        __mmask64 here = left < 64 ? (1ull << left) - 1 : ~0ull;
        __m512i bytes = _mm512_permutexvar_epi32(order, quantised(x + i, left, by));
        _mm512_mask_storeu_epi8(q + i, here, _mm512_xor_si512(bytes, _mm512_set1_epi8(-128)));
    }
    return scale;
}

/* Adds the four bytes of each column. */
INLINE __m512i add_bytes(__m512i sum, __m512i bytes)
{
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), bytes);
}

/* n <= 16 source rows by all of k into sixteen columns of the panel. */
INLINE void pack_strip(const float *src, size_t lds, size_t n, size_t k, size_t width,
                       int8_t *panel, float *scale, int32_t *offset)
{
    float inverse[16] = {0};
    __m512i sum = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i++)
        scale[i] = ft_scale_s8(largest(src + i * lds, k), inverse + i);
    for (size_t p = 0; p < k; p += 64) {
        size_t left = k - p, groups = left < 64 ? (left + 3) / 4 : 16;
        __m512i r[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            r[i] = inverse[i] != 0
                       ? quantised(src + i * lds + p, left, _mm512_set1_ps(inverse[i]))
                       : _mm512_setzero_si512();
        ft_transpose16(r);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            size_t group = i % 4 * 4 + i / 4;      /* by the order of bytes_of */
            sum = add_bytes(sum, r[i]);
            if (group < groups)
                _mm512_storeu_si512(panel + (p / 4 + group) * width * 4, r[i]);
        }
    }
    _mm512_mask_storeu_epi32(offset, lanes(n, 0), _mm512_slli_epi32(sum, 7));
}

void ft_k_pack_rows_s8_avx512(const float *src, size_t lds, size_t n, size_t k, void *panel,
                              float *scale, int32_t *offset)
{
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t j = 0; j < n; j += 16)
        pack_strip(src + j * lds, lds, n - j < 16 ? n - j : 16, k, width, (int8_t *)panel + 4 * j,
                   scale + j, offset + j);
}

/* The largest magnitudes of 16 NV columns. */
INLINE void largest_of_columns(const size_t NV, const float *src, size_t lds, size_t k,
                               __mmask16 tail, uint32_t *max)
{
    __m512i m[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < NV; v++)
        m[v] = _mm512_setzero_si512();
    for (size_t p = 0; p < k; p++)
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++) {
            __mmask16 here = v + 1 < NV ? (__mmask16)0xffff : tail;
            m[v] = _mm512_max_epi32(
                m[v], magnitude(_mm512_maskz_loadu_ps(here, src + p * lds + 16 * v)));
        }
#pragma GCC unroll 4
    for (size_t v = 0; v < NV; v++)
        _mm512_storeu_si512(max + 16 * v, m[v]);
}

/* Sixteen numbers of row p < k, for columns that have a scale; zeros below the last row. */
INLINE __m512i column_words(const float *x, size_t lds, size_t p, size_t k, __mmask16 here,
                            __m512 inverse)
{
    if (p >= k)
        return _mm512_setzero_si512();
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(here, x + p * lds), inverse));
}

/* Writes 16 NV columns of the panel given 127 / max|x|. */
INLINE void columns(const size_t NV, const float *src, size_t lds, size_t k, __mmask16 tail,
                    const float *inverse, int8_t *panel, int32_t *offset)
{
    const __m512i turn = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i sum[4];
    __m512 by[4];
    __mmask16 here[4];
#pragma GCC unroll 4
    for (size_t v = 0; v < NV; v++) {
        sum[v] = _mm512_setzero_si512();
        by[v] = _mm512_loadu_ps(inverse + 16 * v);
        here[v] = _mm512_cmp_ps_mask(by[v], _mm512_setzero_ps(), _CMP_NEQ_UQ);
    }
    for (size_t p = 0; p < k; p += 4)
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++, panel += 64) {
            const float *x = src + 16 * v;
            __m512i a = column_words(x, lds, p, k, here[v], by[v]);
            __m512i b = column_words(x, lds, p + 1, k, here[v], by[v]);
            __m512i c = column_words(x, lds, p + 2, k, here[v], by[v]);
            __m512i d = column_words(x, lds, p + 3, k, here[v], by[v]);
            __m512i bytes = _mm512_shuffle_epi8(bytes_of(a, b, c, d), turn);
            sum[v] = add_bytes(sum[v], bytes);
            _mm512_storeu_si512(panel, bytes);
        }
#pragma GCC unroll 4
    for (size_t v = 0; v < NV; v++)
        _mm512_mask_storeu_epi32(offset + 16 * v, v + 1 < NV ? (__mmask16)0xffff : tail,
                                 _mm512_slli_epi32(sum[v], 7));
}

INLINE void pack_columns(const size_t NV, const float *src, size_t lds, size_t n, size_t k,
                         int8_t *panel, float *scale, int32_t *offset)
{
    __mmask16 tail = (__mmask16)(0xffff >> (16 * NV - n));
    uint32_t max[FT_PANEL];
    float inverse[FT_PANEL] = {0};
    largest_of_columns(NV, src, lds, k, tail, max);
    for (size_t j = 0; j < n; j++)
        scale[j] = ft_scale_s8(max[j], inverse + j);
    columns(NV, src, lds, k, tail, inverse, panel, offset);
}

void ft_k_pack_cols_s8_avx512(const float *src, size_t lds, size_t n, size_t k, void *panel,
                              float *scale, int32_t *offset)
{
    switch (FT_PANEL_WIDTH(n) / 16) {
    case 1: pack_columns(1, src, lds, n, k, panel, scale, offset); break;
    case 2: pack_columns(2, src, lds, n, k, panel, scale, offset); break;
    case 3: pack_columns(3, src, lds, n, k, panel, scale, offset); break;
    case 4: pack_columns(4, src, lds, n, k, panel, scale, offset); break;
    }
}
