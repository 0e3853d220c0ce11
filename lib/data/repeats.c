#include "data/repeats.h"

#include "base/mem.h"

#include <divsufsort.h>
#include <stdlib.h>
#include <string.h>

static void set_bits(uint64_t *bits, size_t from, size_t to)
{
    while (from < to) {
        size_t word = from / 64, end = (word + 1) * 64 < to ? (word + 1) * 64 : to;
        uint64_t mask = end - from == 64 ? UINT64_MAX
                                         : ((UINT64_C(1) << (end - from)) - 1) << from % 64;
        bits[word] |= mask;
        from = end;
    }
}

/* A bit for each place where a run of min_bytes fits into its text. */
static void mark_starts(const ft_repeats *r, uint64_t *starts)
{
    size_t from = 0;
    for (size_t i = 0; i < r->n_ends; from = r->end[i++])
        if (r->end[i] - from >= r->min_bytes)
            set_bits(starts, from, r->end[i] - r->min_bytes + 1);
}

static int by_place(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* Marks what is to be cut of n equal runs at these places, which get sorted. */
static void cut_group(ft_repeats *r, int32_t *place, size_t n)
{
    size_t L = r->min_bytes, last = 0;
    uint64_t kept = 0;
    qsort(place, n, sizeof *place, by_place);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)place[i];
        if (kept < r->keep) {
            if (kept == 0 || at >= last + L) {
                last = at;
                kept++;
            }
        } else {
            set_bits(r->cut, at > last + L ? at : last + L, at + L);
        }
    }
}

/* Goes through the suffix array group by group. The places and counts of the groups are left at
 * its beginning, two numbers for what were two or more. Returns: how many groups there are. */
static size_t cut_groups(ft_repeats *r, int32_t *sa, const uint64_t *starts)
{
    size_t groups = 0, n = 0;
    for (size_t i = 0; i < r->n; i++)           /* only places where a run fits */
        if (starts[(size_t)sa[i] / 64] >> sa[i] % 64 & 1)
            sa[n++] = sa[i];
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && memcmp(r->text + sa[end - 1], r->text + sa[end],
                                            r->min_bytes) == 0;)
            end++;
        if (end - i < 2)
            continue;
        cut_group(r, sa + i, end - i);
        sa[2 * groups] = sa[i];
        sa[2 * groups + 1] = (int32_t)(end - i);
        groups++;
    }
    return groups;
}

/* Groups whose first places follow each other with the same count are one longer passage. */
static int give_passages(const ft_repeats *r, int32_t *groups, size_t n, ft_repeat_fn fn, void *ctx,
                         ft_err *e)
{
    int rc = 0;
    qsort(groups, n, 2 * sizeof *groups, by_place);
    for (size_t i = 0, end; i < n && rc == 0; i = end) {
        ft_repeat p = {(uint64_t)groups[2 * i], r->min_bytes, (uint64_t)groups[2 * i + 1]};
        for (end = i + 1; end < n && groups[2 * end] == groups[2 * end - 2] + 1 &&
                          groups[2 * end + 1] == groups[2 * i + 1];)
            end++;
        p.n += end - i - 1;
        rc = fn(ctx, &p, e);
    }
    return rc;
}

int ft_repeats_find(ft_repeats *r, ft_repeat_fn fn, void *ctx, ft_err *e)
{
    size_t words = r->n / 64 + 1;
    int32_t *sa = ft_new_aligned(r->n + 1, sizeof *sa, e);
    uint64_t *starts = ft_new(words, sizeof *starts, e);
    int rc = 0;
    r->cut = ft_new(words, sizeof *r->cut, e);
    if (!sa || !starts || !r->cut)
        rc = FT_ERR_NOMEM;
    else if (r->n && divsufsort(r->text, sa, (saidx_t)r->n) != 0)
        rc = ft_err_nomem(e, r->n);             /* all that it can fail of */
    if (rc == 0 && r->n) {
        size_t groups;
        mark_starts(r, starts);
        groups = cut_groups(r, sa, starts);
        if (fn)
            rc = give_passages(r, sa, groups, fn, ctx, e);
    }
    ft_free(sa);
    ft_free(starts);
    return rc;
}

void ft_repeats_free(ft_repeats *r)
{
    ft_free(r->cut);
    r->cut = NULL;
}

/* ---- parts of a text ---- */

int ft_span_list_add(ft_span_list *list, size_t from, size_t to, ft_err *e)
{
    int rc;
    if (list->n && from <= list->span[list->n - 1].to) {
        if (to > list->span[list->n - 1].to)
            list->span[list->n - 1].to = to;
        return 0;
    }
    if ((rc = ft_grow(&list->span, &list->cap, list->n + 1, sizeof *list->span, e)) == 0)
        list->span[list->n++] = (struct ft_span){from, to};
    return rc;
}

void ft_span_list_free(ft_span_list *list)
{
    ft_free(list->span);
    *list = (ft_span_list){0};
}

static int is_cut(const ft_repeats *r, size_t i)
{
    return (int)(r->cut[i / 64] >> i % 64 & 1);
}

int ft_repeats_cuts(const ft_repeats *r, size_t at, size_t n, ft_span_list *list, ft_err *e)
{
    int rc = 0;
    list->n = 0;
    for (size_t i = 0; i < n && rc == 0;) {
        size_t from = i;
        while (i < n && is_cut(r, at + i))
            i++;
        if (i > from)
            rc = ft_span_list_add(list, from, i, e);
        while (i < n && !is_cut(r, at + i))
            i += r->cut[(at + i) / 64] == 0 && (at + i) % 64 == 0 ? 64 : 1;
    }
    return rc;
}

/* ---- where to cut ---- */

/* Returns: whether the n bytes at p end with one of the marks, and the length of that mark. */
static size_t ends_with(const uint8_t *p, size_t n, const char *const *marks)
{
    for (; *marks; marks++) {
        size_t k = strlen(*marks);
        if (k <= n && memcmp(p + n - k, *marks, k) == 0)
            return k;
    }
    return 0;
}

static int is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_sentence_end(const uint8_t *p, size_t n, size_t at)
{
    static const char *const wide[] = {"\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", NULL};
    static const char *const marks[] = {".", "!", "?", "\xe2\x80\xa6", NULL};
    static const char *const closers[] = {"\"", "'", ")", "]", "}", "\xe2\x80\x9d",
                                          "\xe2\x80\x99", "\xc2\xbb", NULL};
    size_t q = at, k;
    if (at == 0 || at == n || p[at - 1] == '\n' || ends_with(p, at, wide))
        return 1;
    if (!is_blank(p[at - 1]) || is_blank(p[at]))
        return 0;
    while (q > 0 && is_blank(p[q - 1]))
        q--;
    while ((k = ends_with(p, q, closers)) > 0)
        q -= k;
    return ends_with(p, q, marks) > 0;
}

static int is_inside_character(const uint8_t *p, size_t n, size_t at)
{
    return at > 0 && at < n && (p[at] & 0xc0) == 0x80;
}

int ft_cut_align(const uint8_t *p, size_t n, int to_sentences, size_t *from, size_t *to)
{
    size_t a = *from, b = *to;
    if (to_sentences) {
        while (a < b && !is_sentence_end(p, n, a))
            a++;
        while (b > a && !is_sentence_end(p, n, b))
            b--;
    } else {
        while (a < b && is_inside_character(p, n, a))
            a++;
        while (b > a && is_inside_character(p, n, b))
            b--;
    }
    *from = a;
    *to = b;
    return a < b;
}
