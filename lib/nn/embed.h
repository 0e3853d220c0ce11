/* embed.h: texts as points: what the model makes of a text, as one vector, so that texts which the
 * model takes for similar lie near each other (coverage, diversity, nearest neighbours).
 *
 * The vector is the mean over all positions of the last hidden state, behind the final norm, which
 * is what logits are computed from (transformers calls it last_hidden_state). It is not scaled to
 * length 1, and nothing trained for similarity stands behind it: compare by cosine.
 *
 *     ft_nn_limits limits = {.tokens = FT_EMBED_TOKENS, .seq_tokens = longest, .targets = 1,
 *                            .compute = FT_COMPUTE_AUTO, .whole_last_layer = 1};
 *     limits.tokens = longest > limits.tokens ? longest : limits.tokens;
 *     ft_nn_new(&nn, model, NULL, pool, &limits, e);
 *     ft_embed(nn, seqs, n, out, e);                    // out: n rows of model->C floats
 *
 * No logits are computed. A vector does not depend on what else is in the call, on how many tokens
 * a call holds, or on the threads. It does not cut long texts: the caller does.
 */
#ifndef FT_EMBED_H
#define FT_EMBED_H

#include "nn/transformer.h"

/* Tokens of one forward pass with which all threads have work. */
#define FT_EMBED_TOKENS 2048

/* out [n x C] = the vectors of n sequences, as many at a time as limits.tokens allows; targets and
 * weights of the sequences do not matter. nn: made with whole_last_layer. Errors: FT_ERR_USAGE for
 * another nn, a sequence without tokens or over limits.seq_tokens, or one behind a prefix;
 * FT_ERR_DATA for an id >= V; FT_ERR_NUMERIC for NaN or infinity (names the sequence's key). */
int ft_embed(ft_nn *nn, const ft_seq *seqs, size_t n, float *out, ft_err *e) FT_MUST_CHECK;

#endif
