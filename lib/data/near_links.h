/* near_links.h: which rows share a band key, as links: for each row and band the number of the
 * nearest row before that has the same key, plus one; 0 when there is none.
 *
 * Keys are spooled column by column while rows arrive; then one column at a time is read back and
 * cut by bits of the keys into parts that fit the processor's cache, where a small table finds the
 * last row of each key. So time is linear in rows, however many share a key, and besides the links
 * only FT_NEAR_ENTRY_BYTES for each key that is worked on at a time are in memory.
 *
 *     ft_near_columns_new(&c, 14, e);   for each row: ft_near_columns_add(c, keys, e);
 *     ft_near_columns_link(c, pool, 1 << 20, &links, e);     // links[row * 14 + band]
 */
#ifndef FT_NEAR_LINKS_H
#define FT_NEAR_LINKS_H

#include "base/err.h"
#include "base/pool.h"

#include <stdint.h>

#define FT_NEAR_ENTRY_BYTES 12

typedef struct ft_near_columns ft_near_columns;

/* Owns: the caller, ft_near_columns_free (accepts NULL, sets NULL). Errors: FT_ERR_CREATE. */
int ft_near_columns_new(ft_near_columns **c, size_t bands, ft_err *e) FT_MUST_CHECK;
void ft_near_columns_free(ft_near_columns **c);

/* Appends a row: a key for each band, or 0 for a row that has none. Errors: FT_ERR_IO. */
int ft_near_columns_add(ft_near_columns *c, const uint64_t *keys, ft_err *e) FT_MUST_CHECK;

/* Makes the links of all rows, at most `entries` (at least 1) keys at a time, and gives the spools
 * back. links: rows * bands numbers. Owns: the caller, ft_free. The result depends neither on the
 * pool nor on entries. */
int ft_near_columns_link(ft_near_columns *c, ft_pool *pool, size_t entries, uint32_t **links,
                         ft_err *e) FT_MUST_CHECK;

#endif
