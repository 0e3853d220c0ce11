#include "infer/products.h"

#include <string.h>

/* Rows of a weight matrix in one task: enough work to pay for handing it out, little enough that
 * all threads, which take TASKS each, end together. ROUND_ROWS: rows of X that are prepared in
 * one. */
enum { LEAST_ROWS = 32, MOST_ROWS = 256, TASKS = 8, ROUND_ROWS = 8 };

/* Up to so many rows of X, weights are decoded in registers, anew for each eight of them; for more
 * they are decoded once, into memory. What is in bf16 already, where that is wanted, is not decoded
 * at all. */
enum { FEW = 16, FEW_BF16 = 7 };

const char *ft_compute_in_name(enum ft_compute_in in)
{
    static const char *const names[] = {"f32", "bf16", "int8"};
    return names[in];
}

enum ft_compute_in ft_compute_in_fastest(const ft_model *m)
{
    const char *family = ft_kernels_get()->name;
    if (strcmp(family, "ref") != 0 && ft_packed_bytes(m) > 0)
        return FT_IN_INT8;
    return strcmp(family, "avx512") == 0 ? FT_IN_BF16 : FT_IN_F32;
}

size_t ft_products_scratch(size_t max_cols, size_t max_M)
{
    return FT_PRODUCT_ROWS * (2 * max_cols + max_M);
}

/* Products that run, and rows of weights in a task. */
typedef struct work {
    const ft_products *all;
    size_t rows;
} work;

static size_t tasks_of(const ft_product *p, size_t rows)
{
    return (p->w->rows + rows - 1) / rows;
}

/* Whether this product is one in bytes. */
static int in_bytes(const ft_products *all, const ft_product *p)
{
    return all->compute == FT_IN_INT8 && p->packed && p->packed->groups;
}

static int in_bf16(const ft_products *all, const ft_product *p)
{
    return all->compute == FT_IN_BF16 || (all->compute == FT_IN_INT8 && !in_bytes(all, p));
}

/* ---- a few rows of weights with all rows of X ---- */

/* The kernel that multiplies floats with blocks of this type, or NULL. */
static ft_dot_blocks *kernel_of(const ft_kernels *k, const ft_weight *w)
{
    if (w->cols % 32)
        return NULL;
    switch (w->type) {
    case FT_F16: return k->dot_f16;
    case FT_BF16: return k->dot_bf16;
    case FT_Q8_0: return k->dot_q8_0;
    case FT_Q4_0: return k->dot_q4_0;
    case FT_Q4_1: return k->dot_q4_1;
    case FT_Q4_K: return k->dot_q4_k;
    case FT_Q6_K: return k->dot_q6_k;
    default: return NULL;
    }
}

static ft_dot_blocks_bf16 *kernel_bf16_of(const ft_kernels *k, const ft_weight *w)
{
    if (w->cols % 32)
        return NULL;
    switch (w->type) {
    case FT_F16: return k->dot_f16_bf16;
    case FT_BF16: return k->dot_bf16_bf16;
    case FT_Q8_0: return k->dot_q8_0_bf16;
    case FT_Q4_0: return k->dot_q4_0_bf16;
    case FT_Q4_1: return k->dot_q4_1_bf16;
    case FT_Q4_K: return k->dot_q4_k_bf16;
    case FT_Q6_K: return k->dot_q6_k_bf16;
    default: return NULL;
    }
}

