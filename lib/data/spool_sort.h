/* spool_sort.h: sorts more entries than memory holds. An entry is one to four 64-bit numbers; the
 * first is what it is sorted by, rising, and equal ones come out in the order they went in, so that
 * what was added in the order of a second number needs no second key.
 *
 *     ft_spool_sort_new(&s, 2, 64 << 20, e);
 *     ft_spool_sort_add(s, (uint64_t[]){hash, place}, e)          as often as wanted
 *     ft_spool_sort_start(s, e)
 *     while ((rc = ft_spool_sort_next(s, &entry, e)) == 1) … entry[0], entry[1] …
 *
 * What does not fit goes to a spool in sorted runs, which are merged: in one go up to one run for
 * each 4 KiB of the bound, else in several.
 *
 * Memory: the bound and 64 KiB. On disk: the entries as they are, twice while runs are merged in
 * several goes.
 */
#ifndef FT_SPOOL_SORT_H
#define FT_SPOOL_SORT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_SPOOL_SORT_WORDS_MAX 4

typedef struct ft_spool_sort ft_spool_sort;

/* words: of an entry, 1..FT_SPOOL_SORT_WORDS_MAX; bytes_max: at least 16 KiB.
 * Owns: the caller, ft_spool_sort_free (accepts NULL, sets NULL). */
int ft_spool_sort_new(ft_spool_sort **s, size_t words, size_t bytes_max, ft_err *e) FT_MUST_CHECK;

/* Errors: FT_ERR_NOMEM, FT_ERR_CREATE and FT_ERR_IO of the spool. */
int ft_spool_sort_add(ft_spool_sort *s, const uint64_t *entry, ft_err *e) FT_MUST_CHECK;

uint64_t ft_spool_sort_count(const ft_spool_sort *s);    /* entries added */

/* Ends adding. */
int ft_spool_sort_start(ft_spool_sort *s, ft_err *e) FT_MUST_CHECK;

/* Gives the next entry, valid until the next call. Returns: 1, 0 behind the last, or an error. */
int ft_spool_sort_next(ft_spool_sort *s, const uint64_t **entry, ft_err *e) FT_MUST_CHECK;

void ft_spool_sort_free(ft_spool_sort **s);

#endif
