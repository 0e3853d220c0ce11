/* attention.c: causal softmax attention with grouped key/value heads, a tile of keys by queries at
 * a time (Dao et al. 2022), so that no matrix of T x T exists.
 *
 * Tiles are kept with queries along the lanes of a register: S^T = K Q^T. Maxima and sums over keys
 * are then vertical, and exp(S^T) is packed as it comes for O^T = V^T P^T. A sequence that has a
 * prefix sees the prefix's keys first. Queries are the rows of a set: all, or in the last layer
 * some, each at its position. */
#include "nn/nn_internal.h"

#include <math.h>
#include <string.h>

enum { QUERIES = FT_TILE_QUERIES, KEYS = FT_TILE_KEYS };

struct attention {
    struct ft_nn *nn;
    const struct rowset *rows;
    const struct acts *a;
    size_t layer;
    float scale;
};

/* ---- keys ---- */

/* Keys [from, from + n) of a unit, n <= KEYS, all of its prefix or all its own. */
struct keys {
    size_t from, n;
    const elem *k, *v;         /* first of them, head kv; rows ld apart */
};

static size_t ld_kv(const struct ft_nn *nn)
{
    return nn->m->H_kv * nn->m->D;
}

static struct keys keys_at(const struct attention *at, size_t u, size_t kv, size_t from)
{
    const struct ft_nn *nn = at->nn;
    const struct unit *x = &nn->units[u];
    size_t own = from >= x->P, left = (own ? x->P + x->T : x->P) - from;
    size_t row = own ? nn->all.first[u] + from - x->P : x->prefix_at + from;
    size_t i = row * ld_kv(nn) + kv * nn->m->D;
    const elem *k = own ? at->a->k : nn->prefix_k[at->layer];
    const elem *v = own ? at->a->v : nn->prefix_v[at->layer];
    return (struct keys){from, left < KEYS ? left : KEYS, elem_at(nn, k, i), elem_at(nn, v, i)};
}

/* Keys of a unit after rounding up to even: how long a row of `flip` is. */
static size_t flip_ld(const struct unit *x)
{
    return (x->P + x->T + 1) & ~(size_t)1;
}

static elem *flip_at(const struct ft_nn *nn, size_t u, size_t kv)
{
    const struct unit *x = &nn->units[u];
    return elem_at(nn, nn->flip, (x->pairs_at * nn->m->H_kv + kv * flip_ld(x)) * nn->m->D);
}

struct flip {
    const struct attention *at;
    int of_k;
};

/* Transposes n keys of one head. */
static void turn(const struct ft_nn *nn, const elem *src, size_t n, elem *to, size_t ld)
{
    size_t D = nn->m->D, lds = ld_kv(nn);
    if (nn->bf16) {
        const uint16_t *x = (const uint16_t *)(const void *)src;
        uint16_t *y = (uint16_t *)(void *)to;
        for (size_t d = 0; d < D; d++)
            for (size_t i = 0; i < n; i++)
                y[d * ld + i] = x[i * lds + d];
    } else {
        const float *x = (const float *)(const void *)src;
        float *y = (float *)(void *)to;
        for (size_t d = 0; d < D; d++)
            for (size_t i = 0; i < n; i++)
                y[d * ld + i] = x[i * lds + d];
    }
}

/* V (or K) of one unit and head with keys along rows. */
static void flip_task(void *ctx, size_t task, unsigned worker)
{
    const struct flip *f = ctx;
    const struct ft_nn *nn = f->at->nn;
    size_t kv = task % nn->m->H_kv, u = task / nn->m->H_kv, ld = flip_ld(&nn->units[u]);
    size_t n = nn->units[u].P + nn->units[u].T, size = nn->type->size;
    elem *to = flip_at(nn, u, kv);
    (void)worker;
    for (size_t from = 0; from < n;) {
        struct keys x = keys_at(f->at, u, kv, from);
        turn(nn, f->of_k ? x.k : x.v, x.n, elem_at(nn, to, from), ld);
        from += x.n;
    }
    for (size_t d = 0; d < nn->m->D && n < ld; d++)
        memset(to + (d * ld + n) * size, 0, size);
}

