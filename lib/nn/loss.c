/* loss.c: the head and the cross-entropy, only at targets.
 *
 * The rows before targets are normalised and taken in groups that bound the logits in memory:
 * logits of a group by tiles over the vocabulary, then row by row their log-sum-exp and, in the
 * same place, their gradient, then the gradient of the rows. */
#include "nn/nn_internal.h"

#include <math.h>
#include <string.h>

struct group {
    struct ft_nn *nn;
    struct rowset rows;        /* the group's rows of head_h, head_dh and logits, from 0 on */
    const size_t *at;          /* where each stands in x_out and dx */
    const uint32_t *target;    /* the id each is to predict */
    const float *weight;       /* d(loss)/d(nll) of each, NULL: no gradient */
    float *nll;
    float *logits;
    float *base;               /* the base's logits, to be compared with; NULL: not wanted */
    double *kl;                /* KL(base || adapted) of each row, where base is given */
    size_t from;               /* the first of its rows among the chosen */
};

/* ---- the steps of a group ---- */

static void norm_task(void *ctx, size_t row, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t C = nn->m->C;
    float *h = scratch_of(nn, worker);
    nn->head_inv[row] = nn->kern->rmsnorm(nn->x_out + g->at[row] * C, nn->m->final_norm,
                                          nn->m->rms_eps, h, C);
    nn_put(nn, h, elem_at(nn, nn->head_h, row * C), C);
}

struct norm_all {
    struct ft_nn *nn;
    elem *out;
};

static size_t x_out_row(const struct ft_nn *nn, size_t chosen)
{
    return nn->limits.whole_last_layer ? nn->chosen.source[chosen] : nn->chosen.at + chosen;
}

static void norm_all_task(void *ctx, size_t row, unsigned worker)
{
    const struct norm_all *all = ctx;
    struct ft_nn *nn = all->nn;
    size_t C = nn->m->C;
    float *h = scratch_of(nn, worker);
    (void)nn->kern->rmsnorm(nn->x_out + x_out_row(nn, row) * C, nn->m->final_norm, nn->m->rms_eps,
                            h, C);
    nn_put(nn, h, elem_at(nn, all->out, row * C), C);
}

static void put_logits(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    const struct group *g = ctx;
    for (size_t r = 0; r < t->rows; r++)
        memcpy(g->logits + (t->row + r) * nn->m->V + t->col, t->y[0] + r * t->ld,
               t->cols * sizeof(float));
}

/* h: the rows' final norm. */
static void head(struct group *g, const elem *h)
{
    struct ft_nn *nn = g->nn;
    struct product p = {.n_out = 1, .cols = nn->m->V, .finish = put_logits, .ctx = g};
    p.out[0].n_terms = 1;
    p.out[0].term[0] = (struct term){h, nn->m->C, nn->m->C,
                                     {.w = &nn->m->head, .by_rows = 1}, 0};
    nn_products(nn, &g->rows, &p, 1);
}

static void logits(struct group *g)
{
    ft_pool_run(g->nn->pool, g->rows.n, norm_task, g);
    head(g, g->nn->head_h);
}

/* Logits of the base for the group's rows, which begin with chosen row `from`. */
static void base_logits(struct group *g, size_t from)
{
    struct ft_nn *nn = g->nn;
    struct group base = *g;
    base.logits = g->base = nn->base_logits;
    head(&base, elem_at(nn, nn->base_h, from * nn->m->C));
}

static float log_sum_exp(const ft_kernels *kern, const float *x, size_t V)
{
    float max = kern->max(x, V);
    return max + logf(kern->sum_exp(x, max, V));
}

/* Turns the base's logits y into its probabilities p. Returns: KL = sum of p (log p - log q), where
 * q is what logits x come to. */
static double divergence(const ft_kernels *kern, const float *x, double lse, float *y, size_t V)
{
    enum { PIECE = 256 };
    float raw[PIECE], base_lse = log_sum_exp(kern, y, V);
    double sum = 0;
    for (size_t at = 0; at < V; at += PIECE) {
        size_t n = V - at < PIECE ? V - at : PIECE;
        memcpy(raw, y + at, n * sizeof *raw);
        kern->softmax_again(y + at, 1, base_lse, n);
        for (size_t i = 0; i < n; i++)
            sum += (double)y[at + i] * (((double)raw[i] - (double)base_lse) -
                                        ((double)x[at + i] - lse));
    }
    return sum;
}

