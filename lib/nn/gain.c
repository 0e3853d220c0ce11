/* gain.c: outputs y = g z of a matrix, where z is what base and adapter give: who has factors, and
 * the way back through them:
 *
 *   dg += sum over tokens of dY z,  dZ = g dY
 *
 * z is not kept but computed again; a parameter's sum runs over rows in order, so that it does not
 * depend on where a call ends. */
#include "nn/gain.h"

#include "nn/dora.h"
#include "nn/nn_internal.h"

void ft_adapter_refresh(const ft_adapter *a, const ft_model *m, ft_pool *pool, int streamed)
{
    if (a->dora)
        ft_dora_refresh(a, m, pool, streamed);
}

const float *ft_adapter_out_gain(const ft_adapter *a, size_t layer, enum ft_target t)
{
    if (a->dora)
        return ft_dora_gain(a, layer, t);
    return t == FT_DOWN ? NULL : ft_adapter_of(a, a->params, layer, t, FT_ROLE_SCALE);
}

const float *ft_adapter_in_gain(const ft_adapter *a, size_t layer, enum ft_target t)
{
    return t == FT_DOWN ? ft_adapter_of(a, a->params, layer, t, FT_ROLE_SCALE) : NULL;
}

/* ---- as hooks ---- */

void nn_gain_begin(struct ft_nn *nn)
{
    ft_adapter_refresh(nn->adapter, nn->m, nn->pool, nn->limits.stream_weights);
}

size_t nn_gain_width(const struct ft_nn *nn)
{
    size_t width = 0;
    for (int t = 0; nn->adapter && t < FT_TARGETS; t++) {
        size_t rows = nn->m->layers[0].w[t].rows;
        if (ft_adapter_out_gain(nn->adapter, 0, (enum ft_target)t) && rows > width)
            width = rows;
    }
    return width;
}

/* One matrix on the way back. */
struct gain_back {
    struct ft_nn *nn;
    const struct rowset *rows;
    size_t width;
    const float *gain, *inverse;   /* inverse: dy z is multiplied with it, too; or NULL */
    const elem *dy;
    elem *dz;                  /* where g dy goes: dy's place, or z's */
    float *grads;
};

enum { COLUMNS = 64 };         /* of one task */

static void back_task(void *ctx, size_t task, unsigned worker)
{
    const struct gain_back *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t from = task * COLUMNS, n = g->width - from < COLUMNS ? g->width - from : COLUMNS;
    float dy[COLUMNS], z[COLUMNS];
    (void)worker;
    for (size_t row = g->rows->at; row < g->rows->at + g->rows->n; row++) {
        size_t at = row * g->width + from;
        nn_get(nn, elem_at(nn, g->dy, at), dy, n);
        nn_get(nn, elem_at(nn, nn->z, at), z, n);
        for (size_t j = 0; j < n; j++) {
            float product = dy[j] * z[j];
            g->grads[from + j] += g->inverse ? product * g->inverse[from + j] : product;
            dy[j] *= g->gain[from + j];
        }
        nn_put(nn, dy, elem_at(nn, g->dz, at), n);
    }
}

static void put_z(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    size_t width = *(const size_t *)ctx;
    for (size_t r = 0; r < t->rows; r++)
        nn_put(nn, t->y[0] + r * t->ld, elem_at(nn, nn->z, (t->row + r) * width + t->col), t->cols);
}

/* nn->z = the outputs of matrix i before their factors. */
static void outputs_again(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b,
                          size_t i)
{
    size_t width = nn->m->layers[b->layer].w[b->t[i]].rows;
    struct product p = {.n_out = 1, .cols = width, .finish = put_z, .ctx = &width,
                        .layer = b->layer};
    if (b->t[i] == FT_DOWN)
        nn_act_again(nn, rows, b->a);
    nn_linear_terms(nn, b->layer, b->t[i], b->x, b->a, &p.out[0]);
    p.out[0].gain = NULL;
    nn_products(nn, rows, &p, 1);
}

void nn_gain_back(struct ft_nn *nn, const struct rowset *rows, struct linear_back *b, float *grads)
{
    const ft_adapter *a = nn->adapter;
    for (size_t i = 0; i < b->n; i++) {
        enum ft_role role = a->dora ? FT_ROLE_MAGNITUDE : FT_ROLE_SCALE;
        struct gain_back g = {.nn = nn, .rows = rows, .dy = b->dy[i],
                              .gain = ft_adapter_out_gain(a, b->layer, b->t[i])};
        if (!g.gain)
            continue;
        if (a->dora)
            g.inverse = ft_dora_inverse(a, b->layer, b->t[i]);
        g.width = nn->m->layers[b->layer].w[b->t[i]].rows;
        g.grads = ft_adapter_of(a, grads, b->layer, b->t[i], role);
        /* nn->dy may be nn->dx, which goes on by the residual: it stays. */
        g.dz = b->dy[i] == nn->dy ? nn->z : elem_at(nn, b->dy[i], 0);
        outputs_again(nn, rows, b, i);
        ft_pool_run(nn->pool, (g.width + COLUMNS - 1) / COLUMNS, back_task, &g);
        b->dy[i] = g.dz;
    }
}
