#include "infer/pass.h"

#include "base/mem.h"
#include "infer/bottleneck_rows.h"
#include "infer/lora_rows.h"
#include "infer/products.h"
#include "kernels/kernels.h"
#include "nn/gain.h"
#include "nn/virtual_tokens.h"

#include <math.h>
#include <string.h>

/* BUNDLE: rows that follow each other in one sequence and look at its keys together. */
enum { MATRICES = 9, BUNDLE = 4 };

typedef struct bundle {
    size_t row, n;
} bundle;

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
    uint16_t *rounded;         /* rows x the widest input, for products in bf16,              */
    ft_block_s8 *blocks;       /* and in bytes,                                               */
    ft_packed *packed;         /* of which the weights are a copy, or NULL                    */
    float **scratch;           /* one block a pool worker, for products and scores            */
    unsigned workers;

    bundle *bundles;           /* of the rows of the pass that runs; */
    size_t n_bundles;
    const ft_adapter **adapters;    /* of each row of the pass that runs, */
    const ft_adapter **ready;  /* those that are refreshed, */
    size_t n_ready, ready_cap;
    int adapted;               /* whether one has any,               */
    enum ft_compute_in in;     /* what products are computed in,     */
    const ft_row *rows;        /* the rows,                          */
    size_t n, layer;           /* how many, and the layer            */
};

/* ---- memory ---- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t whole_blocks(size_t tokens)
{
    return (tokens + FT_KV_BLOCK - 1) / FT_KV_BLOCK * FT_KV_BLOCK;
}

static size_t widest_input(const ft_model *m)
{
    return max_size(max_size(m->C, m->H * m->D), m->F);
}

static size_t scratch_floats(const ft_model *m, const ft_pass_limits *most)
{
    return max_size(ft_products_scratch(widest_input(m), max_size(most->rows, most->wanted)),
                    BUNDLE * (m->H / m->H_kv) * (whole_blocks(most->context) + 2 * m->D));
}

/* Numbers of the inputs of a product in bf16, and their blocks in bytes. */
static size_t rounded_of(const ft_model *m, const ft_pass_limits *most)
{
    return max_size(most->rows, most->wanted) * widest_input(m);
}

