/* mix_store.h: records kept in $TMPDIR and given out again as often as wanted, in their order or
 * in a new random order each time, in memory that does not grow with them.
 *
 *     ft_mix_store_new(&s, memory, e);   ft_mix_store_add(s, record, e);   …
 *     ft_mix_store_shuffle(s, seed, pass, e);            // or ft_mix_store_begin(s, e)
 *     while ((rc = ft_mix_store_next(s, &record, &row, e)) == 0) …          // FT_EOS
 *
 * The random order is that of one 64-bit number for each row, a function of (seed, pass, row):
 * every order is equally likely (but for equal numbers, of which there are n^2 / 2^65), and
 * neither threads nor memory have a say in it. The rows are dealt by the first bits of their
 * numbers into as many buckets as it takes for one of them to fit into memory, and each bucket is
 * sorted in its turn: two sequential passes over the data, whatever its size.
 */
#ifndef FT_MIX_STORE_H
#define FT_MIX_STORE_H

#include "base/err.h"
#include "base/mp.h"

#include <stdint.h>

typedef struct ft_mix_store ft_mix_store;

/* memory: bytes that a random order may take, 64 KiB at least; a record that is longer than that
 * is held all the same. Owns: the caller, ft_mix_store_free. Errors: FT_ERR_CREATE, FT_ERR_NOMEM.
 * */
int ft_mix_store_new(ft_mix_store **s, uint64_t memory, ft_err *e) FT_MUST_CHECK;

/* Appends a record; only before the first begin or shuffle. Errors: FT_ERR_IO, FT_ERR_NOMEM. */
int ft_mix_store_add(ft_mix_store *s, ft_mp record, ft_err *e) FT_MUST_CHECK;

uint64_t ft_mix_store_rows(const ft_mix_store *s);

/* Starts over, in the order of the rows. */
int ft_mix_store_begin(ft_mix_store *s, ft_err *e) FT_MUST_CHECK;

/* Starts over, in the random order of (seed, pass). Errors: FT_ERR_NOMEM, with the bytes that it
 * would take, when 4096 buckets are not enough; FT_ERR_IO; FT_ERR_CREATE. */
int ft_mix_store_shuffle(ft_mix_store *s, uint64_t seed, uint32_t pass, ft_err *e) FT_MUST_CHECK;

/* Gives the next record, valid until the next call, and its number from 0. Returns: 0, FT_EOS, or
 * FT_ERR_IO, FT_ERR_NOMEM. */
int ft_mix_store_next(ft_mix_store *s, ft_mp *record, uint64_t *row, ft_err *e) FT_MUST_CHECK;

void ft_mix_store_free(ft_mix_store **s);          /* accepts NULL, sets NULL */

#endif
