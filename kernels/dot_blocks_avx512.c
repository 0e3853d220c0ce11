/* dot_blocks_avx512.c: dot products of rows of x with weights that are still in their blocks. 32
 * weights at a time are decoded in registers, to the numbers that dequant_avx512.c gives, and added
 * in the order of dot_rows_avx512.c: the same bits as decoding first. In bf16 they are rounded as
 * to_bf16 does and added in the order of dot_rows_bf16_avx512.c.
 *
 * A few rows of weights, short and one behind the other, go side by side, which a processor's own
 * prefetching takes for many streams; so what comes next is asked for by hand, AHEAD bytes before
 * it is wanted (from 10 to 19 GB/s on one thread, for Q8_0). */
#include "kernels/fold_avx512.h"
#include "kernels/k_scales.h"
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { AHEAD = 6144, FAR_AHEAD = 12288, LINE = 64 };

enum type { Q4_0, Q4_1, Q8_0, Q4_K, Q6_K, F16, BF16 };

/* Bytes of 32 weights; of Q6_K 26.25, which is needed only to fetch about the right place. */
INLINE size_t bytes_of(const enum type type)
{
    return type == Q8_0 ? 34 : type == Q4_1 ? 20 : type == Q6_K ? 26 : type >= F16 ? 64 : 18;
}

INLINE size_t row_bytes(const enum type type, size_t k)
{
    return type == Q6_K ? k / 256 * 210 : k / 32 * bytes_of(type);
}

INLINE int is_wide(const enum type type)
{
    return type >= F16;
}

/* ---- decoding: weights [at, at + 32) of the row at p, sixteen in a register ---- */

typedef void decoder(const uint8_t *p, size_t at, __m512 w[2]);

/* The half at p in all lanes. Eight bytes are converted and one number kept, which is the fastest
 * way; every block has them from there on. */
