/* attention_tile_avx512.c: as attention_tile_ref.c, sixteen queries in a register: maxima and sums
 * over keys are then plain vertical operations. Two keys go together, a pair of a bf16 panel. */
#include "kernels/exp_avx512.h"
#include "kernels/kernels_internal.h"

#define INLINE static inline __attribute__((always_inline))

enum { Q = FT_TILE_QUERIES, LANES = 16 };

/* Key i is seen by the queries whose limit is above i. */
INLINE __mmask16 seen(__m512i limit, size_t i)
{
    return _mm512_cmpgt_epi32_mask(limit, _mm512_set1_epi32((int)i));
}

/* Words of two vectors by turns: lane j is (a[j], b[j]) in bf16. */
INLINE __m512i pairs_of(__m512 a, __m512 b)
{
    const __m512i turns = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
        19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

INLINE void put_panel(void *panel, const int bf16, size_t key, size_t q, __m512 a, __m512 b,
                      int both)
{
    if (bf16) {
        _mm512_storeu_si512((uint16_t *)panel + (key / 2 * Q + q) * 2, pairs_of(a, b));
        return;
    }
    _mm512_storeu_ps((float *)panel + key * Q + q, a);
    if (both)
        _mm512_storeu_ps((float *)panel + (key + 1) * Q + q, b);
}

INLINE void put_row(void *rows, const int bf16, size_t key, size_t q, __m512 v)
{
    if (bf16)
        _mm256_storeu_si256((__m256i *)(void *)((uint16_t *)rows + key * Q + q),
                            (__m256i)_mm512_cvtneps_pbh(v));
    else
        _mm512_storeu_ps((float *)rows + key * Q + q, v);
}

INLINE __m512 probability(const float *s, __m512 scale, __m512 shift, __mmask16 here)
{
    __m512 x = _mm512_fmsub_ps(_mm512_maskz_loadu_ps(here, s), scale, shift);
    return _mm512_maskz_mov_ps(here, ft_exp_avx512(x));
}

/* Largest score of each query, in floats that were scaled. */
INLINE __m512 largest(const float *s, size_t keys, __m512 scale, __m512i limit, __m512 max)
{
    for (size_t i = 0; i < keys; i++) {
        __mmask16 here = seen(limit, i);
        __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, s + i * Q), scale);
        max = _mm512_mask_max_ps(max, here, x, max);
    }
    return max;
}

INLINE int forward(const float *s, size_t keys, float scale, const int32_t *limit, float *max,
                   float *sum, float *factor, void *panel, const int bf16)
{
    __m512 times = _mm512_set1_ps(scale);
    int changed = 0;
    for (size_t q = 0; q < Q; q += LANES) {
        __m512i lim = _mm512_loadu_si512(limit + q);
        __m512 old = _mm512_loadu_ps(max + q), part = _mm512_setzero_ps();
        __m512 new = largest(s + q, keys, times, lim, old);
        __mmask16 none = _mm512_cmp_ps_mask(new, _mm512_set1_ps(-INFINITY), _CMP_EQ_OQ);
        __m512 shift = _mm512_mask_mov_ps(new, none, _mm512_setzero_ps());
        __m512 f = ft_exp_avx512(_mm512_sub_ps(old, shift));
        for (size_t i = 0; i < keys; i += 2) {
            int both = i + 1 < keys;
            __m512 a = probability(s + i * Q + q, times, shift, seen(lim, i));
            __m512 b = both ? probability(s + (i + 1) * Q + q, times, shift, seen(lim, i + 1))
                            : _mm512_setzero_ps();
            put_panel(panel, bf16, i, q, a, b, both);
            part = _mm512_add_ps(_mm512_add_ps(part, a), b);
        }
        _mm512_storeu_ps(sum + q, _mm512_fmadd_ps(_mm512_loadu_ps(sum + q), f, part));
        _mm512_storeu_ps(max + q, new);
        _mm512_storeu_ps(factor + q, f);
        changed |= _mm512_cmp_ps_mask(f, _mm512_set1_ps(1), _CMP_NEQ_UQ) != 0;
    }
    return changed;
}

INLINE __m512 score_gradient(__m512 p, const float *dp, __m512 delta, __m512 scale,
                             __mmask16 here)
{
    __m512 d = _mm512_sub_ps(_mm512_maskz_loadu_ps(here, dp), delta);
    return _mm512_maskz_mul_ps(here, _mm512_mul_ps(p, d), scale);
}

INLINE void backward(const float *s, const float *dp, size_t keys, float scale,
                     const int32_t *limit, const float *lse, const float *delta, void *p_rows,
                     void *ds_rows, void *ds_panel, const int bf16)
{
    __m512 times = _mm512_set1_ps(scale);
    for (size_t q = 0; q < Q; q += LANES) {
        __m512i lim = _mm512_loadu_si512(limit + q);
        __m512 shift = _mm512_loadu_ps(lse + q), mean = _mm512_loadu_ps(delta + q);
        for (size_t i = 0; i < keys; i += 2) {
            int both = i + 1 < keys;
            __mmask16 here = seen(lim, i), next = both ? seen(lim, i + 1) : 0;
            const float *s0 = s + i * Q + q, *d0 = dp + i * Q + q;
            __m512 a = probability(s0, times, shift, here);
            __m512 da = score_gradient(a, d0, mean, times, here), db = _mm512_setzero_ps();
            put_row(p_rows, bf16, i, q, a);
            put_row(ds_rows, bf16, i, q, da);
            if (both) {
                __m512 b = probability(s0 + Q, times, shift, next);
                db = score_gradient(b, d0 + Q, mean, times, next);
                put_row(p_rows, bf16, i + 1, q, b);
                put_row(ds_rows, bf16, i + 1, q, db);
            }
            put_panel(ds_panel, bf16, i, q, da, db, both);
        }
    }
}

int ft_k_softmax_tile_f32_avx512(const float *s, size_t keys, float scale, const int32_t *limit,
                                 float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 0);
}

int ft_k_softmax_tile_bf16_avx512(const float *s, size_t keys, float scale, const int32_t *limit,
                                  float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 1);
}

void ft_k_softmax_tile_back_f32_avx512(const float *s, const float *dp, size_t keys, float scale,
                                       const int32_t *limit, const float *lse,
                                       const float *delta, void *p_rows, void *ds_rows,
                                       void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 0);
}

void ft_k_softmax_tile_back_bf16_avx512(const float *s, const float *dp, size_t keys, float scale,
                                        const int32_t *limit, const float *lse,
                                        const float *delta, void *p_rows, void *ds_rows,
                                        void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 1);
}
