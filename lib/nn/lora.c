/* lora.c: low-rank adapters (Hu et al. 2021, section 4.1), beside each adapted matrix:
 *
 *   y  = x W^T + u (s B)^T,  u = drop(x) A^T,  s = alpha / R or alpha / sqrt(R)
 *   dx = dY W + mask(du A),  du = dY (s B);   dA += du^T drop(x),  dB += s dY^T u
 *
 * With magnitudes (DoRA) y is multiplied with what dora.c computes, and dY before all that, too.
 */
#include "base/rng.h"
#include "kernels/bf16_ref.h"
#include "nn/dora.h"
#include "nn/gain.h"
#include "nn/method.h"
#include "nn/nn_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what it is ---- */

static int check(const ft_model *m, const ft_adapter_config *c, ft_err *e)
{
    if (c->targets == 0 || c->targets >> FT_TARGETS)
        return ft_err_set(e, FT_ERR_USAGE, "no LoRA targets: give some of q,k,v,o,gate,up,down");
    if (!(c->dropout >= 0 && c->dropout < 1) || !isfinite(c->alpha))
        return ft_err_set(e, FT_ERR_USAGE, "LoRA dropout must be in [0, 1) and alpha finite");
    if (c->dora && c->dropout > 0)
        return ft_err_set(e, FT_ERR_USAGE, "DoRA goes without dropout: the length of a row is that "
                          "of base and adapter together, and dropout would leave out inputs of "
                          "one of them");
    for (int t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        size_t most = w->rows < w->cols ? w->rows : w->cols;
        if ((c->targets >> t & 1) && (c->rank < 1 || c->rank > most))
            return ft_err_set(e, FT_ERR_USAGE, "LoRA rank %zu does not fit %s, which is %zu x %zu: "
                              "1 to %zu", c->rank, ft_target_name(t), w->rows, w->cols, most);
    }
    return 0;
}

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    size_t R = a->cfg.rank;
    int rc = 0;
    for (size_t i = 0; i < m->L; i++)
        for (int t = 0; t < FT_TARGETS && rc == 0; t++) {
            const ft_weight *w = &m->layers[i].w[t];
            ft_slot s = {.layer = i, .target = (enum ft_target)t, .role = FT_ROLE_A, .rows = R,
                         .cols = w->cols};
            if (!(a->cfg.targets >> t & 1))
                continue;
            if ((rc = ft_adapter_add_slot(a, s, e)) < 0)
                break;
            s.role = FT_ROLE_B;
            s.rows = w->rows;
            s.cols = R;
            s.heads = ft_target_heads(m, s.target);
            rc = ft_adapter_add_slot(a, s, e);
            s.role = FT_ROLE_MAGNITUDE;
            s.cols = 1;
            s.vector = 1;
            if (rc == 0 && a->cfg.dora)
                rc = ft_adapter_add_slot(a, s, e);
        }
    if (rc == 0 && a->cfg.dora)
        rc = ft_dora_new(&a->dora, a, m, e);
    return rc;
}

static void init(ft_adapter *a, const ft_model *m, uint64_t seed)
{
    uint32_t tensor = 0;
    (void)m;
    a->scaling = a->cfg.rslora ? (float)((double)a->cfg.alpha / sqrt((double)a->cfg.rank))
                               : a->cfg.alpha / (float)a->cfg.rank;
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        float bound = (float)(1 / sqrt((double)s->cols));
        if (s->role != FT_ROLE_A)
            continue;
        for (size_t j = 0; j < s->rows * s->cols; j++)
            a->params[s->at + j] = (2 * ft_rng_float(seed, FT_RNG_INIT, tensor, j) - 1) * bound;
        tensor++;
    }
    if (a->dora)
        ft_dora_init(a, m);
}

