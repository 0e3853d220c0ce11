#include "infer/kv.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { BUCKETS = 4096 };

typedef struct block {
    /* For each layer and each key head D rows of FT_KV_BLOCK elements of keys, then FT_KV_BLOCK
     * rows of D of values. */
    float *data;
    uint32_t holders;
    uint32_t next;               /* in its bucket when published, else in the list of free ones */
    uint32_t variant, n;         /* published: with n tokens; 0: not                            */
    uint64_t parent, name, let_go;
    uint32_t ids[FT_KV_BLOCK];
} block;

struct ft_kv {
    size_t L, heads, D;
    block *blocks;
    size_t n, cap, max;          /* blocks that have memory; room in the array; the bound */
    size_t held;
    uint32_t free;               /* first of those that nobody wants                      */
    uint64_t names, clock;
    uint32_t bucket[BUCKETS];
};

size_t ft_kv_block_bytes(const ft_model *m)
{
    return m->L * m->H_kv * 2 * FT_KV_BLOCK * m->D * sizeof(float);
}

int ft_kv_new(ft_kv **out, const ft_model *m, size_t max_blocks, ft_err *e)
{
    ft_kv *kv = *out = ft_new(1, sizeof *kv, e);
    if (!kv)
        return FT_ERR_NOMEM;
    kv->L = m->L;
    kv->heads = m->H_kv;
    kv->D = m->D;
    kv->max = max_blocks;
    kv->free = FT_KV_NONE;
    for (size_t i = 0; i < BUCKETS; i++)
        kv->bucket[i] = FT_KV_NONE;
    return 0;
}

void ft_kv_free(ft_kv **out)
{
    ft_kv *kv = *out;
    if (!kv)
        return;
    for (size_t i = 0; i < kv->n; i++)
        ft_free(kv->blocks[i].data);
    ft_free(kv->blocks);
    ft_free(kv);
    *out = NULL;
}

/* ---- finding ---- */

static size_t bucket_of(uint64_t parent, uint32_t variant, uint32_t first_id)
{
    uint64_t key[3] = {parent, variant, first_id};
    return ft_hash64(key, sizeof key, 0) % BUCKETS;
}

static uint32_t *bucket_at(ft_kv *kv, const block *b)
{
    return &kv->bucket[bucket_of(b->parent, b->variant, b->ids[0])];
}

static void unpublish(ft_kv *kv, uint32_t i)
{
    block *b = &kv->blocks[i];
    uint32_t *link;
    if (!b->n)
        return;
    for (link = bucket_at(kv, b); *link != i; link = &kv->blocks[*link].next)
        ;
    *link = b->next;
    b->n = 0;
}

uint64_t ft_kv_publish(ft_kv *kv, uint32_t i, uint64_t parent, uint32_t variant,
                       const uint32_t *ids, size_t n)
{
    block *b = &kv->blocks[i];
    uint32_t *bucket;
    unpublish(kv, i);
    b->parent = parent;
    b->variant = variant;
    b->n = (uint32_t)n;
    b->name = ++kv->names;
    memcpy(b->ids, ids, n * sizeof *ids);
    bucket = bucket_at(kv, b);
    b->next = *bucket;
    *bucket = i;
    return b->name;
}

static size_t common_ids(const uint32_t *a, const uint32_t *b, size_t n)
{
    size_t i = 0;
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

uint32_t ft_kv_find(const ft_kv *kv, uint64_t parent, uint32_t variant, const uint32_t *ids,
                    size_t n, size_t *common)
{
    uint32_t best = FT_KV_NONE;
    *common = 0;
    for (uint32_t i = kv->bucket[bucket_of(parent, variant, ids[0])]; i != FT_KV_NONE;
         i = kv->blocks[i].next) {
        const block *b = &kv->blocks[i];
        size_t same;
        if (b->parent != parent || b->variant != variant)
            continue;
        same = common_ids(b->ids, ids, b->n < n ? b->n : n);
        if (same > *common) {
            *common = same;
            best = i;
        }
        if (same == n)
            break;
    }
    return best;
}

uint64_t ft_kv_name(const ft_kv *kv, uint32_t i)
{
    return kv->blocks[i].name;
}

/* ---- holding ---- */

static int add_block(ft_kv *kv, uint32_t *out, ft_err *e)
{
    block *b;
    if (ft_grow(&kv->blocks, &kv->cap, kv->n + 1, sizeof *kv->blocks, e) < 0)
        return FT_ERR_NOMEM;
    b = &kv->blocks[kv->n];
    *b = (block){.next = FT_KV_NONE};
    b->data = ft_new_aligned(kv->L * kv->heads * 2 * FT_KV_BLOCK, kv->D * sizeof(float), e);
    if (!b->data)
        return FT_ERR_NOMEM;
    memset(b->data, 0, kv->L * kv->heads * 2 * FT_KV_BLOCK * kv->D * sizeof(float));
    *out = (uint32_t)kv->n++;
    return 0;
}

/* The published block that was let go longest ago. */
static uint32_t oldest(const ft_kv *kv)
{
    uint32_t best = FT_KV_NONE;
    for (uint32_t i = 0; i < kv->n; i++)
        if (kv->blocks[i].holders == 0 &&
            (best == FT_KV_NONE || kv->blocks[i].let_go < kv->blocks[best].let_go))
            best = i;
    return best;
}

int ft_kv_take(ft_kv *kv, uint32_t *out, ft_err *e)
{
    if (kv->free != FT_KV_NONE) {
        *out = kv->free;
        kv->free = kv->blocks[*out].next;
    } else if (kv->n < kv->max) {
        if (add_block(kv, out, e) < 0)
            return FT_ERR_NOMEM;
    } else {
        *out = oldest(kv);
        if (*out == FT_KV_NONE)
            return ft_err_set(e, FT_ERR_NOMEM, "all %zu blocks of keys and values are in use",
                              kv->max);
        unpublish(kv, *out);
    }
    kv->blocks[*out].holders = 1;
    kv->held++;
    return 0;
}

void ft_kv_hold(ft_kv *kv, uint32_t i)
{
    if (kv->blocks[i].holders++ == 0)
        kv->held++;
}

void ft_kv_drop(ft_kv *kv, uint32_t i)
{
    block *b = &kv->blocks[i];
    if (--b->holders > 0)
        return;
    kv->held--;
    b->let_go = ++kv->clock;
    if (!b->n) {
        b->next = kv->free;
        kv->free = i;
    }
}

size_t ft_kv_held(const ft_kv *kv)
{
    return kv->held;
}

/* ---- content ---- */

float *ft_kv_keys(const ft_kv *kv, uint32_t i, size_t layer, size_t head)
{
    return kv->blocks[i].data + (layer * kv->heads + head) * 2 * FT_KV_BLOCK * kv->D;
}

float *ft_kv_values(const ft_kv *kv, uint32_t i, size_t layer, size_t head)
{
    return ft_kv_keys(kv, i, layer, head) + FT_KV_BLOCK * kv->D;
}

/* Keys are copied whole, as tokens stand in columns: the later ones are written before they are
 * looked at. */
void ft_kv_copy(ft_kv *kv, uint32_t from, uint32_t to, size_t n)
{
    size_t half = FT_KV_BLOCK * kv->D;
    for (size_t i = 0; i < kv->L * kv->heads; i++) {
        float *dst = kv->blocks[to].data + i * 2 * half;
        const float *src = kv->blocks[from].data + i * 2 * half;
        memcpy(dst, src, half * sizeof *dst);
        memcpy(dst + half, src + half, n * kv->D * sizeof *dst);
    }
}
