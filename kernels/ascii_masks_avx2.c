#include "kernels/kernels_internal.h"

#include <immintrin.h>

static uint64_t joined(__m256i low, __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

/* Whether first <= byte < first + n, as numbers without sign. */
static __m256i within(__m256i x, char first, char n)
{
    __m256i d = _mm256_sub_epi8(x, _mm256_set1_epi8(first));
    return _mm256_cmpeq_epi8(d, _mm256_min_epu8(d, _mm256_set1_epi8((char)(n - 1))));
}

void ft_k_ascii_masks_avx2(const uint8_t *p, ft_ascii_masks *m)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    __m256i low = _mm256_set1_epi8(0x20), quote = _mm256_set1_epi8('\'');
    m->letter = joined(within(_mm256_or_si256(a, low), 'a', 26),
                       within(_mm256_or_si256(b, low), 'a', 26));
    m->digit = joined(within(a, '0', 10), within(b, '0', 10));
    m->blank = joined(_mm256_cmpeq_epi8(a, low), _mm256_cmpeq_epi8(b, low));
    m->space = m->blank | joined(within(a, 0x09, 5), within(b, 0x09, 5));
    m->quote = joined(_mm256_cmpeq_epi8(a, quote), _mm256_cmpeq_epi8(b, quote));
    m->wide = joined(a, b);
}
