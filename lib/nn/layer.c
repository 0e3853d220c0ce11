/* layer.c: one layer, forward and back.
 *
 *   x -> rmsnorm -> q, k, v -> rope -> attention -> o -> + -> x2 -> rmsnorm -> gate, up ->
 *   silu(gate)*up -> down -> + -> x of the next layer
 *
 * The last layer computes keys and values of every token, but the rest only at the rows that a loss
 * is taken of: `rows` below, where the others have all rows. */
#include "nn/nn_internal.h"

#include <string.h>

/* ---- norms ---- */

struct norms {
    struct ft_nn *nn;
    const struct rowset *rows;
    const float *x, *w, *dh;
    float *inv, *dx;
    elem *h;
};

static size_t token_tasks(const struct rowset *rows)
{
    return (rows->n + FT_TILE_TOKENS - 1) / FT_TILE_TOKENS;
}

static size_t last_token(const struct rowset *rows, size_t task)
{
    size_t end = (task + 1) * FT_TILE_TOKENS;
    return rows->at + (end < rows->n ? end : rows->n);
}

static void norm_task(void *ctx, size_t task, unsigned worker)
{
    const struct norms *s = ctx;
    struct ft_nn *nn = s->nn;
    size_t C = nn->m->C;
    float *h = scratch_of(nn, worker);
    for (size_t t = s->rows->at + task * FT_TILE_TOKENS; t < last_token(s->rows, task); t++) {
        s->inv[t] = nn->kern->rmsnorm(s->x + t * C, s->w, nn->m->rms_eps, h, C);
        nn_put(nn, h, elem_at(nn, s->h, t * C), C);
    }
}

/* nn->h = rmsnorm(x) * w, and the inverse rms of each row. */
static void norm(struct ft_nn *nn, const struct rowset *rows, const float *x, const float *w,
                 float *inv)
{
    struct norms s = {.nn = nn, .rows = rows, .x = x, .w = w, .inv = inv, .h = nn->h};
    ft_pool_run(nn->pool, token_tasks(rows), norm_task, &s);
}

static void norm_back_task(void *ctx, size_t task, unsigned worker)
{
    const struct norms *s = ctx;
    size_t C = s->nn->m->C;
    (void)worker;
    for (size_t t = s->rows->at + task * FT_TILE_TOKENS; t < last_token(s->rows, task); t++)
        s->nn->kern->rmsnorm_back(s->dh + t * C, s->x + t * C, s->w, s->inv[t], s->dx + t * C, C);
}

/* nn->dx += gradient through rmsnorm, given nn->dh. */
static void norm_back(struct ft_nn *nn, const struct rowset *rows, const float *x, const float *w,
                      float *inv)
{
    struct norms s = {.nn = nn, .rows = rows, .x = x, .w = w, .inv = inv, .dh = nn->dh,
                      .dx = nn->dx};
    size_t C = nn->m->C, at = rows->at;
    struct nn_norm norm = {w, nn->dh + at * C, x + at * C, inv + at, NULL, rows->n};
    if (nn->hooks->norm_back)
        nn->hooks->norm_back(nn, &norm, nn->grads);
    ft_pool_run(nn->pool, token_tasks(rows), norm_back_task, &s);
}

/* ---- rows of the last layer ---- */

static void gather_task(void *ctx, size_t row, unsigned worker)
{
    struct ft_nn *nn = ctx;
    size_t C = nn->m->C;
    (void)worker;
    memcpy(elem_at(nn, nn->hs, (nn->chosen.at + row) * C),
           elem_at(nn, nn->h, nn->chosen.source[row] * C), C * nn->type->size);
}

/* The input of the queries: nn->h, or its chosen rows. */
static const elem *query_input(struct ft_nn *nn, const struct rowset *rows)
{
    if (rows == &nn->all)
        return nn->h;
    ft_pool_run(nn->pool, rows->n, gather_task, nn);
    return nn->hs;
}

/* Gradients of chosen rows to where they belong among all: dhs is added to dh, and dx spread out.
 * A row never moves down, so the last goes first. */
