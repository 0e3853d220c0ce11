/* multiset.h: how often each of many keys came, exactly, in bounded memory: what does not fit is
 * sorted and spilled to $TMPDIR, and merged at the end.
 *
 *     ft_multiset_new(&m, 64 << 20, e);
 *     ft_multiset_add(m, key, row, e);                 in any order of keys
 *     ft_multiset_begin(m, e);
 *     while ((rc = ft_multiset_next(m, &c, e)) == 0) … c.key, c.row, c.count, ascending
 *
 * Keys are numbers as they are: values, or 64-bit hashes of something, of which n different ones
 * hold a collision with probability n^2 / 2^65 (a hundred million: 3 in 10,000). What comes out
 * does not
 * depend on the bound. It does not look up single keys.
 */
#ifndef FT_MULTISET_H
#define FT_MULTISET_H

#include "base/err.h"

#include <stdint.h>

typedef struct ft_multiset ft_multiset;

typedef struct ft_counted {
    uint64_t key;
    uint32_t row;
    uint64_t count;
} ft_counted;

/* bytes_max: memory to take at most (at least 64 KiB is taken when it is needed). Owns: the
 * caller, ft_multiset_free (accepts NULL, sets NULL). */
int ft_multiset_new(ft_multiset **m, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;
void ft_multiset_free(ft_multiset **m);

/* Counts a key. row: whose it is, where that is to be told apart (must not fall from call to call),
 * else 0. Errors: FT_ERR_NOMEM, those of spools. */
int ft_multiset_add(ft_multiset *m, uint64_t key, uint32_t row, ft_err *e) FT_MUST_CHECK;

uint64_t ft_multiset_total(const ft_multiset *m);       /* keys added */

/* Begins a walk; may be called again for another one. Nothing can be added after the first. */
int ft_multiset_begin(ft_multiset *m, ft_err *e) FT_MUST_CHECK;

/* The next pair of key and row with its count. Returns: 0, FT_EOS at the end, or an error. */
int ft_multiset_next(ft_multiset *m, ft_counted *c, ft_err *e) FT_MUST_CHECK;

/* What a walk over keys (rows together) says. */
typedef struct ft_multiset_summary {
    uint64_t total, distinct, most;    /* keys added; different ones; count of the most frequent */
    uint64_t most_key;
    double entropy;                    /* - sum p log2 p over the keys, in bits; 0 without keys */
} ft_multiset_summary;
int ft_multiset_sum(ft_multiset *m, ft_multiset_summary *s, ft_err *e) FT_MUST_CHECK;

/* For keys that are values: values[i] = the smallest one that at least percent[i] percent of all
 * do not
 * exceed (the nearest rank). percent: ascending. 0 without keys. */
int ft_multiset_percentiles(ft_multiset *m, const double *percent, size_t n, uint64_t *values,
                            ft_err *e) FT_MUST_CHECK;

#endif
