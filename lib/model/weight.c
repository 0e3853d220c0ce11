/* weight.c: frozen weights as floats, and which weights a tensor of the file stands for. */
#include "model/model.h"

#include "kernels/kernels.h"
#include "model/nf4.h"

#include <string.h>

/* The block that holds weight `at`, counted over the whole matrix, whose rows are whole blocks. */
static const void *block_at(const ft_weight *w, size_t at, size_t block, size_t bytes)
{
    return (const uint8_t *)w->data + at / block * bytes;
}

/* Called for every row of every tile, so the sizes of blocks are constants and not looked up. */
void ft_weight_part(const ft_weight *w, size_t r, size_t from, size_t n, float *out)
{
    const ft_kernels *k = ft_kernels_get();
    size_t at = r * w->cols + from;
    switch (w->type) {
    case FT_F32:
        if (n)
            memcpy(out, block_at(w, at, 1, 4), n * sizeof *out);
        break;
    case FT_F16: k->dequant_f16(block_at(w, at, 1, 2), out, n); break;
    case FT_BF16: k->dequant_bf16(block_at(w, at, 1, 2), out, n); break;
    case FT_Q8_0: k->dequant_q8_0(block_at(w, at, 32, 34), out, n); break;
    case FT_Q4_0: k->dequant_q4_0(block_at(w, at, 32, 18), out, n); break;
    case FT_Q4_1: k->dequant_q4_1(block_at(w, at, 32, 20), out, n); break;
    case FT_Q5_0: k->dequant_q5_0(block_at(w, at, 32, 22), out, n); break;
    case FT_Q5_1: k->dequant_q5_1(block_at(w, at, 32, 24), out, n); break;
    case FT_Q4_K: k->dequant_q4_k(block_at(w, at, 256, 144), at % 256, out, n); break;
    case FT_Q5_K: k->dequant_q5_k(block_at(w, at, 256, 176), at % 256, out, n); break;
    case FT_Q6_K: k->dequant_q6_k(block_at(w, at, 256, 210), at % 256, out, n); break;
    case FT_NF4: ft_nf4_part(w, r, from, n, out); break;
    }
}

void ft_weight_range(const ft_weight *w, size_t from, size_t n, float *out)
{
    while (n) {
        size_t col = from % w->cols, span = w->cols - col < n ? w->cols - col : n;
        ft_weight_part(w, from / w->cols, col, span, out);
        from += span;
        out += span;
        n -= span;
    }
}

int ft_model_find(const ft_model *m, const ft_tensor *t, size_t *layer, enum ft_target *target)
{
    for (size_t l = 0; l < m->L; l++)
        for (int i = 0; i < FT_TARGETS; i++)
            if (m->layers[l].tensor[i] == t) {
                *layer = l;
                *target = (enum ft_target)i;
                return 1;
            }
    return 0;
}

ft_weight ft_model_weight(const ft_model *m, const ft_tensor *t)
{
    size_t layer;
    enum ft_target target;
    if (ft_model_find(m, t, &layer, &target))
        return m->layers[layer].w[target];
    return (ft_weight){.type = t->type, .rows = (size_t)t->shape[1], .cols = (size_t)t->shape[0],
                       .data = t->data};
}

uint64_t ft_model_parameters(const ft_model *m)
{
    uint64_t n = (uint64_t)m->V * m->C * (m->tied ? 1 : 2) + m->C * (2 * m->L + 1);
    for (size_t l = 0; l < m->L; l++)
        for (int t = 0; t < FT_TARGETS; t++)
            n += (uint64_t)m->layers[l].w[t].rows * m->layers[l].w[t].cols;
    return n;
}

size_t ft_model_weight_bytes(const ft_model *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ft_gguf_tensor_count(m->gguf); i++)
        bytes += ft_gguf_tensor_at(m->gguf, i)->bytes;
    for (size_t l = 0; l < m->L; l++)
        for (size_t i = 0; i < FT_TARGETS; i++)
            if (m->layers[l].own[i]) {
                const ft_weight *w = &m->layers[l].w[i];
                bytes += ft_nf4_bytes(w->rows * w->cols);
                bytes -= m->layers[l].tensor[i]->bytes;
            }
    return bytes;
}

void ft_model_layer_wanted(const ft_model *m, size_t layer, int wanted)
{
    for (size_t i = 0; i < FT_TARGETS; i++) {
        const ft_tensor *t = m->layers[layer].tensor[i];
        if (!m->layers[layer].own[i])
            (wanted ? ft_gguf_want : ft_gguf_forget)(m->gguf, t->data, t->bytes);
    }
}