static void scatter(struct ft_nn *nn)
{
    size_t C = nn->m->C, at = nn->all.at + nn->all.n;
    for (size_t i = nn->chosen.n; i-- > 0;) {
        size_t row = nn->chosen.source[i], from = nn->chosen.at + i;
        memset(nn->dx + (row + 1) * C, 0, (at - row - 1) * C * sizeof *nn->dx);
        memmove(nn->dx + row * C, nn->dx + from * C, C * sizeof *nn->dx);
        nn->kern->axpy(1, nn->dhs + from * C, nn->dh + row * C, C);
        at = row;
    }
    memset(nn->dx + nn->all.at * C, 0, (at - nn->all.at) * C * sizeof *nn->dx);
}

/* ---- what becomes of a finished tile ---- */

struct finish {
    const struct rowset *rows;
    const struct acts *a;
    const float *residual;
    float *y;
    elem *to;
    const float *gain;         /* of silu(gate)*up; NULL: 1 */
    size_t width;              /* columns of the whole product */
    int rotate;
};

void nn_rope(const struct ft_nn *nn, float *row, size_t position, size_t col, size_t n, int back)
{
    size_t D = nn->m->D;
    const float *angles = nn->rope + position * D;
    for (size_t c = 0; c < n;) {
        size_t d = (col + c) % D, part = D - d < n - c ? D - d : n - c;
        (back ? nn->kern->rope_back : nn->kern->rope)(row + c, angles + d, part);
        c += part;
    }
}

static void put_elems(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    for (size_t r = 0; r < t->rows; r++) {
        float *row = t->y[0] + r * t->ld;
        if (f->rotate)
            nn_rope(nn, row, f->rows->position[t->row + r - f->rows->at], t->col, t->cols, 0);
        nn_put(nn, row, elem_at(nn, f->to, (t->row + r) * f->width + t->col), t->cols);
    }
}

static void put_floats(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    (void)nn;
    for (size_t r = 0; r < t->rows; r++)
        memcpy(f->y + (t->row + r) * f->width + t->col, t->y[0] + r * t->ld,
               t->cols * sizeof(float));
}

/* y = residual + tile; the residual of a chosen row stands where that row comes from. What a method
 * follows is kept; y NULL: nothing else is wanted. */
static void put_sum(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    for (size_t r = 0; r < t->rows; r++) {
        size_t row = t->row + r, C = nn->m->C;
        size_t from = f->rows->source && f->residual == f->a->x
                          ? f->rows->source[row - f->rows->at] : row;
        float *y = t->y[0] + r * t->ld;
        if (f->to)
            nn_put(nn, y, elem_at(nn, f->to, row * C + t->col), t->cols);
        if (!f->y)
            continue;
        nn->kern->axpy(1, f->residual + from * C + t->col, y, t->cols);
        memcpy(f->y + row * C + t->col, y, t->cols * sizeof *y);
    }
}

/* gate and up are only read where the same tile is passed back, so a tile of theirs lies in one
 * piece, row after row. */
static elem *in_tiles(const struct ft_nn *nn, const elem *x, const struct tile *t, size_t r)
{
    return elem_at(nn, x, t->col * nn->rows_cap + (t->row + r) * t->cols);
}

static void multiply(float *y, const float *factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= factor[i];
}

static void put_swiglu(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    for (size_t r = 0; r < t->rows; r++) {
        const float *gate = t->y[0] + r * t->ld, *up = t->y[1] + r * t->ld;
        nn->kern->swiglu(gate, up, t->spare, t->cols);
        if (f->gain)
            multiply(t->spare, f->gain + t->col, t->cols);
        nn_put(nn, t->spare, elem_at(nn, nn->act, (t->row + r) * nn->m->F + t->col), t->cols);
        nn_put(nn, gate, in_tiles(nn, f->a->gate, t, r), t->cols);
        nn_put(nn, up, in_tiles(nn, f->a->up, t, r), t->cols);
    }
}

/* From a tile of dact: dgate, dup, and act again for the gradient of down's A, or of its gain. */
static void put_swiglu_back(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct finish *f = ctx;
    float *gate = t->spare, *up = gate + t->cols, *dgate = up + t->cols, *dup = dgate + t->cols;
    float *act = dup + t->cols;
    for (size_t r = 0; r < t->rows; r++) {
        float *dact = t->y[0] + r * t->ld;
        size_t at = (t->row + r) * nn->m->F + t->col;
        nn_get(nn, in_tiles(nn, f->a->gate, t, r), gate, t->cols);
        nn_get(nn, in_tiles(nn, f->a->up, t, r), up, t->cols);
        nn->kern->swiglu(gate, up, act, t->cols);
        if (f->gain) {
            multiply(act, dact, t->cols);
            multiply(dact, f->gain + t->col, t->cols);
        }
        nn->kern->swiglu_back(dact, gate, up, dgate, dup, t->cols);
        nn_put(nn, dgate, elem_at(nn, nn->dgate, at), t->cols);
        nn_put(nn, dup, elem_at(nn, nn->dup, at), t->cols);
        nn_put(nn, act, elem_at(nn, nn->act, at), t->cols);
    }
}

