/* near_clusters.h: which rows go, and which belong together.
 *
 * Rows are decided in their order. A row's candidates are the kept rows before it that share a band
 * with it; it goes when one of them has a Jaccard index of at least the threshold, the first of
 * them being the one that is kept for it. So the first row of what is alike always stays.
 *
 * Clusters are the connected components of the pairs that were found alike: a row with each
 * of its candidates, and with its nearest predecessor in each band, kept or not, so that a row
 * which goes can join two that stay. The first row of a cluster is its root.
 *
 * A row is compared with at most the `most` nearest kept rows of each of its bands, counted apart
 * in and before its block of 4096 rows; `cut` counts the rows for which there were more. Rows that
 * went are stepped over, so that a band of equal rows costs each of them one comparison.
 *
 *     ft_near_rule rule = {.threshold = 0.75, .most = 1000, .bands = 14};
 *     ft_near_clusters_decide(&c, &rule, links, sets, pool, decided, ctx, e);
 *
 * Comparisons of a block of rows with the rows before the block run on all threads; what is within
 * a block follows in order, so that the result does not depend on threads.
 */
#ifndef FT_NEAR_CLUSTERS_H
#define FT_NEAR_CLUSTERS_H

#include "base/err.h"
#include "base/pool.h"
#include "data/near_sets.h"

#include <stdint.h>

#define FT_NEAR_CLUSTER_BYTES 5             /* a row, besides links and sets */

typedef struct ft_near_rule {
    double threshold;                       /* in (0, 1] */
    size_t bands, most;
} ft_near_rule;

typedef struct ft_near_decision {
    uint32_t row, kept;                     /* kept == row: it stays */
    uint32_t common, all;                   /* shingles of both, of either; Jaccard index of both */
} ft_near_decision;

typedef struct ft_near_clusters ft_near_clusters;

typedef struct ft_near_counts {
    uint64_t compared, alike, cut;          /* pairs, pairs, rows */
} ft_near_counts;

/* Decides all rows of sets; calls decided for each in order. links (near_links.h, rows * bands) are
 * used up. Owns: the caller, ft_near_clusters_free (accepts NULL, sets NULL).
 * Errors: FT_ERR_IO, FT_ERR_NOMEM, and what decided returns. */
int ft_near_clusters_decide(ft_near_clusters **c, const ft_near_rule *rule, uint32_t *links,
                            ft_near_sets *sets, ft_pool *pool,
                            int (*decided)(void *ctx, const ft_near_decision *d, ft_err *e),
                            void *ctx, ft_err *e) FT_MUST_CHECK;
void ft_near_clusters_free(ft_near_clusters **c);

uint32_t ft_near_clusters_root(ft_near_clusters *c, uint32_t row);
const ft_near_counts *ft_near_clusters_counts(const ft_near_clusters *c);

#endif
