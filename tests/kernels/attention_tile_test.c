/* The softmax of a tile of attention and its gradient, of every family, against double precision:
 * any number of keys, any limits, and two tiles in sequence as one. */
#define AREA_BYTES 65536
#include "kernels_support.h"

enum { Q = FT_TILE_QUERIES, TILE_KEYS_MAX = 96, LIMITS = 6 };

static area scores, grads, limits, maxima, sums, factors, panels, ps, dss;

/* Limits that all tiles meet: everything, nothing, a diagonal, beyond the end, one key, mixed. */
static int32_t limit_of(size_t kind, size_t q, size_t keys)
{
    switch (kind) {
    case 0: return (int32_t)keys;
    case 1: return q % 2 ? 0 : INT32_MIN;
    case 2: return (int32_t)q - 20;
    case 3: return INT32_MAX;
    case 4: return 1;
    default: return (int32_t)(q * 37 % (keys + 9)) - 4;
    }
}

static int is_seen(const int32_t *limit, size_t key, size_t q)
{
    return limit[q] > 0 && key < (size_t)limit[q];
}

/* A tile of numbers; what no query may see is NaN. */
static const float *tile(area *a, size_t keys, size_t shift, const int32_t *limit, size_t which)
{
    float *p = fill(a, keys * Q, shift, which, 40);
    for (size_t i = 0; i < keys * Q; i++)
        if (!is_seen(limit, i / Q, i % Q))
            p[i] = NAN;
    return p;
}

static const int32_t *limits_take(size_t kind, size_t keys)
{
    int32_t *limit = area_take(&limits, Q * sizeof *limit, 0);
    for (size_t q = 0; q < Q; q++)
        limit[q] = limit_of(kind, q, keys);
    return limit;
}

static void *elements(area *a, int bf16, size_t keys, size_t shift)
{
    size_t bytes = bf16 ? 2 : 4;
    return area_take(a, keys * Q * bytes, shift * bytes);
}

static double element(const void *p, int bf16, size_t i)
{
    uint32_t bits = 0;
    float f;
    if (bf16)
        memcpy((uint8_t *)&bits + 2, (const uint8_t *)p + 2 * i, 2);
    else
        memcpy(&bits, (const uint8_t *)p + 4 * i, 4);
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static double panel_element(const void *p, int bf16, size_t key, size_t q)
{
    return element(p, bf16, bf16 ? (key / 2 * Q + q) * 2 + key % 2 : key * Q + q);
}

/* Of a value whose exponent came from terms of this size. */
static double tolerance(int bf16, double want, double terms)
{
    return fabs(want) * (3e-7 + 2e-7 * terms + (bf16 ? 0x1.01p-8 : 0)) + 1e-37;
}

static int run_forward(const ft_kernels *f, int bf16, const float *s, size_t keys, float scale,
                       const int32_t *limit, float *max, float *sum, float *factor, void *panel)
{
    return (bf16 ? f->softmax_tile_bf16 : f->softmax_tile_f32)(s, keys, scale, limit, max, sum,
                                                               factor, panel);
}

/* State of the queries in double. */
typedef struct running {
    double max[Q], sum[Q];
} running;

static void check_forward(const ft_kernels *f, int bf16, size_t keys, size_t kind, size_t which,
                          float *max, float *sum, running *want)
{
    const float scale = 0.125f;
    size_t shift = (keys + kind) % 4, padded = bf16 ? keys + keys % 2 : keys;
    const int32_t *limit = limits_take(kind, keys);
    const float *s = tile(&scores, keys, shift, limit, which);
    void *panel = elements(&panels, bf16, padded, shift);
    float *factor = area_floats(&factors, Q, shift);
    int changed = run_forward(f, bf16, s, keys, scale, limit, max, sum, factor, panel);
    int any = 0;
    for (size_t q = 0; q < Q; q++) {
        double old = want->max[q], top = old, part = 0, by;
        for (size_t i = 0; i < keys; i++)
            if (is_seen(limit, i, q))
                top = fmax(top, (double)s[i * Q + q] * (double)scale);
        by = isinf(old) ? 0 : exp(old - top);
        for (size_t i = 0; i < padded; i++) {
            double x = i < keys && is_seen(limit, i, q) ? (double)s[i * Q + q] : -INFINITY;
            double p = isinf(x) ? 0 : exp(x * (double)scale - top);
            near_double("probability", keys, i, panel_element(panel, bf16, i, q), p,
                        tolerance(bf16, p, 10));
            part += p;
        }
        want->sum[q] = want->sum[q] * by + part;
        want->max[q] = top;
        near_double("max", keys, q, (double)max[q], top, 0);
        near_double("factor", keys, q, (double)factor[q], by, tolerance(0, by, 10));
        near_double("sum", keys, q, (double)sum[q], want->sum[q], tolerance(0, want->sum[q], 20));
        any |= (double)factor[q] != 1;
    }
    assert_int_equal(!!changed, any);
    area_intact(&panels);
    area_intact(&factors);
    area_intact(&maxima);
    area_intact(&sums);
}

/* Two tiles in sequence; the second has other keys and other limits. */
static void softmax_over_tiles(const ft_kernels *f)
{
    static running want;
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (size_t keys = 1; keys <= TILE_KEYS_MAX; keys += keys < 35 ? 1 : 7)
            for (size_t kind = 0; kind < LIMITS; kind++) {
                float *max = area_floats(&maxima, Q, keys % 4);
                float *sum = area_floats(&sums, Q, kind % 4);
                for (size_t q = 0; q < Q; q++) {
                    want.max[q] = -INFINITY;
                    max[q] = -INFINITY;
                    want.sum[q] = 0;
                    sum[q] = 0;
                }
                check_forward(f, bf16, keys, kind, 5, max, sum, &want);
                check_forward(f, bf16, 97 - keys, (kind + keys) % LIMITS, 6, max, sum, &want);
            }
}
FAMILY_TESTS(softmax_over_tiles)

/* No keys leave all as it was; a NaN that is seen reaches its query's sum and no other. */
static void no_keys_and_nan(const ft_kernels *f)
{
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const int32_t *limit = limits_take(0, 3);
        float *max = area_floats(&maxima, Q, 0), *sum = area_floats(&sums, Q, 0);
        float *factor = area_floats(&factors, Q, 0), *s = fill(&scores, 3 * Q, 0, 1, 1);
        for (size_t q = 0; q < Q; q++) {
            max[q] = q % 2 ? 3.5f : -INFINITY;
            sum[q] = q % 2 ? 2.0f : 0.0f;
        }
        run_forward(f, bf16, s, 0, 1, limit, max, sum, factor, s);
        for (size_t q = 0; q < Q; q++) {
            assert_true(sum[q] == (q % 2 ? 2.0f : 0.0f));
            assert_true(q % 2 ? max[q] == 3.5f : isinf(max[q]));
        }
        s[Q + 21] = NAN;
        run_forward(f, bf16, s, 3, 1, limit, max, sum, factor, elements(&panels, bf16, 4, 0));
        for (size_t q = 0; q < Q; q++)
            assert_int_equal(!!isnan(sum[q]), q == 21);
    }
}
FAMILY_TESTS(no_keys_and_nan)