/* ---- forward ---- */

static size_t outputs(const struct ft_nn *nn, size_t layer, enum ft_target t)
{
    return nn->m->layers[layer].w[t].rows;
}

static const float *act_gain(const struct ft_nn *nn, size_t layer)
{
    return nn->hooks->act_gain ? nn->hooks->act_gain(nn, layer) : NULL;
}

/* What the method has to do before the products with n matrices of the input x. */
static void down(struct ft_nn *nn, const struct rowset *rows, size_t layer,
                 const enum ft_target *t, size_t n, const elem *x, const struct acts *a)
{
    if (nn->hooks->down)
        nn->hooks->down(nn, rows, layer, t, n, x, a);
}

/* q, k or v of some rows. */
static void project(struct ft_nn *nn, const struct rowset *rows, size_t layer, const elem *h,
                    const enum ft_target *t, size_t n, const struct acts *a)
{
    struct product p[3] = {0};
    struct finish f[3];
    down(nn, rows, layer, t, n, h, a);
    for (size_t i = 0; i < n; i++) {
        size_t cols = outputs(nn, layer, t[i]);
        f[i] = (struct finish){.rows = rows, .width = cols, .rotate = t[i] != FT_V,
                               .to = t[i] == FT_Q ? a->q : t[i] == FT_K ? a->k : a->v};
        p[i] = (struct product){.n_out = 1, .cols = cols, .finish = put_elems, .ctx = &f[i],
                                .layer = layer};
        nn_linear_terms(nn, layer, t[i], h, a, &p[i].out[0]);
    }
    nn_products(nn, rows, p, n);
}

static void attend(struct ft_nn *nn, size_t l, struct acts *a)
{
    static const enum ft_target qkv[] = {FT_Q, FT_K, FT_V};
    const struct rowset *rows = rows_of_layer(nn, l);
    size_t kv = nn->m->H_kv * nn->m->D, bytes = nn->all.n * kv * nn->type->size;
    norm(nn, &nn->all, a->x, nn->m->layers[l].attn_norm, a->inv1);
    if (rows == &nn->all) {
        project(nn, rows, l, nn->h, qkv, 3, a);
    } else {
        project(nn, rows, l, query_input(nn, rows), qkv, 1, a);
        project(nn, &nn->all, l, nn->h, qkv + 1, 2, a);
    }
    if (nn->hooks->keys)
        nn->hooks->keys(nn, l, a);
    if (nn->in_prefixes) {
        memcpy(nn->prefix_k[l], elem_at(nn, a->k, nn->all.at * kv), bytes);
        memcpy(nn->prefix_v[l], elem_at(nn, a->v, nn->all.at * kv), bytes);
    }
    nn_attention(nn, l, rows, a);
}

/* y = residual + x W^T of o or down, and what the method adds behind it. y NULL: computes again
 * only what was not kept for that. */
static void project_back(struct ft_nn *nn, size_t l, enum ft_target t, const elem *x,
                         const struct acts *a, const float *residual, float *y)
{
    const struct rowset *rows = rows_of_layer(nn, l);
    struct finish f = {.rows = rows, .a = a, .residual = residual, .y = y, .to = a->out[t]};
    struct product p = {.n_out = 1, .cols = nn->m->C, .finish = put_sum, .ctx = &f, .layer = l};
    down(nn, rows, l, &t, 1, x, a);
    nn_linear_terms(nn, l, t, x, a, &p.out[0]);
    nn_products(nn, rows, &p, 1);
    if (nn_follows(nn, t))
        nn->hooks->behind(nn, rows, l, t, a, y);
}

