/* attention_tile_ref.c: softmax of a tile of attention's scores, keys by queries; see kernels.h. */
#include "kernels/bf16_ref.h"
#include "kernels/exp_ref.h"
#include "kernels/kernels_internal.h"

enum { Q = FT_TILE_QUERIES };

/* Element (key, q) of a packed panel, or of rows, in floats or bf16. */
static void put_panel(void *panel, int bf16, size_t key, size_t q, float v)
{
    if (bf16)
        ((uint16_t *)panel)[(key / 2 * Q + q) * 2 + key % 2] = ft_to_bf16(v);
    else
        ((float *)panel)[key * Q + q] = v;
}

static void put_row(void *rows, int bf16, size_t key, size_t q, float v)
{
    if (bf16)
        ((uint16_t *)rows)[key * Q + q] = ft_to_bf16(v);
    else
        ((float *)rows)[key * Q + q] = v;
}

static int forward(const float *s, size_t keys, float scale, const int32_t *limit, float *max,
                   float *sum, float *factor, void *panel, int bf16)
{
    int changed = 0;
    for (size_t q = 0; q < Q; q++) {
        float m = max[q], shift, part = 0;
        for (size_t i = 0; i < keys; i++)
            if ((int32_t)i < limit[q] && s[i * Q + q] * scale > m)
                m = s[i * Q + q] * scale;
        shift = m == -INFINITY ? 0 : m;
        factor[q] = ft_exp_ref(max[q] - shift);
        changed |= factor[q] != 1;
        for (size_t i = 0; i < keys + (bf16 ? keys % 2 : 0); i++) {
            float p = i < keys && (int32_t)i < limit[q]
                          ? ft_exp_ref(s[i * Q + q] * scale - shift) : 0;
            put_panel(panel, bf16, i, q, p);
            part += p;
        }
        sum[q] = sum[q] * factor[q] + part;
        max[q] = m;
    }
    return changed;
}

static void backward(const float *s, const float *dp, size_t keys, float scale,
                     const int32_t *limit, const float *lse, const float *delta, void *p_rows,
                     void *ds_rows, void *ds_panel, int bf16)
{
    for (size_t i = 0; i < keys + (bf16 ? keys % 2 : 0); i++)
        for (size_t q = 0; q < Q; q++) {
            float p = 0, ds = 0;
            if (i < keys && (int32_t)i < limit[q]) {
                p = ft_exp_ref(s[i * Q + q] * scale - lse[q]);
                ds = p * (dp[i * Q + q] - delta[q]) * scale;
            }
            if (i < keys) {
                put_row(p_rows, bf16, i, q, p);
                put_row(ds_rows, bf16, i, q, ds);
            }
            put_panel(ds_panel, bf16, i, q, ds);
        }
}

int ft_k_softmax_tile_f32_ref(const float *s, size_t keys, float scale, const int32_t *limit,
                              float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 0);
}

int ft_k_softmax_tile_bf16_ref(const float *s, size_t keys, float scale, const int32_t *limit,
                               float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 1);
}

void ft_k_softmax_tile_back_f32_ref(const float *s, const float *dp, size_t keys, float scale,
                                    const int32_t *limit, const float *lse, const float *delta,
                                    void *p_rows, void *ds_rows, void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 0);
}

void ft_k_softmax_tile_back_bf16_ref(const float *s, const float *dp, size_t keys, float scale,
                                     const int32_t *limit, const float *lse, const float *delta,
                                     void *p_rows, void *ds_rows, void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 1);
}
