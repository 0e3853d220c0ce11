/* held.h: records that must wait for a decision that later ones take part in: they go to a spool in
 * their order and come back in it.
 *
 *     ft_held_add(h, record, e)    …    ft_held_rewind(h, e)
 *     while ((rc = ft_held_next(h, &record, e)) == 1) …
 *
 * Memory: two buffers of 64 KiB or of the longest record. On disk: the records as they are.
 */
#ifndef FT_HELD_H
#define FT_HELD_H

#include "base/err.h"
#include "base/mp.h"

#include <stdint.h>

typedef struct ft_held ft_held;

/* Owns: the caller, ft_held_free (accepts NULL, sets NULL). */
int ft_held_new(ft_held **h, ft_err *e) FT_MUST_CHECK;
int ft_held_add(ft_held *h, ft_mp record, ft_err *e) FT_MUST_CHECK;
uint64_t ft_held_count(const ft_held *h);

/* Ends adding; the next record is the first one again. */
int ft_held_rewind(ft_held *h, ft_err *e) FT_MUST_CHECK;

/* Gives the next record, valid until the next call. Returns: 1, 0 behind the last, or an error. */
int ft_held_next(ft_held *h, ft_mp *record, ft_err *e) FT_MUST_CHECK;

/* Where the record given last begins among all that is held, and n bytes from such a place on,
 * which lie in records. Does not move what ft_held_next gives. */
uint64_t ft_held_place(const ft_held *h);
int ft_held_read(ft_held *h, uint64_t place, void *p, size_t n, ft_err *e) FT_MUST_CHECK;

void ft_held_free(ft_held **h);

#endif
