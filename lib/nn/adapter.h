/* adapter.h: what a method of fine-tuning adds to a frozen base: parameters, in one flat block so
 * that optimiser, gradients and checkpoints know no methods, and a list that says which tensor lies
 * where in it.
 *
 *     ft_adapter_new(&a, model, &config, seed, e);          // parameters at their initial values
 *     for (i = 0; i < a->n_slots; i++) … a->slots[i] …      // in the order of adapter streams
 *
 * Every method has a file of its own that says what its tensors are and how it takes part in a
 * layer (method.h). Streams are in train/adapter_stream.h.
 *
 * LoRA (Hu et al. 2021): y = W x + (alpha/R) B A drop(x), A [R x in], B [out x R]; rsLoRA
 * (Kalajdzievski 2023): alpha/sqrt(R) instead. Other initial values of it are in lora_start.h.
 * DoRA (Liu et al. 2024) gives each row of W' = W + (alpha/R) B A a length of its own, m [out]:
 * y_i = m_i / ||W'_i|| (W' x)_i.
 * IA3 (Liu et al. 2022): y_i = l_i (W x)_i, or for down y = W (l x).
 * Prefix and prompt tuning: virtual_tokens.h.
 *
 * Bottlenecks (method adapter; Houlsby et al. 2019, Pfeiffer et al. 2020) stand behind the output y
 * of o and down: y' = y + U silu(D y + b) + c, D [R x C], U [C x R]. Their R is cfg.rank, and
 * cfg.targets says behind which matrices they stand.
 *
 * Full fine-tuning: full.h.
 *
 * Rows of tensors that stand along q or k are in GGUF's order, as the base's are; adapter streams
 * hold PEFT's order (see model.h), and the slots say where the two differ.
 */
#ifndef FT_ADAPTER_H
#define FT_ADAPTER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"
#include "model/model.h"

enum ft_method {
    FT_METHOD_LORA, FT_METHOD_IA3, FT_METHOD_PREFIX, FT_METHOD_PROMPT, FT_METHOD_ADAPTER,
    FT_METHOD_FULL, FT_METHODS
};

/* What a tensor is to the matrix or layer that it stands beside. */
enum ft_role {
    FT_ROLE_A, FT_ROLE_B, FT_ROLE_MAGNITUDE, FT_ROLE_SCALE, FT_ROLE_VIRTUAL, FT_ROLE_NARROW,
    FT_ROLE_NARROW_BIAS, FT_ROLE_WIDE, FT_ROLE_WIDE_BIAS, FT_ROLE_WEIGHT, FT_ROLE_ATTN_NORM,
    FT_ROLE_MLP_NORM, FT_ROLE_EMBEDDING, FT_ROLE_FINAL_NORM, FT_ROLE_HEAD, FT_ROLES
};

typedef struct ft_adapter_config {
    size_t rank;               /* lora: >= 1, at most the smaller side of each adapted matrix;
                                * adapter: width of the bottlenecks, 1 to C                   */
    float alpha, dropout;      /* lora: dropout in [0, 1)                                     */
    unsigned targets;          /* matrices adapted: bit 1 << FT_Q … of enum ft_target; adapter:
                                * one of the two below                                        */
    enum ft_method method;
    int rslora;                /* lora: the scaling is alpha / sqrt(rank)                     */
    int dora;                  /* lora: rows have magnitudes (DoRA); then without dropout     */
    size_t virtual_tokens;     /* prefix, prompt: 1 to FT_VIRTUAL_MOST; 0 for all others        */
} ft_adapter_config;

enum { FT_VIRTUAL_MOST = 65536 };

enum { FT_BOTTLENECK_PFEIFFER = 1 << FT_DOWN, FT_BOTTLENECK_HOULSBY = 1 << FT_O | 1 << FT_DOWN };

#define FT_NO_LAYER SIZE_MAX

/* A tensor of parameters. */
typedef struct ft_slot {
    size_t layer;              /* FT_NO_LAYER: it belongs to none, and target means nothing   */
    enum ft_target target;
    enum ft_role role;
    size_t rows, cols;         /* as PEFT has them                                            */
    size_t at;                 /* of its first element in params                              */
    size_t heads;              /* not 0: its rows are those of so many heads of q or k        */
    int vector;                /* PEFT's shape is [rows]; cols is 1                           */
    size_t key_heads;          /* not 0: its columns are keys of so many heads, then as many
                                * values, by turns                                            */
} ft_slot;

