#include "base/rng.h"

void ft_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;  /* the Weyl constants: golden ratio and sqrt(3)-1 */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Counter layout: index (64 bits) | step (32) | use (8) and retry (24); key: the seed. */
static uint64_t draw(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index,
                     uint32_t retry)
{
    uint32_t ctr[4] = {(uint32_t)index, (uint32_t)(index >> 32), step,
                       (uint32_t)use << 24 | retry};
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    ft_philox(ctr, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}

uint64_t ft_rng_u64(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index)
{
    return draw(seed, use, step, index, 0);
}

uint64_t ft_rng_below(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index, uint64_t n)
{
    uint64_t threshold = (0 - n) % n;  /* 2^64 mod n: the share that would be drawn too often */
    for (uint32_t retry = 0;; retry++) {
        unsigned __int128 m =
            (unsigned __int128)draw(seed, use, step, index, retry & 0xFFFFFF) * n;
        if ((uint64_t)m >= threshold)
            return (uint64_t)(m >> 64);
    }
}

float ft_rng_float(uint64_t seed, enum ft_rng_use use, uint32_t step, uint64_t index)
{
    return (float)(draw(seed, use, step, index, 0) >> 40) * 0x1p-24f;
}
