/* full.c: gradients of all weights, where the parameters are the weights (full.h):
 *
 *   dW += dY^T X,  dw += sum dH x / rms(x) of a norm, dE += dX at the rows of the tokens
 *
 * Sums over tokens go segment by segment in order. A weight's gradient stands in grads where the
 * weight stands in params, so the places of both follow from the model's own pointers.
 */
#include "nn/full.h"

#include "nn/method.h"
#include "nn/nn_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- what it is ---- */

/* Slots of a layer: the matrices, then both norms. Before the layers the embedding, behind them the
 * final norm and the head, unless it is tied. */
enum { IN_LAYER = FT_TARGETS + 2 };

static int check(const ft_model *m, const ft_adapter_config *c, ft_err *e)
{
    (void)m;
    (void)c;
    (void)e;
    return 0;
}

static int add(ft_adapter *a, size_t layer, enum ft_role role, size_t rows, ft_err *e)
{
    ft_slot s = {.layer = layer, .role = role, .rows = rows, .cols = 1, .vector = 1};
    return ft_adapter_add_slot(a, s, e);
}

static int add_layer(ft_adapter *a, const ft_model *m, size_t layer, ft_err *e)
{
    int rc = 0;
    for (int t = 0; t < FT_TARGETS && rc == 0; t++) {
        const ft_weight *w = &m->layers[layer].w[t];
        ft_slot s = {.layer = layer, .target = (enum ft_target)t, .role = FT_ROLE_WEIGHT,
                     .rows = w->rows, .cols = w->cols,
                     .heads = ft_target_heads(m, (enum ft_target)t)};
        rc = ft_adapter_add_slot(a, s, e);
    }
    if (rc == 0)
        rc = add(a, layer, FT_ROLE_ATTN_NORM, m->C, e);
    return rc < 0 ? rc : add(a, layer, FT_ROLE_MLP_NORM, m->C, e);
}

static int lay_out(ft_adapter *a, const ft_model *m, ft_err *e)
{
    ft_slot s = {.layer = FT_NO_LAYER, .role = FT_ROLE_EMBEDDING, .rows = m->V, .cols = m->C};
    int rc = ft_adapter_add_slot(a, s, e);
    for (size_t l = 0; l < m->L && rc == 0; l++)
        rc = add_layer(a, m, l, e);
    if (rc == 0)
        rc = add(a, FT_NO_LAYER, FT_ROLE_FINAL_NORM, m->C, e);
    s.role = FT_ROLE_HEAD;
    return rc < 0 || m->tied ? rc : ft_adapter_add_slot(a, s, e);
}

static float *layer_slot(const ft_adapter *a, size_t layer, int which)
{
    return a->params + a->slots[1 + layer * IN_LAYER + (size_t)which].at;
}

/* Behind the layers: 0 the final norm, 1 the head. */
static float *last_slot(const ft_adapter *a, size_t which)
{
    return a->params + a->slots[1 + a->L * IN_LAYER + which].at;
}

static void copy_weight(const ft_weight *w, float *to)
{
    ft_weight_range(w, 0, w->rows * w->cols, to);
}

/* The model as it is. */
static void init(ft_adapter *a, const ft_model *m, uint64_t seed)
{
    (void)seed;
    a->scaling = 1;
    copy_weight(&m->embedding, a->params);
    for (size_t l = 0; l < m->L; l++) {
        const ft_layer *from = &m->layers[l];
        for (int t = 0; t < FT_TARGETS; t++)
            copy_weight(&from->w[t], layer_slot(a, l, t));
        memcpy(layer_slot(a, l, FT_TARGETS), from->attn_norm, m->C * sizeof(float));
        memcpy(layer_slot(a, l, FT_TARGETS + 1), from->mlp_norm, m->C * sizeof(float));
    }
    memcpy(last_slot(a, 0), m->final_norm, m->C * sizeof(float));
    if (!m->tied)
        copy_weight(&m->head, last_slot(a, 1));
}

/* As transformers names them, behind what PEFT puts before every name. */
static void slot_name(const ft_slot *s, char *name, size_t cap)
{
    static const char *const names[FT_ROLES] = {
        [FT_ROLE_ATTN_NORM] = "input_layernorm", [FT_ROLE_MLP_NORM] = "post_attention_layernorm",
        [FT_ROLE_EMBEDDING] = "base_model.model.model.embed_tokens",
        [FT_ROLE_FINAL_NORM] = "base_model.model.model.norm",
        [FT_ROLE_HEAD] = "base_model.model.lm_head"};
    char path[48];
    ft_target_path(s->target, path, sizeof path);
    snprintf(name, cap, "%s.weight", s->role == FT_ROLE_WEIGHT ? path : names[s->role]);
}

static void put_config(ft_buf *b, const ft_adapter_config *c)
{
    (void)b;
    (void)c;
}

