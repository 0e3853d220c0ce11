#include "data/spool_sort.h"

#include "base/io.h"
#include "base/mem.h"

#include <string.h>

#define RUN_READ_MIN 4096u     /* bytes of a run in memory while it is merged */

typedef struct sorted_run {
    uint64_t next, end;        /* what is left of it in the spool: entries    */
    size_t at, filled;         /* in its part of the memory: entries          */
} sorted_run;

struct ft_spool_sort {
    size_t words, entry_bytes;
    size_t half;               /* entries that are sorted at a time           */
    uint64_t count;
    uint64_t *entries, *other; /* in memory; room to sort                     */
    size_t n, cap, other_cap, given;
    ft_spool *spool;
    uint64_t spooled;
    sorted_run *runs;
    size_t n_runs, runs_cap;
    /* merging */
    size_t room;               /* entries of a run in memory                  */
    uint32_t *heap;            /* runs by their first entry, the least on top */
    size_t n_heap, last;       /* last: the run whose entry was given, or n_runs */
};

int ft_spool_sort_new(ft_spool_sort **out, size_t words, size_t bytes_max, ft_err *e)
{
    ft_spool_sort *s = ft_new(1, sizeof *s, e);
    *out = s;
    if (!s)
        return FT_ERR_NOMEM;
    s->words = words;
    s->entry_bytes = words * sizeof(uint64_t);
    s->half = 512;                               /* powers of two, as ft_grow has them */
    while (4 * s->half * s->entry_bytes <= bytes_max)
        s->half *= 2;
    return 0;
}

uint64_t ft_spool_sort_count(const ft_spool_sort *s)
{
    return s->count;
}

/* ---- in memory ---- */

static void copy(uint64_t *to, const uint64_t *from, size_t words)
{
    for (size_t i = 0; i < words; i++)
        to[i] = from[i];
}

/* Sorts what is in memory, byte by byte of the first numbers. */
static int sort_memory(ft_spool_sort *s, ft_err *e)
{
    size_t counts[8][256] = {{0}}, words = s->words;
    int rc = ft_grow(&s->other, &s->other_cap, s->n, s->entry_bytes, e);
    if (rc < 0 || s->n < 2)
        return rc;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < 8; k++)
            counts[k][s->entries[i * words] >> 8 * k & 255]++;
    for (size_t k = 0; k < 8; k++) {
        size_t *c = counts[k], sum = 0, cap = s->cap;
        uint64_t *from = s->entries, *to = s->other;
        if (c[from[0] >> 8 * k & 255] == s->n)
            continue;                            /* the same byte in all */
        for (size_t i = 0; i < 256; i++) {
            size_t here = c[i];
            c[i] = sum;
            sum += here;
        }
        for (size_t i = 0; i < s->n; i++)
            copy(to + c[from[i * words] >> 8 * k & 255]++ * words, from + i * words, words);
        s->entries = to;
        s->other = from;
        s->cap = s->other_cap;
        s->other_cap = cap;
    }
    return 0;
}

static int add_run(ft_spool_sort *s, uint64_t entries, ft_err *e)
{
    int rc = ft_grow(&s->runs, &s->runs_cap, s->n_runs + 1, sizeof *s->runs, e);
    if (rc == 0)
        s->runs[s->n_runs++] = (sorted_run){s->spooled, s->spooled + entries, 0, 0};
    s->spooled += entries;
    return rc;
}

static int put_run(ft_spool_sort *s, ft_err *e)
{
    int rc = 0;
    if (!s->spool)
        rc = ft_spool_new(&s->spool, e);
    if (rc == 0 && (rc = sort_memory(s, e)) == 0 &&
        (rc = ft_spool_write(s->spool, s->entries, s->n * s->entry_bytes, e)) == 0)
        rc = add_run(s, s->n, e);
    s->n = 0;
    return rc;
}

int ft_spool_sort_add(ft_spool_sort *s, const uint64_t *entry, ft_err *e)
{
    int rc;
    if (s->n == s->half && (rc = put_run(s, e)) < 0)
        return rc;
    if ((rc = ft_grow(&s->entries, &s->cap, s->n + 1, s->entry_bytes, e)) < 0)
        return rc;
    copy(s->entries + s->n++ * s->words, entry, s->words);
    s->count++;
    return 0;
}

/* ---- merging ---- */

static uint64_t *first_of_run(const ft_spool_sort *s, size_t run)
{
    return s->entries + (run * s->room + s->runs[run].at) * s->words;
}

static int is_before(const ft_spool_sort *s, uint32_t a, uint32_t b)
{
    uint64_t x = *first_of_run(s, a), y = *first_of_run(s, b);
    return x != y ? x < y : a < b;
}

static void sink(ft_spool_sort *s, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        uint32_t up = s->heap[i];
        if (child + 1 < s->n_heap && is_before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!is_before(s, s->heap[child], up))
            return;
        s->heap[i] = s->heap[child];
        s->heap[child] = up;
    }
}

