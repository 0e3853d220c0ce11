/* minhash_avx512.c: as minhash_ref.c, bit for bit. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __mmask8 first(size_t n)
{
    return n >= 8 ? 0xff : (__mmask8)((1u << n) - 1);
}

/* Sixteen of them, `here` with fewer where they end. */
INLINE void sixteen(const uint64_t *h, size_t n, const uint64_t *a, const uint64_t *b,
                    uint32_t *min, size_t here)
{
    const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    __mmask8 m0 = first(here), m1 = first(here < 8 ? 0 : here - 8);
    __mmask16 m = (__mmask16)(m0 | m1 << 8);
    __m512i a0 = _mm512_maskz_loadu_epi64(m0, a), a1 = _mm512_maskz_loadu_epi64(m1, a + 8);
    __m512i b0 = _mm512_maskz_loadu_epi64(m0, b), b1 = _mm512_maskz_loadu_epi64(m1, b + 8);
    __m512i least = _mm512_maskz_loadu_epi32(m, min);
    for (size_t i = 0; i < n; i++) {
        __m512i x = _mm512_set1_epi64((long long)h[i]);
        __m512i v0 = _mm512_add_epi64(_mm512_mullo_epi64(a0, x), b0);
        __m512i v1 = _mm512_add_epi64(_mm512_mullo_epi64(a1, x), b1);
        least = _mm512_min_epu32(least, _mm512_permutex2var_epi32(v0, odd, v1));
    }
    _mm512_mask_storeu_epi32(min, m, least);
}

void ft_k_minhash_avx512(const uint64_t *h, size_t n, const uint64_t *a, const uint64_t *b,
                         uint32_t *min, size_t k)
{
    size_t j = 0;
    for (; j + 16 <= k; j += 16)
        sixteen(h, n, a + j, b + j, min + j, 16);
    if (j < k)
        sixteen(h, n, a + j, b + j, min + j, k - j);
}
