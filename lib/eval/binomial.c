#include "eval/binomial.h"

#include "eval/distributions.h"

#include <math.h>

void ft_wilson(size_t k, size_t n, double alpha, double *low, double *high)
{
    double z = ft_normal_quantile(1 - alpha / 2), total = (double)n, share = (double)k / total;
    double shrink = 1 + z * z / total, centre = (share + z * z / (2 * total)) / shrink;
    double half = z / shrink * sqrt(share * (1 - share) / total + z * z / (4 * total * total));
    /* At the ends the formula gives 0 and 1 but for rounding. */
    *low = k == 0 ? 0 : fmax(centre - half, 0);
    *high = k == n ? 1 : fmin(centre + half, 1);
}

double ft_mcnemar(size_t gained, size_t lost)
{
    double least = (double)(gained < lost ? gained : lost);
    double most = (double)(gained < lost ? lost : gained);
    if (gained == lost)
        return 1;
    /* P(X <= k) of n trials is I_q(n - k, k + 1), with n - k = most */
    return fmin(2 * ft_beta_regular(most, least + 1, 0.5, 0.5), 1);
}
