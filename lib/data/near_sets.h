/* near_sets.h: the shingle sets of all rows, in a spool, to be read back by any thread. Memory: 8
 * bytes a row, 8 MiB for the rows that are held, and what readers take. */
#ifndef FT_NEAR_SETS_H
#define FT_NEAR_SETS_H

#include "base/err.h"
#include "text/shingles.h"

#include <stdint.h>

typedef struct ft_near_sets ft_near_sets;

/* Owns: the caller, ft_near_sets_free (accepts NULL, sets NULL). Errors: FT_ERR_CREATE. */
int ft_near_sets_new(ft_near_sets **s, ft_err *e) FT_MUST_CHECK;
void ft_near_sets_free(ft_near_sets **s);

/* Appends a row's set of n hashes. Errors: FT_ERR_IO, FT_ERR_NOMEM. */
int ft_near_sets_add(ft_near_sets *s, const uint64_t *h, size_t n, ft_err *e) FT_MUST_CHECK;

/* To be called between the last add and the first read. */
int ft_near_sets_done(ft_near_sets *s, ft_err *e) FT_MUST_CHECK;

size_t ft_near_sets_rows(const ft_near_sets *s);
size_t ft_near_sets_size(const ft_near_sets *s, size_t row);      /* hashes of a row */

/* Keeps the sets of rows [from, to) in memory, where the next reads find them, instead of those
 * held before; of rows that are too large for that none. Threads: none may be reading. */
int ft_near_sets_hold(ft_near_sets *s, size_t from, size_t to, ft_err *e) FT_MUST_CHECK;

/* Reads a row's set into `into`, without its index. Threads: any, each with its own `into`. */
int ft_near_sets_read(ft_near_sets *s, size_t row, ft_shingles *into, ft_err *e) FT_MUST_CHECK;

#endif
