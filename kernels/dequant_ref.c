/* dequant_ref.c: weights of GGUF's types to float. Layouts: lib/model/quant.h. */
#include "kernels/kernels_internal.h"
#include "kernels/half_ref.h"

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

/* The fifth bits of a block's codes: bit i belongs to weight i. */
static int fifth_bit(const uint8_t *p, size_t i)
{
    return (p[i / 8] >> i % 8 & 1) << 4;
}

void ft_k_dequant_q5_0_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 22) {
        float d = half_at(p);
        for (size_t j = 0; j < 16; j++) {
            int low = (p[6 + j] & 15) | fifth_bit(p + 2, j);
            int high = p[6 + j] >> 4 | fifth_bit(p + 2, j + 16);
            dst[i + j] = d * (float)(low - 16);
            dst[i + j + 16] = d * (float)(high - 16);
        }
    }
}

void ft_k_dequant_q5_1_ref(const void *src, float *dst, size_t n)
{
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i += 32, p += 24) {
        float d = half_at(p), m = half_at(p + 2);
        for (size_t j = 0; j < 16; j++) {
            dst[i + j] = d * (float)((p[8 + j] & 15) | fifth_bit(p + 4, j)) + m;
            dst[i + j + 16] = d * (float)(p[8 + j] >> 4 | fifth_bit(p + 4, j + 16)) + m;
        }
    }
}
