#include "infer/lora_rows.h"

#include "kernels/kernels.h"

enum { CHUNK = 256 };        /* outputs of one task */

static size_t chunks_of(const ft_lora_rows *r, size_t product)
{
    return (r->width[product] + CHUNK - 1) / CHUNK;
}

static float *ax_of(const ft_lora_rows *r, size_t product, size_t row)
{
    return r->ax + (product * r->rows + row) * r->max_rank;
}

static void down(void *ctx, size_t task, unsigned worker)
{
    const ft_lora_rows *r = ctx;
    size_t product = task / r->rows, row = task % r->rows;
    const ft_adapter *l = r->lora[row];
    const float *a = l ? ft_lora_a(l, l->params, r->layer, r->targets[product]) : NULL;
    (void)worker;
    if (a)
        ft_kernels_get()->dot_rows(r->x + row * r->cols, r->cols, 1, a, l->cfg.rank, r->cols,
                                   ax_of(r, product, row), l->cfg.rank);
}

static void up(void *ctx, size_t task, unsigned worker)
{
    const ft_lora_rows *r = ctx;
    const ft_kernels *k = ft_kernels_get();
    size_t product = 0, row, from, n, width, R;
    float delta[CHUNK];
    const float *b;
    (void)worker;
    for (; task >= r->rows * chunks_of(r, product); product++)
        task -= r->rows * chunks_of(r, product);
    width = r->width[product];
    row = task / chunks_of(r, product);
    from = task % chunks_of(r, product) * CHUNK;
    n = width - from < CHUNK ? width - from : CHUNK;
    if (!r->lora[row])
        return;
    R = r->lora[row]->cfg.rank;
    b = ft_lora_b(r->lora[row], r->lora[row]->params, r->layer, r->targets[product]);
    if (!b)
        return;
    k->dot_rows(ax_of(r, product, row), R, 1, b + from * R, n, R, delta, n);
    k->axpy(r->lora[row]->scaling, delta, r->y[product] + row * width + from, n);
}

void ft_lora_rows_add(const ft_lora_rows *r, ft_pool *pool)
{
    void *ctx = (void *)(uintptr_t)r;
    size_t tasks = 0;
    for (size_t i = 0; i < r->n; i++)
        tasks += r->rows * chunks_of(r, i);
    ft_pool_run(pool, r->n * r->rows, down, ctx);
    ft_pool_run(pool, tasks, up, ctx);
}
