/* gemm_s8_avx512.c: as gemm_s8_ref.c by vpdpbusd, which adds four products of bytes to each of
 * sixteen sums; blocks in registers as in gemm_bf16_avx512.c. */
#include "kernels/kernels_internal.h"

#include <immintrin.h>
#include <string.h>

enum { LINE = 64 };               /* bytes of a cache line */

#define INLINE static inline __attribute__((always_inline))

/* sum += products of x, without sign, and b, with sign. Not the intrinsic: gcc 12 copies its sums
 * through memory, at half the speed. */
#define ADD_PRODUCTS(sum, x, b) \
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(b))

INLINE __m512i broadcast_four(const uint8_t *p)
{
    int four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
}

/* What turns sums into C: see kernels.h. */
typedef struct scales {
    const float *row, *column;
    const int32_t *offset;
    __mmask16 tail;              /* lanes of the last register */
} scales;

INLINE void put(float *to, __m512i sum, float row, const scales *s, size_t at, __mmask16 m,
                int add)
{
    __m512 v = _mm512_cvtepi32_ps(
        _mm512_sub_epi32(sum, _mm512_maskz_loadu_epi32(m, s->offset + at)));
    v = _mm512_mul_ps(v, _mm512_set1_ps(row));
    v = _mm512_mul_ps(v, _mm512_maskz_loadu_ps(m, s->column + at));
    if (add)
        v = _mm512_add_ps(_mm512_maskz_loadu_ps(m, to), v);
    _mm512_mask_storeu_ps(to, m, v);
}

/* C [MR x 16 NV] (+)= A [MR x k] panel. The rows of the next block, `ahead` of these, are fetched
 * meanwhile. */
INLINE void block(const size_t MR, const size_t NV, size_t k, const uint8_t *a, size_t lda,
                  size_t ahead, const int8_t *panel, const scales *s, float *c, size_t ldc, int add)
{
    __m512i sum[24];
#pragma GCC unroll 24
    for (size_t i = 0; i < MR * NV; i++)
        sum[i] = _mm512_setzero_si512();
    for (size_t p = 0; p < k; p += 4, panel += 64 * NV) {
        __m512i b[4];
        if (p % LINE == 0)
#pragma GCC unroll 24
            for (size_t r = 0; r < MR; r++)
                _mm_prefetch((const char *)(a + r * lda + p + ahead), _MM_HINT_T0);
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++)
            b[v] = _mm512_loadu_si512(panel + 64 * v);
#pragma GCC unroll 24
        for (size_t r = 0; r < MR; r++) {
            __m512i x = broadcast_four(a + r * lda + p);
#pragma GCC unroll 4
            for (size_t v = 0; v < NV; v++)
                ADD_PRODUCTS(sum[r * NV + v], x, b[v]);
        }
    }
#pragma GCC unroll 24
    for (size_t r = 0; r < MR; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < NV; v++)
            put(c + r * ldc + 16 * v, sum[r * NV + v], s->row[r], s, 16 * v,
                v + 1 < NV ? (__mmask16)0xffff : s->tail, add);
}

#define ROWS(MR, NV) \
    case MR: block(MR, NV, k, a, lda, ahead, panel, &s, c, ldc, add); break
#define ROWS_TO_6(NV) \
    ROWS(1, NV); ROWS(2, NV); ROWS(3, NV); ROWS(4, NV); ROWS(5, NV); ROWS(6, NV)
#define ROWS_TO_8(NV) ROWS_TO_6(NV); ROWS(7, NV); ROWS(8, NV)
#define ROWS_TO_12(NV) ROWS_TO_8(NV); ROWS(9, NV); ROWS(10, NV); ROWS(11, NV); ROWS(12, NV)

/* One function for each number of registers: MR rows at a time, then the rest. */
#define WIDTH(NV, MR, CASES) \
    static void width_##NV(size_t m, size_t k, const uint8_t *a, size_t lda, \
                           const int8_t *panel, scales s, float *c, size_t ldc, int add) \
    { \
        while (m > 0) { \
            size_t rows = m < (MR) ? m : (MR), ahead = m - rows >= rows ? rows * lda : 0; \
            switch (rows) { CASES(NV); } \
            a += rows * lda; \
            c += rows * ldc; \
            s.row += rows; \
            m -= rows; \
        } \
    }

WIDTH(1, 12, ROWS_TO_12)
WIDTH(2, 12, ROWS_TO_12)
WIDTH(3, 8, ROWS_TO_8)
WIDTH(4, 6, ROWS_TO_6)

void ft_k_gemm_s8_avx512(size_t m, size_t n, size_t k, const uint8_t *a, size_t lda,
                         const float *a_scale, const void *panel, const float *scale,
                         const int32_t *offset, float *c, size_t ldc, int add)
{
    scales s = {a_scale, scale, offset, (__mmask16)(0xffff >> (FT_PANEL_WIDTH(n) - n))};
    switch (FT_PANEL_WIDTH(n) / 16) {
    case 1: width_1(m, k, a, lda, panel, s, c, ldc, add); break;
    case 2: width_2(m, k, a, lda, panel, s, c, ldc, add); break;
    case 3: width_3(m, k, a, lda, panel, s, c, ldc, add); break;
    case 4: width_4(m, k, a, lda, panel, s, c, ldc, add); break;
    }
}
