/* quant.h: the element types of GGUF tensors that ft reads or writes: sizes, decoding, encoding.
 * Layouts (all little-endian, d and m are IEEE half precision):
 *   Q8_0  32 weights: d | 32 x int8                    w = d*q
 *   Q4_0  32 weights: d | 16 bytes                     w = d*(q-8); byte j: weight j low nibble,
 *   Q4_1  32 weights: d | m | 16 bytes                 w = d*q + m;         weight j+16 high nibble
 */
#ifndef FT_QUANT_H
#define FT_QUANT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Values are GGUF's type numbers. */
typedef enum ft_type { FT_F32 = 0, FT_F16 = 1, FT_Q4_0 = 2, FT_Q4_1 = 3, FT_Q8_0 = 8,
                       FT_BF16 = 30 } ft_type;

typedef struct ft_type_info {
    ft_type type;
    uint32_t file_type;              /* general.file_type of files that are mostly of this type */
    const char *name;                /* "f32", "q4_1", … as users type it */
    size_t block, block_bytes;       /* weights and bytes of a block */
} ft_type_info;

/* Returns: facts on a type number, or NULL for one that ft does not know. */
const ft_type_info *ft_type_info_of(uint32_t type);
const ft_type_info *ft_type_info_by_name(const char *name);

/* Decodes n weights (a multiple of the block) with the kernels of this machine. */
void ft_dequantise(ft_type type, const void *src, float *dst, size_t n);

/* Encodes n weights (a multiple of the block): round to nearest even for f16 and bf16; Q8_0 and
 * Q4_0 as the reference quantiser of GGUF's authors does (scale from the largest magnitude,
 * signed for Q4_0), so files have the same bytes. FT_Q4_1 by minimum and maximum. NaN becomes a
 * quiet NaN in f16 and bf16. Blocks that hold NaN or infinity, or whose scale has no half-precision
 * number or no reciprocal (under 2^-128), give bytes that mean nothing but are always the same. */
void ft_quantise(ft_type type, const float *src, void *dst, size_t n);

#endif
