#include "model/model.h"

void ft_weight_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)w->type);
    size_t row_bytes = w->cols / info->block * info->block_bytes;
    const uint8_t *row = (const uint8_t *)w->data + r * row_bytes;
    ft_dequantise(w->type, row + from / info->block * info->block_bytes, out, n);
}
