/* lexical.h: how varied the wording of a set of texts is. A text is given as the hashes of its
 * words; n-grams lie within a text, and the texts stand in a row where a measure runs over
 * many of them.
 *
 *   distinct-n        different n-grams / n-grams (Li et al., "A Diversity-Promoting Objective
 *                     Function for Neural Conversation Models", NAACL 2016). It falls with the
 *                     amount of text, so it is also given as the mean over windows of 10,000
 *                     words, which can be compared between sets; n-grams across the edge of a
 *                     window are left out.
 *   entropy of n      H_n = - sum p log2 p over the n-grams, p = their shares; bits (Shannon 1948).
 *   MATTR             mean over all windows of 500 words in a row of different words / 500
 *                     (Covington and McFall, "Cutting the Gordian Knot: The Moving-Average
 *                     Type-Token Ratio", Journal of Quantitative Linguistics 17, 2010); with
 *                     fewer than 500 words, different words / words of all.
 *   self-repetition   mean over the texts of ln(1 + sum over its different 4-grams of the other
 *                     texts that have it) (after Salkar et al., "Self-Repetition in Abstractive
 *                     Neural Summarizers", AACL 2022, which Shaib et al., arXiv:2403.00553,
 *                     recommend).
 *
 *     ft_lexical_new(&l, bytes, e);  ft_lexical_add(l, words, n, e) …  ft_lexical_sum(l, &s, e)
 *
 * All figures are exact (up to equal hashes, multiset.h). Memory: four multisets within
 * bytes_max, 12 bytes a text at the end, 800 KiB. It does not cut texts into words.
 */
#ifndef FT_LEXICAL_H
#define FT_LEXICAL_H

#include "base/err.h"

#include <stdint.h>

#define FT_LEXICAL_ORDERS 4
#define FT_LEXICAL_DISTINCT 3
#define FT_LEXICAL_WINDOW 10000
#define FT_MATTR_WINDOW 500

typedef struct ft_lexical ft_lexical;

typedef struct ft_lexical_summary {
    uint64_t texts, words;
    uint64_t total[FT_LEXICAL_ORDERS], distinct[FT_LEXICAL_ORDERS];    /* n-grams of order i + 1 */
    double entropy[FT_LEXICAL_ORDERS];
    uint64_t windows;                          /* of 10,000 words */
    double window_distinct[FT_LEXICAL_DISTINCT];   /* their mean; NAN without a window */
    double mattr;                              /* NAN without words */
    double self_repetition;                    /* NAN without texts */
    uint64_t repeating_texts;                  /* that share a 4-gram with another */
} ft_lexical_summary;

/* Owns: the caller, ft_lexical_free (accepts NULL, sets NULL). */
int ft_lexical_new(ft_lexical **l, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;
void ft_lexical_free(ft_lexical **l);

/* Adds a text of n words. Errors: FT_ERR_NOMEM; those of spools; FT_ERR_DATA over 2^32 - 2 texts.
 * */
int ft_lexical_add(ft_lexical *l, const uint64_t *words, size_t n, ft_err *e) FT_MUST_CHECK;

/* Once, after all texts. */
int ft_lexical_sum(ft_lexical *l, ft_lexical_summary *s, ft_err *e) FT_MUST_CHECK;

#endif
