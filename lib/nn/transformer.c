/* transformer.c: the layers in order, forward and back.
 *
 *   x -> rmsnorm -> q, k, v -> rope -> attention -> o -> + -> x2 -> rmsnorm -> gate, up ->
 *   silu(gate)*up -> down -> + -> x of the next layer
 */
#include "nn/nn_internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* ---- elementwise steps, in tasks of FT_TILE_TOKENS tokens ---- */

struct rows {
    struct ft_nn *nn;
    const float *a, *b, *w;
    float *y, *z, *inv;
};

static size_t token_tasks(const struct ft_nn *nn)
{
    return (nn->N + FT_TILE_TOKENS - 1) / FT_TILE_TOKENS;
}

static size_t last_token(const struct ft_nn *nn, size_t task)
{
    size_t end = (task + 1) * FT_TILE_TOKENS;
    return end < nn->N ? end : nn->N;
}

static void norm_task(void *ctx, size_t task, unsigned worker)
{
    const struct rows *r = ctx;
    size_t C = r->nn->m->C;
    (void)worker;
    for (size_t t = task * FT_TILE_TOKENS; t < last_token(r->nn, task); t++)
        r->inv[t] = r->nn->kern->rmsnorm(r->a + t * C, r->w, r->nn->m->rms_eps, r->y + t * C, C);
}

/* h = rmsnorm(x) * w, and the inverse rms of each row. */
static void norm(struct ft_nn *nn, const float *x, const float *w, float *h, float *inv)
{
    struct rows r = {nn, x, NULL, w, h, NULL, inv};
    ft_pool_run(nn->pool, token_tasks(nn), norm_task, &r);
}

static void norm_back_task(void *ctx, size_t task, unsigned worker)
{
    const struct rows *r = ctx;
    size_t C = r->nn->m->C;
    (void)worker;
    for (size_t t = task * FT_TILE_TOKENS; t < last_token(r->nn, task); t++)
        r->nn->kern->rmsnorm_back(r->a + t * C, r->b + t * C, r->w, r->inv[t], r->y + t * C, C);
}

/* dx += gradient through rmsnorm, given dh. */
static void norm_back(struct ft_nn *nn, const float *dh, const float *x, const float *w, float *inv,
                      float *dx)
{
    struct rows r = {nn, dh, x, w, dx, NULL, inv};
    ft_pool_run(nn->pool, token_tasks(nn), norm_back_task, &r);
}

static void add_task(void *ctx, size_t task, unsigned worker)
{
    const struct rows *r = ctx;
    size_t C = r->nn->m->C, from = task * FT_TILE_TOKENS * C;
    (void)worker;
    for (size_t i = from; i < last_token(r->nn, task) * C; i++)
        r->y[i] = r->a[i] + r->b[i];
}

static void add(struct ft_nn *nn, const float *a, const float *b, float *y)
{
    struct rows r = {nn, a, b, NULL, y, NULL, NULL};
    ft_pool_run(nn->pool, token_tasks(nn), add_task, &r);
}

static void swiglu_task(void *ctx, size_t task, unsigned worker)
{
    const struct rows *r = ctx;
    size_t F = r->nn->m->F, from = task * FT_TILE_TOKENS * F;
    (void)worker;
    r->nn->kern->swiglu(r->a + from, r->b + from, r->y + from,
                        last_token(r->nn, task) * F - from);
}

static void swiglu(struct ft_nn *nn, const struct acts *a)
{
    struct rows r = {nn, a->gate, a->up, NULL, nn->act, NULL, NULL};
    ft_pool_run(nn->pool, token_tasks(nn), swiglu_task, &r);
}

static void swiglu_back_task(void *ctx, size_t task, unsigned worker)
{
    const struct rows *r = ctx;
    size_t F = r->nn->m->F, from = task * FT_TILE_TOKENS * F;
    (void)worker;
    r->nn->kern->swiglu_back(r->nn->dact + from, r->a + from, r->b + from, r->y + from,
                             r->z + from, last_token(r->nn, task) * F - from);
}

static void swiglu_back(struct ft_nn *nn, const struct acts *a)
{
    struct rows r = {nn, a->gate, a->up, NULL, nn->dgate, nn->dup, NULL};
    ft_pool_run(nn->pool, token_tasks(nn), swiglu_back_task, &r);
}

