/* spread.h: how points spread: cells of k-means, the Vendi score, and which points of another set
 * have a neighbour here. Points are rows of floats, scaled to length 1 by the caller
 * (ft_points_normalise); how they come about (a model's hidden states, hashed n-grams) is not this
 * module's business.
 *
 *     ft_points_normalise(x, n, d);
 *     ft_kmeans(x, n, d, &(ft_kmeans_options){.k = ft_cells_for(n), .seed = 1}, pool, cell, &r, e);
 *     ft_vendi(x, n, d, pool, &score, e);
 *
 * The results do not depend on the number of threads; they do, in the last bits, on the family of
 * kernels.
 */
#ifndef FT_SPREAD_H
#define FT_SPREAD_H

#include "base/err.h"
#include "base/pool.h"

#include <stdint.h>

/* Scales rows of x [n x d] to length 1; rows of zeros stay. */
void ft_points_normalise(float *x, size_t n, size_t d);

/* ---- cells ---- */

/* How evenly a total is spread over k counts. */
typedef struct ft_evenness {
    double filled;               /* share of the counts that are not 0                        */
    double gini;                 /* (sum_i (2i - k - 1) c_i) / (k sum c), c ascending, i from 1 */
    double entropy;              /* - sum p ln p / ln k; 1 for k < 2                            */
} ft_evenness;

/* Sorts counts (k of them). All 0: filled 0, gini 0, entropy 0. */
void ft_evenness_of(uint64_t *counts, size_t k, ft_evenness *s);

size_t ft_cells_for(size_t n);   /* ceil(sqrt(n)) */

typedef struct ft_kmeans_options {
    size_t k;                    /* 1..n */
    unsigned iterations;         /* at most; 0: 50 */
    uint64_t seed;
} ft_kmeans_options;

/* Lloyd's k-means from k-means++ seeds (Arthur and Vassilvitskii, SODA 2007; draws are
 * ft_rng_u64(seed, FT_RNG_DATA, 0x6b6d, i)). cell: n cells of the points, ties to the lowest. Ends
 * when no point changes
 * its cell. *inertia: mean squared distance to the centre. Errors: FT_ERR_NOMEM. Memory: 4 d k
 * bytes and 12 a point. */
int ft_kmeans(const float *x, size_t n, size_t d, const ft_kmeans_options *o, ft_pool *pool,
              uint32_t *cell, double *inertia, ft_err *e) FT_MUST_CHECK;

/* ---- Vendi score ---- */

/* The eigenvalues of a symmetric matrix a [n x n] (only its lower half is looked at; destroyed) to
 * values [n], ascending: Householder's reduction to three diagonals, then bisection by Sturm
 * sequences (Golub and Van Loan, Matrix Computations, 8.3-8.4). Errors: FT_ERR_NOMEM. */
int ft_eigenvalues(double *a, size_t n, ft_pool *pool, double *values, ft_err *e) FT_MUST_CHECK;

/* exp(- sum l ln l) over the eigenvalues l of X X' / n, scaled to sum 1 (Friedman and Dieng, "The
 * Vendi Score", TMLR 2023): how many different points n points amount to; 1..min(n, d). Taken
 * from the smaller of X X' and X' X, whose values other than 0 are the same. *score: 0 without
 * points. Memory: 8 min(n, d)^2 bytes and a copy of x. Errors: FT_ERR_NOMEM. */
int ft_vendi(const float *x, size_t n, size_t d, ft_pool *pool, double *score,
             ft_err *e) FT_MUST_CHECK;

/* ---- coverage ---- */

typedef struct ft_nearest {
    double distance;             /* 1 - cosine; INFINITY when there is none */
    size_t at;                   /* the first of the nearest                */
} ft_nearest;

/* For each of m points y, the nearest of n points x; with y == x, the nearest other one. */
void ft_nearest_points(const float *y, size_t m, const float *x, size_t n, size_t d,
                       ft_pool *pool, ft_nearest *out);

/* The median (nearest rank: the lower of two) of the distances of n points. Errors:
 * FT_ERR_NOMEM. */
int ft_median_distance(const ft_nearest *v, size_t n, double *median, ft_err *e) FT_MUST_CHECK;

#endif
