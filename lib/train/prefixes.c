#define _GNU_SOURCE            /* qsort_r */
#include "train/prefixes.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Places [from, …) of the sorted order that share `common` tokens, while it is not known where
 * they end; saved: tokens that the best choice within them saves. */
struct ft_prefix_node {
    size_t common, from, saved;
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

/* By ids, then by place. */
static int compare(const void *x, const void *y, void *ctx)
{
    const ft_seq *seqs = ctx;
    size_t i = *(const size_t *)x, j = *(const size_t *)y;
    const ft_seq *a = &seqs[i], *b = &seqs[j];
    for (size_t t = 0; t < a->T && t < b->T; t++)
        if (a->ids[t] != b->ids[t])
            return a->ids[t] < b->ids[t] ? -1 : 1;
    if (a->T != b->T)
        return a->T < b->T ? -1 : 1;
    return (i > j) - (i < j);
}

static int make_room(ft_prefixes *p, size_t n, ft_err *e)
{
    if (ft_grow(&p->rest, &p->rest_cap, n, sizeof *p->rest, e) < 0 ||
        ft_grow(&p->order, &p->order_cap, n, sizeof *p->order, e) < 0 ||
        ft_grow(&p->common, &p->common_cap, n + 1, sizeof *p->common, e) < 0 ||
        ft_grow(&p->group, &p->group_cap, n, sizeof *p->group, e) < 0 ||
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

/* Ends the node on top of the stack at place `end`. When all of it sharing saves more than the best
 * within it, group says so: the tokens shared by the place. Returns: tokens saved. */
static size_t close_node(ft_prefixes *p, const struct ft_prefix_node *node, size_t end)
{
    size_t saved = (end - node->from - 1) * node->common;
    if (node->common < FT_PREFIX_LEAST || saved <= node->saved)
        return node->saved;
    for (size_t i = node->from; i < end; i++)
        p->group[i] = node->common;
    return saved;
}

/* Walks the tree of common beginnings from the leaves up, with the path to the root on a stack
 * (Abouelhoda et al. 2004, section 4). common[i] lies between places i - 1 and i. */
static void choose(ft_prefixes *p, size_t n)
{
    size_t depth = 1;
    p->stack[0] = (struct ft_prefix_node){0, 0, 0};
    for (size_t i = 1; i <= n; i++) {
        size_t common = i < n ? p->common[i] : 0, from = i - 1, saved = 0;
        while (p->stack[depth - 1].common > common) {
            struct ft_prefix_node node = p->stack[--depth];
            saved = close_node(p, &node, i);
            from = node.from;
            if (p->stack[depth - 1].common >= common) {
                p->stack[depth - 1].saved += saved;
                saved = 0;
            }
        }
        if (p->stack[depth - 1].common < common)
            p->stack[depth++] = (struct ft_prefix_node){common, from, saved};
    }
}

/* Whether place i goes on with the group of the place before it. */
static int goes_on(const ft_prefixes *p, size_t i)
{
    return i > 0 && p->group[i] == p->group[i - 1] && p->common[i] >= p->group[i];
}

int ft_prefixes_find(ft_prefixes *p, const ft_seq *seqs, size_t n, ft_err *e)
{
    int rc = ft_prefixes_none(p, seqs, n, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        p->order[i] = i;
        p->group[i] = 0;
    }
    qsort_r(p->order, n, sizeof *p->order, compare, (void *)(uintptr_t)seqs);
    for (size_t i = 1; i < n; i++)
        p->common[i] = common_of(&seqs[p->order[i - 1]], &seqs[p->order[i]]);
    choose(p, n);
    for (size_t i = 0; i < n; i++) {
        ft_seq *rest = &p->rest[p->order[i]];
        size_t m = p->group[i];
        if (m == 0)
            continue;
        if (goes_on(p, i)) {
            p->saved += m;
        } else {
            p->list[p->n++] = (ft_seq){.ids = rest->ids, .T = m, .key = rest->key};
            p->tokens += m;
        }
        rest->prefix = p->n;
        rest->ids += m;
        rest->target += m;
        rest->T -= m;
    }
    return 0;
}

void ft_prefixes_free(ft_prefixes *p)
{
    ft_free(p->list);
    ft_free(p->rest);
    ft_free(p->order);
    ft_free(p->common);
    ft_free(p->group);
    ft_free(p->stack);
    *p = (ft_prefixes){0};
}
