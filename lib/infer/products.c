#include "infer/products.h"

#include "kernels/kernels.h"

/* Rows of a weight matrix in one task: enough work to pay for handing it out, little enough that
 * two threads end together on a small matrix. */
enum { TASK_ROWS = 32 };

size_t ft_products_scratch(size_t max_cols, size_t max_M)
{
    return FT_PRODUCT_ROWS * (max_cols + max_M);
}

static size_t tasks_of(const ft_product *p)
{
    return (p->w->rows + TASK_ROWS - 1) / TASK_ROWS;
}

/* Rows [row, row + n) of the weights as floats: decoded into tile, or where they lie. */
static const float *decoded(const ft_weight *w, size_t row, size_t n, float *tile)
{
    if (w->type == FT_F32)
        return (const float *)w->data + row * w->cols;
    for (size_t i = 0; i < n; i++)
        ft_weight_part(w, row + i, 0, w->cols, tile + i * w->cols);
    return tile;
}

static void rows_of_product(const ft_products *all, const ft_product *p, size_t row, size_t n,
                            float *scratch)
{
    const ft_kernels *k = ft_kernels_get();
    float *delta = scratch, *tile = scratch + FT_PRODUCT_ROWS * all->M;
    const float *w = decoded(p->w, row, n, tile);
    float *y = p->y + row;
    k->dot_rows(p->x, p->w->cols, all->M, w, n, p->w->cols, y, p->w->rows);
    if (!p->a)
        return;
    k->dot_rows(p->ax, all->R, all->M, p->b + row * all->R, n, all->R, delta, n);
    for (size_t i = 0; i < all->M; i++)
        k->axpy(all->scaling, delta + i * n, y + i * p->w->rows, n);
}

static void run_task(void *ctx, size_t task, unsigned worker)
{
    const ft_products *all = ctx;
    const ft_product *p = all->list;
    size_t from, to;
    for (; task >= tasks_of(p); p++)
        task -= tasks_of(p);
    from = task * TASK_ROWS;
    to = from + TASK_ROWS < p->w->rows ? from + TASK_ROWS : p->w->rows;
    for (size_t row = from; row < to; row += FT_PRODUCT_ROWS) {
        size_t n = to - row < FT_PRODUCT_ROWS ? to - row : FT_PRODUCT_ROWS;
        rows_of_product(all, p, row, n, all->scratch[worker]);
    }
}

void ft_products_run(const ft_products *all, ft_pool *pool)
{
    const ft_kernels *k = ft_kernels_get();
    size_t tasks = 0;
    for (size_t i = 0; i < all->n; i++) {
        const ft_product *p = &all->list[i];
        tasks += tasks_of(p);
        if (p->a)
            k->dot_rows(p->x, p->w->cols, all->M, p->a, all->R, p->w->cols, p->ax, all->R);
    }
    ft_pool_run(pool, tasks, run_task, (void *)(uintptr_t)all);
}
