/* bootstrap.h: how far a score would move with another sample: percentile intervals of the
 * bootstrap (Efron 1979) over sums. A score is a function of sums over examples; the units that are
 * drawn with replacement are examples, or groups of them that belong together (one document, one
 * author): examples of a group are no independent evidence, and drawing them one by one gives
 * intervals that are too narrow.
 *
 *     ft_units_new(&u, width, e);
 *     ft_units_add(u, sums, e);                     // an example by itself; or
 *     ft_units_add_to(u, group, group_bytes, sums, e);
 *     ft_bootstrap(u, 1000, seed, score, ctx, n_scores, pool, low_high, e);
 *
 * Memory is bounded: beyond FT_UNITS_MAX examples neighbours are added up in pairs, again and
 * again, and beyond as many groups new groups share the units of others, so that at least half
 * as many units are left. Units that hold several independent examples estimate the same
 * interval; with 2,000 of them its width is known to 1.6 %, less than what 1000 draws add.
 * Draws depend on seed, draw and unit only, not on threads.
 */
#ifndef FT_BOOTSTRAP_H
#define FT_BOOTSTRAP_H

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

#define FT_UNITS_MAX 4096

typedef struct ft_units ft_units;

/* width: sums of an example. Owns: the caller, ft_units_free (accepts NULL, sets NULL). */
int ft_units_new(ft_units **u, size_t width, ft_err *e) FT_MUST_CHECK;
void ft_units_free(ft_units **u);

/* Makes the sums of the units wider, never narrower. Examples do not bring the new ones, which
 * are 0 until the caller adds to those of an example's unit. */
int ft_units_widen(ft_units *u, size_t width, ft_err *e) FT_MUST_CHECK;

/* Adds an example's sums, as a unit of its own or to its group's. Groups are told apart by a digest
 * of 128 bits. A caller uses one of the two. *unit: where they went, until the next call; the
 * caller may add to its sums. */
int ft_units_add(ft_units *u, const double *sums, double **unit, ft_err *e) FT_MUST_CHECK;
int ft_units_add_to(ft_units *u, const void *group, size_t n, const double *sums, double **unit,
                    ft_err *e) FT_MUST_CHECK;

size_t ft_units_count(const ft_units *u);
const double *ft_units_sums(const ft_units *u, size_t i);

/* Scores of some sums (width of them) to scores[0 .. n_scores). Called on any thread. */
typedef void ft_score_fn(const void *ctx, const double *sums, double *scores);

/* 95 % intervals: interval[k][0] is the (draws/40)-th smallest of score k over all draws, [1]
 * the one as far from the end. draws >= 40. Errors: FT_ERR_NOMEM; FT_ERR_USAGE for fewer draws
 * or no unit. */
int ft_bootstrap(const ft_units *u, size_t draws, uint64_t seed, ft_score_fn *score,
                 const void *ctx, size_t n_scores, ft_pool *pool, double (*interval)[2],
                 ft_err *e) FT_MUST_CHECK;

#endif
