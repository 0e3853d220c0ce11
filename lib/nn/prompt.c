/* prompt.c: prompt tuning (Lester et al. 2021, section 2): n trained rows stand before the
 * embeddings of each sequence. P [n x C]; dP is the gradient of the first layer's input there. */
#include "nn/method.h"
#include "nn/nn_internal.h"
#include "nn/virtual_tokens.h"

#include <string.h>

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    ft_slot s = {.layer = FT_NO_LAYER, .role = FT_ROLE_VIRTUAL, .rows = a->cfg.virtual_tokens,
                 .cols = m->C};
    return ft_adapter_add_slot(a, s, e);
}

static int from_ids(ft_adapter *a, const ft_model *m, const uint32_t *ids, ft_pool *pool,
                    ft_err *e)
{
    (void)pool;
    (void)e;
    for (size_t i = 0; i < a->cfg.virtual_tokens; i++)
        ft_weight_part(&m->embedding, ids[i], 0, m->C, a->params + i * m->C);
    return 0;
}

static void embed(struct ft_nn *nn, size_t i, float *x)
{
    memcpy(x, ft_virtual_embedding(nn->adapter, nn->m, i), nn->m->C * sizeof *x);
}

struct rows_back {
    struct ft_nn *nn;
    float *grads;
};

/* One virtual token: from sequence after sequence, so that calls may be cut anywhere. */
static void row_task(void *ctx, size_t i, unsigned worker)
{
    const struct rows_back *b = ctx;
    struct ft_nn *nn = b->nn;
    size_t C = nn->m->C;
    (void)worker;
    for (size_t u = 0; u < nn->n_units; u++) {
        const struct unit *x = &nn->units[u];
        if (i >= x->P && i - x->P < x->T)
            nn->kern->axpy(1, nn->dx + (nn->all.first[u] + i - x->P) * C, b->grads + i * C, C);
    }
}

static void input_back(struct ft_nn *nn, float *grads)
{
    struct rows_back b = {nn, grads};
    ft_pool_run(nn->pool, nn->adapter->cfg.virtual_tokens, row_task, &b);
}

static const struct nn_hooks hooks = {.embed = embed, .input_back = input_back};

const struct ft_method_kind ft_method_prompt = {
    .name = "prompt", .rate = 3e-2, .check = ft_virtual_check, .lay_out = lay_out,
    .init = ft_virtual_no_init, .slot_name = ft_virtual_slot_name, .entries = 1,
    .put_config = ft_virtual_put_config, .get_config = ft_virtual_get_config, .hooks = &hooks,
    .from_ids = from_ids,
    .not_merged = "its virtual tokens stand before each sequence and are no part of any weight"};
