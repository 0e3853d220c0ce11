/* rng.h: random numbers from a counter, not from a state.
 *
 * A draw is a pure function of (seed, use, step, index), so nothing has to be saved in a
 * checkpoint and no result depends on threads or order. The generator is Philox4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), checked against that
 * paper's published test vectors.
 */
#ifndef FT_RNG_H
#define FT_RNG_H

#include <stdint.h>

/* One block of Philox4x32-10: 128 counter bits and 64 key bits in, 128 random bits out. */
void ft_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* What a draw is for. New uses are appended: the numbers are part of "the same bytes". */
enum ft_rng_use {
    FT_RNG_SHUFFLE = 1,   /* step = epoch, index = position             */
    FT_RNG_INIT = 2,      /* step = tensor number, index = element      */
    FT_RNG_DROPOUT = 3,   /* step = optimiser step, index = element     */
    FT_RNG_SAMPLE = 4,    /* step = record, index = token               */
    FT_RNG_DATA = 5,      /* augmentation, bootstrap and the like       */
    FT_RNG_NEFTUNE = 6    /* step = optimiser step, index = element     */
};

/* Returns: 64 random bits. `index` is hashed as it is, so neighbours are independent. */
uint64_t ft_rng_u64(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index);

/* Returns: a number in [0, n), exactly uniform (Lemire's multiply with rejection); n > 0. */
uint64_t ft_rng_below(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index,
                      uint64_t n);

/* Returns: a float in [0, 1) with 24 random bits. */
float ft_rng_float(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index);

#endif
