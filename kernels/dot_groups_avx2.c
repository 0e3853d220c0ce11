/* dot_groups_avx2.c: as dot_groups_ref.c, eight rows of a group in the lanes of a register. Bytes
 * are multiplied by vpmaddubsw, which takes one side without sign and adds pairs in sixteen bits:
 * 2 * 15 * 127 for nibbles, and 2 * 128 * 127 for bytes whose sign is moved to x, are not too
 * large for them. */
#include "kernels/groups.h"
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { MOST = 4, LANES = 8 };

INLINE __m256 halves(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

INLINE __m128i load8(const uint8_t *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

INLINE __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE __m256 unsigned_bytes(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load8(p)));
}

INLINE __m256 signed_bytes(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load8(p)));
}

INLINE int has_min(const enum ft_groups type)
{
    return type != FT_NIBBLES && type != FT_BYTES && type != FT_BYTES_K16;
}

/* As in dot_groups_avx512.c, of eight rows from `row` on. */
INLINE void scales_of(const enum ft_groups type, const uint8_t *s, const uint8_t *super,
                      const size_t row, __m256 d[2], __m256 *m)
{
    *m = _mm256_setzero_ps();
    if (type == FT_BYTES_K16) {
        d[0] = _mm256_mul_ps(halves(super + 2 * row), signed_bytes(s + row));
        d[1] = _mm256_mul_ps(halves(super + 2 * row), signed_bytes(s + FT_GROUP + row));
    } else if (ft_groups_are_k(type)) {
        d[0] = _mm256_mul_ps(halves(super + 2 * row), unsigned_bytes(s + row));
        *m = _mm256_mul_ps(halves(super + 2 * (FT_GROUP + row)),
                           unsigned_bytes(s + FT_GROUP + row));
        *m = _mm256_xor_ps(*m, _mm256_set1_ps(-0.0f));
    } else {
        d[0] = halves(s + 2 * row);
        if (has_min(type))
            *m = halves(s + 2 * (FT_GROUP + row));
    }
}

INLINE __m256i four_bytes(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
}

/* sum + products of w, without sign, and x. */
INLINE __m256i add_products(__m256i sum, __m256i w, __m256i x)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x),
                                                   _mm256_set1_epi16(1)));
}

INLINE void nibble_sums(const enum ft_groups type, const size_t M, const ft_block_s8 *x, size_t ldx,
                        const uint8_t *codes, __m256i sum[MOST])
{
    const __m256i low = _mm256_set1_epi8(15);
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++)
        sum[i] = type == FT_NIBBLES
                     ? _mm256_sub_epi32(_mm256_setzero_si256(),
                                        _mm256_slli_epi32(_mm256_set1_epi32(x[i * ldx].sum), 3))
                     : _mm256_setzero_si256();
#pragma GCC unroll 4
    for (size_t t = 0; t < 4; t++) {
        __m256i both = load32(codes + 64 * t);
        __m256i a = _mm256_and_si256(both, low);
        __m256i b = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
#pragma GCC unroll 4
        for (size_t i = 0; i < M; i++) {
            sum[i] = add_products(sum[i], a, four_bytes(x[i * ldx].q + 4 * t));
            sum[i] = add_products(sum[i], b, four_bytes(x[i * ldx].q + 16 + 4 * t));
        }
    }
}

/* Of the words [from, to). */
INLINE void byte_sums(const size_t M, const ft_block_s8 *x, size_t ldx, const uint8_t *codes,
                      const size_t from, const size_t to, __m256i sum[MOST])
{
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++)
        sum[i] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (size_t t = from; t < to; t++) {
        __m256i w = _mm256_xor_si256(load32(codes + 64 * t), _mm256_set1_epi8(-128));
        __m256i size = _mm256_abs_epi8(w);
#pragma GCC unroll 4
        for (size_t i = 0; i < M; i++)
            sum[i] = add_products(sum[i], size,
                                  _mm256_sign_epi8(four_bytes(x[i * ldx].q + 4 * t), w));
    }
}

/* sum += the block's sums times d times the scales of x. */
INLINE void add_block(const size_t M, const ft_block_s8 *x, size_t ldx, const __m256i whole[MOST],
                      __m256 d, __m256 sum[MOST])
{
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++)
        sum[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole[i]),
                                 _mm256_mul_ps(d, _mm256_set1_ps(x[i * ldx].scale)), sum[i]);
}

