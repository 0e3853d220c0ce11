/* confident.h: which given labels are probably wrong, by confident learning (Northcutt, Jiang,
 * Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021), in the
 * variant that cleanlab 2.9 takes by default (prune by noise rate): the same rows in the same
 * order for the same labels and probabilities.
 *
 *     ft_confident found = {0};
 *     if (ft_confident_find(p, given, n, K, FT_RANK_MARGIN, &found, e) < 0) …
 *     for (size_t i = 0; i < found.n; i++) … found.rows[i], found.scores[i] …
 *     ft_confident_free(&found);
 *
 * How: t_k is the mean of p_k over the rows labelled k. A row is confident in k when p_k reaches
 * t_k; the counts C[given][confident], scaled to the number of rows of each label, say how many
 * rows labelled k are really j, and so many are flagged, those with the largest p_j - p_k. A row
 * whose most probable class is its label is never flagged.
 *
 * Where values are equal, the order of rows and classes decides. (cleanlab leaves such a choice to
 * the sorting routine that numpy has for the processor.)
 *
 * It does not make the probabilities; they must not come from a model that has seen the row's
 * label (see classifier.h).
 *
 * Memory: 33 bytes a row and 40 K^2 bytes.
 */
#ifndef FT_CONFIDENT_H
#define FT_CONFIDENT_H

#include "base/err.h"

#include <stdint.h>

enum ft_rank {
    FT_RANK_MARGIN,    /* (p_given - largest other p + 1) / 2 */
    FT_RANK_SELF       /* p_given                             */
};

typedef struct ft_confident {
    size_t n;
    size_t *rows;      /* the most suspicious first                */
    double *scores;    /* of these rows, ascending, in [0, 1]      */
} ft_confident;

/* Finds the rows. p: n x K, row by row, each in [0, 1]. given: n classes below K; a class may have
 * no rows. K >= 2. Owns: the caller, ft_confident_free.
 * Errors: FT_ERR_DATA when a p is no number in [0, 1], with row and class (from 0);
 * FT_ERR_NOMEM. */
int ft_confident_find(const double *p, const uint32_t *given, size_t n, size_t K,
                      enum ft_rank rank, ft_confident *found, ft_err *e) FT_MUST_CHECK;

void ft_confident_free(ft_confident *found);    /* back to all zero */

/* The most probable class of one row, the first of equal ones. */
size_t ft_most_probable(const double *p, size_t K);

#endif
