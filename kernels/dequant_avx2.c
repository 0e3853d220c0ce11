/* dequant_avx2.c: as dequant_ref.c, the same bits (products are rounded before m is added). */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

static __m256 scale_at(const uint8_t *p, size_t at)
{
    unsigned short h;
    memcpy(&h, p + at, sizeof h);
    return _mm256_set1_ps(_cvtsh_ss(h));
}

static __m256 floats_of(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}

/* 16 bytes of nibbles: the 16 low ones, then the 16 high ones. */
static void split_nibbles(const uint8_t *p, __m128i *low, __m128i *high)
{
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)p), mask = _mm_set1_epi8(15);
    *low = _mm_and_si128(b, mask);
    *high = _mm_and_si128(_mm_srli_epi16(b, 4), mask);
}

void ft_k_dequant_f16_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(
            _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * i))));
    ft_k_dequant_f16_ref(p + 2 * i, dst + i, n - i);
}

void ft_k_dequant_bf16_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(p + 2 * i));
        _mm256_storeu_ps(dst + i, _mm256_castsi256_ps(
            _mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)));
    }
    ft_k_dequant_bf16_ref(p + 2 * i, dst + i, n - i);
}

void ft_k_dequant_q8_0_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 34) {
        __m256 d = scale_at(p, 0);
        for (size_t j = 0; j < 32; j += 8)
            _mm256_storeu_ps(dst + i + j, _mm256_mul_ps(d, floats_of(
                _mm_loadl_epi64((const __m128i *)(const void *)(p + 2 + j)))));
    }
}

void ft_k_dequant_q4_0_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    const __m128i eight = _mm_set1_epi8(8);
    for (size_t i = 0; i < n; i += 32, p += 18) {
        __m256 d = scale_at(p, 0);
        __m128i q[2];
        split_nibbles(p + 2, &q[0], &q[1]);
        for (size_t j = 0; j < 2; j++) {
            __m128i b = _mm_sub_epi8(q[j], eight);
            _mm256_storeu_ps(dst + i + 16 * j, _mm256_mul_ps(d, floats_of(b)));
            _mm256_storeu_ps(dst + i + 16 * j + 8,
                             _mm256_mul_ps(d, floats_of(_mm_srli_si128(b, 8))));
        }
    }
}

void ft_k_dequant_q4_1_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 20) {
        __m256 d = scale_at(p, 0), m = scale_at(p, 2);
        __m128i q[2];
        split_nibbles(p + 4, &q[0], &q[1]);
        for (size_t j = 0; j < 2; j++) {
            __m256 a = _mm256_mul_ps(d, floats_of(q[j]));
            __m256 b = _mm256_mul_ps(d, floats_of(_mm_srli_si128(q[j], 8)));
            _mm256_storeu_ps(dst + i + 16 * j, _mm256_add_ps(a, m));
            _mm256_storeu_ps(dst + i + 16 * j + 8, _mm256_add_ps(b, m));
        }
    }
}

/* The fifth bits of 32 codes as bytes of 0 or 16. */
static __m256i fifth_bits(const uint8_t *p)
{
    const __m256i spread = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202,
                                              0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201);
    int bits;
    memcpy(&bits, p, sizeof bits);
    __m256i b = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(b, bit), _mm256_set1_epi8(16));
}

/* 32 codes of five bits as bytes: nibbles at p, fifth bits at high. */
static __m256i five_bits(const uint8_t *p, const uint8_t *high)
{
    __m128i low_half, high_half;
    split_nibbles(p, &low_half, &high_half);
    return _mm256_or_si256(_mm256_set_m128i(high_half, low_half), fifth_bits(high));
}

/* Floats 8 k to 8 k + 7 of 32 bytes. */
static __m256 eighth(__m256i b, size_t k)
{
    __m128i half = k < 2 ? _mm256_castsi256_si128(b) : _mm256_extracti128_si256(b, 1);
    return floats_of(k % 2 ? _mm_srli_si128(half, 8) : half);
}

void ft_k_dequant_q5_0_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 22) {
        __m256 d = scale_at(p, 0);
        __m256i q = _mm256_sub_epi8(five_bits(p + 6, p + 2), _mm256_set1_epi8(16));
#pragma GCC unroll 4
        for (size_t k = 0; k < 4; k++)
            _mm256_storeu_ps(dst + i + 8 * k, _mm256_mul_ps(d, eighth(q, k)));
    }
}

void ft_k_dequant_q5_1_avx2(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 24) {
        __m256 d = scale_at(p, 0), m = scale_at(p, 2);
        __m256i q = five_bits(p + 8, p + 4);
#pragma GCC unroll 4
        for (size_t k = 0; k < 4; k++)
            _mm256_storeu_ps(dst + i + 8 * k,
                             _mm256_add_ps(_mm256_mul_ps(d, eighth(q, k)), m));
    }
}