/* M rows of x with eight rows of the group at w, from `row` on, of which `n` there are. */
INLINE void eight(const enum ft_groups type, const size_t M, const ft_block_s8 *x, size_t ldx,
                  const uint8_t *w, size_t k, const size_t row, size_t n, float *y, size_t ldy)
{
    const size_t code_bytes = ft_groups_code_bytes(type), scale_bytes = ft_groups_scale_bytes(type);
    const uint8_t *codes = w + 4 * row, *scales = w + ft_groups_scales_at(type, k);
    const uint8_t *supers = w + ft_groups_supers_at(type, k);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i here = _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lanes);
    __m256 sum[MOST];
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++)
        sum[i] = _mm256_setzero_ps();
    for (size_t b = 0; b < k / 32; b++, x++, codes += code_bytes, scales += scale_bytes) {
        __m256i whole[MOST];
        __m256 d[2], m;
        scales_of(type, scales, supers + b / 8 * ft_groups_super_bytes(type), row, d, &m);
        if (ft_groups_in_nibbles(type))
            nibble_sums(type, M, x, ldx, codes, whole);
        else
            byte_sums(M, x, ldx, codes, 0, type == FT_BYTES_K16 ? 4 : 8, whole);
        add_block(M, x, ldx, whole, d[0], sum);
        if (type == FT_BYTES_K16) {
            byte_sums(M, x, ldx, codes, 4, 8, whole);
            add_block(M, x, ldx, whole, d[1], sum);
        }
        if (!has_min(type))
            continue;
#pragma GCC unroll 4
        for (size_t i = 0; i < M; i++)
            sum[i] = _mm256_fmadd_ps(m, _mm256_set1_ps(x[i * ldx].offset), sum[i]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < M; i++)
        _mm256_maskstore_ps(y + i * ldy, here, sum[i]);
}

INLINE void groups(const enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
                   const uint8_t *w, size_t n, size_t k, float *y, size_t ldy)
{
    for (size_t j = 0; j < n; j += FT_GROUP, w += ft_groups_bytes(type, k)) {
        size_t i = 0, left = n - j < FT_GROUP ? n - j : FT_GROUP;
#define ROWS(M)                                                                                   \
    for (; i + (M) <= m; i += (M)) {                                                              \
        float *to = y + i * ldy + j;                                                              \
        eight(type, M, x + i * ldx, ldx, w, k, 0, left, to, ldy);                                 \
        if (left > LANES)                                                                         \
            eight(type, M, x + i * ldx, ldx, w, k, LANES, left - LANES, to + LANES, ldy);         \
    }
        ROWS(4)
        ROWS(1)
#undef ROWS
    }
}

void ft_k_dot_groups_avx2(enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
                          const void *w, size_t n, size_t k, float *y, size_t ldy)
{
#define CASE(T) case T: groups(T, x, ldx, m, w, n, k, y, ldy); break
    switch (type) {
        CASE(FT_NIBBLES);
        CASE(FT_NIBBLES_MIN);
        CASE(FT_BYTES);
        CASE(FT_BYTES_MIN);
        CASE(FT_NIBBLES_K);
        CASE(FT_BYTES_K);
        CASE(FT_BYTES_K16);
    }
#undef CASE
}

/* ---- rows of x in blocks ---- */

INLINE uint32_t largest_of(const __m256 v[4])
{
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_setzero_si256();
    __m128i half;
    for (int i = 0; i < 4; i++)
        most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(v[i]), mask));
    half = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

INLINE int32_t sum_of(__m256i v)
{
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

void ft_k_to_blocks_s8_avx2(const float *x, ft_block_s8 *to, size_t n)
{
    for (ft_block_s8 *b = to; b < to + n / 32; b++, x += 32) {
        __m256 v[4];
        __m256i q[4];
        float inverse;
        for (size_t i = 0; i < 4; i++)
            v[i] = _mm256_loadu_ps(x + 8 * i);
        b->scale = ft_scale_s8(largest_of(v), &inverse);
        for (int i = 0; i < 4; i++)
            q[i] = inverse == 0 ? _mm256_setzero_si256()
                                : _mm256_cvtps_epi32(
                                      _mm256_mul_ps(v[i], _mm256_set1_ps(inverse)));
        b->first = sum_of(_mm256_add_epi32(q[0], q[1]));
        b->sum = b->first + sum_of(_mm256_add_epi32(q[2], q[3]));
        b->offset = b->scale * (float)b->sum;
        for (size_t i = 0; i < 4; i += 2) {
            __m256i words = _mm256_packs_epi32(q[i], q[i + 1]);
            words = _mm256_permute4x64_epi64(words, 0xd8);
            __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words),
                                            _mm256_extracti128_si256(words, 1));
            _mm_storeu_si128((__m128i *)(void *)(b->q + 8 * i), bytes);
        }
    }
}
