/* lcs.h: the longest common subsequence of two sequences of symbols, 64 cells of the classic table
 * at a time (Hyyrö, Bit-parallel LCS-length computation revisited, AWOCA 2004): a row of the table
 * is a row of bits, set where the length does not grow. Kept rows allow to walk back through the
 * table, which is how ROUGE-Lsum finds which words are matched.
 *
 *     n = ft_lcs_length(l, a, n_a, b, n_b, &n, e);
 *     ft_lcs_mark(l, a, n_a, b, n_b, marked, e);         // marked[i] = 1: a[i] is in the LCS
 *
 * Time: n_b * (n_a / 64 + 1). Memory of ft_lcs_mark: that in words of 8 bytes, at most 1 GiB.
 */
#ifndef FT_LCS_H
#define FT_LCS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_lcs ft_lcs;

int ft_lcs_new(ft_lcs **l, ft_err *e) FT_MUST_CHECK;
void ft_lcs_free(ft_lcs **l);

/* Symbols lie in [0, symbols). */
int ft_lcs_length(ft_lcs *l, const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b,
                  size_t symbols, size_t *length, ft_err *e) FT_MUST_CHECK;

/* Sets marked[i] for those a[i] that one LCS has, and leaves the others as they are. Of several the
 * one that is found from the ends by stepping back in b where that costs nothing and stepping back
 * in a does, and in a otherwise. Errors: FT_ERR_NOMEM, also when the table would be over 1 GiB. */
int ft_lcs_mark(ft_lcs *l, const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b,
                size_t symbols, uint8_t *marked, ft_err *e) FT_MUST_CHECK;

#endif
