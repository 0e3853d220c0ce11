/* merge.h: folds an adapter into its base: W' = W + (alpha/R) B A for each adapted matrix, as a new
 * GGUF file, and proves that the file computes what base and adapter computed side by side.
 *
 *     ft_merge_write(model, lora, &options, out, pool, e);
 *     ft_out_flush(out, e);  ft_model_open(&merged, ft_out_path(out), e);
 *     ft_merge_verify(model, lora, merged, options.type, pool, &difference, e);
 *     ft_out_commit(&out, e);
 */
#ifndef FT_MERGE_H
#define FT_MERGE_H

#include "base/err.h"
#include "base/io.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"

typedef struct ft_merge_options {
    ft_type type;             /* FT_F32, FT_F16 or FT_BF16: of all matrices                */
    ft_slice history;         /* bytes for the key ft.history; n = 0: none                 */
    ft_slice certificates;    /* the same for ft.certificates                              */
} ft_merge_options;

/* Writes the merged model. Matrices get options->type, vectors FT_F32. B A is summed in double over
 * the rank in order, so the bytes do not depend on the pool. All metadata of the base is copied;
 * general.file_type says the new type; ft.base_digest and ft.base_transform name the base, whose
 * transformed weights are what the adapter is added to. A few megabytes of memory, whatever the
 * model's size.
 * Errors: FT_ERR_USAGE for another type; FT_ERR_NUMERIC for a merged weight that is not finite or
 * too large for f16, FT_ERR_DATA when it was so in the base (names tensor and weight); FT_ERR_IO,
 * FT_ERR_NOMEM. */
int ft_merge_write(const ft_model *m, const ft_adapter *l, const ft_merge_options *options,
                   ft_out *out, ft_pool *pool, ft_err *e) FT_MUST_CHECK;

typedef struct ft_merge_difference {
    size_t positions;         /* tokens after which logits were compared                    */
    double max_logit;         /* largest absolute difference of a logit                     */
    double mean_kl;           /* mean of KL(base and adapter || merged) in nats             */
} ft_merge_difference;

/* Bounds of ft_merge_verify: of max_logit for FT_F32, of mean_kl for FT_F16 and FT_BF16. */
#define FT_MERGE_MAX_LOGIT 1e-3
#define FT_MERGE_MEAN_KL 1e-3

/* Runs base with adapter and the merged model over the same fixed token sequences and compares
 * what they predict at each position.
 * Errors: FT_ERR_NUMERIC when the figure that counts for `type` is over its bound; *d is set. */
int ft_merge_verify(const ft_model *m, const ft_adapter *l, const ft_model *merged, ft_type type,
                    ft_pool *pool, ft_merge_difference *d, ft_err *e) FT_MUST_CHECK;

#endif
