#include "data/leak_index.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_MAX 64          /* of one run in one item */
#define HITS_MAX (4u << 20)
#define WORD_BYTES 26          /* a posting, its count, at most 2 of the filter and 4 of starts */

typedef struct posting {
    uint64_t hash;
    uint32_t item, at;
} posting;

typedef struct short_key {
    ft_digest key;
    uint32_t item;
} short_key;

struct ft_leak_index {
    ft_leak_rule rule;
    uint64_t bytes_max;
    posting *posting;
    size_t n, cap;
    short_key *shorts;
    size_t n_shorts, shorts_cap;
    uint32_t *item_words;
    size_t n_items, items_cap;
    uint32_t *seen;            /* examples that have a run, at its first posting      */
    uint64_t *filter;          /* a bit is set for each hash: most words end here     */
    unsigned filter_bits;
    uint32_t *starts;          /* where postings with these first bits of a hash begin */
    unsigned starts_bits;
    uint64_t often;
};

int ft_leak_index_new(ft_leak_index **out, const ft_leak_rule *rule, uint64_t bytes_max, ft_err *e)
{
    ft_leak_index *x = ft_new(1, sizeof *x, e);
    *out = x;
    if (!x)
        return FT_ERR_NOMEM;
    x->rule = *rule;
    x->bytes_max = bytes_max;
    x->often = UINT64_MAX;
    return 0;
}

static uint64_t hash_run(const uint64_t *words, uint32_t n)
{
    return ft_hash64(words, n * sizeof *words, 0);
}

static int add_runs(ft_leak_index *x, const ft_word_list *w, ft_err *e)
{
    size_t runs = w->n - x->rule.n + 1;
    int rc = ft_grow(&x->posting, &x->cap, x->n + runs, sizeof *x->posting, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < runs; i++)
        x->posting[x->n++] = (posting){hash_run(w->hash + i, x->rule.n), (uint32_t)x->n_items,
                                       (uint32_t)i};
    return 0;
}

