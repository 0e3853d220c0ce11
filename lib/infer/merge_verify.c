#include "infer/merge.h"

#include "base/mem.h"
#include "base/rng.h"
#include "nn/transformer.h"

#include <math.h>

/* Random ids reach all of the vocabulary and leave no matrix idle; a merge that is wrong anywhere
 * shows at once. */
enum { SEQUENCES = 4, SEQUENCE_TOKENS = 48 };

struct verifier {
    ft_nn *split, *merged;         /* base with adapter; the merged file */
    size_t T, V;
    uint32_t ids[SEQUENCE_TOKENS];
    float *logits[2];              /* T x V of each */
};

static int verifier_take(struct verifier *v, const ft_model *m, const ft_adapter *l,
                         const ft_model *merged, ft_pool *pool, ft_err *e)
{
    ft_nn_limits limits = {0};
    int rc;
    v->T = m->context < SEQUENCE_TOKENS ? m->context : SEQUENCE_TOKENS;
    v->V = m->V;
    limits.tokens = limits.seq_tokens = v->T;
    for (int i = 0; i < 2; i++) {
        v->logits[i] = ft_new_aligned(v->T * v->V, sizeof(float), e);
        if (!v->logits[i])
            return FT_ERR_NOMEM;
    }
    rc = ft_nn_new(&v->split, m, l, pool, &limits, e);
    return rc < 0 ? rc : ft_nn_new(&v->merged, merged, NULL, pool, &limits, e);
}

static void verifier_free(struct verifier *v)
{
    ft_nn_free(&v->split);
    ft_nn_free(&v->merged);
    ft_free(v->logits[0]);
    ft_free(v->logits[1]);
}

static double log_sum_exp(const float *x, size_t n)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        max = (double)x[i] > max ? (double)x[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

/* Returns: KL(p || q) in nats of the distributions whose logits are given; raises *max_logit. */
static double compare(const float *p, const float *q, size_t n, double *max_logit)
{
    double lp = log_sum_exp(p, n), lq = log_sum_exp(q, n), kl = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)p[i] - (double)q[i]);
        double log_p = (double)p[i] - lp;
        if (!(difference <= *max_logit))
            *max_logit = difference;
        kl += exp(log_p) * (log_p - ((double)q[i] - lq));
    }
    return kl;
}

static int run_sequence(struct verifier *v, uint32_t number, ft_merge_difference *d, ft_err *e)
{
    uint8_t target[SEQUENCE_TOKENS] = {0};
    size_t at[SEQUENCE_TOKENS];
    ft_seq seq = {.ids = v->ids, .target = target, .T = v->T, .weight = 1.0f};
    int rc;
    for (size_t i = 0; i < v->T; i++) {
        v->ids[i] = (uint32_t)ft_rng_below(0, FT_RNG_DATA, number, i, v->V);
        at[i] = i;
    }
    rc = ft_nn_logits(v->split, &seq, at, v->T, v->logits[0], e);
    if (rc == 0)
        rc = ft_nn_logits(v->merged, &seq, at, v->T, v->logits[1], e);
    for (size_t i = 0; rc == 0 && i < v->T; i++) {
        d->mean_kl += compare(v->logits[0] + i * v->V, v->logits[1] + i * v->V, v->V,
                              &d->max_logit);
        d->positions++;
    }
    return rc;
}

static int judge(ft_type type, const ft_merge_difference *d, ft_err *e)
{
    if (type == FT_F32) {
        if (d->max_logit <= FT_MERGE_MAX_LOGIT)
            return 0;
        return ft_err_set(e, FT_ERR_NUMERIC, "a logit of the merged model differs by %g from "
                          "base and adapter; at most %g is right for f32", d->max_logit,
                          FT_MERGE_MAX_LOGIT);
    }
    if (d->mean_kl <= FT_MERGE_MEAN_KL)
        return 0;
    return ft_err_set(e, FT_ERR_NUMERIC, "the merged model predicts otherwise than base and "
                      "adapter: mean KL %g nats, at most %g is right for %s", d->mean_kl,
                      FT_MERGE_MEAN_KL, ft_type_info_of((uint32_t)type)->name);
}

int ft_merge_verify(const ft_model *m, const ft_adapter *l, const ft_model *merged, ft_type type,
                    ft_pool *pool, ft_merge_difference *d, ft_err *e)
{
    struct verifier v = {0};
    int rc;
    *d = (ft_merge_difference){0};
    if (merged->V != m->V)
        return ft_err_set(e, FT_ERR_INTERNAL, "the merged model has %zu tokens, the base %zu",
                          merged->V, m->V);
    rc = verifier_take(&v, m, l, merged, pool, e);
    for (uint32_t i = 0; rc == 0 && i < SEQUENCES; i++)
        rc = run_sequence(&v, i, d, e);
    verifier_free(&v);
    if (rc < 0)
        return rc;
    d->mean_kl /= (double)d->positions;
    return judge(type, d, e);
}
