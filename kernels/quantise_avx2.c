/* quantise_avx2.c: as gemm_s8_ref.c, rows and panels of bytes; the same bits. */
#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"
#include "kernels/transpose_avx2.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void store(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

/* Elements [at, at + 8) of a row of n; zeros behind its end. */
INLINE __m256 load_at(const float *x, size_t n, size_t at)
{
    return at < n ? ft_load_avx2(x + at, n - at, 0) : _mm256_setzero_ps();
}

INLINE __m256i magnitude(__m256 x)
{
    return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

INLINE uint32_t largest(const float *x, size_t n)
{
    __m256i m0 = _mm256_setzero_si256(), m1 = m0;
    __m128i h;
    for (size_t i = 0; i < n; i += 16) {
        m0 = _mm256_max_epi32(m0, magnitude(load_at(x, n, i)));
        m1 = _mm256_max_epi32(m1, magnitude(load_at(x, n, i + 8)));
    }
    m0 = _mm256_max_epi32(m0, m1);
    h = _mm_max_epi32(_mm256_castsi256_si128(m0), _mm256_extracti128_si256(m0, 1));
    h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0x4e));
    h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(h);
}

/* Bytes of four registers. In lane l of 128 bits the words are a, b, c and d's four bytes of that
 * lane. */
INLINE __m256i bytes_of(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
}

INLINE __m256i words_of(__m256 x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse));
}

/* Up to 32 numbers of a row, in the order of bytes_of. */
INLINE __m256i quantised(const float *x, size_t left, __m256 inverse)
{
    return bytes_of(words_of(load_at(x, left, 0), inverse), words_of(load_at(x, left, 8), inverse),
                    words_of(load_at(x, left, 16), inverse),
                    words_of(load_at(x, left, 24), inverse));
}

float ft_k_quantise_row_s8_avx2(const float *x, uint8_t *q, size_t n)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    float inverse, scale = ft_scale_s8(largest(x, n), &inverse);
    __m256 by = _mm256_set1_ps(inverse);
    if (inverse == 0) {
        memset(q, 128, n);
        return scale;
    }
    for (size_t i = 0; i < n; i += 32) {
        uint8_t last[32];
        __m256i bytes = _mm256_permutevar8x32_epi32(quantised(x + i, n - i, by), order);
        bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
        store(n - i < 32 ? last : q + i, bytes);
        if (n - i < 32)
            memcpy(q + i, last, n - i);
    }
    return scale;
}

/* Adds the four bytes of each column. */
INLINE __m256i add_bytes(__m256i sum, __m256i bytes)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* offset[0..n) = 128 sum, n <= 8. */
INLINE void put_offsets(int32_t *offset, size_t n, __m256i sum)
{
    int32_t all[8];
    store(all, _mm256_slli_epi32(sum, 7));
    memcpy(offset, all, (n < 8 ? n : 8) * sizeof *all);
}

/* n <= 8 source rows by all of k into eight columns of the panel. */
INLINE void pack_strip(const float *src, size_t lds, size_t n, size_t k, size_t width,
                       int8_t *panel, float *scale, int32_t *offset)
{
    float inverse[8] = {0};
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i++)
        scale[i] = ft_scale_s8(largest(src + i * lds, k), inverse + i);
    for (size_t p = 0; p < k; p += 32) {
        size_t left = k - p, groups = left < 32 ? (left + 3) / 4 : 8;
        __m256i r[8];
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            r[i] = inverse[i] != 0
                       ? quantised(src + i * lds + p, left, _mm256_set1_ps(inverse[i]))
                       : _mm256_setzero_si256();
        ft_transpose8(r);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++) {
            size_t group = i % 4 * 2 + i / 4;      /* by the order of bytes_of */
            sum = add_bytes(sum, r[i]);
            if (group < groups)
                store(panel + (p / 4 + group) * width * 4, r[i]);
        }
    }
    put_offsets(offset, n, sum);
}

/* Eight columns of the panel that have no source. */
INLINE void pack_nothing(size_t k, size_t width, int8_t *panel)
{
    for (size_t p = 0; p < k; p += 4, panel += 4 * width)
        store(panel, _mm256_setzero_si256());
}

void ft_k_pack_rows_s8_avx2(const float *src, size_t lds, size_t n, size_t k, void *panel,
                            float *scale, int32_t *offset)
{
    size_t width = FT_PANEL_WIDTH(n), j = 0;
    for (; j < n; j += 8)
        pack_strip(src + j * lds, lds, n - j < 8 ? n - j : 8, k, width, (int8_t *)panel + 4 * j,
                   scale + j, offset + j);
    if (j < width)
        pack_nothing(k, width, (int8_t *)panel + 4 * j);
}

/* Eight numbers of row p, for columns that have a scale; zeros below the last row. */
INLINE __m256i column_words(const float *x, size_t lds, size_t n, size_t p, size_t k, __m256 has,
                            __m256 inverse)
{
    if (p >= k)
        return _mm256_setzero_si256();
    return words_of(_mm256_and_ps(ft_load_avx2(x + p * lds, n, 0), has), inverse);
}

/* Up to eight columns of src by all of k into eight of the panel. */
INLINE void pack_columns(const float *x, size_t lds, size_t n, size_t k, size_t width,
                         int8_t *panel, float *scale, int32_t *offset)
{
    const __m256i turn = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m256i max = _mm256_setzero_si256(), sum = max;
    __m256 by, has;
    uint32_t largest_of[8];
    float inverse[8] = {0};
    for (size_t p = 0; p < k; p++)
        max = _mm256_max_epi32(max, magnitude(ft_load_avx2(x + p * lds, n, 0)));
    store(largest_of, max);
    for (size_t j = 0; j < n && j < 8; j++)
        scale[j] = ft_scale_s8(largest_of[j], inverse + j);
    by = _mm256_loadu_ps(inverse);
    has = _mm256_cmp_ps(by, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    for (size_t p = 0; p < k; p += 4, panel += 4 * width) {
        __m256i a = column_words(x, lds, n, p, k, has, by);
        __m256i b = column_words(x, lds, n, p + 1, k, has, by);
        __m256i c = column_words(x, lds, n, p + 2, k, has, by);
        __m256i d = column_words(x, lds, n, p + 3, k, has, by);
        __m256i bytes = _mm256_shuffle_epi8(bytes_of(a, b, c, d), turn);
        sum = add_bytes(sum, bytes);
        store(panel, bytes);
    }
    put_offsets(offset, n, sum);
}

void ft_k_pack_cols_s8_avx2(const float *src, size_t lds, size_t n, size_t k, void *panel,
                            float *scale, int32_t *offset)
{
    size_t width = FT_PANEL_WIDTH(n), j = 0;
    for (; j < n; j += 8)
        pack_columns(src + j, lds, n - j, k, width, (int8_t *)panel + 4 * j, scale + j,
                     offset + j);
    if (j < width)
        pack_nothing(k, width, (int8_t *)panel + 4 * j);
}
