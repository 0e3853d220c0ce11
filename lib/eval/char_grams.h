/* char_grams.h: matches of character n-grams of orders 1..6 of two texts, all orders at once,
 * several times faster than by exact_grams.h and as exact: the places of both texts are sorted by
 * the six characters that begin there; then equal n-grams stand together, for every order.
 *
 *     if (ft_char_grams_match(g, hyp, n_hyp, ref, n_ref, match, &done, e) < 0) …
 *     if (!done) … the texts have too many different characters: exact_grams.h takes any
 *
 * Time: linear. Memory: 16 bytes a character. Threads: one object each.
 */
#ifndef FT_CHAR_GRAMS_H
#define FT_CHAR_GRAMS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_CHAR_GRAM_ORDER 6
#define FT_CHAR_GRAM_ALPHABET 1023     /* different characters in both texts */

typedef struct ft_char_grams ft_char_grams;

/* Owns: the caller, ft_char_grams_free (accepts NULL, sets NULL). */
int ft_char_grams_new(ft_char_grams **g, ft_err *e) FT_MUST_CHECK;
void ft_char_grams_free(ft_char_grams **g);

/* match[k-1]: the sum over different k-grams of the lesser of the counts in a and b. *done = 0,
 * and no matches, when there are more than FT_CHAR_GRAM_ALPHABET different characters. */
int ft_char_grams_match(ft_char_grams *g, const uint32_t *a, size_t n_a, const uint32_t *b,
                        size_t n_b, double match[FT_CHAR_GRAM_ORDER], int *done,
                        ft_err *e) FT_MUST_CHECK;

#endif