static int add_keys(ft_leak_index *x, const ft_digest *keys, size_t n, ft_err *e)
{
    int rc = ft_grow(&x->shorts, &x->shorts_cap, x->n_shorts + n, sizeof *x->shorts, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        x->shorts[x->n_shorts++] = (short_key){keys[i], (uint32_t)x->n_items};
    return 0;
}

int ft_leak_index_add(ft_leak_index *x, const ft_word_list *w, const ft_digest *keys,
                      size_t n_keys, ft_err *e)
{
    uint64_t bytes = (uint64_t)(x->n + w->n) * WORD_BYTES +
                     (x->n_shorts + n_keys) * sizeof *x->shorts;
    int rc;
    if (x->bytes_max && bytes > x->bytes_max)
        return ft_err_set(e, FT_ERR_NOMEM, "the index of evaluation items takes over %llu bytes, "
                          "over the bound of %llu", (unsigned long long)bytes,
                          (unsigned long long)x->bytes_max);
    if (x->n_items >= UINT32_MAX || x->n + w->n >= UINT32_MAX)
        return ft_err_set(e, FT_ERR_NOMEM, "over %zu evaluation items or their words", x->n_items);
    if ((rc = ft_grow(&x->item_words, &x->items_cap, x->n_items + 1, sizeof *x->item_words, e)) < 0)
        return rc;
    rc = w->n >= x->rule.n ? add_runs(x, w, e) : add_keys(x, keys, n_keys, e);
    x->item_words[x->n_items] = (uint32_t)w->n;
    x->n_items += rc == 0;
    return rc;
}

/* ---- the order of things ---- */

static int by_hash(const void *a, const void *b)
{
    const posting *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int by_key(const void *a, const void *b)
{
    const short_key *x = a, *y = b;
    int c = memcmp(&x->key, &y->key, sizeof x->key);
    return c ? c : x->item < y->item ? -1 : x->item > y->item;
}

/* Item by item; in it the places of example and item that are equally far apart, in order. */
static int by_diagonal(const void *a, const void *b)
{
    const ft_leak_hit *x = a, *y = b;
    uint32_t dx = x->row - x->at, dy = y->row - y->at;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    if (dx != dy)
        return dx < dy ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int by_place(const void *a, const void *b)
{
    const ft_leak_hit *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Of a run that one item has very often, the first places. */
static void drop_repeats(ft_leak_index *x)
{
    size_t kept = 0, same = 0;
    for (size_t i = 0; i < x->n; i++) {
        same = i && x->posting[i].hash == x->posting[i - 1].hash &&
               x->posting[i].item == x->posting[i - 1].item ? same + 1 : 0;
        if (same < PLACES_MAX)
            x->posting[kept++] = x->posting[i];
    }
    x->n = kept;
}

/* A table by the first bits of the hash, of half as many slots as postings to as many. */
static int set_starts(ft_leak_index *x, ft_err *e)
{
    size_t slots, at = 0;
    x->starts_bits = x->filter_bits - 4;
    slots = (size_t)1 << x->starts_bits;
    if (!(x->starts = ft_new(slots + 1, sizeof *x->starts, e)))
        return FT_ERR_NOMEM;
    for (size_t i = 0; i <= slots; i++) {
        while (at < x->n && x->posting[at].hash >> (64 - x->starts_bits) < i)
            at++;
        x->starts[i] = (uint32_t)at;
    }
    return 0;
}

int ft_leak_index_finish(ft_leak_index *x, ft_err *e)
{
    if (x->n_shorts)
        qsort(x->shorts, x->n_shorts, sizeof *x->shorts, by_key);
    if (x->n)
        qsort(x->posting, x->n, sizeof *x->posting, by_hash);
    drop_repeats(x);
    x->filter_bits = 10;
    while (x->filter_bits < 40 && UINT64_C(1) << x->filter_bits < 8 * (uint64_t)x->n)
        x->filter_bits++;
    x->filter = ft_new((size_t)1 << (x->filter_bits - 6), sizeof *x->filter, e);
    x->seen = ft_new(x->n + 1, sizeof *x->seen, e);
    if (!x->filter || !x->seen)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < x->n; i++) {
        uint64_t bit = x->posting[i].hash >> (64 - x->filter_bits);
        x->filter[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    return set_starts(x, e);
}

uint32_t ft_leak_index_items(const ft_leak_index *x)
{
    return (uint32_t)x->n_items;
}

int ft_leak_index_has_short(const ft_leak_index *x)
{
    return x->n_shorts > 0;
}

/* ---- an example ---- */

/* Returns: the first posting of a hash, or x->n. */
static size_t find_run(const ft_leak_index *x, uint64_t hash)
{
    uint64_t bit = hash >> (64 - x->filter_bits);
    size_t low, high;
    if (!(x->filter[bit / 64] >> bit % 64 & 1))
        return x->n;
    low = x->starts[hash >> (64 - x->starts_bits)];
    high = x->starts[(hash >> (64 - x->starts_bits)) + 1];
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (x->posting[mid].hash < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low < x->n && x->posting[low].hash == hash ? low : x->n;
}

static int find_hits(const ft_leak_index *x, const ft_word_list *w, ft_leak_scratch *s, ft_err *e)
{
    s->n_hits = 0;
    for (size_t i = 0; i + x->rule.n <= w->n; i++) {
        uint64_t hash = hash_run(w->hash + i, x->rule.n);
        size_t first = find_run(x, hash);
        if (first == x->n || x->seen[first] > x->often)
            continue;
        for (size_t k = first; k < x->n && x->posting[k].hash == hash; k++) {
            int rc;
            if (s->n_hits == HITS_MAX)
                return 0;
            if ((rc = ft_grow(&s->hit, &s->hit_cap, s->n_hits + 1, sizeof *s->hit, e)) < 0)
                return rc;
            s->hit[s->n_hits++] = (ft_leak_hit){x->posting[k].item, x->posting[k].at, (uint32_t)i,
                                                (uint32_t)first};
        }
    }
    return 0;
}

static int add_match(ft_leak_scratch *s, ft_leak_match m, ft_err *e)
{
    int rc = ft_grow(&s->match, &s->match_cap, s->n_matches + 1, sizeof *s->match, e);
    if (rc == 0)
        s->match[s->n_matches++] = m;
    return rc;
}

/* Judges the n hits of one item, which are in the order of their diagonals. */
static int judge(const ft_leak_index *x, ft_leak_hit *hit, size_t n, ft_leak_scratch *s, ft_err *e)
{
    const ft_leak_rule *r = &x->rule;
    ft_leak_match m = {.item = hit[0].item};
    uint32_t covered = 0, until = 0, length = 0;
    for (size_t i = 0; i < n; i++) {
        int goes_on = i && hit[i].row == hit[i - 1].row + 1 && hit[i].at == hit[i - 1].at + 1;
        uint32_t from;
        length = goes_on ? length + 1 : r->n;
        from = hit[i].row + r->n - length;
        if (length > m.span || (length == m.span && from < m.from)) {
            m.span = length;
            m.from = from;
        }
    }
    if (m.span < r->span_min)
        return 0;
    qsort(hit, n, sizeof *hit, by_place);
    for (size_t i = 0; i < n; i++) {
        uint32_t from = hit[i].at > until ? hit[i].at : until;
        covered += hit[i].at + r->n - from;
        until = hit[i].at + r->n;
    }
    m.share = (double)covered / x->item_words[m.item];
    return m.share >= r->share_min || m.span >= r->span_sure ? add_match(s, m, e) : 0;
}

static int find_short(const ft_leak_index *x, const ft_digest *key, ft_leak_scratch *s, ft_err *e)
{
    size_t low = 0, high = x->n_shorts;
    int rc = 0;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (memcmp(&x->shorts[mid].key, key, sizeof *key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; rc == 0 && low < x->n_shorts && ft_digest_equal(&x->shorts[low].key, key); low++) {
        uint32_t item = x->shorts[low].item;
        size_t k = 0;
        while (k < s->n_matches && s->match[k].item != item)
            k++;
        if (k == s->n_matches)
            rc = add_match(s, (ft_leak_match){item, x->item_words[item], 0, 1, 1}, e);
    }
    return rc;
}

int ft_leak_find_runs(const ft_leak_index *x, const ft_word_list *w, const ft_digest *keys,
                      size_t n_keys, ft_leak_scratch *s, ft_err *e)
{
    int rc = 0;
    s->n_hits = s->n_matches = 0;
    for (size_t i = 0; rc == 0 && i + x->rule.n <= w->n; i++) {
        size_t first = find_run(x, hash_run(w->hash + i, x->rule.n));
        if (first == x->n)
            continue;
        if ((rc = ft_grow(&s->hit, &s->hit_cap, s->n_hits + 1, sizeof *s->hit, e)) == 0)
            s->hit[s->n_hits++] = (ft_leak_hit){x->posting[first].item, x->posting[first].at,
                                                (uint32_t)i, (uint32_t)first};
    }
    for (size_t i = 0; rc == 0 && i < n_keys; i++)
        rc = find_short(x, &keys[i], s, e);
    return rc;
}

static int by_item(const void *a, const void *b)
{
    const ft_leak_match *x = a, *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

int ft_leak_find(const ft_leak_index *x, const ft_word_list *words, const ft_digest *keys,
                 size_t n_keys, ft_leak_scratch *s, ft_err *e)
{
    int rc = find_hits(x, words, s, e);
    s->n_matches = 0;
    if (s->n_hits)
        qsort(s->hit, s->n_hits, sizeof *s->hit, by_diagonal);
    for (size_t i = 0, end; rc == 0 && i < s->n_hits; i = end) {
        for (end = i + 1; end < s->n_hits && s->hit[end].item == s->hit[i].item;)
            end++;
        rc = judge(x, s->hit + i, end - i, s, e);
    }
    for (size_t i = 0; rc == 0 && i < n_keys; i++)
        rc = find_short(x, &keys[i], s, e);
    if (s->n_matches)
        qsort(s->match, s->n_matches, sizeof *s->match, by_item);
    return rc;
}

void ft_leak_scratch_free(ft_leak_scratch *s)
{
    ft_free(s->hit);
    ft_free(s->match);
    *s = (ft_leak_scratch){0};
}

void ft_leak_seen(ft_leak_index *x, const uint32_t *runs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x->seen[runs[i]] < UINT32_MAX)
            x->seen[runs[i]]++;
}

uint64_t ft_leak_ignore_often(ft_leak_index *x, uint64_t often)
{
    uint64_t n = 0;
    x->often = often;
    for (size_t i = 0; i < x->n; i++)
        n += x->seen[i] > often;
    return n;
}

void ft_leak_index_free(ft_leak_index **x)
{
    if (!*x)
        return;
    ft_free((*x)->posting);
    ft_free((*x)->shorts);
    ft_free((*x)->item_words);
    ft_free((*x)->seen);
    ft_free((*x)->filter);
    ft_free((*x)->starts);
    ft_free(*x);
    *x = NULL;
}