static int get_config(ft_mp map, ft_adapter_config *c, ft_err *e)
{
    (void)map;
    (void)c;
    (void)e;
    return 0;
}

/* ---- in the model's place ---- */

static ft_weight in_floats(const ft_weight *w, const float *data)
{
    return (ft_weight){.type = FT_F32, .rows = w->rows, .cols = w->cols, .data = data};
}

static void forget(const ft_model *m, const ft_weight *w)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)w->type);
    ft_gguf_forget(m->gguf, w->data, w->rows * (w->cols / info->block * info->block_bytes));
}

void ft_full_take_over(const ft_adapter *a, ft_model *m)
{
    forget(m, &m->embedding);
    if (!m->tied)
        forget(m, &m->head);
    m->embedding = in_floats(&m->embedding, a->params);
    m->head = in_floats(&m->head, m->tied ? a->params : last_slot(a, 1));
    m->final_norm = last_slot(a, 0);
    for (size_t l = 0; l < m->L; l++) {
        ft_layer *to = &m->layers[l];
        ft_model_layer_wanted(m, l, 0);
        for (int t = 0; t < FT_TARGETS; t++)
            to->w[t] = in_floats(&to->w[t], layer_slot(a, l, t));
        to->attn_norm = layer_slot(a, l, FT_TARGETS);
        to->mlp_norm = layer_slot(a, l, FT_TARGETS + 1);
    }
}

const float *ft_full_tensor(const ft_adapter *a, const ft_model *m, const ft_tensor *t)
{
    size_t layer;
    enum ft_target target;
    char name[64];
    if (ft_model_find(m, t, &layer, &target))
        return layer_slot(a, layer, (int)target);
    if (ft_slice_is(t->name, "token_embd.weight"))
        return a->params;
    if (ft_slice_is(t->name, "output_norm.weight"))
        return last_slot(a, 0);
    if (ft_slice_is(t->name, "output.weight") && !m->tied)
        return last_slot(a, 1);
    for (size_t l = 0; l < m->L; l++)
        for (int i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "blk.%zu.%s.weight", l, i ? "ffn_norm" : "attn_norm");
            if (ft_slice_is(t->name, name))
                return layer_slot(a, l, FT_TARGETS + i);
        }
    return NULL;
}

/* ---- gradients ---- */

static float *gradient_of(const struct ft_nn *nn, const void *weights, float *grads)
{
    return grads + ((const float *)weights - nn->adapter->params);
}

enum { OUT_ROWS = 96,          /* rows of dW in a task: a multiple of what gemm_bf16 takes     */
       SUM_TOKENS = 512,       /* tokens that are turned at once                               */
       COLUMNS = 64 };         /* of a task that adds up rows                                  */

/* dW [out x in] += dY^T X, rows [first[i], first[i + 1]) being sum i. */
struct outer {
    struct ft_nn *nn;
    const elem *dy, *x;
    size_t ldy, out, in, n_sums;
    const size_t *first;
    float *dw;
};

static void turn_floats(const float *from, size_t ld, size_t n, size_t m, float *to)
{
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < m; i++)
            to[i * SUM_TOKENS + t] = from[t * ld + i];
}

static void turn_bf16(const uint16_t *from, size_t ld, size_t n, size_t m, uint16_t *to)
{
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < m; i++)
            to[i * SUM_TOKENS + t] = from[t * ld + i];
    for (size_t i = 0; n % 2 && i < m; i++)
        to[i * SUM_TOKENS + n] = 0;
}

/* n rows of dy from `row` on, columns [from, from + m), as m rows along tokens; in bf16, which goes
 * by pairs, with a zero behind an odd n. */
static void turn(const struct outer *o, size_t row, size_t n, size_t from, size_t m, float *to)
{
    const elem *first = elem_at(o->nn, o->dy, row * o->ldy + from);
    if (o->nn->bf16)
        turn_bf16((const uint16_t *)(const void *)first, o->ldy, n, m,
                  (uint16_t *)(void *)to);
    else
        turn_floats((const float *)(const void *)first, o->ldy, n, m, to);
}

static void outer_task(void *ctx, size_t task, unsigned worker)
{
    const struct outer *o = ctx;
    struct ft_nn *nn = o->nn;
    float *turned = scratch_of(nn, worker), *scratch = turned + (size_t)OUT_ROWS * SUM_TOKENS;
    size_t from = task * OUT_ROWS, m = o->out - from < OUT_ROWS ? o->out - from : OUT_ROWS;
    size_t width = nn_tile_cols(nn, o->in);
    for (size_t s = 0; s < o->n_sums; s++)
        for (size_t row = o->first[s], n; row < o->first[s + 1]; row += n) {
            n = o->first[s + 1] - row < SUM_TOKENS ? o->first[s + 1] - row : SUM_TOKENS;
            turn(o, row, n, from, m, turned);
            for (size_t col = 0; col < o->in; col += width)
                nn_add_over_tokens(nn, m, o->in - col < width ? o->in - col : width, n,
                                   (elem *)(void *)turned, SUM_TOKENS,
                                   elem_at(nn, o->x, row * o->in + col), o->in,
                                   o->dw + from * o->in + col, o->in, scratch);
        }
}

