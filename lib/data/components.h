/* components.h: which examples must stay on one side of a split. Examples that share a prompt or
 * a group are tied; what is tied, directly or through others, is one component (union-find over
 * the distinct keys, not over the examples).
 *
 *     ft_components_add(c, &prompt, &group, &tie, e)      for each example; keep tie.prompt
 *     of = ft_components_of(c, tie.prompt);                once all were added
 *     side = ft_component_side(&of, &shares, seed);
 *
 * The side of a component depends on its own keys, the seed and the shares alone, so examples
 * that are added later leave it where it is, unless they tie it to another group, carry it over the
 * limit on size, or raise that limit above it.
 *
 * Memory: what a digest_set takes, and 32 to 64 bytes, for each distinct prompt and group.
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

typedef struct ft_tie {          /* the keys of an example by number; group may be FT_NO_KEY */
    uint32_t prompt, group;
} ft_tie;

typedef struct ft_component {
    uint64_t rows;               /* examples in it                                           */
    ft_digest key;               /* its smallest group, or the prompt of one without a group */
    uint32_t most;               /* the key that ties most of its examples                   */
    uint64_t most_rows;          /* examples that have that key                              */
} ft_component;

typedef struct ft_shares {
    size_t n;                    /* parts, 1..FT_SPLIT_PARTS_MAX */
    double of[FT_SPLIT_PARTS_MAX];   /* > 0; only their ratio counts */
    uint64_t rows;               /* all examples                 */
} ft_shares;

/* Owns: the caller, ft_components_free. Errors: FT_ERR_NOMEM. */
int ft_components_new(ft_components **c, ft_err *e) FT_MUST_CHECK;

/* Adds an example. group: NULL when it has none. Errors: FT_ERR_NOMEM. */
int ft_components_add(ft_components *c, const ft_digest *prompt, const ft_digest *group,
                      ft_tie *tie, ft_err *e) FT_MUST_CHECK;

/* The component in which a key (a number from ft_components_add) is by now. */
ft_component ft_components_of(ft_components *c, uint32_t key);

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

/* The key of a group value: any scalar; numbers count by value, not by how they were packed, a
 * whole number and a fraction being different. Returns: 1, or 0 for nil, which is no group.
 * Errors: FT_ERR_DATA for a list, a map or an extension. */
int ft_group_key(ft_mp value, ft_digest *key, ft_err *e) FT_MUST_CHECK;

#endif
