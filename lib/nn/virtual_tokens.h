/* virtual_tokens.h: tokens that no text has: a method of n of them makes the ids V to V + n - 1
 * legal, and every sequence that a model sees with such an adapter begins with all of them, in
 * order; positions of its own tokens count from n. What stands behind these ids is trained: prompt
 * tuning's embeddings (prompt.c), or prefix tuning's keys and values in each layer (prefix.c).
 *
 *     ft_virtual v = ft_virtual_of(adapter, model);      // n = 0 for all other methods, and NULL
 *     for (i = 0; i < v.n; i++) ids[i] = v.first + i;
 *     memcpy(ids + v.n, own, …);
 *
 * As ids they are shared like any common beginning: by the sequences of a step (train/prefixes.h)
 * and by the prompts of ft-generate, each adapter's apart (infer/engine.h).
 */
#ifndef FT_VIRTUAL_TOKENS_H
#define FT_VIRTUAL_TOKENS_H

#include "base/pool.h"
#include "nn/adapter.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_virtual {        /* all zero: none */
    size_t n;
    uint32_t first;                /* ids first to first + n - 1 */
} ft_virtual;

/* a: NULL is the base alone. */
ft_virtual ft_virtual_of(const ft_adapter *a, const ft_model *m);

/* Returns: the C values that stand in for the embedding of virtual token i, or NULL where the
 * method leaves embeddings alone. */
const float *ft_virtual_embedding(const ft_adapter *a, const ft_model *m, size_t i);
/* Returns: H_kv*D keys of virtual token i in a layer, as they are after rotation, and behind them
 * as many values; NULL where the method leaves them alone. */
const float *ft_virtual_keys(const ft_adapter *a, const ft_model *m, size_t layer, size_t i);

/* Sets the parameters to what the base makes of the n ids (1 or more, below V), which are cut, or
 * repeated, to as many as there are virtual tokens; computed in floats. Does nothing for an adapter
 * without virtual tokens. Errors: FT_ERR_NOMEM. */
int ft_virtual_begin(ft_adapter *a, const ft_model *m, const uint32_t *ids, size_t n,
                     ft_pool *pool, ft_err *e) FT_MUST_CHECK;

/* ---- for the methods: all that they have in common ---- */

int ft_virtual_check(const ft_model *m, const ft_adapter_config *c, ft_err *e) FT_MUST_CHECK;
void ft_virtual_put_config(ft_buf *b, const ft_adapter_config *c);
int ft_virtual_get_config(ft_mp map, ft_adapter_config *c, ft_err *e) FT_MUST_CHECK;
void ft_virtual_no_init(ft_adapter *a, const ft_model *m, uint64_t seed);
void ft_virtual_slot_name(const ft_slot *s, char *name, size_t cap);

#endif
