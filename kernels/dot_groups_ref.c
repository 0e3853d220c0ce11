/* dot_groups_ref.c: rows in blocks of bytes with groups of rows of weights; see kernels.h. */
#include "kernels/groups.h"
#include "kernels/half_ref.h"
#include "kernels/kernels_internal.h"
#include "kernels/quantise_ref.h"

void ft_k_to_blocks_s8_ref(const float *x, ft_block_s8 *to, size_t n)
{
    for (ft_block_s8 *b = to; b < to + n / 32; b++, x += 32) {
        uint32_t largest = 0;
        float inverse;
        for (size_t i = 0; i < 32; i++) {
            uint32_t u;
            memcpy(&u, x + i, sizeof u);
            u &= 0x7fffffff;
            largest = u > largest ? u : largest;
        }
        b->scale = ft_scale_s8(largest, &inverse);
        b->sum = 0;
        for (size_t i = 0; i < 32; i++) {
            if (i == 16)
                b->first = b->sum;
            b->q[i] = inverse == 0 ? 0 : (int8_t)rintf(x[i] * inverse);
            b->sum += b->q[i];
        }
        b->offset = b->scale * (float)b->sum;
    }
}

/* Code i of row r in the codes of a block, with its sign. */
static int code_at(enum ft_groups type, const uint8_t *codes, size_t r, size_t i)
{
    if (ft_groups_in_nibbles(type))
        return (codes[i % 16 / 4 * 64 + r * 4 + i % 4] >> i / 16 * 4 & 15) - ft_groups_bias(type);
    return codes[i / 4 * 64 + r * 4 + i % 4] - ft_groups_bias(type);
}

/* What a block of a row is multiplied with: d (of the two halves), and m. */
static void scales_of(enum ft_groups type, const uint8_t *s, const uint8_t *super, size_t r,
                      float d[2], float *m)
{
    *m = 0;
    if (type == FT_BYTES_K16) {
        d[0] = half_at(super + 2 * r) * (float)(int8_t)s[r];
        d[1] = half_at(super + 2 * r) * (float)(int8_t)s[FT_GROUP + r];
        return;
    }
    if (ft_groups_are_k(type)) {
        d[0] = half_at(super + 2 * r) * (float)s[r];
        *m = -(half_at(super + (size_t)2 * FT_GROUP + 2 * r) * (float)s[FT_GROUP + r]);
    } else {
        d[0] = half_at(s + 2 * r);
        if (type == FT_NIBBLES_MIN || type == FT_BYTES_MIN)
            *m = half_at(s + (size_t)2 * FT_GROUP + 2 * r);
    }
    d[1] = d[0];
}

static int has_min(enum ft_groups type)
{
    return type != FT_NIBBLES && type != FT_BYTES && type != FT_BYTES_K16;
}

/* One element: x with row r of the group at w. */
static float dot(enum ft_groups type, const ft_block_s8 *x, const uint8_t *w, size_t r, size_t k)
{
    const uint8_t *scales = w + ft_groups_scales_at(type, k);
    const uint8_t *supers = w + ft_groups_supers_at(type, k);
    float y = 0;
    for (size_t b = 0; b < k / 32; b++, x++) {
        int32_t sum[2] = {0, 0};
        float d[2], m;
        for (size_t i = 0; i < 32; i++)
            sum[i / 16] += code_at(type, w + b * ft_groups_code_bytes(type), r, i) * x->q[i];
        scales_of(type, scales + b * ft_groups_scale_bytes(type),
                  supers + b / 8 * ft_groups_super_bytes(type), r, d, &m);
        if (type == FT_BYTES_K16) {
            y = fmaf((float)sum[0], d[0] * x->scale, y);
            y = fmaf((float)sum[1], d[1] * x->scale, y);
        } else {
            y = fmaf((float)(sum[0] + sum[1]), d[0] * x->scale, y);
        }
        if (has_min(type))
            y = fmaf(m, x->offset, y);
    }
    return y;
}

void ft_k_dot_groups_ref(enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
                         const void *w, size_t n, size_t k, float *y, size_t ldy)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            y[i * ldy + j] = dot(type, x + i * ldx,
                                 (const uint8_t *)w + j / FT_GROUP * ft_groups_bytes(type, k),
                                 j % FT_GROUP, k);
}
