/* lora_start.h: a LoRA that begins with parts of the matrices instead of chance and zero:
 *
 *   PiSSA (Meng et al. 2024, section 3): the top R singular triplets of W, B0 = U sqrt(S / s),
 *         A0 = sqrt(S / s) V^T, s the scaling;
 *   OLoRA (Buyukakyuz 2024, section 3): the first R columns of Q and rows of R of W = Q R.
 *
 * What is trained is W - s B0 A0 + s B A, beginning with W itself. The base stays as it is, so it
 * may be quantised (then W is what its blocks say): the adapter has rank 2 R, [B, -B0] and [A; A0],
 * whose second half is frozen. As a stream that is a plain LoRA, the one that PEFT makes by its
 * path_initial_model_for_weight_conversion.
 *
 *     ft_lora_start_new(&a, model, &cfg, seed, e);       // cfg.rank R; a->cfg.rank is 2 R
 *     ft_lora_start_fill(a, model, FT_LORA_PISSA, room, pool, e);
 *
 * Signs, which decompositions leave open, are such that the largest component of each row of A0
 * (PiSSA; the first of equal ones), or the diagonal of R (OLoRA), is positive.
 */
#ifndef FT_LORA_START_H
#define FT_LORA_START_H

#include "base/pool.h"
#include "nn/adapter.h"

enum ft_lora_start { FT_LORA_DEFAULT, FT_LORA_PISSA, FT_LORA_OLORA };

/* By the names "default", "pissa", "olora"; another is taken for the last. */
enum ft_lora_start ft_lora_start_by_name(const char *name);

/* Makes the adapter, frozen as it should be, with values that are not yet those.
 * Errors: those of ft_adapter_new; FT_ERR_USAGE for a rank over half the smaller side of a matrix,
 * with which the adapter would be no smaller than the matrix. */
int ft_lora_start_new(ft_adapter **a, const ft_model *m, const ft_adapter_config *cfg,
                      uint64_t seed, ft_err *e) FT_MUST_CHECK;

/* Bytes that decomposing takes for each thread that works at it. */
size_t ft_lora_start_bytes(const ft_adapter *a, const ft_model *m);

/* Decomposes the matrices, as many at once as threads and room (bytes) allow, but at least one. The
 * values do not depend on either. Errors: FT_ERR_NOMEM, FT_ERR_DATA for a weight that is not
 * finite, those of nn/lapack.h. */
int ft_lora_start_fill(ft_adapter *a, const ft_model *m, enum ft_lora_start how, size_t room,
                       ft_pool *pool, ft_err *e) FT_MUST_CHECK;

#endif
