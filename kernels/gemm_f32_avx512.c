/* gemm_f32_avx512.c: the product of rows with a packed panel, in the shape of
 * gemm_bf16_avx512.c: a block of MR rows and NV registers of columns stays in registers for all of
 * k. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* C [MR x 16 NV] (+)= A [MR x k] panel. The last register's lanes are masked by tail. */
INLINE void block(const size_t MR, const size_t NV, size_t k, const float *a, size_t lda,
                  const float *panel, float *c, size_t ldc, int add, __mmask16 tail)
{
    __m512 sum[24];
#pragma GCC unroll 24
    for (size_t i = 0; i < MR * NV; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t p = 0; p < k; p++, panel += 16 * NV) {
        __m512 b[4];
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++)
            b[v] = _mm512_loadu_ps(panel + 16 * v);
#pragma GCC unroll 24
        for (size_t r = 0; r < MR; r++) {
            __m512 x = _mm512_set1_ps(a[r * lda + p]);
#pragma GCC unroll 4
            for (size_t v = 0; v < NV; v++)
                sum[r * NV + v] = _mm512_fmadd_ps(x, b[v], sum[r * NV + v]);
        }
    }
#pragma GCC unroll 24
    for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++) {
            float *to = c + r * ldc + 16 * v;
            __mmask16 m = v + 1 < NV ? (__mmask16)0xffff : tail;
            __m512 s = sum[r * NV + v];
            if (add)
                s = _mm512_add_ps(_mm512_maskz_loadu_ps(m, to), s);
            _mm512_mask_storeu_ps(to, m, s);
        }
}

#define ROWS(MR, NV) \
    case MR: block(MR, NV, k, a, lda, panel, c, ldc, add, tail); break
#define ROWS_TO_6(NV) \
    ROWS(1, NV); ROWS(2, NV); ROWS(3, NV); ROWS(4, NV); ROWS(5, NV); ROWS(6, NV)
#define ROWS_TO_8(NV) ROWS_TO_6(NV); ROWS(7, NV); ROWS(8, NV)
#define ROWS_TO_12(NV) ROWS_TO_8(NV); ROWS(9, NV); ROWS(10, NV); ROWS(11, NV); ROWS(12, NV)

/* One function for each number of registers: MR rows at a time, then the rest. */
#define WIDTH(NV, MR, CASES) \
    static void width_##NV(size_t m, size_t k, const float *a, size_t lda, \
                           const float *panel, float *c, size_t ldc, int add, __mmask16 tail) \
    { \
        while (m > 0) { \
            size_t rows = m < (MR) ? m : (MR); \
            switch (rows) { CASES(NV); } \
            a += rows * lda; \
            c += rows * ldc; \
            m -= rows; \
        } \
    }

WIDTH(1, 12, ROWS_TO_12)
WIDTH(2, 12, ROWS_TO_12)
WIDTH(3, 8, ROWS_TO_8)
WIDTH(4, 6, ROWS_TO_6)

void ft_k_gemm_f32_avx512(size_t m, size_t n, size_t k, const void *a, size_t lda,
                           const void *panel, float *c, size_t ldc, int add)
{
    __mmask16 tail = (__mmask16)(0xffff >> (FT_PANEL_WIDTH(n) - n));
    switch (FT_PANEL_WIDTH(n) / 16) {
    case 1: width_1(m, k, a, lda, panel, c, ldc, add, tail); break;
    case 2: width_2(m, k, a, lda, panel, c, ldc, add, tail); break;
    case 3: width_3(m, k, a, lda, panel, c, ldc, add, tail); break;
    case 4: width_4(m, k, a, lda, panel, c, ldc, add, tail); break;
    }
}
