/* gemm_s8_ref.c: products in bytes with a scale for each row and column; see kernels.h. */
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"

/* Bits of the largest magnitude of n numbers, `step` apart. */
static uint32_t largest(const float *x, size_t step, size_t n)
{
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, x + i * step, sizeof u);
        u &= 0x7fffffff;
        max = u > max ? u : max;
    }
    return max;
}

static int32_t quantised(float x, float inverse)
{
    return inverse == 0 ? 0 : (int32_t)rintf(x * inverse);
}

float ft_k_quantise_row_s8_ref(const float *x, uint8_t *q, size_t n)
{
    float inverse, scale = ft_scale_s8(largest(x, 1, n), &inverse);
    for (size_t i = 0; i < n; i++)
        q[i] = (uint8_t)(quantised(x[i], inverse) + 128);
    return scale;
}

/* Column j of the panel is the k numbers at x, `step` apart. */
static float pack_column(const float *x, size_t step, size_t k, size_t width, size_t j, int8_t *b,
                         int32_t *offset)
{
    float inverse, scale = ft_scale_s8(largest(x, step, k), &inverse);
    int32_t sum = 0;
    for (size_t p = 0; p < (k + 3) / 4 * 4; p++) {
        int32_t q = p < k ? quantised(x[p * step], inverse) : 0;
        b[(p / 4 * width + j) * 4 + p % 4] = (int8_t)q;
        sum += q;
    }
    *offset = 128 * sum;
    return scale;
}

static void pack_nothing(size_t n, size_t k, int8_t *b)
{
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t g = 0; g < (k + 3) / 4; g++)
        memset(b + (g * width + n) * 4, 0, (width - n) * 4);
}

void ft_k_pack_rows_s8_ref(const float *src, size_t lds, size_t n, size_t k, void *panel,
                           float *scale, int32_t *offset)
{
    for (size_t j = 0; j < n; j++)
        scale[j] = pack_column(src + j * lds, 1, k, FT_PANEL_WIDTH(n), j, panel, offset + j);
    pack_nothing(n, k, panel);
}

void ft_k_pack_cols_s8_ref(const float *src, size_t lds, size_t n, size_t k, void *panel,
                           float *scale, int32_t *offset)
{
    for (size_t j = 0; j < n; j++)
        scale[j] = pack_column(src + j, lds, k, FT_PANEL_WIDTH(n), j, panel, offset + j);
    pack_nothing(n, k, panel);
}

void ft_k_gemm_s8_ref(size_t m, size_t n, size_t k, const uint8_t *a, size_t lda,
                      const float *a_scale, const void *panel, const float *scale,
                      const int32_t *offset, float *c, size_t ldc, int add)
{
    const int8_t *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int32_t sum = 0;
            float v;
            for (size_t p = 0; p < k; p++)
                sum += a[i * lda + p] * b[(p / 4 * width + j) * 4 + p % 4];
            v = (float)(sum - offset[j]) * a_scale[i] * scale[j];
            c[i * ldc + j] = add ? c[i * ldc + j] + v : v;
        }
}
