#include "eval/exact_grams.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { FIRST_SLOTS = 256 };

int ft_symbols_add(ft_symbols *t, uint32_t s, ft_err *e)
{
    if (t->n == t->cap && ft_grow(&t->s, &t->cap, t->n + 1, sizeof *t->s, e) < 0)
        return FT_ERR_NOMEM;
    t->s[t->n++] = s;
    return 0;
}

void ft_symbols_free(ft_symbols *t)
{
    ft_free(t->s);
    *t = (ft_symbols){0};
}

/* ---- words ---- */

typedef struct word {
    uint64_t hash;
    size_t at, n;              /* in bytes */
} word;

struct ft_vocab {
    ft_buf bytes;
    word *words;
    size_t n, cap;
    uint32_t *slots;           /* number + 1; 0: free */
    size_t n_slots;            /* a power of two in use, of slots_cap */
    size_t slots_cap;
};

int ft_vocab_new(ft_vocab **v, ft_err *e)
{
    if ((*v = ft_new(1, sizeof **v, e)) == NULL)
        return FT_ERR_NOMEM;
    (*v)->slots = ft_new(FIRST_SLOTS, sizeof *(*v)->slots, e);
    (*v)->n_slots = (*v)->slots_cap = FIRST_SLOTS;
    if (!(*v)->slots) {
        ft_vocab_free(v);
        return FT_ERR_NOMEM;
    }
    return 0;
}

/* One long text must not make all that follow clear a large table. */
void ft_vocab_reset(ft_vocab *v)
{
    v->n = 0;
    ft_buf_clear(&v->bytes);
    v->n_slots = FIRST_SLOTS;
    memset(v->slots, 0, v->n_slots * sizeof *v->slots);
}

static int widen_vocab(ft_vocab *v, ft_err *e)
{
    size_t n = v->n_slots * 2;
    if (ft_grow(&v->slots, &v->slots_cap, n, sizeof *v->slots, e) < 0)
        return FT_ERR_NOMEM;
    v->n_slots = n;
    memset(v->slots, 0, n * sizeof *v->slots);
    for (size_t i = 0; i < v->n; i++) {
        size_t at = v->words[i].hash & (n - 1);
        while (v->slots[at])
            at = (at + 1) & (n - 1);
        v->slots[at] = (uint32_t)i + 1;
    }
    return 0;
}

int ft_vocab_number(ft_vocab *v, const void *bytes, size_t n, uint32_t *number, ft_err *e)
{
    uint64_t hash = ft_hash64(bytes, n, 0);
    size_t at;
    if (2 * v->n >= v->n_slots && widen_vocab(v, e) < 0)
        return FT_ERR_NOMEM;
    for (at = hash & (v->n_slots - 1); v->slots[at]; at = (at + 1) & (v->n_slots - 1)) {
        const word *w = &v->words[v->slots[at] - 1];
        if (w->hash == hash && w->n == n &&
            (n == 0 || memcmp(v->bytes.p + w->at, bytes, n) == 0)) {
            *number = v->slots[at] - 1;
            return 0;
        }
    }
    if (v->n == UINT32_MAX - 1)
        return ft_err_set(e, FT_ERR_NOMEM, "over 2^32 different words");
    if (ft_grow(&v->words, &v->cap, v->n + 1, sizeof *v->words, e) < 0)
        return FT_ERR_NOMEM;
    v->words[v->n] = (word){hash, v->bytes.n, n};
    ft_buf_add(&v->bytes, bytes, n);
    if (ft_buf_check(&v->bytes, e) < 0)
        return FT_ERR_NOMEM;
    *number = (uint32_t)v->n++;
    v->slots[at] = *number + 1;
    return 0;
}

size_t ft_vocab_count(const ft_vocab *v)
{
    return v->n;
}

ft_slice ft_vocab_word(const ft_vocab *v, size_t number)
{
    return (ft_slice){v->bytes.p + v->words[number].at, v->words[number].n};
}

void ft_vocab_free(ft_vocab **v)
{
    if (!*v)
        return;
    ft_buf_free(&(*v)->bytes);
    ft_free((*v)->words);
    ft_free((*v)->slots);
    ft_free(*v);
    *v = NULL;
}

/* ---- n-grams ---- */

/* A slot says which child a node has: parent (0 is the root) and symbol make the key. */
typedef struct slot {
    uint32_t parent, symbol, node;    /* node 0: free */
} slot;

typedef struct node {
    uint32_t now, most;        /* in the reference that is being added; in any so far; then now
                                  counts what the scored text used up */
    uint32_t round;            /* which reference, or scored text, `now` is of */
} node;

struct ft_exact_grams {
    slot *slots;
    size_t n_slots, slots_cap;
    node *nodes;               /* [0] is the root */
    size_t n, cap;
    uint32_t round;
};

