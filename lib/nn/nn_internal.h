/* nn_internal.h: what the files of lib/nn share. */
#ifndef FT_NN_INTERNAL_H
#define FT_NN_INTERNAL_H

#include "kernels/kernels.h"
#include "nn/blas.h"
#include "nn/shapes.h"
#include "nn/transformer.h"

/* Activations of one layer, for all N tokens of a call. Training keeps one set a layer; without
 * it all layers share one. What is cheap to compute again (both norms, the product of gate and up)
 * is not kept. */
struct acts {
    float *x;                  /* [N x C] input of the layer                                  */
    float *q, *k, *v;          /* [N x H*D], [N x H_kv*D] twice; q and k rotated                */
    float *att;                /* [N x H*D] attention's output, input of o                     */
    float *x2;                 /* [N x C] after attention and its residual                     */
    float *gate, *up;          /* [N x F]                                                       */
    float *lse;                /* [N x H] log-sum-exp of the attention rows                     */
    float *inv1, *inv2;        /* [N] inverse rms of the two norms                              */
    float *u[FT_TARGETS];      /* [N x R] A drop(x) of each adapted matrix; NULL                */
};

struct ft_nn {
    const ft_model *m;
    const ft_lora *lora;
    ft_pool *pool;
    const ft_kernels *kern;
    ft_nn_limits limits;
    unsigned threads;

    float *block;              /* one allocation, everything below points into it              */
    struct acts *acts;         /* L sets or one                                                 */
    float *x_out;              /* [N x C] output of the last layer                              */
    float *h, *act;            /* [N x C] a norm's output; [N x F] silu(gate)*up                */
    float *dx, *dh;            /* [N x C]                                                       */
    float *datt;               /* [N x H*D]                                                     */
    float *dq, *dk, *dv;       /* as q, k, v                                                    */
    float *dact, *dgate, *dup; /* [N x F]                                                       */
    float *du[3];              /* [N x R]                                                       */
    float *rope;               /* [seq_tokens x D] cosine and sine by position                  */
    float *head_h, *head_dh;   /* [target rows x C]                                             */
    float *logits;             /* [head_rows x V]                                               */
    size_t head_rows;          /* target rows of one group                                      */
    float *scratch;            /* threads x scratch_floats                                      */
    size_t scratch_floats;

    /* the call at hand */
    const ft_seq *seqs;
    size_t n_seqs, N;
    size_t *first;             /* first token of each sequence                                  */
    size_t first_cap;
    const ft_nn_step *step;    /* NULL: forward only, no dropout                                */
};

static inline float *scratch_of(const struct ft_nn *nn, unsigned worker)
{
    return nn->scratch + (size_t)worker * nn->scratch_floats;
}

/* ---- linear.c: products with frozen weights, and LoRA beside them ---- */

/* One adapted or plain matrix of a layer as used by a product. */
struct product {
    enum ft_target t;
    float *y;                  /* forward: [N x rows] out; backward: [N x rows] dY, in          */
};

/* y = x W^T + s (drop(x) A^T) B^T for n matrices that share their input x [N x cols]. Fills u. */
void nn_linear(struct ft_nn *nn, size_t layer, const float *x, const struct product *p, size_t n,
               float *const *u);

/* dx = sum over the matrices of their input gradient (overwritten); adds gradients of A and B.
 * want_dx = 0 leaves dx alone (the first layer). */
void nn_linear_back(struct ft_nn *nn, size_t layer, const float *x, const struct product *p,
                    size_t n, float *const *u, float *dx, int want_dx, float *grads);

/* Width of the column tiles for a matrix with n columns or rows: depends on n alone. */
size_t nn_tile_width(size_t n);

/* ---- dropout.c ---- */

/* out = x with elements dropped with probability p and the others divided by 1 - p; the mask is
 * a function of the step, the sequence, layer, target and element. In place is allowed. Elements
 * are rows x cols at x + row*ldx, columns [from, from + cols) of a matrix `width` wide. */
void nn_dropout(const struct ft_nn *nn, size_t seq, size_t layer, enum ft_target t, const float *x,
                size_t ldx, size_t rows, size_t from, size_t cols, size_t width, float *out,
                size_t ldo);

/* ---- attention.c ---- */

void nn_attention(struct ft_nn *nn, struct acts *a);
void nn_attention_back(struct ft_nn *nn, const struct acts *a, const float *datt, float *dq,
                       float *dk, float *dv);

/* ---- loss.c ---- */

/* Losses from x_out; grads wanted: dx [N x C] = gradient by x_out (all of it written). */
int nn_loss_head(struct ft_nn *nn, double *nll, float *token_nll, float *dx, ft_err *e);
/* Logits of n rows of x_out: out [n x V]. */
void nn_logits_rows(struct ft_nn *nn, const size_t *at, size_t n, float *out);

#endif
