/* tally.h: which of many named things come most often, with their names, in bounded memory.
 *
 * Counts are exact until there are more than FT_TALLY_NAMES different names; from then on it is
 * lossy counting (Manku and Motwani, VLDB 2002): rare names are forgotten every FT_TALLY_NAMES
 * adds, so that a count may be too small by adds / FT_TALLY_NAMES at most, and no name with more
 * than that is missing. The number of different names and their entropy need multiset.h then.
 *
 *     ft_tally_add(t, name, e);  n = ft_tally_top(t, top, 10);  … top[i].name, top[i].count
 *
 * Names are cut to FT_TALLY_NAME_BYTES; what counts is the whole. Memory: about 60 bytes and the
 * name
 * for each, of up to a few times FT_TALLY_NAMES names.
 */
#ifndef FT_TALLY_H
#define FT_TALLY_H

#include "base/buf.h"

#define FT_TALLY_NAMES 65536
#define FT_TALLY_NAME_BYTES 200

typedef struct ft_tally ft_tally;

typedef struct ft_tallied {
    ft_slice name;               /* the tally's, until the next add */
    uint64_t count;
} ft_tallied;

/* Owns: the caller, ft_tally_free (accepts NULL, sets NULL). */
int ft_tally_new(ft_tally **t, ft_err *e) FT_MUST_CHECK;
void ft_tally_free(ft_tally **t);

int ft_tally_add(ft_tally *t, ft_slice name, ft_err *e) FT_MUST_CHECK;

/* The most frequent names, at most max, most first, ties by the bytes of the name. Returns: how
 * many. */
size_t ft_tally_top(ft_tally *t, ft_tallied *top, size_t max);

size_t ft_tally_names(const ft_tally *t);         /* held now: all different ones when exact */
uint64_t ft_tally_error(const ft_tally *t);       /* how much a count may be too small; 0: exact */

/* Calls fn with each name and count, in no order. */
void ft_tally_each(const ft_tally *t, void (*fn)(void *ctx, ft_slice name, uint64_t count),
                   void *ctx);

#endif