typedef struct ft_adapter {
    ft_adapter_config cfg;
    size_t L;
    float scaling;             /* lora: alpha / rank, or alpha / sqrt(rank)                   */
    size_t frozen;             /* lora: so many of the last rows of each A and columns of each B
                                * keep their values; their gradients are zero                 */
    float *params;
    size_t n_params;
    ft_slot *slots;
    size_t n_slots, slots_cap;
    size_t *role_at;           /* into params, index (layer * FT_TARGETS + target) * FT_ROLES +
                                * part; SIZE_MAX where there is none                          */
    struct ft_dora *dora;      /* what follows from params (gain.h); NULL: nothing            */
} ft_adapter;

/* "q,k,v,o,gate,up,down" or "all" or "attention" or "mlp" -> bits. Errors: FT_ERR_USAGE with the
 * choices. */
int ft_targets_parse(const char *text, unsigned *bits, ft_err *e) FT_MUST_CHECK;

/* As users and streams write it: "lora", "ia3", "prefix", "prompt", "adapter", "full"; FT_METHODS
 * for a name that is none. */
const char *ft_method_name(enum ft_method method);
enum ft_method ft_method_by_name(ft_slice name);
/* The learning rate to try first with it. */
double ft_method_rate(enum ft_method method);
/* Why it cannot be folded into the base's weights; NULL: it can. */
const char *ft_method_not_merged(enum ft_method method);

/* Makes an adapter with its initial values: of LoRA A uniform in ±1/sqrt(in) (PEFT's
 * kaiming_uniform with a = sqrt 5) from FT_RNG_INIT, drawn in PEFT's tensor order; B zero; of DoRA
 * the magnitudes that the rows have; of IA3 ones; of virtual tokens zero: ft_virtual_begin gives
 * them values; of bottlenecks D as LoRA's A, all else zero; of full fine-tuning the model's own
 * weights.
 * Errors: FT_ERR_USAGE for a configuration that does not fit the model, FT_ERR_NOMEM.
 * Owns: the caller. */
int ft_adapter_new(ft_adapter **a, const ft_model *m, const ft_adapter_config *cfg, uint64_t seed,
                   ft_err *e) FT_MUST_CHECK;
void ft_adapter_free(ft_adapter **a);

/* Parameters that training changes. */
size_t ft_adapter_n_trained(const ft_adapter *a);

/* A part of one matrix, or NULL when there is none. p: params or gradients. */
float *ft_adapter_of(const ft_adapter *a, float *p, size_t layer, enum ft_target t,
                       enum ft_role role);
static inline float *ft_lora_a(const ft_adapter *a, float *p, size_t layer, enum ft_target t)
{
    return ft_adapter_of(a, p, layer, t, FT_ROLE_A);
}
static inline float *ft_lora_b(const ft_adapter *a, float *p, size_t layer, enum ft_target t)
{
    return ft_adapter_of(a, p, layer, t, FT_ROLE_B);
}

/* ---- as streams and other programs have it ---- */

enum { FT_SLOT_NAME = 128 };

/* PEFT's name of the tensor:
 * base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight, or prompt_embeddings. */
void ft_slot_name(const ft_adapter *a, const ft_slot *s, char name[FT_SLOT_NAME]);

/* The whole tensor between params' order and PEFT's; src != dst. */
void ft_slot_to_peft(const ft_slot *s, const ft_model *m, const float *src, float *dst);
void ft_slot_from_peft(const ft_slot *s, const ft_model *m, const float *src, float *dst);

/* The configuration as entries of a msgpack map, the method's name first: how many there are, and
 * they themselves. */
size_t ft_adapter_config_entries(const ft_adapter_config *cfg);
void ft_adapter_config_put(ft_buf *b, const ft_adapter_config *cfg);
/* Reads them from a map that may hold others. Errors: FT_ERR_DATA naming the entry. */
int ft_adapter_config_get(ft_mp map, ft_adapter_config *cfg, ft_err *e) FT_MUST_CHECK;

#endif
