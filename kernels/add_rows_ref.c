#include "kernels/kernels_internal.h"

void ft_k_add_rows_ref(const float *p, size_t ldp, size_t m, const float *v, size_t k, size_t n,
                       float *y)
{
    for (size_t i = 0; i < m; i++)
        for (size_t t = 0; t < k; t++)
            for (size_t j = 0; j < n; j++)
                y[i * n + j] += p[i * ldp + t] * v[t * n + j];
}