size_t nn_full_scratch(void)
{
    return (size_t)OUT_ROWS * SUM_TOKENS;
}

static void add_outer(const struct outer *o)
{
    ft_pool_run(o->nn->pool, (o->out + OUT_ROWS - 1) / OUT_ROWS, outer_task,
                (void *)(uintptr_t)o);
}

static void gradients(struct ft_nn *nn, const struct rowset *rows, const struct linear_back *b,
                      float *grads)
{
    for (size_t i = 0; i < b->n; i++) {
        const ft_weight *w = &nn->m->layers[b->layer].w[b->t[i]];
        add_outer(&(struct outer){nn, b->dy[i], b->x, w->rows, w->rows, w->cols, nn->n_units,
                                  rows->first, gradient_of(nn, w->data, grads)});
    }
}

static void head_back(struct ft_nn *nn, const elem *dlogits, size_t ld, const size_t *first,
                      size_t n_sums, float *grads)
{
    const ft_weight *w = &nn->m->head;
    add_outer(&(struct outer){nn, dlogits, nn->head_h, ld, w->rows, w->cols, n_sums, first,
                              gradient_of(nn, w->data, grads)});
}

struct sum {
    struct ft_nn *nn;
    const struct nn_norm *norm;
    float *to;
};

static size_t sum_tasks(const struct ft_nn *nn)
{
    return (nn->m->C + COLUMNS - 1) / COLUMNS;
}

static void norm_sum(void *ctx, size_t task, unsigned worker)
{
    const struct sum *s = ctx;
    const struct nn_norm *g = s->norm;
    size_t C = s->nn->m->C, end = (task + 1) * COLUMNS < C ? (task + 1) * COLUMNS : C;
    (void)worker;
    for (size_t i = 0; i < g->n; i++) {
        const float *dh = g->dh + i * C, *x = g->x + (g->at ? g->at[i] : i) * C;
        for (size_t c = task * COLUMNS; c < end; c++)
            s->to[c] += dh[c] * x[c] * g->inv[i];
    }
}

static void norm_back(struct ft_nn *nn, const struct nn_norm *norm, float *grads)
{
    struct sum s = {nn, norm, gradient_of(nn, norm->w, grads)};
    ft_pool_run(nn->pool, sum_tasks(nn), norm_sum, &s);
}

static void embedding_sum(void *ctx, size_t task, unsigned worker)
{
    const struct sum *s = ctx;
    struct ft_nn *nn = s->nn;
    size_t C = nn->m->C, from = task * COLUMNS, n = C - from < COLUMNS ? C - from : COLUMNS;
    (void)worker;
    for (size_t row = 0; row < nn->all.n; row++) {
        const struct unit *u = &nn->units[nn->all.unit[row]];
        size_t id = u->seq->ids[nn->all.position[row] - u->P];
        nn->kern->axpy(1, nn->dx + (nn->all.at + row) * C + from, s->to + id * C + from, n);
    }
}

/* A tied head's gradient comes first in each call. The embedding's is summed apart until the step
 * ends, so that it does not matter how many calls a step has. */
static void input_back(struct ft_nn *nn, float *grads)
{
    float *own = gradient_of(nn, nn->m->embedding.data, grads);
    struct sum s = {nn, NULL, nn->embedding_grads ? nn->embedding_grads : own};
    ft_pool_run(nn->pool, sum_tasks(nn), embedding_sum, &s);
}

static void move_row(void *ctx, size_t row, unsigned worker)
{
    const struct sum *s = ctx;
    size_t C = s->nn->m->C;
    float *from = s->nn->embedding_grads + row * C;
    (void)worker;
    s->nn->kern->axpy(1, from, s->to + row * C, C);
    memset(from, 0, C * sizeof *from);
}

static void step_end(struct ft_nn *nn, float *grads)
{
    struct sum s = {nn, NULL, gradient_of(nn, nn->m->embedding.data, grads)};
    if (nn->embedding_grads)
        ft_pool_run(nn->pool, nn->m->V, move_row, &s);
}

static const struct nn_hooks hooks = {.gradients = gradients, .input_back = input_back,
                                      .norm_back = norm_back, .head_back = head_back,
                                      .step_end = step_end};

const struct ft_method_kind ft_method_full = {
    .name = "full", .rate = 2e-5, .check = check, .lay_out = lay_out, .init = init,
    .slot_name = slot_name, .entries = 0, .put_config = put_config, .get_config = get_config,
    .hooks = &hooks};
