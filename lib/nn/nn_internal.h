/* nn_internal.h: what the files of lib/nn share. */
#ifndef FT_NN_INTERNAL_H
#define FT_NN_INTERNAL_H

#include "kernels/kernels.h"
#include "nn/blas.h"
#include "nn/shapes.h"
#include "nn/transformer.h"

/* Operands of products are kept in the type that products are computed in: floats, or bf16. An
 * elem is a byte of such an array; nn->type->size of them make an element. */
typedef unsigned char elem;

struct nn_type {
    size_t size;               /* bytes of an element */
    void (*gemm)(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                 float *c, size_t ldc, int add);
    void (*pack_rows)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    void (*pack_cols)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    int (*softmax_tile)(const float *s, size_t keys, float scale, const int32_t *limit, float *max,
                        float *sum, float *factor, void *panel);
    void (*softmax_tile_back)(const float *s, const float *dp, size_t keys, float scale,
                              const int32_t *limit, const float *lse, const float *delta,
                              void *p_rows, void *ds_rows, void *ds_panel);
};

/* A sequence of the call at hand. Its keys are those of its prefix, if it has one, and its own. */
struct unit {
    const ft_seq *seq;
    size_t T, P;               /* own tokens; tokens of the prefix */
    size_t prefix_at;          /* the prefix's first row in prefix_k and prefix_v */
    size_t keys_at;            /* first row in dk_heads and dv_heads: P + T rows */
    size_t pairs_at;           /* first token in arrays whose rows run along tokens (even) */
    double kl;                 /* sum over its targets of the divergence from the base */
};

/* Some of the rows of a call: all of them, or in the last layer those that a loss is taken of. */
struct rowset {
    size_t at, n;              /* rows [at, at + n) of each array */
    size_t *first;             /* n_units + 1: unit u has rows [first[u], first[u + 1]) */
    uint32_t *position;        /* of row at + i in its sequence, the prefix counted */
    uint32_t *unit;            /* of row at + i */
    uint32_t *source;          /* row of the full set that row at + i is; NULL: itself */
    size_t *block;             /* n_blocks + 1: products take rows [block[b], block[b + 1]) */
    size_t n_blocks;
};

/* Activations of one layer, a row for each token. What is cheap to compute again (both norms, the
 * product of gate and up) is not kept. */
struct acts {
    float *x;                  /* [N x C] input of the layer                                  */
    elem *q, *k, *v;           /* [N x H*D], [N x H_kv*D] twice; q and k rotated                */
    elem *att;                 /* [N x H*D] attention's output, input of o                     */
    float *x2;                 /* [N x C] after attention and its residual                     */
    elem *gate, *up;           /* [N x F], tile after tile (layer.c)                            */
    float *lse;                /* [N x H] log-sum-exp of the attention rows                     */
    float *inv1, *inv2;        /* [N] inverse rms of the two norms                              */
    elem *u[FT_TARGETS];       /* [N x R2] A drop(x) of each adapted matrix; NULL               */
    elem *out[FT_TARGETS];     /* [N x C] output of o and down, where a method follows it; NULL */
};

struct ft_nn {
    const ft_model *m;
    const ft_adapter *adapter;  /* NULL: the base alone */
    const struct nn_hooks *hooks;
    ft_pool *pool;
    const ft_kernels *kern;
    const struct nn_type *type;
    struct nn_type type_room;
    ft_nn_limits limits;
    unsigned threads;
    int bf16, int8;            /* operands are bf16; those that meet weights become bytes       */
    size_t R, R2;              /* rank, 0 without; rounded up to even */
    size_t rows_cap, keys_cap; /* tokens of prefixes and a call; keys of a call */

