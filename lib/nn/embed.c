#include "nn/embed.h"

#include "base/mem.h"
#include "nn/nn_internal.h"

#include <math.h>
#include <string.h>

struct means {
    struct ft_nn *nn;
    double *sums;              /* [threads x C] */
    float *out;                /* [units x C] */
};

/* Adds up position by position, in double, by one thread: so nothing but the sequence decides. */
static void mean_task(void *ctx, size_t unit, unsigned worker)
{
    const struct means *m = ctx;
    struct ft_nn *nn = m->nn;
    size_t C = nn->m->C, first = nn->all.first[unit], end = nn->all.first[unit + 1];
    double *sum = m->sums + worker * C;
    float *h = scratch_of(nn, worker);
    memset(sum, 0, C * sizeof *sum);
    for (size_t row = first; row < end; row++) {
        nn->kern->rmsnorm(nn->x_out + row * C, nn->m->final_norm, nn->m->rms_eps, h, C);
        for (size_t c = 0; c < C; c++)
            sum[c] += (double)h[c];
    }
    for (size_t c = 0; c < C; c++)
        m->out[unit * C + c] = (float)(sum[c] / (double)(end - first));
}

/* Returns: how many sequences from the first on one call takes; at least 1. */
static size_t call_seqs(const struct ft_nn *nn, const ft_seq *seqs, size_t n)
{
    size_t tokens = 0, i = 0;
    while (i < n && (i == 0 || seqs[i].T <= nn->limits.tokens - tokens))
        tokens += seqs[i++].T;
    return i;
}

static int one_call(struct means *m, const ft_seq *seqs, size_t n, ft_err *e)
{
    struct ft_nn *nn = m->nn;
    size_t C = nn->m->C;
    int rc = nn_rows_begin(nn, seqs, n, e);
    if (rc < 0)
        return rc;
    nn_forward(nn);
    ft_pool_run(nn->pool, n, mean_task, m);
    for (size_t i = 0; i < n * C; i++)
        if (!isfinite(m->out[i]))
            return ft_err_set(e, FT_ERR_NUMERIC, "the hidden state of example %llu is not finite",
                              (unsigned long long)seqs[i / C].key);
    return 0;
}

int ft_embed(ft_nn *nn, const ft_seq *seqs, size_t n, float *out, ft_err *e)
{
    struct means m = {nn, NULL, out};
    int rc = 0;
    if (!nn->limits.whole_last_layer)
        return ft_err_set(e, FT_ERR_USAGE, "this transformer was not made for embeddings");
    for (size_t i = 0; i < n; i++)
        if (seqs[i].prefix)
            return ft_err_set(e, FT_ERR_USAGE, "a sequence behind a prefix has no embedding");
    if (!(m.sums = ft_new(nn->threads, nn->m->C * sizeof *m.sums, e)))
        return FT_ERR_NOMEM;
    nn->step = NULL;
    for (size_t from = 0, some; rc == 0 && from < n; from += some) {
        some = call_seqs(nn, seqs + from, n - from);
        m.out = out + from * nn->m->C;
        rc = one_call(&m, seqs + from, some, e);
    }
    ft_free(m.sums);
    return rc;
}
