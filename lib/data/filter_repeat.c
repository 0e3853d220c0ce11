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

/* Level k from level k - 1: keeps the runs whose two halves may repeat, numbers them by first
 * occurrence and counts them. Returns: how many numbers there are, in *ids. */
static int number_runs(ft_repeat *r, const ft_word *v, size_t k, uint32_t *ids, ft_err *e)
{
    uint32_t next = 0;
    size_t kept = 0;
    if (ft_seen_start(&r->seen, r->n, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t j = 0; j < r->n; j++) {
        uint32_t id, at = r->at[j];
        uint64_t key = v[at].hash;
        if (k > 1) {
            if (j + 1 == r->n || r->at[j + 1] != at + 1)
                continue;
            key = (uint64_t)r->run[j] << 32 | r->run[j + 1];
        }
        id = ft_seen_number(&r->seen, key, next);
        if (id == next)
            r->count[next++] = 0;
        r->count[id]++;
        r->at[kept] = at;
        r->run[kept++] = id;
    }
    r->n = kept;
    *ids = next;
    return 0;
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

static uint64_t repeated_runs(ft_repeat *r, size_t k, uint32_t ids)
{
    uint64_t sum = 0;
    size_t from = 0;
    memset(r->mark, 0, ids * sizeof *r->mark);
    for (size_t j = 0; j < r->n; j++) {
        if (r->at[j] < from)
            continue;
        if (r->mark[r->run[j]]) {
            sum += chars_of(r, r->at[j], k);
            from = r->at[j] + k;
        }
        r->mark[r->run[j]] = 1;
    }
    return sum;
}

/* Leaves out the runs that occur once: no longer run with them occurs twice. */
static void drop_single(ft_repeat *r)
{
    size_t kept = 0;
    for (size_t j = 0; j < r->n; j++) {
        if (r->count[r->run[j]] < 2)
            continue;
        r->at[kept] = r->at[j];
        r->run[kept++] = r->run[j];
    }
    r->n = kept;
}

int ft_repeat_measure(ft_repeat *r, const ft_word *v, size_t n, size_t longest, ft_err *e)
{
    uint32_t ids = 0;
    memset(r->top, 0, sizeof r->top);
    memset(r->dup, 0, sizeof r->dup);
    if (ft_grow(&r->at, &r->at_cap, n + 1, sizeof *r->at, e) < 0 ||
        ft_grow(&r->run, &r->run_cap, n + 1, sizeof *r->run, e) < 0 ||
        ft_grow(&r->count, &r->count_cap, n + 1, sizeof *r->count, e) < 0 ||
        ft_grow(&r->mark, &r->mark_cap, n + 1, sizeof *r->mark, e) < 0 ||
        ft_grow(&r->chars, &r->chars_cap, n + 1, sizeof *r->chars, e) < 0)
        return FT_ERR_NOMEM;
    r->chars[0] = 0;
    for (size_t i = 0; i < n; i++) {
        r->chars[i + 1] = r->chars[i] + v[i].chars;
        r->at[i] = (uint32_t)i;
    }
    r->n = n;
    for (size_t k = 1; k <= longest && k <= n; k++) {
        if (k > 4 && r->n == 0)
            break;
        if (number_runs(r, v, k, &ids, e) < 0)
            return FT_ERR_NOMEM;
        if (k >= 2 && k <= 4)
            r->top[k] = top_run(r, k, ids);
        drop_single(r);
        if (k >= 5)
            r->dup[k] = repeated_runs(r, k, ids);
    }
    return 0;
}

void ft_repeat_free(ft_repeat *r)
{
    ft_seen_free(&r->seen);
    ft_free(r->at);
    ft_free(r->run);
    ft_free(r->count);
    ft_free(r->mark);
    ft_free(r->chars);
    *r = (ft_repeat){0};
}
