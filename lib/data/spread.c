#include "data/spread.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ft_points_normalise(float *x, size_t n, size_t d)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < d; j++)
            sum += (double)x[i * d + j] * (double)x[i * d + j];
        sum = sqrt(sum);
        for (size_t j = 0; j < d && sum > 0; j++)
            x[i * d + j] = (float)((double)x[i * d + j] / sum);
    }
}

/* ---- evenness ---- */

static int by_count(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void ft_evenness_of(uint64_t *counts, size_t k, ft_evenness *s)
{
    double sum = 0, weighted = 0, entropy = 0;
    size_t filled = 0;
    *s = (ft_evenness){0};
    if (k == 0)
        return;
    qsort(counts, k, sizeof *counts, by_count);
    for (size_t i = 0; i < k; i++) {
        sum += (double)counts[i];
        weighted += (2 * (double)(i + 1) - (double)k - 1) * (double)counts[i];
        filled += counts[i] > 0;
    }
    if (!(sum > 0))
        return;
    for (size_t i = 0; i < k; i++)
        if (counts[i])
            entropy -= (double)counts[i] / sum * log((double)counts[i] / sum);
    s->filled = (double)filled / (double)k;
    s->gini = weighted / ((double)k * sum);
    s->entropy = k < 2 ? 1 : fmax(entropy, 0) / log((double)k);
}

/* ---- the Vendi score ---- */

#define ROWS_A_TASK 8

typedef struct gram {
    const float *x;              /* rows whose products are wanted */
    size_t rows, length;
    double scale, *out;          /* [rows x rows], the lower half  */
} gram;

static double dot_double(const float *a, const float *b, size_t n)
{
    double part[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            part[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++)
        part[0] += (double)a[i] * (double)b[i];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static void gram_task(void *ctx, size_t task, unsigned worker)
{
    const gram *g = ctx;
    size_t end = (task + 1) * ROWS_A_TASK;
    (void)worker;
    for (size_t i = task * ROWS_A_TASK; i < end && i < g->rows; i++)
        for (size_t j = 0; j <= i; j++)
            g->out[i * g->rows + j] =
                g->scale * dot_double(g->x + i * g->length, g->x + j * g->length, g->length);
}

int ft_vendi(const float *x, size_t n, size_t d, ft_pool *pool, double *score, ft_err *e)
{
    size_t m = n < d ? n : d;
    float *turned = NULL;
    double *a = NULL, *values = NULL, sum = 0, entropy = 0;
    gram g = {.x = x, .rows = m, .length = n < d ? d : n, .scale = 1 / (double)(n ? n : 1)};
    int rc = 0;
    *score = 0;
    if (m == 0)
        return 0;
    if (!(a = ft_new(m, m * sizeof *a, e)) || !(values = ft_new(m, sizeof *values, e)))
        rc = FT_ERR_NOMEM;
    if (rc == 0 && n >= d) {
        if (!(turned = ft_new(d, n * sizeof *turned, e)))
            rc = FT_ERR_NOMEM;
        for (size_t i = 0; rc == 0 && i < n; i++)
            for (size_t j = 0; j < d; j++)
                turned[j * n + i] = x[i * d + j];
        g.x = turned;
    }
    g.out = a;
    if (rc == 0) {
        ft_pool_run(pool, (m + ROWS_A_TASK - 1) / ROWS_A_TASK, gram_task, &g);
        rc = ft_eigenvalues(a, m, pool, values, e);
    }
    for (size_t i = 0; rc == 0 && i < m; i++)
        sum += values[i] > 0 ? values[i] : 0;
    for (size_t i = 0; rc == 0 && i < m; i++)
        if (values[i] > 0)
            entropy -= values[i] / sum * log(values[i] / sum);
    if (rc == 0 && sum > 0)
        *score = exp(entropy);
    ft_free(a);
    ft_free(values);
    ft_free(turned);
    return rc;
}

/* ---- coverage ---- */

#define BLOCK 64

typedef struct search {
    const float *y, *x;
    size_t m, n, d;
    ft_nearest *out;
} search;

static void search_task(void *ctx, size_t task, unsigned worker)
{
    const search *s = ctx;
    float near[BLOCK];
    size_t end = (task + 1) * ROWS_A_TASK;
    (void)worker;
    for (size_t i = task * ROWS_A_TASK; i < end && i < s->m; i++) {
        ft_nearest best = {INFINITY, 0};
        for (size_t from = 0; from < s->n; from += BLOCK) {
            size_t some = s->n - from < BLOCK ? s->n - from : BLOCK;
            ft_kernels_get()->dot_rows(s->y + i * s->d, s->d, 1, s->x + from * s->d, some, s->d,
                                       near, some);
            for (size_t j = 0; j < some; j++) {
                double distance = fmax(1 - (double)near[j], 0);
                if (distance < best.distance && !(s->x == s->y && from + j == i))
                    best = (ft_nearest){distance, from + j};
            }
        }
        s->out[i] = best;
    }
}

void ft_nearest_points(const float *y, size_t m, const float *x, size_t n, size_t d,
                       ft_pool *pool, ft_nearest *out)
{
    search s = {y, x, m, n, d, out};
    ft_pool_run(pool, (m + ROWS_A_TASK - 1) / ROWS_A_TASK, search_task, &s);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int ft_median_distance(const ft_nearest *v, size_t n, double *median, ft_err *e)
{
    double *all = ft_new(n, sizeof *all, e);
    if (!all)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        all[i] = v[i].distance;
    qsort(all, n, sizeof *all, by_value);
    *median = n ? all[(n - 1) / 2] : NAN;
    ft_free(all);
    return 0;
}