int ft_exact_grams_new(ft_exact_grams **g, ft_err *e)
{
    if ((*g = ft_new(1, sizeof **g, e)) == NULL)
        return FT_ERR_NOMEM;
    if (ft_exact_grams_reset(*g, 0, e) < 0) {
        ft_exact_grams_free(g);
        return FT_ERR_NOMEM;
    }
    return 0;
}

static int clear_slots(ft_exact_grams *g, size_t n, ft_err *e)
{
    if (n > g->slots_cap && ft_grow(&g->slots, &g->slots_cap, n, sizeof *g->slots, e) < 0)
        return FT_ERR_NOMEM;
    g->n_slots = n;
    memset(g->slots, 0, n * sizeof *g->slots);
    return 0;
}

int ft_exact_grams_reset(ft_exact_grams *g, size_t expected, ft_err *e)
{
    size_t n = FIRST_SLOTS;
    while (n < expected * 2 && n < (1u << 16))
        n *= 2;
    g->n = 1;
    g->round = 0;
    if (g->cap == 0 && ft_grow(&g->nodes, &g->cap, FIRST_SLOTS, sizeof *g->nodes, e) < 0)
        return FT_ERR_NOMEM;
    return clear_slots(g, n, e);
}

static size_t home_of(const ft_exact_grams *g, uint32_t parent, uint32_t symbol)
{
    uint64_t h = ((uint64_t)parent << 32 | symbol) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32 ^ h >> 50) & (g->n_slots - 1);
}

/* Returns: the slot of a child, or the free one where it would stand. */
static slot *find(const ft_exact_grams *g, uint32_t parent, uint32_t symbol)
{
    size_t at = home_of(g, parent, symbol);
    for (;; at = (at + 1) & (g->n_slots - 1)) {
        slot *s = &g->slots[at];
        if (s->node == 0 || (s->parent == parent && s->symbol == symbol))
            return s;
    }
}

static int widen(ft_exact_grams *g, ft_err *e)
{
    size_t old_n = g->n_slots, n = 0;
    slot *old = ft_new(g->n, sizeof *old, e);
    if (!old)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < old_n; i++)
        if (g->slots[i].node)
            old[n++] = g->slots[i];
    if (clear_slots(g, old_n * 4, e) < 0) {
        ft_free(old);
        return FT_ERR_NOMEM;
    }
    for (size_t i = 0; i < n; i++)
        *find(g, old[i].parent, old[i].symbol) = old[i];
    ft_free(old);
    return 0;
}

/* Gives the child's number; a new one begins with no counts. */
static int child_of(ft_exact_grams *g, uint32_t parent, uint32_t symbol, uint32_t *child, ft_err *e)
{
    slot *s = find(g, parent, symbol);
    if (s->node) {
        *child = s->node;
        return 0;
    }
    if (g->n >= UINT32_MAX)
        return ft_err_set(e, FT_ERR_NOMEM, "over 2^32 different n-grams");
    if (g->n == g->cap && ft_grow(&g->nodes, &g->cap, g->n + 1, sizeof *g->nodes, e) < 0)
        return FT_ERR_NOMEM;
    *s = (slot){parent, symbol, (uint32_t)g->n};
    *child = (uint32_t)g->n;
    g->nodes[g->n++] = (node){0, 0, 0};
    return 2 * g->n > g->n_slots ? widen(g, e) : 0;
}

int ft_exact_grams_add(ft_exact_grams *g, const uint32_t *s, size_t n, size_t order, ft_err *e)
{
    g->round++;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = 0;
        for (size_t k = 0; k < order && i + k < n; k++) {
            node *x;
            if (child_of(g, at, s[i + k], &at, e) < 0)
                return FT_ERR_NOMEM;
            x = &g->nodes[at];
            x->now = x->round == g->round ? x->now + 1 : 1;
            x->round = g->round;
            x->most = x->now > x->most ? x->now : x->most;
        }
    }
    return 0;
}

void ft_exact_grams_match(ft_exact_grams *g, const uint32_t *s, size_t n, size_t order,
                          double *match)
{
    size_t found[FT_NGRAM_ORDER_MAX] = {0};
    g->round++;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = 0;
        for (size_t k = 0; k < order && i + k < n; k++) {
            node *x;
            if ((at = find(g, at, s[i + k])->node) == 0)
                break;
            x = &g->nodes[at];
            if (x->round != g->round)
                x->now = 0;
            x->round = g->round;
            found[k] += x->now++ < x->most;
        }
    }
    for (size_t k = 0; k < order; k++)
        match[k] = (double)found[k];
}

void ft_exact_grams_free(ft_exact_grams **g)
{
    if (!*g)
        return;
    ft_free((*g)->slots);
    ft_free((*g)->nodes);
    ft_free(*g);
    *g = NULL;
}
