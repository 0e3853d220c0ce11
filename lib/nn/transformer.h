/* transformer.h: a Llama transformer with a frozen base and an optional adapter: losses,
 * logits, and gradients of the adapter.
 *
 * The unit of work is the sequence (a segment of a packed row, or a whole row). Results of one
 * sequence do not depend on the others in the same call, on the number of threads, on how
 * sequences are cut into calls or on what is computed again: gradients are added sequence by
 * sequence in order.
 *
 *     ft_nn_new(&nn, model, adapter, pool, &limits, e);
 *     ft_nn_backward(nn, seqs, n, &step, nll, grads, e);   // grads += d(sum w*nll / norm)
 *
 * Sequences of one step that begin alike may have their common beginning computed once:
 *
 *     ft_nn_prefixes_begin(nn, prefixes, n, &step, e);
 *     ft_nn_backward(nn, rests, …);                        // each with .prefix = 1 + its number
 *     ft_nn_prefixes_end(nn, grads, e);                    // adds the prefixes' own gradients
 */
#ifndef FT_TRANSFORMER_H
#define FT_TRANSFORMER_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_seq {
    const uint32_t *ids;        /* T ids below V; before them, those of the adapter's virtual
                                 * tokens (virtual_tokens.h), if it has any                   */
    const uint8_t *target;      /* T bytes: 1 = ids[i] is predicted; target[0] is 0. NULL: none */
    size_t T;
    float weight;               /* of each of its targets in the loss                         */
    uint64_t key;               /* the example's number, for dropout's counter                */
    size_t prefix;              /* 1 + number of the prefix that it goes on from; 0: none. Its
                                 * positions count from the prefix's first token               */
} ft_seq;

/* What products with frozen weights and attention compute in. Sums are floats, and so are an
 * adapter's parameters, the residual stream and the loss, always. */
enum ft_compute {
    FT_COMPUTE_F32,             /* floats, by OpenBLAS: the reference                          */
    FT_COMPUTE_BF16,            /* operands rounded to bf16                                    */
    FT_COMPUTE_INT8,            /* products with the weights of the layers in bytes, with a scale
                                 * for each token and each output; the rest in bf16            */
    FT_COMPUTE_AUTO             /* the fastest that the processor has and that stays true       */
};

/* What is kept of each layer from forward to backward; the rest is computed again. */
enum ft_recompute {
    FT_RECOMPUTE_NONE,          /* all is kept                                                 */
    FT_RECOMPUTE_ATTENTION,     /* the input, and what follows attention                       */
    FT_RECOMPUTE_FULL           /* the input of the layer                                      */
};

typedef struct ft_nn_limits {
    size_t tokens;              /* most tokens (all sequences together) of one call            */
    size_t seq_tokens;          /* most tokens of one sequence, its prefix counted             */
    size_t targets;             /* most targets of one call that memory is taken for at once;
                                 * more are computed in turns. 0: as many as tokens            */
    int training;               /* whether ft_nn_backward will be called                       */
    enum ft_compute compute;
    int plain_losses;           /* ft_nn_loss in bf16 where compute is int8: a loss that is measured
                                 * is that of the model as others run it                       */
    enum ft_recompute recompute;
    size_t prefix_tokens;       /* most tokens of all prefixes of a step; 0: none              */
    int stream_weights;         /* forget each layer's weights after use, and ask for the next
                                 * layer's: for models larger than the memory                  */
    int whole_last_layer;       /* compute the last layer at every token, not only where a loss
                                 * is taken: the same results up to rounding                   */
    int free_reductions;        /* sum gradients over the tokens of a call in one go: what the order
                                 * by segments costs. Results then depend on the calls          */
    int kl;                     /* steps with kl > 0 will come                                  */
} ft_nn_limits;

/* Returns: c, or for auto what losses are taken in on this processor: f32 or bf16. */
enum ft_compute ft_compute_resolve(enum ft_compute c);
/* The same for training, where auto may be int8, too: when the processor has it, and this model's
 * predictions after a fixed line of random tokens are those in bf16 but for FT_INT8_KL_MOST
 * nats (a hundredth of a usual loss). Errors: those of ft_nn_new and ft_nn_logits. */
#define FT_INT8_KL_MOST 0.02
int ft_compute_for_training(enum ft_compute *c, const ft_model *m, ft_pool *pool,
                            ft_err *e) FT_MUST_CHECK;
