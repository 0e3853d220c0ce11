/* nf4.h: NF4 with double quantisation (QLoRA: Dettmers et al. 2023), equal to bitsandbytes 0.50 on
 * a processor (quantize_4bit(…, compress_statistics=True, quant_type="nf4") of float weights with
 * one torch thread), bit for bit.
 *
 * Blocks of 64 weights run over the whole matrix in the row order of Hugging Face, which for q and
 * k is not GGUF's. A block has a scale, its largest magnitude; 256 scales, less the mean of all,
 * make a group with a scale of its own, by which they become codes into ft_nf4_scale_map. In
 * memory, and in a file as the data of a tensor of type FT_NF4, n weights of a matrix are
 *
 *     f32 offset | f32 group scale [G] | u8 scale code [B] | u8 pair of weight codes [n / 2]
 *
 * with B = ceil(n / 64) and G = ceil(B / 256): 4.127 bits a weight. n is a multiple of 32. Weight
 * 2j has the high half of byte j; w = value[code] * (map[scale code] * group scale + offset).
 */
#ifndef FT_NF4_H
#define FT_NF4_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"

extern const float ft_nf4_scale_map[256];

/* Where the parts of a matrix of n weights lie. */
typedef struct ft_nf4 {
    const float *offset, *group_scale;
    const uint8_t *scale_code, *code;
    size_t groups, blocks;
} ft_nf4;

ft_nf4 ft_nf4_of(const void *data, size_t n);
size_t ft_nf4_bytes(size_t n);      /* n <= SIZE_MAX / 2 */

/* Encodes a matrix that is in another type; its rows are multiples of 32. D: 0, or the head size,
 * when the rows are in GGUF's order of q and k (see model.h). out: ft_nf4_bytes(rows * cols),
 * aligned for floats. The same bytes for any pool.
 * Errors: FT_ERR_DATA for a weight that is NaN, infinite or too large; FT_ERR_NOMEM. */
int ft_nf4_encode(const ft_weight *w, size_t D, void *out, ft_pool *pool, ft_err *e) FT_MUST_CHECK;

/* ft_weight_part for FT_NF4. */
void ft_nf4_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out);

/* Whether all scales are finite and none is negative, as those of an encoded matrix are. */
int ft_nf4_is_sane(const ft_nf4 *x);

/* ---- models ---- */

/* Turns the seven matrices of each layer into NF4 and forgets the pages they lay on; embedding,
 * head and norms stay as they are. Nothing when the model is in NF4 already. The base that
 * adapters are bound to becomes the same digest with the transform "nf4". pool may be NULL. On
 * failure the model is good for ft_model_free only. Errors: FT_ERR_DATA (names the tensor),
 * FT_ERR_NOMEM. */
int ft_model_to_nf4(ft_model *m, ft_pool *pool, ft_err *e) FT_MUST_CHECK;

/* A file in NF4 names the file that it was made of by the digest in ft.nf4.source, and has in
 * ft.nf4.digest the digest of its own tensors, so that what claims to be that base is what was
 * written. Reads both; own is ft_gguf_digest. *source is left alone for a file that has neither
 * keys nor tensors of this type.
 * Returns: 1 for a file in NF4, 0 for another; FT_ERR_DATA for one that has only half of it, or
 * whose tensors are not those that were written. */
int ft_nf4_file(const ft_gguf *g, const ft_digest *own, ft_digest *source,
                ft_err *e) FT_MUST_CHECK;

/* Adds these keys to a file that is written of a model in NF4. */
int ft_nf4_put_keys(const ft_model *m, ft_gguf_writer *w, ft_err *e) FT_MUST_CHECK;

#endif