static void slot_name(const ft_slot *s, char *name, size_t cap)
{
    char path[48];
    ft_target_path(s->target, path, sizeof path);
    if (s->role == FT_ROLE_MAGNITUDE)
        snprintf(name, cap, "%s.lora_magnitude_vector", path);
    else
        snprintf(name, cap, "%s.lora_%c.weight", path, s->role == FT_ROLE_A ? 'A' : 'B');
}

static void put_config(ft_buf *b, const ft_adapter_config *c)
{
    ft_mp_put_cstr(b, "rank");
    ft_mp_put_uint(b, c->rank);
    ft_mp_put_cstr(b, "alpha");
    ft_mp_put_float(b, (double)c->alpha);
    ft_mp_put_cstr(b, "dropout");
    ft_mp_put_float(b, (double)c->dropout);
    ft_mp_put_cstr(b, "targets");
    ft_targets_put(b, c->targets);
    if (c->rslora) {
        ft_mp_put_cstr(b, "rslora");
        ft_mp_put_bool(b, 1);
    }
    if (c->dora) {
        ft_mp_put_cstr(b, "dora");
        ft_mp_put_bool(b, 1);
    }
}

/* Streams of plain LoRA say nothing of either, as ever. */
static size_t more_entries(const ft_adapter_config *c)
{
    return (c->rslora ? 1u : 0u) + (c->dora ? 1u : 0u);
}

static int get_config(ft_mp map, ft_adapter_config *c, ft_err *e)
{
    uint64_t rank;
    double alpha, dropout;
    ft_mp v;
    if (!ft_mp_get_uint(map, "rank", &rank) || rank < 1 || rank > SIZE_MAX)
        return ft_err_set(e, FT_ERR_DATA, "rank: missing or zero");
    if (!ft_mp_get_float(map, "alpha", &alpha) || !isfinite((float)alpha))
        return ft_err_set(e, FT_ERR_DATA, "alpha: missing or not finite");
    if (!ft_mp_get_float(map, "dropout", &dropout) || !(dropout >= 0 && dropout < 1))
        return ft_err_set(e, FT_ERR_DATA, "dropout: missing or not in [0, 1)");
    if (ft_mp_get(map, "rslora", &v) && !ft_mp_bool(v, &c->rslora))
        return ft_err_set(e, FT_ERR_DATA, "rslora: not true or false");
    if (ft_mp_get(map, "dora", &v) && !ft_mp_bool(v, &c->dora))
        return ft_err_set(e, FT_ERR_DATA, "dora: not true or false");
    c->rank = (size_t)rank;
    c->alpha = (float)alpha;
    c->dropout = (float)dropout;
    return ft_targets_get(map, &c->targets, e);
}

/* ---- forward ---- */

static const ft_weight *weight_of(const struct ft_nn *nn, size_t layer, enum ft_target t)
{
    return &nn->m->layers[layer].w[t];
}

static const float *part(const struct ft_nn *nn, size_t layer, enum ft_target t, enum ft_role which)
{
    return ft_adapter_of(nn->adapter, nn->adapter->params, layer, t, which);
}

static void terms(struct ft_nn *nn, size_t layer, enum ft_target t, const struct acts *a,
                  struct output *out)
{
    const float *b = part(nn, layer, t, FT_ROLE_B);
    if (b)
        nn_add_term(out, a->u[t], nn->R2, nn->R,
                    (struct source){.m = b, .ld = nn->R, .alpha = nn->adapter->scaling,
                                    .by_rows = 1}, 0);
    out->gain = ft_adapter_out_gain(nn->adapter, layer, t);
}

/* Stores rows of R as elements, R2 apart, a zero behind an odd R. */
static void put_narrow(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    elem *to = ctx;
    size_t R = nn->R;
    const float zero = 0;
    for (size_t r = 0; r < t->rows; r++) {
        elem *row = elem_at(nn, to, (t->row + r) * nn->R2);
        nn_put(nn, t->y[0] + r * t->ld, elem_at(nn, row, t->col), t->cols);
        if (R < nn->R2)
            nn_put(nn, &zero, elem_at(nn, row, R), 1);
    }
}

