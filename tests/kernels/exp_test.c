/* The ops made of exponentials (softmax, its recomputation, sum_exp, max, SwiGLU) of every family
 * against double precision, on any length and alignment, and at the edges of float. */
#include "kernels_support.h"

static area in, in2, in3, out, out2;

/* exp in float of an argument that was rounded a few times: relative error allowed when the
 * rounded terms are no larger than `terms`. */
static double exp_tol(double want, double terms)
{
    return want * (5e-7 + 1.5e-7 * terms) + 2e-38;
}

static void softmax_is_exp_over_sum(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            float scale = h % 2 ? 0.125f : 1.0f, lse, *x = fill(&in, n, 0, s, 30);
            float *y = area_floats(&out, n, shifts[h]);
            double max = -INFINITY, sum = 0;
            if (n)
                memcpy(y, x, n * sizeof *x);
            for (size_t i = 0; i < n; i++)
                max = fmax(max, (double)(x[i] * scale));
            for (size_t i = 0; i < n; i++)
                sum += exp((double)(x[i] * scale) - max);
            lse = f->softmax(y, scale, n);
            for (size_t i = 0; i < n; i++) {
                double xs = (double)(x[i] * scale), want = exp(xs - max) / sum;
                near_double("softmax", n, i, (double)y[i], want, exp_tol(want, fabs(xs - max)));
            }
            if (n)
                near_double("log-sum-exp", n, 0, (double)lse, log(sum) + max,
                            1e-6 + 1.2e-7 * fabs(max));
            area_intact(&out);
            memcpy(y, x, n * sizeof *x);
            f->softmax_again(y, scale, lse, n);
            for (size_t i = 0; i < n; i++) {
                double xs = (double)(x[i] * scale), want = exp(xs - (double)lse);
                near_double("softmax again", n, i, (double)y[i], want,
                            exp_tol(want, fabs(xs - (double)lse)));
            }
            area_intact(&out);
        }
}
FAMILY_TESTS(softmax_is_exp_over_sum)

static void max_and_sum_exp(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            const float *x = fill(&in, n, shifts[h], s + 40, 20);
            float max = -INFINITY;
            double sum = 0, tol = 0;
            for (size_t i = 0; i < n; i++)
                max = fmaxf(max, x[i]);
            assert_true(f->max(x, n) == max);
            for (size_t i = 0; i < n; i++) {
                double e = exp((double)x[i] - 7);
                sum += e;
                tol += exp_tol(e, fabs((double)x[i] - 7));
            }
            near_double("sum_exp", n, 0, (double)f->sum_exp(x, 7, n), sum, tol + 1e-6 * sum);
        }
}
FAMILY_TESTS(max_and_sum_exp)

static void swiglu_and_its_gradient(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            const float *gate = fill(&in, n, 0, s, s % 2 ? 6 : 60);
            const float *up = fill(&in2, n, 1, s + 100, 3), *dy = fill(&in3, n, 2, s + 200, 2);
            float *y = area_floats(&out, n, shifts[h]), *dup;
            f->swiglu(gate, up, y, n);
            for (size_t i = 0; i < n; i++) {
                double g = (double)gate[i], want = g / (1 + exp(-g)) * (double)up[i];
                near_double("swiglu", n, i, (double)y[i], want,
                            exp_tol(fabs(want), fabs(g)) + 1e-36);
            }
            area_intact(&out);
            y = area_floats(&out, n, shifts[h]);
            dup = area_floats(&out2, n, shifts[3 - h]);
            f->swiglu_back(dy, gate, up, y, dup, n);
            for (size_t i = 0; i < n; i++) {
                double g = (double)gate[i], sig = 1 / (1 + exp(-g)), d = (double)dy[i];
                double dg = d * (double)up[i] * sig * (1 + g * (1 - sig));
                near_double("dgate", n, i, (double)y[i], dg,
                            exp_tol(fabs(d * (double)up[i] * sig) * (1 + fabs(g)), 2) +
                                exp_tol(fabs(dg), fabs(g)));
                near_double("dup", n, i, (double)dup[i], d * g * sig,
                            exp_tol(fabs(d * g * sig), fabs(g)));
            }
            area_intact(&out);
            area_intact(&out2);
        }
}
FAMILY_TESTS(swiglu_and_its_gradient)

