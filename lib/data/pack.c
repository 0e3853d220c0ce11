#include "data/pack.h"

#include "base/mem.h"

#include <string.h>

#define NONE UINT32_MAX

struct ft_packer {
    uint32_t capacity, items_max;
    /* By length or room, 0..capacity: */
    uint32_t *count;             /* items of that length, then where the next of them goes */
    uint32_t *open;              /* the last row that came to have that room, or NONE       */
    uint64_t *has_open;          /* a bit for each room that some row has                   */
    /* By item or row: */
    uint32_t *sorted, *row_of, *items, *row_start;
    uint32_t *room, *before;     /* of a row; the row before it in the list of its room     */
};

static size_t n_words(const ft_packer *p)
{
    return (size_t)p->capacity / 64 + 1;
}

int ft_packer_new(ft_packer **out, uint32_t capacity, uint32_t items_max, ft_err *e)
{
    ft_packer *p = ft_new(1, sizeof *p, e);
    uint32_t **const by_item[] = {&p->sorted, &p->row_of, &p->items, &p->row_start, &p->room,
                                  &p->before};
    *out = NULL;
    if (!p)
        return FT_ERR_NOMEM;
    p->capacity = capacity;
    p->items_max = items_max;
    p->count = ft_new((size_t)capacity + 1, sizeof *p->count, e);
    p->open = ft_new((size_t)capacity + 1, sizeof *p->open, e);
    p->has_open = ft_new(n_words(p), sizeof *p->has_open, e);
    for (size_t i = 0; i < sizeof by_item / sizeof *by_item; i++)
        if (!(*by_item[i] = ft_new((size_t)items_max + 1, sizeof(uint32_t), e))) {
            ft_packer_free(&p);
            return FT_ERR_NOMEM;
        }
    if (!p->count || !p->open || !p->has_open) {
        ft_packer_free(&p);
        return FT_ERR_NOMEM;
    }
    *out = p;
    return 0;
}

/* Orders the items by length, longest first, equal lengths as they came (counting sort). */
static void sort_items(ft_packer *p, const uint32_t *lengths, size_t n)
{
    uint32_t at = 0;
    memset(p->count, 0, ((size_t)p->capacity + 1) * sizeof *p->count);
    for (size_t i = 0; i < n; i++)
        p->count[lengths[i]]++;
    for (size_t length = p->capacity; length > 0; length--) {
        uint32_t here = p->count[length];
        p->count[length] = at;
        at += here;
    }
    for (size_t i = 0; i < n; i++)
        p->sorted[p->count[lengths[i]]++] = (uint32_t)i;
}

/* Returns: the least room of an open row that is at least `length`, or NONE. */
static uint32_t least_room(const ft_packer *p, uint32_t length)
{
    size_t word = length / 64;
    uint64_t bits = p->has_open[word] & (~UINT64_C(0) << length % 64);
    while (!bits && ++word < n_words(p))
        bits = p->has_open[word];
    return bits ? (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(bits) : NONE;
}

static void put_row(ft_packer *p, uint32_t row, uint32_t room)
{
    p->room[row] = room;
    p->before[row] = p->open[room];
    p->open[room] = row;
    p->has_open[room / 64] |= UINT64_C(1) << room % 64;
}

static uint32_t take_row(ft_packer *p, uint32_t room)
{
    uint32_t row = p->open[room];
    p->open[room] = p->before[row];
    if (p->open[room] == NONE)
        p->has_open[room / 64] &= ~(UINT64_C(1) << room % 64);
    return row;
}

/* Writes the items row by row. p->room, free by now, holds where each row's next item goes. */
static void gather_rows(ft_packer *p, size_t n, size_t n_rows)
{
    memset(p->row_start, 0, (n_rows + 1) * sizeof *p->row_start);
    for (size_t i = 0; i < n; i++)
        p->row_start[p->row_of[i] + 1]++;
    for (size_t row = 0; row < n_rows; row++) {
        p->row_start[row + 1] += p->row_start[row];
        p->room[row] = p->row_start[row];
    }
    for (size_t i = 0; i < n; i++)
        p->items[p->room[p->row_of[p->sorted[i]]]++] = p->sorted[i];
}

ft_packing ft_pack_best_fit(ft_packer *p, const uint32_t *lengths, size_t n)
{
    uint32_t n_rows = 0;
    sort_items(p, lengths, n);
    memset(p->open, 0xff, ((size_t)p->capacity + 1) * sizeof *p->open);
    memset(p->has_open, 0, n_words(p) * sizeof *p->has_open);
    for (size_t i = 0; i < n; i++) {
        uint32_t item = p->sorted[i], room = least_room(p, lengths[item]), row;
        if (room == NONE) {
            row = n_rows++;
            room = p->capacity;
        } else {
            row = take_row(p, room);
        }
        p->row_of[item] = row;
        put_row(p, row, room - lengths[item]);
    }
    gather_rows(p, n, n_rows);
    return (ft_packing){n_rows, p->items, p->row_start};
}

void ft_packer_free(ft_packer **pp)
{
    ft_packer *p = *pp;
    if (!p)
        return;
    ft_free(p->count);
    ft_free(p->open);
    ft_free(p->has_open);
    ft_free(p->sorted);
    ft_free(p->row_of);
    ft_free(p->items);
    ft_free(p->row_start);
    ft_free(p->room);
    ft_free(p->before);
    ft_free(p);
    *pp = NULL;
}

int ft_window_at(const ft_window_rule *r, size_t n, size_t i, ft_window *w)
{
    size_t seen = r->overlap ? r->context : 0;      /* tokens that the window before had too */
    size_t advance = r->length - seen;
    if (n == 0 || (i > 0 && (i > n / advance || i * advance + seen >= n)))
        return 0;
    w->from = i * advance;
    w->to = n - w->from < r->length ? n : w->from + r->length;
    return 1;
}
