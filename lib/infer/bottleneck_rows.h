/* bottleneck_rows.h: what bottlenecks make of the output y of o or down of rows that may each have
 * another adapter, or none: y += U silu(D y + b) + c (nn/adapter.h). An element depends on its own
 * row alone. Part of pass.h.
 */
#ifndef FT_BOTTLENECK_ROWS_H
#define FT_BOTTLENECK_ROWS_H

#include "base/pool.h"
#include "nn/adapter.h"

#include <stddef.h>

typedef struct ft_bottleneck_rows {
    const ft_adapter *const *adapters;    /* of each row; NULL: the base alone              */
    size_t rows, layer;
    enum ft_target target;         /* whose output y is                                     */
    float *y;                      /* rows x cols                                           */
    size_t cols;
    float *narrow;                 /* room for rows x max_rank                              */
    size_t max_rank;
} ft_bottleneck_rows;

void ft_bottleneck_rows_run(const ft_bottleneck_rows *r, ft_pool *pool);

#endif
