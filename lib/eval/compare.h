/* compare.h: two systems that were scored on the same items: how large the difference is, how sure
 * it is, and how small a difference these items could have shown.
 *
 * Everything is about pairs (a[i], b[i]), so what makes an item hard for both cancels, and about
 * clusters of items, which are taken as the independent units. With d = b - a and weights w
 * (NULL: 1) the difference is D = sum w d / sum w. Its variance, linearised around D as that of a
 * ratio:
 *
 *     V = G / (G - 1) * sum_g (sum_{i in g} w_i (d_i - D))^2 / (sum w)^2
 *
 * the clustered variance of a mean (E. Miller, "Adding error bars to evals", arXiv:2411.00640,
 * which has it without the factor G / (G - 1) of few clusters). Where each row is a cluster and
 * all w = 1 it is the usual s^2 / n. Intervals and the t test take Student's t with G - 1 degrees
 * of freedom.
 *
 *     ft_pairs pairs = {n, a, b, NULL, cluster, 0};
 *     ft_compare(&pairs, &ft_compare_usual, pool, &c, e);
 *     c.difference.mean, c.difference.low, c.difference.high, c.swaps.p
 *
 * It reads no files and knows no metric by name.
 */
#ifndef FT_COMPARE_H
#define FT_COMPARE_H

#include "eval/resample.h"

typedef struct ft_pairs {
    size_t n;
    const double *a, *b;       /* finite scores of n items: the baseline's and the other's */
    const double *weight;      /* > 0 and finite; NULL: 1                                  */
    const uint32_t *cluster;   /* of each item, below UINT32_MAX; NULL: each its own       */
    int lower_is_better;
} ft_pairs;

typedef struct ft_compare_options {
    double alpha, power;       /* intervals of confidence 1 - alpha; power of `detectable` */
    size_t resamples, swaps;   /* of bootstrap and randomisation, > 0 */
    uint64_t seed;
} ft_compare_options;

extern const ft_compare_options ft_compare_usual;    /* 0.05, 0.8, 1000, 10000, seed 0 */

typedef struct ft_estimate {   /* of a weighted mean */
    size_t n, clusters;
    double mean;
    double se;                 /* clustered, the root of V; NaN with one cluster */
    double se_rows;            /* the same with each row a cluster */
    double low, high;
} ft_estimate;

typedef struct ft_comparison {
    ft_estimate a, b, difference;       /* of b - a */
    double t_p;                         /* of the t test; NaN with one cluster */
    double effect_size;                 /* mean of d / its standard deviation, unweighted */
    double detectable;                  /* smallest |D| that is found with `power`; NaN: unknown */
    ft_resampled bootstrap;
    ft_randomised swaps;
    size_t wins, ties, losses;          /* items where b is better, equal, worse */
    int binary;                         /* all scores are 0 or 1; then also: */
    double mcnemar_p;                   /* of wins against losses */
    double a_low, a_high, b_low, b_high;    /* Wilson's intervals */
} ft_comparison;

/* Sums up n > 0 values in clusters c (which ft_clusters_of made of them), with their interval. */
ft_estimate ft_estimate_mean(const ft_clusters *c, const double *x, const double *w, size_t n,
                             double alpha);

/* The smallest difference that a two-sided test at alpha finds with probability `power`, when the
 * standard error is se: (t_{1 - alpha/2} + t_{power}) * se with df degrees of freedom. NaN when se
 * is 0 or NaN. */
double ft_detectable(double se, double df, double alpha, double power);

/* p values of n tests such that the chance of any false alarm among them stays below alpha (S.
 * Holm, Scandinavian Journal of Statistics 6, 1979): the k-th smallest of n times n - k + 1,
 * never less than a smaller one's, at most 1. */
void ft_holm(const double *p, size_t n, double *adjusted);

/* Compares; p->n > 0. Same result for any pool. Errors: FT_ERR_NOMEM. */
int ft_compare(const ft_pairs *p, const ft_compare_options *o, ft_pool *pool, ft_comparison *out,
               ft_err *e) FT_MUST_CHECK;

#endif
