/* memory.c: what a transformer takes, planned and taken as one block. */
#include "nn/nn_internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum { HEAD_BYTES = 128 << 20, HEAD_ROWS_MAX = 512 };

/* Walks the same list twice: first to add up sizes, then to hand out addresses. */
struct layout {
    float *base;               /* NULL while adding up */
    size_t used;               /* floats */
    int overflow;
};

static float *take(struct layout *l, size_t rows, size_t cols)
{
    size_t n, sum;
    float *p = l->base ? l->base + l->used : NULL;
    if (__builtin_mul_overflow(rows, cols, &n) || n > SIZE_MAX / 8 - 16 ||
        __builtin_add_overflow(l->used, (n + 15) & ~(size_t)15, &sum))
        l->overflow = 1;
    else
        l->used = sum;
    return p;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Floats of scratch one thread needs: the largest user wins. */
static size_t scratch_size(const ft_model *m, const ft_lora *lora, const ft_nn_limits *lim)
{
    size_t widest = larger(m->F, larger(m->C, m->H * m->D)), T = lim->seq_tokens;
    size_t n = widest * FT_TILE_COLS_MAX;                           /* expanded weights       */
    n = larger(n, FT_TILE_VOCAB * m->C);                            /* expanded head          */
    n = larger(n, (lim->training ? 2 : 1) * T * FT_TILE_QUERIES); /* attention blocks       */
    if (lora && lora->cfg.dropout > 0)
        n = larger(n, T * widest);                                  /* a masked input         */
    return (n + 15) & ~(size_t)15;
}

static void place_acts(struct ft_nn *nn, struct layout *l, struct acts *a)
{
    const ft_model *m = nn->m;
    size_t N = nn->limits.tokens;
    a->x = take(l, N, m->C);
    a->q = take(l, N, m->H * m->D);
    a->k = take(l, N, m->H_kv * m->D);
    a->v = take(l, N, m->H_kv * m->D);
    a->att = take(l, N, m->H * m->D);
    a->x2 = take(l, N, m->C);
    a->gate = take(l, N, m->F);
    a->up = take(l, N, m->F);
    a->lse = take(l, N, m->H);
    a->inv1 = take(l, N, 1);
    a->inv2 = take(l, N, 1);
    for (int t = 0; t < FT_TARGETS; t++)
        a->u[t] = nn->lora && (nn->lora->cfg.targets >> t & 1)
                      ? take(l, N, nn->lora->cfg.rank) : NULL;
}

static void place_gradients(struct ft_nn *nn, struct layout *l)
{
    const ft_model *m = nn->m;
    size_t N = nn->limits.tokens;
    nn->dx = take(l, N, m->C);
    nn->dh = take(l, N, m->C);
    nn->datt = take(l, N, m->H * m->D);
    nn->dq = take(l, N, m->H * m->D);
    nn->dk = take(l, N, m->H_kv * m->D);
    nn->dv = take(l, N, m->H_kv * m->D);
    nn->dact = take(l, N, m->F);
    nn->dgate = take(l, N, m->F);
    nn->dup = take(l, N, m->F);
    for (int i = 0; i < 3; i++)
        nn->du[i] = nn->lora ? take(l, N, nn->lora->cfg.rank) : NULL;
}

/* Places everything; returns where scratch begins (floats), so the plan can tell both apart. */
static size_t place_all(struct ft_nn *nn, struct layout *l, struct acts *acts)
{
    const ft_model *m = nn->m;
    size_t N = nn->limits.tokens, sets = nn->limits.training ? m->L : 1, fixed;
    struct acts dummy;
    size_t before = l->used;
    /* All sets are alike: add up one and multiply while planning. */
    if (!l->base) {
        place_acts(nn, l, &dummy);
        (void)take(l, sets - 1, l->used - before);
    } else {
        for (size_t i = 0; i < sets; i++)
            place_acts(nn, l, &acts[i]);
    }
    nn->x_out = take(l, N, m->C);
    nn->h = take(l, N, m->C);
    nn->act = take(l, N, m->F);
    if (nn->limits.training)
        place_gradients(nn, l);
    nn->rope = take(l, nn->limits.seq_tokens, m->D);
    fixed = l->used;
    nn->head_rows = HEAD_BYTES / sizeof(float) / m->V;
    nn->head_rows = larger(FT_TILE_HEAD_ROWS, nn->head_rows);
    if (nn->head_rows > HEAD_ROWS_MAX)
        nn->head_rows = HEAD_ROWS_MAX;
    nn->head_h = take(l, nn->head_rows, m->C);
    nn->head_dh = take(l, nn->head_rows, m->C);
    nn->logits = take(l, nn->head_rows, m->V);
    nn->scratch_floats = scratch_size(m, nn->lora, &nn->limits);
    nn->scratch = take(l, nn->threads, nn->scratch_floats);
    return fixed;
}

static int check_limits(const ft_model *m, const ft_nn_limits *lim, ft_err *e)
{
    if (lim->tokens < 1 || lim->seq_tokens < 1 || lim->seq_tokens > lim->tokens)
        return ft_err_set(e, FT_ERR_USAGE, "a call must hold at least one sequence");
    if (lim->seq_tokens > m->context)
        return ft_err_set(e, FT_ERR_DATA, "a sequence of %zu tokens is longer than the model's "
                          "context of %zu: pack with a smaller -l", lim->seq_tokens, m->context);
    return 0;
}

static int measure(struct ft_nn *nn, size_t *total, size_t *fixed, ft_err *e)
{
    struct layout l = {NULL, 0, 0};
    *fixed = place_all(nn, &l, NULL);
    *total = l.used;
    return l.overflow ? ft_err_nomem(e, SIZE_MAX) : 0;
}

int ft_nn_plan_for(const ft_model *m, const ft_lora *lora, unsigned threads,
                   const ft_nn_limits *limits, ft_nn_plan *plan, ft_err *e)
{
    struct ft_nn nn = {.m = m, .lora = lora, .limits = *limits, .threads = threads};
    size_t total = 0, fixed = 0;
    int rc = check_limits(m, limits, e);
    if (rc < 0 || (rc = measure(&nn, &total, &fixed, e)) < 0)
        return rc;
    plan->weights = 0;
    for (size_t i = 0; i < ft_gguf_tensor_count(m->gguf); i++)
        plan->weights += ft_gguf_tensor_at(m->gguf, i)->bytes;
    plan->activations = fixed * sizeof(float);
    plan->scratch = (total - fixed) * sizeof(float);
    return 0;
}

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

int ft_nn_new(ft_nn **out, const ft_model *m, const ft_lora *lora, ft_pool *pool,
              const ft_nn_limits *limits, ft_err *e)
{
    struct ft_nn *nn;
    struct layout l = {NULL, 0, 0};
    size_t total = 0, fixed = 0, sets = limits->training ? m->L : 1;
    int rc = check_limits(m, limits, e);
    *out = NULL;
    if (rc < 0)
        return rc;
    nn = ft_new(1, sizeof *nn, e);
    if (!nn)
        return FT_ERR_NOMEM;
    *nn = (struct ft_nn){.m = m, .lora = lora, .pool = pool, .kern = ft_kernels_get(),
                         .limits = *limits, .threads = ft_pool_threads(pool)};
    if ((rc = nn_blas_load(e)) < 0 || (rc = measure(nn, &total, &fixed, e)) < 0)
        goto fail;
    nn->acts = ft_new(sets, sizeof *nn->acts, e);
    nn->block = nn->acts ? ft_new_aligned(total, sizeof(float), e) : NULL;
    if (!nn->block) {
        rc = FT_ERR_NOMEM;
        goto fail;
    }
    l.base = nn->block;
    (void)place_all(nn, &l, nn->acts);
    fill_rope(nn);
    *out = nn;
    return 0;
fail:
    ft_nn_free(&nn);
    return rc;
}

void ft_nn_free(ft_nn **nn)
{
    if (!*nn)
        return;
    ft_free((*nn)->block);
    ft_free((*nn)->acts);
    ft_free((*nn)->first);
    ft_free(*nn);
    *nn = NULL;
}
