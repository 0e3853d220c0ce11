#include "kernels/kernels_internal.h"

/* Sixteen running sums, one for each residue of the index, folded by halves: the order of the
 * wide registers, so that the families differ by the rounding of fused multiplication only. */
enum { LANES = 16 };

static float dot(const float *a, const float *b, size_t k)
{
    float sum[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= k; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            sum[l] += a[i + l] * b[i + l];
    for (size_t l = 0; i + l < k; l++)
        sum[l] += a[i + l] * b[i + l];
    for (size_t half = LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            sum[l] += sum[l + half];
    return sum[0];
}

void ft_k_dot_rows_ref(const float *x, size_t ldx, size_t m, const float *w, size_t n, size_t k,
                       float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            y[i * ldy + j] = dot(x + i * ldx, w + j * k, k);
}
