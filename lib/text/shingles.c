#include "text/shingles.h"

#include "base/hash.h"
#include "base/mem.h"

#include <string.h>

enum { CHARACTERS = 4 };       /* of a piece of a short text */

static int ends_word(uint8_t c)
{
    return c == ' ' || c == 0xff;
}

int ft_shingles_room(ft_shingles *s, size_t n, ft_err *e)
{
    return n <= s->cap ? 0 : ft_grow(&s->h, &s->cap, n, sizeof *s->h, e);
}

static int add_piece(ft_shingles *s, const uint8_t *from, const uint8_t *to, ft_err *e)
{
    uint64_t h = ft_hash64(from, (size_t)(to - from), 0);
    if (ft_shingles_room(s, s->n + 1, e) < 0)
        return FT_ERR_NOMEM;
    s->h[s->n++] = h ? h : 1;
    return 0;
}

/* Adds the pieces of `words` words. Returns: how many words there are, or an error. */
static int add_words(ft_shingles *s, const uint8_t *p, size_t n, size_t words, size_t *found,
                     ft_err *e)
{
    const uint8_t *starts[FT_SHINGLE_WORDS_MAX] = {p}, *end = p + n;
    size_t first = 0;          /* where the oldest of the last `words` starts stands */
    *found = 0;
    for (const uint8_t *at = p; at < end;) {
        if (ends_word(*at)) {
            at++;
            continue;
        }
        if (*found < words)
            starts[*found] = at;
        else
            starts[first] = at;
        first = *found < words ? 0 : first + 1 == words ? 0 : first + 1;
        while (at < end && !ends_word(*at))
            at++;
        if (++*found >= words && add_piece(s, starts[first], at, e) < 0)
            return FT_ERR_NOMEM;
    }
    return 0;
}

static int add_characters(ft_shingles *s, const uint8_t *p, size_t n, ft_err *e)
{
    const uint8_t *starts[CHARACTERS];
    size_t seen = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && (p[i] & 0xc0) == 0x80)
            continue;
        if (seen >= CHARACTERS && add_piece(s, starts[seen % CHARACTERS], p + i, e) < 0)
            return FT_ERR_NOMEM;
        if (i < n)
            starts[seen++ % CHARACTERS] = p + i;
    }
    return 0;
}

/* An empty table of at least twice as many slots as there are hashes. */
static int clear_table(ft_shingles *s, ft_err *e)
{
    size_t slots = 16;
    while (slots < 2 * s->n)
        slots *= 2;
    if (slots > s->table_cap && ft_grow(&s->table, &s->table_cap, slots, sizeof *s->table, e) < 0)
        return FT_ERR_NOMEM;
    memset(s->table, 0, slots * sizeof *s->table);
    s->slots = slots;
    return 0;
}

/* Returns: the slot that has h, or the free one where it belongs. */
static uint64_t *slot_of(const ft_shingles *s, uint64_t h)
{
    size_t mask = s->slots - 1, i = h & mask;
    while (s->table[i] != 0 && s->table[i] != h)
        i = (i + 1) & mask;
    return &s->table[i];
}

static int drop_repeated(ft_shingles *s, ft_err *e)
{
    size_t n = 0;
    if (clear_table(s, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t *slot = slot_of(s, s->h[i]);
        if (*slot == 0) {
            *slot = s->h[i];
            s->h[n++] = *slot;
        }
    }
    s->n = n;
    return 0;
}

int ft_shingles_of(ft_shingles *s, const void *text, size_t n, size_t words, ft_err *e)
{
    const uint8_t *p = text;
    size_t found;
    s->n = 0;
    if (add_words(s, p, n, words, &found, e) < 0)
        return FT_ERR_NOMEM;
    if (found > 0 && found < words &&
        (add_piece(s, p, p + n, e) < 0 || add_characters(s, p, n, e) < 0))
        return FT_ERR_NOMEM;
    return drop_repeated(s, e);
}

int ft_shingles_index(ft_shingles *s, ft_err *e)
{
    if (clear_table(s, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < s->n; i++)
        *slot_of(s, s->h[i]) = s->h[i];
    return 0;
}

size_t ft_shingles_common(const ft_shingles *s, const uint64_t *h, size_t n)
{
    size_t common = 0;
    for (size_t i = 0; i < n; i++)
        common += *slot_of(s, h[i]) != 0;
    return common;
}

void ft_shingles_free(ft_shingles *s)
{
    ft_free(s->h);
    ft_free(s->table);
    *s = (ft_shingles){0};
}
