#include "train/shuffle.h"

#include "base/rng.h"

void ft_shuffle(size_t *order, size_t n, uint64_t seed, uint32_t epoch)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i-- > 1;) {
        size_t j = (size_t)ft_rng_below(seed, FT_RNG_SHUFFLE, epoch, i, i + 1);
        size_t held = order[i];
        order[i] = order[j];
        order[j] = held;
    }
}
