/* decoder.h: a model that reads one sequence from left to right and says what comes next.
 *
 * Keys and values of what was read are kept, so each token is computed once. Every product is a dot
 * product along K in one order that depends on nothing but K (kernels.h, dot_rows), attention sums
 * over positions in order, and an adapter is applied beside the base, not merged into it. So the
 * logits after a token are the same bits whether the sequence came in one call or token by token,
 * and for any number of threads. Training's forward (nn/transformer.h) is another path, through
 * BLAS, and agrees to rounding.
 *
 *     ft_decoder_new(&d, model, lora, pool, 2048, e);
 *     ft_decoder_feed(d, prompt, n, e);
 *     next = ft_decoder_best(d);  …  ft_decoder_feed(d, &next, 1, e);
 *     ft_decoder_reset(d);                              // the next sequence
 */
#ifndef FT_DECODER_H
#define FT_DECODER_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/lora.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_decoder ft_decoder;

/* Makes a decoder for sequences of at most `context` tokens (1..model's context). Keys and values
 * take 8*L*H_kv*D bytes a token, in blocks of FT_CACHE_BLOCK tokens that are taken when they are
 * first needed and kept. model, lora (NULL: the base alone) and pool must outlive it.
 * Owns: the caller, ft_decoder_free (accepts NULL, sets NULL).
 * Errors: FT_ERR_USAGE for a context the model has not, FT_ERR_NOMEM.
 * Threads: one at a time; the work is spread over pool. */
#define FT_CACHE_BLOCK 256
int ft_decoder_new(ft_decoder **d, const ft_model *model, const ft_lora *lora, ft_pool *pool,
                   size_t context, ft_err *e) FT_MUST_CHECK;
void ft_decoder_free(ft_decoder **d);

/* Forgets the sequence; keeps the memory. */
void ft_decoder_reset(ft_decoder *d);

/* Appends n >= 1 tokens to the sequence and computes the logits after the last one.
 * Errors: FT_ERR_USAGE when they do not fit into the context (nothing was appended), FT_ERR_DATA
 * for an id >= V, FT_ERR_NUMERIC when a logit is NaN or infinite, FT_ERR_NOMEM. After the last
 * two the sequence must be reset. */
int ft_decoder_feed(ft_decoder *d, const uint32_t *ids, size_t n, ft_err *e) FT_MUST_CHECK;

size_t ft_decoder_tokens(const ft_decoder *d);        /* in the sequence now */
size_t ft_decoder_context(const ft_decoder *d);

/* Returns: V logits after the last token, valid until the next call. */
const float *ft_decoder_logits(const ft_decoder *d);

/* Returns: the id of the largest logit; of equal ones the lowest. */
uint32_t ft_decoder_best(const ft_decoder *d);

#endif
