/* distributions.h: the few distributions that tests and intervals need: the normal and Student's
 * t, both by functions of the C library and one continued fraction; no tables, no fits. Relative
 * errors are below 1e-11, also of tails of 1e-300, and below 1e-8 where both parameters of the beta
 * function are in the millions. It does not draw random numbers: base/rng.h does.
 *
 *     half_width = ft_t_quantile(1 - alpha / 2, df) * se;
 */
#ifndef FT_DISTRIBUTIONS_H
#define FT_DISTRIBUTIONS_H

/* Returns: z with P(Z <= z) = p; p in (0, 1), otherwise NaN. */
double ft_normal_quantile(double p);

/* Regularised incomplete beta function I_x(a, b), a and b > 0, by its continued fraction (NIST
 * Digital Library of Mathematical Functions, 8.17.22). y must be 1 - x: the caller often knows it
 * more exactly. */
double ft_beta_regular(double a, double b, double x, double y);

/* Returns: P(|T| >= |t|) of Student's t with df > 0 degrees of freedom. */
double ft_t_two_sided(double t, double df);

/* Returns: t with P(T <= t) = p; p in (0, 1), otherwise NaN. */
double ft_t_quantile(double p, double df);

#endif
