#include "data/filter_repeat.h"

#include "base/mem.h"

#include <string.h>

#define ONCE UINT32_MAX          /* the number of a run that occurs once */

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

uint32_t ft_seen_number(ft_seen *s, uint64_t key, uint32_t value)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    size_t i = (h ^ h >> 32) & s->mask;
    for (; s->slots[i].stamp == s->stamp; i = (i + 1) & s->mask)
        if (s->slots[i].key == key)
            return s->slots[i].value;
    s->slots[i] = (ft_seen_slot){key, s->stamp, value};
    return value;
}

void ft_seen_free(ft_seen *s)
{
    ft_free(s->slots);
    *s = (ft_seen){0};
}

/* Numbers the runs of k words in place and counts them. Returns: how many different ones there are
 * besides those that occur once for certain; ids go by first occurrence. */
static int number_runs(ft_repeat *r, const ft_word *v, size_t runs, size_t k, uint32_t *ids,
                       ft_err *e)
{
    uint32_t next = 0;
    if (ft_seen_start(&r->seen, runs, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < runs; i++) {
        uint32_t id;
        uint64_t key = v[i].hash;
        if (k > 1) {
            if (r->run[i] == ONCE || r->run[i + 1] == ONCE) {
                r->run[i] = ONCE;
                continue;
            }
            key = (uint64_t)r->run[i] << 32 | r->run[i + 1];
        }
        id = ft_seen_number(&r->seen, key, next);
        if (id == next) {
            r->count[next] = 0;
            next++;
        }
        r->count[id]++;
        r->run[i] = id;
    }
    *ids = next;
    return 0;
}

static uint64_t chars_of(const ft_repeat *r, size_t i, size_t k)
{
    return r->chars[i + k] - r->chars[i];
}

/* The most frequent run, the first of equal ones: its characters with spaces between, times its
 * count. When none repeats it is the first run of the text. */
static uint64_t top_run(const ft_repeat *r, size_t runs, size_t k, uint32_t ids)
{
    uint32_t best = 0;
    size_t at = 0;
    for (uint32_t id = 1; id < ids; id++)
        if (r->count[id] > r->count[best])
            best = id;
    if (ids == 0 || r->count[best] < 2)
        return chars_of(r, 0, k) + k - 1;
    while (at < runs && r->run[at] != best)
        at++;
    return (chars_of(r, at, k) + k - 1) * r->count[best];
}

static uint64_t repeated_runs(ft_repeat *r, size_t runs, size_t k, uint32_t ids)
{
    uint64_t sum = 0;
    memset(r->mark, 0, ids * sizeof *r->mark);
    for (size_t i = 0; i < runs;) {
        if (r->run[i] == ONCE) {
            i++;
        } else if (r->mark[r->run[i]]) {
            sum += chars_of(r, i, k);
            i += k;
        } else {
            r->mark[r->run[i++]] = 1;
        }
    }
    return sum;
}

int ft_repeat_measure(ft_repeat *r, const ft_word *v, size_t n, size_t longest, ft_err *e)
{
    uint32_t ids = 0;
    int repeats = 1;
    memset(r->top, 0, sizeof r->top);
    memset(r->dup, 0, sizeof r->dup);
    if (ft_grow(&r->run, &r->run_cap, n + 1, sizeof *r->run, e) < 0 ||
        ft_grow(&r->count, &r->count_cap, n + 1, sizeof *r->count, e) < 0 ||
        ft_grow(&r->mark, &r->mark_cap, n + 1, sizeof *r->mark, e) < 0 ||
        ft_grow(&r->chars, &r->chars_cap, n + 1, sizeof *r->chars, e) < 0)
        return FT_ERR_NOMEM;
    r->chars[0] = 0;
    for (size_t i = 0; i < n; i++)
        r->chars[i + 1] = r->chars[i] + v[i].chars;
    for (size_t k = 1; k <= longest && k <= n; k++) {
        size_t runs = n - k + 1;
        if (!repeats) {                        /* from here on each run occurs once */
            if (k <= 4)
                r->top[k] = chars_of(r, 0, k) + k - 1;
            continue;
        }
        if (number_runs(r, v, runs, k, &ids, e) < 0)
            return FT_ERR_NOMEM;
        if (k >= 2 && k <= 4)
            r->top[k] = top_run(r, runs, k, ids);
        repeats = 0;
        for (size_t i = 0; i < runs; i++) {
            if (r->run[i] != ONCE && r->count[r->run[i]] < 2)
                r->run[i] = ONCE;
            repeats |= r->run[i] != ONCE;
        }
        if (k >= 5)
            r->dup[k] = repeated_runs(r, runs, k, ids);
    }
    return 0;
}

void ft_repeat_free(ft_repeat *r)
{
    ft_seen_free(&r->seen);
    ft_free(r->run);
    ft_free(r->count);
    ft_free(r->mark);
    ft_free(r->chars);
    *r = (ft_repeat){0};
}
