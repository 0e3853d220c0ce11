/* attention_tile_avx2.c: as attention_tile_ref.c, eight queries in a register, two keys (a pair of
 * a bf16 panel) at a time. */
#include "kernels/bf16_avx2.h"
#include "kernels/exp_avx2.h"
#include "kernels/kernels_internal.h"

#define INLINE static inline __attribute__((always_inline))

enum { Q = FT_TILE_QUERIES, LANES = 8 };

/* Key i is seen by the queries whose limit is above i. */
INLINE __m256 seen(__m256i limit, size_t i)
{
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, _mm256_set1_epi32((int)i)));
}

INLINE void put_panel(void *panel, const int bf16, size_t key, size_t q, __m256 a, __m256 b,
                      int both)
{
    if (bf16) {
        uint16_t *to = (uint16_t *)panel + (key / 2 * Q + q) * 2;
        __m256i high = _mm256_slli_epi32(ft_bf16_words_avx2(b), 16);
        _mm256_storeu_si256((__m256i *)(void *)to, _mm256_or_si256(ft_bf16_words_avx2(a), high));
        return;
    }
    _mm256_storeu_ps((float *)panel + key * Q + q, a);
    if (both)
        _mm256_storeu_ps((float *)panel + (key + 1) * Q + q, b);
}

INLINE void put_row(void *rows, const int bf16, size_t key, size_t q, __m256 v)
{
    if (bf16)
        _mm_storeu_si128((__m128i *)(void *)((uint16_t *)rows + key * Q + q),
                         ft_bf16_packed_avx2(v));
    else
        _mm256_storeu_ps((float *)rows + key * Q + q, v);
}

/* What is not seen may be anything: it is computed and dropped. */
INLINE __m256 probability(const float *s, __m256 scale, __m256 shift, __m256 here)
{
    return _mm256_and_ps(here, ft_exp_avx2(_mm256_fmsub_ps(_mm256_loadu_ps(s), scale, shift)));
}

INLINE __m256 largest(const float *s, size_t keys, __m256 scale, __m256i limit, __m256 max)
{
    for (size_t i = 0; i < keys; i++) {
        __m256 x = _mm256_mul_ps(_mm256_loadu_ps(s + i * Q), scale);
        /* max_ps gives its second operand when one is NaN. */
        max = _mm256_blendv_ps(max, _mm256_max_ps(x, max), seen(limit, i));
    }
    return max;
}

INLINE int forward(const float *s, size_t keys, float scale, const int32_t *limit, float *max,
                   float *sum, float *factor, void *panel, const int bf16)
{
    __m256 times = _mm256_set1_ps(scale), infinite = _mm256_set1_ps(-INFINITY);
    int changed = 0;
    for (size_t q = 0; q < Q; q += LANES) {
        __m256i lim = _mm256_loadu_si256((const __m256i *)(const void *)(limit + q));
        __m256 old = _mm256_loadu_ps(max + q), part = _mm256_setzero_ps();
        __m256 new = largest(s + q, keys, times, lim, old);
        __m256 shift = _mm256_andnot_ps(_mm256_cmp_ps(new, infinite, _CMP_EQ_OQ), new);
        __m256 f = ft_exp_avx2(_mm256_sub_ps(old, shift));
        for (size_t i = 0; i < keys; i += 2) {
            int both = i + 1 < keys;
            __m256 a = probability(s + i * Q + q, times, shift, seen(lim, i));
            __m256 b = both ? probability(s + (i + 1) * Q + q, times, shift, seen(lim, i + 1))
                            : _mm256_setzero_ps();
            put_panel(panel, bf16, i, q, a, b, both);
            part = _mm256_add_ps(_mm256_add_ps(part, a), b);
        }
        _mm256_storeu_ps(sum + q, _mm256_fmadd_ps(_mm256_loadu_ps(sum + q), f, part));
        _mm256_storeu_ps(max + q, new);
        _mm256_storeu_ps(factor + q, f);
        changed |= _mm256_movemask_ps(_mm256_cmp_ps(f, _mm256_set1_ps(1), _CMP_NEQ_UQ)) != 0;
    }
    return changed;
}

INLINE __m256 score_gradient(__m256 p, const float *dp, __m256 delta, __m256 scale, __m256 here)
{
    __m256 d = _mm256_sub_ps(_mm256_loadu_ps(dp), delta);
    return _mm256_and_ps(here, _mm256_mul_ps(_mm256_mul_ps(p, d), scale));
}

INLINE void backward(const float *s, const float *dp, size_t keys, float scale,
                     const int32_t *limit, const float *lse, const float *delta, void *p_rows,
                     void *ds_rows, void *ds_panel, const int bf16)
{
    __m256 times = _mm256_set1_ps(scale);
    for (size_t q = 0; q < Q; q += LANES) {
        __m256i lim = _mm256_loadu_si256((const __m256i *)(const void *)(limit + q));
        __m256 shift = _mm256_loadu_ps(lse + q), mean = _mm256_loadu_ps(delta + q);
        for (size_t i = 0; i < keys; i += 2) {
            int both = i + 1 < keys;
            const float *s0 = s + i * Q + q, *d0 = dp + i * Q + q;
            __m256 here = seen(lim, i), next = seen(lim, i + 1);
            __m256 a = probability(s0, times, shift, here);
            __m256 da = score_gradient(a, d0, mean, times, here), db = _mm256_setzero_ps();
            put_row(p_rows, bf16, i, q, a);
            put_row(ds_rows, bf16, i, q, da);
            if (both) {
                __m256 b = probability(s0 + Q, times, shift, next);
                db = score_gradient(b, d0 + Q, mean, times, next);
                put_row(p_rows, bf16, i + 1, q, b);
                put_row(ds_rows, bf16, i + 1, q, db);
            }
            put_panel(ds_panel, bf16, i, q, da, db, both);
        }
    }
}

int ft_k_softmax_tile_f32_avx2(const float *s, size_t keys, float scale, const int32_t *limit,
                               float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 0);
}

int ft_k_softmax_tile_bf16_avx2(const float *s, size_t keys, float scale, const int32_t *limit,
                                float *max, float *sum, float *factor, void *panel)
{
    return forward(s, keys, scale, limit, max, sum, factor, panel, 1);
}

void ft_k_softmax_tile_back_f32_avx2(const float *s, const float *dp, size_t keys, float scale,
                                     const int32_t *limit, const float *lse, const float *delta,
                                     void *p_rows, void *ds_rows, void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 0);
}

void ft_k_softmax_tile_back_bf16_avx2(const float *s, const float *dp, size_t keys, float scale,
                                      const int32_t *limit, const float *lse, const float *delta,
                                      void *p_rows, void *ds_rows, void *ds_panel)
{
    backward(s, dp, keys, scale, limit, lse, delta, p_rows, ds_rows, ds_panel, 1);
}
