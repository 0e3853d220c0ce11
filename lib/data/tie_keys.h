/* tie_keys.h: the digests by which an example hangs together with others (components.h).
 *
 *     ft_tie_keys k;
 *     if (ft_tie_keys_of(record, groups, n_groups, scratch, &k, e) < 0) …
 *     for (size_t i = 0; i < FT_TIES; i++) if (k.has[i]) … k.key[i] …
 *
 * Each kind of key has a salt of its own, so that a response is never taken for a prompt, and the
 * group fields are told apart by their names.
 */
#ifndef FT_TIE_KEYS_H
#define FT_TIE_KEYS_H

#include "data/components.h"
#include "data/example.h"

typedef struct ft_tie_keys {
    int has[FT_TIES];
    ft_digest key[FT_TIES];      /* as ft_tie counts them                                 */
    ft_digest row;               /* of prompt and response: the same for equal examples   */
} ft_tie_keys;

/* The prompt is that of FT_PART_PROMPT; where there is none, or an empty one, the whole example
 * stands in its place. The response is that of FT_PART_RESPONSE; an empty one, and that of a text,
 * which is the prompt too, is none. The cluster is the field `cluster`. groups: names of fields.
 * scratch: as ft_example_key. Errors: FT_ERR_DATA naming the field. */
int ft_tie_keys_of(ft_mp record, const char *const *groups, size_t n_groups, ft_buf scratch[2],
                   ft_tie_keys *k, ft_err *e) FT_MUST_CHECK;

/* The key of a group value: any scalar; numbers count by value, not by how they were packed, a
 * whole number and a fraction being different. salt: a word that says whose value it is.
 * Returns: 1, or 0 for nil, which is no group. Errors: FT_ERR_DATA for a list, a map or an
 * extension. */
int ft_group_key(ft_mp value, const char *salt, ft_digest *key, ft_err *e) FT_MUST_CHECK;

#endif
