#include "eval/compare.h"

#include "base/mem.h"
#include "eval/binomial.h"
#include "eval/distributions.h"

#include <math.h>

const ft_compare_options ft_compare_usual = {0.05, 0.8, 1000, 10000, 0};

ft_estimate ft_estimate_mean(const ft_clusters *c, const double *x, const double *w, size_t n,
                             double alpha)
{
    ft_estimate r = {.n = n, .clusters = c->n};
    double sum = 0, weight = 0, squares = 0, row_squares = 0, half, groups = (double)c->n;
    for (size_t g = 0; g < c->n; g++) {
        sum += c->sum[g];
        weight += c->weight[g];
    }
    r.mean = sum / weight;
    for (size_t g = 0; g < c->n; g++) {
        double rest = c->sum[g] - r.mean * c->weight[g];
        squares += rest * rest;
    }
    for (size_t i = 0; i < n; i++) {
        double rest = (w ? w[i] : 1) * (x[i] - r.mean);
        row_squares += rest * rest;
    }
    r.se = c->n > 1 ? sqrt(squares * groups / (groups - 1)) / weight : NAN;
    r.se_rows = n > 1 ? sqrt(row_squares * (double)n / (double)(n - 1)) / weight : NAN;
    /* What is left of equal values is rounding. */
    if (r.se < 1e-14 * fabs(r.mean))
        r.se = 0;
    if (r.se_rows < 1e-14 * fabs(r.mean))
        r.se_rows = 0;
    half = c->n > 1 ? ft_t_quantile(1 - alpha / 2, groups - 1) * r.se : NAN;
    r.low = r.mean - half;
    r.high = r.mean + half;
    return r;
}

double ft_detectable(double se, double df, double alpha, double power)
{
    if (!(se > 0))
        return NAN;
    return (ft_t_quantile(1 - alpha / 2, df) + ft_t_quantile(power, df)) * se;
}

void ft_holm(const double *p, size_t n, double *adjusted)
{
    for (size_t i = 0; i < n; i++) {
        size_t before = 0;
        for (size_t k = 0; k < n; k++)
            before += p[k] < p[i] || (k < i && p[k] == p[i]);
        adjusted[i] = fmin(1, (double)(n - before) * p[i]);
    }
    /* Never less than that of a smaller p. Whether those were raised before does not matter. */
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (p[k] <= p[i] && adjusted[k] > adjusted[i])
                adjusted[i] = adjusted[k];
}

static double effect_size(const double *d, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += d[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (d[i] - mean) * (d[i] - mean);
    squares = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return squares > 1e-14 * fabs(mean) ? mean / squares : NAN;
}

static void count_outcomes(const ft_pairs *p, ft_comparison *r)
{
    for (size_t i = 0; i < p->n; i++) {
        r->ties += p->a[i] == p->b[i];
        r->wins += p->lower_is_better ? p->b[i] < p->a[i] : p->b[i] > p->a[i];
    }
    r->losses = p->n - r->wins - r->ties;
}

static size_t count_ones(const double *x, size_t n, int *binary)
{
    size_t ones = 0;
    for (size_t i = 0; i < n; i++) {
        ones += x[i] == 1;
        *binary &= x[i] == 0 || x[i] == 1;
    }
    return ones;
}

static void compare_binary(const ft_pairs *p, double alpha, ft_comparison *r)
{
    size_t a, b;
    r->binary = !p->weight;
    a = count_ones(p->a, p->n, &r->binary);
    b = count_ones(p->b, p->n, &r->binary);
    r->mcnemar_p = NAN;
    if (!r->binary)
        return;
    r->mcnemar_p = ft_mcnemar(r->wins, r->losses);
    ft_wilson(a, p->n, alpha, &r->a_low, &r->a_high);
    ft_wilson(b, p->n, alpha, &r->b_low, &r->b_high);
}

/* Of one system alone. */
static int estimate(const ft_pairs *p, const double *x, double alpha, ft_estimate *out, ft_err *e)
{
    ft_clusters c;
    if (ft_clusters_of(&c, x, p->weight, p->cluster, p->n, e) < 0)
        return FT_ERR_NOMEM;
    *out = ft_estimate_mean(&c, x, p->weight, p->n, alpha);
    ft_clusters_free(&c);
    return 0;
}

static int compare_differences(const ft_pairs *p, const double *d, const ft_compare_options *o,
                               ft_pool *pool, ft_comparison *r, ft_err *e)
{
    ft_clusters c;
    int rc = ft_clusters_of(&c, d, p->weight, p->cluster, p->n, e);
    if (rc < 0)
        return rc;
    r->difference = ft_estimate_mean(&c, d, p->weight, p->n, o->alpha);
    r->t_p = NAN;
    if (r->difference.se > 0)
        r->t_p = ft_t_two_sided(r->difference.mean / r->difference.se, (double)c.n - 1);
    else if (c.n > 1)
        r->t_p = r->difference.mean == 0;
    r->detectable = ft_detectable(r->difference.se, (double)c.n - 1, o->alpha, o->power);
    r->effect_size = effect_size(d, p->n);
    rc = ft_bootstrap_pairs(&c, o->resamples, o->alpha, o->seed, pool, &r->bootstrap, e);
    if (rc == 0)
        rc = ft_randomise(&c, o->swaps, o->seed, pool, &r->swaps, e);
    ft_clusters_free(&c);
    return rc;
}

int ft_compare(const ft_pairs *p, const ft_compare_options *o, ft_pool *pool, ft_comparison *r,
               ft_err *e)
{
    double *d = ft_new(p->n, sizeof *d, e);
    int rc = d ? 0 : FT_ERR_NOMEM;
    *r = (ft_comparison){0};
    for (size_t i = 0; rc == 0 && i < p->n; i++)
        d[i] = p->b[i] - p->a[i];
    if (rc == 0 && (rc = estimate(p, p->a, o->alpha, &r->a, e)) == 0 &&
        (rc = estimate(p, p->b, o->alpha, &r->b, e)) == 0)
        rc = compare_differences(p, d, o, pool, r, e);
    if (rc == 0) {
        count_outcomes(p, r);
        compare_binary(p, o->alpha, r);
    }
    ft_free(d);
    return rc;
}