    float *block;              /* one allocation, everything below points into it              */
    struct acts *acts;         /* L sets (recomputation: they share what is computed again)     */
    float *x_out;              /* [N x C] output of the last layer                              */
    elem *h, *act;             /* [N x C] a norm's output; [N x F] silu(gate)*up                */
    elem *hs;                  /* [N x C] rows of h for the last layer's queries                */
    uint8_t *bytes;            /* [N x inputs] operands of the int8 products at hand             */
    float *bytes_scale;        /* a scale for FT_DEPTH_S8 of them                               */
    elem *masked;              /* [N x widest] an input under dropout                           */
    elem *narrow;              /* [N x R2] what a method behind o or down multiplies; NULL      */
    float *dx, *dh, *dhs;      /* [N x C]                                                       */
    elem *dy;                  /* [N x C] dx as an operand; dx itself in floats                  */
    elem *dout;                /* [N x C] gradient of an output that a method follows; NULL      */
    elem *datt, *dq, *dk, *dv; /* as att, q, k, v                                                */
    elem *dgate, *dup;         /* [N x F]                                                       */
    elem *z;                   /* [N x widest with a gain] an output before its gain; NULL       */
    elem *du[3], *ut[3], *dut[3]; /* [N x R2]; [R x pairs] u and du with tokens along rows        */
    elem *flip;                /* V or K of each head, transposed [D x keys]                     */
    float *dk_heads, *dv_heads;/* [keys x H*D] before heads of a group are added                 */
    elem **prefix_k, **prefix_v; /* L times [prefix tokens x H_kv*D]                            */
    float **prefix_dk, **prefix_dv;
    float *embedding_grads;    /* [V x C] of a step, where the head is tied and trained; NULL   */
    float *rope;               /* [seq_tokens x D] cosine and sine by position                  */
    elem *head_h;              /* [head_rows x C] final norm of target rows                     */
    float *head_dh, *head_inv; /* [head_rows x C], [head_rows]                                  */
    float *logits;             /* [head_rows x V]; then their gradients, as elements              */
    size_t head_rows;          /* target rows of one group                                      */
    size_t *head_block;        /* blocks of a group, head_rows + 1                              */
    elem *base_h;              /* [tokens x C] the base's final norm of all target rows         */
    float *base_logits;        /* [head_rows x V] its logits of one group                       */
    float *scratch;            /* threads x scratch_floats                                      */
    size_t scratch_floats;

    /* the call at hand */
    const ft_nn_step *step;    /* NULL: forward only, no dropout                                */
    float *grads;              /* of backward                                                   */
    struct unit *units;
    size_t n_units, units_cap, set_cap;
    struct rowset all, chosen; /* all rows; those of the last layer                              */
    struct unit *prefixes;     /* of the step at hand */
    size_t n_prefixes, prefixes_cap, prefix_tokens;
    int in_prefixes;           /* the call computes prefixes */
};

enum { FT_HEAD_ROWS_MAX = 1024 };  /* bound of head_rows */

static inline float *scratch_of(const struct ft_nn *nn, unsigned worker)
{
    return nn->scratch + (size_t)worker * nn->scratch_floats;
}

static inline elem *elem_at(const struct ft_nn *nn, const elem *p, size_t i)
{
    return (elem *)(uintptr_t)p + i * nn->type->size;
}

/* Inputs of a product over k of them as gemm counts them: bf16 goes by pairs. */
static inline size_t nn_depth(const struct ft_nn *nn, size_t k)
{
    return nn->bf16 ? k + k % 2 : k;
}

/* Between floats and elements. */
void nn_put(const struct ft_nn *nn, const float *src, elem *dst, size_t n);
void nn_get(const struct ft_nn *nn, const elem *src, float *dst, size_t n);

/* The rows of layer l behind its attention. */
static inline const struct rowset *rows_of_layer(const struct ft_nn *nn, size_t l)
{
    return l + 1 == nn->m->L && !nn->limits.whole_last_layer ? &nn->chosen : &nn->all;
}

static inline int drops(const struct ft_nn *nn)
{
    return nn->step && nn->step->dropout > 0;
}

