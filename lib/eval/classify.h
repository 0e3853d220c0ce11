/* classify.h: measures of predictions that are labels, from three counts for each label: how often
 * it was predicted, how often it was right to, how often it was the reference. The counts add up,
 * so the measures of a bootstrap draw come from its sums.
 *
 *     double c[3 * 2] = …;                          // FT_LABEL_HIT, _PREDICTED, _REFERENCE by
 * label
 *     ft_classify(c, n_labels, rows, &m);
 *
 * Definitions are scikit-learn's: macro F1 is the mean over all labels that were predicted or are
 * references, with 0 where a label is never right; micro F1 of single labels equals accuracy;
 * MCC is Gorodkin's R_K (2004), 0 where it is not defined.
 */
#ifndef FT_CLASSIFY_H
#define FT_CLASSIFY_H

#include <stddef.h>

enum { FT_LABEL_HIT, FT_LABEL_PREDICTED, FT_LABEL_REFERENCE, FT_LABEL_SUMS };

typedef struct ft_classified {
    double accuracy, macro_f1, micro_f1, mcc;
} ft_classified;

/* counts: FT_LABEL_SUMS for each of n_labels; rows > 0: how many predictions. */
void ft_classify(const double *counts, size_t n_labels, double rows, ft_classified *m);

/* Calibration: of rows with probabilities for each label, sums that add up.
 *     [0] the Brier score's: sum over labels of (p - is reference)^2
 *     [1 + 3*bin ..] of FT_CALIBRATION_BINS bins of equal width of the highest p: rows, sum of that
 *                  p, rows where that label is the reference. */
#define FT_CALIBRATION_BINS 15
#define FT_CALIBRATION_SUMS (1 + 3 * FT_CALIBRATION_BINS)

/* Adds a row: p[0 .. n) of labels, of which `right` is the reference (n: none of them). */
void ft_calibration_add(double sums[FT_CALIBRATION_SUMS], const double *p, size_t n, size_t right);

/* Expected calibration error (Guo et al. 2017): the mean over rows of |share right - mean p| of
 * the row's bin. */
double ft_calibration_error(const double sums[FT_CALIBRATION_SUMS], double rows);

#endif
