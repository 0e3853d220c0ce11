#include "data/filter_repeat.h"

#include "base/mem.h"

#include <string.h>

int ft_seen_start(ft_seen *s, size_t n, ft_err *e)
{
    size_t want = 16;
    while (want < 2 * n)
        want *= 2;
    if (want > s->cap) {
        ft_free(s->slots);
        s->cap = s->stamp = 0;
        s->slots = ft_new(want, sizeof *s->slots, e);
        if (!s->slots)
            return FT_ERR_NOMEM;
        s->cap = want;
    }
    s->mask = want - 1;
    if (++s->stamp == 0) {
        memset(s->slots, 0, s->cap * sizeof *s->slots);
        s->stamp = 1;
    }
    return 0;
}

void ft_seen_free(ft_seen *s)
{
    ft_free(s->slots);
    *s = (ft_seen){0};
}

/* Room for n words, and an empty table. */
static int make_room(ft_repeat *r, size_t n, ft_err *e)
{
    size_t want = 64;
    while (want < 4 * n)
        want *= 2;
    if (n + 2 > r->cap) {
        ft_repeat_free(r);
        if (!(r->key = ft_new(n + 2, sizeof *r->key, e)) ||
            !(r->keys = ft_new(n + 2, sizeof *r->keys, e)) ||
            !(r->at = ft_new(n + 2, sizeof *r->at, e)) ||
            !(r->run = ft_new(n + 2, sizeof *r->run, e)) ||
            !(r->count = ft_new(n + 2, sizeof *r->count, e)) ||
            !(r->chars = ft_new(n + 2, sizeof *r->chars, e)) ||
            !(r->slots = ft_new(want, sizeof *r->slots, e)))
            return FT_ERR_NOMEM;
        r->cap = n + 2;
        r->slots_cap = want;
        r->base = 1;
    }
    r->mask = want - 1;
    return 0;
}

/* Numbers the keys by first occurrence and counts them. New and known keys alternate without a
 * pattern, so there is no branch on that; only a collision has one. Returns: how many numbers. */
static uint32_t number_runs(ft_repeat *r)
{
    uint32_t *restrict slots = r->slots, *restrict count = r->count, *restrict run = r->run;
    uint64_t *restrict keys = r->keys;
    const uint64_t *restrict key_of = r->key;
    size_t mask = r->mask;
    uint32_t next = 0, base;
    if (r->base > UINT32_MAX - r->cap) {
        memset(r->slots, 0, r->slots_cap * sizeof *r->slots);
        r->base = 1;
    }
    base = r->base;
    for (size_t j = 0; j < r->n; j++) {
        uint64_t key = key_of[j], h = key * 0x9e3779b97f4a7c15u;
        size_t i = (h ^ h >> 32) & mask;
        uint32_t id = slots[i] - base;
        keys[next] = key;                      /* so a new run is found as well, at its number */
        count[next] = 0;
        id = id < next ? id : next;
        while (keys[id] != key) {
            i = (i + 1) & mask;
            id = slots[i] - base;
            id = id < next ? id : next;
        }
        slots[i] = base + id;
        count[id]++;
        run[j] = id;
        next += id == next;
    }
    r->base += next;
    return next;
}

/* The runs that are one word longer: two neighbours that both repeat, as no run with one that does
 * not can repeat. */
static void lengthen_runs(ft_repeat *r)
{
    const uint32_t *restrict count = r->count, *restrict run = r->run;
    uint64_t *restrict key = r->key;
    uint32_t *restrict at = r->at;
    uint32_t last = UINT32_MAX, a = 0, place = 0;
    size_t kept = 0;
    for (size_t j = 0; j < r->n; j++) {        /* the run at `last` is a, and repeats */
        uint32_t b = run[j];
        int repeats = count[b] > 1;
        place = at[j];
        key[kept] = (uint64_t)a << 32 | b;
        at[kept] = last;
        kept += (size_t)(repeats & (last + 1 == place) & (j > 0));
        last = repeats ? place : UINT32_MAX - 1;
        a = b;
    }
    r->n = kept;
}

static uint64_t chars_of(const ft_repeat *r, size_t i, size_t k)
{
    return r->chars[i + k] - r->chars[i];
}

/* The most frequent run, the first of equal ones: its characters with spaces between, times its
 * count. When none repeats it is the first run of the text. */
static uint64_t top_run(const ft_repeat *r, size_t k, uint32_t ids)
{
    uint32_t best = 0;
    size_t j = 0;
    for (uint32_t id = 1; id < ids; id++)
        if (r->count[id] > r->count[best])
            best = id;
    if (ids == 0 || r->count[best] < 2)
        return chars_of(r, 0, k) + k - 1;
    while (r->run[j] != best)
        j++;
    return (chars_of(r, r->at[j], k) + k - 1) * r->count[best];
}

/* Goes from run to run: one that was met before is counted and stepped over. Spoils the keys of the
 * numbers, which mark what was met. */
static uint64_t repeated_runs(ft_repeat *r, size_t k, uint32_t ids)
{
    uint64_t sum = 0;
    size_t from = 0;
    memset(r->keys, 0, ids * sizeof *r->keys);
    for (size_t j = 0; j < r->n; j++) {
        if (r->at[j] < from)
            continue;
        if (r->keys[r->run[j]]) {
            sum += chars_of(r, r->at[j], k);
            from = r->at[j] + k;
        }
        r->keys[r->run[j]] = 1;
    }
    return sum;
}

int ft_repeat_measure(ft_repeat *r, const ft_word *v, size_t n, size_t longest, ft_err *e)
{
    memset(r->top, 0, sizeof r->top);
    memset(r->dup, 0, sizeof r->dup);
    if (make_room(r, n, e) < 0)
        return FT_ERR_NOMEM;
    r->chars[0] = 0;
    for (size_t i = 0; i < n; i++) {
        r->chars[i + 1] = r->chars[i] + v[i].chars;
        r->at[i] = (uint32_t)i;
        r->key[i] = v[i].hash;
    }
    r->n = n;
    for (size_t k = 1; k <= longest && k <= n; k++) {
        uint32_t ids;
        if (k > 4 && r->n == 0)
            break;
        ids = number_runs(r);
        if (k >= 2 && k <= 4)
            r->top[k] = top_run(r, k, ids);
        if (k >= 5)
            r->dup[k] = repeated_runs(r, k, ids);
        lengthen_runs(r);
    }
    return 0;
}

void ft_repeat_free(ft_repeat *r)
{
    ft_free(r->slots);
    ft_free(r->key);
    ft_free(r->keys);
    ft_free(r->at);
    ft_free(r->run);
    ft_free(r->count);
    ft_free(r->chars);
    *r = (ft_repeat){0};
}
