/* k_scales.h: the packed scales of Q4_K and Q5_K, for all families. */
#ifndef FT_K_SCALES_H
#define FT_K_SCALES_H

#include <stddef.h>
#include <stdint.h>

/* Scale and minimum of sub-block j (0..7), six bits each: those of the first four fill the low six
 * bits of bytes 0..3 and 4..7; the last four have four bits in a nibble of byte j + 4 and their
 * upper two on top of bytes j - 4 and j. */
static inline void scale_and_min(const uint8_t *s, size_t j, float *scale, float *min)
{
    if (j < 4) {
        *scale = (float)(s[j] & 63);
        *min = (float)(s[j + 4] & 63);
    } else {
        *scale = (float)((s[j + 4] & 15) | s[j - 4] >> 6 << 4);
        *min = (float)(s[j + 4] >> 4 | s[j] >> 6 << 4);
    }
}

#endif
