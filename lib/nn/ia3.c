/* ia3.c: vectors that scale activations (Liu et al. 2022, section 3.3), one for each matrix:
 *
 *   y = l (W x), and for down y = W (l x);   dl += sum over tokens of dY W x, or of dX x
 *
 * The paper has them on k, v and the input of down. */
#include "nn/gain.h"
#include "nn/method.h"
#include "nn/nn_internal.h"

#include <stdio.h>

static int check(const ft_model *m, const ft_adapter_config *c, ft_err *e)
{
    (void)m;
    if (c->targets == 0 || c->targets >> FT_TARGETS)
        return ft_err_set(e, FT_ERR_USAGE, "no IA3 targets: give some of q,k,v,o,gate,up,down");
    return 0;
}

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; i < m->L; i++)
        for (int t = 0; t < FT_TARGETS && rc == 0; t++) {
            const ft_weight *w = &m->layers[i].w[t];
            ft_slot s = {.layer = i, .target = (enum ft_target)t, .role = FT_ROLE_SCALE,
                         .rows = w->rows, .cols = 1};
            if (!(a->cfg.targets >> t & 1))
                continue;
            s.heads = ft_target_heads(m, s.target);
            if (t == FT_DOWN) {
                s.rows = 1;
                s.cols = w->cols;
            }
            rc = ft_adapter_add_slot(a, s, e);
        }
    return rc;
}

static void init(ft_adapter *a, const ft_model *m, uint64_t seed)
{
    (void)m;
    (void)seed;
    for (size_t i = 0; i < a->n_params; i++)
        a->params[i] = 1;
}

static void slot_name(const ft_slot *s, char *name, size_t cap)
{
    char path[48];
    ft_target_path(s->target, path, sizeof path);
    snprintf(name, cap, "%s.ia3_l", path);
}

static void put_config(ft_buf *b, const ft_adapter_config *c)
{
    ft_mp_put_cstr(b, "targets");
    ft_targets_put(b, c->targets);
}

static int get_config(ft_mp map, ft_adapter_config *c, ft_err *e)
{
    return ft_targets_get(map, &c->targets, e);
}

static void terms(struct ft_nn *nn, size_t layer, enum ft_target t, const struct acts *a,
                  struct output *out)
{
    (void)a;
    out->gain = ft_adapter_out_gain(nn->adapter, layer, t);
}

static const float *act_gain(const struct ft_nn *nn, size_t layer)
{
    return ft_adapter_in_gain(nn->adapter, layer, FT_DOWN);
}

/* ---- the gradient of down's inputs: a sum over rows of nn->act, in order ---- */

struct sum {
    struct ft_nn *nn;
    const struct rowset *rows;
    float *grads;
};

enum { COLUMNS = 64 };         /* of one task */

static void sum_task(void *ctx, size_t task, unsigned worker)
{
    const struct sum *s = ctx;
    size_t F = s->nn->m->F, from = task * COLUMNS, n = F - from < COLUMNS ? F - from : COLUMNS;
    float x[COLUMNS];
    (void)worker;
    for (size_t row = s->rows->at; row < s->rows->at + s->rows->n; row++) {
        nn_get(s->nn, elem_at(s->nn, s->nn->act, row * F + from), x, n);
        for (size_t j = 0; j < n; j++)
            s->grads[from + j] += x[j];
    }
}

static void gradients(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b,
                      float *grads)
{
    struct sum s = {nn, rows, ft_adapter_of(nn->adapter, grads, b->layer, FT_DOWN, FT_ROLE_SCALE)};
    if (b->t[0] == FT_DOWN && s.grads)
        ft_pool_run(nn->pool, (nn->m->F + COLUMNS - 1) / COLUMNS, sum_task, &s);
}

static const struct nn_hooks hooks = {.terms = terms, .gradients = gradients,
                                      .unscale = nn_gain_back, .act_gain = act_gain};

const struct ft_method_kind ft_method_ia3 = {
    .name = "ia3", .rate = 1e-2, .check = check, .lay_out = lay_out, .init = init,
    .slot_name = slot_name, .entries = 1, .put_config = put_config, .get_config = get_config,
    .hooks = &hooks};
