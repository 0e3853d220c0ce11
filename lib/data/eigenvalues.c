/* eigenvalues.c: the eigenvalues of a symmetric matrix, without vectors (spread.h). */
#include "base/mem.h"
#include "data/spread.h"

#include <float.h>
#include <math.h>

/* Three diagonals: d on the middle one, e[i] between rows i and i + 1. */
typedef struct tridiagonal {
    size_t n;
    double *d, *e;
    double low, high;            /* all eigenvalues lie between (Gershgorin) */
    double *values;
} tridiagonal;

/* ---- Householder ---- */

/* v = the vector of the reflection I - v v' that takes x [m] to (alpha, 0, …), scaled to length
 * sqrt 2. Returns: alpha; v is 0 when x is so already. */
static double reflection(const double *a, size_t stride, size_t m, double *v)
{
    double norm = 0, alpha, length;
    for (size_t i = 1; i < m; i++)
        norm += a[i * stride] * a[i * stride];
    for (size_t i = 0; i < m; i++)
        v[i] = 0;
    if (norm == 0)
        return a[0];
    alpha = sqrt(norm + a[0] * a[0]);
    alpha = a[0] > 0 ? -alpha : alpha;
    length = sqrt((norm + (a[0] - alpha) * (a[0] - alpha)) / 2);
    for (size_t i = 0; i < m; i++)
        v[i] = (a[i * stride] - (i == 0 ? alpha : 0)) / length;
    return alpha;
}

/* w = A v for a symmetric A [m x m] of which the lower half is there. */
static void times(const double *a, size_t stride, size_t m, const double *v, double *w)
{
    for (size_t i = 0; i < m; i++)
        w[i] = 0;
    for (size_t i = 0; i < m; i++) {
        double sum = a[i * stride + i] * v[i];
        for (size_t j = 0; j < i; j++) {
            sum += a[i * stride + j] * v[j];
            w[j] += a[i * stride + j] * v[i];
        }
        w[i] += sum;
    }
}

/* A = H A H with H = I - v v', |v|^2 = 2: A - v w' - w v', w = A v - (v' A v / 2) v. */
static void reflect(double *a, size_t stride, size_t m, const double *v, double *w)
{
    double half = 0;
    times(a, stride, m, v, w);
    for (size_t i = 0; i < m; i++)
        half += v[i] * w[i] / 2;
    for (size_t i = 0; i < m; i++)
        w[i] -= half * v[i];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++)
            a[i * stride + j] -= v[i] * w[j] + w[i] * v[j];
}

static void reduce(double *a, size_t n, double *scratch, tridiagonal *t)
{
    for (size_t k = 0; k + 1 < n; k++) {
        size_t m = n - k - 1;
        double *below = a + (k + 1) * n + k;         /* column k under the diagonal */
        t->d[k] = a[k * n + k];
        t->e[k] = reflection(below, n, m, scratch);
        reflect(a + (k + 1) * n + k + 1, n, m, scratch, scratch + n);
    }
    t->d[n - 1] = a[n * n - 1];
}

/* ---- bisection ---- */

/* How many eigenvalues are below x: the negative pivots of T - x. */
static size_t below(const tridiagonal *t, double x)
{
    double q = 1;
    size_t count = 0;
    for (size_t i = 0; i < t->n; i++) {
        double link = i ? t->e[i - 1] * t->e[i - 1] : 0;
        if (q == 0)                                  /* as good as any number next to 0 */
            q = DBL_MIN / DBL_EPSILON;
        q = t->d[i] - x - link / q;
        count += q < 0;
    }
    return count;
}

static void bounds(tridiagonal *t)
{
    double room;
    t->low = INFINITY;
    t->high = -INFINITY;
    for (size_t i = 0; i < t->n; i++) {
        double r = (i ? fabs(t->e[i - 1]) : 0) + (i + 1 < t->n ? fabs(t->e[i]) : 0);
        t->low = fmin(t->low, t->d[i] - r);
        t->high = fmax(t->high, t->d[i] + r);
    }
    room = 4 * DBL_EPSILON * fmax(fabs(t->low), fabs(t->high)) + DBL_MIN;
    t->low -= room;
    t->high += room;
}

/* Value number i: halves the interval until doubles end. */
static void bisect_task(void *ctx, size_t i, unsigned worker)
{
    const tridiagonal *t = ctx;
    double low = t->low, high = t->high;
    (void)worker;
    for (int step = 0; step < 120; step++) {
        double middle = low + (high - low) / 2;
        if (!(middle > low && middle < high))
            break;
        if (below(t, middle) > i)
            high = middle;
        else
            low = middle;
    }
    t->values[i] = low + (high - low) / 2;
}

int ft_eigenvalues(double *a, size_t n, ft_pool *pool, double *values, ft_err *e)
{
    tridiagonal t = {.n = n, .values = values};
    double *scratch;
    if (n == 0)
        return 0;
    if (!(scratch = ft_new(n, 4 * sizeof *scratch, e)))
        return FT_ERR_NOMEM;
    t.d = scratch + 2 * n;
    t.e = scratch + 3 * n;
    reduce(a, n, scratch, &t);
    bounds(&t);
    ft_pool_run(pool, n, bisect_task, &t);
    ft_free(scratch);
    return 0;
}