/* Reads on in a run that has no entry left in memory. */
static int fill(ft_spool_sort *s, size_t run, ft_err *e)
{
    sorted_run *r = &s->runs[run];
    uint64_t left = r->end - r->next;
    size_t n = left < s->room ? (size_t)left : s->room;
    int rc = 0;
    if (n)
        rc = ft_spool_read_at(s->spool, r->next * s->entry_bytes,
                              s->entries + run * s->room * s->words, n * s->entry_bytes, e);
    r->next += n;
    r->at = 0;
    r->filled = n;
    return rc;
}

/* Begins to merge the first n runs. */
static int open_runs(ft_spool_sort *s, size_t n, ft_err *e)
{
    int rc = 0;
    s->room = 2 * s->half / (n ? n : 1);
    if (s->room * s->entry_bytes > 1u << 20)
        s->room = (1u << 20) / s->entry_bytes;
    s->n_heap = 0;
    s->last = SIZE_MAX;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = fill(s, i, e);
        s->heap[s->n_heap++] = (uint32_t)i;
    }
    for (size_t i = s->n_heap / 2; rc == 0 && i-- > 0;)
        sink(s, i);
    return rc;
}

static int next_of_runs(ft_spool_sort *s, const uint64_t **entry, ft_err *e)
{
    if (s->last != SIZE_MAX) {
        sorted_run *r = &s->runs[s->last];
        int rc;
        if (++r->at == r->filled && (rc = fill(s, s->last, e)) < 0)
            return rc;
        if (r->filled == 0)
            s->heap[0] = s->heap[--s->n_heap];
        sink(s, 0);
    }
    if (s->n_heap == 0) {
        s->last = SIZE_MAX;
        return 0;
    }
    s->last = s->heap[0];
    *entry = first_of_run(s, s->last);
    return 1;
}

/* Merges the first n runs into one at the end of another spool, and takes them off the list. */
static int merge_some(ft_spool_sort *s, size_t n, ft_spool *to, ft_err *e)
{
    const uint64_t *entry;
    int rc = open_runs(s, n, e);
    while (rc == 0 && (rc = next_of_runs(s, &entry, e)) == 1)
        rc = ft_spool_write(to, entry, s->entry_bytes, e);
    memmove(s->runs, s->runs + n, (s->n_runs - n) * sizeof *s->runs);
    s->n_runs -= n;
    return rc;
}

/* Makes fewer runs of all of them, each of as many as are merged at a time. */
static int merge_level(ft_spool_sort *s, size_t at_a_time, ft_err *e)
{
    ft_spool *to = NULL;
    size_t left = s->n_runs;
    int rc = ft_spool_new(&to, e);
    s->spooled = 0;
    while (rc == 0 && left > 0) {
        size_t n = left < at_a_time ? left : at_a_time;
        uint64_t entries = 0;
        for (size_t i = 0; i < n; i++)
            entries += s->runs[i].end - s->runs[i].next;
        if ((rc = merge_some(s, n, to, e)) == 0)
            rc = add_run(s, entries, e);
        left -= n;
    }
    if (rc == 0)
        rc = ft_spool_rewind(to, e);
    ft_spool_free(&s->spool);
    s->spool = to;
    return rc;
}

int ft_spool_sort_start(ft_spool_sort *s, ft_err *e)
{
    size_t at_a_time = 2 * s->half * s->entry_bytes / RUN_READ_MIN, heap_cap = 0;
    int rc;
    s->given = 0;
    if (!s->spool)
        return sort_memory(s, e);
    if (s->n && (rc = put_run(s, e)) < 0)
        return rc;
    ft_free(s->other);
    s->other = NULL;
    s->other_cap = 0;
    if ((rc = ft_grow(&s->heap, &heap_cap, s->n_runs, sizeof *s->heap, e)) < 0 ||
        (rc = ft_spool_rewind(s->spool, e)) < 0 ||
        (rc = ft_grow(&s->entries, &s->cap, 2 * s->half, s->entry_bytes, e)) < 0)
        return rc;
    while (s->n_runs > at_a_time)
        if ((rc = merge_level(s, at_a_time, e)) < 0)
            return rc;
    return open_runs(s, s->n_runs, e);
}

int ft_spool_sort_next(ft_spool_sort *s, const uint64_t **entry, ft_err *e)
{
    if (s->spool)
        return next_of_runs(s, entry, e);
    if (s->given == s->n)
        return 0;
    *entry = s->entries + s->given++ * s->words;
    return 1;
}

void ft_spool_sort_free(ft_spool_sort **s)
{
    if (!*s)
        return;
    ft_spool_free(&(*s)->spool);
    ft_free((*s)->entries);
    ft_free((*s)->other);
    ft_free((*s)->runs);
    ft_free((*s)->heap);
    ft_free(*s);
    *s = NULL;
}
