/* dot_groups_avx512.c: as dot_groups_ref.c, the rows of a group in the lanes of a register. Weights
 * are read, and nibbles taken apart, once for up to eight rows of x. What comes next of them is
 * asked for by hand, every line of it (one row of x with nibbles from memory, on one thread:
 * 34 GB/s; without 12, with the lines of the codes alone 18). */
#include "kernels/groups.h"
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

enum { MOST = 8, AHEAD = 16384, LINE = 64 };

/* Four bytes of x, where they lie. */
typedef struct four {
    int8_t q[4];
} four;

/* sum += products of w, without sign, and four bytes of x in each lane. Not the intrinsic: gcc 12
 * copies its sums through memory. */
#define ADD_PRODUCTS(sum, w, at)                          \
    __asm__("vpdpbusd %2%{1to16%}, %1, %0"                \
            : "+v"(sum)                                   \
            : "v"(w), "m"(*(const four *)(const void *)(at)))

INLINE __m512 halves(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

INLINE __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

INLINE __m512 unsigned_bytes(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(load16(p)));
}

INLINE __m512 signed_bytes(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load16(p)));
}

INLINE int has_min(const enum ft_groups type)
{
    return type != FT_NIBBLES && type != FT_BYTES && type != FT_BYTES_K16;
}

/* What the block's sums are multiplied with: of all its codes, or of the first and other half; and
 * the minimum. */
INLINE void scales_of(const enum ft_groups type, const uint8_t *s, const uint8_t *super,
                      __m512 d[2], __m512 *m)
{
    *m = _mm512_setzero_ps();
    if (type == FT_BYTES_K16) {
        d[0] = _mm512_mul_ps(halves(super), signed_bytes(s));
        d[1] = _mm512_mul_ps(halves(super), signed_bytes(s + FT_GROUP));
    } else if (ft_groups_are_k(type)) {
        d[0] = _mm512_mul_ps(halves(super), unsigned_bytes(s));
        *m = _mm512_mul_ps(halves(super + (size_t)2 * FT_GROUP), unsigned_bytes(s + FT_GROUP));
        *m = _mm512_xor_ps(*m, _mm512_set1_ps(-0.0f));
    } else {
        d[0] = halves(s);
        if (has_min(type))
            *m = halves(s + (size_t)2 * FT_GROUP);
    }
}

/* -bias times a sum of x, what sums of products begin with: they end as those of c - bias. */
INLINE __m512i less_bias(const enum ft_groups type, __m512i sum)
{
    const unsigned by = type == FT_NIBBLES ? 3 : 7;
    if (ft_groups_bias(type) == 0)
        return _mm512_setzero_si512();
    return _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sum, by));
}

/* Sums of block b: first[i] of all codes and x row i, or of the first sixteen; then other[i]. */
INLINE void block_sums(const enum ft_groups type, const size_t M, const ft_block_s8 *x, size_t ldx,
                       const uint8_t *codes, __m512i first[MOST], __m512i other[MOST])
{
    const __m512i low = _mm512_set1_epi8(15);
    const size_t half = type == FT_BYTES_K16 ? 4 : 8;
#pragma GCC unroll 8
    for (size_t i = 0; i < M; i++) {
        const ft_block_s8 *at = x + i * ldx;
        __m512i sum = _mm512_set1_epi32(at->sum), part = _mm512_set1_epi32(at->first);
        first[i] = less_bias(type, half == 4 ? part : sum);
        if (half == 4)
            other[i] = less_bias(type, _mm512_sub_epi32(sum, part));
    }
    if (ft_groups_in_nibbles(type)) {
#pragma GCC unroll 4
        for (size_t t = 0; t < 4; t++) {
            __m512i both = _mm512_loadu_si512(codes + 64 * t);
            __m512i a = _mm512_and_si512(both, low);
            __m512i b = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
#pragma GCC unroll 8
            for (size_t i = 0; i < M; i++) {
                ADD_PRODUCTS(first[i], a, x[i * ldx].q + 4 * t);
                ADD_PRODUCTS(first[i], b, x[i * ldx].q + 16 + 4 * t);
            }
        }
        return;
    }
#pragma GCC unroll 8
    for (size_t t = 0; t < 8; t++) {
        __m512i w = _mm512_loadu_si512(codes + 64 * t);
#pragma GCC unroll 8
        for (size_t i = 0; i < M; i++)
            if (t < half)
                ADD_PRODUCTS(first[i], w, x[i * ldx].q + 4 * t);
            else
                ADD_PRODUCTS(other[i], w, x[i * ldx].q + 4 * t);
    }
}

