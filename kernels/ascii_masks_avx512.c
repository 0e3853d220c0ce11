#include "kernels/kernels_internal.h"

#include <immintrin.h>

/* Whether first <= byte < first + n, as numbers without sign. */
static uint64_t within(__m512i x, char first, char n)
{
    return _mm512_cmplt_epu8_mask(_mm512_sub_epi8(x, _mm512_set1_epi8(first)),
                                  _mm512_set1_epi8(n));
}

void ft_k_ascii_masks_avx512(const uint8_t *p, ft_ascii_masks *m)
{
    __m512i x = _mm512_loadu_si512(p), low = _mm512_set1_epi8(0x20);
    m->letter = within(_mm512_or_si512(x, low), 'a', 26);
    m->digit = within(x, '0', 10);
    m->blank = _mm512_cmpeq_epi8_mask(x, low);
    m->space = m->blank | within(x, 0x09, 5);
    m->quote = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8('\''));
    m->wide = _mm512_movepi8_mask(x);
}
