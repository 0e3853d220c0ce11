#include "data/tally.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

typedef struct name_count {
    uint64_t hash, count, missed;    /* missed: how many adds it may have had before */
    size_t at, n;                    /* its name */
} name_count;

struct ft_tally {
    name_count *v;
    size_t n, cap;
    uint32_t *slots;                 /* number + 1; 0: free */
    size_t n_slots;                  /* a power of two      */
    ft_buf names;
    uint64_t adds, forgotten;        /* rounds of forgetting in which something went */
};

int ft_tally_new(ft_tally **t, ft_err *e)
{
    *t = ft_new(1, sizeof **t, e);
    return *t ? 0 : FT_ERR_NOMEM;
}

void ft_tally_free(ft_tally **tp)
{
    ft_tally *t = *tp;
    if (!t)
        return;
    ft_free(t->v);
    ft_free(t->slots);
    ft_buf_free(&t->names);
    ft_free(t);
    *tp = NULL;
}

size_t ft_tally_names(const ft_tally *t)
{
    return t->n;
}

uint64_t ft_tally_error(const ft_tally *t)
{
    return t->forgotten ? t->adds / FT_TALLY_NAMES : 0;
}

static uint32_t *slot_of(const ft_tally *t, uint64_t hash)
{
    size_t i = (size_t)hash & (t->n_slots - 1);
    while (t->slots[i] && t->v[t->slots[i] - 1].hash != hash)
        i = (i + 1) & (t->n_slots - 1);
    return &t->slots[i];
}

/* Fits the table to the names that there are. */
static int rehash(ft_tally *t, size_t slots, ft_err *e)
{
    uint32_t *fresh = ft_new(slots, sizeof *fresh, e);
    if (!fresh)
        return FT_ERR_NOMEM;
    ft_free(t->slots);
    t->slots = fresh;
    t->n_slots = slots;
    for (size_t i = 0; i < t->n; i++)
        *slot_of(t, t->v[i].hash) = (uint32_t)(i + 1);
    return 0;
}

/* At the end of a bucket of adds: what cannot be frequent goes. */
static int forget(ft_tally *t, ft_err *e)
{
    uint64_t bucket = t->adds / FT_TALLY_NAMES;
    ft_buf names = {0};
    size_t n = 0;
    if (t->n <= FT_TALLY_NAMES)
        return 0;
    for (size_t i = 0; i < t->n; i++) {
        name_count c = t->v[i];
        if (c.count + c.missed <= bucket)
            continue;
        ft_buf_add(&names, t->names.p + c.at, c.n);
        c.at = names.n - c.n;
        t->v[n++] = c;
    }
    if (ft_buf_check(&names, e) < 0) {
        ft_buf_free(&names);
        return FT_ERR_NOMEM;
    }
    t->forgotten += n < t->n;
    t->n = n;
    ft_buf_free(&t->names);
    t->names = names;
    return rehash(t, t->n_slots, e);
}

int ft_tally_add(ft_tally *t, ft_slice name, ft_err *e)
{
    uint64_t hash = ft_hash64(name.p, name.n, 0);
    uint32_t *slot;
    name_count c = {hash, 1, 0, t->names.n, name.n};
    int rc = 0;
    if (2 * (t->n + 1) > t->n_slots && (rc = rehash(t, t->n_slots ? 2 * t->n_slots : 64, e)) < 0)
        return rc;
    slot = slot_of(t, hash);
    if (*slot) {
        t->v[*slot - 1].count++;
    } else {
        c.missed = ft_tally_error(t);
        c.n = name.n < FT_TALLY_NAME_BYTES ? name.n : FT_TALLY_NAME_BYTES;
        while (c.n < name.n && c.n > 0 && (name.p[c.n] & 0xc0) == 0x80)   /* at a character */
            c.n--;
        ft_buf_add(&t->names, name.p, c.n);
        if ((rc = ft_buf_check(&t->names, e)) < 0 ||
            (rc = ft_grow(&t->v, &t->cap, t->n + 1, sizeof *t->v, e)) < 0)
            return rc;
        t->v[t->n++] = c;
        *slot = (uint32_t)t->n;
    }
    return ++t->adds % FT_TALLY_NAMES == 0 ? forget(t, e) : 0;
}

static int comes_before(const ft_tallied *a, const ft_tallied *b)
{
    size_t n = a->name.n < b->name.n ? a->name.n : b->name.n;
    int order = n ? memcmp(a->name.p, b->name.p, n) : 0;
    if (a->count != b->count)
        return a->count > b->count;
    return order ? order < 0 : a->name.n < b->name.n;
}

size_t ft_tally_top(ft_tally *t, ft_tallied *top, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n && max > 0; i++) {
        ft_tallied x = {{t->names.p + t->v[i].at, t->v[i].n}, t->v[i].count};
        size_t at = n < max ? n++ : max;
        if (at == max && !comes_before(&x, &top[--at]))
            continue;
        for (; at > 0 && comes_before(&x, &top[at - 1]); at--)
            top[at] = top[at - 1];
        top[at] = x;
    }
    return n;
}

void ft_tally_each(const ft_tally *t, void (*fn)(void *ctx, ft_slice name, uint64_t count),
                   void *ctx)
{
    for (size_t i = 0; i < t->n; i++)
        fn(ctx, (ft_slice){t->names.p + t->v[i].at, t->v[i].n}, t->v[i].count);
}
