#include "infer/packed.h"

#include "base/mem.h"
#include "kernels/groups.h"
#include "kernels/k_scales.h"

#include <string.h>

enum { TASK_GROUPS = 16 };       /* groups that are packed by one task */

struct ft_packed {
    size_t n;                    /* matrices: seven of each layer, the head */
    const ft_weight **weight;
    ft_matrix_packed *matrix;
    size_t *first_task;          /* of each matrix; n + 1 of them           */
    uint8_t *memory;
};

/* ---- types ---- */

/* Returns: whether there are products in bytes with such weights. */
static int groups_of(const ft_weight *w, enum ft_groups *g)
{
    switch (w->type) {
    case FT_Q4_0: *g = FT_NIBBLES; return 1;
    case FT_Q4_1: *g = FT_NIBBLES_MIN; return 1;
    case FT_Q8_0:
    case FT_Q5_0: *g = FT_BYTES; return 1;
    case FT_Q5_1: *g = FT_BYTES_MIN; return 1;
    case FT_Q4_K: *g = FT_NIBBLES_K; return 1;
    case FT_Q5_K: *g = FT_BYTES_K; return 1;
    case FT_Q6_K: *g = FT_BYTES_K16; return 1;
    default: return 0;
    }
}

static size_t groups_in(const ft_weight *w)
{
    return (w->rows + FT_GROUP - 1) / FT_GROUP;
}

static size_t matrix_bytes(const ft_weight *w)
{
    enum ft_groups g;
    return groups_of(w, &g) ? groups_in(w) * ft_groups_bytes(g, w->cols) : 0;
}

/* ---- one block: codes without sign, as the group has them ---- */

/* Thirty-two codes, of one row, into the codes of a block. */
static void put_codes(enum ft_groups g, const uint8_t code[32], uint8_t *to)
{
    uint8_t both[16];
    if (!ft_groups_in_nibbles(g)) {
        for (size_t t = 0; t < 8; t++)
            memcpy(to + 64 * t, code + 4 * t, 4);
        return;
    }
    for (size_t i = 0; i < 16; i++)
        both[i] = (uint8_t)(code[i] | code[i + 16] << 4);
    for (size_t t = 0; t < 4; t++)
        memcpy(to + 64 * t, both + 4 * t, 4);
}

static int fifth_bit(const uint8_t *p, size_t i)
{
    return (p[i / 8] >> i % 8 & 1) << 4;
}

/* Codes of Q5_0 and Q5_1: their nibbles, with the fifth bits at `high`. */
static void codes_of_5(const uint8_t *high, const uint8_t *nibbles, int add, uint8_t code[32])
{
    for (size_t i = 0; i < 16; i++) {
        code[i] = (uint8_t)(((nibbles[i] & 15) | fifth_bit(high, i)) + add);
        code[i + 16] = (uint8_t)((nibbles[i] >> 4 | fifth_bit(high, i + 16)) + add);
    }
}

/* Codes of sub-block j of a super-block at p. */
static void codes_of_k(ft_type type, const uint8_t *p, size_t j, uint8_t code[32])
{
    const uint8_t *q = p + (type == FT_Q4_K ? 16 : 48) + j / 2 * 32;
    for (size_t i = 0; i < 32; i++) {
        int c = q[i] >> j % 2 * 4 & 15;
        if (type == FT_Q5_K)
            c = (c | (p[16 + i] >> j & 1) << 4) + 128;
        code[i] = (uint8_t)c;
    }
}

static void codes_of_6(const uint8_t *p, size_t j, uint8_t code[32])
{
    const uint8_t *low = p + j / 4 * 64 + j % 2 * 32, *high = p + 128 + j / 4 * 32;
    size_t quarter = j % 4;
    for (size_t i = 0; i < 32; i++) {
        int c = (low[i] >> quarter / 2 * 4 & 15) | (high[i] >> 2 * quarter & 3) << 4;
        code[i] = (uint8_t)(c - 32 + 128);
    }
}

/* ---- rows ---- */

