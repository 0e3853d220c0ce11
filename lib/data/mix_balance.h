/* mix_balance.h: how often each row of a labelled data set is to be used, or how much it is to
 * count, so that rare labels are not drowned.
 *
 *     ft_balance_add(b, label, e);                             for each row, in order
 *     ft_balance_deal(b, &(ft_balance_rule){.cap = 500}, seed, e);
 *     … ft_balance_copies(b, row) …                            0: left out; 3: used three times
 *
 * Labels are plain values (strings, numbers, booleans); a label's rows are its class. With a target
 * of T rows, a class of n gives each of its rows T / n times, and T mod n of them, chosen by a
 * random number of (seed, row), once more. A rule with cap takes min(n, cap) as the target of a
 * class; one with oversample the size of the largest class (the cap, where that is smaller).
 *
 * Weights: of inverse square roots, 1 / sqrt(n); of effective numbers, (1 - b) / (1 - b^n), b in
 * (0, 1) (Cui et al., "Class-balanced loss based on effective number of samples", CVPR 2019); both
 * scaled so that the mean over the rows is 1.
 *
 * Memory: 28 bytes a row, under 100 for each class.
 */
#ifndef FT_MIX_BALANCE_H
#define FT_MIX_BALANCE_H

#include "base/err.h"
#include "base/mp.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_balance ft_balance;

typedef struct ft_balance_rule {
    uint64_t cap;              /* 0: none                                      */
    int oversample;
    uint64_t uses_max;         /* of a row, >= 1; 0: no bound                   */
} ft_balance_rule;

/* memory: bytes that all of it may take; 0: no bound. Owns: the caller, ft_balance_free. */
int ft_balance_new(ft_balance **b, uint64_t memory, ft_err *e) FT_MUST_CHECK;
void ft_balance_free(ft_balance **b);                  /* accepts NULL, sets NULL */

/* Adds the next row. Errors: FT_ERR_DATA (not a plain value), FT_ERR_NOMEM. */
int ft_balance_add(ft_balance *b, ft_mp label, ft_err *e) FT_MUST_CHECK;

size_t ft_balance_classes(const ft_balance *b);
uint64_t ft_balance_smallest(const ft_balance *b);     /* rows of the smallest class, or 0 */
uint64_t ft_balance_largest(const ft_balance *b);

/* Decides on the uses of each row. *short_of: classes that stay below their target because of
 * uses_max. Errors: FT_ERR_NOMEM. */
int ft_balance_deal(ft_balance *b, const ft_balance_rule *rule, uint64_t seed, size_t *short_of,
                    ft_err *e) FT_MUST_CHECK;
uint64_t ft_balance_copies(const ft_balance *b, uint64_t row);

/* Decides on the weight of each class. beta: 0 for inverse square roots. */
void ft_balance_weigh(ft_balance *b, double beta);
double ft_balance_weight(const ft_balance *b, uint64_t row);

#endif
