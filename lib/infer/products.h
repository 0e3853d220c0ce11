/* products.h: Y = X W' for a few rows of X, with the low-rank term of an adapter, spread over a
 * pool. Part of the decoder.
 *
 * Weights are decoded a few rows at a time and used for all rows of X while they are in the cache.
 * Each element of Y is one dot product along K in the order of kernels.h's dot_rows, so it does
 * not depend on M, on the tile or on the thread.
 */
#ifndef FT_PRODUCTS_H
#define FT_PRODUCTS_H

#include "base/pool.h"
#include "model/model.h"

#include <stddef.h>

enum { FT_PRODUCT_ROWS = 8 };      /* rows of a weight matrix decoded at once */

typedef struct ft_product {
    const ft_weight *w;
    const float *x;                /* M rows of w->cols                                   */
    float *y;                      /* M rows of w->rows                                   */
    const float *a, *b;            /* adapter: A [R x cols], B [rows x R]; NULL: none      */
    float *ax;                     /* room for M x R floats; unused without an adapter     */
} ft_product;

typedef struct ft_products {
    const ft_product *list;
    size_t n, M, R;
    float scaling;                 /* of the adapters: y = W x + scaling * B (A x)         */
    float **scratch;               /* a block of ft_products_scratch floats a pool worker  */
} ft_products;

/* Returns: floats of scratch that a worker needs for rows of up to max_cols and up to max_M
 * rows of X. */
size_t ft_products_scratch(size_t max_cols, size_t max_M);

void ft_products_run(const ft_products *p, ft_pool *pool);

#endif
