#define _DEFAULT_SOURCE    /* lgamma_r: lgamma writes a global */
#include "eval/distributions.h"

#include <float.h>
#include <math.h>

double ft_normal_quantile(double p)
{
    double low = -40, high = 40;
    if (!(p > 0 && p < 1))
        return NAN;
    if (p > 0.5)           /* the tail near 1 has no digits: use that near 0 */
        return -ft_normal_quantile(1 - p);
    for (int i = 0; i < 80; i++) {
        double middle = (low + high) / 2;
        if (erfc(-middle / sqrt(2)) / 2 < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* What Stirling's formula leaves of log gamma(x), x >= 10 (NIST DLMF 5.11.1). */
static double stirling_rest(double x)
{
    double y = 1 / (x * x);
    return (1 / 12.0 - y * (1 / 360.0 - y * (1 / 1260.0 - y * (1 / 1680.0 - y / 1188)))) / x;
}

/* log B(a, b). Log gammas of large numbers are large and would cancel: what is left of Stirling's
 * formula for log gamma(a + b) - log gamma(a) is written out. */
static double log_beta(double a, double b)
{
    double less = fmin(a, b), more = fmax(a, b), gained;
    if (more < 10)
        return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
    gained = less * log(more) + (more + less - 0.5) * log1p(less / more) - less +
             stirling_rest(more + less) - stirling_rest(more);
    return log_gamma(less) - gained;
}

/* The factor behind x^a y^b / (a B(a, b)), by Lentz's method: both recurrences are kept away from
 * zero. Converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double least = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), f;
    d = 1 / (fabs(d) < least ? least : d);
    f = d;
    for (int m = 1; m < 100000; m++) {
        double step, even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < least ? least : d);
        f *= d * (fabs(c) < least ? least : c);
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < least ? least : d);
        step = d * (fabs(c) < least ? least : c);
        f *= step;
        if (fabs(step - 1) < 2 * DBL_EPSILON)
            break;
    }
    return f;
}

double ft_beta_regular(double a, double b, double x, double y)
{
    double front;
    if (!(x > 0))
        return x <= 0 ? 0 : NAN;
    if (!(y > 0))
        return y <= 0 ? 1 : NAN;
    front = exp(a * log(x) + b * log(y) - log_beta(a, b));
    if (x < (a + 1) / (a + b + 2))
        return front / a * beta_fraction(a, b, x);
    return 1 - front / b * beta_fraction(b, a, y);
}

double ft_t_two_sided(double t, double df)
{
    double square = t * t;
    if (isinf(square))
        return 0;
    return ft_beta_regular(df / 2, 0.5, df / (df + square), square / (df + square));
}

double ft_t_quantile(double p, double df)
{
    double low = 0, high = 1;
    if (!(p > 0 && p < 1))
        return NAN;
    if (p < 0.5)
        return -ft_t_quantile(1 - p, df);
    while (ft_t_two_sided(high, df) > 2 * (1 - p) && high < 1e300)
        high *= 2;
    for (int i = 0; i < 1100 && high - low > high * DBL_EPSILON; i++) {
        double middle = (low + high) / 2;
        if (middle <= low || middle >= high)
            break;
        if (ft_t_two_sided(middle, df) > 2 * (1 - p))
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}
