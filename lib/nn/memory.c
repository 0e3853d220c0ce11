/* memory.c: what a transformer takes, planned and taken as one block. */
#include "nn/method.h"
#include "nn/nn_internal.h"

#include "base/mem.h"
#include "nn/virtual_tokens.h"

#include <math.h>
#include <string.h>

enum { HEAD_BYTES = 256 << 20 };

/* Walks the same list twice: first to add up sizes, then to hand out addresses. */
struct layout {
    float *base;               /* NULL while adding up */
    size_t used;               /* floats */
    int overflow;
};

static void *take_bytes(struct layout *l, size_t rows, size_t cols, size_t size)
{
    size_t n, sum;
    float *p = l->base ? l->base + l->used : NULL;
    if (__builtin_mul_overflow(rows, cols, &n) || __builtin_mul_overflow(n, size, &n) ||
        n > SIZE_MAX / 8 - 64 ||
        __builtin_add_overflow(l->used, (n / sizeof(float) + 31) & ~(size_t)15, &sum))
        l->overflow = 1;
    else
        l->used = sum;
    return p;
}

static float *take(struct layout *l, size_t rows, size_t cols)
{
    return take_bytes(l, rows, cols, sizeof(float));
}

static elem *take_elems(const struct ft_nn *nn, struct layout *l, size_t rows, size_t cols)
{
    return take_bytes(l, rows, cols, nn->type->size);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Floats of scratch one thread needs: the largest user wins. */
static size_t scratch_size(const struct ft_nn *nn)
{
    const ft_model *m = nn->m;
    size_t n = larger((size_t)4 * FT_DEPTH, 2 * larger(m->F, larger(m->C, m->H * m->D)));
    size_t sums = nn->limits.training ? nn_sum_scratch(nn->R) : 0;
    if (nn->limits.training && nn->hooks->head_back)
        sums = nn_full_scratch();
    n = larger(n, sums + nn_product_scratch(nn->bf16));
    n = larger(n, nn_attention_scratch(m, nn->limits.training));
    return (n + 15) & ~(size_t)15;
}

static void place_narrow(struct ft_nn *nn, struct layout *l, struct acts *a, int from, int to)
{
    for (int t = from; nn->R && t <= to; t++)
        a->u[t] = nn->adapter->cfg.targets >> t & 1 ? take_elems(nn, l, nn->rows_cap, nn->R2)
                                                    : NULL;
}

/* The part of a layer's activations that is kept whatever is computed again. */
static void place_kept(struct ft_nn *nn, struct layout *l, struct acts *a)
{
    const ft_model *m = nn->m;
    size_t N = nn->rows_cap;
    a->x = take(l, N, m->C);
    if (nn->limits.recompute == FT_RECOMPUTE_FULL)
        return;
    a->x2 = take(l, N, m->C);
    a->gate = take_elems(nn, l, N, m->F);
    a->up = take_elems(nn, l, N, m->F);
    a->inv2 = take(l, N, 1);
    place_narrow(nn, l, a, FT_GATE, FT_DOWN);
    for (int t = 0; t < FT_TARGETS; t++)
        a->out[t] = nn_follows(nn, (enum ft_target)t) ? take_elems(nn, l, N, m->C) : NULL;
}

/* The rest of FULL, and the rest of ATTENTION. */
static void place_mlp(struct ft_nn *nn, struct layout *l, struct acts *a)
{
    struct acts kept = *a;
    enum ft_recompute how = nn->limits.recompute;
    if (how != FT_RECOMPUTE_FULL)
        return;
    nn->limits.recompute = FT_RECOMPUTE_NONE;
    place_kept(nn, l, a);
    nn->limits.recompute = how;
    a->x = kept.x;
}

static void place_attention(struct ft_nn *nn, struct layout *l, struct acts *a)
{
    const ft_model *m = nn->m;
    size_t N = nn->rows_cap;
    a->q = take_elems(nn, l, N, m->H * m->D);
    a->k = take_elems(nn, l, N, m->H_kv * m->D);
    a->v = take_elems(nn, l, N, m->H_kv * m->D);
    a->att = take_elems(nn, l, N, m->H * m->D);
    a->lse = take(l, N, m->H);
    a->inv1 = take(l, N, 1);
    place_narrow(nn, l, a, FT_Q, FT_O);
}

static void place_layer(struct ft_nn *nn, struct layout *l, struct acts *a)
{
    place_kept(nn, l, a);
    place_mlp(nn, l, a);
    place_attention(nn, l, a);
}

/* Copies of a set of activations with another input, and what else is kept of the layer. */
static void share(const struct ft_nn *nn, struct acts *to, const struct acts *shared)
{
    struct acts kept = *to;
    *to = *shared;
    to->x = kept.x;
    if (nn->limits.recompute != FT_RECOMPUTE_ATTENTION)
        return;
    to->x2 = kept.x2;
    to->gate = kept.gate;
    to->up = kept.up;
    to->inv2 = kept.inv2;
    for (int t = FT_GATE; t <= FT_DOWN; t++)
        to->u[t] = kept.u[t];
    memcpy(to->out, kept.out, sizeof to->out);
}

/* All layers' activations. Without training they share everything, the input too. */
static void place_acts(struct ft_nn *nn, struct layout *l, struct acts *acts)
{
    size_t L = nn->m->L;
    struct acts first = {0}, other = {0};
    size_t before, one;
    place_layer(nn, l, &first);
    before = l->used;
    if (!nn->limits.training) {
        for (size_t i = 0; acts && i < L; i++)
            acts[i] = first;
        return;
    }
    for (size_t i = 1; i < L; i++) {
        if (nn->limits.recompute == FT_RECOMPUTE_NONE)
            place_layer(nn, l, acts ? &acts[i] : &other);
        else
            place_kept(nn, l, acts ? &acts[i] : &other);
        if (acts && nn->limits.recompute != FT_RECOMPUTE_NONE)
            share(nn, &acts[i], &first);
        one = l->used - before;
        if (!acts && L > 2) {        /* all layers are alike: multiply */
            (void)take(l, L - 2, one);
            break;
        }
    }
    if (acts)
        acts[0] = first;
}

static void place_gradients(struct ft_nn *nn, struct layout *l)
{
    const ft_model *m = nn->m;
    size_t N = nn->rows_cap, R2 = nn->R2;
    nn->dx = take(l, N, m->C);
    nn->dy = nn->bf16 ? take_elems(nn, l, N, m->C) : (elem *)(void *)nn->dx;
    nn->dh = take(l, N, m->C);
    nn->dhs = take(l, N, m->C);
    nn->dout = nn->hooks->behind ? take_elems(nn, l, N, m->C) : NULL;
    nn->datt = take_elems(nn, l, N, m->H * m->D);
    nn->dq = take_elems(nn, l, N, m->H * m->D);
    nn->dk = take_elems(nn, l, N, m->H_kv * m->D);
    nn->dv = take_elems(nn, l, N, m->H_kv * m->D);
    nn->dgate = take_elems(nn, l, N, m->F);
    nn->dup = take_elems(nn, l, N, m->F);
    if (nn_gain_width(nn))
        nn->z = take_elems(nn, l, N, nn_gain_width(nn));
    nn->dk_heads = take(l, nn->keys_cap, m->H * m->D);
    nn->dv_heads = take(l, nn->keys_cap, m->H * m->D);
    for (int i = 0; i < 3; i++) {
        nn->du[i] = R2 ? take_elems(nn, l, N, R2) : NULL;
        nn->ut[i] = R2 ? take_elems(nn, l, R2, 2 * nn->keys_cap) : NULL;
        nn->dut[i] = R2 ? take_elems(nn, l, R2, 2 * nn->keys_cap) : NULL;
    }
}

static void place_prefixes(struct ft_nn *nn, struct layout *l)
{
    size_t P = nn->limits.prefix_tokens, kv = nn->m->H_kv * nn->m->D, L = nn->m->L;
    if (!P)
        return;
    if (!l->base || !nn->prefix_k) {
        (void)take_bytes(l, L, 2 * P * kv, nn->type->size);
        (void)take(l, L, 2 * P * kv);
        (void)take(l, L, 128);            /* each array is rounded up */
        return;
    }
    for (size_t i = 0; i < L; i++) {
        nn->prefix_k[i] = take_elems(nn, l, P, kv);
        nn->prefix_v[i] = take_elems(nn, l, P, kv);
        nn->prefix_dk[i] = take(l, P, kv);
        nn->prefix_dv[i] = take(l, P, kv);
    }
}

static void place_head(struct ft_nn *nn, struct layout *l)
{
    const ft_model *m = nn->m;
    size_t rows = HEAD_BYTES / sizeof(float) / m->V / (nn->limits.kl ? 2 : 1);
    rows = rows < FT_HEAD_ROWS_MAX ? rows : FT_HEAD_ROWS_MAX;
    rows = nn->limits.targets && nn->limits.targets < rows ? nn->limits.targets : rows;
    rows = rows < nn->limits.tokens ? rows : nn->limits.tokens;
    nn->head_rows = larger(FT_TILE_HEAD_ROWS, rows);
    nn->head_h = take_elems(nn, l, nn->head_rows, m->C);
    nn->head_dh = take(l, nn->head_rows, m->C);
    nn->head_inv = take(l, nn->head_rows, 1);
    nn->head_block = take_bytes(l, nn->head_rows + 1, 1, sizeof *nn->head_block);
    nn->logits = take(l, nn->head_rows, m->V);
    if (nn->limits.kl) {
        nn->base_h = take_elems(nn, l, nn->limits.tokens, m->C);
        nn->base_logits = take(l, nn->head_rows, m->V);
    }
}

/* Places everything; returns where scratch begins (floats), so the plan can tell both apart. */
static size_t place_all(struct ft_nn *nn, struct layout *l, struct acts *acts)
{
    const ft_model *m = nn->m;
    size_t N = nn->rows_cap, widest = larger(m->F, larger(m->C, m->H * m->D)), fixed;
    place_acts(nn, l, acts);
    nn->x_out = nn->limits.training ? take(l, N, m->C) : acts ? acts[0].x : NULL;
    nn->h = take_elems(nn, l, N, m->C);
    nn->hs = take_elems(nn, l, N, m->C);
    nn->act = take_elems(nn, l, N, m->F);
    nn->narrow = nn->hooks->behind ? take_elems(nn, l, N, nn->R2) : NULL;
    nn->flip = take_elems(nn, l, 2 * nn->keys_cap, m->H_kv * m->D);
    if (nn->adapter && nn->adapter->cfg.dropout > 0)
        nn->masked = take_elems(nn, l, N, widest);
    if (nn->int8) {
        size_t inputs = larger(2 * m->F, (m->H + 2 * m->H_kv) * m->D);
        nn->bytes = take_bytes(l, N, larger(inputs, m->C) + 8, 1);
        nn->bytes_scale = take(l, larger(inputs, m->C) / FT_DEPTH_S8 + 3, N);
    }
    if (nn->limits.training)
        place_gradients(nn, l);
    place_prefixes(nn, l);
    if (nn->limits.training && nn->hooks->step_end && m->tied)
        nn->embedding_grads = take(l, m->V, m->C);
    nn->rope = take(l, nn->limits.seq_tokens, m->D);
    fixed = l->used;
    place_head(nn, l);
    nn->scratch_floats = scratch_size(nn);
    nn->scratch = take(l, nn->threads, nn->scratch_floats);
    return fixed;
}

/* ---- limits ---- */

static int check_limits(const ft_model *m, const ft_adapter *adapter, const ft_nn_limits *lim,
                        ft_err *e)
{
    if (lim->tokens < 1 || lim->seq_tokens < 1 ||
        lim->seq_tokens > lim->tokens + lim->prefix_tokens)
        return ft_err_set(e, FT_ERR_USAGE, "a call must hold at least one sequence");
    if (lim->seq_tokens > m->context && ft_virtual_of(adapter, m).n)
        return ft_err_set(e, FT_ERR_DATA, "a sequence of %zu tokens, %zu of them virtual, is "
                          "longer than the model's context of %zu: pack with a smaller -l, or "
                          "take fewer virtual tokens", lim->seq_tokens,
                          ft_virtual_of(adapter, m).n, m->context);
    if (lim->seq_tokens > m->context)
        return ft_err_set(e, FT_ERR_DATA, "a sequence of %zu tokens is longer than the model's "
                          "context of %zu: pack with a smaller -l", lim->seq_tokens, m->context);
    if (ft_compute_resolve(lim->compute) != FT_COMPUTE_F32 && (m->C % 2 || m->F % 2))
        return ft_err_set(e, FT_ERR_USAGE, "bf16 products need even sizes, but this model has "
                          "%zu channels and an MLP of %zu: --compute f32", m->C, m->F);
    return 0;
}

static const struct nn_hooks no_hooks;

/* Fills in what follows from model, limits and the type of products. */
static void begin(struct ft_nn *nn, const ft_model *m, const ft_adapter *adapter, unsigned threads,
                  const ft_nn_limits *limits)
{
    const ft_kernels *k = ft_kernels_get();
    *nn = (struct ft_nn){.m = m, .adapter = adapter, .kern = k, .limits = *limits,
                         .threads = threads, .hooks = &no_hooks};
    nn->bf16 = ft_compute_resolve(limits->compute) != FT_COMPUTE_F32;
    nn->int8 = limits->compute == FT_COMPUTE_INT8;
    if (!limits->training)
        nn->limits.recompute = FT_RECOMPUTE_NONE;
    if (adapter)
        nn->hooks = ft_method_kind_of(adapter->cfg.method)->hooks;
    nn->R = adapter ? adapter->cfg.rank : 0;
    nn->R2 = nn->R + nn->R % 2;
    nn->rows_cap = limits->tokens + limits->prefix_tokens;
    nn->keys_cap = limits->prefix_tokens ? limits->tokens * 2 + limits->prefix_tokens
                                         : limits->tokens;
    nn->type_room = nn->bf16
        ? (struct nn_type){2, k->gemm_bf16, k->pack_rows_bf16, k->pack_cols_bf16,
                           k->softmax_tile_bf16, k->softmax_tile_back_bf16}
        : (struct nn_type){4, k->gemm_f32, k->pack_rows_f32, k->pack_cols_f32,
                           k->softmax_tile_f32, k->softmax_tile_back_f32};
    nn->type = &nn->type_room;
}

static int measure(struct ft_nn *nn, size_t *total, size_t *fixed, ft_err *e)
{
    struct layout l = {NULL, 0, 0};
    *fixed = place_all(nn, &l, NULL);
    *total = l.used;
    return l.overflow ? ft_err_nomem(e, SIZE_MAX) : 0;
}

/* Bytes of weights in memory at a time. Of an embedding that is not the head, too, only the rows of
 * tokens that occur are read; of streamed layers one is in memory. */
static size_t weight_bytes(const ft_model *m, int streamed)
{
    size_t all = ft_model_weight_bytes(m), layer = 0;
    const ft_type_info *info = ft_type_info_of((uint32_t)m->embedding.type);
    for (size_t t = 0; t < FT_TARGETS; t++)
        layer += m->layers[0].own[t] ? 0 : m->layers[0].tensor[t]->bytes;
    if (!m->tied)
        all -= m->V * (m->C / info->block * info->block_bytes);
    return streamed ? all - (m->L - 1) * layer : all;
}

int ft_nn_plan_for(const ft_model *m, const ft_adapter *adapter, unsigned threads,
                   const ft_nn_limits *limits, ft_nn_plan *plan, ft_err *e)
{
    struct ft_nn nn;
    size_t total = 0, fixed = 0;
    int rc = check_limits(m, adapter, limits, e);
    if (rc < 0)
        return rc;
    begin(&nn, m, adapter, threads, limits);
    if ((rc = measure(&nn, &total, &fixed, e)) < 0)
        return rc;
    /* What the parameters stand for is not in memory. */
    plan->weights = nn.hooks->head_back ? 0 : weight_bytes(m, limits->stream_weights);
    plan->activations = fixed * sizeof(float);
    plan->scratch = (total - fixed) * sizeof(float);
    return 0;
}

/* ---- taking and giving back ---- */

/* Angle of pair i at position t: t * theta^(-2i/D) / factor_i (Su et al. 2021, section 3.2.2). */
static void fill_rope(struct ft_nn *nn)
{
    const ft_model *m = nn->m;
    for (size_t i = 0; i < m->D / 2; i++) {
        double f = pow((double)m->rope_theta, -2.0 * (double)i / (double)m->D);
        if (m->rope_factors)
            f /= (double)m->rope_factors[i];
        for (size_t t = 0; t < nn->limits.seq_tokens; t++) {
            nn->rope[t * m->D + 2 * i] = (float)cos((double)t * f);
            nn->rope[t * m->D + 2 * i + 1] = (float)sin((double)t * f);
        }
    }
}

static int take_memory(struct ft_nn *nn, size_t total, ft_err *e)
{
    struct layout l = {NULL, 0, 0};
    size_t L = nn->m->L;
    if (!(nn->acts = ft_new(L, sizeof *nn->acts, e)) ||
        !(nn->prefix_k = ft_new(L, sizeof *nn->prefix_k, e)) ||
        !(nn->prefix_v = ft_new(L, sizeof *nn->prefix_v, e)) ||
        !(nn->prefix_dk = ft_new(L, sizeof *nn->prefix_dk, e)) ||
        !(nn->prefix_dv = ft_new(L, sizeof *nn->prefix_dv, e)) ||
        !(nn->block = ft_new_aligned(total, sizeof(float), e)))
        return FT_ERR_NOMEM;
    l.base = nn->block;
    (void)place_all(nn, &l, nn->acts);
    if (nn->embedding_grads)
        memset(nn->embedding_grads, 0, nn->m->V * nn->m->C * sizeof(float));
    return 0;
}

int ft_nn_new(ft_nn **out, const ft_model *m, const ft_adapter *adapter, ft_pool *pool,
              const ft_nn_limits *limits, ft_err *e)
{
    struct ft_nn *nn;
    size_t total = 0, fixed = 0;
    int rc = check_limits(m, adapter, limits, e);
    *out = NULL;
    if (rc < 0)
        return rc;
    nn = ft_new(1, sizeof *nn, e);
    if (!nn)
        return FT_ERR_NOMEM;
    begin(nn, m, adapter, ft_pool_threads(pool), limits);
    nn->pool = pool;
    if ((rc = nn_blas_load(e)) < 0 || (rc = measure(nn, &total, &fixed, e)) < 0 ||
        (rc = take_memory(nn, total, e)) < 0) {
        ft_nn_free(&nn);
        return rc;
    }
    fill_rope(nn);
    *out = nn;
    return 0;
}

void ft_nn_free(ft_nn **nn)
{
    if (!*nn)
        return;
    nn_rows_free(*nn);
    ft_free((*nn)->block);
    ft_free((*nn)->acts);
    ft_free((*nn)->prefix_k);
    ft_free((*nn)->prefix_v);
    ft_free((*nn)->prefix_dk);
    ft_free((*nn)->prefix_dv);
    ft_free(*nn);
    *nn = NULL;
}
