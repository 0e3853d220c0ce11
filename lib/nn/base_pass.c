/* base_pass.c: the base without its adapter, in the memory of a transformer that has one: what a
 * tuned model is compared with. */
#include "nn/nn_internal.h"

static const struct nn_hooks no_hooks;

/* What an adapter changes in a call. */
struct put_aside {
    const ft_adapter *adapter;
    const struct nn_hooks *hooks;
    const ft_nn_step *step;
};

static struct put_aside put_aside(struct ft_nn *nn)
{
    struct put_aside p = {nn->adapter, nn->hooks, nn->step};
    nn->adapter = NULL;
    nn->hooks = &no_hooks;
    nn->step = NULL;
    return p;
}

static void put_back(struct ft_nn *nn, const struct put_aside *p)
{
    nn->adapter = p->adapter;
    nn->hooks = p->hooks;
    nn->step = p->step;
}

int nn_base_begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_err *e)
{
    struct put_aside p = put_aside(nn);
    int rc = nn_rows_begin(nn, seqs, n, e);
    if (rc == 0) {
        nn_forward(nn);
        nn_norm_chosen(nn, nn->base_h);
    }
    put_back(nn, &p);
    return rc;
}

int ft_nn_base_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, ft_err *e)
{
    struct put_aside p = put_aside(nn);
    int rc = ft_nn_loss(nn, seqs, n, nll, NULL, e);
    put_back(nn, &p);
    return rc;
}

double ft_nn_kl(const ft_nn *nn, size_t i)
{
    return nn->units[i].kl;
}