/* By the names "f32", "bf16", "int8", "auto", and "none", "attention", "full"; a name that is
 * none of these is taken for the last of its kind. */
const char *ft_compute_name(enum ft_compute c);
enum ft_compute ft_compute_by_name(const char *name);
const char *ft_recompute_name(enum ft_recompute r);
enum ft_recompute ft_recompute_by_name(const char *name);

typedef struct ft_nn_plan {     /* bytes */
    size_t weights;             /* the base as it lies in memory (mapped)                      */
    size_t activations, scratch;
} ft_nn_plan;

typedef struct ft_nn ft_nn;

/* Computes what ft_nn_new will take, without taking it. */
int ft_nn_plan_for(const ft_model *m, const ft_adapter *adapter, unsigned threads,
                   const ft_nn_limits *limits, ft_nn_plan *plan, ft_err *e) FT_MUST_CHECK;

/* All memory is taken here. model, adapter (NULL: base only) and pool must outlive the object; the
 * values of adapter->params are read at each call. Checks once per process that sgemm agrees with
 * plain C on fixed shapes (FT_ERR_INTERNAL otherwise). Owns: the caller. */
int ft_nn_new(ft_nn **nn, const ft_model *m, const ft_adapter *adapter, ft_pool *pool,
              const ft_nn_limits *limits, ft_err *e) FT_MUST_CHECK;
void ft_nn_free(ft_nn **nn);

/* Losses: nll[i] = sum over the targets of sequence i of -log p, in nats, unweighted, summed in
 * double in order. token_nll: NULL, or one float for each target of all sequences in order.
 * Errors: FT_ERR_USAGE over a limit, FT_ERR_DATA for an id >= V or virtual tokens missing,
 * FT_ERR_NUMERIC for NaN or infinity (names the sequence). */
int ft_nn_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, float *token_nll,
               ft_err *e) FT_MUST_CHECK;

typedef struct ft_nn_step {
    float dropout;              /* on the input of A; 0: none */
    uint64_t seed;              /* dropout's, with step and the sequence's key */
    uint32_t step;
    double norm;                /* loss of the step = sum(weight * nll) / norm */
    float neftune;              /* noise on embeddings; 0: none. Each element gets uniform(-1, 1) *
                                 * neftune / sqrt(T * C) (Jain et al. 2023, algorithm 1), drawn by
                                 * seed, step, key and element */
    float kl;                   /* the step's loss also has kl * sum(weight * KL) / norm, with
                                 * KL(base || adapted) at each target; 0: not */
} ft_nn_step;

/* Computes the common beginnings of the sequences that follow. They have no targets, and each is at
 * least one token long; a sequence behind one starts with a token that is no target. prefixes must
 * live until ft_nn_prefixes_end. Not with dropout, neftune or kl. */
int ft_nn_prefixes_begin(ft_nn *nn, const ft_seq *prefixes, size_t n, const ft_nn_step *step,
                         ft_err *e) FT_MUST_CHECK;
/* grads += what the sequences since ft_nn_prefixes_begin passed back to their prefixes. */
int ft_nn_prefixes_end(ft_nn *nn, float *grads, ft_err *e) FT_MUST_CHECK;

/* Losses as above, and grads[n_params of adapter] += the gradient of the step's loss. With kl the
 * base alone is computed before, without dropout and noise: a forward pass more. */
int ft_nn_backward(ft_nn *nn, const ft_seq *seqs, size_t n, const ft_nn_step *step, double *nll,
                   float *grads, ft_err *e) FT_MUST_CHECK;

/* Returns: the sum over the targets of sequence i of the last ft_nn_backward of
 * KL(base || adapted), in nats, unweighted; 0 without kl. */
double ft_nn_kl(const ft_nn *nn, size_t i);

/* ft_nn_loss of the base alone. */
int ft_nn_base_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, ft_err *e) FT_MUST_CHECK;

/* After the last call of a step: grads += what a method summed apart, if it did. */
void ft_nn_step_end(ft_nn *nn, float *grads);

/* Logits after positions `at` (n_at ascending indices into the sequence): out [n_at x V]. */
int ft_nn_logits(ft_nn *nn, const ft_seq *seq, const size_t *at, size_t n_at, float *out,
                 ft_err *e) FT_MUST_CHECK;

#endif