/* nll = logsumexp - logit of the target; dlogits = (softmax - onehot) * weight, in place, as
 * elements at the beginning of each row. Beside the base's p, dlogits = (softmax - onehot +
 * kl (softmax - p)) * weight: of KL(p || softmax), p is constant, and what is left of it is a
 * cross-entropy with p as its targets. */
static void row_task(void *ctx, size_t row, unsigned worker)
{
    const struct group *g = ctx;
    const ft_kernels *kern = g->nn->kern;
    size_t V = g->nn->m->V;
    float *x = g->logits + row * V;
    float lse = log_sum_exp(kern, x, V), *p = g->base ? g->base + row * V : NULL;
    (void)worker;
    g->nll[row] = lse - x[g->target[row]];
    if (!g->weight)
        return;
    if (p)
        g->kl[row] = divergence(kern, x, (double)lse, p, V);
    kern->softmax_again(x, 1, lse, V);
    if (p)
        for (size_t i = 0; i < V; i++)
            x[i] += g->nn->step->kl * (x[i] - p[i]);
    x[g->target[row]] -= 1;
    kern->scale(g->weight[row], x, V);
    nn_put(g->nn, x, (elem *)(void *)x, V);
}

static void put_dh(struct ft_nn *nn, void *ctx, const struct tile *t)
{
    (void)ctx;
    for (size_t r = 0; r < t->rows; r++)
        memcpy(nn->head_dh + (t->row + r) * nn->m->C + t->col, t->y[0] + r * t->ld,
               t->cols * sizeof(float));
}

static void norm_back_task(void *ctx, size_t row, unsigned worker)
{
    const struct group *g = ctx;
    struct ft_nn *nn = g->nn;
    size_t C = nn->m->C, at = g->at[row];
    (void)worker;
    nn->kern->rmsnorm_back(nn->head_dh + row * C, nn->x_out + at * C, nn->m->final_norm,
                           nn->head_inv[row], nn->dx + at * C, C);
}

/* For a method that trains the head and its norm, too. Sums are of one segment, and cut at fixed
 * places in it (group_rows). */
static void weight_gradients(struct group *g)
{
    struct ft_nn *nn = g->nn;
    const struct rowset *set = &nn->chosen;
    size_t first[FT_HEAD_ROWS_MAX + 1], n = 0;
    struct nn_norm norm = {nn->m->final_norm, nn->head_dh, nn->x_out, nn->head_inv, g->at,
                           g->rows.n};
    first[0] = 0;
    for (size_t i = 1; i <= g->rows.n; i++) {
        uint32_t u = set->unit[g->from + i - 1];
        if (i == g->rows.n || set->unit[g->from + i] != u ||
            (set->at + g->from + i - set->first[u]) % FT_TILE_HEAD_ROWS == 0)
            first[++n] = i;
    }
    nn->hooks->head_back(nn, (elem *)(void *)nn->logits,
                         nn->m->V * sizeof(float) / nn->type->size, first, n, nn->grads);
    if (nn->hooks->norm_back)
        nn->hooks->norm_back(nn, &norm, nn->grads);
}

static void gradient(struct group *g)
{
    struct ft_nn *nn = g->nn;
    struct product p = {.n_out = 1, .cols = nn->m->C, .finish = put_dh, .ctx = g};
    p.out[0].n_terms = 1;
    p.out[0].term[0] = (struct term){(elem *)(void *)nn->logits,
                                     nn->m->V * sizeof(float) / nn->type->size, nn->m->V,
                                     {.w = &nn->m->head}, 0};
    nn_products(nn, &g->rows, &p, 1);
    if (nn->hooks->head_back)
        weight_gradients(g);
    ft_pool_run(nn->pool, g->rows.n, norm_back_task, g);
}

/* ---- gathering ---- */

/* Cuts the group's rows into blocks; those for BLAS hold rows of one sequence, counted from its
 * first target, so where a group ends changes no shape. unit: of each row; NULL: one sequence. */
static void cut_blocks(struct ft_nn *nn, const uint32_t *unit, struct rowset *rows)
{
    size_t most = nn->bf16 ? FT_BLOCK_ROWS : FT_TILE_HEAD_ROWS;
    rows->block = nn->head_block;
    rows->block[0] = rows->n_blocks = 0;
    for (size_t i = 0, begin = 0; i < rows->n; i++)
        if (i + 1 == rows->n || i + 1 - begin == most ||
            (!nn->bf16 && unit && unit[i + 1] != unit[i]))
            rows->block[++rows->n_blocks] = begin = i + 1;
}

