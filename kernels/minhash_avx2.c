/* minhash_avx2.c: as minhash_ref.c, bit for bit. There is no product of 64 bits: of a h + b only
 * the bits 32 to 63 are wanted, which are those of al hl + b, plus al hh, plus ah hl, modulo 2^32.
 */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The wanted bits of four, in the odd halves. swapped: h with its halves exchanged. */
INLINE __m256i four(__m256i a, __m256i b, __m256i h, __m256i swapped)
{
    __m256i low = _mm256_add_epi64(_mm256_mul_epu32(a, h), b);
    __m256i cross = _mm256_mullo_epi32(a, swapped);
    cross = _mm256_add_epi32(cross, _mm256_slli_epi64(cross, 32));
    return _mm256_add_epi32(low, cross);
}

/* The odd halves of x and y, in order but for the quarters 1 and 2, which are exchanged. */
INLINE __m256i odd_halves(__m256i x, __m256i y)
{
    return _mm256_castps_si256(
        _mm256_shuffle_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(y), 0xdd));
}

INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

void ft_k_minhash_avx2(const uint64_t *h, size_t n, const uint64_t *a, const uint64_t *b,
                       uint32_t *min, size_t k)
{
    size_t j = 0;
    for (; j + 8 <= k; j += 8) {
        __m256i a0 = load(a + j), a1 = load(a + j + 4), b0 = load(b + j), b1 = load(b + j + 4);
        __m256i least = _mm256_set1_epi32(-1);
        for (size_t i = 0; i < n; i++) {
            __m256i x = _mm256_set1_epi64x((long long)h[i]);
            __m256i swapped = _mm256_shuffle_epi32(x, 0xb1);
            __m256i v = odd_halves(four(a0, b0, x, swapped), four(a1, b1, x, swapped));
            least = _mm256_min_epu32(least, v);
        }
        least = _mm256_permute4x64_epi64(least, 0xd8);
        _mm256_storeu_si256((__m256i *)(min + j), _mm256_min_epu32(least, load(min + j)));
    }
    if (j < k)
        ft_k_minhash_ref(h, n, a + j, b + j, min + j, k - j);
}
