/* products.h: Y = X W' for a few rows of X, with the low-rank term of an adapter, spread over a
 * pool. Part of pass.h.
 *
 *     ft_product p = {.w = &layer->w[FT_O], .x = x, .y = y};
 *     ft_products run = {.list = &p, .n = 1, .M = M, .scratch = scratch, .compute = FT_IN_F32};
 *     ft_products_run(&run, pool);
 *
 * Each element of Y is one dot product along K in one order (kernels.h: dot_rows, dot_rows_bf16,
 * dot_groups), which does not depend on M, on the tile or on the thread; so a row of X gives the
 * same bits alone and among others, in each way to compute. In floats and bf16 weights are decoded,
 * for few rows in registers as they stream from memory; for many, a few rows of weights at a time
 * into the cache, where all rows of X meet them. In bytes nothing is decoded (packed.h).
 */
#ifndef FT_PRODUCTS_H
#define FT_PRODUCTS_H

#include "base/pool.h"
#include "infer/packed.h"
#include "kernels/kernels.h"
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>

enum { FT_PRODUCT_ROWS = 8 };      /* rows of a weight matrix decoded at once */

/* What products are computed in.
 * F32: weights as they are, products and sums in floats.
 * BF16: weights and x rounded to bf16, sums in floats: up to twice as fast from some ten rows on.
 * INT8: x rounded to bytes, each 32 numbers with a scale, weights as they are, sums of 32 products
 *   exact; the fastest. Weights that are not in blocks of whole numbers: as BF16.
 * The adapter is in floats. */
enum ft_compute_in { FT_IN_F32, FT_IN_BF16, FT_IN_INT8 };

/* "f32", "bf16" and "int8", and the fastest of them for this model on this processor: INT8 where
 * the model has weights for it, or BF16 where the processor has that, or F32. */
const char *ft_compute_in_name(enum ft_compute_in in);
enum ft_compute_in ft_compute_in_fastest(const ft_model *m);

typedef struct ft_product {
    const ft_weight *w;
    const float *x;                /* M rows of w->cols                                   */
    float *y;                      /* M rows of w->rows                                   */
    const float *a, *b;            /* adapter: A [R x cols], B [rows x R]; NULL: none      */
    float *ax;                     /* room for M x R floats; unused without an adapter     */
    uint16_t *rounded;             /* bf16 and int8: room for M rows of w->cols; products of the
                                    * same x may share it                                   */
    ft_block_s8 *blocks;           /* int8: room for M rows of w->cols / 32; the same       */
    const ft_matrix_packed *packed;    /* int8: w packed; NULL, or without groups: it is not */
} ft_product;

typedef struct ft_products {
    const ft_product *list;
    size_t n, M, R;
    float scaling;                 /* of the adapters: y = W x + scaling * B (A x)         */
    float **scratch;               /* a block of ft_products_scratch floats a pool worker  */
    enum ft_compute_in compute;
} ft_products;

/* Returns: floats of scratch that a worker needs for rows of up to max_cols and up to max_M
 * rows of X. */
size_t ft_products_scratch(size_t max_cols, size_t max_M);

void ft_products_run(const ft_products *p, ft_pool *pool);

#endif