INLINE __m512 half_at(const uint8_t *p)
{
    return _mm512_broadcastss_ps(
        _mm_cvtph_ps(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}

INLINE __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE __m512 floats_of(__m128i bytes)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

INLINE __m512 codes(void)
{
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* Nibbles as places in a table of the sixteen weights that a block can have. A permutation looks
 * at the four lowest bits of a place only. */
INLINE void look_up(const uint8_t *p, __m512 table, __m512 w[2])
{
    __m512i places = _mm512_cvtepu8_epi32(load16(p));
    w[0] = _mm512_permutexvar_ps(places, table);
    w[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(places, 4), table);
}

INLINE void q4_0(const uint8_t *p, size_t at, __m512 w[2])
{
    const __m512 eight = _mm512_set1_ps(8);
    p += at / 32 * 18;
    look_up(p + 2, _mm512_mul_ps(half_at(p), _mm512_sub_ps(codes(), eight)), w);
}

INLINE void q4_1(const uint8_t *p, size_t at, __m512 w[2])
{
    p += at / 32 * 20;
    look_up(p + 4, _mm512_add_ps(_mm512_mul_ps(half_at(p), codes()), half_at(p + 2)), w);
}

INLINE void q8_0(const uint8_t *p, size_t at, __m512 w[2])
{
    p += at / 32 * 34;
    __m512 d = half_at(p);
    w[0] = _mm512_mul_ps(d, floats_of(load16(p + 2)));
    w[1] = _mm512_mul_ps(d, floats_of(load16(p + 18)));
}

INLINE void q4_k(const uint8_t *p, size_t at, __m512 w[2])
{
    size_t j = at % 256 / 32;
    float scale, min;
    p += at / 256 * 144;
    scale_and_min(p + 4, j, &scale, &min);
    __m512 s = _mm512_mul_ps(_mm512_set1_ps(scale), half_at(p));
    __m512 m = _mm512_mul_ps(_mm512_set1_ps(min), half_at(p + 2));
    __m512 table = _mm512_sub_ps(_mm512_mul_ps(s, codes()), m);
    const uint8_t *q = p + 16 + j / 2 * 32;
    __m128i by = _mm_cvtsi32_si128((int)(j % 2 * 4));
    for (size_t i = 0; i < 2; i++)
        w[i] = _mm512_permutexvar_ps(
            _mm512_srl_epi32(_mm512_cvtepu8_epi32(load16(q + 16 * i)), by), table);
}

INLINE __m256i some_bits(__m256i b, size_t by, char mask)
{
    return _mm256_and_si256(_mm256_srl_epi16(b, _mm_cvtsi32_si128((int)by)),
                            _mm256_set1_epi8(mask));
}

/* The same for the half at the end of a block. */
INLINE __m512 last_half(const uint8_t *p)
{
    short h;
    memcpy(&h, p, sizeof h);
    return _mm512_cvtph_ps(_mm256_set1_epi16(h));
}

INLINE void q6_k(const uint8_t *p, size_t at, __m512 w[2])
{
    size_t half = at % 256 / 128, j = at % 128 / 32;
    p += at / 256 * 210;
    const int8_t *scales = (const int8_t *)p + 192 + half * 8 + j * 2;
    __m256i low = some_bits(load32(p + half * 64 + j % 2 * 32), j / 2 * 4, 15);
    __m256i high = _mm256_slli_epi16(some_bits(load32(p + 128 + half * 32), 2 * j, 3), 4);
    __m256i q = _mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32));
    __m512 d = last_half(p + 208);
    w[0] = _mm512_mul_ps(_mm512_mul_ps(d, _mm512_set1_ps(scales[0])),
                         floats_of(_mm256_castsi256_si128(q)));
    w[1] = _mm512_mul_ps(_mm512_mul_ps(d, _mm512_set1_ps(scales[1])),
                         floats_of(_mm256_extracti128_si256(q, 1)));
}

INLINE void f16(const uint8_t *p, size_t at, __m512 w[2])
{
    w[0] = _mm512_cvtph_ps(load32(p + 2 * at));
    w[1] = _mm512_cvtph_ps(load32(p + 2 * at + 32));
}

INLINE __m512 bf16_floats(__m256i h)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

INLINE void bf16(const uint8_t *p, size_t at, __m512 w[2])
{
    w[0] = bf16_floats(load32(p + 2 * at));
    w[1] = bf16_floats(load32(p + 2 * at + 32));
}

/* ---- products ---- */

INLINE void fetch(const uint8_t *p, size_t bytes, const int far)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < bytes; i += LINE)
        if (far)
            _mm_prefetch((const char *)p + FAR_AHEAD + i, _MM_HINT_T1);
        else
            _mm_prefetch((const char *)p + AHEAD + i, _MM_HINT_T0);
}

/* M rows of x by R rows of w, `stride` bytes apart. */
INLINE void block(const enum type type, decoder *decode, const float *x, size_t ldx,
                  const size_t M, const uint8_t *w, size_t stride, const size_t R, size_t k,
                  float *y, size_t ldy)
{
    __m512 sum[16], a[16];
#pragma GCC unroll 16
    for (size_t i = 0; i < M * R; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t at = 0; at < k; at += 32) {
        fetch(w + at / 32 * R * bytes_of(type), R * bytes_of(type), is_wide(type));
#pragma GCC unroll 16
        for (size_t i = 0; i < 2 * M; i++)
            a[i] = _mm512_loadu_ps(x + i / 2 * ldx + at + i % 2 * 16);
#pragma GCC unroll 8
        for (size_t j = 0; j < R; j++) {
            __m512 v[2];
            decode(w + j * stride, at, v);
#pragma GCC unroll 8
            for (size_t i = 0; i < M; i++) {
                sum[i * R + j] = _mm512_fmadd_ps(a[2 * i], v[0], sum[i * R + j]);
                sum[i * R + j] = _mm512_fmadd_ps(a[2 * i + 1], v[1], sum[i * R + j]);
            }
        }
    }
    fold_block(sum, M, R, y, ldy);
}