/* x under the dropout of one target: all rows of a set. */
struct masking {
    struct ft_nn *nn;
    const struct rowset *rows;
    size_t layer, cols;
    enum ft_target t;
    const elem *x;
};

static void mask_task(void *ctx, size_t task, unsigned worker)
{
    const struct masking *k = ctx;
    struct ft_nn *nn = k->nn;
    size_t row = k->rows->at + task;
    float *x = scratch_of(nn, worker);
    nn_get(nn, elem_at(nn, k->x, row * k->cols), x, k->cols);
    nn_dropout(nn, nn->units[k->rows->unit[task]].seq, k->rows->position[task], k->layer, k->t, x,
               0, k->cols, k->cols, x);
    nn_put(nn, x, elem_at(nn, nn->masked, row * k->cols), k->cols);
}

/* The input of A: x, or x under dropout in nn->masked. */
static const elem *masked(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                          enum ft_target t, const elem *x)
{
    struct masking k = {nn, rows, layer, weight_of(nn, layer, t)->cols, t, x};
    if (!drops(nn))
        return x;
    ft_pool_run(nn->pool, rows->n, mask_task, &k);
    return nn->masked;
}

static struct product down_product(struct ft_nn *nn, size_t layer, enum ft_target t,
                                   const elem *x, const struct acts *a)
{
    size_t cols = weight_of(nn, layer, t)->cols;
    struct product p = {.n_out = 1, .cols = nn->R, .finish = put_narrow,
                        .ctx = a->u[t]};
    nn_add_term(&p.out[0], x, cols, cols,
             (struct source){.m = part(nn, layer, t, FT_ROLE_A), .ld = cols, .alpha = 1,
                             .by_rows = 1}, 0);
    return p;
}

static void down(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                  const enum ft_target *t, size_t n, const elem *x, const struct acts *a)
{
    struct product p[3];
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!part(nn, layer, t[i], FT_ROLE_A))
            continue;
        p[used++] = down_product(nn, layer, t[i], masked(nn, rows, layer, t[i], x), a);
        if (drops(nn)) {           /* masked input is used up at once */
            nn_products(nn, rows, p, used);
            used = 0;
        }
    }
    nn_products(nn, rows, p, used);
}

/* ---- backward ---- */

struct flipping {
    struct ft_nn *nn;
    const struct rowset *rows;
    size_t n;
    const elem *from[6];
    elem *to[6];
    float scale[6];
};

/* Ranks that have gradients: those before the frozen ones. */
static size_t trained_rank(const struct ft_nn *nn)
{
    return nn->R - nn->adapter->frozen;
}

static float elem_value(const struct ft_nn *nn, const elem *p, size_t i)
{
    return nn->bf16 ? ft_from_bf16(((const uint16_t *)(const void *)p)[i])
                    : ((const float *)(const void *)p)[i];
}

/* Where the tokens of a unit begin in arrays whose rows run along tokens. */
static size_t token_at(const struct ft_nn *nn, const struct rowset *rows, size_t u)
{
    return nn->limits.free_reductions ? rows->first[u] - rows->at : nn->units[u].pairs_at;
}

/* One unit of a narrow matrix [rows x R2] with its tokens along rows, zeros behind an odd count. */
static void flip_task(void *ctx, size_t task, unsigned worker)
{
    enum { RUN = 4096 };
    const struct flipping *f = ctx;
    struct ft_nn *nn = f->nn;
    size_t i = task % f->n, u = task / f->n, first = f->rows->first[u];
    size_t n = f->rows->first[u + 1] - first;
    float *line = scratch_of(nn, worker);
    for (size_t r = 0; r < trained_rank(nn); r++) {
        elem *to = elem_at(nn, f->to[i], r * 2 * nn->keys_cap + token_at(nn, f->rows, u));
        for (size_t t0 = 0; t0 < n; t0 += RUN) {
            size_t t = 0;
            for (; t < RUN && t0 + t < n; t++)
                line[t] = f->scale[i] * elem_value(nn, f->from[i], (first + t0 + t) * nn->R2 + r);
            if (t % 2 && (!nn->limits.free_reductions || u + 1 == nn->n_units))
                line[t++] = 0;
            nn_put(nn, line, elem_at(nn, to, t0), t);
        }
    }
}