static void flip_all(const struct attention *at, int of_k)
{
    struct flip f = {at, of_k};
    ft_pool_run(at->nn->pool, at->nn->n_units * at->nn->m->H_kv, flip_task, &f);
}

/* ---- queries ---- */

/* A tile of queries of one unit and head. */
struct queries {
    size_t u, h, kv, row, n;   /* rows [row, row + n) of the set */
    size_t seen;               /* keys that the last of them sees */
    const uint32_t *position;
};

static size_t query_tiles(const struct rowset *rows, size_t u)
{
    return (rows->first[u + 1] - rows->first[u] + QUERIES - 1) / QUERIES;
}

static struct queries queries_at(const struct attention *at, size_t u, size_t h, size_t tile)
{
    const ft_model *m = at->nn->m;
    size_t row = at->rows->first[u] + tile * QUERIES, left = at->rows->first[u + 1] - row;
    struct queries q = {u, h, h / (m->H / m->H_kv), row, left < QUERIES ? left : QUERIES, 0,
                        at->rows->position + (row - at->rows->at)};
    q.seen = q.position[q.n - 1] + 1;
    return q;
}

/* How many keys from `from` on each query sees; none where there is no query. */
static void limits_of(const struct queries *q, size_t from, int32_t limit[QUERIES])
{
    for (size_t i = 0; i < QUERIES; i++)
        limit[i] = i < q->n ? (int32_t)(q->position[i] + 1) - (int32_t)from : 0;
}

/* Where a thread's tiles lie in its scratch; sizes in floats serve both element types. */
struct room {
    float *s, *dp;             /* [KEYS x QUERIES] */
    float *out;                /* [D x QUERIES] */
    float *row;                /* D, twice */
    void *p, *ds, *panel;      /* [KEYS + 1 x QUERIES] elements */
    void *q_rows, *q_cols, *o_rows, *o_cols;   /* panels [QUERIES x D] and back */
};

static size_t lay_room(float *base, size_t D, int training, struct room *r)
{
    size_t tile = (size_t)KEYS * QUERIES, elems = (size_t)(KEYS + 1) * QUERIES, at = 0;
    size_t queries = QUERIES * ((D + FT_PANEL - 1) / FT_PANEL * FT_PANEL);
    r->s = base + at, at += tile;
    r->out = base + at, at += D * QUERIES;
    r->row = base + at, at += 2 * D;
    r->panel = base + at, at += elems;
    r->q_rows = base + at, at += queries;
    if (!training)
        return at;
    r->dp = base + at, at += tile;
    r->p = base + at, at += elems;
    r->ds = base + at, at += elems;
    r->q_cols = base + at, at += queries;
    r->o_rows = base + at, at += queries;
    r->o_cols = base + at, at += queries;
    return at;
}

size_t nn_attention_scratch(const ft_model *m, int training)
{
    static float nowhere;
    struct room r;
    return lay_room(&nowhere, m->D, training, &r);
}

/* Panels of queries' rows of a matrix with ld elements a row: for products over D, and over
 * queries (a panel for every FT_PANEL columns). */
static void pack_rows(const struct ft_nn *nn, const elem *x, size_t ld, size_t n, void *panel)
{
    nn->type->pack_rows(x, ld, n, nn->m->D, panel);
}

static void pack_cols(const struct ft_nn *nn, const elem *x, size_t ld, size_t n, elem *panel)
{
    for (size_t d = 0; d < nn->m->D; d += FT_PANEL) {
        size_t cols = nn->m->D - d < FT_PANEL ? nn->m->D - d : FT_PANEL;
        nn->type->pack_cols(elem_at(nn, x, d), ld, cols, n, elem_at(nn, panel, d * QUERIES));
    }
}