/* ---- call_rows.c: what a call computes ---- */

/* Lays the sequences out as units and rows. Errors as ft_nn_loss. */
int nn_rows_begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_err *e) FT_MUST_CHECK;
/* The rows of the only sequence that the last layer is to compute, instead of those before targets:
 * n ascending positions. */
void nn_rows_choose(struct ft_nn *nn, const size_t *at, size_t n);
/* The prefixes of the step again. */
void nn_rows_again(struct ft_nn *nn);
void nn_rows_free(struct ft_nn *nn);

/* ---- gemm.c: products cut into tiles ---- */

/* The right side of a product, [k x n]: frozen weights, or a small matrix of floats. */
struct source {
    const ft_weight *w;        /* or NULL: */
    const float *m;
    size_t ld;
    float alpha;               /* m is multiplied with it */
    int by_rows;               /* column j of the product is row j of the matrix; else column j */
};

struct term {
    const elem *a;             /* [rows of the set x k] */
    size_t lda, k;
    struct source b;
    int mask;                  /* 1 + target whose dropout mask the term passes through; 0: none */
};

/* y = gain * sum of the terms, [rows of the set x cols]: handed to finish tile by tile. */
struct output {
    struct term term[6];
    size_t n_terms;
    const float *gain;         /* [cols] each column is multiplied with; NULL: 1 */
};

/* A finished tile: `rows` rows from `row` on of columns [col, col + cols) of each output, ld floats
 * apart; may be overwritten. spare: 6 x cols floats. */
struct tile {
    size_t row, rows, col, cols, ld;
    float *y[2];
    float *spare;
};

struct product {
    struct output out[2];      /* 2: tiles of both come together */
    size_t n_out, cols;
    void (*finish)(struct ft_nn *nn, void *ctx, const struct tile *t);
    void *ctx;
    size_t layer;              /* for dropout */
};

/* Runs the products, which are over the same rows, all at once. */
void nn_products(struct ft_nn *nn, const struct rowset *rows, const struct product *p, size_t n);

/* c [m x n] += a [m x k] b, k tokens of activations b [k x n] (n at most nn_tile_cols): one term of
 * a sum over segments. a's rows have a zero behind an odd k. */
void nn_add_over_tokens(struct ft_nn *nn, size_t m, size_t n, size_t k, const elem *a, size_t lda,
                        const elem *b, size_t ldb, float *c, size_t ldc, float *scratch);

/* Width of the column tiles for a matrix with n columns or rows: depends on n alone. */
size_t nn_tile_cols(const struct ft_nn *nn, size_t n);

/* Floats of scratch that one thread needs for products; and to sum gradients of R rows. */
size_t nn_product_scratch(int bf16);
static inline size_t nn_sum_scratch(size_t R) { return R * FT_TILE_COLS_MAX; }

/* ---- linear.c: frozen matrices, with a method's terms beside them ---- */

void nn_add_term(struct output *out, const elem *a, size_t lda, size_t k, struct source b,
                 int mask);
/* Adds the terms of y = x W^T + …, for layer and target. */
void nn_linear_terms(struct ft_nn *nn, size_t layer, enum ft_target t, const elem *x,
                     const struct acts *a, struct output *out);

/* What backward is to do with n matrices that share their input x. */
struct linear_back {
    size_t layer, n;
    enum ft_target t[3];
    const elem *x;             /* their input */
    const elem *dy[3];         /* gradients of their outputs */
    const struct acts *a;
};
/* Adds the terms of dx = sum of dy W + …. */
void nn_linear_back_terms(struct ft_nn *nn, const struct linear_back *b, struct output *out);

/* ---- how a method takes part in a layer ---- */

/* n rows of a norm on the way back: gradients of its outputs, its inputs (row i is at[i], or i) and
 * their inverse rms. */
struct nn_norm {
    const float *w, *dh, *x, *inv;
    const size_t *at;
    size_t n;
};

