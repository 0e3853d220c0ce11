/* dequant_ref.c: weights of GGUF's types to float. Layouts: lib/model/quant.h. */
#include "kernels/kernels_internal.h"

#include <string.h>

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Half to float is exact; signalling NaNs become quiet, as the processor's instruction does it. */
static float half_at(const uint8_t *p)
{
    uint32_t h = (uint32_t)(p[0] | p[1] << 8);
    uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    if (exponent == 0)      /* zero and subnormals: mantissa * 2^-24 */
        return float_of(sign) + (sign ? -0x1p-24f : 0x1p-24f) * (float)mantissa;
    if (exponent == 31)
        return float_of(sign | 0x7f800000 | (mantissa ? 0x400000 : 0) | mantissa << 13);
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

void ft_k_dequant_f16_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++)
        dst[i] = half_at(p + 2 * i);
}

void ft_k_dequant_bf16_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++)
        dst[i] = float_of((uint32_t)p[2 * i] << 16 | (uint32_t)p[2 * i + 1] << 24);
}

void ft_k_dequant_q8_0_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 34) {
        float d = half_at(p);
        for (size_t j = 0; j < 32; j++)
            dst[i + j] = d * (float)(int8_t)p[2 + j];
    }
}

void ft_k_dequant_q4_0_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 18) {
        float d = half_at(p);
        for (size_t j = 0; j < 16; j++) {
            dst[i + j] = d * (float)((p[2 + j] & 15) - 8);
            dst[i + j + 16] = d * (float)((p[2 + j] >> 4) - 8);
        }
    }
}

void ft_k_dequant_q4_1_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 20) {
        float d = half_at(p), m = half_at(p + 2);
        for (size_t j = 0; j < 16; j++) {
            dst[i + j] = d * (float)(p[4 + j] & 15) + m;
            dst[i + j + 16] = d * (float)(p[4 + j] >> 4) + m;
        }
    }
}