INLINE void fetch(const uint8_t *p, const size_t bytes)
{
#pragma GCC unroll 9
    for (size_t i = 0; i < bytes; i += LINE)
        _mm_prefetch((const char *)p + AHEAD + i, _MM_HINT_T0);
}

/* M rows of x with the group at w, whose rows in `here` there are; fetching: what follows it. */
INLINE void group(const enum ft_groups type, const size_t M, const ft_block_s8 *x, size_t ldx,
                  const uint8_t *w, size_t k, int fetching, __mmask16 here, float *y, size_t ldy)
{
    const size_t code_bytes = ft_groups_code_bytes(type), scale_bytes = ft_groups_scale_bytes(type);
    const uint8_t *ahead = w, *scales = w + ft_groups_scales_at(type, k);
    const uint8_t *supers = w + ft_groups_supers_at(type, k);
    __m512 sum[MOST];
#pragma GCC unroll 8
    for (size_t i = 0; i < M; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t b = 0; b < k / 32; b++, x++, w += code_bytes, scales += scale_bytes) {
        __m512i first[MOST], other[MOST];
        __m512 d[2], m;
        if (fetching)
            fetch(ahead + b * (code_bytes + scale_bytes), code_bytes + scale_bytes);
        block_sums(type, M, x, ldx, w, first, other);
        scales_of(type, scales, supers + b / 8 * ft_groups_super_bytes(type), d, &m);
#pragma GCC unroll 8
        for (size_t i = 0; i < M; i++) {
            const ft_block_s8 *at = x + i * ldx;
            __m512 scale = _mm512_set1_ps(at->scale);
            sum[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(first[i]), _mm512_mul_ps(d[0], scale),
                                     sum[i]);
            if (type == FT_BYTES_K16)
                sum[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(other[i]),
                                         _mm512_mul_ps(d[1], scale), sum[i]);
            if (has_min(type))
                sum[i] = _mm512_fmadd_ps(m, _mm512_set1_ps(at->offset), sum[i]);
        }
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < M; i++)
        _mm512_mask_storeu_ps(y + i * ldy, here, sum[i]);
}

INLINE void groups(const enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
                   const uint8_t *w, size_t n, size_t k, float *y, size_t ldy)
{
    for (size_t j = 0; j < n; j += FT_GROUP, w += ft_groups_bytes(type, k)) {
        __mmask16 here = (__mmask16)(n - j < FT_GROUP ? (1u << (n - j)) - 1 : 0xffff);
        size_t i = 0;
#define ROWS(M)                                                                                   \
    for (; i + (M) <= m; i += (M))                                                                \
        group(type, M, x + i * ldx, ldx, w, k, i == 0, here, y + i * ldy + j, ldy)
        ROWS(8);
        ROWS(4);
        ROWS(2);
        ROWS(1);
#undef ROWS
    }
}

void ft_k_dot_groups_avx512(enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
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

INLINE __m512i magnitude(__m512 x)
{
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

void ft_k_to_blocks_s8_avx512(const float *x, ft_block_s8 *to, size_t n)
{
    for (ft_block_s8 *b = to; b < to + n / 32; b++, x += 32) {
        __m512 v[2] = {_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16)};
        __m512i most = _mm512_max_epu32(magnitude(v[0]), magnitude(v[1]));
        int32_t sum[2];
        float inverse;
        b->scale = ft_scale_s8(_mm512_reduce_max_epu32(most), &inverse);
        for (size_t i = 0; i < 2; i++) {
            __m512i q = inverse == 0 ? _mm512_setzero_si512()
                                     : _mm512_cvtps_epi32(
                                           _mm512_mul_ps(v[i], _mm512_set1_ps(inverse)));
            sum[i] = _mm512_reduce_add_epi32(q);
            _mm_storeu_si128((__m128i *)(void *)(b->q + 16 * i), _mm512_cvtepi32_epi8(q));
        }
        b->first = sum[0];
        b->sum = sum[0] + sum[1];
        b->offset = b->scale * (float)b->sum;
    }
}
