#include "infer/decoder.h"

#include "base/mem.h"
#include "infer/products.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

/* A long prompt is read this many tokens at a time: each decoded tile of weights serves them all,
 * and their activations stay in the second-level cache. No result depends on it. */
enum { CHUNK = 64 };

struct ft_decoder {
    const ft_model *m;
    const ft_lora *lora;
    ft_pool *pool;
    size_t context, n;         /* most tokens, tokens in the sequence */
    float *cos_sin;            /* context x D: cosine, sine of each pair (see kernels.h, rope) */

    /* Block b holds keys and values of tokens [b*256, (b+1)*256): for each layer and each key
     * head first FT_CACHE_BLOCK rows of D keys, then as many of values. */
    float **cache;
    size_t blocks;

    /* Activations of one chunk, row by row. */
    float *x, *normed;         /* CHUNK x C: residual stream, normalised input              */
    float *q, *k, *v;          /* CHUNK x H*D, H_kv*D, H_kv*D                               */
    float *attended;           /* CHUNK x H*D                                               */
    float *gate, *up, *hidden; /* CHUNK x F                                                 */
    float *ax;                 /* 3 x CHUNK x R                                             */
    float *logits;             /* V */
    float **scratch;           /* one block a pool worker, for products and scores          */
    unsigned workers;
    size_t chunk;              /* tokens of the chunk being computed, */
    size_t layer;              /* and the layer                       */
};

/* ---- memory ---- */

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Angles of rotary embedding: position * theta^(-2i/D) / factor_i (Su et al. 2021, eq. 15). */
static void fill_angles(ft_decoder *d)
{
    const ft_model *m = d->m;
    for (size_t i = 0; i < m->D / 2; i++) {
        double exponent = -2.0 * (double)i / (double)m->D;
        double f = pow((double)m->rope_theta, exponent);
        if (m->rope_factors)
            f /= (double)m->rope_factors[i];
        for (size_t t = 0; t < d->context; t++) {
            d->cos_sin[t * m->D + 2 * i] = (float)cos((double)t * f);
            d->cos_sin[t * m->D + 2 * i + 1] = (float)sin((double)t * f);
        }
    }
}

static int take(float **p, size_t rows, size_t cols, ft_err *e)
{
    size_t n;
    if (__builtin_mul_overflow(rows, cols, &n))
        return ft_err_nomem(e, SIZE_MAX);
    *p = ft_new_aligned(n, sizeof **p, e);
    return *p ? 0 : FT_ERR_NOMEM;
}

static int take_scratch(ft_decoder *d, ft_err *e)
{
    const ft_model *m = d->m;
    size_t cols = max_size(max_size(m->C, m->H * m->D), m->F);
    size_t rep = m->H / m->H_kv;
    size_t floats = max_size(ft_products_scratch(cols, CHUNK), rep * d->context);
    d->workers = ft_pool_threads(d->pool);
    d->scratch = ft_new(d->workers, sizeof *d->scratch, e);
    if (!d->scratch)
        return FT_ERR_NOMEM;
    for (unsigned i = 0; i < d->workers; i++)
        if (take(&d->scratch[i], floats, 1, e) < 0)
            return FT_ERR_NOMEM;
    return 0;
}

static int take_all(ft_decoder *d, ft_err *e)
{
    const ft_model *m = d->m;
    size_t R = d->lora ? d->lora->cfg.rank : 0;
    d->cache = ft_new((d->context + FT_CACHE_BLOCK - 1) / FT_CACHE_BLOCK, sizeof *d->cache, e);
    if (!d->cache || take_scratch(d, e) < 0 || take(&d->cos_sin, d->context, m->D, e) < 0 ||
        take(&d->x, CHUNK, m->C, e) < 0 || take(&d->normed, CHUNK, m->C, e) < 0 ||
        take(&d->q, CHUNK, m->H * m->D, e) < 0 || take(&d->k, CHUNK, m->H_kv * m->D, e) < 0 ||
        take(&d->v, CHUNK, m->H_kv * m->D, e) < 0 ||
        take(&d->attended, CHUNK, m->H * m->D, e) < 0 || take(&d->gate, CHUNK, m->F, e) < 0 ||
        take(&d->up, CHUNK, m->F, e) < 0 || take(&d->hidden, CHUNK, m->F, e) < 0 ||
        take(&d->ax, (size_t)3 * CHUNK, R, e) < 0 || take(&d->logits, m->V, 1, e) < 0)
        return FT_ERR_NOMEM;
    return 0;
}

int ft_decoder_new(ft_decoder **out, const ft_model *m, const ft_lora *lora, ft_pool *pool,
                   size_t context, ft_err *e)
{
    ft_decoder *d;
    *out = NULL;
    if (context < 1 || context > m->context)
        return ft_err_set(e, FT_ERR_USAGE, "a context of %zu tokens: the model was made for "
                          "1 to %zu", context, m->context);
    d = ft_new(1, sizeof *d, e);
    if (!d)
        return FT_ERR_NOMEM;
    d->m = m;
    d->lora = lora;
    d->pool = pool;
    d->context = context;
    if (take_all(d, e) < 0) {
        ft_decoder_free(&d);
        return FT_ERR_NOMEM;
    }
    fill_angles(d);
    *out = d;
    return 0;
}

