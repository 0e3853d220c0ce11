#include "kernels/kernels_internal.h"

void ft_k_rope_ref(float *x, const float *cos_sin, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        float a = x[i], b = x[i + 1], c = cos_sin[i], s = cos_sin[i + 1];
        x[i] = a * c - b * s;
        x[i + 1] = a * s + b * c;
    }
}

void ft_k_rope_back_ref(float *x, const float *cos_sin, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        float a = x[i], b = x[i + 1], c = cos_sin[i], s = cos_sin[i + 1];
        x[i] = a * c + b * s;
        x[i + 1] = b * c - a * s;
    }
}
