/* sparse_rows_avx2.c: z stays in registers, up to eight of them, while all rows go by. What is
 * waited for is memory, so rows are fetched some steps ahead. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
#define WIDE ((size_t)8)
enum { MOST = 8, AHEAD = 12, LINE = 16 };

INLINE void fetch(const float *w, size_t width, const uint32_t *row, size_t i, size_t n,
                  size_t regs)
{
    if (i + AHEAD < n)
        for (size_t k = 0; k < regs * WIDE; k += LINE)
            _mm_prefetch((const char *)(w + row[i + AHEAD] * width + k), _MM_HINT_T0);
}

INLINE void forward(const float *w, size_t width, const uint32_t *row, const float *x, size_t n,
                    float *z, size_t regs)
{
    __m256 sum[MOST];
    for (size_t r = 0; r < regs; r++)
        sum[r] = _mm256_loadu_ps(z + r * WIDE);
    for (size_t i = 0; i < n; i++) {
        const float *from = w + row[i] * width;
        __m256 a = _mm256_set1_ps(x[i]);
        fetch(w, width, row, i, n, regs);
        for (size_t r = 0; r < regs; r++)
            sum[r] = _mm256_fmadd_ps(a, _mm256_loadu_ps(from + r * WIDE), sum[r]);
    }
    for (size_t r = 0; r < regs; r++)
        _mm256_storeu_ps(z + r * WIDE, sum[r]);
}

INLINE void back(float *w, size_t width, const uint32_t *row, const float *x, size_t n,
                 const float *z, size_t regs)
{
    __m256 step[MOST];
    for (size_t r = 0; r < regs; r++)
        step[r] = _mm256_loadu_ps(z + r * WIDE);
    for (size_t i = 0; i < n; i++) {
        float *to = w + row[i] * width;
        __m256 a = _mm256_set1_ps(x[i]);
        fetch(w, width, row, i, n, regs);
        for (size_t r = 0; r < regs; r++)
            _mm256_storeu_ps(to + r * WIDE,
                             _mm256_fmadd_ps(a, step[r], _mm256_loadu_ps(to + r * WIDE)));
    }
}

/* Columns [at, width) in stripes of 64, then of 32, 16 and 8; the compiler unrolls each. */
#define IN_STRIPES(stripe)                                                                         \
    size_t at = 0;                                                                                 \
    for (; at + 8 * WIDE <= width; at += 8 * WIDE)                                                 \
        stripe(w + at, width, row, x, n, z + at, 8);                                               \
    if (at + 4 * WIDE <= width) {                                                                  \
        stripe(w + at, width, row, x, n, z + at, 4);                                               \
        at += 4 * WIDE;                                                                            \
    }                                                                                              \
    if (at + 2 * WIDE <= width) {                                                                  \
        stripe(w + at, width, row, x, n, z + at, 2);                                               \
        at += 2 * WIDE;                                                                            \
    }                                                                                              \
    if (at < width)                                                                                \
        stripe(w + at, width, row, x, n, z + at, 1)

void ft_k_sparse_rows_avx2(const float *w, size_t width, const uint32_t *row, const float *x,
                           size_t n, float *z)
{
    IN_STRIPES(forward);
}

void ft_k_sparse_rows_back_avx2(float *w, size_t width, const uint32_t *row, const float *x,
                                size_t n, const float *z)
{
    IN_STRIPES(back);
}
