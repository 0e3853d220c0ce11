#include "infer/bottleneck_rows.h"

#include "kernels/kernels.h"

enum { CHUNK = 256 };        /* outputs of one task */

static const float *part(const ft_bottleneck_rows *r, size_t row, enum ft_role role)
{
    const ft_adapter *a = r->adapters[row];
    return a ? ft_adapter_of(a, a->params, r->layer, r->target, role) : NULL;
}

/* silu(D y + b) of a row. */
static void down(void *ctx, size_t row, unsigned worker)
{
    enum { ONES = 64 };
    const ft_bottleneck_rows *r = ctx;
    const ft_kernels *k = ft_kernels_get();
    const float *d = part(r, row, FT_ROLE_NARROW);
    float one[ONES], *z = r->narrow + row * r->max_rank;
    size_t R;
    (void)worker;
    if (!d)
        return;
    R = r->adapters[row]->cfg.rank;
    for (size_t i = 0; i < ONES; i++)
        one[i] = 1;
    k->dot_rows(r->y + row * r->cols, r->cols, 1, d, R, r->cols, z, R);
    k->axpy(1, part(r, row, FT_ROLE_NARROW_BIAS), z, R);
    for (size_t i = 0; i < R; i += ONES)
        k->swiglu(z + i, one, z + i, R - i < ONES ? R - i : ONES);
}

static size_t chunks_of(const ft_bottleneck_rows *r)
{
    return (r->cols + CHUNK - 1) / CHUNK;
}

static void up(void *ctx, size_t task, unsigned worker)
{
    const ft_bottleneck_rows *r = ctx;
    const ft_kernels *k = ft_kernels_get();
    size_t row = task / chunks_of(r), from = task % chunks_of(r) * CHUNK, R;
    size_t n = r->cols - from < CHUNK ? r->cols - from : CHUNK;
    const float *u = part(r, row, FT_ROLE_WIDE);
    float delta[CHUNK], *y = r->y + row * r->cols + from;
    (void)worker;
    if (!u)
        return;
    R = r->adapters[row]->cfg.rank;
    k->dot_rows(r->narrow + row * r->max_rank, R, 1, u + from * R, n, R, delta, n);
    k->axpy(1, part(r, row, FT_ROLE_WIDE_BIAS) + from, delta, n);
    k->axpy(1, delta, y, n);
}

void ft_bottleneck_rows_run(const ft_bottleneck_rows *r, ft_pool *pool)
{
    void *ctx = (void *)(uintptr_t)r;
    ft_pool_run(pool, r->rows, down, ctx);
    ft_pool_run(pool, r->rows * chunks_of(r), up, ctx);
}
