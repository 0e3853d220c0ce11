/* pack_avx2.c: packing of panels and conversion to bf16, as gemm_ref.c, the same bits. */
#include "kernels/bf16_avx2.h"
#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"
#include "kernels/transpose_avx2.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

INLINE void store(uint16_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

void ft_k_to_bf16_avx2(const float *src, uint16_t *dst, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(dst + i),
                         ft_bf16_packed_avx2(_mm256_loadu_ps(src + i)));
    ft_k_to_bf16_ref(src + i, dst + i, n - i);
}

/* The last elements of a row, zeros behind them. */
INLINE __m256i load_some(const uint16_t *p, size_t n)
{
    uint16_t some[16] = {0};
    if (n >= 16)
        return load(p);
    memcpy(some, p, n * sizeof *p);
    return load(some);
}

/* n <= 8 source rows by all of k into eight columns of the panel. */
INLINE void pack_strip(const uint16_t *src, size_t lds, size_t n, size_t k, size_t width,
                       uint16_t *panel)
{
    for (size_t p = 0; p < k; p += 16) {
        size_t left = k - p < 16 ? k - p : 16;
        __m256i r[8];
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            r[i] = i < n ? load_some(src + i * lds + p, left) : _mm256_setzero_si256();
        ft_transpose8(r);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            if (2 * i < left)
                store(panel + (p / 2 + i) * width * 2, r[i]);
    }
}

void ft_k_pack_rows_bf16_avx2(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const uint16_t *x = src;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t j = 0; j < width; j += 8) {
        size_t rows = j >= n ? 0 : n - j < 8 ? n - j : 8;
        pack_strip(rows ? x + j * lds : x, lds, rows, k, width, (uint16_t *)panel + 2 * j);
    }
}

void ft_k_pack_cols_bf16_avx2(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const uint16_t *x = src;
    uint16_t *to = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k; p += 2)
        for (size_t j = 0; j < width; j += 16, to += 32) {
            __m256i a = load_some(x + p * lds + j, n - j);
            __m256i b = p + 1 < k ? load_some(x + (p + 1) * lds + j, n - j)
                                  : _mm256_setzero_si256();
            __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
            store(to, _mm256_permute2x128_si256(low, high, 0x20));
            store(to + 16, _mm256_permute2x128_si256(low, high, 0x31));
        }
}

/* n <= 8 source rows of floats by all of k into eight columns of the panel. */
INLINE void pack_strip_f32(const float *src, size_t lds, size_t n, size_t k, size_t width,
                           float *panel)
{
    for (size_t p = 0; p < k; p += 8) {
        __m256i r[8];
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            r[i] = i < n ? _mm256_castps_si256(ft_load_avx2(src + i * lds + p, k - p, 0))
                         : _mm256_setzero_si256();
        ft_transpose8(r);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            if (p + i < k)
                _mm256_storeu_ps(panel + (p + i) * width, _mm256_castsi256_ps(r[i]));
    }
}

void ft_k_pack_rows_f32_avx2(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const float *x = src;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t j = 0; j < width; j += 8) {
        size_t rows = j >= n ? 0 : n - j < 8 ? n - j : 8;
        pack_strip_f32(rows ? x + j * lds : x, lds, rows, k, width, (float *)panel + j);
    }
}

void ft_k_pack_cols_f32_avx2(const void *src, size_t lds, size_t n, size_t k, void *panel)
{
    const float *x = src;
    float *to = panel;
    size_t width = FT_PANEL_WIDTH(n);
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < width; j += 8, to += 8)
            _mm256_storeu_ps(to, j < n ? ft_load_avx2(x + p * lds + j, n - j, 0)
                                       : _mm256_setzero_ps());
}
