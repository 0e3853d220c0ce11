#include "eval/lcs.h"

#include "base/mem.h"

#include <string.h>

#define TABLE_WORDS_MAX ((size_t)1 << 27)

/* Where a symbol stands in a: by a chain of places, or, when there are more places than words in a
 * row, by a row of bits. At most 64 symbols can be so frequent. */
typedef struct place {
    uint32_t first;            /* place + 1; 0: the symbol is not in a */
    uint32_t count, dense;     /* dense: row of bits + 1; 0: none      */
} place;

struct ft_lcs {
    place *of;                 /* by symbol; all zero between calls */
    size_t of_cap;
    uint32_t *next;            /* by place in a: the same symbol before it, + 1 */
    size_t next_cap;
    uint64_t *dense, *sparse, *row, *table;
    size_t dense_cap, sparse_cap, row_cap, table_cap;
    size_t words;              /* of a row */
};

int ft_lcs_new(ft_lcs **l, ft_err *e)
{
    *l = ft_new(1, sizeof **l, e);
    return *l ? 0 : FT_ERR_NOMEM;
}

void ft_lcs_free(ft_lcs **l)
{
    if (!*l)
        return;
    ft_free((*l)->of);
    ft_free((*l)->next);
    ft_free((*l)->dense);
    ft_free((*l)->sparse);
    ft_free((*l)->row);
    ft_free((*l)->table);
    ft_free(*l);
    *l = NULL;
}

static int room(uint64_t **p, size_t *cap, size_t n, ft_err *e)
{
    return n > *cap ? ft_grow(p, cap, n, sizeof **p, e) : 0;
}

static void set_bit(uint64_t *row, size_t i)
{
    row[i / 64] |= UINT64_C(1) << (i % 64);
}

static void forget(ft_lcs *l, const uint32_t *a, size_t n_a)
{
    for (size_t i = 0; i < n_a; i++)
        l->of[a[i]] = (place){0, 0, 0};
}

/* Notes where the symbols of a stand. */
static int index_places(ft_lcs *l, const uint32_t *a, size_t n_a, size_t symbols, ft_err *e)
{
    size_t old = l->of_cap, n_dense = 0;
    l->words = (n_a + 63) / 64;
    if (symbols > old) {
        if (ft_grow(&l->of, &l->of_cap, symbols, sizeof *l->of, e) < 0)
            return FT_ERR_NOMEM;
        memset(l->of + old, 0, (l->of_cap - old) * sizeof *l->of);
    }
    if ((n_a > l->next_cap && ft_grow(&l->next, &l->next_cap, n_a, sizeof *l->next, e) < 0) ||
        room(&l->dense, &l->dense_cap, 64 * l->words, e) < 0 ||
        room(&l->sparse, &l->sparse_cap, l->words, e) < 0 ||
        room(&l->row, &l->row_cap, l->words, e) < 0)
        return FT_ERR_NOMEM;
    memset(l->sparse, 0, l->words * sizeof *l->sparse);
    for (size_t i = 0; i < n_a; i++) {
        place *p = &l->of[a[i]];
        l->next[i] = p->first;
        p->first = (uint32_t)i + 1;
        p->count++;
    }
    for (size_t i = 0; i < n_a && l->words > 1; i++) {
        place *p = &l->of[a[i]];
        if (p->count <= l->words)
            continue;
        if (p->dense == 0) {
            p->dense = (uint32_t)++n_dense;
            memset(l->dense + (n_dense - 1) * l->words, 0, l->words * sizeof *l->dense);
        }
        set_bit(l->dense + (p->dense - 1) * l->words, i);
    }
    return 0;
}

/* Works one symbol of b into the row: v = (v + (v & m)) | (v & ~m) over the bits of all words. */
static void advance(ft_lcs *l, uint32_t symbol)
{
    const place *p = &l->of[symbol];
    const uint64_t *m = p->dense ? l->dense + (p->dense - 1) * l->words : l->sparse;
    uint64_t carry = 0;
    if (p->first == 0)
        return;                                  /* nothing matches: the row stays */
    for (uint32_t at = p->dense ? 0 : p->first; at; at = l->next[at - 1])
        set_bit(l->sparse, at - 1);
    for (size_t w = 0; w < l->words; w++) {
        uint64_t v = l->row[w], u = v & m[w], sum = v + u, all = sum + carry;
        carry = (uint64_t)(sum < v) | (uint64_t)(all < sum);
        l->row[w] = all | (v & ~m[w]);
    }
    for (uint32_t at = p->dense ? 0 : p->first; at; at = l->next[at - 1])
        l->sparse[(at - 1) / 64] = 0;
}

int ft_lcs_length(ft_lcs *l, const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b,
                  size_t symbols, size_t *length, ft_err *e)
{
    *length = 0;
    if (n_a == 0 || n_b == 0)
        return 0;
    if (index_places(l, a, n_a, symbols, e) < 0)
        return FT_ERR_NOMEM;
    memset(l->row, 0xff, l->words * sizeof *l->row);
    for (size_t j = 0; j < n_b; j++)
        advance(l, b[j]);
    for (size_t i = 0; i < n_a; i++)
        *length += !(l->row[i / 64] >> (i % 64) & 1);
    forget(l, a, n_a);
    return 0;
}

/* From the last cell to the first. Where the symbols differ, a length that grew in a's direction
 * must have been there before in b's. */
static void walk_back(const ft_lcs *l, const uint32_t *a, size_t i, const uint32_t *b, size_t j,
                      uint8_t *marked)
{
    while (i > 0 && j > 0) {
        const uint64_t *row = l->table + (j - 1) * l->words;
        if (a[i - 1] == b[j - 1]) {
            marked[--i] = 1;
            j--;
        } else if (row[(i - 1) / 64] >> ((i - 1) % 64) & 1) {
            i--;
        } else {
            j--;
        }
    }
}

int ft_lcs_mark(ft_lcs *l, const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b,
                size_t symbols, uint8_t *marked, ft_err *e)
{
    size_t words = (n_a + 63) / 64;
    if (n_a == 0 || n_b == 0)
        return 0;
    if (n_b > TABLE_WORDS_MAX / words)
        return ft_err_set(e, FT_ERR_NOMEM, "the table of a line of %zu words against one of %zu "
                          "would take over 1 GiB", n_a, n_b);
    if (room(&l->table, &l->table_cap, n_b * words, e) < 0 ||
        index_places(l, a, n_a, symbols, e) < 0)
        return FT_ERR_NOMEM;
    memset(l->row, 0xff, words * sizeof *l->row);
    for (size_t j = 0; j < n_b; j++) {
        advance(l, b[j]);
        memcpy(l->table + j * words, l->row, words * sizeof *l->row);
    }
    walk_back(l, a, n_a, b, n_b, marked);
    forget(l, a, n_a);
    return 0;
}
