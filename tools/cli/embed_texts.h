/* embed_texts.h: texts as vectors by the hidden states of a model (nn/embed.h): the text is
 * tokenised as it is, without a template, and cut behind CLI_EMBED_TOKENS tokens or the model's
 * context. All of it ends in cli_fail when it fails.
 *
 *     cli_embedder *x = cli_embedder_new(model, tokenizer, "auto");
 *     cli_embed(x, texts, n, out);                     // n rows of model->C floats
 *     cli_embedder_free(&x);
 *
 * A vector depends on its text alone, not on what else is in the call or on threads. It is not
 * scaled to length 1.
 */
#ifndef FT_CLI_EMBED_TEXTS_H
#define FT_CLI_EMBED_TEXTS_H

#include "model/model.h"
#include "text/tokenizer.h"

#define CLI_EMBED_TOKENS 512           /* of a text that the model reads, at most           */
#define CLI_EMBED_TEXTS 64             /* that are computed together; ask for so many or more */

typedef struct cli_embedder cli_embedder;

/* compute: a name of ft_compute_by_name. Both stay the caller's and must outlive the embedder. */
cli_embedder *cli_embedder_new(const ft_model *m, const ft_tokenizer *t, const char *compute);
void cli_embedder_free(cli_embedder **x);           /* accepts NULL, sets NULL */

/* How many tokens of a text the model reads. */
size_t cli_embed_tokens(const ft_model *m);

/* out [n x C]; a text without tokens gets zeros. */
void cli_embed(cli_embedder *x, const ft_slice *texts, size_t n, float *out);

#endif
