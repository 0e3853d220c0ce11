/* strata.h: sides for components so that the parts keep their ratio within each stratum (each value
 * of a field), and so that what was dealt out before stays where it was.
 *
 *     ft_strata_new(&s, c, n_parts, e)
 *     ft_strata_add(s, home, &label, previous, e)     for each example, once all were tied
 *     ft_strata_deal(s, &shares, seed, e)
 *     side = ft_strata_side(s, home)
 *
 * The stratum of a component is that of most of its examples, of the smallest hash among equals. A
 * component with examples of earlier parts goes where most of them were (the first of equals), an
 * oversized one to the first part. The others of a stratum come in the order of
 * XXH3-64(key, seed) and share what is left: each goes to the part into whose piece of the row of
 * all their examples its middle falls. So components of one example miss the shares by less than
 * one.
 *
 * Memory: 8 bytes an example, 4 a key, and 40 and 4 for each part a component.
 */
#ifndef FT_STRATA_H
#define FT_STRATA_H

#include "data/components.h"

typedef struct ft_strata ft_strata;

#define FT_NO_PART (-1)

/* Owns: the caller, ft_strata_free. c must outlive it. Errors: FT_ERR_NOMEM. */
int ft_strata_new(ft_strata **s, ft_components *c, size_t parts, ft_err *e) FT_MUST_CHECK;

/* label: the hash of its value; NULL: it has none, which is a stratum of its own. previous: the
 * part where it was, or FT_NO_PART. */
int ft_strata_add(ft_strata *s, uint32_t home, const ft_digest *label, int previous,
                  ft_err *e) FT_MUST_CHECK;
int ft_strata_deal(ft_strata *s, const ft_shares *shares, uint64_t seed, ft_err *e) FT_MUST_CHECK;
size_t ft_strata_side(ft_strata *s, uint32_t home);
size_t ft_strata_count(const ft_strata *s);          /* different labels */
void ft_strata_free(ft_strata **s);                  /* accepts NULL, sets NULL */

#endif
