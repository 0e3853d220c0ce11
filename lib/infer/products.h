/* products.h: Y = X W' for a few rows of X, with the low-rank term of an adapter, spread over a
 * pool. Part of pass.h.
 *
 *     ft_product p = {&layer->w[FT_O], x, y, NULL, NULL, NULL, NULL};
 *     ft_products run = {&p, 1, M, 0, 0, scratch, FT_PRODUCTS_F32};
 *     ft_products_run(&run, pool);
 *
 * Each element of Y is one dot product along K in one order (kernels.h: dot_rows, dot_rows_bf16),
 * which does not depend on M, on the type of the weights, on the tile or on the thread; so a row of
 * X gives the same bits alone and among others, in either way to compute. For few rows weights are
 * decoded in registers as they stream from memory; for many, a few rows of weights at a time are
 * decoded into the cache, where all rows of X meet them.
 */
#ifndef FT_PRODUCTS_H
#define FT_PRODUCTS_H

#include "base/pool.h"
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>

enum { FT_PRODUCT_ROWS = 8 };      /* rows of a weight matrix decoded at once */

typedef struct ft_product {
    const ft_weight *w;
    const float *x;                /* M rows of w->cols                                   */
    float *y;                      /* M rows of w->rows                                   */
    const float *a, *b;            /* adapter: A [R x cols], B [rows x R]; NULL: none      */
    float *ax;                     /* room for M x R floats; unused without an adapter     */
    uint16_t *rounded;             /* bf16: room for M rows of w->cols; products of the same x,
                                    * one behind the other in a list, may share it          */
} ft_product;

typedef struct ft_products {
    const ft_product *list;
    size_t n, M, R;
    float scaling;                 /* of the adapters: y = W x + scaling * B (A x)         */
    float **scratch;               /* a block of ft_products_scratch floats a pool worker  */
    /* F32: weights as they are, products and sums in floats. BF16: weights and x rounded to bf16,
     * sums in floats: up to twice as fast from some ten rows on. The adapter is in floats. */
    enum { FT_PRODUCTS_F32, FT_PRODUCTS_BF16 } compute;
} ft_products;

/* Returns: floats of scratch that a worker needs for rows of up to max_cols and up to max_M
 * rows of X. */
size_t ft_products_scratch(size_t max_cols, size_t max_M);

void ft_products_run(const ft_products *p, ft_pool *pool);

#endif