static void gate_and_up(struct ft_nn *nn, size_t l, const struct acts *a)
{
    static const enum ft_target t[] = {FT_GATE, FT_UP};
    const struct rowset *rows = rows_of_layer(nn, l);
    struct finish f = {.rows = rows, .a = a, .gain = act_gain(nn, l)};
    struct product p = {.n_out = 2, .cols = nn->m->F, .finish = put_swiglu, .ctx = &f, .layer = l};
    norm(nn, rows, a->x2, nn->m->layers[l].mlp_norm, a->inv2);
    down(nn, rows, l, t, 2, nn->h, a);
    for (size_t i = 0; i < 2; i++)
        nn_linear_terms(nn, l, t[i], nn->h, a, &p.out[i]);
    nn_products(nn, rows, &p, 1);
}

void nn_layer_forward(struct ft_nn *nn, size_t l, float *x_next)
{
    struct acts *a = &nn->acts[l];
    attend(nn, l, a);
    project_back(nn, l, FT_O, a->att, a, a->x, a->x2);
    gate_and_up(nn, l, a);
    project_back(nn, l, FT_DOWN, nn->act, a, a->x2, x_next);
}

/* Computes again what was not kept. */
static void recompute(struct ft_nn *nn, size_t l)
{
    static const enum ft_target o = FT_O, mlp = FT_DOWN;
    const struct rowset *rows = rows_of_layer(nn, l);
    struct acts *a = &nn->acts[l];
    if (nn->limits.recompute == FT_RECOMPUTE_NONE)
        return;
    attend(nn, l, a);
    if (nn->limits.recompute == FT_RECOMPUTE_ATTENTION) {
        down(nn, rows, l, &o, 1, a->att, a);
        if (nn_follows(nn, o))
            nn->hooks->behind(nn, rows, l, o, a, NULL);
        return;
    }
    project_back(nn, l, FT_O, a->att, a, a->x, a->x2);
    gate_and_up(nn, l, a);
    if (nn_follows(nn, mlp))
        project_back(nn, l, mlp, nn->act, a, a->x2, NULL);
    else
        down(nn, rows, l, &mlp, 1, nn->act, a);
}

/* ---- backward ---- */

struct again {
    struct ft_nn *nn;
    const struct rowset *rows;
    const struct acts *a;
};

static void act_task(void *ctx, size_t task, unsigned worker)
{
    const struct again *s = ctx;
    struct ft_nn *nn = s->nn;
    size_t row = s->rows->at + task, F = nn->m->F, width = nn_tile_cols(nn, F);
    float *gate = scratch_of(nn, worker), *up = gate + width;
    for (size_t col = 0; col < F; col += width) {
        struct tile t = {.row = row, .col = col, .cols = F - col < width ? F - col : width};
        nn_get(nn, in_tiles(nn, s->a->gate, &t, 0), gate, t.cols);
        nn_get(nn, in_tiles(nn, s->a->up, &t, 0), up, t.cols);
        nn->kern->swiglu(gate, up, gate, t.cols);
        nn_put(nn, gate, elem_at(nn, nn->act, row * F + col), t.cols);
    }
}

void nn_act_again(struct ft_nn *nn, const struct rowset *rows, const struct acts *a)
{
    struct again s = {nn, rows, a};
    ft_pool_run(nn->pool, rows->n, act_task, &s);
}

/* Passes gradients through matrices that share their input: du, then the input's gradient tile by
 * tile to finish (NULL: not wanted), then the gradients of A and B. */
static void back(struct ft_nn *nn, const struct rowset *rows, struct linear_back *b,
                 size_t cols, void (*finish)(struct ft_nn *, void *, const struct tile *),
                 struct finish *f, float *grads)
{
    struct product p = {.n_out = 1, .cols = cols, .finish = finish, .ctx = f, .layer = b->layer};
    if (nn->hooks->unscale)
        nn->hooks->unscale(nn, rows, b, grads);
    if (nn->hooks->du)
        nn->hooks->du(nn, rows, b);
    if (finish) {
        nn_linear_back_terms(nn, b, &p.out[0]);
        nn_products(nn, rows, &p, 1);
    }
    if (nn->hooks->gradients)
        nn->hooks->gradients(nn, rows, b, grads);
}

static void operand_task(void *ctx, size_t task, unsigned worker)
{
    const struct norms *s = ctx;
    size_t C = s->nn->m->C, at = (s->rows->at + task * FT_TILE_TOKENS) * C;
    (void)worker;
    nn_put(s->nn, s->nn->dx + at, elem_at(s->nn, s->nn->dy, at),
           last_token(s->rows, task) * C - at);
}

