#define _DEFAULT_SOURCE
#include "model/model.h"

#include <sys/mman.h>
#include <unistd.h>

void ft_weight_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)w->type);
    size_t row_bytes = w->cols / info->block * info->block_bytes;
    const uint8_t *row = (const uint8_t *)w->data + r * row_bytes;
    ft_dequantise(w->type, row + from / info->block * info->block_bytes, out, n);
}

void ft_weight_wanted(const ft_weight *w, int wanted)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)w->type);
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)w->data;
    uintptr_t to = from + w->rows * (w->cols / info->block * info->block_bytes);
    /* Whole pages: those at the ends belong to the neighbours, too. */
    from = (from + page - 1) & ~(page - 1);
    to &= ~(page - 1);
    if (from < to)
        (void)madvise((void *)from, to - from, wanted ? MADV_WILLNEED : MADV_DONTNEED);
}
