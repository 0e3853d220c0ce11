/* chrf.h: chrF (Popović 2015) and chrF++ (2017) as sacrebleu 2.6.0 computes them: character
 * n-grams of the text without its white space, for chrF++ word n-grams besides, precision and
 * recall averaged over the orders that both sides have. Sums of segments add up to those of a
 * corpus.
 *
 *     ft_chrf_settings how = FT_CHRF_DEFAULTS;                 // chrF2; .words = 2: chrF2++
 *     ft_chrf_new(&c, &how, e);
 *     ft_chrf_segment(c, hypothesis, references, n, sums, e);  // ft_chrf_sums(&how) doubles
 *     score = ft_chrf_score(&how, total);                      // 0..100
 *
 * With `epsilon` an order that a side lacks counts as 1e-16, and F is averaged instead of precision
 * and recall, as chrF++.py does. Threads: one ft_chrf each.
 */
#ifndef FT_CHRF_H
#define FT_CHRF_H

#include "base/buf.h"
#include "base/err.h"

#define FT_CHRF_CHARS_MAX 16
#define FT_CHRF_WORDS_MAX 16
/* Three sums for each order, characters first: n-grams of the hypothesis (0 when the reference has
 * none of this order), of the reference, matches. */
#define FT_CHRF_SUMS_MAX (3 * (FT_CHRF_CHARS_MAX + FT_CHRF_WORDS_MAX))

typedef struct ft_chrf_settings {
    unsigned chars, words;     /* orders: 1..16 and 0..16                     */
    unsigned beta;             /* recall counts beta times as much            */
    int lowercase, white_space;    /* white_space: count it as characters      */
    int epsilon;
} ft_chrf_settings;
#define FT_CHRF_DEFAULTS {.chars = 6, .words = 0, .beta = 2}

typedef struct ft_chrf ft_chrf;

/* how is copied. Owns: the caller, ft_chrf_free (accepts NULL, sets NULL). */
int ft_chrf_new(ft_chrf **c, const ft_chrf_settings *how, ft_err *e) FT_MUST_CHECK;
void ft_chrf_free(ft_chrf **c);
size_t ft_chrf_sums(const ft_chrf_settings *how);

/* The sums of one segment; n_refs > 0: those of the reference with the best score, the first of
 * equals. also: NULL, or receives the sums of the characters alone (chrF beside chrF++). */
int ft_chrf_segment(ft_chrf *c, ft_slice hyp, const ft_slice *refs, size_t n_refs, double *sums,
                    double *also, ft_err *e) FT_MUST_CHECK;

/* Returns: 0..100. */
double ft_chrf_score(const ft_chrf_settings *how, const double *sums);

#endif