/* c [keys x D] += rows [keys x n] times the panels that pack_cols made. */
static void add_by_queries(const struct ft_nn *nn, size_t keys, size_t n, const void *rows,
                           const elem *panel, float *c)
{
    for (size_t d = 0; d < nn->m->D; d += FT_PANEL) {
        size_t cols = nn->m->D - d < FT_PANEL ? nn->m->D - d : FT_PANEL;
        nn->type->gemm(keys, cols, nn_depth(nn, n), rows, QUERIES,
                       elem_at(nn, panel, d * QUERIES), c + d, nn->m->D, 1);
    }
}

static elem *head_row(const struct ft_nn *nn, const elem *x, size_t row, size_t h)
{
    return elem_at(nn, x, (row * nn->m->H + h) * nn->m->D);
}

/* Columns of t [D x QUERIES] as rows of x: each times factor[i], or without factors rotated
 * back. */
static void put_turned(const struct ft_nn *nn, const struct queries *q, const float *t,
                       const float *factor, float *row, elem *x)
{
    size_t D = nn->m->D;
    for (size_t i = 0; i < q->n; i++) {
        for (size_t d = 0; d < D; d++)
            row[d] = t[d * QUERIES + i] * (factor ? factor[i] : 1);
        if (!factor)
            nn_rope(nn, row, q->position[i], 0, D, 1);
        nn_put(nn, row, head_row(nn, x, q->row + i, q->h), D);
    }
}

/* ---- forward ---- */

static void scale_columns(float *t, size_t rows, const float *factor)
{
    for (size_t d = 0; d < rows; d++)
        for (size_t i = 0; i < QUERIES; i++)
            t[d * QUERIES + i] *= factor[i];
}

static void forward_tile(const struct attention *at, const struct queries *q, struct room *r)
{
    struct ft_nn *nn = at->nn;
    size_t D = nn->m->D, ld = flip_ld(&nn->units[q->u]), H = nn->m->H;
    float max[QUERIES], sum[QUERIES], factor[QUERIES];
    int32_t limit[QUERIES];
    const elem *v = flip_at(nn, q->u, q->kv);
    pack_rows(nn, head_row(nn, at->a->q, q->row, q->h), H * D, q->n, r->q_rows);
    for (size_t i = 0; i < QUERIES; i++)
        max[i] = -INFINITY, sum[i] = 0;
    for (size_t from = 0; from < q->seen;) {
        struct keys x = keys_at(at, q->u, q->kv, from);
        x.n = q->seen - from < x.n ? q->seen - from : x.n;
        limits_of(q, from, limit);
        nn->type->gemm(x.n, q->n, D, x.k, ld_kv(nn), r->q_rows, r->s, QUERIES, 0);
        if (nn->type->softmax_tile(r->s, x.n, at->scale, limit, max, sum, factor, r->panel) &&
            from > 0)
            scale_columns(r->out, D, factor);
        nn->type->gemm(D, QUERIES, nn_depth(nn, x.n), elem_at(nn, v, from), ld, r->panel, r->out,
                       QUERIES, from > 0);
        from += x.n;
    }
    for (size_t i = 0; i < q->n; i++) {
        at->a->lse[(q->row + i) * H + q->h] = max[i] + logf(sum[i]);
        sum[i] = 1 / sum[i];
    }
    put_turned(nn, q, r->out, sum, r->row, at->a->att);
}

/* Tasks: tiles of queries of every unit and head, unit after unit. */
static void forward_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    size_t u = 0, tile = task / nn->m->H;
    struct queries q;
    struct room r;
    (void)lay_room(scratch_of(nn, worker), nn->m->D, 0, &r);
    for (; tile >= query_tiles(at->rows, u); u++)
        tile -= query_tiles(at->rows, u);
    q = queries_at(at, u, task % nn->m->H, tile);
    forward_tile(at, &q, &r);
}

void nn_attention(struct ft_nn *nn, size_t layer, const struct rowset *rows, struct acts *a)
{
    struct attention at = {nn, rows, a, layer, 1 / sqrtf((float)nn->m->D)};
    size_t tiles = 0;
    for (size_t u = 0; u < nn->n_units; u++)
        tiles += query_tiles(rows, u);
    if (!tiles)
        return;
    flip_all(&at, 0);
    ft_pool_run(nn->pool, tiles * nn->m->H, forward_task, &at);
}

