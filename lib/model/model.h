/* model.h: a Llama-architecture model as ft computes with it: its sizes, and views of its weight
 * matrices in the mapped file. Checked once at opening: every tensor present, of the right shape
 * and a type that ft decodes, sizes consistent. Nothing is copied; nf4.h turns an open model into
 * another one, in memory.
 */
#ifndef FT_MODEL_H
#define FT_MODEL_H

#include "base/err.h"
#include "base/hash.h"
#include "model/gguf.h"
#include "model/quant.h"

#include <stddef.h>

/* A weight matrix of `rows` outputs by `cols` inputs, row after row: y = W x. */
typedef struct ft_weight {
    ft_type type;
    size_t rows, cols;
    const void *data;
    size_t head_rows;     /* FT_NF4 of q and k: the head size D, as the rows lie in PEFT's order;
                           * they are read in GGUF's all the same. 0: as they are read */
} ft_weight;

/* Columns [from, from + n) of row r as floats: the one way from frozen weights to numbers. from and
 * n are multiples of 32 or reach the end of the row. Threads: any. */
void ft_weight_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out);

/* Weights [from, from + n) counted over all rows; from and n as above, of the matrix. */
void ft_weight_range(const ft_weight *w, size_t from, size_t n, float *out);

/* The seven matrices of a layer that LoRA may adapt, in this order everywhere. */
enum ft_target { FT_Q, FT_K, FT_V, FT_O, FT_GATE, FT_UP, FT_DOWN, FT_TARGETS };

/* PEFT's names: "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj". */
const char *ft_target_peft_name(enum ft_target t);
/* As users type them: "q", "k", "v", "o", "gate", "up", "down". */
const char *ft_target_name(enum ft_target t);

typedef struct ft_layer {
    ft_weight w[FT_TARGETS];
    const ft_tensor *tensor[FT_TARGETS];   /* of the file, that they came from                */
    void *own[FT_TARGETS];                 /* memory that w points to instead, or NULL        */
    const float *attn_norm, *mlp_norm;     /* C floats each */
} ft_layer;

typedef struct ft_model {
    size_t L, C, H, H_kv, D, F, V;   /* layers, channels, heads, key/value heads, head size, MLP
                                      * size, vocabulary */
    size_t context;                  /* longest sequence the model was made for */
    float rope_theta, rms_eps;
    ft_layer *layers;                /* L of them */
    ft_weight embedding;             /* V x C */
    ft_weight head;                  /* V x C; the embedding itself when tied */
    int tied;
    const float *final_norm;         /* C floats */
    float *rope_factors;             /* D/2 frequency divisors (rope_freqs.weight), or NULL: 1 */
    ft_gguf *gguf;                   /* owned: metadata for tokenizer and template */
    ft_digest digest;                /* with `transform` the base that adapters are bound to:
                                      * ft_gguf_digest of the file, or of the one it is made of */
    const char *transform;           /* what was done to that: "" nothing, or "nf4"           */
} ft_model;

/* Errors: FT_ERR_NOINPUT, FT_ERR_DATA (architecture not "llama": the message says what it is). */
int ft_model_open(ft_model **m, const char *path, ft_err *e) FT_MUST_CHECK;
/* The same for a file that is open already; takes *g, also on failure, and sets it to NULL. */
int ft_model_of_gguf(ft_model **m, ft_gguf **g, ft_err *e) FT_MUST_CHECK;
/* Tells the system that the mapped weights of a layer will be wanted soon, or are not wanted any
 * more and need not stay in memory: they are read from the file when they are wanted again. */
void ft_model_layer_wanted(const ft_model *m, size_t layer, int wanted);
void ft_model_free(ft_model **m);    /* accepts NULL, sets NULL */

/* Whether tensor t of the file is one of the seven matrices of a layer; then also which. */
int ft_model_find(const ft_model *m, const ft_tensor *t, size_t *layer, enum ft_target *target);

/* A tensor of the file as what the model computes with. */
ft_weight ft_model_weight(const ft_model *m, const ft_tensor *t);

/* Numbers that the model has learned: matrices, norms, embedding, and the head where it is another
 * matrix. */
uint64_t ft_model_parameters(const ft_model *m);

/* Bytes that the weights take in memory: the file's tensors, or what replaced them. */
size_t ft_model_weight_bytes(const ft_model *m);

/* GGUF stores the rows of q and k of Llama models per head as (pair, half) where Hugging Face and
 * PEFT have (half, pair): GGUF row h*D + 2i + s is PEFT row h*D + s*(D/2) + i. Moves `rows` rows
 * of `cols` floats from one order to the other; n_heads = H for q, H_kv for k. src != dst. */
void ft_rows_from_peft(const float *src, float *dst, size_t n_heads, size_t D, size_t cols);
void ft_rows_to_peft(const float *src, float *dst, size_t n_heads, size_t D, size_t cols);
/* The row in one order that is row r in the other. */
size_t ft_row_to_peft(size_t r, size_t D);
size_t ft_row_from_peft(size_t r, size_t D);

#endif
