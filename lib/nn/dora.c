#include "nn/dora.h"

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>

/* Rows of one task; columns of W' that exist at a time. */
enum { TASK_ROWS = 16, SPAN = 512 };

struct ft_dora {
    ft_digest of;              /* params that the rest belongs to; zero: none yet */
    size_t *at;                /* into gain and inverse, by layer and target; SIZE_MAX: none */
    float *gain, *inverse;
    size_t n;                  /* rows of all matrices together */
};

int ft_dora_new(struct ft_dora **out, const ft_adapter *a, const ft_model *m, ft_err *e)
{
    struct ft_dora *d = *out = ft_new(1, sizeof *d, e);
    if (!d || !(d->at = ft_new(m->L * FT_TARGETS, sizeof *d->at, e)))
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < m->L * FT_TARGETS; i++)
        d->at[i] = SIZE_MAX;
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        if (s->role != FT_ROLE_MAGNITUDE)
            continue;
        d->at[s->layer * FT_TARGETS + (size_t)s->target] = d->n;
        d->n += s->rows;
    }
    if (!(d->gain = ft_new(d->n, sizeof *d->gain, e)) ||
        !(d->inverse = ft_new(d->n, sizeof *d->inverse, e)))
        return FT_ERR_NOMEM;
    return 0;
}

void ft_dora_free(struct ft_dora **out)
{
    struct ft_dora *d = *out;
    if (!d)
        return;
    ft_free(d->at);
    ft_free(d->gain);
    ft_free(d->inverse);
    ft_free(d);
    *out = NULL;
}

/* ||W_i + s (B A)_i||, a span of columns at a time: the whole of W' never exists. */
static double row_length(const ft_adapter *a, const ft_model *m, size_t layer, enum ft_target t,
                         size_t row)
{
    const ft_kernels *k = ft_kernels_get();
    const ft_weight *w = &m->layers[layer].w[t];
    const float *la = ft_lora_a(a, a->params, layer, t);
    const float *b = ft_lora_b(a, a->params, layer, t) + row * a->cfg.rank;
    float x[SPAN];
    double sum = 0;
    for (size_t from = 0; from < w->cols; from += SPAN) {
        size_t n = w->cols - from < SPAN ? w->cols - from : SPAN;
        ft_weight_part(w, row, from, n, x);
        for (size_t r = 0; r < a->cfg.rank; r++)
            if (b[r] != 0)
                k->axpy(a->scaling * b[r], la + r * w->cols + from, x, n);
        sum += k->sum_squares(x, n);
    }
    return sqrt(sum);
}

void ft_dora_init(ft_adapter *a, const ft_model *m)
{
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        if (s->role != FT_ROLE_MAGNITUDE)
            continue;
        for (size_t row = 0; row < s->rows; row++)
            a->params[s->at + row] = (float)row_length(a, m, s->layer, s->target, row);
        if (i + 1 == a->n_slots || a->slots[i + 1].layer != s->layer)
            ft_model_layer_wanted(m, s->layer, 0);
    }
}

struct refreshing {
    const ft_adapter *a;
    const ft_model *m;
    size_t layer;
};

static size_t tasks_of(const struct refreshing *r, int t)
{
    size_t rows = r->m->layers[r->layer].w[t].rows;
    return ft_dora_gain(r->a, r->layer, (enum ft_target)t) ? (rows + TASK_ROWS - 1) / TASK_ROWS
                                                            : 0;
}

/* Some rows of one matrix of the layer. */
static void refresh_task(void *ctx, size_t task, unsigned worker)
{
    const struct refreshing *r = ctx;
    const struct ft_dora *d = r->a->dora;
    const float *magnitude;
    size_t at, rows, from;
    int t = 0;
    (void)worker;
    for (; task >= tasks_of(r, t); t++)
        task -= tasks_of(r, t);
    at = d->at[r->layer * FT_TARGETS + (size_t)t];
    magnitude = ft_adapter_of(r->a, r->a->params, r->layer, (enum ft_target)t, FT_ROLE_MAGNITUDE);
    rows = r->m->layers[r->layer].w[t].rows;
    from = task * TASK_ROWS;
    for (size_t row = from; row < rows && row < from + TASK_ROWS; row++) {
        double length = row_length(r->a, r->m, r->layer, (enum ft_target)t, row);
        double inverse = length == 0 ? 0 : 1 / length;
        d->inverse[at + row] = (float)inverse;
        d->gain[at + row] = (float)((double)magnitude[row] * inverse);
    }
}

void ft_dora_refresh(const ft_adapter *a, const ft_model *m, ft_pool *pool, int streamed)
{
    ft_digest now = ft_digest_of(a->params, a->n_params * sizeof *a->params);
    struct refreshing r = {a, m, 0};
    if (ft_digest_equal(&now, &a->dora->of))
        return;
    a->dora->of = now;
    for (; r.layer < m->L; r.layer++) {
        size_t tasks = 0;
        for (int t = 0; t < FT_TARGETS; t++)
            tasks += tasks_of(&r, t);
        ft_pool_run(pool, tasks, refresh_task, &r);
        if (streamed)
            ft_model_layer_wanted(m, r.layer, 0);
    }
}

static const float *part(const ft_adapter *a, const float *values, size_t layer, enum ft_target t)
{
    size_t at = a->dora->at[layer * FT_TARGETS + (size_t)t];
    return at == SIZE_MAX ? NULL : values + at;
}

const float *ft_dora_gain(const ft_adapter *a, size_t layer, enum ft_target t)
{
    return part(a, a->dora->gain, layer, t);
}

const float *ft_dora_inverse(const ft_adapter *a, size_t layer, enum ft_target t)
{
    return part(a, a->dora->inverse, layer, t);
}

size_t ft_dora_bytes(const ft_adapter *a)
{
    return a->dora ? 2 * a->dora->n * sizeof(float) + a->L * FT_TARGETS * sizeof(size_t) : 0;
}
