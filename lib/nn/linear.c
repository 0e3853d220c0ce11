/* linear.c: products of activations with frozen weights, forward and back, and LoRA beside them.
 *
 * A product is cut by columns of its result; for each cut the weights are expanded to floats once
 * and multiplied with every segment in turn, in row tiles of that segment. This is the one place
 * where frozen weights of a layer are multiplied: a faster engine replaces it here.
 */
#include "nn/nn_internal.h"

#include "model/quant.h"

#include <assert.h>
#include <stdint.h>

/* The widest multiple of 32 that cuts n into an even number of equal tiles, so that two threads
 * (or four, …) finish together; 128 when there is none. */
size_t nn_tile_width(size_t n)
{
    for (size_t w = FT_TILE_COLS_MAX; w >= 64; w -= 32)
        if (n % w == 0 && n / w % 2 == 0)
            return w;
    return 128;
}

static size_t tiles_of(size_t n)
{
    size_t w = nn_tile_width(n);
    return (n + w - 1) / w;
}

/* A group of products as the tasks see it. */
struct group {
    struct ft_nn *nn;
    size_t layer, n;
    const float *x;              /* [N x cols], the shared input */
    const struct product *p;
    float *const *u;
    float *dx, *grads;
    size_t cols;
    size_t parts;                /* that the segments are cut into; see cut_segments */
};

static const ft_weight *weight_of(const struct group *g, size_t i)
{
    return &g->nn->m->layers[g->layer].w[g->p[i].t];
}

static const float *lora_part(const struct group *g, size_t i, int b)
{
    const ft_lora *l = g->nn->lora;
    if (!l)
        return NULL;
    return b ? ft_lora_b(l, l->params, g->layer, g->p[i].t)
             : ft_lora_a(l, l->params, g->layer, g->p[i].t);
}

/* With more threads than tiles, a tile is given to several threads, each for its part of the
 * segments: more weights are expanded, the products are the same. */
static void cut_segments(struct group *g, size_t tiles)
{
    size_t parts;
    assert(tiles > 0);
    parts = (g->nn->threads + tiles - 1) / tiles;
    g->parts = parts < g->nn->n_seqs ? parts : g->nn->n_seqs;
}

/* First segment of a part. */
static size_t part_begin(const struct group *g, size_t part)
{
    return part * g->nn->n_seqs / g->parts;
}

static int drops(const struct ft_nn *nn)
{
    return nn->step && nn->step->dropout > 0;
}

/* ---- forward ---- */

/* u = drop(x) A^T of one matrix and one segment. */
static void lora_down_task(void *ctx, size_t task, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t i = task % g->n, s = task / g->n, R, T = nn->seqs[s].T, first = nn->first[s];
    const float *a = lora_part(g, i, 0);
    if (!a)
        return;
    R = nn->lora->cfg.rank;
    for (size_t r = 0; r < T; r += FT_TILE_ROWS) {
        size_t rows = T - r < FT_TILE_ROWS ? T - r : FT_TILE_ROWS;
        const float *x = g->x + (first + r) * g->cols;
        if (drops(nn)) {
            /* Rows restart at r for the mask: give the matrix from its own row 0. */
            float *tmp = scratch_of(nn, worker);
            for (size_t j = 0; j < rows; j++)
                nn_dropout(nn, s, g->layer, g->p[i].t, x + j * g->cols, g->cols, 1,
                           (r + j) * g->cols, g->cols, g->cols, tmp + j * g->cols, g->cols);
            x = tmp;
        }
        nn_gemm_nt(rows, R, g->cols, 1, x, g->cols, a, g->cols, 0, g->u[i] + (first + r) * R, R);
    }
}

static void forward_tile(const struct group *g, size_t i, size_t tile, size_t part,
                         float *expanded)
{
    struct ft_nn *nn = g->nn;
    const ft_weight *w = weight_of(g, i);
    const float *b = lora_part(g, i, 1);
    size_t width = nn_tile_width(w->rows), from = tile * width;
    size_t n = w->rows - from < width ? w->rows - from : width;
    for (size_t r = 0; r < n; r++)
        ft_weight_part(w, from + r, 0, w->cols, expanded + r * w->cols);
    for (size_t s = part_begin(g, part); s < part_begin(g, part + 1); s++)
        for (size_t r = 0; r < nn->seqs[s].T; r += FT_TILE_ROWS) {
            size_t left = nn->seqs[s].T - r, at = nn->first[s] + r;
            size_t rows = left < FT_TILE_ROWS ? left : FT_TILE_ROWS;
            float *y = g->p[i].y + at * w->rows + from;
            nn_gemm_nt(rows, n, w->cols, 1, g->x + at * w->cols, w->cols, expanded, w->cols, 0, y,
                       w->rows);
            if (b)
                nn_gemm_nt(rows, n, nn->lora->cfg.rank, nn->lora->scaling,
                           g->u[i] + at * nn->lora->cfg.rank, nn->lora->cfg.rank,
                           b + from * nn->lora->cfg.rank, nn->lora->cfg.rank, 1, y, w->rows);
        }
}

static void forward_task(void *ctx, size_t task, unsigned worker)
{
    const struct group *g = ctx;
    size_t i = 0, part = task % g->parts;
    task /= g->parts;
    while (task >= tiles_of(weight_of(g, i)->rows))
        task -= tiles_of(weight_of(g, i++)->rows);
    forward_tile(g, i, task, part, scratch_of(g->nn, worker));
}

