/* nf4.c: where the parts of a matrix in NF4 lie, and decoding it. */
#include "model/nf4.h"

#include "kernels/kernels.h"

#include <math.h>

/* Blocks whose scales are decoded at once: few, as most calls want 64 columns and the compiler
 * clears the array for each. */
#define SPAN ((size_t)16)

static size_t blocks_of(size_t n)
{
    return n / 64 + (n % 64 != 0);
}

static size_t groups_of(size_t blocks)
{
    return blocks / 256 + (blocks % 256 != 0);
}

size_t ft_nf4_bytes(size_t n)
{
    size_t blocks = blocks_of(n);
    return sizeof(float) * (1 + groups_of(blocks)) + blocks + n / 2;
}

ft_nf4 ft_nf4_of(const void *data, size_t n)
{
    ft_nf4 x;
    x.blocks = blocks_of(n);
    x.groups = groups_of(x.blocks);
    x.offset = data;
    x.group_scale = x.offset + 1;
    x.scale_code = (const uint8_t *)(x.group_scale + x.groups);
    x.code = x.scale_code + x.blocks;
    return x;
}

void ft_nf4_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out)
{
    const ft_kernels *k = ft_kernels_get();
    ft_nf4 x = ft_nf4_of(w->data, w->rows * w->cols);
    size_t at = (w->head_rows ? ft_row_to_peft(r, w->head_rows) : r) * w->cols + from;
    float scale[SPAN + 1];
    while (n) {
        size_t block = at / 64, count = n < SPAN * 64 ? n : SPAN * 64;
        size_t blocks = (at % 64 + count + 63) / 64;
        for (size_t i = 0; i < blocks; i++)
            scale[i] = ft_nf4_scale_map[x.scale_code[block + i]] *
                       x.group_scale[(block + i) / 256] + *x.offset;
        k->dequant_nf4(x.code + block * 32, scale, at % 64, out, count);
        at += count;
        out += count;
        n -= count;
    }
}

int ft_nf4_is_sane(const ft_nf4 *x)
{
    int sane = isfinite(*x->offset) && *x->offset >= 0;
    for (size_t i = 0; i < x->groups; i++)
        sane &= isfinite(x->group_scale[i]) && x->group_scale[i] >= 0;
    return sane;
}
