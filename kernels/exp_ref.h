/* exp_ref.h: e^x in single precision, the same in every function of the reference family and, but
 * for fused rounding, in the others: x = k ln 2 + r with |r| <= ln 2 / 2 (ln 2 in two parts, so
 * that r is exact to the last bit or so), e^r by its Taylor polynomial of degree 7 (remainder below
 * 2e-9), times 2^k by its exponent bits. Relative error below 2e-7. Below -87 the result is 0,
 * above 88 infinity; NaN stays NaN. */
#ifndef FT_EXP_REF_H
#define FT_EXP_REF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define FT_EXP_LOWEST (-87.0f)
#define FT_EXP_HIGHEST 88.0f
#define FT_EXP_LOG2E 1.44269504088896341f
#define FT_EXP_LN2_HI 0.693359375f
#define FT_EXP_LN2_LO (-2.12194440e-4f)

static inline float ft_exp_ref(float x)
{
    float k, r, p, two_k;
    uint32_t bits;
    if (!(x >= FT_EXP_LOWEST))
        return x < FT_EXP_LOWEST ? 0.0f : x;
    if (x > FT_EXP_HIGHEST)
        return INFINITY;
    k = rintf(x * FT_EXP_LOG2E);
    r = x - k * FT_EXP_LN2_HI - k * FT_EXP_LN2_LO;
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    bits = (uint32_t)((int32_t)k + 127) << 23;
    memcpy(&two_k, &bits, sizeof two_k);
    return p * two_k;
}

#endif
