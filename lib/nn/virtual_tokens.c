/* virtual_tokens.c: what prompt tuning and prefix tuning have in common. */
#include "nn/virtual_tokens.h"

#include "base/mem.h"
#include "nn/method.h"

#include <stdio.h>

ft_virtual ft_virtual_of(const ft_adapter *a, const ft_model *m)
{
    return (ft_virtual){a ? a->cfg.virtual_tokens : 0, (uint32_t)m->V};
}

const float *ft_virtual_embedding(const ft_adapter *a, const ft_model *m, size_t i)
{
    return a->cfg.method == FT_METHOD_PROMPT ? a->params + i * m->C : NULL;
}

const float *ft_virtual_keys(const ft_adapter *a, const ft_model *m, size_t layer, size_t i)
{
    size_t pair = 2 * m->H_kv * m->D;
    return a->cfg.method == FT_METHOD_PREFIX ? a->params + (i * m->L + layer) * pair : NULL;
}

int ft_virtual_begin(ft_adapter *a, const ft_model *m, const uint32_t *ids, size_t n,
                     ft_pool *pool, ft_err *e)
{
    size_t wanted = a->cfg.virtual_tokens;
    uint32_t *all;
    int rc;
    if (!wanted)
        return 0;
    all = ft_new(wanted, sizeof *all, e);
    if (!all)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < wanted; i++)
        all[i] = ids[i % n];
    rc = ft_method_kind_of(a->cfg.method)->from_ids(a, m, all, pool, e);
    ft_free(all);
    return rc;
}

int ft_virtual_check(const ft_model *m, const ft_adapter_config *c, ft_err *e)
{
    size_t room = m->context > 2 ? m->context - 2 : 0;
    size_t most = room < FT_VIRTUAL_MOST ? room : FT_VIRTUAL_MOST;
    if (c->virtual_tokens < 1 || c->virtual_tokens > most)
        return ft_err_set(e, FT_ERR_USAGE, "%zu virtual tokens: %s takes 1 to %zu in the model's "
                          "context of %zu", c->virtual_tokens, ft_method_name(c->method), most,
                          m->context);
    return 0;
}

void ft_virtual_put_config(ft_buf *b, const ft_adapter_config *c)
{
    ft_mp_put_cstr(b, "virtual_tokens");
    ft_mp_put_uint(b, c->virtual_tokens);
}

int ft_virtual_get_config(ft_mp map, ft_adapter_config *c, ft_err *e)
{
    uint64_t n;
    if (!ft_mp_get_uint(map, "virtual_tokens", &n) || n < 1 || n > FT_VIRTUAL_MOST)
        return ft_err_set(e, FT_ERR_DATA, "virtual_tokens: missing, zero or over %d",
                          FT_VIRTUAL_MOST);
    c->virtual_tokens = (size_t)n;
    return 0;
}

/* Values come with ft_virtual_begin, or from a stream. */
void ft_virtual_no_init(ft_adapter *a, const ft_model *m, uint64_t seed)
{
    (void)a;
    (void)m;
    (void)seed;
}

void ft_virtual_slot_name(const ft_slot *s, char *name, size_t cap)
{
    (void)s;
    snprintf(name, cap, "prompt_embeddings");
}
