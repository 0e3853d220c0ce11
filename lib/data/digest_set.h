/* digest_set.h: which keys were seen, by their 128-bit digests, in a bound that the caller names.
 *
 * Each distinct digest gets the number of its first appearance (0, 1, 2, …), so that a caller can
 * keep more about it in an array beside the set. Two different keys share a digest by chance with
 * probability n^2 / 2^129; the set does not look behind the digests.
 *
 *     ft_digest_set *seen = NULL;
 *     if (ft_digest_set_new(&seen, 0, e) < 0) return e->code;
 *     if (ft_digest_set_add(seen, &key, &number, &is_new, e) < 0) …
 *
 * Memory: digests stand densely in the order they came; a table of 8-byte slots, at most 7/10
 * full, with linear probing, finds them. Both double together: 27 to 54 bytes a digest, and for the
 * time of a doubling half as much again.
 */
#ifndef FT_DIGEST_SET_H
#define FT_DIGEST_SET_H

#include "base/err.h"
#include "base/hash.h"

#include <stdint.h>

typedef struct ft_digest_set ft_digest_set;

/* bytes_max: what the set may hold at any moment, also while it doubles; 0: no bound.
 * Owns: the caller, ft_digest_set_free. Errors: FT_ERR_NOMEM. */
int ft_digest_set_new(ft_digest_set **s, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

/* Finds a digest, or adds it. *number: of its first appearance among the distinct ones, from 0.
 * *is_new: whether it was added now.
 * Errors: FT_ERR_NOMEM with the numbers, when memory is out or the bound would be passed; the set
 * is as before then. */
int ft_digest_set_add(ft_digest_set *s, const ft_digest *key, uint64_t *number, int *is_new,
                      ft_err *e) FT_MUST_CHECK;

/* Returns: whether the digest is in the set; its number then in *number. */
int ft_digest_set_find(const ft_digest_set *s, const ft_digest *key, uint64_t *number);

/* Returns: whether a digest that is not in the set would pass the bound. */
int ft_digest_set_is_full(const ft_digest_set *s);

uint64_t ft_digest_set_count(const ft_digest_set *s);
uint64_t ft_digest_set_bytes(const ft_digest_set *s);      /* held now */

/* The digest of a number below the count. */
const ft_digest *ft_digest_set_at(const ft_digest_set *s, uint64_t number);

void ft_digest_set_free(ft_digest_set **s);                /* accepts NULL, sets NULL */

#endif
