/* peft_config.h: the file adapter_config.json, by which PEFT says what an adapter is.
 *
 * What ft can honour is read, what only matters to training or loading by PEFT is passed over, and
 * everything else, keys that ft has never heard of too, must be off: null, false, or empty. So an
 * adapter is never taken for a simpler one than it is.
 *
 *     ft_peft_config c = {0};
 *     if (ft_peft_config_parse(&c, text, n, e) < 0) …      // "rank_pattern: {"q_proj":4} …"
 *     ft_peft_config_free(&c);
 */
#ifndef FT_PEFT_CONFIG_H
#define FT_PEFT_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"
#include "model/model.h"

enum ft_peft_type { FT_PEFT_LORA, FT_PEFT_PREFIX, FT_PEFT_PROMPT, FT_PEFT_IA3 };

typedef struct ft_peft_config {
    enum ft_peft_type type;
    ft_slice base_name, revision;      /* of the base model; n = 0: not said */
    /* LORA */
    uint64_t rank;
    double alpha, dropout;
    int rslora, dora;
    /* LORA and IA3: lists of strings; as ft_peft_selects has it */
    ft_mp targets, feedforward;
    int all_linear;                    /* instead of targets: all seven matrices of a layer */
    /* PREFIX_TUNING and PROMPT_TUNING; 0 where the file does not say it */
    uint64_t tokens, token_dim, layers, heads;
    ft_buf parsed;                     /* what the slices point into */
} ft_peft_config;

/* Reads the file's text. c: all zero. Errors: FT_ERR_DATA naming the key, FT_ERR_NOMEM. */
int ft_peft_config_parse(ft_peft_config *c, const void *text, size_t n, ft_err *e) FT_MUST_CHECK;
void ft_peft_config_free(ft_peft_config *c);

/* Whether the matrix of a layer is meant by a list of module names: each a whole name such as
 * "model.layers.0.self_attn.q_proj", or what such a name ends with behind a dot. */
int ft_peft_selects(ft_mp list, size_t layer, enum ft_target t);

/* Puts the module's name to out: "model.layers.0.self_attn.q_proj". Returns: its length. */
size_t ft_peft_module(size_t layer, enum ft_target t, char *out, size_t cap);

/* Appends the text of a file that PEFT loads. targets, feedforward: bits 1 << FT_Q …, instead of
 * the lists of c. */
void ft_peft_config_put(const ft_peft_config *c, unsigned targets, unsigned feedforward, ft_buf *b);

#endif
