#include "data/common_keys.h"

#include "base/mem.h"

#include <stdlib.h>

struct ft_common_keys {
    ft_components *c;
    uint64_t over[2];
    uint64_t *pairs[2];          /* key << 32 | group */
    size_t n[2], cap[2];
};

int ft_common_keys_new(ft_common_keys **out, ft_components *c, const uint64_t over[2], ft_err *e)
{
    ft_common_keys *k = *out = ft_new(1, sizeof *k, e);
    if (!k)
        return FT_ERR_NOMEM;
    k->c = c;
    for (size_t s = 0; s < 2; s++)
        k->over[s] = over[s];
    return 0;
}

static uint32_t group_of(const ft_tie *tie, size_t slot)
{
    for (size_t i = FT_TIE_GROUP; i < FT_TIES; i++)
        if (tie->key[i] != FT_NO_KEY)
            return tie->key[i];
    return tie->key[slot == FT_TIE_PROMPT ? FT_TIE_RESPONSE : FT_TIE_PROMPT];
}

int ft_common_keys_see(ft_common_keys *k, const ft_tie *tie, ft_err *e)
{
    for (size_t s = 0; s < 2; s++) {
        uint32_t key = tie->key[s];
        size_t cap = k->cap[s];
        if (!k->over[s] || key == FT_NO_KEY ||
            ft_components_rows_with(k->c, key) <= k->over[s])
            continue;
        if (ft_grow(&k->pairs[s], &k->cap[s], k->n[s] + 1, sizeof **k->pairs, e) < 0 ||
            ft_components_charge(k->c, (k->cap[s] - cap) * sizeof **k->pairs, e) < 0)
            return FT_ERR_NOMEM;
        k->pairs[s][k->n[s]++] = (uint64_t)key << 32 | group_of(tie, s);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static size_t keep_top(ft_common_key *top, size_t n, size_t max, ft_common_key new)
{
    size_t at = n < max ? n : max;
    for (; at > 0 && top[at - 1].rows < new.rows; at--)
        if (at < max)
            top[at] = top[at - 1];
    if (at < max)
        top[at] = new;
    return n < max ? n + 1 : n;
}

size_t ft_common_keys_set(ft_common_keys *k, ft_common_counts counts[2], ft_common_key *top,
                          size_t max)
{
    size_t n_top = 0;
    for (size_t s = 0; s < 2; s++) {
        const uint64_t *p = k->pairs[s];
        counts[s] = (ft_common_counts){0};
        if (k->n[s])
            qsort(k->pairs[s], k->n[s], sizeof *p, by_value);
        for (size_t i = 0, end; i < k->n[s]; i = end) {
            ft_common_key found = {.key = (uint32_t)(p[i] >> 32), .slot = (int)s};
            for (end = i; end < k->n[s] && p[end] >> 32 == found.key; end++)
                found.groups += end == i || p[end] != p[end - 1];
            if (found.groups <= k->over[s])
                continue;
            found.rows = end - i;
            ft_components_set_common(k->c, found.key);
            counts[s].texts++;
            counts[s].rows += found.rows;
            n_top = keep_top(top, n_top, max, found);
        }
    }
    return n_top;
}

void ft_common_keys_free(ft_common_keys **k)
{
    if (!*k)
        return;
    ft_free((*k)->pairs[0]);
    ft_free((*k)->pairs[1]);
    ft_free(*k);
    *k = NULL;
}
