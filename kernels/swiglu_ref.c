#include "kernels/exp_ref.h"
#include "kernels/kernels_internal.h"

void ft_k_swiglu_ref(const float *gate, const float *up, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + ft_exp_ref(-gate[i])) * up[i];
}

/* silu'(g) = s (1 + g (1 - s)), s = 1 / (1 + exp(-g)). */
void ft_k_swiglu_back_ref(const float *dy, const float *gate, const float *up, float *dgate,
                          float *dup, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float s = 1.0f / (1.0f + ft_exp_ref(-gate[i]));
        dgate[i] = dy[i] * up[i] * s * (1.0f + gate[i] * (1.0f - s));
        dup[i] = dy[i] * gate[i] * s;
    }
}
