/* row_order.c: the order of q's and k's rows, GGUF's against PEFT's (see model.h). */
#include "model/model.h"

#include <string.h>

size_t ft_row_to_peft(size_t r, size_t D)
{
    size_t in_head = r % D;
    return r - in_head + in_head % 2 * (D / 2) + in_head / 2;
}

size_t ft_row_from_peft(size_t r, size_t D)
{
    size_t in_head = r % D;
    return r - in_head + in_head % (D / 2) * 2 + in_head / (D / 2);
}

void ft_rows_from_peft(const float *src, float *dst, size_t n_heads, size_t D, size_t cols)
{
    for (size_t r = 0; r < n_heads * D; r++)
        memcpy(dst + r * cols, src + ft_row_to_peft(r, D) * cols, cols * sizeof *dst);
}

void ft_rows_to_peft(const float *src, float *dst, size_t n_heads, size_t D, size_t cols)
{
    for (size_t r = 0; r < n_heads * D; r++)
        memcpy(dst + ft_row_to_peft(r, D) * cols, src + r * cols, cols * sizeof *dst);
}
