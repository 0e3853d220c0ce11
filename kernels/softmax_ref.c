#include "kernels/exp_ref.h"
#include "kernels/kernels_internal.h"

#include <math.h>

float ft_k_max_ref(const float *x, size_t n)
{
    float m = -INFINITY;
    for (size_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

float ft_k_sum_exp_ref(const float *x, float shift, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)ft_exp_ref(x[i] - shift);
    return (float)sum;
}

float ft_k_softmax_ref(float *x, float scale, size_t n)
{
    float max = ft_k_max_ref(x, n) * scale, inv;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = ft_exp_ref(x[i] * scale - max);
        sum += (double)x[i];
    }
    inv = (float)(1 / sum);
    for (size_t i = 0; i < n; i++)
        x[i] *= inv;
    return (float)(log(sum) + (double)max);
}

void ft_k_softmax_again_ref(float *x, float scale, float lse, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ft_exp_ref(x[i] * scale - lse);
}
