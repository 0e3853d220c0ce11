/* lora_rows.h: what adapters add to products of rows that may each have another adapter, or none:
 * y += scaling * B (A x). An element depends on its own row alone. Part of pass.h.
 */
#ifndef FT_LORA_ROWS_H
#define FT_LORA_ROWS_H

#include "base/pool.h"
#include "nn/adapter.h"

#include <stddef.h>

typedef struct ft_lora_rows {
    const ft_adapter *const *lora;    /* of each row; NULL: the base alone                 */
    size_t rows, layer;
    size_t n;                      /* products of the same x, at most 3                 */
    const enum ft_target *targets; /* n */
    const float *x;                /* rows x cols                                       */
    size_t cols;
    float *const *y;               /* n results of rows x width[i]                      */
    const size_t *width;
    float *ax;                     /* room for 3 x rows x max_rank                      */
    size_t max_rank;
} ft_lora_rows;

void ft_lora_rows_add(const ft_lora_rows *r, ft_pool *pool);

#endif
