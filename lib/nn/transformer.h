/* transformer.h: a Llama transformer with a frozen base and an optional LoRA adapter: losses,
 * logits, and gradients of the adapter.
 *
 * The unit of work is the sequence (a segment of a packed row, or a whole row). Results of one
 * sequence do not depend on the others in the same call, on the number of threads or on how
 * sequences are cut into calls: gradients are added sequence by sequence in order.
 *
 *     ft_nn_new(&nn, model, lora, pool, &limits, e);
 *     ft_nn_backward(nn, seqs, n, &step, nll, grads, e);   // grads += d(sum w*nll / norm)
 */
#ifndef FT_TRANSFORMER_H
#define FT_TRANSFORMER_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/lora.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_seq {
    const uint32_t *ids;        /* T ids below V                                              */
    const uint8_t *target;      /* T bytes: 1 = ids[i] is predicted; target[0] is 0           */
    size_t T;
    float weight;               /* of each of its targets in the loss                         */
    uint64_t key;               /* the example's number, for dropout's counter                */
} ft_seq;

typedef struct ft_nn_limits {
    size_t tokens;              /* most tokens (all sequences together) of one call            */
    size_t seq_tokens;          /* most tokens of one sequence                                 */
    int training;               /* whether ft_nn_backward will be called                       */
} ft_nn_limits;

typedef struct ft_nn_plan {     /* bytes */
    size_t weights;             /* the base as it lies in memory (mapped)                      */
    size_t activations, scratch;
} ft_nn_plan;

typedef struct ft_nn ft_nn;

/* Computes what ft_nn_new will take, without taking it. */
int ft_nn_plan_for(const ft_model *m, const ft_lora *lora, unsigned threads,
                   const ft_nn_limits *limits, ft_nn_plan *plan, ft_err *e) FT_MUST_CHECK;

/* All memory is taken here. model, lora (NULL: base only) and pool must outlive the object; the
 * values of lora->params are read at each call. Checks once per process that sgemm agrees with
 * plain C on fixed shapes (FT_ERR_INTERNAL otherwise). Owns: the caller. */
int ft_nn_new(ft_nn **nn, const ft_model *m, const ft_lora *lora, ft_pool *pool,
              const ft_nn_limits *limits, ft_err *e) FT_MUST_CHECK;
void ft_nn_free(ft_nn **nn);

/* Losses: nll[i] = sum over the targets of sequence i of -log p, in nats, unweighted, summed in
 * double in order. token_nll: NULL, or one float for each target of all sequences in order.
 * Errors: FT_ERR_USAGE over a limit, FT_ERR_DATA for an id >= V, FT_ERR_NUMERIC for NaN or
 * infinity (names the sequence). */
int ft_nn_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, float *token_nll,
               ft_err *e) FT_MUST_CHECK;

typedef struct ft_nn_step {
    float dropout;              /* on the input of A; 0: none */
    uint64_t seed;              /* dropout's, with step and the sequence's key */
    uint32_t step;
    double norm;                /* loss of the step = sum(weight * nll) / norm */
} ft_nn_step;

/* Losses as above, and grads[n_params of lora] += the gradient of the step's loss. */
int ft_nn_backward(ft_nn *nn, const ft_seq *seqs, size_t n, const ft_nn_step *step, double *nll,
                   float *grads, ft_err *e) FT_MUST_CHECK;

/* Logits after positions `at` (n_at ascending indices into the sequence): out [n_at x V]. */
int ft_nn_logits(ft_nn *nn, const ft_seq *seq, const size_t *at, size_t n_at, float *out,
                 ft_err *e) FT_MUST_CHECK;

#endif
