/* evaluate.h: the loss of a model over a packed stream, for ft-eval, ft-quant and ft-train. The
 * stream is read once, in chunks of a bounded number of tokens; the numbers do not depend on where
 * chunks end or on the number of threads. All of it ends in cli_fail when it fails. */
#ifndef FT_EVALUATE_H
#define FT_EVALUATE_H

#include "base/io.h"
#include "model/model.h"
#include "nn/transformer.h"
#include "stream/stream.h"
#include "text/tokenizer.h"

#include <stdint.h>

typedef struct cli_evaluation {
    uint64_t examples, tokens, targets;  /* tokens: all; targets: those that are scored      */
    uint64_t bytes;            /* that the targets decode to; special tokens count as none     */
    uint64_t words;            /* in these bytes: runs without ASCII white space               */
    double nll;                /* sum over targets of -log p, nats                             */
    double weighted, weight;   /* sums of w * nll and of w                                     */
} cli_evaluation;

/* A transformer that grows with what it is to take; all zero but for the first three is one that
 * takes nothing yet. The caller frees nn. */
typedef struct cli_nn {
    const ft_model *m;
    const ft_adapter *l;          /* NULL: the base alone */
    enum ft_compute compute;
    ft_nn *nn;
    size_t capacity;           /* tokens that nn takes       */
    size_t longest;            /* of them in one sequence    */
} cli_nn;
enum { CLI_CHUNK_TOKENS = 2048 };    /* what a call should have, or one longer sequence */

/* Makes n->nn take `tokens` tokens at a time, of which the longest sequence has T. */
void cli_nn_need(cli_nn *n, size_t T, size_t tokens);

/* Sums over the whole stream `in`, to its verified end. l: NULL for the base alone. tok: NULL:
 * bytes and words stay 0. scores: NULL, or receives a JSON line {"id", "loss", "targets"} for
 * each example in order: loss is its mean nats a target, null without targets. allow_leak:
 * augmented examples are accepted. */
void cli_evaluate(ft_reader *in, const ft_model *m, const ft_adapter *l, enum ft_compute compute,
                  const ft_tokenizer *tok, ft_out *scores, int allow_leak, cli_evaluation *r);

/* Nats a target token, each counted by its example's weight (1 unless the data say otherwise);
 * fails when there are none. */
double cli_evaluation_loss(const cli_evaluation *r);

/* Refuses a stream that was tokenised with another tokenizer than the model's; one that does not
 * say is accepted with a warning. */
void cli_check_tokenizer(const ft_reader *in, const ft_tokenizer *tok);

#endif
