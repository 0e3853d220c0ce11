#include "eval/bootstrap.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * FT_UNITS_MAX };

struct ft_units {
    size_t given;              /* sums that an example brings */
    size_t width, n;           /* sums of a unit; units begun */
    double *sums;              /* FT_UNITS_MAX rows of width at most; grows */
    size_t cap;
    size_t each, in_last;      /* examples a unit takes; that the last one has */
    ft_digest *groups;         /* of the units, when they are groups */
    uint16_t *slots;           /* unit + 1 by digest */
};

int ft_units_new(ft_units **u, size_t width, ft_err *e)
{
    *u = ft_new(1, sizeof **u, e);
    if (!*u)
        return FT_ERR_NOMEM;
    (*u)->width = (*u)->given = width;
    (*u)->each = 1;
    return 0;
}

void ft_units_free(ft_units **u)
{
    if (!*u)
        return;
    ft_free((*u)->sums);
    ft_free((*u)->groups);
    ft_free((*u)->slots);
    ft_free(*u);
    *u = NULL;
}

int ft_units_widen(ft_units *u, size_t width, ft_err *e)
{
    size_t old = u->width;
    if (width <= old)
        return 0;
    if (u->n && ft_grow(&u->sums, &u->cap, u->n * width, sizeof *u->sums, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = u->n; i-- > 0;) {
        memmove(u->sums + i * width, u->sums + i * old, old * sizeof *u->sums);
        memset(u->sums + i * width + old, 0, (width - old) * sizeof *u->sums);
    }
    u->width = width;
    return 0;
}

static int begin_unit(ft_units *u, ft_err *e)
{
    if (ft_grow(&u->sums, &u->cap, (u->n + 1) * u->width, sizeof *u->sums, e) < 0)
        return FT_ERR_NOMEM;
    memset(u->sums + u->n * u->width, 0, u->width * sizeof *u->sums);
    u->n++;
    return 0;
}

static double *add_sums(ft_units *u, size_t i, const double *sums, size_t n)
{
    double *to = u->sums + i * u->width;
    for (size_t k = 0; k < n; k++)
        to[k] += sums[k];
    return to;
}

static double *add(ft_units *u, size_t i, const double *sums)
{
    return add_sums(u, i, sums, u->given);
}

/* All units are full: neighbours become one. */
static void halve(ft_units *u)
{
    for (size_t i = 0; i < u->n / 2; i++) {
        memmove(u->sums + i * u->width, u->sums + 2 * i * u->width, u->width * sizeof *u->sums);
        add_sums(u, i, u->sums + (2 * i + 1) * u->width, u->width);
    }
    u->n /= 2;
    u->each *= 2;
    u->in_last = u->each;
}

int ft_units_add(ft_units *u, const double *sums, double **unit, ft_err *e)
{
    if (u->n == FT_UNITS_MAX && u->in_last == u->each)
        halve(u);
    if (u->n == 0 || u->in_last == u->each) {
        if (begin_unit(u, e) < 0)
            return FT_ERR_NOMEM;
        u->in_last = 0;
    }
    u->in_last++;
    *unit = add(u, u->n - 1, sums);
    return 0;
}

int ft_units_add_to(ft_units *u, const void *group, size_t n, const double *sums, double **unit,
                    ft_err *e)
{
    ft_digest key = ft_digest_of(group, n);
    size_t at = (size_t)(key.b[0] | key.b[1] << 8) % SLOTS;
    if (!u->slots) {
        u->slots = ft_new(SLOTS, sizeof *u->slots, e);
        u->groups = ft_new(FT_UNITS_MAX, sizeof *u->groups, e);
        if (!u->slots || !u->groups)
            return FT_ERR_NOMEM;
    }
    for (; u->slots[at]; at = (at + 1) % SLOTS)
        if (ft_digest_equal(&u->groups[u->slots[at] - 1], &key)) {
            *unit = add(u, u->slots[at] - 1u, sums);
            return 0;
        }
    if (u->n == FT_UNITS_MAX) {
        *unit = add(u, (size_t)(key.b[2] | key.b[3] << 8) % FT_UNITS_MAX, sums);
        return 0;
    }
    if (begin_unit(u, e) < 0)
        return FT_ERR_NOMEM;
    u->groups[u->n - 1] = key;
    u->slots[at] = (uint16_t)u->n;
    *unit = add(u, u->n - 1, sums);
    return 0;
}

size_t ft_units_count(const ft_units *u)
{
    return u->n;
}

const double *ft_units_sums(const ft_units *u, size_t i)
{
    return u->sums + i * u->width;
}

/* ---- drawing ---- */

typedef struct drawing {
    const ft_units *u;
    uint64_t seed;
    ft_score_fn *score;
    const void *ctx;
    size_t n_scores;
    double *scores;            /* by draw                                  */
    double *scratch;           /* by thread: the sums of a draw            */
    uint16_t *times;           /* by thread and unit: how often it is drawn */
} drawing;

/* Draws as many units as there are: exactly uniform, by multiplication with rejection (Lemire). */
static void count_draws(uint64_t seed, uint32_t draw, uint32_t n, uint16_t *times)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, r[4];
    uint32_t counter[4] = {0, 0, draw, FT_RNG_DATA}, least = (0u - n) % n;
    memset(times, 0, n * sizeof *times);
    for (uint32_t got = 0; got < n; counter[0]++) {
        ft_philox(counter, key, r);
        for (size_t k = 0; k < 4 && got < n; k++) {
            uint64_t m = (uint64_t)r[k] * n;
            if ((uint32_t)m < least)
                continue;
            times[m >> 32]++;
            got++;
        }
    }
}

