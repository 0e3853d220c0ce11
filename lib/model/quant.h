/* quant.h: the element types of GGUF tensors that ft reads or writes: sizes, decoding, encoding.
 * Layouts (all little-endian; d, m, dmin are IEEE half precision; q is a code without sign, unless
 * int8; "nibbles": byte j holds weight j in its low and weight j+16 in its high half):
 *   Q8_0  32 weights:  d | 32 x int8                       w = d*q
 *   Q4_0  32 weights:  d | 16 bytes of nibbles             w = d*(q-8)
 *   Q4_1  32 weights:  d | m | 16 bytes of nibbles         w = d*q + m
 *   Q5_0  32 weights:  d | u32 | nibbles                   w = d*(q-16); bit i of the u32 is the
 *   Q5_1  32 weights:  d | m | u32 | nibbles               w = d*q + m;  fifth bit of weight i
 * The K types have super-blocks of 256 weights, in sub-blocks j of 32 with scales of their own:
 *   Q4_K  d | dmin | 12 bytes: s, t | 128 bytes            w = (d*s)*q - (dmin*t); s and t of six
 *         bits packed as kernels/k_scales.h says; bytes 32*(j/2).. hold sub-block j, in their low
 *         halves for even j, high for odd
 *   Q5_K  d | dmin | 12 bytes: s, t | 32 bytes | 128 bytes as Q4_K; bit j of byte i of the 32 is
 *         the fifth bit of weight i of sub-block j
 *   Q6_K  128 bytes | 64 bytes | 16 x int8 s | d           w = (d*s)*(q-32), s for 16 weights. In
 *         each half of the super-block, sub-blocks 0..3: four low bits in 64 bytes (j and j+2 share
 *         32 of them), two high bits at bit 2*j of 32 bytes
 */
#ifndef FT_QUANT_H
#define FT_QUANT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Values are GGUF's type numbers. */
typedef enum ft_type { FT_F32 = 0, FT_F16 = 1, FT_Q4_0 = 2, FT_Q4_1 = 3, FT_Q5_0 = 6, FT_Q5_1 = 7,
                       FT_Q8_0 = 8, FT_Q4_K = 12, FT_Q5_K = 13, FT_Q6_K = 14,
                       FT_BF16 = 30,
                       FT_NF4 = 0x66740004 /* ft's own, "ft" and 4: see nf4.h */ } ft_type;

typedef struct ft_type_info {
    ft_type type;
    uint32_t file_type;              /* general.file_type of files that are mostly of this type */
    const char *name;                /* "f32", "q4_1", … as users type it */
    size_t block, block_bytes;       /* weights and bytes of a block; a row has whole blocks. NF4:
                                      * block_bytes is 0, as its bytes are not cut by rows */
} ft_type_info;

/* Returns: facts on a type number, or NULL for one that ft does not know. */
const ft_type_info *ft_type_info_of(uint32_t type);
const ft_type_info *ft_type_info_by_name(const char *name);

/* Bytes of a tensor of this shape (n_dims of 1 or more): the one place where a size is made of one.
 * Returns: 0, or -1 when it overflows. shape[0] is a multiple of the block. */
int ft_type_bytes(const ft_type_info *info, const uint64_t *shape, uint32_t n_dims,
                  size_t *bytes) FT_MUST_CHECK;

/* Decodes n weights (a multiple of the block; not NF4) with the kernels of this machine. */
void ft_dequantise(ft_type type, const void *src, float *dst, size_t n);

/* Encodes n weights (a multiple of the block; K types are read, not written; NF4: see nf4.h): round
 * to nearest even for f16 and bf16; the block types as the reference quantiser of GGUF's authors
 * does, so files have the same bytes: Q8_0, Q4_0 and Q5_0 with a scale from the largest magnitude
 * (signed for the last two), Q4_1 and Q5_1 by minimum and maximum. NaN becomes a quiet NaN in f16
 * and bf16. Blocks that hold NaN or infinity, or whose scale has no half-precision number or no
 * reciprocal (under 2^-128), give bytes that mean nothing but are always the same. */
void ft_quantise(ft_type type, const float *src, void *dst, size_t n);

#endif