/* Where row r of a group, and block b of it, go. */
typedef struct place {
    uint8_t *codes, *scales, *supers;
} place;

static place place_of(enum ft_groups g, size_t k, size_t r, size_t b, uint8_t *to)
{
    return (place){to + b * ft_groups_code_bytes(g) + 4 * r,
                   to + ft_groups_scales_at(g, k) + b * ft_groups_scale_bytes(g),
                   to + ft_groups_supers_at(g, k) + b / 8 * ft_groups_super_bytes(g)};
}

/* Nibbles lie in a row's block as they do in the group's. */
static void put_nibbles(const uint8_t *nibbles, uint8_t *to)
{
    for (size_t t = 0; t < 4; t++)
        memcpy(to + 64 * t, nibbles + 4 * t, 4);
}

static void put_8_0(const uint8_t *codes, uint8_t *to)
{
    for (size_t t = 0; t < 8; t++) {
        uint32_t four;
        memcpy(&four, codes + 4 * t, 4);
        four ^= 0x80808080;
        memcpy(to + 64 * t, &four, 4);
    }
}

static void put_half(uint8_t *to, size_t r, const uint8_t *half)
{
    memcpy(to + 2 * r, half, 2);
}

static void pack_simple(ft_type type, enum ft_groups g, const uint8_t *p, size_t r, place to)
{
    uint8_t code[32];
    put_half(to.scales, r, p);
    if (type == FT_Q4_1 || type == FT_Q5_1)
        put_half(to.scales + (size_t)2 * FT_GROUP, r, p + 2);
    switch (type) {
    case FT_Q4_0: put_nibbles(p + 2, to.codes); return;
    case FT_Q4_1: put_nibbles(p + 4, to.codes); return;
    case FT_Q8_0: put_8_0(p + 2, to.codes); return;
    case FT_Q5_0: codes_of_5(p + 2, p + 6, 128 - 16, code); break;
    default: codes_of_5(p + 4, p + 8, 128, code); break;
    }
    put_codes(g, code, to.codes);
}

/* Sub-block j of the super-block at p. */
static void pack_k(ft_type type, enum ft_groups g, const uint8_t *p, size_t j, size_t r, place to)
{
    uint8_t code[32];
    if (type == FT_Q6_K) {
        codes_of_6(p, j, code);
        to.scales[r] = p[192 + 2 * j];
        to.scales[FT_GROUP + r] = p[193 + 2 * j];
        put_half(to.supers, r, p + 208);
    } else {
        float s, t;
        codes_of_k(type, p, j, code);
        scale_and_min(p + 4, j, &s, &t);
        to.scales[r] = (uint8_t)s;
        to.scales[FT_GROUP + r] = (uint8_t)t;
        put_half(to.supers, r, p);
        put_half(to.supers + (size_t)2 * FT_GROUP, r, p + 2);
    }
    put_codes(g, code, to.codes);
}

static void pack_row(const ft_weight *w, enum ft_groups g, size_t row, uint8_t *to)
{
    const ft_type_info *t = ft_type_info_of(w->type);
    const uint8_t *p = (const uint8_t *)w->data + row * (w->cols / t->block) * t->block_bytes;
    for (size_t b = 0; b < w->cols / 32; b++) {
        place at = place_of(g, w->cols, row % FT_GROUP, b, to);
        if (ft_groups_are_k(g))
            pack_k(w->type, g, p + b / 8 * t->block_bytes, b % 8, row % FT_GROUP, at);
        else
            pack_simple(w->type, g, p + b * t->block_bytes, row % FT_GROUP, at);
    }
}

/* ---- the model ---- */

static void pack_task(void *ctx, size_t task, unsigned worker)
{
    ft_packed *p = ctx;
    const ft_weight *w;
    const ft_matrix_packed *m;
    size_t i = 0, group, end;
    (void)worker;
    while (p->first_task[i + 1] <= task)
        i++;
    w = p->weight[i];
    m = &p->matrix[i];
    group = (task - p->first_task[i]) * TASK_GROUPS;
    end = group + TASK_GROUPS < groups_in(w) ? group + TASK_GROUPS : groups_in(w);
    for (; group < end; group++) {
        uint8_t *to = (uint8_t *)(uintptr_t)m->groups + group * m->group_bytes;
        size_t row = group * FT_GROUP;
        if (w->rows - row < FT_GROUP)
            memset(to, 0, m->group_bytes);
        for (size_t r = row; r < w->rows && r < row + FT_GROUP; r++)
            pack_row(w, m->type, r, to);
    }
}

