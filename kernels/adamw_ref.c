#include "kernels/kernels_internal.h"

#include <math.h>

void ft_k_adamw_ref(float *w, float *m, float *v, const float *g, size_t n, float lr, float beta1,
                    float beta2, float c1, float c2, float eps, float decay)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
        w[i] -= lr * (m[i] / c1 / (sqrtf(v[i] / c2) + eps) + decay * w[i]);
    }
}
