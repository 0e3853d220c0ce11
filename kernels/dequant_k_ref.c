/* dequant_k_ref.c: GGUF's K types, super-blocks of 256 weights, in parts of 32. Layouts:
 * lib/model/quant.h. A part is a sub-block with one scale (Q6_K: two), so each can be decoded
 * without the rest of its super-block. */
#include "kernels/half_ref.h"
#include "kernels/k_scales.h"
#include "kernels/kernels_internal.h"

void ft_k_dequant_q4_k_ref(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 144;
        size_t j = from % 256 / 32;
        const uint8_t *q = p + 16 + j / 2 * 32;
        float scale, min;
        scale_and_min(p + 4, j, &scale, &min);
        scale *= half_at(p);
        min *= half_at(p + 2);
        for (size_t i = 0; i < 32; i++)
            dst[i] = scale * (float)(q[i] >> j % 2 * 4 & 15) - min;
    }
}

void ft_k_dequant_q5_k_ref(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 176;
        size_t j = from % 256 / 32;
        const uint8_t *high = p + 16, *q = p + 48 + j / 2 * 32;
        float scale, min;
        scale_and_min(p + 4, j, &scale, &min);
        scale *= half_at(p);
        min *= half_at(p + 2);
        for (size_t i = 0; i < 32; i++)
            dst[i] = scale * (float)((q[i] >> j % 2 * 4 & 15) | (high[i] >> j & 1) << 4) - min;
    }
}

void ft_k_dequant_q6_k_ref(const void *src, size_t from, float *dst, size_t n)
{
    for (size_t end = from + n; from < end; from += 32, dst += 32) {
        const uint8_t *p = (const uint8_t *)src + from / 256 * 210;
        size_t half = from % 256 / 128, j = from % 128 / 32;
        const uint8_t *low = p + half * 64 + j % 2 * 32, *high = p + 128 + half * 32;
        const uint8_t *scales = p + 192 + half * 8 + j * 2;
        float d = half_at(p + 208);
        for (size_t i = 0; i < 32; i++) {
            int q = (low[i] >> j / 2 * 4 & 15) | (high[i] >> 2 * j & 3) << 4;
            dst[i] = d * (float)(int8_t)scales[i / 16] * (float)(q - 32);
        }
    }
}
