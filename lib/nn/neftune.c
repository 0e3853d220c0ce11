#include "nn/nn_internal.h"

#include "base/rng.h"

#include <math.h>

/* As in dropout: four elements share a Philox block, so the noise is a function of the step, the
 * sequence and the element, whatever is computed together. */
void nn_neftune(const struct ft_nn *nn, const ft_seq *seq, size_t position, size_t T, float *x)
{
    size_t C = nn->m->C;
    float scale = (float)((double)nn->step->neftune / sqrt((double)T * (double)C));
    uint64_t k = ft_rng_u64(nn->step->seed, FT_RNG_NEFTUNE, nn->step->step, seq->key);
    uint32_t key[2] = {(uint32_t)k, (uint32_t)(k >> 32)}, bits[4];
    for (size_t c = 0; c < C;) {
        uint64_t element = (uint64_t)position * C + c, block = element / 4;
        ft_philox((uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), 0, 0}, key, bits);
        /* 23 bits and a half: exact in a float, symmetric, and never an end of (-1, 1). */
        for (size_t i = element % 4; i < 4 && c < C; i++, c++)
            x[c] += scale * (((float)(bits[i] >> 9) + 0.5f) * 0x1p-22f - 1);
    }
}