static const void *row_at(const ft_weight *w, size_t row)
{
    const ft_type_info *t = ft_type_info_of(w->type);
    return (const uint8_t *)w->data + row * (w->cols / t->block) * t->block_bytes;
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

/* The same in bf16; tile has room for FT_PRODUCT_ROWS rows of floats and as many of bf16. */
static const uint16_t *rounded(const ft_weight *w, size_t row, size_t n, float *tile)
{
    uint16_t *to = (uint16_t *)(void *)(tile + FT_PRODUCT_ROWS * w->cols);
    if (w->type == FT_BF16)
        return (const uint16_t *)w->data + row * w->cols;
    ft_kernels_get()->to_bf16(decoded(w, row, n, tile), to, n * w->cols);
    return to;
}

static void by_tiles(const ft_products *all, const ft_product *p, size_t row, size_t n,
                     float *tile)
{
    const ft_kernels *k = ft_kernels_get();
    size_t cols = p->w->cols, rows = p->w->rows;
    for (size_t i = 0; i < n; i += FT_PRODUCT_ROWS) {
        size_t some = n - i < FT_PRODUCT_ROWS ? n - i : FT_PRODUCT_ROWS;
        float *y = p->y + row + i;
        if (in_bf16(all, p))
            k->dot_rows_bf16(p->rounded, cols, all->M, rounded(p->w, row + i, some, tile), some,
                             cols, y, rows);
        else
            k->dot_rows(p->x, cols, all->M, decoded(p->w, row + i, some, tile), some, cols, y,
                        rows);
    }
}

static void multiply(const ft_products *all, const ft_product *p, size_t row, size_t n,
                     float *tile)
{
    const ft_kernels *k = ft_kernels_get();
    int few = all->M <= FEW, bf16 = in_bf16(all, p);
    ft_dot_blocks *dot = few && !bf16 ? kernel_of(k, p->w) : NULL;
    if (bf16 && p->w->type == FT_BF16 && all->M > FEW_BF16)
        few = 0;
    ft_dot_blocks_bf16 *dot_bf16 = few && bf16 ? kernel_bf16_of(k, p->w) : NULL;
    size_t cols = p->w->cols;
    float *y = p->y + row;
    if (in_bytes(all, p))
        k->dot_groups(p->packed->type, p->blocks, cols / 32, all->M,
                      (const uint8_t *)p->packed->groups + row / FT_GROUP * p->packed->group_bytes,
                      n, cols, y, p->w->rows);
    else if (dot)
        dot(p->x, cols, all->M, row_at(p->w, row), n, cols, y, p->w->rows);
    else if (dot_bf16)
        dot_bf16(p->rounded, cols, all->M, row_at(p->w, row), n, cols, y, p->w->rows);
    else
        by_tiles(all, p, row, n, tile);
}

static void add_adapter(const ft_products *all, const ft_product *p, size_t row, size_t n,
                        float *delta)
{
    const ft_kernels *k = ft_kernels_get();
    for (size_t i = 0; i < n; i += FT_PRODUCT_ROWS) {
        size_t some = n - i < FT_PRODUCT_ROWS ? n - i : FT_PRODUCT_ROWS;
        k->dot_rows(p->ax, all->R, all->M, p->b + (row + i) * all->R, some, all->R, delta, some);
        for (size_t m = 0; m < all->M; m++)
            k->axpy(all->scaling, delta + m * some, p->y + m * p->w->rows + row + i, some);
    }
}

static void run_task(void *ctx, size_t task, unsigned worker)
{
    const work *k = ctx;
    const ft_products *all = k->all;
    const ft_product *p = all->list;
    float *scratch = all->scratch[worker];
    size_t row, n;
    for (; task >= tasks_of(p, k->rows); p++)
        task -= tasks_of(p, k->rows);
    row = task * k->rows;
    n = p->w->rows - row < k->rows ? p->w->rows - row : k->rows;
    multiply(all, p, row, n, scratch + FT_PRODUCT_ROWS * all->M);
    if (p->a)
        add_adapter(all, p, row, n, scratch);
}

/* ---- what is made of rows of X before ---- */

/* Whether an earlier product has made the same of its x. */
static int is_made(const ft_products *all, size_t i, int bytes)
{
    const ft_product *p = &all->list[i];
    for (size_t j = 0; j < i; j++) {
        const ft_product *q = &all->list[j];
        if (bytes ? in_bytes(all, q) && q->blocks == p->blocks
                  : in_bf16(all, q) && q->rounded == p->rounded)
            return 1;
    }
    return 0;
}

static void prepare(void *ctx, size_t task, unsigned worker)
{
    const ft_products *all = ctx;
    const ft_kernels *k = ft_kernels_get();
    size_t row = task * ROUND_ROWS, n = all->M - row < ROUND_ROWS ? all->M - row : ROUND_ROWS;
    (void)worker;
    for (size_t i = 0; i < all->n; i++) {
        const ft_product *p = &all->list[i];
        size_t cols = p->w->cols;
        if (in_bf16(all, p) && !is_made(all, i, 0))
            k->to_bf16(p->x + row * cols, p->rounded + row * cols, n * cols);
        if (in_bytes(all, p) && !is_made(all, i, 1))
            k->to_blocks_s8(p->x + row * cols, p->blocks + row * cols / 32, n * cols);
        if (p->a)
            k->dot_rows(p->x + row * cols, cols, n, p->a, all->R, cols, p->ax + row * all->R,
                        all->R);
    }
}

static size_t task_rows(const ft_products *all, const ft_pool *pool)
{
    size_t rows = 0;
    for (size_t i = 0; i < all->n; i++)
        rows += all->list[i].w->rows;
    rows = rows / ((size_t)TASKS * ft_pool_threads(pool)) / LEAST_ROWS * LEAST_ROWS;
    return rows < LEAST_ROWS ? LEAST_ROWS : rows > MOST_ROWS ? MOST_ROWS : rows;
}

void ft_products_run(const ft_products *all, ft_pool *pool)
{
    work k = {all, task_rows(all, pool)};
    size_t tasks = 0;
    int before = all->compute != FT_IN_F32;
    for (size_t i = 0; i < all->n; i++) {
        tasks += tasks_of(&all->list[i], k.rows);
        before |= all->list[i].a != NULL;
    }
    if (before)
        ft_pool_run(pool, (all->M + ROUND_ROWS - 1) / ROUND_ROWS, prepare,
                    (void *)(uintptr_t)all);
    ft_pool_run(pool, tasks, run_task, &k);
}
