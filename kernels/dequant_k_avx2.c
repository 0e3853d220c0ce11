/* dequant_k_avx2.c: as dequant_k_ref.c, the same bits (products are rounded before the minimum is
 * subtracted). */
#include "kernels/k_scales.h"
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

static float half_at(const uint8_t *p)
{
    unsigned short h;
    memcpy(&h, p, sizeof h);
    return _cvtsh_ss(h);
}

static __m256i load32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* Each byte shifted right by `by` and cut to the bits of `mask`. */
static __m256i bits_of(__m256i b, size_t by, char mask)
{
    return _mm256_and_si256(_mm256_srl_epi16(b, _mm_cvtsi32_si128((int)by)),
                            _mm256_set1_epi8(mask));
}

/* Floats 8 k to 8 k + 7 of 32 bytes. */
static __m256 eighth(__m256i b, size_t k)
{
    __m128i half = k < 2 ? _mm256_castsi256_si128(b) : _mm256_extracti128_si256(b, 1);
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(k % 2 ? _mm_srli_si128(half, 8) : half));
}

/* dst = scale * q - min, with the super-block's d and dmin at p and its sub-scales behind them. */
static void scaled(const uint8_t *p, size_t j, __m256i q, float *dst)
{
    float scale, min;
    scale_and_min(p + 4, j, &scale, &min);
    __m256 s = _mm256_set1_ps(scale * half_at(p)), m = _mm256_set1_ps(min * half_at(p + 2));
#pragma GCC unroll 4
    for (size_t k = 0; k < 4; k++)
        _mm256_storeu_ps(dst + 8 * k, _mm256_sub_ps(_mm256_mul_ps(s, eighth(q, k)), m));
}

void ft_k_dequant_q4_k_avx2(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 144;
        size_t j = from % 256 / 32;
        scaled(p, j, bits_of(load32(p + 16 + j / 2 * 32), j % 2 * 4, 15), dst);
    }
}

void ft_k_dequant_q5_k_avx2(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 176;
        size_t j = from % 256 / 32;
        __m256i low = bits_of(load32(p + 48 + j / 2 * 32), j % 2 * 4, 15);
        __m256i high = _mm256_slli_epi16(bits_of(load32(p + 16), j, 1), 4);
        scaled(p, j, _mm256_or_si256(low, high), dst);
    }
}

void ft_k_dequant_q6_k_avx2(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 210;
        size_t half = from % 256 / 128, j = from % 128 / 32;
        const int8_t *scales = (const int8_t *)p + 192 + half * 8 + j * 2;
        __m256i low = bits_of(load32(p + half * 64 + j % 2 * 32), j / 2 * 4, 15);
        __m256i high = _mm256_slli_epi16(bits_of(load32(p + 128 + half * 32), 2 * j, 3), 4);
        __m256i q = _mm256_sub_epi8(_mm256_or_si256(low, high), _mm256_set1_epi8(32));
        float d = half_at(p + 208);
        __m256 first = _mm256_set1_ps(d * (float)scales[0]);
        __m256 last = _mm256_set1_ps(d * (float)scales[1]);
#pragma GCC unroll 4
        for (size_t k = 0; k < 4; k++)
            _mm256_storeu_ps(dst + 8 * k, _mm256_mul_ps(k < 2 ? first : last, eighth(q, k)));
    }
}