static void check_backward(const ft_kernels *f, int bf16, size_t keys, size_t kind)
{
    const float scale = 0.125f;
    size_t shift = (keys + kind) % 4, padded = bf16 ? keys + keys % 2 : keys;
    const int32_t *limit = limits_take(kind, keys);
    const float *s = tile(&scores, keys, shift, limit, 7), *dp = tile(&grads, keys, 0, limit, 8);
    float *lse = fill(&maxima, Q, 1, 9, 3), *delta = fill(&sums, Q, 0, 10, 30);
    void *p = elements(&ps, bf16, keys, shift), *ds = elements(&dss, bf16, keys, 3 - shift);
    void *panel = elements(&panels, bf16, padded, 0);
    for (size_t q = 0; q < Q; q++)
        if (limit[q] <= 0) {
            lse[q] = -INFINITY;
            delta[q] = NAN;
        }
    (bf16 ? f->softmax_tile_back_bf16 : f->softmax_tile_back_f32)(s, dp, keys, scale, limit, lse,
                                                                 delta, p, ds, panel);
    for (size_t i = 0; i < padded; i++)
        for (size_t q = 0; q < Q; q++) {
            double x = 0, dx = 0, got = panel_element(panel, bf16, i, q);
            if (i >= keys) {
                assert_true(got == 0);
                continue;
            }
            if (is_seen(limit, i, q)) {
                size_t at = i * Q + q;
                x = exp((double)s[at] * (double)scale - (double)lse[q]);
                dx = x * ((double)dp[at] - (double)delta[q]) * (double)scale;
                near_double("ds", keys, i, element(ds, bf16, at), dx,
                            tolerance(bf16, dx, 10) + 6e-8 * x * 70 * (double)scale);
            }
            near_double("p", keys, i, element(p, bf16, i * Q + q), x, tolerance(bf16, x, 10));
            assert_true(element(ds, bf16, i * Q + q) == got && (dx != 0 || got == 0));
        }
    area_intact(&ps);
    area_intact(&dss);
    area_intact(&panels);
}

static void gradient_of_a_tile(const ft_kernels *f)
{
    for (int bf16 = 0; bf16 < 2; bf16++)
        for (size_t keys = 1; keys <= TILE_KEYS_MAX; keys += keys < 35 ? 1 : 7)
            for (size_t kind = 0; kind < LIMITS; kind++)
                check_backward(f, bf16, keys, kind);
}
FAMILY_TESTS(gradient_of_a_tile)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(softmax_over_tiles),
                                       FAMILY_LIST(no_keys_and_nan),
                                       FAMILY_LIST(gradient_of_a_tile)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
