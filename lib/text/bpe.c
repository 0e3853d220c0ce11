/* bpe.c: merges the bytes of one word: while a merge applies, the one of lowest rank, leftmost
 * first (Sennrich et al., ACL 2016). Short words scan an array; in long ones the candidates wait
 * in a heap over a linked list of symbols, so a word of n bytes takes n log n steps.
 */
#include "base/mem.h"
#include "text/tokenizer_internal.h"

#include <string.h>

#define SCAN_MAX 48              /* symbols: above this the heap is faster */
#define KEEP_SYMBOLS (1u << 16)  /* scratch for longer words is given back at once */
#define NONE UINT32_MAX

typedef struct symbol {
    uint32_t id;
    uint32_t prev, next;         /* neighbours, NONE at the ends                           */
    uint32_t rank;               /* of the merge with next; NONE: no such merge, or dead   */
} symbol;

struct ft_bpe {
    const ft_tokenizer *t;
    symbol *symbols;
    uint64_t *heap;              /* rank << 32 | position: least rank, then leftmost, first */
    size_t cap, heap_n;
    uint64_t steps;
    uint32_t id[SCAN_MAX];               /* a short word's symbols                  */
    const ft_merge *pair[SCAN_MAX];      /* the merge of id[i] and id[i + 1] or NULL */
};

int ft_bpe_new(ft_bpe **b, const ft_tokenizer *t, ft_err *e)
{
    *b = ft_new(1, sizeof **b, e);
    if (!*b)
        return FT_ERR_NOMEM;
    (*b)->t = t;
    return 0;
}

static void drop_scratch(ft_bpe *b)
{
    ft_free(b->symbols);
    ft_free(b->heap);
    b->symbols = NULL;
    b->heap = NULL;
    b->cap = 0;
}

void ft_bpe_free(ft_bpe **b)
{
    if (!*b)
        return;
    drop_scratch(*b);
    ft_free(*b);
    *b = NULL;
}

uint64_t ft_bpe_steps(const ft_bpe *b)
{
    return b->steps;
}

/* Merges the n symbols in b->id in place. Returns: how many are left. */
static size_t merge_by_scan(ft_bpe *b, size_t n)
{
    const ft_merge **pair = b->pair;
    uint32_t *id = b->id;
    for (size_t i = 0; i + 1 < n; i++)
        pair[i] = ft_merge_find(b->t, id[i], id[i + 1]);
    while (n > 1) {
        uint32_t best_rank = NONE;
        size_t best = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (pair[i] && pair[i]->rank < best_rank) {
                best_rank = pair[i]->rank;
                best = i;
            }
        b->steps += n;
        if (best_rank == NONE)
            break;
        id[best] = pair[best]->result;
        n--;
        for (size_t i = best + 1; i < n; i++) {
            id[i] = id[i + 1];
            pair[i - 1] = pair[i];
        }
        if (best > 0)
            pair[best - 1] = ft_merge_find(b->t, id[best - 1], id[best]);
        if (best + 1 < n)
            pair[best] = ft_merge_find(b->t, id[best], id[best + 1]);
    }
    return n;
}

static void sift_down(ft_bpe *b, size_t i)
{
    uint64_t *h = b->heap, v = h[i];
    for (size_t child; (child = 2 * i + 1) < b->heap_n; i = child) {
        if (child + 1 < b->heap_n && h[child + 1] < h[child])
            child++;
        b->steps++;
        if (h[child] >= v)
            break;
        h[i] = h[child];
    }
    h[i] = v;
}

static void push(ft_bpe *b, uint64_t v)
{
    size_t i = b->heap_n++;
    for (size_t parent; i > 0 && b->heap[parent = (i - 1) / 2] > v; i = parent) {
        b->heap[i] = b->heap[parent];
        b->steps++;
    }
    b->heap[i] = v;
}

static uint64_t pop(ft_bpe *b)
{
    uint64_t top = b->heap[0];
    b->heap[0] = b->heap[--b->heap_n];
    sift_down(b, 0);
    return top;
}

