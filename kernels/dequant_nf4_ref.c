/* dequant_nf4_ref.c: NF4 codes and the scales of their blocks of 64 to floats. Byte j holds
 * weight 2j in its high and weight 2j + 1 in its low half. */
#include "kernels/kernels_internal.h"
#include "kernels/nf4_values.h"

void ft_k_dequant_nf4_ref(const void *codes, const float *scale, size_t from, float *dst, size_t n)
{
    const uint8_t *p = codes;
    for (size_t i = from; i < from + n; i += 2, dst += 2) {
        dst[0] = nf4_values[p[i / 2] >> 4] * scale[i / 64];
        dst[1] = nf4_values[p[i / 2] & 15] * scale[i / 64];
    }
}
