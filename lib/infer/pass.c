#include "infer/pass.h"

#include "base/mem.h"
#include "infer/bottleneck_rows.h"
#include "infer/lora_rows.h"
#include "infer/products.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { MATRICES = 9 };

struct ft_pass {
    const ft_model *m;
    ft_kv *kv;
    ft_pool *pool;
    ft_pass_limits most;
    float *cos_sin;            /* angles x D: cosine, sine of each pair (see kernels.h, rope) */
    size_t angles, angles_cap; /* positions that have them; floats                            */

    /* Activations, row by row. */
    float *x, *normed;         /* rows x C: residual stream, normalised input                 */
    float *q, *k, *v;          /* rows x H*D, H_kv*D, H_kv*D                                  */
    float *attended;           /* rows x H*D                                                  */
    float *gate, *up, *hidden; /* rows x F                                                    */
    float *ax;                 /* 3 x rows x max_rank                                         */
    float *logits;             /* wanted x V                                                  */
    uint16_t *rounded;         /* rows x the widest input, for products in bf16               */
    float **scratch;           /* one block a pool worker, for products and scores            */
    unsigned workers;

    const ft_adapter **adapters;    /* of each row of the pass that runs, */
    int adapted;               /* whether one has any,               */
    int bf16;                  /* what products are computed in,     */
    const ft_row *rows;        /* the rows,                          */
    size_t n, layer;           /* how many, and the layer            */
};

/* ---- memory ---- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t widest_input(const ft_model *m)
{
    return max_size(max_size(m->C, m->H * m->D), m->F);
}

static size_t scratch_floats(const ft_model *m, const ft_pass_limits *most)
{
    return max_size(ft_products_scratch(widest_input(m), max_size(most->rows, most->wanted)),
                    m->H / m->H_kv * most->context);
}

/* Floats of the arrays that activations() lists, in its order. */
static void sizes(const ft_model *m, const ft_pass_limits *most, size_t size[MATRICES + 2])
{
    size_t attention = m->H * m->D, keys = m->H_kv * m->D;
    const size_t width[MATRICES] = {m->C, m->C, attention, keys, keys, attention, m->F, m->F, m->F};
    for (size_t i = 0; i < MATRICES; i++)
        size[i] = most->rows * width[i];
    size[1] = max_size(most->rows, most->wanted) * m->C;
    size[MATRICES] = 3 * most->rows * most->max_rank;
    size[MATRICES + 1] = most->wanted * m->V;
}

static void activations(ft_pass *p, float **list[MATRICES + 2])
{
    float **all[] = {&p->x, &p->normed, &p->q, &p->k, &p->v, &p->attended, &p->gate, &p->up,
                     &p->hidden, &p->ax, &p->logits};
    memcpy(list, all, sizeof all);
}

size_t ft_pass_bytes(const ft_model *m, unsigned threads, const ft_pass_limits *most)
{
    size_t size[MATRICES + 2], floats = threads * scratch_floats(m, most) + most->context * m->D;
    sizes(m, most, size);
    for (size_t i = 0; i < MATRICES + 2; i++)
        floats += size[i];
    return floats * sizeof(float) +
           most->rows * (sizeof(ft_adapter *) + widest_input(m) * sizeof(uint16_t));
}

static int take_all(ft_pass *p, ft_err *e)
{
    size_t size[MATRICES + 2];
    float **list[MATRICES + 2];
    sizes(p->m, &p->most, size);
    activations(p, list);
    for (size_t i = 0; i < MATRICES + 2; i++)
        if (!(*list[i] = ft_new_aligned(size[i], sizeof(float), e)))
            return FT_ERR_NOMEM;
    p->workers = ft_pool_threads(p->pool);
    p->scratch = ft_new(p->workers, sizeof *p->scratch, e);
    p->adapters = ft_new(p->most.rows, sizeof *p->adapters, e);
    p->rounded = ft_new_aligned(p->most.rows * widest_input(p->m), sizeof *p->rounded, e);
    if (!p->scratch || !p->adapters || !p->rounded)
        return FT_ERR_NOMEM;
    for (unsigned i = 0; i < p->workers; i++)
        if (!(p->scratch[i] = ft_new_aligned(scratch_floats(p->m, &p->most), sizeof(float), e)))
            return FT_ERR_NOMEM;
    return 0;
}

