/* vectors.h: which of many vectors point the way of a question most nearly: the nearest by cosine,
 * exactly, over as many vectors as the disk holds. The vectors lie in a spool; a search reads them
 * block by block for all questions of a call at once, so ask many at a time.
 *
 *     ft_vectors_new(&v, d, e);
 *     ft_vectors_add(v, x, n, e);                       // rows are scaled to length 1 in place
 *     ft_vectors_end(v, e);
 *     ft_vectors_nearest(v, q, m, 4, pool, best, found, e);
 *
 * Only cosines above 0 count, so a vector of zeros is near nothing. There is no index: time is
 * questions times vectors. The cosine of two vectors depends on nothing but them; the last bits
 * of it depend on the family of kernels.
 *
 * Memory: blocks of 4 MiB, 4 bytes a vector of a block for each thread, 8 k bytes a question of a
 * call. On disk: 4 d bytes a vector.
 */
#ifndef FT_VECTORS_H
#define FT_VECTORS_H

#include "base/err.h"
#include "base/pool.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_vectors ft_vectors;

/* d: dimensions, 1 to 2^20. Owns: the caller, ft_vectors_free (accepts NULL, sets NULL). */
int ft_vectors_new(ft_vectors **v, size_t d, ft_err *e) FT_MUST_CHECK;
void ft_vectors_free(ft_vectors **v);

/* Adds n rows [n x d], numbered in order. */
int ft_vectors_add(ft_vectors *v, float *x, size_t n, ft_err *e) FT_MUST_CHECK;
int ft_vectors_end(ft_vectors *v, ft_err *e) FT_MUST_CHECK;    /* once, before the first search */
size_t ft_vectors_count(const ft_vectors *v);

/* For each of m questions q [m x d], scaled to length 1 in place, the at most k nearest vectors:
 * best[i * k ...], the nearest first, of equal ones the first; found[i]: how many.
 * Errors: FT_ERR_NOMEM, FT_ERR_IO. */
int ft_vectors_nearest(ft_vectors *v, float *q, size_t m, size_t k, ft_pool *pool, uint32_t *best,
                       uint32_t *found, ft_err *e) FT_MUST_CHECK;

#endif