static size_t blocks_of(const ft_model *m, const ft_pass_limits *most)
{
    return max_size(most->rows, most->wanted) * ((widest_input(m) + 31) / 32);
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
           most->rows * (sizeof(ft_adapter *) + sizeof(bundle)) +
           rounded_of(m, most) * sizeof(uint16_t) +
           (most->int8 ? blocks_of(m, most) * sizeof(ft_block_s8) + ft_packed_bytes(m) : 0);
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
    p->bundles = ft_new(p->most.rows, sizeof *p->bundles, e);
    p->rounded = ft_new_aligned(rounded_of(p->m, &p->most), sizeof *p->rounded, e);
    if (!p->scratch || !p->adapters || !p->bundles || !p->rounded)
        return FT_ERR_NOMEM;
    if (p->most.int8 && ft_packed_bytes(p->m) > 0) {
        p->blocks = ft_new_aligned(blocks_of(p->m, &p->most), sizeof *p->blocks, e);
        if (!p->blocks || ft_packed_new(&p->packed, p->m, p->pool, e) < 0)
            return FT_ERR_NOMEM;
    }
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
    ft_free(p->blocks);
    ft_packed_free(&p->packed);
    ft_free(p->adapters);
    ft_free(p->ready);
    ft_free(p->bundles);
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
    ft_products run = {.list = list, .n = n, .M = p->n, .scratch = p->scratch, .compute = p->in};
    size_t width[3];
    for (size_t i = 0; i < n; i++) {
        list[i] = (ft_product){.w = &layer->w[targets[i]], .x = x, .y = y[i],
                               .rounded = p->rounded, .blocks = p->blocks};
        if (p->packed)
            list[i].packed = ft_packed_of(p->packed, p->layer, targets[i]);
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

/* Keys and behind them values that the row's adapter has for it, or NULL. */
static const float *own_keys(const ft_pass *p, size_t i)
{
    const ft_row *r = &p->rows[i];
    return r->id < p->m->V ? NULL
                           : ft_virtual_keys(r->adapter, p->m, p->layer, r->id - p->m->V);
}

/* What a row begins with. Where a virtual token's keys and values are given, nothing else of it is
 * read, and any token will do. */
static void embed(ft_pass *p, size_t i)
{
    const ft_row *r = &p->rows[i];
    size_t C = p->m->C;
    const float *own = r->id < p->m->V
                           ? NULL : ft_virtual_embedding(r->adapter, p->m, r->id - p->m->V);
    if (own)
        memcpy(p->x + i * C, own, C * sizeof *own);
    else
        ft_weight_part(&p->m->embedding, r->id < p->m->V ? r->id : 0, 0, C, p->x + i * C);
}

/* Rotates queries and keys of row i and files its keys and values. */
static void file_row(void *ctx, size_t i, unsigned worker)
{
    ft_pass *p = ctx;
    const ft_kernels *kernel = ft_kernels_get();
    size_t at = p->rows[i].at, D = p->m->D, row = at % FT_KV_BLOCK;
    uint32_t b = p->rows[i].blocks[at / FT_KV_BLOCK];
    const float *angles = p->cos_sin + at * D, *own = own_keys(p, i);
    (void)worker;
    for (size_t h = 0; h < p->m->H; h++)
        kernel->rope(p->q + (i * p->m->H + h) * D, angles, D);
    for (size_t g = 0; g < p->m->H_kv; g++) {
        const float *k = p->k + (i * p->m->H_kv + g) * D, *v = p->v + (i * p->m->H_kv + g) * D;
        float *keys = ft_kv_keys(p->kv, b, p->layer, g) + row;
        kernel->rope(p->k + (i * p->m->H_kv + g) * D, angles, D);
        if (own) {
            k = own + g * D;
            v = k + p->m->H_kv * D;
        }
        for (size_t d = 0; d < D; d++)
            keys[d * FT_KV_BLOCK] = k[d];
        memcpy(ft_kv_values(p->kv, b, p->layer, g) + row * D, v, D * sizeof *v);
    }
}

/* What a bundle's rows compute for one key head: their query heads one after the other. */
typedef struct view {
    size_t rows, rep, D, ld;       /* ld: from one head's scores to the next's: whole blocks  */
    size_t first;                  /* keys that the first row sees: row r sees r more */
    size_t layer, head;
    const uint32_t *blocks;
    float *q, *out, *score;        /* rows * rep of D, D, ld */
} view;

_Static_assert((size_t)FT_KV_BLOCK == (size_t)FT_PANEL, "a block's keys are a panel");

/* The first keys in whole blocks, which all rows see. */
static size_t common(const view *v)
{
    return v->first / FT_KV_BLOCK * FT_KV_BLOCK;
}

/* Scores of rows [r, r + n) for the keys [from, to), and what their last block has behind them. */
static void score_keys(const ft_kv *kv, const view *v, size_t r, size_t n, size_t from, size_t to)
{
    for (; from < to; from += FT_KV_BLOCK)
        ft_kernels_get()->gemm_f32(n * v->rep, FT_KV_BLOCK, v->D, v->q + r * v->rep * v->D, v->D,
                                   ft_kv_keys(kv, v->blocks[from / FT_KV_BLOCK], v->layer, v->head),
                                   v->score + r * v->rep * v->ld + from, v->ld, 0);
}

static void add_values(const ft_kv *kv, const view *v, size_t r, size_t n, size_t from, size_t to)
{
    for (; from < to; from += FT_KV_BLOCK) {
        size_t some = to - from < FT_KV_BLOCK ? to - from : FT_KV_BLOCK;
        const float *values = ft_kv_values(kv, v->blocks[from / FT_KV_BLOCK], v->layer, v->head);
        ft_kernels_get()->add_rows(v->score + r * v->rep * v->ld + from, v->ld, n * v->rep,
                                   values, some, v->D, v->out + r * v->rep * v->D);
    }
}

/* out = softmax(q K' / sqrt(D)) V, positions in order: first what all rows see, then each row's
 * last keys. */
static void attend_view(const ft_kv *kv, const view *v)
{
    float scale = 1.0f / sqrtf((float)v->D);
    score_keys(kv, v, 0, v->rows, 0, common(v));
    memset(v->out, 0, v->rows * v->rep * v->D * sizeof *v->out);
    for (size_t r = 0; r < v->rows; r++) {
        score_keys(kv, v, r, 1, common(v), v->first + r);
        for (size_t h = r * v->rep; h < (r + 1) * v->rep; h++)
            ft_kernels_get()->softmax(v->score + h * v->ld, scale, v->first + r);
    }
    add_values(kv, v, 0, v->rows, 0, common(v));
    for (size_t r = 0; r < v->rows; r++)
        add_values(kv, v, r, 1, common(v), v->first + r);
}

/* Attention of one bundle's query heads that share a key head. */
static void attend(void *ctx, size_t task, unsigned worker)
{
    ft_pass *p = ctx;
    const ft_model *m = p->m;
    const bundle *b = &p->bundles[task / m->H_kv];
    size_t g = task % m->H_kv, rep = m->H / m->H_kv, D = m->D, C = m->H * D;
    const ft_row *row = &p->rows[b->row];
    view v = {.rows = b->n, .rep = rep, .D = D, .ld = whole_blocks(row->at + b->n),
              .first = row->at + 1, .layer = p->layer, .head = g, .blocks = row->blocks,
              .score = p->scratch[worker]};
    v.q = v.score + b->n * rep * v.ld;
    v.out = v.q + b->n * rep * D;
    for (size_t r = 0; r < b->n; r++)
        memcpy(v.q + r * rep * D, p->q + (b->row + r) * C + g * rep * D, rep * D * sizeof *v.q);
    attend_view(p->kv, &v);
    for (size_t r = 0; r < b->n; r++)
        memcpy(p->attended + (b->row + r) * C + g * rep * D, v.out + r * rep * D,
               rep * D * sizeof *v.out);
}

static void find_bundles(ft_pass *p)
{
    p->n_bundles = 0;
    for (size_t i = 0; i < p->n; i++) {
        const ft_row *row = &p->rows[i];
        bundle *last = &p->bundles[p->n_bundles - (p->n_bundles > 0)];
        if (i > 0 && last->n < BUNDLE && row->blocks == row[-1].blocks && row->at == row[-1].at + 1)
            last->n++;
        else
            p->bundles[p->n_bundles++] = (bundle){i, 1};
    }
}

static void gate_row(void *ctx, size_t i, unsigned worker)
{
    ft_pass *p = ctx;
    size_t F = p->m->F;
    const ft_adapter *a = p->adapters[i];
    const float *gain = a ? ft_adapter_in_gain(a, p->layer, FT_DOWN) : NULL;
    (void)worker;
    ft_kernels_get()->swiglu(p->gate + i * F, p->up + i * F, p->hidden + i * F, F);
    for (size_t j = 0; gain && j < F; j++)
        p->hidden[i * F + j] *= gain[j];
}

static void run_layer(ft_pass *p)
{
    const ft_layer *layer = &p->m->layers[p->layer];
    normalise_rows(p, layer->attn_norm);
    multiply(p, 3, (const enum ft_target[]){FT_Q, FT_K, FT_V}, p->normed,
             (float *const[]){p->q, p->k, p->v});
    ft_pool_run(p->pool, p->n, file_row, p);
    ft_pool_run(p->pool, p->n_bundles * p->m->H_kv, attend, p);
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

/* An adapter is made ready when the first row with it comes. */
static int ready(ft_pass *p, const ft_adapter *a, ft_err *e)
{
    for (size_t i = 0; i < p->n_ready; i++)
        if (p->ready[i] == a)
            return 0;
    if (ft_grow(&p->ready, &p->ready_cap, p->n_ready + 1, sizeof *p->ready, e) < 0)
        return FT_ERR_NOMEM;
    ft_adapter_refresh(a, p->m, p->pool, 0);
    p->ready[p->n_ready++] = a;
    return 0;
}

static void run_head(ft_pass *p)
{
    const ft_model *m = p->m;
    size_t wanted = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->rows[i].wanted)
            ft_kernels_get()->rmsnorm(p->x + i * m->C, m->final_norm, m->rms_eps,
                                      p->normed + wanted++ * m->C, m->C);
    if (wanted) {
        ft_product head = {.w = &m->head, .x = p->normed, .y = p->logits, .rounded = p->rounded,
                           .blocks = p->blocks};
        ft_products run = {.list = &head, .n = 1, .M = wanted, .scratch = p->scratch,
                           .compute = p->in};
        if (p->packed)
            head.packed = ft_packed_head(p->packed);
        ft_products_run(&run, p->pool);
    }
}

int ft_pass_run(ft_pass *p, const ft_row *rows, size_t n, enum ft_compute_in in, ft_err *e)
{
    p->in = in;
    p->rows = rows;
    p->n = n;
    p->adapted = 0;
    for (size_t i = 0; i < n; i++) {
        if (need_angles(p, rows[i].at + 1, e) < 0 ||
            (rows[i].adapter && ready(p, rows[i].adapter, e) < 0))
            return FT_ERR_NOMEM;
        embed(p, i);
        p->adapters[i] = rows[i].adapter;
        p->adapted |= rows[i].adapter != NULL;
    }
    find_bundles(p);
    for (p->layer = 0; p->layer < p->m->L; p->layer++)
        run_layer(p);
    run_head(p);
    return 0;
}

float *ft_pass_logits(ft_pass *p, size_t i)
{
    return p->logits + i * p->m->V;
}