static void add_flip(struct flipping *f, const elem *from, elem *to, float scale)
{
    f->from[f->n] = from;
    f->scale[f->n] = scale;
    f->to[f->n++] = to;
}

static void du(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b)
{
    struct flipping f = {.nn = nn, .rows = rows};
    struct product p[3];
    size_t used = 0;
    for (size_t i = 0; i < b->n; i++) {
        const float *lb = part(nn, b->layer, b->t[i], FT_ROLE_B);
        size_t out = weight_of(nn, b->layer, b->t[i])->rows;
        if (!lb)
            continue;
        p[used] = (struct product){.n_out = 1, .cols = nn->R, .finish = put_narrow,
                                   .ctx = nn->du[i]};
        nn_add_term(&p[used++].out[0], b->dy[i], out, out,
                 (struct source){.m = lb, .ld = nn->R,
                                 .alpha = nn->adapter->scaling}, 0);
        add_flip(&f, nn->du[i], nn->dut[i], 1);
        add_flip(&f, b->a->u[b->t[i]], nn->ut[i], nn->adapter->scaling);
    }
    nn_products(nn, rows, p, used);
    if (f.n)
        ft_pool_run(nn->pool, f.n * nn->n_units, flip_task, &f);
}

static void back_terms(struct ft_nn *nn, const struct linear_back *b, size_t i, struct output *out)
{
    const ft_weight *w = weight_of(nn, b->layer, b->t[i]);
    const float *a = part(nn, b->layer, b->t[i], FT_ROLE_A);
    if (a)
        nn_add_term(out, nn->du[i], nn->R2, nn->R,
                    (struct source){.m = a, .ld = w->cols, .alpha = 1},
                    drops(nn) ? 1 + (int)b->t[i] : 0);
}

/* Gradients of A and B of one matrix: tiles of dA, then of dB. */
struct gradients {
    struct ft_nn *nn;
    const struct rowset *rows;
    size_t i, in, out;         /* which of the group; columns and rows of W */
    const elem *x, *dy;        /* [rows x in], [rows x out] */
    float *da, *db;
    size_t a_tiles, tiles;
};

/* Sums over tokens of a call: one a segment, or with free reductions one for all of them. */
static size_t sums_of(const struct ft_nn *nn)
{
    return nn->limits.free_reductions && nn->n_units ? 1 : nn->n_units;
}

static size_t sum_end(const struct ft_nn *nn, const struct rowset *rows, size_t u)
{
    return nn->limits.free_reductions ? rows->at + rows->n : rows->first[u + 1];
}

/* Columns [from, from + n) of dA: segment after segment. */
static void da_tile(const struct gradients *g, size_t from, size_t n, float *scratch)
{
    struct ft_nn *nn = g->nn;
    for (size_t u = 0; u < sums_of(nn); u++) {
        size_t first = g->rows->first[u], k = sum_end(nn, g->rows, u) - first;
        nn_add_over_tokens(nn, trained_rank(nn), n, k,
                           elem_at(nn, nn->dut[g->i], token_at(nn, g->rows, u)), 2 * nn->keys_cap,
                           elem_at(nn, g->x, first * g->in + from), g->in, g->da + from, g->in,
                           scratch);
    }
}

/* Rows [from, from + n) of dB. They are summed with the rank along rows, and turned before and
 * after: sums in memory are those of the registers, so nothing depends on where a call ends. */
