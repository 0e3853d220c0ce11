/* first_of.h: which of many digests come for the first time, when they are too many to be held in
 * memory. They are written to a spool while they come; then the spool is divided by their bits
 * until what is left of it fits, and each part is gone through in its order.
 *
 *     ft_first_of_add(f, &digest, e)             for each, numbered 0, 1, 2, … as they come
 *     ft_first_of_resolve(f, bytes_max, e)
 *     if (ft_first_of_is(f, number)) …
 *
 * Memory: one bit a digest besides bytes_max; on disk 24 bytes a digest, twice while resolving.
 */
#ifndef FT_FIRST_OF_H
#define FT_FIRST_OF_H

#include "base/err.h"
#include "base/hash.h"

#include <stdint.h>

typedef struct ft_first_of ft_first_of;

/* Owns: the caller, ft_first_of_free (accepts NULL, sets NULL). */
int ft_first_of_new(ft_first_of **f, ft_err *e) FT_MUST_CHECK;
int ft_first_of_add(ft_first_of *f, const ft_digest *d, ft_err *e) FT_MUST_CHECK;

/* bytes_max: for the set of digests of one part, at least 64 KiB. Errors: FT_ERR_NOMEM,
 * FT_ERR_IO. */
int ft_first_of_resolve(ft_first_of *f, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

/* After resolving: whether the digest of that number was the first one of its value. */
int ft_first_of_is(const ft_first_of *f, uint64_t number);

void ft_first_of_free(ft_first_of **f);

#endif
