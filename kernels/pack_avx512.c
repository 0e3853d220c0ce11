/* pack_avx512.c: packing of bf16 rows and conversion to bf16, as gemm_ref.c. Packing of columns and
 * of floats only moves memory: pack_avx2.c is as fast. */
#include "kernels/kernels_internal.h"
#include "kernels/transpose_avx512.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

void ft_k_to_bf16_avx512(const float *src, uint16_t *dst, size_t n)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        _mm512_storeu_si512(dst + i, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(src + i + 16),
                                                                 _mm512_loadu_ps(src + i)));
    /* The same instruction for the rest: what it does to denormals must not depend on the place. */
    for (; i < n; i += 16) {
        __mmask16 here = (__mmask16)(n - i < 16 ? 0xffff >> (16 - (n - i)) : 0xffff);
        __m512 x = _mm512_maskz_loadu_ps(here, src + i);
        _mm256_mask_storeu_epi16(dst + i, here, (__m256i)_mm512_cvtneps_pbh(x));
    }
}

/* n <= 16 source rows by all of k into sixteen columns of the panel. */
INLINE void pack_strip(const uint16_t *src, size_t lds, size_t n, size_t k, size_t width,
                       uint16_t *panel)
{
    for (size_t p = 0; p < k; p += 32) {
        size_t left = k - p < 32 ? k - p : 32;
        __mmask32 here = left < 32 ? (1u << left) - 1 : ~0u;
        __m512i r[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            r[i] = i < n ? _mm512_maskz_loadu_epi16(here, src + i * lds + p)
                         : _mm512_setzero_si512();
        ft_transpose16(r);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++)
            if (2 * i < left)
                _mm512_storeu_si512(panel + (p / 2 + i) * width * 2, r[i]);
    }
}

void ft_k_pack_rows_bf16_avx512(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const uint16_t *x = src;
    uint16_t *to = panel;
    size_t width = FT_PANEL_WIDTH(n), j = 0;
    for (; j + 16 <= n; j += 16)
        pack_strip(x + j * lds, lds, 16, k, width, to + 2 * j);
    if (j < n)
        pack_strip(x + j * lds, lds, n - j, k, width, to + 2 * j);
}