/* The same, both sides in bf16. */
INLINE void block_bf16(const enum type type, decoder *decode, const uint16_t *x, size_t ldx,
                       const size_t M, const uint8_t *w, size_t stride, const size_t R, size_t k,
                       float *y, size_t ldy)
{
    __m512 sum[16];
#pragma GCC unroll 16
    for (size_t i = 0; i < M * R; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t at = 0; at < k; at += 32) {
        fetch(w + at / 32 * R * bytes_of(type), R * bytes_of(type), is_wide(type));
#pragma GCC unroll 8
        for (size_t j = 0; j < R; j++) {
            __m512bh pairs;
            __m512 v[2];
            if (type == BF16) {
                pairs = (__m512bh)_mm512_loadu_si512(w + j * stride + 2 * at);
            } else {
                decode(w + j * stride, at, v);
                pairs = _mm512_cvtne2ps_pbh(v[1], v[0]);
            }
#pragma GCC unroll 8
            for (size_t i = 0; i < M; i++)
                sum[i * R + j] = _mm512_dpbf16_ps(
                    sum[i * R + j], (__m512bh)_mm512_loadu_si512(x + i * ldx + at), pairs);
        }
    }
    fold_block(sum, M, R, y, ldy);
}

/* All rows of w against M rows of x, R at a time. */
#define BAND(BLOCK, T)                                                                            \
    INLINE void band_##BLOCK(const enum type type, decoder *decode, const T *x, size_t ldx,       \
                             const size_t M, const uint8_t *w, const size_t R, size_t n,          \
                             size_t k, float *y, size_t ldy)                                      \
    {                                                                                             \
        size_t j = 0, stride = row_bytes(type, k);                                                \
        for (; j + R <= n; j += R)                                                                \
            BLOCK(type, decode, x, ldx, M, w + j * stride, stride, R, k, y + j, ldy);             \
        for (; j < n; j++)                                                                        \
            BLOCK(type, decode, x, ldx, M, w + j * stride, stride, 1, k, y + j, ldy);             \
    }
BAND(block, float)
BAND(block_bf16, uint16_t)

/* One row of x: wide types are bound by memory and come fastest when they are read from end to end;
 * with the others four rows hide the latencies of each other. */
#define ROWS(op, BLOCK, T, type, decode)                                                          \
    void ft_k_##op##_avx512(const T *x, size_t ldx, size_t m, const void *w, size_t n, size_t k,  \
                            float *y, size_t ldy)                                                 \
    {                                                                                             \
        for (; m >= 8; m -= 8, x += 8 * ldx, y += 8 * ldy)                                        \
            band_##BLOCK(type, decode, x, ldx, 8, w, 2, n, k, y, ldy);                            \
        for (; m >= 4; m -= 4, x += 4 * ldx, y += 4 * ldy)                                        \
            band_##BLOCK(type, decode, x, ldx, 4, w, 4, n, k, y, ldy);                            \
        for (; m >= 2; m -= 2, x += 2 * ldx, y += 2 * ldy)                                        \
            band_##BLOCK(type, decode, x, ldx, 2, w, 4, n, k, y, ldy);                            \
        if (m)                                                                                    \
            band_##BLOCK(type, decode, x, ldx, 1, w, is_wide(type) ? 1 : 4, n, k, y, ldy);        \
    }
#define BOTH(name, type)                                                                          \
    ROWS(dot_##name, block, float, type, name)                                                    \
    ROWS(dot_##name##_bf16, block_bf16, uint16_t, type, name)

BOTH(q4_0, Q4_0)
BOTH(q4_1, Q4_1)
BOTH(q8_0, Q8_0)
BOTH(q4_k, Q4_K)
BOTH(q6_k, Q6_K)
BOTH(f16, F16)
BOTH(bf16, BF16)
