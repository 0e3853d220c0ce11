/* shuffle.h: the order of rows in an epoch, a pure function of seed and epoch. */
#ifndef FT_SHUFFLE_H
#define FT_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

/* Fills order[0..n) with a uniformly drawn permutation of 0..n-1 (Fisher and Yates, in
 * Durstenfeld's form, from FT_RNG_SHUFFLE). Earlier epochs have no influence. */
void ft_shuffle(size_t *order, size_t n, uint64_t seed, uint32_t epoch);

#endif
