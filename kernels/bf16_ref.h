/* bf16_ref.h: bfloat16, the upper half of a float, as all kernels convert it: to nearest, ties to
 * even; a NaN stays a (quiet) NaN. */
#ifndef FT_BF16_REF_H
#define FT_BF16_REF_H

#include <stdint.h>
#include <string.h>

static inline float ft_from_bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint16_t ft_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

#endif