void nn_linear(struct ft_nn *nn, size_t layer, const float *x, const struct product *p, size_t n,
               float *const *u)
{
    struct group g = {nn, layer, n, x, p, u, NULL, NULL, nn->m->layers[layer].w[p[0].t].cols, 1};
    size_t tasks = 0;
    for (size_t i = 0; i < n; i++)
        tasks += tiles_of(weight_of(&g, i)->rows);
    if (nn->lora)
        ft_pool_run(nn->pool, n * nn->n_seqs, lora_down_task, &g);
    cut_segments(&g, tasks);
    ft_pool_run(nn->pool, tasks * g.parts, forward_task, &g);
}

/* ---- backward ---- */

/* du = s dY B of one matrix and one segment. */
static void lora_du_task(void *ctx, size_t task, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t i = task % g->n, s = task / g->n, R, rows, T = nn->seqs[s].T, at = nn->first[s];
    const float *b = lora_part(g, i, 1);
    (void)worker;
    if (!b)
        return;
    R = nn->lora->cfg.rank;
    rows = weight_of(g, i)->rows;
    nn_gemm_nn(T, R, rows, nn->lora->scaling, g->p[i].y + at * rows, rows, b, R, 0,
               nn->du[i] + at * R, R);
}

/* Gradients of A (even tasks) and B (odd tasks) of one matrix, segment after segment. */
static void lora_grad_task(void *ctx, size_t task, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t i = task / 2, R, rows = weight_of(g, i)->rows, cols = g->cols;
    float *da, *db;
    if (!lora_part(g, i, 0))
        return;
    R = nn->lora->cfg.rank;
    da = ft_lora_a(nn->lora, g->grads, g->layer, g->p[i].t);
    db = ft_lora_b(nn->lora, g->grads, g->layer, g->p[i].t);
    for (size_t s = 0; s < nn->n_seqs; s++) {
        size_t T = nn->seqs[s].T, at = nn->first[s];
        const float *x = g->x + at * cols;
        if (task % 2) {
            nn_gemm_tn(rows, R, T, nn->lora->scaling, g->p[i].y + at * rows, rows,
                       g->u[i] + at * R, R, 1, db, R);
            continue;
        }
        if (drops(nn)) {
            float *tmp = scratch_of(nn, worker);
            nn_dropout(nn, s, g->layer, g->p[i].t, x, cols, T, 0, cols, cols, tmp, cols);
            x = tmp;
        }
        nn_gemm_tn(R, cols, T, 1, nn->du[i] + at * R, R, x, cols, 1, da, cols);
    }
}

/* Adds du A to a tile of dx; through the dropout mask when there is one. */
static void add_lora_dx(const struct group *g, size_t i, size_t s, size_t from, size_t n,
                        float *tmp)
{
    struct ft_nn *nn = g->nn;
    const float *a = lora_part(g, i, 0);
    size_t R, T = nn->seqs[s].T, at = nn->first[s];
    float *dx = g->dx + at * g->cols + from;
    if (!a)
        return;
    R = nn->lora->cfg.rank;
    if (!drops(nn)) {
        nn_gemm_nn(T, n, R, 1, nn->du[i] + at * R, R, a + from, g->cols, 1, dx, g->cols);
        return;
    }
    nn_gemm_nn(T, n, R, 1, nn->du[i] + at * R, R, a + from, g->cols, 0, tmp, n);
    nn_dropout(nn, s, g->layer, g->p[i].t, tmp, n, T, from, n, g->cols, tmp, n);
    for (size_t r = 0; r < T; r++)
        nn->kern->axpy(1, tmp + r * n, dx + r * g->cols, n);
}

static void back_task(void *ctx, size_t task, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t width = nn_tile_width(g->cols), from = task / g->parts * width;
    size_t first = part_begin(g, task % g->parts), end = part_begin(g, task % g->parts + 1);
    size_t n = g->cols - from < width ? g->cols - from : width;
    float *expanded = scratch_of(nn, worker);
    for (size_t i = 0; i < g->n; i++) {
        const ft_weight *w = weight_of(g, i);
        for (size_t r = 0; r < w->rows; r++)
            ft_weight_part(w, r, from, n, expanded + r * n);
        for (size_t s = first; s < end; s++) {
            size_t at = nn->first[s], T = nn->seqs[s].T;
            for (size_t r = 0; r < T; r += FT_TILE_ROWS)
                nn_gemm_nn(T - r < FT_TILE_ROWS ? T - r : FT_TILE_ROWS, n, w->rows, 1,
                           g->p[i].y + (at + r) * w->rows, w->rows, expanded, n, i > 0,
                           g->dx + (at + r) * g->cols + from, g->cols);
        }
        /* The weights are used up: their scratch serves the masked gradient. */
        for (size_t s = first; s < end; s++)
            add_lora_dx(g, i, s, from, n, expanded);
    }
}

void nn_linear_back(struct ft_nn *nn, size_t layer, const float *x, const struct product *p,
                    size_t n, float *const *u, float *dx, int want_dx, float *grads)
{
    struct group g = {nn, layer, n, x, p, u, dx, grads, nn->m->layers[layer].w[p[0].t].cols, 1};
    if (nn->lora) {
        ft_pool_run(nn->pool, n * nn->n_seqs, lora_du_task, &g);
        ft_pool_run(nn->pool, 2 * n, lora_grad_task, &g);
    }
    cut_segments(&g, tiles_of(g.cols));
    if (want_dx)
        ft_pool_run(nn->pool, tiles_of(g.cols) * g.parts, back_task, &g);
}
