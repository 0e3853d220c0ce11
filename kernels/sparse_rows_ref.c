#include "kernels/kernels_internal.h"

void ft_k_sparse_rows_ref(const float *w, size_t width, const uint32_t *row, const float *x,
                          size_t n, float *z)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            z[k] += x[i] * w[row[i] * width + k];
}

void ft_k_sparse_rows_back_ref(float *w, size_t width, const uint32_t *row, const float *x,
                               size_t n, const float *z)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < width; k++)
            w[row[i] * width + k] += x[i] * z[k];
}