int ft_pass_new(ft_pass **out, const ft_model *m, ft_kv *kv, ft_pool *pool,
                const ft_pass_limits *limits, ft_err *e)
{
    ft_pass *p;
    *out = NULL;
    if (limits->context < 1 || limits->context > m->context)
        return ft_err_set(e, FT_ERR_USAGE, "a context of %zu tokens: the model was made for "
                          "1 to %zu", limits->context, m->context);
    p = ft_new(1, sizeof *p, e);
    if (!p)
        return FT_ERR_NOMEM;
    p->m = m;
    p->kv = kv;
    p->pool = pool;
    p->most = *limits;
    *out = p;
    if (take_all(p, e) < 0) {
        ft_pass_free(out);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_pass_free(ft_pass **out)
{
    ft_pass *p = *out;
    float **list[MATRICES + 2];
    if (!p)
        return;
    activations(p, list);
    for (size_t i = 0; i < MATRICES + 2; i++)
        ft_free(*list[i]);
    for (unsigned i = 0; p->scratch && i < p->workers; i++)
        ft_free(p->scratch[i]);
    ft_free(p->scratch);
    ft_free(p->rounded);
    ft_free(p->adapters);
    ft_free(p->cos_sin);
    ft_free(p);
    *out = NULL;
}

/* Angles of rotary embedding for positions [0, n):
 * position * theta^(-2i/D) / factor_i (Su et al. 2021, eq. 15). */
static int need_angles(ft_pass *p, size_t n, ft_err *e)
{
    const ft_model *m = p->m;
    if (n <= p->angles)
        return 0;
    if (ft_grow(&p->cos_sin, &p->angles_cap, n * m->D, sizeof(float), e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < m->D / 2; i++) {
        double f = pow((double)m->rope_theta, -2.0 * (double)i / (double)m->D);
        if (m->rope_factors)
            f /= (double)m->rope_factors[i];
        for (size_t t = p->angles; t < n; t++) {
            p->cos_sin[t * m->D + 2 * i] = (float)cos((double)t * f);
            p->cos_sin[t * m->D + 2 * i + 1] = (float)sin((double)t * f);
        }
    }
    p->angles = n;
    return 0;
}

/* ---- one layer, for all rows; a task is one row, or one row and key head --- */

/* The one place where rows meet matrices. */
static void multiply(ft_pass *p, size_t n, const enum ft_target *targets, const float *x,
                     float *const *y)
{
    const ft_layer *layer = &p->m->layers[p->layer];
    ft_product list[3];
    ft_products run = {list, n, p->n, 0, 0, p->scratch,
                       p->bf16 ? FT_PRODUCTS_BF16 : FT_PRODUCTS_F32};
    size_t width[3];
    for (size_t i = 0; i < n; i++) {
        list[i] = (ft_product){&layer->w[targets[i]], x, y[i], NULL, NULL, NULL, p->rounded};
        width[i] = layer->w[targets[i]].rows;
    }
    ft_products_run(&run, p->pool);
    if (p->adapted)
        ft_lora_rows_add(&(ft_lora_rows){p->adapters, p->n, p->layer, n, targets, x,
                                         list[0].w->cols, y, width, p->ax, p->most.max_rank},
                         p->pool);
}

static void normalise_rows(ft_pass *p, const float *norm)
{
    const ft_model *m = p->m;
    for (size_t i = 0; i < p->n; i++)
        ft_kernels_get()->rmsnorm(p->x + i * m->C, norm, m->rms_eps, p->normed + i * m->C, m->C);
}

/* y, the output of o or down, joins the residual stream. */
static void add_rows(ft_pass *p, enum ft_target from, float *y)
{
    if (p->adapted)
        ft_bottleneck_rows_run(&(ft_bottleneck_rows){p->adapters, p->n, p->layer, from, y, p->m->C,
                                                     p->ax, p->most.max_rank}, p->pool);
    ft_kernels_get()->axpy(1.0f, y, p->x, p->n * p->m->C);
}

/* Rotates queries and keys of row i and files its keys and values. */
static void file_row(void *ctx, size_t i, unsigned worker)
{
    ft_pass *p = ctx;
    const ft_kernels *kernel = ft_kernels_get();
    size_t at = p->rows[i].at, D = p->m->D, row = at % FT_KV_BLOCK * D;
    uint32_t b = p->rows[i].blocks[at / FT_KV_BLOCK];
    const float *angles = p->cos_sin + at * D;
    (void)worker;
    for (size_t h = 0; h < p->m->H; h++)
        kernel->rope(p->q + (i * p->m->H + h) * D, angles, D);
    for (size_t g = 0; g < p->m->H_kv; g++) {
        float *k = p->k + (i * p->m->H_kv + g) * D;
        const float *v = p->v + (i * p->m->H_kv + g) * D;
        kernel->rope(k, angles, D);
        memcpy(ft_kv_keys(p->kv, b, p->layer, g) + row, k, D * sizeof *k);
        memcpy(ft_kv_values(p->kv, b, p->layer, g) + row, v, D * sizeof *v);
    }
}

/* Attention of one row's query heads that share key head g, over all tokens up to it:
 * out = softmax(q K' / sqrt(D)) V, positions in order. */
static void attend(void *ctx, size_t task, unsigned worker)
{
    ft_pass *p = ctx;
    const ft_model *m = p->m;
    const ft_kernels *kernel = ft_kernels_get();
    size_t i = task / m->H_kv, g = task % m->H_kv, rep = m->H / m->H_kv, D = m->D;
    size_t seen = p->rows[i].at + 1;
    const uint32_t *blocks = p->rows[i].blocks;
    const float *q = p->q + (i * m->H + g * rep) * D;
    float *out = p->attended + (i * m->H + g * rep) * D, *score = p->scratch[worker];
    for (size_t from = 0; from < seen; from += FT_KV_BLOCK) {
        size_t n = seen - from < FT_KV_BLOCK ? seen - from : FT_KV_BLOCK;
        const float *keys = ft_kv_keys(p->kv, blocks[from / FT_KV_BLOCK], p->layer, g);
        kernel->dot_rows(q, D, rep, keys, n, D, score + from, seen);
    }
    for (size_t h = 0; h < rep; h++)
        kernel->softmax(score + h * seen, 1.0f / sqrtf((float)D), seen);
    memset(out, 0, rep * D * sizeof *out);
    for (size_t from = 0; from < seen; from += FT_KV_BLOCK) {
        size_t n = seen - from < FT_KV_BLOCK ? seen - from : FT_KV_BLOCK;
        const float *values = ft_kv_values(p->kv, blocks[from / FT_KV_BLOCK], p->layer, g);
        kernel->add_rows(score + from, seen, rep, values, n, D, out);
    }
}

static void gate_row(void *ctx, size_t i, unsigned worker)
{
    ft_pass *p = ctx;
    size_t F = p->m->F;
    (void)worker;
    ft_kernels_get()->swiglu(p->gate + i * F, p->up + i * F, p->hidden + i * F, F);
}

static void run_layer(ft_pass *p)
{
    const ft_layer *layer = &p->m->layers[p->layer];
    normalise_rows(p, layer->attn_norm);
    multiply(p, 3, (const enum ft_target[]){FT_Q, FT_K, FT_V}, p->normed,
             (float *const[]){p->q, p->k, p->v});
    ft_pool_run(p->pool, p->n, file_row, p);
    ft_pool_run(p->pool, p->n * p->m->H_kv, attend, p);
    multiply(p, 1, (const enum ft_target[]){FT_O}, p->attended, (float *const[]){p->normed});
    add_rows(p, FT_O, p->normed);

    normalise_rows(p, layer->mlp_norm);
    multiply(p, 2, (const enum ft_target[]){FT_GATE, FT_UP}, p->normed,
             (float *const[]){p->gate, p->up});
    ft_pool_run(p->pool, p->n, gate_row, p);
    multiply(p, 1, (const enum ft_target[]){FT_DOWN}, p->hidden, (float *const[]){p->normed});
    add_rows(p, FT_DOWN, p->normed);
}

/* ---- the pass ---- */

static void run_head(ft_pass *p)
{
    const ft_model *m = p->m;
    size_t wanted = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->rows[i].wanted)
            ft_kernels_get()->rmsnorm(p->x + i * m->C, m->final_norm, m->rms_eps,
                                      p->normed + wanted++ * m->C, m->C);
    if (wanted) {
        ft_product head = {&m->head, p->normed, p->logits, NULL, NULL, NULL, NULL};
        ft_products_run(&(ft_products){&head, 1, wanted, 0, 0, p->scratch, FT_PRODUCTS_F32},
                        p->pool);
    }
}

int ft_pass_run(ft_pass *p, const ft_row *rows, size_t n, int bf16, ft_err *e)
{
    const ft_weight *w = &p->m->embedding;
    p->bf16 = bf16;
    p->rows = rows;
    p->n = n;
    p->adapted = 0;
    for (size_t i = 0; i < n; i++) {
        if (need_angles(p, rows[i].at + 1, e) < 0)
            return FT_ERR_NOMEM;
        ft_weight_part(w, rows[i].id, 0, w->cols, p->x + i * w->cols);
        p->adapters[i] = rows[i].adapter;
        p->adapted |= rows[i].adapter != NULL;
    }
    for (p->layer = 0; p->layer < p->m->L; p->layer++)
        run_layer(p);
    run_head(p);
    return 0;
}

float *ft_pass_logits(ft_pass *p, size_t i)
{
    return p->logits + i * p->m->V;
}