/* Rows that the group beginning with chosen row `from` takes. */
static size_t group_rows(const struct ft_nn *nn, size_t from)
{
    const struct rowset *set = &nn->chosen;
    int anywhere = nn->bf16 && !nn->hooks->head_back;
    size_t n = 0, fits = 0;
    while (from + n < set->n && n < nn->head_rows) {
        uint32_t u = set->unit[from + n];
        size_t into = set->at + from + ++n - set->first[u];
        /* A tile for BLAS, or of a sum over tokens, that only the group's bound cuts short is left
         * for the next group. */
        if (anywhere || into % FT_TILE_HEAD_ROWS == 0 || from + n == set->n ||
            set->unit[from + n] != u)
            fits = n;
    }
    return fits;
}

static int one_group(struct ft_nn *nn, size_t from, size_t n, double *nll, float *token_nll,
                     int want_gradient, ft_err *e)
{
    size_t at[FT_HEAD_ROWS_MAX];
    uint32_t target[FT_HEAD_ROWS_MAX];
    float weight[FT_HEAD_ROWS_MAX], loss[FT_HEAD_ROWS_MAX];
    double kl[FT_HEAD_ROWS_MAX] = {0};
    struct group g = {nn, {.n = n}, at, target, want_gradient ? weight : NULL, loss, nn->logits,
                      NULL, kl, from};
    const struct rowset *set = &nn->chosen;
    cut_blocks(nn, set->unit + from, &g.rows);
    for (size_t i = 0; i < n; i++) {
        const struct unit *u = &nn->units[set->unit[from + i]];
        at[i] = x_out_row(nn, from + i);
        target[i] = u->seq->ids[set->position[from + i] - u->P + 1];
        if (want_gradient)
            weight[i] = (float)((double)u->seq->weight / nn->step->norm);
    }
    logits(&g);
    if (want_gradient && nn->step->kl > 0)
        base_logits(&g, from);
    ft_pool_run(nn->pool, n, row_task, &g);
    for (size_t i = 0; i < n; i++) {
        struct unit *u = &nn->units[set->unit[from + i]];
        nll[set->unit[from + i]] += (double)loss[i];
        u->kl += kl[i];
        if (!isfinite(loss[i]))
            return ft_err_set(e, FT_ERR_NUMERIC, "the loss of example %llu is not finite (token "
                              "%zu of %zu)", (unsigned long long)u->seq->key,
                              (size_t)set->position[from + i] + 1, u->P + u->T);
        if (token_nll)
            token_nll[from + i] = loss[i];
    }
    if (want_gradient)
        gradient(&g);
    return 0;
}

/* ---- calls ---- */

int nn_loss_head(struct ft_nn *nn, double *nll, float *token_nll, int want_gradient, ft_err *e)
{
    const struct rowset *last = rows_of_layer(nn, nn->m->L - 1);
    for (size_t u = 0; u < nn->n_units; u++)
        nll[u] = 0;
    if (want_gradient)
        memset(nn->dx + last->at * nn->m->C, 0, last->n * nn->m->C * sizeof *nn->dx);
    for (size_t from = 0, n; from < nn->chosen.n; from += n) {
        int rc;
        n = group_rows(nn, from);
        rc = one_group(nn, from, n, nll, token_nll, want_gradient, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void nn_norm_chosen(struct ft_nn *nn, elem *out)
{
    struct norm_all all = {nn, out};
    ft_pool_run(nn->pool, nn->chosen.n, norm_all_task, &all);
}

void nn_logits_rows(struct ft_nn *nn, size_t n, float *out)
{
    for (size_t from = 0; from < n; from += FT_TILE_HEAD_ROWS) {
        size_t at[FT_TILE_HEAD_ROWS], rows = n - from;
        struct group g = {nn, {0}, at, NULL, NULL, NULL, out + from * nn->m->V, NULL, NULL, 0};
        g.rows.n = rows < FT_TILE_HEAD_ROWS ? rows : FT_TILE_HEAD_ROWS;
        for (size_t i = 0; i < g.rows.n; i++)
            at[i] = x_out_row(nn, from + i);
        cut_blocks(nn, NULL, &g.rows);
        logits(&g);
    }
}