/* Rotates all heads of one sequence: positions count from its first token. */
struct rotation {
    struct ft_nn *nn;
    float *q, *k;
    int back;
};

static void rope_task(void *ctx, size_t seq, unsigned worker)
{
    const struct rotation *r = ctx;
    struct ft_nn *nn = r->nn;
    const ft_model *m = nn->m;
    void (*turn)(float *, const float *, size_t) = r->back ? nn->kern->rope_back : nn->kern->rope;
    (void)worker;
    for (size_t t = 0; t < nn->seqs[seq].T; t++) {
        size_t at = nn->first[seq] + t;
        for (size_t h = 0; h < m->H; h++)
            turn(r->q + (at * m->H + h) * m->D, nn->rope + t * m->D, m->D);
        for (size_t h = 0; h < m->H_kv; h++)
            turn(r->k + (at * m->H_kv + h) * m->D, nn->rope + t * m->D, m->D);
    }
}

static void rope(struct ft_nn *nn, float *q, float *k, int back)
{
    struct rotation r = {nn, q, k, back};
    ft_pool_run(nn->pool, nn->n_seqs, rope_task, &r);
}

/* ---- the layers ---- */

static void layer_forward(struct ft_nn *nn, size_t l, struct acts *a, float *x_next)
{
    const ft_layer *w = &nn->m->layers[l];
    norm(nn, a->x, w->attn_norm, nn->h, a->inv1);
    nn_linear(nn, l, nn->h, (struct product[]){{FT_Q, a->q}, {FT_K, a->k}, {FT_V, a->v}}, 3,
              &a->u[FT_Q]);
    rope(nn, a->q, a->k, 0);
    nn_attention(nn, a);
    nn_linear(nn, l, a->att, (struct product[]){{FT_O, nn->h}}, 1, &a->u[FT_O]);
    add(nn, a->x, nn->h, a->x2);
    norm(nn, a->x2, w->mlp_norm, nn->h, a->inv2);
    nn_linear(nn, l, nn->h, (struct product[]){{FT_GATE, a->gate}, {FT_UP, a->up}}, 2,
              &a->u[FT_GATE]);
    swiglu(nn, a);
    nn_linear(nn, l, nn->act, (struct product[]){{FT_DOWN, nn->h}}, 1, &a->u[FT_DOWN]);
    add(nn, a->x2, nn->h, x_next);
}

/* nn->dx holds the gradient by the layer's output and receives the one by its input. */
static void layer_backward(struct ft_nn *nn, size_t l, struct acts *a, float *grads)
{
    const ft_layer *w = &nn->m->layers[l];
    swiglu(nn, a);
    nn_linear_back(nn, l, nn->act, (struct product[]){{FT_DOWN, nn->dx}}, 1, &a->u[FT_DOWN],
                   nn->dact, 1, grads);
    swiglu_back(nn, a);
    norm(nn, a->x2, w->mlp_norm, nn->h, a->inv2);
    nn_linear_back(nn, l, nn->h, (struct product[]){{FT_GATE, nn->dgate}, {FT_UP, nn->dup}}, 2,
                   &a->u[FT_GATE], nn->dh, 1, grads);
    norm_back(nn, nn->dh, a->x2, w->mlp_norm, a->inv2, nn->dx);
    nn_linear_back(nn, l, a->att, (struct product[]){{FT_O, nn->dx}}, 1, &a->u[FT_O], nn->datt, 1,
                   grads);
    nn_attention_back(nn, a, nn->datt, nn->dq, nn->dk, nn->dv);
    rope(nn, nn->dq, nn->dk, 1);
    norm(nn, a->x, w->attn_norm, nn->h, a->inv1);
    nn_linear_back(nn, l, nn->h,
                   (struct product[]){{FT_Q, nn->dq}, {FT_K, nn->dk}, {FT_V, nn->dv}}, 3,
                   &a->u[FT_Q], nn->dh, l > 0, grads);
    if (l > 0)
        norm_back(nn, nn->dh, a->x, w->attn_norm, a->inv1, nn->dx);
}

