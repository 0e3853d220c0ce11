/* hash.h: XXH3 digests. They prove integrity (nothing was lost, flipped or reordered), not
 * authenticity: anybody can compute them. */
#ifndef FT_HASH_H
#define FT_HASH_H

#include "base/err.h"

#include <stdint.h>

typedef struct ft_digest {
    uint8_t b[16];    /* XXH3-128 in the canonical (big-endian) form that xxhsum prints */
} ft_digest;

typedef struct ft_hasher ft_hasher;

/* Digest of n bytes at once. */
ft_digest ft_digest_of(const void *p, size_t n);
uint64_t ft_hash64(const void *p, size_t n, uint64_t seed);   /* XXH3-64 */

int ft_digest_equal(const ft_digest *a, const ft_digest *b);
int ft_digest_is_zero(const ft_digest *a);

/* Writes 32 lower-case hex digits and a NUL. Returns: out. */
char *ft_digest_hex(const ft_digest *d, char out[33]);

/* Streaming form. Owns: the caller, ft_hasher_free (accepts NULL, sets NULL). */
int ft_hasher_new(ft_hasher **h, ft_err *e) FT_MUST_CHECK;
void ft_hasher_reset(ft_hasher *h);
void ft_hasher_add(ft_hasher *h, const void *p, size_t n);
ft_digest ft_hasher_digest(const ft_hasher *h);   /* of all added so far; may go on */
void ft_hasher_free(ft_hasher **h);

#endif
