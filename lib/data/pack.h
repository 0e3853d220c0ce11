/* pack.h: which examples share a row, and how a long one is cut into windows. Knows lengths only.
 *
 *     ft_packer *p = NULL;
 *     if (ft_packer_new(&p, 512, 65536, e) < 0) return e->code;
 *     ft_packing r = ft_pack_best_fit(p, lengths, n);
 *     for (size_t row = 0; row < r.n_rows; row++)
 *         for (size_t i = r.row_start[row]; i < r.row_start[row + 1]; i++) … r.items[i] …
 *
 * Best-fit decreasing (D. S. Johnson et al., "Worst-case performance bounds for simple
 * one-dimensional packing algorithms", SIAM J. Comput. 3, 1974): never over 11/9 of the fewest
 * rows + 4, and near the fewest for the lengths of real data.
 */
#ifndef FT_PACK_H
#define FT_PACK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_packer ft_packer;

typedef struct ft_packing {     /* the packer's memory, valid until its next use */
    size_t n_rows;
    const uint32_t *items;      /* numbers of the items, row by row               */
    const uint32_t *row_start;  /* n_rows + 1 places in items                     */
} ft_packing;

/* capacity: of a row; items_max: in one packing; both 1 .. 2^32-2. Memory: 9 bytes for each unit
 * of capacity, 24 for each item. Owns: the caller, ft_packer_free. Errors: FT_ERR_NOMEM. */
int ft_packer_new(ft_packer **p, uint32_t capacity, uint32_t items_max, ft_err *e) FT_MUST_CHECK;

/* Takes the items from the longest to the shortest, equal ones in their order; each goes to the
 * row with the least room that is enough, of several to the one that came to this room last, and
 * to a new row when there is none. Rows stand in the order in which they were begun, items in the
 * order in which they were put there. lengths: n <= items_max numbers in 1..capacity. */
ft_packing ft_pack_best_fit(ft_packer *p, const uint32_t *lengths, size_t n);

void ft_packer_free(ft_packer **p);     /* accepts NULL, sets NULL */

/* Windows of at most `length` tokens, of which the first `context` (< length) are there to be seen
 * and not to be predicted. With overlap a window begins where the next target needs it to, so that
 * the targets of all windows follow each other without a gap; without, where the last one ended.
 *
 *     overlap, length 4, context 1      no overlap, length 4, context 2
 *     c t t t                           c c t t
 *           c t t t                             c c t t
 */
typedef struct ft_window_rule {
    size_t length, context;
    int overlap;
} ft_window_rule;

typedef struct ft_window {
    size_t from, to;            /* tokens [from, to) of the example */
} ft_window;

/* Window i of an example of n tokens. Returns: 1, or 0 when it has no window i. */
int ft_window_at(const ft_window_rule *r, size_t n, size_t i, ft_window *w);

#endif
