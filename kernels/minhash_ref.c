#include "kernels/kernels_internal.h"

void ft_k_minhash_ref(const uint64_t *h, size_t n, const uint64_t *a, const uint64_t *b,
                      uint32_t *min, size_t k)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++) {
            uint32_t v = (uint32_t)((a[j] * h[i] + b[j]) >> 32);
            min[j] = v < min[j] ? v : min[j];
        }
}