/* ---- backward ---- */

/* delta = rowsum(dO O) and lse of each query. */
static void row_values(const struct attention *at, const struct queries *q, float *row,
                       float delta[QUERIES], float lse[QUERIES])
{
    struct ft_nn *nn = at->nn;
    size_t D = nn->m->D;
    for (size_t i = 0; i < QUERIES; i++) {
        delta[i] = lse[i] = 0;
        if (i >= q->n)
            continue;
        nn_get(nn, head_row(nn, at->a->att, q->row + i, q->h), row, D);
        nn_get(nn, head_row(nn, nn->datt, q->row + i, q->h), row + D, D);
        delta[i] = nn->kern->dot(row, row + D, D);
        lse[i] = at->a->lse[(q->row + i) * nn->m->H + q->h];
    }
}

/* With P the probabilities, dP = dO V^T, dS = P (dP - delta) scale:
 * dQ = dS K; dK += dS^T Q, dV += P^T dO for the keys of the tile. */
static void back_tile(const struct attention *at, const struct queries *q, struct room *r,
                      float *dk, float *dv)
{
    struct ft_nn *nn = at->nn;
    size_t D = nn->m->D, ld = flip_ld(&nn->units[q->u]), ldq = nn->m->H * D;
    float delta[QUERIES], lse[QUERIES];
    int32_t limit[QUERIES];
    const elem *k = flip_at(nn, q->u, q->kv), *queries = head_row(nn, at->a->q, q->row, q->h);
    const elem *d_o = head_row(nn, nn->datt, q->row, q->h);
    row_values(at, q, r->row, delta, lse);
    pack_rows(nn, queries, ldq, q->n, r->q_rows);
    pack_cols(nn, queries, ldq, q->n, r->q_cols);
    pack_rows(nn, d_o, ldq, q->n, r->o_rows);
    pack_cols(nn, d_o, ldq, q->n, r->o_cols);
    for (size_t from = 0; from < q->seen;) {
        struct keys x = keys_at(at, q->u, q->kv, from);
        x.n = q->seen - from < x.n ? q->seen - from : x.n;
        limits_of(q, from, limit);
        nn->type->gemm(x.n, q->n, D, x.k, ld_kv(nn), r->q_rows, r->s, QUERIES, 0);
        nn->type->gemm(x.n, q->n, D, x.v, ld_kv(nn), r->o_rows, r->dp, QUERIES, 0);
        nn->type->softmax_tile_back(r->s, r->dp, x.n, at->scale, limit, lse, delta, r->p, r->ds,
                                    r->panel);
        add_by_queries(nn, x.n, q->n, r->p, r->o_cols, dv + from * D);
        add_by_queries(nn, x.n, q->n, r->ds, r->q_cols, dk + from * D);
        nn->type->gemm(D, QUERIES, nn_depth(nn, x.n), elem_at(nn, k, from), ld, r->panel, r->out,
                       QUERIES, from > 0);
        from += x.n;
    }
    put_turned(nn, q, r->out, NULL, r->row, nn->dq);
}

static float *heads_at(const struct ft_nn *nn, const float *x, size_t u, size_t h)
{
    const struct unit *unit = &nn->units[u];
    return (float *)(uintptr_t)x +
           (unit->keys_at * nn->m->H + h * (unit->P + unit->T)) * nn->m->D;
}

/* One unit and query head: all its queries, and its own share of dK and dV. */
static void back_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    size_t h = task % nn->m->H, u = task / nn->m->H, tiles = query_tiles(at->rows, u);
    size_t floats = (nn->units[u].P + nn->units[u].T) * nn->m->D;
    float *dk = heads_at(nn, nn->dk_heads, u, h), *dv = heads_at(nn, nn->dv_heads, u, h);
    struct room r;
    (void)lay_room(scratch_of(nn, worker), nn->m->D, 1, &r);
    memset(dk, 0, floats * sizeof *dk);
    memset(dv, 0, floats * sizeof *dv);
    for (size_t tile = 0; tile < tiles; tile++) {
        struct queries q = queries_at(at, u, h, tile);
        back_tile(at, &q, &r, dk, dv);
    }
}

