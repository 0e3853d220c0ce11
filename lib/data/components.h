/* components.h: which examples must stay on one side of a split. Examples that share a key (a
 * prompt, a response, a near-duplicate cluster, a group) are tied; what is tied, directly or
 * through others, is one component (union-find over the distinct keys, not over the examples).
 *
 *     ft_components_key(c, &prompt, FT_BY_PROMPT, &tie.key[FT_TIE_PROMPT], e)   for each example
 *     ft_components_tie(c, &tie, &home, e)        for each again, once common keys were found
 *     of = ft_components_of(c, home);             once all were tied
 *     side = ft_component_side(&of, &shares, seed);
 *
 * The side of a component depends on its own keys, the seed and the shares alone, so examples
 * that are added later leave it where it is, unless they tie it to another one, carry it over the
 * limit on size, or raise that limit above it.
 *
 * Memory: what a digest_set takes, and 32 to 64 bytes, for each distinct key.
 */
#ifndef FT_COMPONENTS_H
#define FT_COMPONENTS_H

#include "base/err.h"
#include "base/hash.h"
#include "base/mp.h"

#include <stdint.h>

#define FT_SPLIT_PARTS_MAX 8
#define FT_NO_KEY UINT32_MAX

typedef struct ft_components ft_components;

/* What ties examples. A component is named by its smallest key: groups come before clusters, they
 * before prompts, they before responses, so that a prompt that a known group gains moves
 * nothing. */
enum ft_relation { FT_BY_GROUP, FT_BY_CLUSTER, FT_BY_PROMPT, FT_BY_RESPONSE };

/* The keys of an example by number, FT_NO_KEY where it has none. The prompt is always there. */
#define FT_GROUPS_MAX 5
enum { FT_TIE_PROMPT, FT_TIE_RESPONSE, FT_TIE_CLUSTER, FT_TIE_GROUP,
       FT_TIES = FT_TIE_GROUP + FT_GROUPS_MAX };
typedef struct ft_tie {
    uint32_t key[FT_TIES];
} ft_tie;

typedef struct ft_component {
    uint64_t rows;               /* examples in it                                           */
    ft_digest key;               /* the smallest of its keys                                 */
    uint32_t most;               /* the key that ties most of its examples                   */
    uint64_t most_rows;          /* examples that have that key                              */
} ft_component;

typedef struct ft_shares {
    size_t n;                    /* parts, 1..FT_SPLIT_PARTS_MAX */
    double of[FT_SPLIT_PARTS_MAX];   /* > 0; only their ratio counts */
    uint64_t rows;               /* all examples                 */
} ft_shares;

/* bytes_max: what keys and what is kept about them may take; 0: no bound.
 * Owns: the caller, ft_components_free. Errors: FT_ERR_NOMEM. */
int ft_components_new(ft_components **c, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

/* First pass: an example has this key; it gets its number. Errors: FT_ERR_NOMEM, with numbers when
 * the bound is why. */
int ft_components_key(ft_components *c, const ft_digest *key, enum ft_relation by,
                      uint32_t *number, ft_err *e) FT_MUST_CHECK;

/* Between the passes: what many have in common ties nobody. */
void ft_components_set_common(ft_components *c, uint32_t key);
int ft_components_is_common(const ft_components *c, uint32_t key);
uint64_t ft_components_rows_with(const ft_components *c, uint32_t key);    /* examples */

/* Second pass: ties the example's keys and counts it. home: receives a key by which it can be found
 * again; for one whose keys are all common it is its own, which only equal ones share.
 * Errors: FT_ERR_NOMEM. */
int ft_components_tie(ft_components *c, const ft_tie *tie, uint32_t *home,
                      ft_err *e) FT_MUST_CHECK;

/* The home of an example that was tied, again. */
int ft_components_home(ft_components *c, const ft_tie *tie, uint32_t *home,
                       ft_err *e) FT_MUST_CHECK;

/* The component in which a key is by now. */
ft_component ft_components_of(ft_components *c, uint32_t key);

/* The number of the root of a key: equal for keys of one component, below ft_components_keys. */
uint32_t ft_components_root(ft_components *c, uint32_t key);
size_t ft_components_keys(const ft_components *c);

/* The keys, at most max, that most examples of the largest component have: two at least, most
 * first. Returns: their number. */
size_t ft_components_strongest(ft_components *c, uint32_t root, uint32_t *keys, size_t max);

/* Bytes held, and room for an array of `bytes` more under the same bound.
 * Errors: FT_ERR_NOMEM, with the numbers. */
uint64_t ft_components_bytes(const ft_components *c);
int ft_components_charge(ft_components *c, uint64_t bytes, ft_err *e) FT_MUST_CHECK;

/* Number of components, and the largest one, the first of equals (all zero when there is none). */
uint64_t ft_components_count(const ft_components *c);
ft_component ft_components_largest(ft_components *c);

void ft_components_free(ft_components **c);      /* accepts NULL, sets NULL */

/* Whether a component has over one example and over a fifth of those that the smallest part is
 * to have: wherever such a component went, it would bend the ratio. */
int ft_component_is_oversized(const ft_component *c, const ft_shares *s);

/* The part of a component: the first one for an oversized one, else the part into whose share
 * XXH3-64(key, seed) / 2^64 falls. */
size_t ft_component_side(const ft_component *c, const ft_shares *s, uint64_t seed);

#endif