/* nn->dy = nn->dx as an operand. */
static void dx_as_operand(struct ft_nn *nn, const struct rowset *rows)
{
    struct norms s = {.nn = nn, .rows = rows};
    if (nn->bf16)
        ft_pool_run(nn->pool, token_tasks(rows), operand_task, &s);
}

/* The gradient of the output of o or down, as an operand: dx, or what the method passes on. */
static const elem *output_back(struct ft_nn *nn, const struct rowset *rows, size_t l,
                               enum ft_target t, const struct acts *a, float *grads)
{
    dx_as_operand(nn, rows);
    return nn_follows(nn, t) ? nn->hooks->behind_back(nn, rows, l, t, a, grads) : nn->dy;
}

static void mlp_backward(struct ft_nn *nn, size_t l, const struct acts *a, float *grads)
{
    const struct rowset *rows = rows_of_layer(nn, l);
    const ft_layer *w = &nn->m->layers[l];
    struct linear_back last = {l, 1, {FT_DOWN}, nn->act, {NULL}, a};
    struct linear_back gate_up = {l, 2, {FT_GATE, FT_UP}, nn->h, {nn->dgate, nn->dup}, a};
    struct finish f = {.rows = rows, .a = a, .y = nn->dh, .width = nn->m->C,
                       .gain = act_gain(nn, l)};
    last.dy[0] = output_back(nn, rows, l, FT_DOWN, a, grads);
    back(nn, rows, &last, nn->m->F, put_swiglu_back, &f, grads);
    norm(nn, rows, a->x2, w->mlp_norm, a->inv2);
    back(nn, rows, &gate_up, nn->m->C, put_floats, &f, grads);
    norm_back(nn, rows, a->x2, w->mlp_norm, a->inv2);
}

static void attention_backward(struct ft_nn *nn, size_t l, const struct acts *a, float *grads)
{
    const struct rowset *rows = rows_of_layer(nn, l);
    size_t width = nn->m->H * nn->m->D;
    struct linear_back o = {l, 1, {FT_O}, a->att, {NULL}, a};
    struct finish f = {.rows = rows, .a = a, .to = nn->datt, .width = width};
    o.dy[0] = output_back(nn, rows, l, FT_O, a, grads);
    back(nn, rows, &o, width, put_elems, &f, grads);
    nn_attention_back(nn, l, rows, a);
    if (nn->hooks->keys_back)
        nn->hooks->keys_back(nn, l, grads);
}

/* The first layer's input is wanted by few methods. */
static void input_backward(struct ft_nn *nn, size_t l, const struct acts *a, float *grads)
{
    const struct rowset *rows = rows_of_layer(nn, l);
    int wanted = l > 0 || nn->hooks->input_back;
    void (*finish)(struct ft_nn *, void *, const struct tile *) = wanted ? put_floats : NULL;
    struct finish f = {.rows = &nn->all, .a = a, .y = nn->dh, .width = nn->m->C};
    struct linear_back qkv = {l, 3, {FT_Q, FT_K, FT_V}, nn->h, {nn->dq, nn->dk, nn->dv}, a};
    norm(nn, &nn->all, a->x, nn->m->layers[l].attn_norm, a->inv1);
    if (rows == &nn->all) {
        back(nn, rows, &qkv, nn->m->C, finish, &f, grads);
    } else {
        struct linear_back q = {l, 1, {FT_Q}, query_input(nn, rows), {nn->dq}, a};
        struct linear_back kv = {l, 2, {FT_K, FT_V}, nn->h, {nn->dk, nn->dv}, a};
        struct finish fq = {.rows = rows, .a = a, .y = nn->dhs, .width = nn->m->C};
        back(nn, rows, &q, nn->m->C, finish, &fq, grads);
        back(nn, &nn->all, &kv, nn->m->C, finish, &f, grads);
        if (wanted)
            scatter(nn);
    }
    if (wanted)
        norm_back(nn, &nn->all, a->x, nn->m->layers[l].attn_norm, a->inv1);
    if (l == 0 && nn->hooks->input_back)
        nn->hooks->input_back(nn, grads);
}

void nn_layer_backward(struct ft_nn *nn, size_t l, float *grads)
{
    const struct acts *a = &nn->acts[l];
    recompute(nn, l);
    mlp_backward(nn, l, a, grads);
    attention_backward(nn, l, a, grads);
    input_backward(nn, l, a, grads);
}
