#include "data/augment_internal.h"

/* The name in {{name}} or <name> at p. Returns: the bytes of all of it, or 0. */
static size_t named(const uint8_t *p, size_t n, ft_slice *name)
{
    const size_t longest = 200;
    int braces = n > 4 && p[0] == '{' && p[1] == '{' && p[2] != '{';
    size_t from = braces ? 2 : 1;
    if (!braces && p[0] != '<')
        return 0;
    for (size_t i = from; i < n && i < longest && p[i] >= ' '; i++) {
        if (braces ? p[i] == '}' && i + 1 < n && p[i + 1] == '}' : p[i] == '>') {
            *name = (ft_slice){p + from, i - from};
            return i > from ? i + from : 0;
        }
        if (braces && p[i] == '{' && p[i - 1] == '{')
            return 0;
    }
    return 0;
}

size_t ft_augment_placeholder(const uint8_t *p, size_t n, const ft_lists *slots,
                              const ft_list **slot)
{
    ft_slice name = {0};
    size_t bytes = named(p, n, &name);
    *slot = bytes && slots ? ft_lists_find(slots, name.p, name.n) : NULL;
    return *slot || p[0] == '{' ? bytes : 0;
}

/* One value after the other from a random one on, with another start for each round. */
static ft_slice value_of(const ft_lists *slots, const ft_list *slot, uint64_t seed, uint32_t copy)
{
    uint64_t own = ft_hash64(slot->key.p, slot->key.n, seed), turn = copy - 1;
    uint64_t start = ft_rng_below(own, FT_RNG_DATA, (uint32_t)(turn / slot->n), 0, slot->n);
    return ft_lists_item(slots, slot, (size_t)((start + turn) % slot->n));
}

int ft_augment_fill(ft_slice text, const ft_lists *slots, uint64_t seed, uint32_t copy,
                    ft_buf *out, uint64_t *unfilled)
{
    int filled = 0;
    for (size_t at = 0; at < text.n;) {
        const ft_list *slot;
        size_t n = ft_augment_placeholder(text.p + at, text.n - at, slots, &slot);
        ft_slice value = {text.p + at, n ? n : 1};
        if (slot)
            value = value_of(slots, slot, seed, copy);
        filled |= slot != NULL;
        *unfilled += n && !slot;
        ft_buf_add(out, value.p, value.n);
        at += n ? n : 1;
    }
    return filled;
}
