/* kmeans.c: Lloyd's k-means from k-means++ seeds (spread.h). */
#include "base/mem.h"
#include "base/rng.h"
#include "data/spread.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#define STEP 0x6b6d
#define POINTS_A_TASK 64
#define COLUMNS_A_TASK 16

typedef struct means {
    const float *x;
    size_t n, d, k;
    float *centres;              /* [k x d]                                            */
    double *half;                /* [k] |centre|^2 / 2                                 */
    float *near;                 /* [threads x k] products of a point with the centres */
    double *least;               /* [n] squared distance to the nearest seed so far    */
    uint32_t *cell;
    uint64_t *size;              /* [k] */
    uint8_t *moved;              /* [tasks] whether a point of the task changed cells */
} means;

static double distance(const float *a, const float *b, size_t d)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++) {
        double by = (double)a[j] - (double)b[j];
        sum += by * by;
    }
    return sum;
}

size_t ft_cells_for(size_t n)
{
    size_t k = (size_t)ceil(sqrt((double)n));
    return k;
}

/* ---- seeds ---- */

typedef struct seeding {
    means *m;
    const float *seed;
} seeding;

static void seed_task(void *ctx, size_t task, unsigned worker)
{
    const seeding *s = ctx;
    size_t end = (task + 1) * POINTS_A_TASK;
    (void)worker;
    for (size_t i = task * POINTS_A_TASK; i < end && i < s->m->n; i++)
        s->m->least[i] = fmin(s->m->least[i], distance(s->m->x + i * s->m->d, s->seed, s->m->d));
}

/* A point, drawn with a chance in proportion to its squared distance; all the same: any. */
static size_t draw(const means *m, uint64_t seed, size_t number)
{
    double sum = 0, target;
    size_t last = 0;
    for (size_t i = 0; i < m->n; i++)
        sum += m->least[i];
    if (number == 0 || !(sum > 0))
        return (size_t)ft_rng_below(seed, FT_RNG_DATA, STEP, number, m->n);
    target = sum * ((double)(ft_rng_u64(seed, FT_RNG_DATA, STEP, number) >> 11) * 0x1p-53);
    sum = 0;
    for (size_t i = 0; i < m->n; i++) {
        sum += m->least[i];
        if (m->least[i] > 0)
            last = i;
        if (sum > target)
            return i;
    }
    return last;
}

static void choose_seeds(means *m, uint64_t seed, ft_pool *pool)
{
    for (size_t i = 0; i < m->n; i++)
        m->least[i] = INFINITY;
    for (size_t c = 0; c < m->k; c++) {
        size_t at = c == 0 ? (size_t)ft_rng_below(seed, FT_RNG_DATA, STEP, 0, m->n)
                           : draw(m, seed, c);
        seeding s = {m, m->x + at * m->d};
        memcpy(m->centres + c * m->d, s.seed, m->d * sizeof *m->centres);
        ft_pool_run(pool, (m->n + POINTS_A_TASK - 1) / POINTS_A_TASK, seed_task, &s);
    }
}

/* ---- rounds ---- */

/* |x - c|^2 is least where x c - |c|^2 / 2 is most. */
static void assign_task(void *ctx, size_t task, unsigned worker)
{
    means *m = ctx;
    float *near = m->near + worker * m->k;
    size_t end = (task + 1) * POINTS_A_TASK;
    m->moved[task] = 0;
    for (size_t i = task * POINTS_A_TASK; i < end && i < m->n; i++) {
        uint32_t best = 0;
        ft_kernels_get()->dot_rows(m->x + i * m->d, m->d, 1, m->centres, m->k, m->d, near, m->k);
        for (size_t c = 1; c < m->k; c++)
            if ((double)near[c] - m->half[c] > (double)near[best] - m->half[best])
                best = (uint32_t)c;
        m->moved[task] |= m->cell[i] != best;
        m->cell[i] = best;
    }
}

/* Columns are summed over the points in order, whoever sums them. A cell without points keeps
 * its centre. */
static void centre_task(void *ctx, size_t task, unsigned worker)
{
    means *m = ctx;
    size_t from = task * COLUMNS_A_TASK, width = m->d - from;
    (void)worker;
    width = width < COLUMNS_A_TASK ? width : COLUMNS_A_TASK;
    for (size_t c = 0; c < m->k; c++) {
        double sum[COLUMNS_A_TASK] = {0};
        if (m->size[c] == 0)
            continue;
        for (size_t i = 0; i < m->n; i++)
            for (size_t j = 0; j < width && m->cell[i] == c; j++)
                sum[j] += (double)m->x[i * m->d + from + j];
        for (size_t j = 0; j < width; j++)
            m->centres[c * m->d + from + j] = (float)(sum[j] / (double)m->size[c]);
    }
}

static int one_round(means *m, ft_pool *pool)
{
    size_t tasks = (m->n + POINTS_A_TASK - 1) / POINTS_A_TASK;
    int moved = 0;
    for (size_t c = 0; c < m->k; c++) {
        double sum = 0;
        for (size_t j = 0; j < m->d; j++)
            sum += (double)m->centres[c * m->d + j] * (double)m->centres[c * m->d + j];
        m->half[c] = sum / 2;
    }
    ft_pool_run(pool, tasks, assign_task, m);
    for (size_t t = 0; t < tasks; t++)
        moved |= m->moved[t];
    return moved;
}

static void move_centres(means *m, ft_pool *pool)
{
    memset(m->size, 0, m->k * sizeof *m->size);
    for (size_t i = 0; i < m->n; i++)
        m->size[m->cell[i]]++;
    ft_pool_run(pool, (m->d + COLUMNS_A_TASK - 1) / COLUMNS_A_TASK, centre_task, m);
}

int ft_kmeans(const float *x, size_t n, size_t d, const ft_kmeans_options *o, ft_pool *pool,
              uint32_t *cell, double *inertia, ft_err *e)
{
    means m = {.x = x, .n = n, .d = d, .k = o->k, .cell = cell};
    unsigned most = o->iterations ? o->iterations : 50;
    int rc = 0;
    *inertia = 0;
    if (n == 0)
        return 0;
    if (!(m.centres = ft_new(m.k, d * sizeof *m.centres, e)) ||
        !(m.half = ft_new(m.k, sizeof *m.half, e)) ||
        !(m.near = ft_new(ft_pool_threads(pool), m.k * sizeof *m.near, e)) ||
        !(m.least = ft_new(n, sizeof *m.least, e)) ||
        !(m.size = ft_new(m.k, sizeof *m.size, e)) ||
        !(m.moved = ft_new(n / POINTS_A_TASK + 1, 1, e)))
        rc = FT_ERR_NOMEM;
    if (rc == 0) {
        choose_seeds(&m, o->seed, pool);
        memset(cell, 0xff, n * sizeof *cell);
        while (most-- > 0 && one_round(&m, pool))
            move_centres(&m, pool);
        for (size_t i = 0; i < n; i++)
            *inertia += distance(x + i * d, m.centres + cell[i] * d, d);
        *inertia /= (double)n;
    }
    ft_free(m.centres);
    ft_free(m.half);
    ft_free(m.near);
    ft_free(m.least);
    ft_free(m.size);
    ft_free(m.moved);
    return rc;
}
