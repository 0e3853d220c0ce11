#include "nn/transformer.h"

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

static const char *const computes[] = {"f32", "bf16", "int8", "auto"};
static const char *const recomputes[] = {"none", "attention", "full"};

/* Returns: the index of name, or of the last one. */
static size_t index_of(const char *const *names, size_t n, const char *name)
{
    size_t i = 0;
    while (i + 1 < n && strcmp(names[i], name) != 0)
        i++;
    return i;
}

enum ft_compute ft_compute_resolve(enum ft_compute c)
{
    if (c != FT_COMPUTE_AUTO)
        return c;
    return strcmp(ft_kernels_get()->name, "avx512") == 0 ? FT_COMPUTE_BF16 : FT_COMPUTE_F32;
}

const char *ft_compute_name(enum ft_compute c)
{
    return computes[c];
}

enum ft_compute ft_compute_by_name(const char *name)
{
    return (enum ft_compute)index_of(computes, FT_COMPUTE_AUTO + 1, name);
}

const char *ft_recompute_name(enum ft_recompute r)
{
    return recomputes[r];
}

enum ft_recompute ft_recompute_by_name(const char *name)
{
    return (enum ft_recompute)index_of(recomputes, FT_RECOMPUTE_FULL + 1, name);
}

/* ---- whether int8 stays true ---- */

enum { PROBE_TOKENS = 64, PROBE_ROWS = 16 };

/* Logits after the last PROBE_ROWS of PROBE_TOKENS random tokens: out [PROBE_ROWS x V]. */
static int probe(const ft_model *m, enum ft_compute compute, ft_pool *pool, float *out, ft_err *e)
{
    ft_nn_limits limits = {.tokens = PROBE_TOKENS, .seq_tokens = PROBE_TOKENS,
                           .compute = compute};
    uint32_t ids[PROBE_TOKENS];
    size_t at[PROBE_ROWS];
    ft_seq seq = {.ids = ids, .T = PROBE_TOKENS, .weight = 1};
    ft_nn *nn = NULL;
    int rc = ft_nn_new(&nn, m, NULL, pool, &limits, e);
    for (size_t i = 0; i < PROBE_TOKENS; i++)
        ids[i] = (uint32_t)ft_rng_below(0, FT_RNG_DATA, 0, i, m->V);
    for (size_t i = 0; i < PROBE_ROWS; i++)
        at[i] = PROBE_TOKENS - PROBE_ROWS + i;
    if (rc == 0)
        rc = ft_nn_logits(nn, &seq, at, PROBE_ROWS, out, e);
    ft_nn_free(&nn);
    return rc;
}

/* Sum of p (log p - log q) over the vocabulary, of two rows of logits. */
static double divergence(const float *p, const float *q, size_t n)
{
    const ft_kernels *k = ft_kernels_get();
    float p_max = k->max(p, n), q_max = k->max(q, n);
    double p_lse = log((double)k->sum_exp(p, p_max, n)) + (double)p_max;
    double q_lse = log((double)k->sum_exp(q, q_max, n)) + (double)q_max, sum = 0;
    for (size_t i = 0; i < n; i++) {
        double log_p = (double)p[i] - p_lse;
        sum += exp(log_p) * (log_p - ((double)q[i] - q_lse));
    }
    return sum;
}

int ft_compute_for_training(enum ft_compute *c, const ft_model *m, ft_pool *pool, ft_err *e)
{
    float *bf16, *int8 = NULL;
    double sum = 0;
    int rc;
    if (*c != FT_COMPUTE_AUTO)
        return 0;
    *c = ft_compute_resolve(*c);
    if (*c != FT_COMPUTE_BF16 || m->context < PROBE_TOKENS)
        return 0;
    bf16 = ft_new((size_t)PROBE_ROWS * 2, m->V * sizeof *bf16, e);
    if (!bf16)
        return FT_ERR_NOMEM;
    int8 = bf16 + PROBE_ROWS * m->V;
    rc = probe(m, FT_COMPUTE_BF16, pool, bf16, e);
    if (rc == 0)
        rc = probe(m, FT_COMPUTE_INT8, pool, int8, e);
    for (size_t i = 0; i < PROBE_ROWS && rc == 0; i++)
        sum += divergence(bf16 + i * m->V, int8 + i * m->V, m->V) / PROBE_ROWS;
    if (rc == 0 && sum <= FT_INT8_KL_MOST)
        *c = FT_COMPUTE_INT8;
    ft_free(bf16);
    return rc;
}