/* What layer.c and linear.c call, each at its place; a NULL member is nothing to do. */
struct nn_hooks {
    /* Before the products with n matrices that share the input x. */
    void (*down)(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                 const enum ft_target *t, size_t n, const elem *x, const struct acts *a);
    /* Adds its terms of y. */
    void (*terms)(struct ft_nn *nn, size_t layer, enum ft_target t, const struct acts *a,
                  struct output *out);
    /* Before dx: what the gradients of the outputs come to. */
    void (*du)(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b);
    /* Adds its terms of dx for matrix b->t[i]. */
    void (*back_terms)(struct ft_nn *nn, const struct linear_back *b, size_t i,
                       struct output *out);
    /* Adds the gradients of its parameters beside these matrices. */
    void (*gradients)(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b,
                      float *grads);
    /* At the start of a call: what follows from the parameters. */
    void (*begin)(struct ft_nn *nn);
    /* First of all in backward: where outputs were multiplied with a gain, adds the gradient of its
     * parameters and lets b->dy be the gradients before the gain. */
    void (*unscale)(struct ft_nn *nn, const struct rowset *rows, struct linear_back *b,
                    float *grads);
    /* Factors of the columns of silu(gate)*up, the input of down; NULL: 1. In backward nn->act is
     * then the product of that input and its gradient, before the factors. */
    const float *(*act_gain)(const struct ft_nn *nn, size_t layer);

    /* What the first layer has for virtual token i in place of an embedding. */
    void (*embed)(struct ft_nn *nn, size_t i, float *x);
    /* Changes the keys and values of a layer, after rotation. */
    void (*keys)(struct ft_nn *nn, size_t layer, const struct acts *a);
    /* Takes its share of their gradients, which are in dk and dv. */
    void (*keys_back)(struct ft_nn *nn, size_t layer, float *grads);
    /* Takes its share of dx, the gradient of the first layer's input; NULL: that is not wanted. */
    void (*input_back)(struct ft_nn *nn, float *grads);

    /* Whether it follows the output of o, or of down: acts.out[t] is then kept. */
    int (*follows)(const struct ft_nn *nn, enum ft_target t);
    /* Given that output, changes y, residual and output together. y NULL: only computes again what
     * backward needs. */
    void (*behind)(struct ft_nn *nn, const struct rowset *rows, size_t layer, enum ft_target t,
                   const struct acts *a, float *y);
    /* The gradient of that output, as an operand, from dx and dy; adds the gradients of its
     * parameters. */
    const elem *(*behind_back)(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                               enum ft_target t, const struct acts *a, float *grads);
    /* Adds the gradient of the weights of a norm. */
    void (*norm_back)(struct ft_nn *nn, const struct nn_norm *norm, float *grads);
    /* Adds the gradient of the head: dlogits [rows x V], ld apart, beside head_h; sum i is over
     * rows [first[i], first[i + 1]), of one segment. */
    void (*head_back)(struct ft_nn *nn, const elem *dlogits, size_t ld, const size_t *first,
                      size_t n_sums, float *grads);
    /* Adds what it summed apart over the calls of a step. */
    void (*step_end)(struct ft_nn *nn, float *grads);
};

/* ---- gain.c: outputs that are multiplied with a factor each ---- */

/* Hooks for methods whose parameters are, or lead to, ft_adapter_out_gain. */
void nn_gain_begin(struct ft_nn *nn);
void nn_gain_back(struct ft_nn *nn, const struct rowset *rows, struct linear_back *b,
                  float *grads);
/* Columns that nn->z needs. */
size_t nn_gain_width(const struct ft_nn *nn);

/* Floats of scratch a thread of full.c needs beside that of products. */
size_t nn_full_scratch(void);

static inline int nn_follows(const struct ft_nn *nn, enum ft_target t)
{
    return nn->hooks->follows && nn->hooks->follows(nn, t);
}

