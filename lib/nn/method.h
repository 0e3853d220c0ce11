/* method.h: what the file of a method says about it. Part of lib/nn.
 *
 * A method is described once, here: which tensors it has (slots), how they begin, how its
 * configuration is written down, and with hooks how it takes part in a layer: layer.c calls each
 * hook at its place, and knows no methods.
 */
#ifndef FT_METHOD_H
#define FT_METHOD_H

#include "base/pool.h"
#include "nn/adapter.h"

struct nn_hooks;

struct ft_method_kind {
    const char *name;
    double rate;               /* learning rate that is tried first */

    /* Refuses (FT_ERR_USAGE) a configuration that does not fit the model. */
    int (*check)(const ft_model *m, const ft_adapter_config *c, ft_err *e);
    /* Adds all slots, in the order of streams, with ft_adapter_add_slot. */
    int (*lay_out)(ft_adapter *a, const ft_model *m, ft_err *e);
    /* Sets scaling and the initial values; params are zero before. */
    void (*init)(ft_adapter *a, const ft_model *m, uint64_t seed);
    /* Of a tensor in its layer: what follows "base_model.model.model.layers.0."; of one in no
     * layer: all of it. */
    void (*slot_name)(const ft_slot *s, char *name, size_t cap);

    /* The configuration: how many entries, without the method's name, and both ways. */
    size_t entries;
    void (*put_config)(ft_buf *b, const ft_adapter_config *c);
    int (*get_config)(ft_mp map, ft_adapter_config *c, ft_err *e);

    const struct nn_hooks *hooks;

    /* Entries that only some configurations have, beyond `entries`; NULL: none. */
    size_t (*more_entries)(const ft_adapter_config *c);

    /* The values that virtual tokens begin with, from as many ids (virtual_tokens.h). */
    int (*from_ids)(ft_adapter *a, const ft_model *m, const uint32_t *ids, ft_pool *pool,
                    ft_err *e);
    const char *not_merged;    /* why it cannot be folded into weights; NULL: it can */
};

extern const struct ft_method_kind ft_method_lora;
extern const struct ft_method_kind ft_method_ia3;
extern const struct ft_method_kind ft_method_prefix;
extern const struct ft_method_kind ft_method_prompt;
extern const struct ft_method_kind ft_method_bottleneck;
extern const struct ft_method_kind ft_method_full;

const struct ft_method_kind *ft_method_kind_of(enum ft_method method);

/* Gives a tensor its place behind those before it. Errors: FT_ERR_NOMEM. */
int ft_adapter_add_slot(ft_adapter *a, ft_slot slot, ft_err *e) FT_MUST_CHECK;

/* Heads whose rows GGUF holds in another order than PEFT in what stands along the outputs of a
 * matrix; 0: the same order. */
size_t ft_target_heads(const ft_model *m, enum ft_target t);

/* Matrices as a list of PEFT's names in an array, and back (FT_ERR_DATA). */
void ft_targets_put(ft_buf *b, unsigned bits);
int ft_targets_get(ft_mp map, unsigned *bits, ft_err *e) FT_MUST_CHECK;

/* "self_attn.q_proj" */
void ft_target_path(enum ft_target t, char *out, size_t cap);

#endif
