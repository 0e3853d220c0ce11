/* lora.h: low-rank adapters (Hu et al. 2021): y = W x + (alpha/R) B A drop(x), A [R x in],
 * B [out x R]. All parameters of an adapter stand in one block, so that optimiser and gradients
 * are flat arrays of the same length.
 *
 * Rows of B for q and k are in GGUF's order, as the base's are; adapter streams hold PEFT's order
 * (see model.h), and lib/train/adapter.h converts.
 */
#ifndef FT_LORA_H
#define FT_LORA_H

#include "base/err.h"
#include "model/model.h"

typedef struct ft_lora_config {
    size_t rank;               /* >= 1 and at most the smaller side of each adapted matrix */
    float alpha, dropout;      /* dropout in [0, 1)                                        */
    unsigned targets;          /* bit 1 << FT_Q … of enum ft_target                        */
} ft_lora_config;

typedef struct ft_lora {
    ft_lora_config cfg;
    size_t L;
    float scaling;             /* alpha / rank */
    float *params;             /* all A and B, by layer, then target, A before B */
    size_t n_params;
    /* Offsets into params, index layer * FT_TARGETS + target; SIZE_MAX where not adapted. */
    size_t *a_at, *b_at;
} ft_lora;

/* "q,k,v,o,gate,up,down" or "all" or "attention" or "mlp" -> bits. Errors: FT_ERR_USAGE with the
 * choices. */
int ft_lora_parse_targets(const char *text, unsigned *bits, ft_err *e) FT_MUST_CHECK;

/* Makes an adapter for a model: A uniform in ±1/sqrt(in) (PEFT's kaiming_uniform with a = sqrt 5)
 * from FT_RNG_INIT, drawn in PEFT's tensor order; B zero. Errors: FT_ERR_USAGE for a rank that does
 * not fit, FT_ERR_NOMEM. */
int ft_lora_new(ft_lora **l, const ft_model *m, const ft_lora_config *cfg, uint64_t seed,
                ft_err *e) FT_MUST_CHECK;
void ft_lora_free(ft_lora **l);

/* A and B of one matrix, or NULL when it is not adapted. p: params or gradients. */
float *ft_lora_a(const ft_lora *l, float *p, size_t layer, enum ft_target t);
float *ft_lora_b(const ft_lora *l, float *p, size_t layer, enum ft_target t);

#endif
