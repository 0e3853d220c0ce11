/* resample.h: tests by drawing again: the paired bootstrap and approximate randomisation, for the
 * difference of two systems on the same items. What is drawn is the cluster (a document, a user,
 * a conversation; a single row where there are none), for rows of a cluster tell the same story
 * twice.
 *
 * The statistic is a ratio of sums over clusters, D = sum_g S_g / sum_g W_g: with S_g the sum of
 * w * (b - a) over the rows of cluster g and W_g that of w. With all w = 1 it is the mean
 * difference; with w = targets and losses a row, the difference of the losses a target.
 *
 *     ft_clusters c = {G, S, W};
 *     ft_randomise(&c, 10000, seed, pool, &r, e);      // r.p
 *
 * Draws come from base/rng.h, so results depend on the seed and the order of the clusters, not on
 * the threads. Only the difference is resampled, which cannot serve metrics that are no mean over
 * rows (corpus BLEU): those need the sums behind them.
 */
#ifndef FT_RESAMPLE_H
#define FT_RESAMPLE_H

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_clusters {
    size_t n;
    double *sum, *weight;      /* S_g and W_g > 0 */
} ft_clusters;

/* Sums n rows by cluster: value x[i] with weight w[i] > 0 (NULL: 1) in cluster[i] < UINT32_MAX
 * (NULL: each row its own). Clusters are in the order of their first rows. Owns: the caller,
 * ft_clusters_free (accepts an all-zero one). Errors: FT_ERR_NOMEM. */
int ft_clusters_of(ft_clusters *c, const double *x, const double *w, const uint32_t *cluster,
                   size_t n, ft_err *e) FT_MUST_CHECK;
void ft_clusters_free(ft_clusters *c);

typedef struct ft_resampled {
    size_t resamples;
    double p, low, high;       /* NaN with fewer than two clusters */
} ft_resampled;

/* Draws n of the n clusters with replacement, B = resamples times (P. Koehn, "Statistical
 * significance tests for machine translation evaluation", EMNLP 2004). The interval is that of
 * the sorted D* from place floor(B alpha / 2) to as many before the end. The p value takes D*
 * about its own mean as the distribution under no difference: (1 + #{|D* - mean| >= |D|}) / (B +
 * 1). Errors: FT_ERR_NOMEM. */
int ft_bootstrap_pairs(const ft_clusters *c, size_t resamples, double alpha, uint64_t seed,
                       ft_pool *pool, ft_resampled *out, ft_err *e) FT_MUST_CHECK;

typedef struct ft_randomised {
    size_t swaps;              /* assignments that were tried */
    int exact;                 /* all of them */
    double p;
} ft_randomised;

/* Swaps the two systems in each cluster with probability 1/2, `swaps` times (E. W. Noreen,
 * "Computer-intensive methods for testing hypotheses", 1989): p = (1 + #{|D'| >= |D|}) / (R + 1).
 * Equal ones count, as they must where values are few (0 and 1): with > alone, five gains and no
 * loss would have p = 1/(R+1) instead of 2/32. Clusters with S_g = 0 change nothing; when the
 * others have no more than `swaps` assignments, all are tried and p is exact: the share of |D'|
 * >= |D|. Errors: FT_ERR_NOMEM. */
int ft_randomise(const ft_clusters *c, size_t swaps, uint64_t seed, ft_pool *pool,
                 ft_randomised *out, ft_err *e) FT_MUST_CHECK;

#endif