void ft_decoder_free(ft_decoder **dp)
{
    ft_decoder *d = *dp;
    if (!d)
        return;
    for (size_t i = 0; i < d->blocks; i++)
        ft_free(d->cache[i]);
    for (unsigned i = 0; d->scratch && i < d->workers; i++)
        ft_free(d->scratch[i]);
    float *owned[] = {d->cos_sin, d->x, d->normed, d->q, d->k, d->v, d->attended, d->gate, d->up,
                      d->hidden, d->ax, d->logits};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        ft_free(owned[i]);
    ft_free(d->cache);
    ft_free(d->scratch);
    ft_free(d);
    *dp = NULL;
}

void ft_decoder_reset(ft_decoder *d)
{
    d->n = 0;
}

/* Takes the cache blocks that tokens [0, n) need. */
static int reserve(ft_decoder *d, size_t n, ft_err *e)
{
    const ft_model *m = d->m;
    while (d->blocks * FT_CACHE_BLOCK < n) {
        if (take(&d->cache[d->blocks], m->L * m->H_kv * 2 * FT_CACHE_BLOCK, m->D, e) < 0)
            return FT_ERR_NOMEM;
        d->blocks++;
    }
    return 0;
}

/* Keys of the current layer and key head g in block b; the values follow them. */
static float *keys_of(const ft_decoder *d, size_t b, size_t g)
{
    size_t head = d->layer * d->m->H_kv + g;
    return d->cache[b] + head * 2 * FT_CACHE_BLOCK * d->m->D;
}

static float *values_of(const ft_decoder *d, size_t b, size_t g)
{
    return keys_of(d, b, g) + FT_CACHE_BLOCK * d->m->D;
}

/* ---- one layer, for all tokens of a chunk; a task is one token, or one token and key head --- */

static void products(ft_decoder *d, size_t n, const enum ft_target *targets, const float *x,
                     float *const *y)
{
    ft_product list[3];
    ft_products run = {list, n, d->chunk, 0, 0, d->scratch, FT_PRODUCTS_F32};
    const ft_lora *l = d->lora;
    if (l) {
        run.R = l->cfg.rank;
        run.scaling = l->scaling;
    }
    for (size_t i = 0; i < n; i++) {
        enum ft_target t = targets[i];
        list[i] = (ft_product){&d->m->layers[d->layer].w[t], x, y[i], NULL, NULL,
                               d->ax + i * CHUNK * run.R, NULL};
        if (l) {
            list[i].a = ft_lora_a(l, l->params, d->layer, t);
            list[i].b = ft_lora_b(l, l->params, d->layer, t);
        }
    }
    ft_products_run(&run, d->pool);
}

static void normalise_rows(ft_decoder *d, const float *norm)
{
    const ft_model *m = d->m;
    for (size_t i = 0; i < d->chunk; i++)
        ft_kernels_get()->rmsnorm(d->x + i * m->C, norm, m->rms_eps, d->normed + i * m->C, m->C);
}

static void add_rows(ft_decoder *d, const float *y)
{
    ft_kernels_get()->axpy(1.0f, y, d->x, d->chunk * d->m->C);
}

/* Rotates queries and keys of token i and files its keys and values. */
static void file_token(void *ctx, size_t i, unsigned worker)
{
    ft_decoder *d = ctx;
    const ft_kernels *kernel = ft_kernels_get();
    size_t at = d->n + i, b = at / FT_CACHE_BLOCK, row = at % FT_CACHE_BLOCK, D = d->m->D;
    const float *angles = d->cos_sin + at * D;
    (void)worker;
    for (size_t h = 0; h < d->m->H; h++)
        kernel->rope(d->q + (i * d->m->H + h) * D, angles, D);
    for (size_t g = 0; g < d->m->H_kv; g++) {
        float *k = d->k + (i * d->m->H_kv + g) * D;
        const float *v = d->v + (i * d->m->H_kv + g) * D;
        kernel->rope(k, angles, D);
        memcpy(keys_of(d, b, g) + row * D, k, D * sizeof *k);
        memcpy(values_of(d, b, g) + row * D, v, D * sizeof *v);
    }
}

/* Attention of one token's query heads that share key head g, over all tokens up to it:
 * out = softmax(q K' / sqrt(D)) V, positions in order. */
