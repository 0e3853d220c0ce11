/* gemm_ref.c: products of rows with a packed panel, and the packing; see kernels.h. */
#include "kernels/bf16_ref.h"
#include "kernels/kernels_internal.h"

void ft_k_gemm_f32_ref(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                       float *c, size_t ldc, int add)
{
    const float *x = a, *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += x[i * lda + p] * b[p * width + j];
            c[i * ldc + j] = add ? c[i * ldc + j] + sum : sum;
        }
}

void ft_k_gemm_bf16_ref(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                        float *c, size_t ldc, int add)
{
    const uint16_t *x = a, *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            float sum = 0;
            for (size_t p = 0; p < k; p += 2) {
                const uint16_t *pair = b + (p / 2 * width + j) * 2;
                sum += ft_from_bf16(x[i * lda + p]) * ft_from_bf16(pair[0]);
                sum += ft_from_bf16(x[i * lda + p + 1]) * ft_from_bf16(pair[1]);
            }
            c[i * ldc + j] = add ? c[i * ldc + j] + sum : sum;
        }
}

void ft_k_pack_rows_f32_ref(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const float *x = src;
    float *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < width; j++)
            b[p * width + j] = j < n ? x[j * lds + p] : 0;
}

void ft_k_pack_cols_f32_ref(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const float *x = src;
    float *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < width; j++)
            b[p * width + j] = j < n ? x[p * lds + j] : 0;
}

void ft_k_pack_rows_bf16_ref(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const uint16_t *x = src;
    uint16_t *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k + k % 2; p++)
        for (size_t j = 0; j < width; j++)
            b[(p / 2 * width + j) * 2 + p % 2] = j < n && p < k ? x[j * lds + p] : 0;
}

void ft_k_pack_cols_bf16_ref(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const uint16_t *x = src;
    uint16_t *b = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k + k % 2; p++)
        for (size_t j = 0; j < width; j++)
            b[(p / 2 * width + j) * 2 + p % 2] = j < n && p < k ? x[p * lds + j] : 0;
}

void ft_k_to_bf16_ref(const float *src, uint16_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = ft_to_bf16(src[i]);
}