/* The sum of a group's heads for one key. */
static void add_heads(const struct ft_nn *nn, const float *heads, size_t u, size_t kv, size_t key,
                      float *out)
{
    size_t D = nn->m->D, group = nn->m->H / nn->m->H_kv;
    memcpy(out, heads_at(nn, heads, u, kv * group) + key * D, D * sizeof *out);
    for (size_t h = kv * group + 1; h < (kv + 1) * group; h++)
        nn->kern->axpy(1, heads_at(nn, heads, u, h) + key * D, out, D);
}

/* Those of a prefix have come from the sequences behind it, too. */
void nn_key_gradients(const struct ft_nn *nn, size_t layer, size_t u, size_t kv, size_t t,
                      float *dk, float *dv)
{
    size_t D = nn->m->D, i = (nn->all.first[u] + t) * ld_kv(nn) + kv * D;
    add_heads(nn, nn->dk_heads, u, kv, nn->units[u].P + t, dk);
    add_heads(nn, nn->dv_heads, u, kv, nn->units[u].P + t, dv);
    if (nn->in_prefixes) {
        nn->kern->axpy(1, nn->prefix_dk[layer] + i, dk, D);
        nn->kern->axpy(1, nn->prefix_dv[layer] + i, dv, D);
    }
}

/* dK and dV of a unit's own keys. */
static void reduce_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    size_t kv = task % nn->m->H_kv, u = task / nn->m->H_kv, D = nn->m->D;
    const struct unit *x = &nn->units[u];
    float *dk = scratch_of(nn, worker), *dv = dk + D;
    for (size_t t = 0; t < x->T; t++) {
        size_t row = nn->all.first[u] + t, i = row * ld_kv(nn) + kv * D;
        nn_key_gradients(nn, at->layer, u, kv, t, dk, dv);
        nn_rope(nn, dk, x->P + t, 0, D, 1);
        nn_put(nn, dk, elem_at(nn, nn->dk, i), D);
        nn_put(nn, dv, elem_at(nn, nn->dv, i), D);
    }
}

/* What one prefix and head gets from the sequences of this call, in their order. */
static void prefix_task(void *ctx, size_t task, unsigned worker)
{
    const struct attention *at = ctx;
    struct ft_nn *nn = at->nn;
    size_t kv = task % nn->m->H_kv, p = task / nn->m->H_kv, D = nn->m->D;
    float *sum = scratch_of(nn, worker);
    for (size_t u = 0; u < nn->n_units; u++) {
        if (nn->units[u].seq->prefix != p + 1)
            continue;
        for (size_t t = 0; t < nn->units[u].P; t++) {
            size_t i = (nn->units[u].prefix_at + t) * ld_kv(nn) + kv * D;
            add_heads(nn, nn->dk_heads, u, kv, t, sum);
            nn->kern->axpy(1, sum, nn->prefix_dk[at->layer] + i, D);
            add_heads(nn, nn->dv_heads, u, kv, t, sum);
            nn->kern->axpy(1, sum, nn->prefix_dv[at->layer] + i, D);
        }
    }
}

void nn_attention_back(struct ft_nn *nn, size_t layer, const struct rowset *rows,
                       const struct acts *a)
{
    struct attention at = {nn, rows, a, layer, 1 / sqrtf((float)nn->m->D)};
    flip_all(&at, 1);
    ft_pool_run(nn->pool, nn->n_units * nn->m->H, back_task, &at);
    ft_pool_run(nn->pool, nn->n_units * nn->m->H_kv, reduce_task, &at);
    if (!nn->in_prefixes && nn->n_prefixes)
        ft_pool_run(nn->pool, nn->n_prefixes * nn->m->H_kv, prefix_task, &at);
}
