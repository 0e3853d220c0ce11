/* bleu.h: BLEU (Papineni et al. 2002) as sacrebleu 2.6.0 computes it, digit for digit. A segment
 * gives ten sums; the sums of a corpus are the sums of its segments', so they can be added in any
 * grouping and drawn again by the bootstrap.
 *
 *     ft_bleu_settings how = {.tok = FT_BLEU_13A, .smooth = FT_BLEU_EXP};
 *     ft_bleu_new(&b, &how, e);
 *     ft_bleu_segment(b, hypothesis, references, n, sums, e);        // for each segment
 *     score = ft_bleu_score(&how, total, 0);                         // 0..100
 *
 * It has no tokenizers that need dictionaries (Chinese, Japanese, Korean, SentencePiece).
 * Threads: one ft_bleu each.
 */
#ifndef FT_BLEU_H
#define FT_BLEU_H

#include "base/buf.h"
#include "base/err.h"

#define FT_BLEU_ORDER 4
/* Sums: tokens of the hypothesis, of the closest reference, matches of orders 1..4, n-grams of the
 * hypothesis of orders 1..4. All are whole numbers, exact up to 2^53. */
#define FT_BLEU_SUMS (2 + 2 * FT_BLEU_ORDER)

enum ft_bleu_tok { FT_BLEU_13A, FT_BLEU_INTL, FT_BLEU_CHAR, FT_BLEU_NONE };
enum ft_bleu_smooth { FT_BLEU_EXP, FT_BLEU_FLOOR, FT_BLEU_ADD_K, FT_BLEU_UNSMOOTHED };

typedef struct ft_bleu_settings {
    enum ft_bleu_tok tok;
    enum ft_bleu_smooth smooth;
    double smooth_value;       /* of floor and add-k; sacrebleu's defaults are 0.1 and 1 */
    int lowercase;
} ft_bleu_settings;

typedef struct ft_bleu ft_bleu;

/* how is copied. Owns: the caller, ft_bleu_free (accepts NULL, sets NULL). */
int ft_bleu_new(ft_bleu **b, const ft_bleu_settings *how, ft_err *e) FT_MUST_CHECK;
void ft_bleu_free(ft_bleu **b);

/* The sums of one segment; n_refs > 0. An n-gram counts as often as in the reference that has it
 * most; the reference length is the closest, of two equally close ones the shorter. */
int ft_bleu_segment(ft_bleu *b, ft_slice hyp, const ft_slice *refs, size_t n_refs,
                    double sums[FT_BLEU_SUMS], ft_err *e) FT_MUST_CHECK;

/* Returns: 0..100. effective_order: leave out orders of which the hypothesis has no n-gram, as one
 * wants of a single sentence. */
double ft_bleu_score(const ft_bleu_settings *how, const double sums[FT_BLEU_SUMS],
                     int effective_order);

/* Appends the tokens of a text, a line feed behind each: what ft_bleu_segment counts. */
int ft_bleu_tokens(ft_bleu *b, ft_slice text, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