/* Looks the merge of symbol i with its next one up. Returns: whether there is one. */
static int rank_pair(ft_bpe *b, uint32_t i)
{
    symbol *s = &b->symbols[i];
    const ft_merge *m = s->next == NONE ? NULL
                                        : ft_merge_find(b->t, s->id, b->symbols[s->next].id);
    s->rank = m ? m->rank : NONE;
    return m != NULL;
}

static uint64_t heap_key(const ft_bpe *b, uint32_t i)
{
    return (uint64_t)b->symbols[i].rank << 32 | i;
}

/* Merges the n symbols in b->symbols. Each merge takes one candidate from the heap and puts back
 * two at most, so 2n entries are enough. */
static void merge_by_heap(ft_bpe *b, size_t n)
{
    b->heap_n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (rank_pair(b, i))
            b->heap[b->heap_n++] = heap_key(b, i);
    for (size_t i = b->heap_n / 2; i-- > 0;)
        sift_down(b, i);
    while (b->heap_n) {
        uint64_t top = pop(b);
        uint32_t i = (uint32_t)top;
        symbol *s = &b->symbols[i], *right;
        if (s->rank != top >> 32)
            continue;                    /* one of the two was merged otherwise meanwhile */
        right = &b->symbols[s->next];
        s->id = ft_merge_find(b->t, s->id, right->id)->result;
        s->next = right->next;
        right->rank = NONE;
        if (s->next != NONE)
            b->symbols[s->next].prev = i;
        if (rank_pair(b, i))
            push(b, heap_key(b, i));
        if (s->prev != NONE && rank_pair(b, s->prev))
            push(b, heap_key(b, s->prev));
    }
}

static int room_for(ft_bpe *b, size_t n, ft_err *e)
{
    if (n <= b->cap)
        return 0;
    drop_scratch(b);
    if (!(b->symbols = ft_new(n, sizeof *b->symbols, e)) ||
        !(b->heap = ft_new(n, 2 * sizeof *b->heap, e))) {
        drop_scratch(b);
        return FT_ERR_NOMEM;
    }
    b->cap = n;
    return 0;
}

static int long_word(ft_bpe *b, const uint8_t *p, size_t n, ft_ids *ids, uint64_t *lost,
                     ft_err *e)
{
    uint32_t used = 0;
    int rc;
    if (n >= NONE)
        return ft_err_set(e, FT_ERR_DATA, "a word of %zu bytes; at most %u are possible", n,
                          NONE - 1);
    if ((rc = room_for(b, n, e)) < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (b->t->byte_id[p[i]] != FT_NO_TOKEN) {
            b->symbols[used] = (symbol){b->t->byte_id[p[i]], used ? used - 1 : NONE, used + 1, 0};
            used++;
        }
    *lost += n - used;
    if (used) {
        b->symbols[used - 1].next = NONE;
        merge_by_heap(b, used);
        for (uint32_t i = 0; rc == 0 && i != NONE; i = b->symbols[i].next)
            rc = ft_ids_add(ids, b->symbols[i].id, e);
    }
    if (b->cap > KEEP_SYMBOLS)
        drop_scratch(b);
    return rc;
}

int ft_bpe_word(ft_bpe *b, const uint8_t *p, size_t n, ft_ids *ids, uint64_t *lost, ft_err *e)
{
    uint32_t *id = b->id;
    size_t used = 0;
    if (n > SCAN_MAX)
        return long_word(b, p, n, ids, lost, e);
    for (size_t i = 0; i < n; i++)
        if (b->t->byte_id[p[i]] != FT_NO_TOKEN)
            id[used++] = b->t->byte_id[p[i]];
    *lost += n - used;
    used = merge_by_scan(b, used);
    for (size_t i = 0; i < used; i++)
        if (ft_ids_add(ids, id[i], e) < 0)
            return FT_ERR_NOMEM;
    return 0;
}
