/* dequant_avx512.c: as dequant_ref.c, the same bits (products are rounded before m is added). */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

static __m512 scale_at(const uint8_t *p, size_t at)
{
    unsigned short h;
    memcpy(&h, p + at, sizeof h);
    return _mm512_set1_ps(_cvtsh_ss(h));
}

static __m512 floats_of(__m128i bytes)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

static __m128i load16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static __m128i low_nibbles(__m128i b)
{
    return _mm_and_si128(b, _mm_set1_epi8(15));
}

static __m128i high_nibbles(__m128i b)
{
    return low_nibbles(_mm_srli_epi16(b, 4));
}

void ft_k_dequant_f16_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(dst + i, _mm512_cvtph_ps(
            _mm256_loadu_si256((const __m256i *)(const void *)(p + 2 * i))));
    ft_k_dequant_f16_ref(p + 2 * i, dst + i, n - i);
}

void ft_k_dequant_bf16_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)(p + 2 * i));
        _mm512_storeu_ps(dst + i, _mm512_castsi512_ps(
            _mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16)));
    }
    ft_k_dequant_bf16_ref(p + 2 * i, dst + i, n - i);
}

void ft_k_dequant_q8_0_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 34) {
        __m512 d = scale_at(p, 0);
        _mm512_storeu_ps(dst + i, _mm512_mul_ps(d, floats_of(load16(p + 2))));
        _mm512_storeu_ps(dst + i + 16, _mm512_mul_ps(d, floats_of(load16(p + 18))));
    }
}

void ft_k_dequant_q4_0_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    const __m128i eight = _mm_set1_epi8(8);
    for (size_t i = 0; i < n; i += 32, p += 18) {
        __m512 d = scale_at(p, 0);
        __m128i b = load16(p + 2);
        __m512 low = floats_of(_mm_sub_epi8(low_nibbles(b), eight));
        __m512 high = floats_of(_mm_sub_epi8(high_nibbles(b), eight));
        _mm512_storeu_ps(dst + i, _mm512_mul_ps(d, low));
        _mm512_storeu_ps(dst + i + 16, _mm512_mul_ps(d, high));
    }
}

void ft_k_dequant_q4_1_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 20) {
        __m512 d = scale_at(p, 0), m = scale_at(p, 2);
        __m128i b = load16(p + 4);
        __m512 low = _mm512_mul_ps(d, floats_of(low_nibbles(b)));
        __m512 high = _mm512_mul_ps(d, floats_of(high_nibbles(b)));
        _mm512_storeu_ps(dst + i, _mm512_add_ps(low, m));
        _mm512_storeu_ps(dst + i + 16, _mm512_add_ps(high, m));
    }
}

/* 32 codes of five bits, less `less`, as floats: nibbles at p, fifth bits at high. */
static void five_bits(const uint8_t *p, const uint8_t *high, char less, __m512 out[2])
{
    __m128i b = load16(p);
    __m256i q = _mm256_set_m128i(high_nibbles(b), low_nibbles(b));
    uint32_t bits;
    memcpy(&bits, high, sizeof bits);
    q = _mm256_or_si256(q, _mm256_maskz_set1_epi8(bits, 16));
    q = _mm256_sub_epi8(q, _mm256_set1_epi8(less));
    out[0] = floats_of(_mm256_castsi256_si128(q));
    out[1] = floats_of(_mm256_extracti128_si256(q, 1));
}

void ft_k_dequant_q5_0_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 22) {
        __m512 d = scale_at(p, 0), q[2];
        five_bits(p + 6, p + 2, 16, q);
        _mm512_storeu_ps(dst + i, _mm512_mul_ps(d, q[0]));
        _mm512_storeu_ps(dst + i + 16, _mm512_mul_ps(d, q[1]));
    }
}

void ft_k_dequant_q5_1_avx512(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 24) {
        __m512 d = scale_at(p, 0), m = scale_at(p, 2), q[2];
        five_bits(p + 8, p + 4, 0, q);
        _mm512_storeu_ps(dst + i, _mm512_add_ps(_mm512_mul_ps(d, q[0]), m));
        _mm512_storeu_ps(dst + i + 16, _mm512_add_ps(_mm512_mul_ps(d, q[1]), m));
    }
}
