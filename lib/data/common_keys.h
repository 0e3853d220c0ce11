/* common_keys.h: which prompts and responses so many have in common that they say nothing about
 * where an example came from, and shall tie nobody ("yes" answers many questions).
 *
 *     ft_common_keys *k;  ft_common_keys_new(&k, c, over_prompt, over_response, e)
 *     ft_common_keys_see(k, &tie, e)      for each example, once all keys were counted
 *     ft_common_keys_set(k, found, max)   marks them in c
 *
 * A prompt or response is common when more than a limit of different groups have it. The group of
 * an example is the first of its group fields that it has; of one without, it is the response for
 * a prompt, and the prompt for a response. Counted exactly.
 *
 * Memory: 8 bytes for each example whose prompt, and for each whose response, more examples have
 * than the limit; charged to the bound of c.
 */
#ifndef FT_COMMON_KEYS_H
#define FT_COMMON_KEYS_H

#include "data/components.h"

typedef struct ft_common_keys ft_common_keys;

typedef struct ft_common_key {
    uint32_t key;
    int slot;                    /* FT_TIE_PROMPT or FT_TIE_RESPONSE */
    uint64_t groups, rows;       /* that have it                     */
} ft_common_key;

typedef struct ft_common_counts {
    uint64_t texts, rows;        /* common ones, and examples with one */
} ft_common_counts;

/* over: by slot (FT_TIE_PROMPT, FT_TIE_RESPONSE); 0: no limit.
 * Owns: the caller, ft_common_keys_free. Errors: FT_ERR_NOMEM. */
int ft_common_keys_new(ft_common_keys **k, ft_components *c, const uint64_t over[2],
                       ft_err *e) FT_MUST_CHECK;
int ft_common_keys_see(ft_common_keys *k, const ft_tie *tie, ft_err *e) FT_MUST_CHECK;

/* Marks the common keys. counts: by slot. top: receives those of most examples, at most max, most
 * first. Returns: their number. */
size_t ft_common_keys_set(ft_common_keys *k, ft_common_counts counts[2], ft_common_key *top,
                          size_t max);
void ft_common_keys_free(ft_common_keys **k);       /* accepts NULL, sets NULL */

#endif
