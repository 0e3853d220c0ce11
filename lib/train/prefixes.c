#define _GNU_SOURCE            /* qsort_r */
#include "train/prefixes.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Places [from, …) of the sorted order that share `common` tokens, while it is not known where
 * they end. */
struct ft_prefix_node {
    size_t common, from;
};

/* What a place belongs to. The first place of a group stands for it. */
struct ft_prefix_place {
    size_t shared;             /* tokens that its group shares; 0: it is in none */
    size_t first, count;       /* place of the group's first; there: places in the group */
    int joins;                 /* whether place or group goes over to the node that is closing */
};

/* Tokens of a sequence that others may share: at least one token stays before its first target. */
static size_t shareable(const ft_seq *s)
{
    size_t t = 1;
    while (t < s->T && !s->target[t])
        t++;
    return t - 1;
}

static size_t common_of(const ft_seq *a, const ft_seq *b)
{
    size_t m = shareable(a), n = shareable(b), i = 0;
    m = m < n ? m : n;
    while (i < m && a->ids[i] == b->ids[i])
        i++;
    return i;
}

/* By the ids that may be shared, then by place. */
static int compare(const void *x, const void *y, void *ctx)
{
    const ft_seq *seqs = ctx;
    size_t i = *(const size_t *)x, j = *(const size_t *)y;
    const ft_seq *a = &seqs[i], *b = &seqs[j];
    size_t m = shareable(a), n = shareable(b);
    for (size_t t = 0; t < m && t < n; t++)
        if (a->ids[t] != b->ids[t])
            return a->ids[t] < b->ids[t] ? -1 : 1;
    if (m != n)
        return m < n ? -1 : 1;
    return (i > j) - (i < j);
}

static int make_room(ft_prefixes *p, size_t n, ft_err *e)
{
    if (ft_grow(&p->rest, &p->rest_cap, n, sizeof *p->rest, e) < 0 ||
        ft_grow(&p->order, &p->order_cap, n, sizeof *p->order, e) < 0 ||
        ft_grow(&p->common, &p->common_cap, n + 1, sizeof *p->common, e) < 0 ||
        ft_grow(&p->places, &p->places_cap, n, sizeof *p->places, e) < 0 ||
        ft_grow(&p->stack, &p->stack_cap, n + 1, sizeof *p->stack, e) < 0 ||
        ft_grow(&p->list, &p->list_cap, n, sizeof *p->list, e) < 0)
        return FT_ERR_NOMEM;
    return 0;
}

int ft_prefixes_none(ft_prefixes *p, const ft_seq *seqs, size_t n, ft_err *e)
{
    if (make_room(p, n, e) < 0)
        return FT_ERR_NOMEM;
    p->n = p->tokens = p->saved = 0;
    if (n)
        memcpy(p->rest, seqs, n * sizeof *seqs);
    return 0;
}

/* What more is saved when a place, or the group that it is the first of, joins a beginning of m
 * tokens, the one time that this is computed not counted. */
static long gain_of(const struct ft_prefix_place *x, size_t m)
{
    if (x->shared == 0)
        return (long)m;
    return (long)(x->count * m) - (long)((x->count - 1) * x->shared);
}

/* Ends a node at place `end`: free places and groups within it join its beginning where they gain,
 * if all of them together do. */
static void close_node(ft_prefixes *p, const struct ft_prefix_node *node, size_t end)
{
    long gain = -(long)node->common;
    size_t first = SIZE_MAX;
    if (node->common < FT_PREFIX_LEAST)
        return;
    for (size_t i = node->from; i < end; i++) {
        struct ft_prefix_place *x = &p->places[i];
        if (x->shared && x->first != i)
            continue;
        x->joins = gain_of(x, node->common) > 0;
        gain += x->joins ? gain_of(x, node->common) : 0;
    }
    for (size_t i = node->from; i < end && gain > 0; i++) {
        struct ft_prefix_place *x = &p->places[i];
        x->joins = x->shared && x->first != i ? p->places[x->first].joins : x->joins;
        if (x->joins && first == SIZE_MAX)
            first = i;
    }
    for (size_t i = node->from; i < end && gain > 0; i++)
        if (p->places[i].joins) {
            p->places[i] = (struct ft_prefix_place){node->common, first, 0, 1};
            p->places[first].count++;
        }
}

/* Walks the tree of common beginnings from the leaves up, with the path to the root on a stack
 * (Abouelhoda et al. 2004, section 4). common[i] lies between places i - 1 and i. */
static void choose(ft_prefixes *p, size_t n)
{
    size_t depth = 1;
    p->stack[0] = (struct ft_prefix_node){0, 0};
    for (size_t i = 1; i <= n; i++) {
        size_t common = i < n ? p->common[i] : 0, from = i - 1;
        while (p->stack[depth - 1].common > common) {
            from = p->stack[--depth].from;
            close_node(p, &p->stack[depth], i);
        }
        if (p->stack[depth - 1].common < common)
            p->stack[depth++] = (struct ft_prefix_node){common, from};
    }
}

/* Gives the sequence at place i what its group shares; the group's first makes the prefix. */
static void share(ft_prefixes *p, size_t i)
{
    const struct ft_prefix_place *x = &p->places[i];
    ft_seq *rest = &p->rest[p->order[i]];
    size_t m = x->shared;
    if (x->first == i) {
        p->list[p->n++] = (ft_seq){.ids = rest->ids, .T = m, .key = rest->key};
        p->tokens += m;
        p->common[i] = p->n;          /* its number, for those that follow */
    } else {
        p->saved += m;
    }
    rest->prefix = p->common[x->first];
    rest->ids += m;
    rest->target += m;
    rest->T -= m;
}

int ft_prefixes_find(ft_prefixes *p, const ft_seq *seqs, size_t n, ft_err *e)
{
    int rc = ft_prefixes_none(p, seqs, n, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        p->order[i] = i;
        p->places[i] = (struct ft_prefix_place){0};
    }
    qsort_r(p->order, n, sizeof *p->order, compare, (void *)(uintptr_t)seqs);
    for (size_t i = 1; i < n; i++)
        p->common[i] = common_of(&seqs[p->order[i - 1]], &seqs[p->order[i]]);
    choose(p, n);
    for (size_t i = 0; i < n; i++)
        if (p->places[i].shared > 0)
            share(p, i);
    return 0;
}

void ft_prefixes_free(ft_prefixes *p)
{
    ft_free(p->list);
    ft_free(p->rest);
    ft_free(p->order);
    ft_free(p->common);
    ft_free(p->places);
    ft_free(p->stack);
    *p = (ft_prefixes){0};
}
