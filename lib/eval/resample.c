#include "eval/resample.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { A_TASK = 32 };                       /* resamples a task of the pool makes            */
enum { STEP_BOOTSTRAP = 1, STEP_SWAPS };    /* of the random numbers; part of the same bytes */

/* ---- clusters ---- */

void ft_clusters_free(ft_clusters *c)
{
    ft_free(c->sum);
    ft_free(c->weight);
    *c = (ft_clusters){0};
}

/* Gives each row the number of its cluster in the order of first rows. */
static int number_clusters(uint32_t *number, const uint32_t *cluster, size_t n, size_t *n_clusters,
                           ft_err *e)
{
    uint32_t most = 0, *known, next = 0;
    for (size_t i = 0; i < n; i++)
        most = cluster[i] > most ? cluster[i] : most;
    known = ft_new((size_t)most + 1, sizeof *known, e);
    if (!known)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!known[cluster[i]])
            known[cluster[i]] = ++next;
        number[i] = known[cluster[i]] - 1;
    }
    *n_clusters = next;
    ft_free(known);
    return 0;
}

int ft_clusters_of(ft_clusters *c, const double *x, const double *w, const uint32_t *cluster,
                   size_t n, ft_err *e)
{
    uint32_t *number = cluster ? ft_new(n, sizeof *number, e) : NULL;
    size_t clusters = n;
    int rc = cluster && !number ? FT_ERR_NOMEM : 0;
    *c = (ft_clusters){0};
    if (rc == 0 && cluster)
        rc = number_clusters(number, cluster, n, &clusters, e);
    if (rc == 0 && (!(c->sum = ft_new(clusters, sizeof *c->sum, e)) ||
                    !(c->weight = ft_new(clusters, sizeof *c->weight, e))))
        rc = FT_ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        size_t g = cluster ? number[i] : i;
        double weight = w ? w[i] : 1;
        c->sum[g] += weight * x[i];
        c->weight[g] += weight;
    }
    c->n = clusters;
    ft_free(number);
    if (rc < 0)
        ft_clusters_free(c);
    return rc;
}

/* ---- the paired bootstrap ---- */

typedef struct bootstrap_run {
    const ft_clusters *c;
    uint64_t seed;
    size_t resamples;
    double *drawn;             /* D* of each resample */
} bootstrap_run;

static void bootstrap_task(void *ctx, size_t task, unsigned worker)
{
    bootstrap_run *b = ctx;
    const ft_clusters *c = b->c;
    (void)worker;
    for (size_t r = task * A_TASK; r < b->resamples && r < (task + 1) * A_TASK; r++) {
        double sum = 0, weight = 0;
        for (size_t i = 0; i < c->n; i++) {
            size_t g = (size_t)ft_rng_below(b->seed, FT_RNG_DATA, STEP_BOOTSTRAP,
                                            (uint64_t)r * c->n + i, c->n);
            sum += c->sum[g];
            weight += c->weight[g];
        }
        b->drawn[r] = sum / weight;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double total(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

/* How far two values may be apart that differ by the order of sums only. */
static double slack_of(const ft_clusters *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->n; i++)
        sum += fabs(c->sum[i]);
    return 1e-12 * sum;
}

int ft_bootstrap_pairs(const ft_clusters *c, size_t resamples, double alpha, uint64_t seed,
                       ft_pool *pool, ft_resampled *out, ft_err *e)
{
    bootstrap_run b = {c, seed, resamples, NULL};
    double weight, difference, mean, slack;
    size_t beyond = 0, cut = (size_t)((double)resamples * alpha / 2);
    *out = (ft_resampled){resamples, NAN, NAN, NAN};
    if (c->n < 2)
        return 0;
    if (!(b.drawn = ft_new(resamples, sizeof *b.drawn, e)))
        return FT_ERR_NOMEM;
    ft_pool_run(pool, (resamples + A_TASK - 1) / A_TASK, bootstrap_task, &b);
    weight = total(c->weight, c->n);
    difference = fabs(total(c->sum, c->n)) / weight;
    slack = slack_of(c) / weight;
    mean = total(b.drawn, resamples) / (double)resamples;
    for (size_t r = 0; r < resamples; r++)
        beyond += fabs(b.drawn[r] - mean) >= difference - slack;
    out->p = (1 + (double)beyond) / ((double)resamples + 1);
    qsort(b.drawn, resamples, sizeof *b.drawn, by_value);
    out->low = b.drawn[cut];
    out->high = b.drawn[resamples - 1 - cut];
    ft_free(b.drawn);
    return 0;
}

/* ---- approximate randomisation ---- */

typedef struct swap_run {
    const double *sum;         /* those other than 0 */
    size_t n, swaps, words;    /* words: of 64 coins that a swap takes */
    uint64_t seed;
    double least;              /* |D'| from which on it counts, as a sum */
    int exact;
    size_t *beyond;            /* of each task */
} swap_run;

/* The sum with the clusters swapped whose bit is set. */
static double swapped(const double *sum, size_t n, uint64_t coins)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;         /* a coin is the sign: no branch to be guessed wrong */
        double x;
        memcpy(&bits, &sum[i], sizeof bits);
        bits ^= (coins >> i & 1) << 63;
        memcpy(&x, &bits, sizeof x);
        s += x;
    }
    return s;
}

static void swap_task(void *ctx, size_t task, unsigned worker)
{
    swap_run *s = ctx;
    (void)worker;
    for (size_t r = task * A_TASK; r < s->swaps && r < (task + 1) * A_TASK; r++) {
        double sum = 0;
        for (size_t k = 0; k < s->words; k++) {
            size_t left = s->n - 64 * k;
            uint64_t coins = s->exact ? r : ft_rng_u64(s->seed, FT_RNG_DATA, STEP_SWAPS,
                                                       (uint64_t)r * s->words + k);
            sum += swapped(s->sum + 64 * k, left < 64 ? left : 64, coins);
        }
        s->beyond[task] += fabs(sum) >= s->least;
    }
}

int ft_randomise(const ft_clusters *c, size_t swaps, uint64_t seed, ft_pool *pool,
                 ft_randomised *out, ft_err *e)
{
    swap_run s = {.seed = seed, .swaps = swaps};
    size_t tasks, beyond = 0;
    double *sum = ft_new(c->n, sizeof *sum, e);
    if (!sum)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < c->n; i++)
        if (c->sum[i] != 0)
            sum[s.n++] = c->sum[i];
    s.exact = s.n < 63 && (uint64_t)1 << s.n <= swaps;
    if (s.exact)
        s.swaps = (size_t)1 << s.n;
    s.words = (s.n + 63) / 64;
    s.sum = sum;
    s.least = fabs(total(sum, s.n)) - slack_of(c);
    tasks = (s.swaps + A_TASK - 1) / A_TASK;
    if (!(s.beyond = ft_new(tasks, sizeof *s.beyond, e))) {
        ft_free(sum);
        return FT_ERR_NOMEM;
    }
    ft_pool_run(pool, tasks, swap_task, &s);
    for (size_t i = 0; i < tasks; i++)
        beyond += s.beyond[i];
    *out = (ft_randomised){s.swaps, s.exact, 0};
    out->p = s.exact ? (double)beyond / (double)s.swaps
                     : (1 + (double)beyond) / ((double)s.swaps + 1);
    ft_free(sum);
    ft_free(s.beyond);
    return 0;
}
