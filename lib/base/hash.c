#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

static ft_digest canonical(XXH128_hash_t h)
{
    XXH128_canonical_t c;
    ft_digest d;
    XXH128_canonicalFromHash(&c, h);
    memcpy(d.b, c.digest, sizeof d.b);
    return d;
}

ft_digest ft_digest_of(const void *p, size_t n)
{
    return canonical(XXH3_128bits(p, n));
}

uint64_t ft_hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(p, n, seed);
}

int ft_digest_equal(const ft_digest *a, const ft_digest *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

int ft_digest_is_zero(const ft_digest *a)
{
    static const ft_digest zero;
    return ft_digest_equal(a, &zero);
}

char *ft_digest_hex(const ft_digest *d, char out[33])
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof d->b; i++) {
        out[2 * i] = hex[d->b[i] >> 4];
        out[2 * i + 1] = hex[d->b[i] & 15];
    }
    out[32] = '\0';
    return out;
}


/* An ft_hasher is an XXH3_state_t under another name. */
int ft_hasher_new(ft_hasher **h, ft_err *e)
{
    /* XXH3_createState hands out its own 64-byte aligned memory. */
    *h = (ft_hasher *)XXH3_createState();
    if (!*h)
        return ft_err_nomem(e, sizeof(XXH128_canonical_t));
    ft_hasher_reset(*h);
    return 0;
}

void ft_hasher_reset(ft_hasher *h)
{
    XXH3_128bits_reset((XXH3_state_t *)h);
}

void ft_hasher_add(ft_hasher *h, const void *p, size_t n)
{
    if (n)
        XXH3_128bits_update((XXH3_state_t *)h, p, n);
}

ft_digest ft_hasher_digest(const ft_hasher *h)
{
    return canonical(XXH3_128bits_digest((const XXH3_state_t *)h));
}

void ft_hasher_free(ft_hasher **h)
{
    if (*h)
        XXH3_freeState((XXH3_state_t *)*h);
    *h = NULL;
}
