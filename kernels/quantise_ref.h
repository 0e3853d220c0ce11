/* quantise_ref.h: the scale of signed bytes, as all kernels choose it; the rule stands in
 * kernels.h. */
#ifndef FT_QUANTISE_REF_H
#define FT_QUANTISE_REF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define FT_S8_LEAST 0x1p-100f      /* so that 127 / max|x| is finite and the scale is no denormal */

/* largest: the greatest bits of a magnitude, which order as the magnitudes do, NaN on top.
 * *inverse: what a number is multiplied with, 0 when all bytes are to be zero. */
static inline float ft_scale_s8(uint32_t largest, float *inverse)
{
    float max;
    memcpy(&max, &largest, sizeof max);
    *inverse = 0;
    if (largest >= 0x7f800000)
        return NAN;
    if (max < FT_S8_LEAST)
        return 0;
    *inverse = 127 / max;
    return max / 127;
}

#endif