static const float special[] = {0.0f,   -0.0f,   1e-45f, -1e-45f, 1e-38f, -1e-38f, 1.0f,   -1.0f,
                                86.9f,  -86.9f,  -87.5f, 88.5f,   200.0f, -200.0f, 3e38f,  -3e38f,
                                INFINITY, -INFINITY, NAN, 0.5f};
enum { SPECIALS = sizeof special / sizeof *special };

/* exp as kernels promise it: nothing below -87, infinity above 88. */
static double exp_clipped(double x)
{
    return x < -87 ? 0 : x > 88 ? INFINITY : exp(x);
}

/* One special value among ordinary ones, at any place of a vector: it must give what the formula
 * gives, and must not touch its neighbours. */
static void special_values_stay_where_they_are(const ft_kernels *f)
{
    for EACH(v, special)
        for (size_t n = 1; n < 20; n++)
            for (size_t at = 0; at < n; at++) {
                float *x = fill(&in, n, 1, v, 2), *up = fill(&in2, n, 0, v + 1, 2);
                float *y = area_floats(&out, n, 0);
                x[at] = special[v];
                f->swiglu(x, up, y, n);
                for (size_t i = 0; i < n; i++) {
                    double g = (double)x[i], silu = g / (1 + exp_clipped(-g));
                    double want = (double)(float)(silu * (double)up[i]);
                    near_double("swiglu", n, i, (double)y[i], want,
                                1e-4 * fabs(want) + 3e-45);
                }
                memcpy(y, x, n * sizeof *x);
                f->softmax_again(y, 1, 0.5f, n);
                for (size_t i = 0; i < n; i++) {
                    double want = exp_clipped((double)x[i] - 0.5);
                    near_double("softmax again", n, i, (double)y[i], want, 2e-5 * want);
                }
            }
}
FAMILY_TESTS(special_values_stay_where_they_are)

/* -infinity counts as nothing, NaN spoils every sum it is in, and max passes NaN by. */
static void sums_with_special_values(const ft_kernels *f)
{
    for (size_t n = 2; n < 40; n++)
        for (size_t at = 0; at < n; at++) {
            float *x = fill(&in, n, 0, n, 2), *y = area_floats(&out, n, 0), max = -INFINITY;
            double sum = 0;
            x[at] = -INFINITY;
            for (size_t i = 0; i < n; i++) {
                sum += exp((double)x[i]);
                max = fmaxf(max, x[i]);
            }
            near_double("sum_exp", n, at, (double)f->sum_exp(x, 0, n), sum, 1e-6 * sum);
            memcpy(y, x, n * sizeof *x);
            near_double("log-sum-exp", n, at, (double)f->softmax(y, 1, n), log(sum), 1e-6);
            assert_true(y[at] == 0.0f);
            x[at] = NAN;
            assert_true(f->max(x, n) == max);
            assert_true(isnan(f->sum_exp(x, 0, n)));
            memcpy(y, x, n * sizeof *x);
            assert_true(isnan(f->softmax(y, 1, n)));
            x[at] = INFINITY;
            assert_true(f->max(x, n) == INFINITY);
            assert_true(f->sum_exp(x, 0, n) == INFINITY);
        }
}
FAMILY_TESTS(sums_with_special_values)

/* Every bit pattern of float, thinned: within 3e-7 of the exact exponential. */
static void exp_over_the_whole_range(const ft_kernels *f)
{
    enum { N = 4096 };
    float *x = area_floats(&in, N, 0);
    for (uint64_t first = 0; first < 1ull << 32; first += N * 4093ull) {
        for (uint32_t i = 0; i < N; i++) {
            uint32_t bits = (uint32_t)first + i * 4093u;
            memcpy(&x[i], &bits, sizeof bits);
        }
        memcpy(area_floats(&out, N, 0), x, N * sizeof *x);
        f->softmax_again((float *)(void *)(out.p + out.from), 1, 0, N);
        for (size_t i = 0; i < N; i++) {
            float got;
            double want = exp_clipped((double)x[i]);
            memcpy(&got, out.p + out.from + i * sizeof got, sizeof got);
            near_double("exp", N, i, (double)got, want, 3e-7 * want);
        }
    }
}
FAMILY_TESTS(exp_over_the_whole_range)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY_LIST(softmax_is_exp_over_sum), FAMILY_LIST(max_and_sum_exp),
        FAMILY_LIST(swiglu_and_its_gradient), FAMILY_LIST(special_values_stay_where_they_are),
        FAMILY_LIST(sums_with_special_values), FAMILY_LIST(exp_over_the_whole_range)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
