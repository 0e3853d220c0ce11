#include "kernels/kernels_internal.h"

#include <math.h>

float ft_k_rmsnorm_ref(const float *x, const float *w, float eps, float *y, size_t n)
{
    float inv = (float)(1 / sqrt(ft_k_sum_squares_ref(x, n) / (double)(n ? n : 1) + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * inv * w[i];
    return inv;
}

/* With r = inv_rms: dx_i = r (dy_i w_i - x_i r^2 mean_j(dy_j w_j x_j)). */
void ft_k_rmsnorm_back_ref(const float *dy, const float *x, const float *w, float inv_rms,
                           float *dx, size_t n)
{
    double sum = 0;
    float shared;
    for (size_t i = 0; i < n; i++)
        sum += (double)(dy[i] * w[i]) * (double)x[i];
    shared = (float)(sum / (double)(n ? n : 1)) * inv_rms * inv_rms;
    for (size_t i = 0; i < n; i++)
        dx[i] += inv_rms * (dy[i] * w[i] - x[i] * shared);
}
