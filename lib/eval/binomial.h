/* binomial.h: what is exact about counts of right and wrong answers: an interval for one share,
 * and a test of two systems that answered the same questions. Both take the answers as
 * independent of each other; where they come in groups, compare.h has the standard error that
 * knows of it.
 *
 *     ft_wilson(right, n, 0.05, &low, &high);
 *     p = ft_mcnemar(gained, lost);
 */
#ifndef FT_BINOMIAL_H
#define FT_BINOMIAL_H

#include <stddef.h>

/* Interval of confidence 1 - alpha for a share of which k in n were seen, n > 0: the score interval
 * (E. B. Wilson, Journal of the American Statistical Association 22, 1927), without correction for
 * continuity. It stays within [0, 1] and does not shrink to nothing at k = 0 or k = n. */
void ft_wilson(size_t k, size_t n, double alpha, double *low, double *high);

/* Two-sided exact test that gains and losses are equally likely (McNemar's, on the binomial
 * distribution): twice the tail P(X <= min), X ~ Bin(gained + lost, 1/2), at most 1.
 * Returns: 1 when there are none. */
double ft_mcnemar(size_t gained, size_t lost);

#endif
