#include "data/strata.h"

#include "base/mem.h"
#include "data/digest_set.h"

#include <stdlib.h>
#include <string.h>

typedef struct item {
    uint32_t stratum, root;
    uint64_t hash, rows;
    ft_digest key;
} item;

struct ft_strata {
    ft_components *c;
    size_t parts;
    ft_digest_set *labels;
    uint64_t *pairs;             /* number << 32 | stratum, one an example */
    size_t n_pairs, cap_pairs;
    uint32_t *number;            /* of the component, by root, from 1       */
    uint32_t *before;            /* examples of earlier parts, by component */
    uint8_t *side;               /* by component                            */
    item *items;
    size_t n, cap_before;
};

int ft_strata_new(ft_strata **out, ft_components *c, size_t parts, ft_err *e)
{
    ft_strata *s = *out = ft_new(1, sizeof *s, e);
    size_t keys = ft_components_keys(c);
    if (!s)
        return FT_ERR_NOMEM;
    s->c = c;
    s->parts = parts;
    s->number = ft_new(keys + 1, sizeof *s->number, e);
    if (!s->number || ft_digest_set_new(&s->labels, 0, e) < 0 ||
        ft_components_charge(c, keys * sizeof *s->number, e) < 0) {
        ft_strata_free(out);
        return FT_ERR_NOMEM;
    }
    return 0;
}

static int number_of(ft_strata *s, uint32_t home, uint32_t *number, ft_err *e)
{
    uint32_t root = ft_components_root(s->c, home);
    size_t cap = s->cap_before;
    if (!s->number[root]) {
        if (ft_grow(&s->before, &s->cap_before, (s->n + 1) * s->parts, sizeof *s->before, e) < 0 ||
            ft_components_charge(s->c, (s->cap_before - cap) * sizeof *s->before, e) < 0)
            return FT_ERR_NOMEM;
        memset(s->before + s->n * s->parts, 0, s->parts * sizeof *s->before);
        s->number[root] = (uint32_t)++s->n;
    }
    *number = s->number[root] - 1;
    return 0;
}

int ft_strata_add(ft_strata *s, uint32_t home, const ft_digest *label, int previous, ft_err *e)
{
    static const ft_digest none;
    uint64_t stratum;
    uint32_t number;
    size_t cap = s->cap_pairs;
    int is_new;
    if (number_of(s, home, &number, e) < 0 ||
        ft_digest_set_add(s->labels, label ? label : &none, &stratum, &is_new, e) < 0 ||
        ft_grow(&s->pairs, &s->cap_pairs, s->n_pairs + 1, sizeof *s->pairs, e) < 0 ||
        ft_components_charge(s->c, (s->cap_pairs - cap) * sizeof *s->pairs, e) < 0)
        return FT_ERR_NOMEM;
    if (previous >= 0)
        s->before[number * s->parts + (size_t)previous]++;
    s->pairs[s->n_pairs++] = (uint64_t)number << 32 | stratum;
    return 0;
}

/* ---- dealing ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int by_stratum(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->stratum != y->stratum)
        return x->stratum < y->stratum ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return memcmp(x->key.b, y->key.b, sizeof x->key.b);
}

/* Gives each component its stratum: pairs are sorted, so its strata stand in runs. */
static void find_strata(ft_strata *s)
{
    if (s->n_pairs)
        qsort(s->pairs, s->n_pairs, sizeof *s->pairs, by_value);
    for (size_t i = 0, end; i < s->n_pairs; i = end) {
        item *it = &s->items[s->pairs[i] >> 32];
        uint32_t stratum = (uint32_t)s->pairs[i];
        for (end = i; end < s->n_pairs && s->pairs[end] == s->pairs[i];)
            end++;
        const ft_digest *new = ft_digest_set_at(s->labels, stratum);
        const ft_digest *old = ft_digest_set_at(s->labels, it->stratum);
        if (end - i > it->rows || (end - i == it->rows &&
                                   memcmp(new->b, old->b, sizeof new->b) < 0)) {
            it->stratum = stratum;
            it->rows = end - i;
        }
    }
}

