#include "data/digest_set.h"

#include "base/mem.h"

#include <string.h>

/* A slot is 0 when empty, else tag << 40 | number + 1. The tag is 24 bits of the digest that do not
 * choose the slot: all but one in 16 million comparisons of different digests end at it, without a
 * look at the digest itself.
 *
 *     63      40 39               0
 *     |  tag   |   number + 1     |
 */
#define NUMBER_BITS 40
#define NUMBER_MASK ((UINT64_C(1) << NUMBER_BITS) - 1)
#define FIRST_SLOTS 1024

struct ft_digest_set {
    ft_digest *keys;             /* keys_room(n_slots) of them */
    uint64_t *slots;
    size_t n_slots;              /* a power of two */
    size_t count;
    uint64_t bytes_max;
};

static size_t keys_room(size_t n_slots)
{
    return n_slots / 10 * 7;
}

static uint64_t bytes_for(size_t n_slots)
{
    return (uint64_t)n_slots * sizeof(uint64_t) + (uint64_t)keys_room(n_slots) * sizeof(ft_digest);
}

static uint64_t word_of(const ft_digest *d, size_t at)
{
    uint64_t w;
    memcpy(&w, d->b + at, sizeof w);
    return w;
}

static uint64_t tag_of(const ft_digest *d)
{
    return word_of(d, 8) & ~NUMBER_MASK;
}

/* Returns: the slot that holds the digest, or the empty one where it belongs. */
static size_t find_slot(const ft_digest_set *s, const ft_digest *key)
{
    uint64_t tag = tag_of(key);
    size_t mask = s->n_slots - 1, at = (size_t)word_of(key, 0) & mask;
    for (; s->slots[at]; at = (at + 1) & mask)
        if ((s->slots[at] & ~NUMBER_MASK) == tag &&
            ft_digest_equal(&s->keys[(s->slots[at] & NUMBER_MASK) - 1], key))
            break;
    return at;
}

/* Moves to a table of n_slots. On failure nothing has changed. */
static int resize(ft_digest_set *s, size_t n_slots, ft_err *e)
{
    uint64_t peak = bytes_for(n_slots) + (s->n_slots ? bytes_for(s->n_slots) : 0);
    ft_digest *keys;
    uint64_t *slots;
    if (s->bytes_max && peak > s->bytes_max)
        return ft_err_set(e, FT_ERR_NOMEM, "room for more than %zu distinct keys takes %llu bytes, "
                          "over the bound of %llu", s->count, (unsigned long long)peak,
                          (unsigned long long)s->bytes_max);
    if (keys_room(n_slots) >= NUMBER_MASK)
        return ft_err_set(e, FT_ERR_NOMEM, "over %zu distinct keys", s->count);
    keys = ft_new(keys_room(n_slots), sizeof *keys, e);
    slots = ft_new(n_slots, sizeof *slots, e);
    if (!keys || !slots) {
        ft_free(keys);
        ft_free(slots);
        return FT_ERR_NOMEM;
    }
    if (s->count)
        memcpy(keys, s->keys, s->count * sizeof *keys);
    ft_free(s->keys);
    ft_free(s->slots);
    s->keys = keys;
    s->slots = slots;
    s->n_slots = n_slots;
    for (size_t i = 0; i < s->count; i++)
        slots[find_slot(s, &keys[i])] = tag_of(&keys[i]) | (uint64_t)(i + 1);
    return 0;
}

int ft_digest_set_new(ft_digest_set **out, uint64_t bytes_max, ft_err *e)
{
    ft_digest_set *s = ft_new(1, sizeof *s, e);
    *out = NULL;
    if (!s)
        return FT_ERR_NOMEM;
    s->bytes_max = bytes_max;
    if (resize(s, FIRST_SLOTS, e) < 0) {
        ft_free(s);
        return FT_ERR_NOMEM;
    }
    *out = s;
    return 0;
}

int ft_digest_set_add(ft_digest_set *s, const ft_digest *key, uint64_t *number, int *is_new,
                      ft_err *e)
{
    size_t at = find_slot(s, key);
    *is_new = s->slots[at] == 0;
    if (!*is_new) {
        *number = (s->slots[at] & NUMBER_MASK) - 1;
        return 0;
    }
    if (s->count == keys_room(s->n_slots)) {
        if (s->n_slots > SIZE_MAX / 2 / sizeof(ft_digest))
            return ft_err_nomem(e, SIZE_MAX);
        if (resize(s, 2 * s->n_slots, e) < 0)
            return FT_ERR_NOMEM;
        at = find_slot(s, key);
    }
    s->keys[s->count] = *key;
    *number = s->count++;
    s->slots[at] = tag_of(key) | (uint64_t)s->count;
    return 0;
}

int ft_digest_set_find(const ft_digest_set *s, const ft_digest *key, uint64_t *number)
{
    size_t at = find_slot(s, key);
    if (!s->slots[at])
        return 0;
    *number = (s->slots[at] & NUMBER_MASK) - 1;
    return 1;
}

int ft_digest_set_is_full(const ft_digest_set *s)
{
    return s->bytes_max && s->count == keys_room(s->n_slots) &&
           bytes_for(2 * s->n_slots) + bytes_for(s->n_slots) > s->bytes_max;
}

uint64_t ft_digest_set_count(const ft_digest_set *s)
{
    return s->count;
}

uint64_t ft_digest_set_bytes(const ft_digest_set *s)
{
    return bytes_for(s->n_slots);
}

const ft_digest *ft_digest_set_at(const ft_digest_set *s, uint64_t number)
{
    return &s->keys[number];
}

void ft_digest_set_free(ft_digest_set **s)
{
    if (!*s)
        return;
    ft_free((*s)->keys);
    ft_free((*s)->slots);
    ft_free(*s);
    *s = NULL;
}