static void list_weights(const ft_model *m, const ft_weight **list)
{
    for (size_t l = 0; l < m->L; l++)
        for (size_t t = 0; t < FT_TARGETS; t++)
            *list++ = &m->layers[l].w[t];
    *list = &m->head;
}

static size_t all_bytes(const ft_model *m)
{
    size_t bytes = matrix_bytes(&m->head);
    for (size_t l = 0; l < m->L; l++)
        for (size_t t = 0; t < FT_TARGETS; t++)
            bytes += matrix_bytes(&m->layers[l].w[t]);
    return bytes;
}

size_t ft_packed_bytes(const ft_model *m)
{
    size_t n = m->L * FT_TARGETS + 1, bytes = all_bytes(m);
    if (bytes == 0)
        return 0;
    return bytes + n * (sizeof(ft_weight *) + sizeof(ft_matrix_packed) + sizeof(size_t));
}

/* Gives each matrix its place in memory and its tasks. */
static void lay_out(ft_packed *p)
{
    uint8_t *at = p->memory;
    for (size_t i = 0; i < p->n; i++) {
        const ft_weight *w = p->weight[i];
        ft_matrix_packed *m = &p->matrix[i];
        size_t tasks = 0;
        if (groups_of(w, &m->type)) {
            m->group_bytes = ft_groups_bytes(m->type, w->cols);
            m->groups = at;
            at += matrix_bytes(w);
            tasks = (groups_in(w) + TASK_GROUPS - 1) / TASK_GROUPS;
        }
        p->first_task[i + 1] = p->first_task[i] + tasks;
    }
}

/* The copies are read from here on: what was mapped need not stay in memory. */
static void let_go(const ft_packed *p, const ft_model *m)
{
    for (size_t l = 0; l < m->L; l++) {
        size_t packed = 0;
        for (size_t t = 0; t < FT_TARGETS; t++)
            packed += p->matrix[l * FT_TARGETS + t].groups != NULL;
        if (packed == FT_TARGETS)
            ft_model_layer_wanted(m, l, 0);
    }
}

int ft_packed_new(ft_packed **out, const ft_model *m, ft_pool *pool, ft_err *e)
{
    ft_packed *p = *out = ft_new(1, sizeof *p, e);
    if (!p)
        return FT_ERR_NOMEM;
    p->n = m->L * FT_TARGETS + 1;
    p->weight = ft_new(p->n, sizeof *p->weight, e);
    p->matrix = ft_new(p->n, sizeof *p->matrix, e);
    p->first_task = ft_new(p->n + 1, sizeof *p->first_task, e);
    p->memory = ft_new_aligned(all_bytes(m), 1, e);
    if (!p->weight || !p->matrix || !p->first_task || !p->memory) {
        ft_packed_free(out);
        return FT_ERR_NOMEM;
    }
    list_weights(m, p->weight);
    lay_out(p);
    ft_pool_run(pool, p->first_task[p->n], pack_task, p);
    let_go(p, m);
    return 0;
}

void ft_packed_free(ft_packed **out)
{
    ft_packed *p = *out;
    if (!p)
        return;
    ft_free(p->weight);
    ft_free(p->matrix);
    ft_free(p->first_task);
    ft_free(p->memory);
    ft_free(p);
    *out = NULL;
}

const ft_matrix_packed *ft_packed_of(const ft_packed *p, size_t layer, enum ft_target t)
{
    return &p->matrix[layer * FT_TARGETS + (size_t)t];
}

const ft_matrix_packed *ft_packed_head(const ft_packed *p)
{
    return &p->matrix[p->n - 1];
}
