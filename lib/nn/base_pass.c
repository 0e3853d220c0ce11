/* base_pass.c: the base without its adapter, in the memory of a transformer that has one: what a
 * tuned model is compared with. */
#include "base/mem.h"
#include "nn/nn_internal.h"
#include "nn/virtual_tokens.h"

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

/* The sequences without the virtual tokens that they begin with; out: seqs themselves where there
 * are none, or the caller frees them. */
static int without_virtual(const struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_seq **out,
                           ft_err *e)
{
    size_t first = ft_virtual_of(nn->adapter, nn->m).n;
    *out = NULL;
    if (!first)
        return 0;
    *out = ft_new(n, sizeof **out, e);
    if (!*out)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = seqs[i];
        (*out)[i].ids += first;
        (*out)[i].target += seqs[i].target ? first : 0;
        (*out)[i].T -= first;
    }
    return 0;
}

int nn_base_begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_err *e)
{
    struct put_aside p;
    ft_seq *own;
    int rc = without_virtual(nn, seqs, n, &own, e);
    p = put_aside(nn);
    if (rc == 0 && (rc = nn_rows_begin(nn, own ? own : seqs, n, e)) == 0) {
        nn_forward(nn);
        nn_norm_chosen(nn, nn->base_h);
    }
    put_back(nn, &p);
    ft_free(own);
    return rc;
}

int ft_nn_base_loss(ft_nn *nn, const ft_seq *seqs, size_t n, double *nll, ft_err *e)
{
    struct put_aside p;
    ft_seq *own;
    int rc = without_virtual(nn, seqs, n, &own, e);
    p = put_aside(nn);
    if (rc == 0)
        rc = ft_nn_loss(nn, own ? own : seqs, n, nll, NULL, e);
    put_back(nn, &p);
    ft_free(own);
    return rc;
}

double ft_nn_kl(const ft_nn *nn, size_t i)
{
    return nn->units[i].kl;
}