/* ---- lora.c: sums over tokens that other methods have, too ---- */

/* da [R x in] += du^T x, db [out x R] += dy^T u: segment after segment in order. */
struct nn_low_rank {
    size_t in, out;
    const elem *x, *dy;        /* [rows x in], [rows x out] */
    const elem *u, *du;        /* [rows x R2] */
    float *da, *db;
};
void nn_low_rank_gradients(struct ft_nn *nn, const struct rowset *rows,
                           const struct nn_low_rank *r);

/* ---- dropout.c ---- */

/* out = x with elements dropped with probability p and the others divided by 1 - p; the mask is
 * a function of the step, the sequence, layer, target and element. In place is allowed. One row
 * at `position` of a sequence; elements [from, from + n) of a matrix `width` wide. */
void nn_dropout(const struct ft_nn *nn, const ft_seq *seq, size_t position, size_t layer,
                enum ft_target t, const float *x, size_t from, size_t n, size_t width, float *out);

/* ---- neftune.c ---- */

/* Adds the step's noise to the embedding x [C] of the token at `position` of T. */
void nn_neftune(const struct ft_nn *nn, const ft_seq *seq, size_t position, size_t T, float *x);

/* ---- base_pass.c: the base without its adapter ---- */

/* Computes what base_h is to hold for a call with these sequences; the call itself comes after. */
int nn_base_begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_err *e) FT_MUST_CHECK;

/* ---- attention.c ---- */

/* att and lse of the rows in `rows` (queries) over all keys of the call. */
void nn_attention(struct ft_nn *nn, size_t layer, const struct rowset *rows, struct acts *a);
/* dq (of `rows`), dk (both rotated back) and dv from nn->datt; what prefixes get is added to
 * prefix_dk, prefix_dv. */
void nn_attention_back(struct ft_nn *nn, size_t layer, const struct rowset *rows,
                       const struct acts *a);
/* Gradients of the key and value of a unit's own token t and head kv, D each, in floats and not
 * rotated back. */
void nn_key_gradients(const struct ft_nn *nn, size_t layer, size_t u, size_t kv, size_t t,
                      float *dk, float *dv);
/* Floats of scratch a thread needs. */
size_t nn_attention_scratch(const ft_model *m, int training);

/* ---- transformer.c ---- */

/* The first layer's input of the rows that nn_rows_begin laid out. */
void nn_embed(struct ft_nn *nn);
/* From the rows that nn_rows_begin laid out to x_out, the last layer's output. */
void nn_forward(struct ft_nn *nn);

/* ---- layer.c ---- */

/* From acts[layer].x to the layer's output x_next, which may be the same array where nothing is
 * kept. */
void nn_layer_forward(struct ft_nn *nn, size_t layer, float *x_next);
/* nn->dx holds the gradient by the layer's output (its rows) and receives that by its input. */
void nn_layer_backward(struct ft_nn *nn, size_t layer, float *grads);
/* nn->act = silu(gate)*up of the rows whose gate and up are kept. */
void nn_act_again(struct ft_nn *nn, const struct rowset *rows, const struct acts *a);
/* Rotates columns [col, col + n) of a row that holds heads of D, in place.
 * back: by the opposite angle. */
void nn_rope(const struct ft_nn *nn, float *row, size_t position, size_t col, size_t n, int back);

/* ---- loss.c ---- */

/* Losses from x_out; gradient wanted: nn->dx (rows of the last layer) is written. */
int nn_loss_head(struct ft_nn *nn, double *nll, float *token_nll, int gradient, ft_err *e);
/* The final norm of all chosen rows, as operands [rows x C]. */
void nn_norm_chosen(struct ft_nn *nn, elem *out);
/* Logits of the first n chosen rows: out [n x V]. */
void nn_logits_rows(struct ft_nn *nn, size_t n, float *out);

#endif