static void embed_task(void *ctx, size_t seq, unsigned worker)
{
    struct ft_nn *nn = ctx;
    const ft_seq *s = &nn->seqs[seq];
    (void)worker;
    for (size_t t = 0; t < s->T; t++)
        ft_weight_part(&nn->m->embedding, s->ids[t], 0, nn->m->C,
                       nn->acts[0].x + (nn->first[seq] + t) * nn->m->C);
}

/* Without training all layers share one set of activations: the output is copied back into its
 * x by swapping the two pointers. */
static void forward(struct ft_nn *nn)
{
    const ft_model *m = nn->m;
    ft_pool_run(nn->pool, nn->n_seqs, embed_task, nn);
    for (size_t l = 0; l < m->L; l++) {
        if (nn->limits.training) {
            layer_forward(nn, l, &nn->acts[l], l + 1 < m->L ? nn->acts[l + 1].x : nn->x_out);
        } else {
            float *x = nn->acts[0].x;
            layer_forward(nn, l, &nn->acts[0], nn->x_out);
            nn->acts[0].x = nn->x_out;
            nn->x_out = x;
        }
    }
    if (!nn->limits.training) {
        float *x = nn->acts[0].x;
        nn->acts[0].x = nn->x_out;
        nn->x_out = x;
    }
}

/* ---- calls ---- */

static int begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, const ft_nn_step *step, ft_err *e)
{
    if (ft_grow(&nn->first, &nn->first_cap, n ? n : 1, sizeof *nn->first, e) < 0)
        return FT_ERR_NOMEM;
    nn->seqs = seqs;
    nn->n_seqs = n;
    nn->step = step;
    nn->N = 0;
    for (size_t s = 0; s < n; s++) {
        if (seqs[s].T < 1 || seqs[s].T > nn->limits.seq_tokens ||
            seqs[s].T > nn->limits.tokens - nn->N)
            return ft_err_set(e, FT_ERR_USAGE, "a call of more tokens than planned (%zu in a "
                              "sequence, %zu in all)", seqs[s].T, nn->N + seqs[s].T);
        for (size_t t = 0; t < seqs[s].T; t++)
            if (seqs[s].ids[t] >= nn->m->V)
                return ft_err_set(e, FT_ERR_DATA, "example %llu: id %u is outside the vocabulary "
                                  "of %zu", (unsigned long long)seqs[s].key, seqs[s].ids[t],
                                  nn->m->V);
        nn->first[s] = nn->N;
        nn->N += seqs[s].T;
    }
    return 0;
}

int ft_nn_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, float *token_nll, ft_err *e)
{
    int rc = begin(nn, seqs, n, NULL, e);
    if (rc < 0)
        return rc;
    forward(nn);
    return nn_loss_head(nn, nll, token_nll, NULL, e);
}

int ft_nn_backward(ft_nn *nn, const ft_seq *seqs, size_t n, const ft_nn_step *step, double *nll,
                   float *grads, ft_err *e)
{
    int rc;
    if (!nn->limits.training || !nn->lora)
        return ft_err_set(e, FT_ERR_USAGE, "this transformer was not made for training");
    if (step->dropout > 0 && !(nn->lora->cfg.dropout > 0))
        return ft_err_set(e, FT_ERR_USAGE, "dropout was not planned for");
    if (!(step->norm > 0) || !isfinite(step->norm))
        return ft_err_set(e, FT_ERR_USAGE, "a step without weight: its examples have no targets "
                          "or weight 0");
    rc = begin(nn, seqs, n, step, e);
    if (rc < 0)
        return rc;
    forward(nn);
    rc = nn_loss_head(nn, nll, NULL, nn->dx, e);
    if (rc < 0)
        return rc;
    for (size_t l = nn->m->L; l-- > 0;)
        layer_backward(nn, l, &nn->acts[l], grads);
    return 0;
}

int ft_nn_logits(ft_nn *nn, const ft_seq *seq, const size_t *at, size_t n_at, float *out,
                 ft_err *e)
{
    int rc = begin(nn, seq, 1, NULL, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n_at; i++)
        if (at[i] >= seq->T)
            return ft_err_set(e, FT_ERR_USAGE, "logits asked after the end of the sequence");
    forward(nn);
    nn_logits_rows(nn, at, n_at, out);
    return 0;
}
