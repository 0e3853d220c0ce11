#include "kernels/kernels_internal.h"

#include <string.h>

enum { LANES = 16 };

static float float_of(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float dot(const uint16_t *a, const uint16_t *b, size_t k)
{
    float sum[LANES] = {0};
    for (size_t i = 0; i < k; i++)
        sum[i / 2 % LANES] += float_of(a[i]) * float_of(b[i]);
    for (size_t half = LANES / 2; half; half /= 2)
        for (size_t l = 0; l < half; l++)
            sum[l] += sum[l + half];
    return sum[0];
}

void ft_k_dot_rows_bf16_ref(const uint16_t *x, size_t ldx, size_t m, const uint16_t *w, size_t n,
                            size_t k, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            y[i * ldy + j] = dot(x + i * ldx, w + j * k, k);
}
