/* prefix.c: prefix tuning (Li and Liang 2021, section 4), without a network behind it: in each
 * layer n trained keys and values stand before those of the sequence.
 *
 * P [n x L*2*H_kv*D], as PEFT has it: of virtual token i and layer l the keys, then the values.
 * Keys are as they are after rotation; PEFT does not rotate them either. What the rows of virtual
 * tokens compute besides is never read: no gradient comes to them but by these keys and values. */
#include "base/mem.h"
#include "nn/method.h"
#include "nn/nn_internal.h"
#include "nn/virtual_tokens.h"

#include <string.h>

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    ft_slot s = {.layer = FT_NO_LAYER, .role = FT_ROLE_VIRTUAL, .rows = a->cfg.virtual_tokens,
                 .cols = m->L * 2 * m->H_kv * m->D, .key_heads = m->H_kv};
    return ft_adapter_add_slot(a, s, e);
}

static float *keys_in(const ft_adapter *a, const ft_model *m, float *params, size_t layer, size_t i)
{
    return params + (ft_virtual_keys(a, m, layer, i) - a->params);
}

/* ---- how it begins ---- */

static void take_layer(const struct ft_nn *nn, ft_adapter *a, size_t l)
{
    size_t kv = nn->m->H_kv * nn->m->D;
    for (size_t i = 0; i < a->cfg.virtual_tokens; i++) {
        float *to = keys_in(a, nn->m, a->params, l, i);
        nn_get(nn, elem_at(nn, nn->acts[l].k, i * kv), to, kv);
        nn_get(nn, elem_at(nn, nn->acts[l].v, i * kv), to + kv, kv);
    }
}

/* Keys and values of the ids, read by the base alone as a sequence. */
static int from_ids(ft_adapter *a, const ft_model *m, const uint32_t *ids, ft_pool *pool,
                    ft_err *e)
{
    size_t n = a->cfg.virtual_tokens;
    ft_nn_limits limits = {.tokens = n, .seq_tokens = n, .targets = 1};
    ft_seq seq = {.ids = ids, .T = n, .weight = 1};
    ft_nn *nn = NULL;
    int rc = ft_nn_new(&nn, m, NULL, pool, &limits, e);
    if (rc == 0 && (rc = nn_rows_begin(nn, &seq, 1, e)) == 0) {
        nn_embed(nn);
        for (size_t l = 0; l < m->L; l++) {
            nn_layer_forward(nn, l, l + 1 < m->L ? nn->acts[l + 1].x : nn->x_out);
            take_layer(nn, a, l);
        }
    }
    ft_nn_free(&nn);
    return rc;
}

/* ---- forward ---- */

/* What is finite serves: see above. */
static void embed(struct ft_nn *nn, size_t i, float *x)
{
    (void)i;
    ft_weight_part(&nn->m->embedding, 0, 0, nn->m->C, x);
}

struct layer_keys {
    struct ft_nn *nn;
    size_t layer;
    const struct acts *a;
    float *grads;
};

/* Virtual tokens [*from, return value) are among the unit's own. */
static size_t virtual_of(const struct ft_nn *nn, const struct unit *x, size_t *from)
{
    size_t n = nn->adapter->cfg.virtual_tokens, end = x->P + x->T;
    *from = x->P < n ? x->P : n;
    return end < n ? end : n;
}

static void put_task(void *ctx, size_t u, unsigned worker)
{
    const struct layer_keys *c = ctx;
    struct ft_nn *nn = c->nn;
    const struct unit *x = &nn->units[u];
    size_t kv = nn->m->H_kv * nn->m->D, from, end = virtual_of(nn, x, &from);
    (void)worker;
    for (size_t i = from; i < end; i++) {
        const float *own = ft_virtual_keys(nn->adapter, nn->m, c->layer, i);
        size_t at = (nn->all.first[u] + i - x->P) * kv;
        nn_put(nn, own, elem_at(nn, c->a->k, at), kv);
        nn_put(nn, own + kv, elem_at(nn, c->a->v, at), kv);
    }
}

static void keys(struct ft_nn *nn, size_t layer, const struct acts *a)
{
    struct layer_keys c = {nn, layer, a, NULL};
    ft_pool_run(nn->pool, nn->n_units, put_task, &c);
}

/* ---- backward ---- */

/* One virtual token and head: from sequence after sequence; nothing goes on to where its keys and
 * values would have come from. */
static void back_task(void *ctx, size_t task, unsigned worker)
{
    const struct layer_keys *c = ctx;
    struct ft_nn *nn = c->nn;
    size_t D = nn->m->D, H = nn->m->H_kv, h = task % H, i = task / H, size = nn->type->size;
    float *to = keys_in(nn->adapter, nn->m, c->grads, c->layer, i) + h * D;
    float *dk = scratch_of(nn, worker), *dv = dk + D;
    for (size_t u = 0; u < nn->n_units; u++) {
        const struct unit *x = &nn->units[u];
        size_t at = ((nn->all.first[u] + i - x->P) * H + h) * D;
        if (i < x->P || i - x->P >= x->T)
            continue;
        nn_key_gradients(nn, c->layer, u, h, i - x->P, dk, dv);
        nn->kern->axpy(1, dk, to, D);
        nn->kern->axpy(1, dv, to + H * D, D);
        memset(elem_at(nn, nn->dk, at), 0, D * size);
        memset(elem_at(nn, nn->dv, at), 0, D * size);
    }
}

static void keys_back(struct ft_nn *nn, size_t layer, float *grads)
{
    struct layer_keys c = {nn, layer, NULL, grads};
    ft_pool_run(nn->pool, nn->adapter->cfg.virtual_tokens * nn->m->H_kv, back_task, &c);
}

static const struct nn_hooks hooks = {.embed = embed, .keys = keys, .keys_back = keys_back};

const struct ft_method_kind ft_method_prefix = {
    .name = "prefix", .rate = 3e-2, .check = ft_virtual_check, .lay_out = lay_out,
    .init = ft_virtual_no_init, .slot_name = ft_virtual_slot_name, .entries = 1,
    .put_config = ft_virtual_put_config, .get_config = ft_virtual_get_config, .hooks = &hooks,
    .from_ids = from_ids,
    .not_merged = "its keys and values stand before each sequence and are no part of any weight"};
