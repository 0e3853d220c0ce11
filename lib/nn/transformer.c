/* transformer.c: a call from sequences to losses and gradients; the layers are in layer.c. */
#include "nn/nn_internal.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static void embed_task(void *ctx, size_t row, unsigned worker)
{
    struct ft_nn *nn = ctx;
    const struct unit *u = &nn->units[nn->all.unit[row]];
    size_t t = nn->all.position[row] - u->P, C = nn->m->C;
    float *x = nn->acts[0].x + (nn->all.at + row) * C;
    uint32_t id = u->seq->ids[t];
    (void)worker;
    if (id < nn->m->V)
        ft_weight_part(&nn->m->embedding, id, 0, C, x);
    else
        nn->hooks->embed(nn, id - nn->m->V, x);
    if (nn->step && nn->step->neftune > 0 && id < nn->m->V)
        nn_neftune(nn, u->seq, t, u->T, x);
}

void nn_embed(struct ft_nn *nn)
{
    ft_pool_run(nn->pool, nn->all.n, embed_task, nn);
}

/* Streams weights: what has been used goes, what comes next is asked for. next may be L: none. */
static void pass_layer(const struct ft_nn *nn, size_t used, size_t next)
{
    if (!nn->limits.stream_weights)
        return;
    ft_model_layer_wanted(nn->m, used, 0);
    if (next < nn->m->L)
        ft_model_layer_wanted(nn->m, next, 1);
}

void nn_forward(struct ft_nn *nn)
{
    const ft_model *m = nn->m;
    if (nn->hooks->begin)
        nn->hooks->begin(nn);
    nn_embed(nn);
    for (size_t l = 0; l < m->L; l++) {
        nn_layer_forward(nn, l, l + 1 < m->L ? nn->acts[l + 1].x : nn->x_out);
        pass_layer(nn, l, l + 1);
    }
}

static void backward(struct ft_nn *nn, float *grads)
{
    for (size_t l = nn->m->L; l-- > 0;) {
        nn_layer_backward(nn, l, grads);
        pass_layer(nn, l, l > 0 ? l - 1 : nn->m->L);
    }
}

static int check_step(const struct ft_nn *nn, const ft_nn_step *step, ft_err *e)
{
    if (!nn->limits.training || !nn->adapter)
        return ft_err_set(e, FT_ERR_USAGE, "this transformer was not made for training");
    if (step->dropout > 0 && !(nn->adapter->cfg.dropout > 0))
        return ft_err_set(e, FT_ERR_USAGE, "dropout was not planned for");
    if (step->kl > 0 && !nn->limits.kl)
        return ft_err_set(e, FT_ERR_USAGE, "the base's predictions were not planned for");
    if (!(step->norm > 0) || !isfinite(step->norm))
        return ft_err_set(e, FT_ERR_USAGE, "a step without weight: its examples have no targets "
                          "or weight 0");
    return 0;
}

int ft_nn_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, float *token_nll, ft_err *e)
{
    int rc;
    nn->step = NULL;
    rc = nn_rows_begin(nn, seqs, n, e);
    if (rc < 0)
        return rc;
    nn->int8 = nn->limits.compute == FT_COMPUTE_INT8 && !nn->limits.plain_losses;
    nn_forward(nn);
    rc = nn_loss_head(nn, nll, token_nll, 0, e);
    nn->int8 = nn->limits.compute == FT_COMPUTE_INT8;
    return rc;
}

int ft_nn_backward(ft_nn *nn, const ft_seq *seqs, size_t n, const ft_nn_step *step, double *nll,
                   float *grads, ft_err *e)
{
    int rc = check_step(nn, step, e);
    if (rc < 0)
        return rc;
    nn->step = step;
    if (step->kl > 0 && (rc = nn_base_begin(nn, seqs, n, e)) < 0)
        return rc;
    nn->grads = grads;
    rc = nn_rows_begin(nn, seqs, n, e);
    if (rc < 0)
        return rc;
    nn_forward(nn);
    rc = nn_loss_head(nn, nll, NULL, 1, e);
    if (rc < 0)
        return rc;
    backward(nn, grads);
    return 0;
}

/* ---- prefixes ---- */

int ft_nn_prefixes_begin(ft_nn *nn, const ft_seq *prefixes, size_t n, const ft_nn_step *step,
                         ft_err *e)
{
    size_t floats;
    int rc = check_step(nn, step, e);
    if (rc == 0 && (step->dropout > 0 || step->neftune > 0 || step->kl > 0))
        rc = ft_err_set(e, FT_ERR_USAGE, "prefixes cannot be shared under dropout, noise or a "
                        "divergence from the base");
    if (rc < 0)
        return rc;
    if (ft_grow(&nn->prefixes, &nn->prefixes_cap, n, sizeof *nn->prefixes, e) < 0)
        return FT_ERR_NOMEM;
    nn->step = step;
    nn->in_prefixes = 1;
    rc = nn_rows_begin(nn, prefixes, n, e);
    if (rc == 0) {
        for (size_t i = 0; i < n; i++) {
            nn->prefixes[i] = nn->units[i];
            nn->prefixes[i].prefix_at = nn->all.first[i];
        }
        nn->n_prefixes = n;
        nn->prefix_tokens = nn->all.n;
        floats = nn->prefix_tokens * nn->m->H_kv * nn->m->D;
        for (size_t l = 0; l < nn->m->L; l++) {
            memset(nn->prefix_dk[l], 0, floats * sizeof(float));
            memset(nn->prefix_dv[l], 0, floats * sizeof(float));
        }
        nn_forward(nn);
    }
    nn->in_prefixes = 0;
    return rc;
}

int ft_nn_prefixes_end(ft_nn *nn, float *grads, ft_err *e)
{
    size_t tokens = nn->prefix_tokens;
    int rc = ft_grow(&nn->units, &nn->units_cap, nn->n_prefixes + 1, sizeof *nn->units, e);
    if (rc < 0)
        return rc;
    nn->in_prefixes = 1;
    nn->grads = grads;
    nn_rows_again(nn);
    memset(nn->dx, 0, tokens * nn->m->C * sizeof *nn->dx);
    backward(nn, grads);
    nn->in_prefixes = 0;
    nn->prefix_tokens = nn->n_prefixes = 0;
    return 0;
}

void ft_nn_step_end(ft_nn *nn, float *grads)
{
    if (nn->hooks->step_end)
        nn->hooks->step_end(nn, grads);
}

int ft_nn_logits(ft_nn *nn, const ft_seq *seq, const size_t *at, size_t n_at, float *out,
                 ft_err *e)
{
    int rc;
    nn->step = NULL;
    rc = nn_rows_begin(nn, seq, 1, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n_at; i++)
        if (at[i] >= seq->T)
            return ft_err_set(e, FT_ERR_USAGE, "logits asked after the end of the sequence");
    nn_rows_choose(nn, at, n_at);
    nn_forward(nn);
    nn_logits_rows(nn, n_at, out);
    return 0;
}