static void attend(void *ctx, size_t task, unsigned worker)
{
    ft_decoder *d = ctx;
    const ft_model *m = d->m;
    const ft_kernels *kernel = ft_kernels_get();
    size_t i = task / m->H_kv, g = task % m->H_kv, rep = m->H / m->H_kv, D = m->D;
    size_t seen = d->n + i + 1;
    const float *q = d->q + (i * m->H + g * rep) * D;
    float *out = d->attended + (i * m->H + g * rep) * D, *score = d->scratch[worker];
    for (size_t from = 0; from < seen; from += FT_CACHE_BLOCK) {
        size_t n = seen - from < FT_CACHE_BLOCK ? seen - from : FT_CACHE_BLOCK;
        const float *keys = keys_of(d, from / FT_CACHE_BLOCK, g);
        kernel->dot_rows(q, D, rep, keys, n, D, score + from, seen);
    }
    memset(out, 0, rep * D * sizeof *out);
    for (size_t h = 0; h < rep; h++) {
        float *p = score + h * seen;
        kernel->softmax(p, 1.0f / sqrtf((float)D), seen);
    }
    for (size_t from = 0; from < seen; from += FT_CACHE_BLOCK) {
        size_t n = seen - from < FT_CACHE_BLOCK ? seen - from : FT_CACHE_BLOCK;
        kernel->add_rows(score + from, seen, rep, values_of(d, from / FT_CACHE_BLOCK, g), n, D,
                         out);
    }
}

static void gate_token(void *ctx, size_t i, unsigned worker)
{
    ft_decoder *d = ctx;
    size_t F = d->m->F;
    (void)worker;
    ft_kernels_get()->swiglu(d->gate + i * F, d->up + i * F, d->hidden + i * F, F);
}

static void run_layer(ft_decoder *d)
{
    const ft_layer *layer = &d->m->layers[d->layer];
    normalise_rows(d, layer->attn_norm);
    products(d, 3, (const enum ft_target[]){FT_Q, FT_K, FT_V}, d->normed,
             (float *const[]){d->q, d->k, d->v});
    ft_pool_run(d->pool, d->chunk, file_token, d);
    ft_pool_run(d->pool, d->chunk * d->m->H_kv, attend, d);
    products(d, 1, (const enum ft_target[]){FT_O}, d->attended, (float *const[]){d->normed});
    add_rows(d, d->normed);

    normalise_rows(d, layer->mlp_norm);
    products(d, 2, (const enum ft_target[]){FT_GATE, FT_UP}, d->normed,
             (float *const[]){d->gate, d->up});
    ft_pool_run(d->pool, d->chunk, gate_token, d);
    products(d, 1, (const enum ft_target[]){FT_DOWN}, d->hidden, (float *const[]){d->normed});
    add_rows(d, d->normed);
}

/* ---- the sequence ---- */

static void run_chunk(ft_decoder *d, const uint32_t *ids, size_t n)
{
    const ft_weight *w = &d->m->embedding;
    for (size_t i = 0; i < n; i++)
        ft_weight_part(w, ids[i], 0, w->cols, d->x + i * w->cols);
    d->chunk = n;
    for (d->layer = 0; d->layer < d->m->L; d->layer++)
        run_layer(d);
    d->n += n;
}

/* Logits after the last token of the last chunk. */
static int run_head(ft_decoder *d, ft_err *e)
{
    const ft_model *m = d->m;
    const ft_kernels *kernel = ft_kernels_get();
    ft_product head = {&m->head, d->normed, d->logits, NULL, NULL, NULL, NULL};
    ft_products run = {&head, 1, 1, 0, 0, d->scratch, FT_PRODUCTS_F32};
    kernel->rmsnorm(d->x + (d->chunk - 1) * m->C, m->final_norm, m->rms_eps, d->normed, m->C);
    ft_products_run(&run, d->pool);
    for (size_t i = 0; i < m->V; i++)
        if (!isfinite(d->logits[i]))
            return ft_err_set(e, FT_ERR_NUMERIC, "the logit of token %zu after %zu tokens is %s",
                              i, d->n, isnan(d->logits[i]) ? "not a number" : "infinite");
    return 0;
}

int ft_decoder_feed(ft_decoder *d, const uint32_t *ids, size_t n, ft_err *e)
{
    if (n < 1 || n > d->context - d->n)
        return ft_err_set(e, FT_ERR_USAGE, "%zu tokens after %zu do not fit into a context of "
                          "%zu", n, d->n, d->context);
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= d->m->V)
            return ft_err_set(e, FT_ERR_DATA, "token %zu has id %u, the model has %zu", i, ids[i],
                              d->m->V);
    if (reserve(d, d->n + n, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t at = 0; at < n; at += CHUNK)
        run_chunk(d, ids + at, n - at < CHUNK ? n - at : CHUNK);
    return run_head(d, e);
}

size_t ft_decoder_tokens(const ft_decoder *d)
{
    return d->n;
}

size_t ft_decoder_context(const ft_decoder *d)
{
    return d->context;
}

const float *ft_decoder_logits(const ft_decoder *d)
{
    return d->logits;
}

uint32_t ft_decoder_best(const ft_decoder *d)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < d->m->V; i++)
        if (d->logits[i] > d->logits[best])
            best = i;
    return best;
}
