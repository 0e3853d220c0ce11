#include "nn/nn_internal.h"

#include "base/rng.h"

/* Four elements share a Philox block: counter = (block number in the matrix, layer and target),
 * key = a draw for this step and sequence. So forward and backward, which walk the matrix in
 * different tiles, see the same mask. The factor is looked up: a branch would often be guessed
 * wrong. */
void nn_dropout(const struct ft_nn *nn, const ft_seq *seq, size_t position, size_t layer,
                enum ft_target t, const float *x, size_t from, size_t n, size_t width, float *out)
{
    float p = nn->step->dropout, factor[2] = {1 / (1 - p), 0};
    uint64_t k = ft_rng_u64(nn->step->seed, FT_RNG_DROPOUT, nn->step->step, seq->key);
    uint32_t key[2] = {(uint32_t)k, (uint32_t)(k >> 32)}, bits[4];
    uint32_t where = (uint32_t)(layer * FT_TARGETS + (size_t)t);
    uint32_t limit = (uint32_t)((double)p * 4294967296.0);
    for (size_t c = 0; c < n;) {
        uint64_t element = (uint64_t)position * width + from + c, block = element / 4;
        ft_philox((uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), where, 0}, key, bits);
        for (size_t i = element % 4; i < 4 && c < n; i++, c++)
            out[c] = x[c] * factor[bits[i] < limit];
    }
}
