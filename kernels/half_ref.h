/* half_ref.h: half precision to float, exact, for the reference kernels. */
#ifndef FT_HALF_REF_H
#define FT_HALF_REF_H

#include <stdint.h>
#include <string.h>

static inline float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Signalling NaNs become quiet, as the processor's instruction does it. */
static inline float half_at(const uint8_t *p)
{
    uint32_t h = (uint32_t)(p[0] | p[1] << 8);
    uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff;
    if (exponent == 0)      /* zero and subnormals: mantissa * 2^-24 */
        return float_of(sign) + (sign ? -0x1p-24f : 0x1p-24f) * (float)mantissa;
    if (exponent == 31)
        return float_of(sign | 0x7f800000 | (mantissa ? 0x400000 : 0) | mantissa << 13);
    return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

#endif
