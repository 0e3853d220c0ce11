#include "eval/classify.h"

#include <math.h>

void ft_classify(const double *counts, size_t n_labels, double rows, ft_classified *m)
{
    double hits = 0, labels = 0, f1 = 0, both = 0, predicted = 0, reference = 0, spread;
    for (size_t i = 0; i < n_labels; i++) {
        const double *c = counts + FT_LABEL_SUMS * i;
        double p = c[FT_LABEL_PREDICTED], r = c[FT_LABEL_REFERENCE];
        if (!(p + r > 0))
            continue;
        labels++;
        hits += c[FT_LABEL_HIT];
        f1 += 2 * c[FT_LABEL_HIT] / (p + r);
        both += p * r;
        predicted += p * p;
        reference += r * r;
    }
    spread = sqrt((rows * rows - predicted) * (rows * rows - reference));
    m->accuracy = m->micro_f1 = hits / rows;
    m->macro_f1 = labels > 0 ? f1 / labels : 0;
    m->mcc = spread > 0 ? (hits * rows - both) / spread : 0;
}

void ft_calibration_add(double sums[FT_CALIBRATION_SUMS], const double *p, size_t n, size_t right)
{
    size_t best = 0, bin;
    double brier = right < n ? 0 : 1;
    for (size_t i = 0; i < n; i++) {
        double d = p[i] - (i == right ? 1 : 0);
        brier += d * d;
        if (p[i] > p[best])
            best = i;
    }
    sums[0] += brier;
    if (n == 0)
        return;
    bin = (size_t)(p[best] * FT_CALIBRATION_BINS);
    if (bin >= FT_CALIBRATION_BINS)
        bin = FT_CALIBRATION_BINS - 1;
    sums[1 + 3 * bin] += 1;
    sums[2 + 3 * bin] += p[best];
    sums[3 + 3 * bin] += best == right;
}

double ft_calibration_error(const double sums[FT_CALIBRATION_SUMS], double rows)
{
    double all = 0;
    for (size_t bin = 0; bin < FT_CALIBRATION_BINS; bin++)
        all += fabs(sums[3 + 3 * bin] - sums[2 + 3 * bin]);
    return all / rows;
}