static void draw_once(void *ctx, size_t task, unsigned worker)
{
    const drawing *d = ctx;
    size_t n = d->u->n, width = d->u->width;
    uint16_t *times = d->times + worker * n;
    double *sums = d->scratch + worker * width;
    count_draws(d->seed, (uint32_t)task, (uint32_t)n, times);
    memset(sums, 0, width * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const double *row = d->u->sums + i * width;
        double w = times[i];
        for (size_t k = 0; k < width && times[i]; k++)
            sums[k] += w * row[k];
    }
    d->score(d->ctx, sums, d->scores + task * d->n_scores);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void take_percentiles(const drawing *d, size_t draws, double *sorted, double (*interval)[2])
{
    size_t tail = draws / 40;
    for (size_t k = 0; k < d->n_scores; k++) {
        for (size_t i = 0; i < draws; i++)
            sorted[i] = d->scores[i * d->n_scores + k];
        qsort(sorted, draws, sizeof *sorted, by_value);
        interval[k][0] = sorted[tail];
        interval[k][1] = sorted[draws - 1 - tail];
    }
}

int ft_bootstrap(const ft_units *u, size_t draws, uint64_t seed, ft_score_fn *score,
                 const void *ctx, size_t n_scores, ft_pool *pool, double (*interval)[2],
                 ft_err *e)
{
    drawing d = {.u = u, .seed = seed, .score = score, .ctx = ctx, .n_scores = n_scores};
    size_t threads = ft_pool_threads(pool);
    double *sorted = NULL;
    int rc = FT_ERR_NOMEM;
    if (draws < 40 || draws > UINT32_MAX || u->n == 0)
        return ft_err_set(e, FT_ERR_USAGE, "%zu draws of %zu units give no interval", draws, u->n);
    d.scores = ft_new(draws, n_scores * sizeof *d.scores, e);
    d.scratch = ft_new(threads, u->width * sizeof *d.scratch, e);
    d.times = ft_new(threads, u->n * sizeof *d.times, e);
    sorted = ft_new(draws, sizeof *sorted, e);
    if (d.scores && d.scratch && d.times && sorted) {
        ft_pool_run(pool, draws, draw_once, &d);
        take_percentiles(&d, draws, sorted, interval);
        rc = 0;
    }
    ft_free(d.scores);
    ft_free(d.scratch);
    ft_free(d.times);
    ft_free(sorted);
    return rc;
}