static void db_tile(const struct gradients *g, size_t from, size_t n, float *sum, float *scratch)
{
    struct ft_nn *nn = g->nn;
    size_t R = nn->R, trained = trained_rank(nn);
    for (size_t j = 0; j < n; j++)
        for (size_t r = 0; r < trained; r++)
            sum[r * n + j] = g->db[(from + j) * R + r];
    for (size_t u = 0; u < sums_of(nn); u++) {
        size_t first = g->rows->first[u], k = sum_end(nn, g->rows, u) - first;
        nn_add_over_tokens(nn, trained, n, k, elem_at(nn, nn->ut[g->i], token_at(nn, g->rows, u)),
                           2 * nn->keys_cap, elem_at(nn, g->dy, first * g->out + from), g->out,
                           sum, n, scratch);
    }
    for (size_t j = 0; j < n; j++)
        for (size_t r = 0; r < trained; r++)
            g->db[(from + j) * R + r] = sum[r * n + j];
}

static void gradient_task(void *ctx, size_t task, unsigned worker)
{
    const struct gradients *g = ctx;
    float *sum = scratch_of(g->nn, worker);
    float *scratch = sum + nn_sum_scratch(g->nn->R);
    size_t width, from, all;
    for (; task >= g->tiles; g++)
        task -= g->tiles;
    all = task < g->a_tiles ? g->in : g->out;
    width = nn_tile_cols(g->nn, all);
    from = (task < g->a_tiles ? task : task - g->a_tiles) * width;
    width = all - from < width ? all - from : width;
    if (task < g->a_tiles)
        da_tile(g, from, width, scratch);
    else
        db_tile(g, from, width, sum, scratch);
}

static size_t tiles_of(const struct ft_nn *nn, size_t n)
{
    size_t width = nn_tile_cols(nn, n);
    return (n + width - 1) / width;
}

static void gradients(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b,
                       float *grads)
{
    struct gradients g[3];
    size_t used = 0, tasks = 0;
    for (size_t i = 0; i < b->n; i++) {
        const ft_weight *w = weight_of(nn, b->layer, b->t[i]);
        if (!part(nn, b->layer, b->t[i], FT_ROLE_A))
            continue;
        g[used] = (struct gradients){nn, rows, i, w->cols, w->rows,
                                     masked(nn, rows, b->layer, b->t[i], b->x), b->dy[i],
                                     ft_lora_a(nn->adapter, grads, b->layer, b->t[i]),
                                     ft_lora_b(nn->adapter, grads, b->layer, b->t[i]),
                                     tiles_of(nn, w->cols), 0};
        g[used].tiles = g[used].a_tiles + tiles_of(nn, w->rows);
        tasks += g[used++].tiles;
        if (drops(nn)) {           /* masked input is used up at once */
            ft_pool_run(nn->pool, tasks, gradient_task, g);
            used = tasks = 0;
        }
    }
    ft_pool_run(nn->pool, tasks, gradient_task, g);
}

void nn_low_rank_gradients(struct ft_nn *nn, const struct rowset *rows,
                           const struct nn_low_rank *r)
{
    struct flipping f = {.nn = nn, .rows = rows};
    struct gradients g = {nn, rows, 0, r->in, r->out, r->x, r->dy, r->da, r->db,
                          tiles_of(nn, r->in), 0};
    g.tiles = g.a_tiles + tiles_of(nn, r->out);
    add_flip(&f, r->du, nn->dut[0], 1);
    add_flip(&f, r->u, nn->ut[0], 1);
    ft_pool_run(nn->pool, f.n * nn->n_units, flip_task, &f);
    ft_pool_run(nn->pool, g.tiles, gradient_task, &g);
}

static const struct nn_hooks hooks = {.down = down, .terms = terms, .du = du,
                                      .back_terms = back_terms, .gradients = gradients,
                                      .begin = nn_gain_begin, .unscale = nn_gain_back};

const struct ft_method_kind ft_method_lora = {
    .name = "lora", .rate = 2e-4, .check = check, .lay_out = lay_out, .init = init,
    .slot_name = slot_name, .entries = 4, .more_entries = more_entries,
    .put_config = put_config, .get_config = get_config, .hooks = &hooks};