/* Returns: where a component must go, or FT_NO_PART. */
static int pinned(const ft_strata *s, const ft_component *c, size_t number, const ft_shares *sh)
{
    const uint32_t *before = s->before + number * s->parts;
    size_t best = 0;
    for (size_t i = 1; i < s->parts; i++)
        if (before[i] > before[best])
            best = i;
    return before[best] ? (int)best : ft_component_is_oversized(c, sh) ? 0 : FT_NO_PART;
}

/* Deals out the components [from, to) of one stratum, whose pinned ones have their side. */
static void deal_stratum(ft_strata *s, size_t from, size_t to, const ft_shares *sh)
{
    double want[FT_SPLIT_PARTS_MAX] = {0}, sum = 0, room = 0, at = 0, all = 0, upto;
    size_t part = 0;
    for (size_t i = 0; i < sh->n; i++)
        sum += sh->of[i];
    for (size_t i = from; i < to; i++)
        all += (double)s->items[i].rows;
    for (size_t i = 0; i < sh->n; i++)
        want[i] = all * sh->of[i] / sum;
    for (size_t i = from; i < to; i++) {
        uint8_t side = s->side[s->number[s->items[i].root] - 1];
        if (side != FT_SPLIT_PARTS_MAX) {
            want[side] -= (double)s->items[i].rows;
            all -= (double)s->items[i].rows;
        }
    }
    for (size_t i = 0; i < sh->n; i++)
        room += want[i] = want[i] > 0 ? want[i] : 0;
    upto = room > 0 ? want[0] * (all / room) : all;
    for (size_t i = from; i < to; i++) {
        uint8_t *side = &s->side[s->number[s->items[i].root] - 1];
        double middle = at + (double)s->items[i].rows / 2;
        if (*side != FT_SPLIT_PARTS_MAX)
            continue;
        for (; middle >= upto && part + 1 < sh->n; part++)
            upto += room > 0 ? want[part + 1] * (all / room) : 0;
        *side = (uint8_t)part;
        at += (double)s->items[i].rows;
    }
}

int ft_strata_deal(ft_strata *s, const ft_shares *sh, uint64_t seed, ft_err *e)
{
    size_t from = 0, end;
    s->items = ft_new(s->n + 1, sizeof *s->items, e);
    s->side = ft_new(s->n + 1, 1, e);
    if (!s->items || !s->side ||
        ft_components_charge(s->c, (s->n + 1) * (sizeof *s->items + 1), e) < 0)
        return FT_ERR_NOMEM;
    find_strata(s);
    for (uint32_t root = 0; root < ft_components_keys(s->c); root++) {
        size_t number = s->number[root];
        if (!number--)
            continue;
        ft_component c = ft_components_of(s->c, root);
        item *it = &s->items[number];
        int side = pinned(s, &c, number, sh);
        s->side[number] = side < 0 ? FT_SPLIT_PARTS_MAX : (uint8_t)side;
        it->root = root;
        it->rows = c.rows;
        it->key = c.key;
        it->hash = ft_hash64(c.key.b, sizeof c.key.b, seed);
    }
    qsort(s->items, s->n, sizeof *s->items, by_stratum);
    for (; from < s->n; from = end) {
        for (end = from; end < s->n && s->items[end].stratum == s->items[from].stratum;)
            end++;
        deal_stratum(s, from, end, sh);
    }
    return 0;
}

size_t ft_strata_side(ft_strata *s, uint32_t home)
{
    return s->side[s->number[ft_components_root(s->c, home)] - 1];
}

size_t ft_strata_count(const ft_strata *s)
{
    return (size_t)ft_digest_set_count(s->labels);
}

void ft_strata_free(ft_strata **sp)
{
    ft_strata *s = *sp;
    if (!s)
        return;
    ft_digest_set_free(&s->labels);
    ft_free(s->pairs);
    ft_free(s->number);
    ft_free(s->before);
    ft_free(s->side);
    ft_free(s->items);
    ft_free(s);
    *sp = NULL;
}
