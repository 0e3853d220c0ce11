/* rmsnorm, rotation, products, scaling and AdamW of every family against double precision, on any
 * length and alignment. */
#include "kernels_support.h"

static area in, in2, in3, out, out2, out3;

/* A few roundings to float of terms of this size. */
static double rounding(double terms)
{
    return 4e-7 * terms + 1e-44;
}

static void rmsnorm_and_its_gradient(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            const float *x = fill(&in, n, 0, s, 5), *w = fill(&in2, n, 1, s + 1, 2);
            const float *dy = fill(&in3, n, 2, s + 2, 2);
            float *y = area_floats(&out, n, shifts[h]), *dx = fill(&out2, n, shifts[h], s + 3, 1);
            double sum = 0, mean_dot = 0, size = 0, r, got;
            for (size_t i = 0; i < n; i++)
                sum += (double)x[i] * (double)x[i];
            r = 1 / sqrt(sum / (double)(n ? n : 1) + (double)1e-5f);
            got = (double)f->rmsnorm(x, w, 1e-5f, y, n);
            near_double("inverse rms", n, 0, got, r, 1.2e-7 * r);
            for (size_t i = 0; i < n; i++) {
                double want = (double)x[i] * (double)w[i] * r;
                near_double("rmsnorm", n, i, (double)y[i], want, rounding(fabs(want)));
                mean_dot += (double)dy[i] * (double)w[i] * (double)x[i] / (double)n;
                size += fabs((double)dy[i] * (double)w[i] * (double)x[i]) / (double)n;
            }
            area_intact(&out);
            f->rmsnorm_back(dy, x, w, (float)r, dx, n);
            for (size_t i = 0; i < n; i++) {
                double own = (double)dy[i] * (double)w[i] * r, xr3 = (double)x[i] * r * r * r;
                double was = (double)number(s + 3, i, 1), want = was + own - xr3 * mean_dot;
                near_double("rmsnorm_back", n, i, (double)dx[i], want,
                            rounding(fabs(was) + fabs(own) + fabs(xr3) * size));
            }
            area_intact(&out2);
        }
}
FAMILY_TESTS(rmsnorm_and_its_gradient)

/* A pair is a complex number times cos + i sin; back is times its conjugate. */
static void rope_turns_and_turns_back(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s] / 2 * 2;
            float *cs = area_floats(&in, n, 0), *x = fill(&out, n, shifts[h], s, 3);
            float *y = fill(&out2, n, shifts[3 - h], s, 3);
            for (size_t i = 0; i < n; i += 2) {
                cs[i] = (float)cos((double)i * 0.7);
                cs[i + 1] = (float)sin((double)i * 0.7);
            }
            f->rope(x, cs, n);
            f->rope_back(y, cs, n);
            for (size_t i = 0; i < n; i += 2) {
                double a = (double)number(s, i, 3), b = (double)number(s, i + 1, 3);
                double c = (double)cs[i], d = (double)cs[i + 1], tol = rounding(fabs(a) + fabs(b));
                near_double("rope", n, i, (double)x[i], a * c - b * d, tol);
                near_double("rope", n, i + 1, (double)x[i + 1], a * d + b * c, tol);
                near_double("rope_back", n, i, (double)y[i], a * c + b * d, tol);
                near_double("rope_back", n, i + 1, (double)y[i + 1], b * c - a * d, tol);
            }
            area_intact(&out);
            area_intact(&out2);
        }
}
FAMILY_TESTS(rope_turns_and_turns_back)

static void sums_of_products(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            const float *a = fill(&in, n, shifts[h], s, 2);
            const float *b = fill(&in2, n, shifts[3 - h], s + 9, 2);
            double dot = 0, size = 0, squares = 0;
            for (size_t i = 0; i < n; i++) {
                dot += (double)a[i] * (double)b[i];
                size += fabs((double)a[i] * (double)b[i]);
                squares += (double)a[i] * (double)a[i];
            }
            near_double("dot", n, 0, (double)f->dot(a, b, n), dot, rounding(size));
            near_double("sum_squares", n, 0, f->sum_squares(a, n), squares, 1e-12 * squares);
        }
}
FAMILY_TESTS(sums_of_products)

static void axpy_and_scale(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            const float *x = fill(&in, n, 1, s, 2);
            float *y = fill(&out, n, shifts[h], s + 5, 2), *z = fill(&out2, n, shifts[h], s, 2);
            f->axpy(-1.7f, x, y, n);
            f->scale(-1.7f, z, n);
            for (size_t i = 0; i < n; i++) {
                double ax = (double)-1.7f * (double)x[i], was = (double)number(s + 5, i, 2);
                near_double("axpy", n, i, (double)y[i], was + ax, rounding(fabs(was) + fabs(ax)));
                near_double("scale", n, i, (double)z[i], ax, rounding(fabs(ax)));
            }
            area_intact(&out);
            area_intact(&out2);
        }
}
FAMILY_TESTS(axpy_and_scale)

/* Rows of a table of 5, one of them twice, against double precision. */
static void sparse_rows_and_their_gradient(const ft_kernels *f)
{
    static const uint32_t row[] = {3, 0, 4, 3, 1};
    enum { ROWS = 5, N = 5 };
    for (size_t width = 0; width <= 216; width += 8)
        for EACH(h, shifts)
            for (size_t n = 0; n <= N; n++) {
                const float *x = fill(&in, n, 0, 1, 2);
                float *w = fill(&out, ROWS * width, shifts[h], 2, 2);
                float *z = fill(&out2, width, shifts[3 - h], 3, 2);
                f->sparse_rows(w, width, row, x, n, z);
                for (size_t k = 0; k < width; k++) {
                    double want = (double)number(3, k, 2), size = fabs(want);
                    for (size_t i = 0; i < n; i++) {
                        double term = (double)x[i] * (double)w[row[i] * width + k];
                        want += term;
                        size += fabs(term);
                    }
                    near_double("sparse_rows", width, k, (double)z[k], want, rounding(size));
                }
                area_intact(&out2);
                f->sparse_rows_back(w, width, row, x, n, z);
                for (size_t i = 0; i < ROWS * width; i++) {
                    double want = (double)number(2, i, 2), size = fabs(want);
                    for (size_t k = 0; k < n; k++)
                        if (row[k] == i / width) {
                            want += (double)x[k] * (double)z[i % width];
                            size += fabs((double)x[k] * (double)z[i % width]);
                        }
                    near_double("sparse_rows_back", width, i, (double)w[i], want, rounding(size));
                }
                area_intact(&out);
            }
}
FAMILY_TESTS(sparse_rows_and_their_gradient)

static void adamw_takes_the_step_of_the_paper(const ft_kernels *f)
{
    const float lr = 1e-3f, b1 = 0.9f, b2 = 0.999f, c1 = 0.271f, c2 = 0.002997f, eps = 1e-8f;
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            float decay = h % 2 ? 0.01f : 0;
            const float *g = fill(&in, n, 0, s, s % 3 ? 1e-3 : 10);
            float *w = fill(&out, n, shifts[h], s + 1, 1);
            float *m = fill(&out2, n, shifts[h], s + 2, 1e-3);
            float *v = fill(&out3, n, shifts[3 - h], s + 3, 1e-3);
            for (size_t i = 0; i < n; i++)
                v[i] = v[i] * v[i];
            f->adamw(w, m, v, g, n, lr, b1, b2, c1, c2, eps, decay);
            for (size_t i = 0; i < n; i++) {
                double gi = (double)g[i], m0 = (double)number(s + 2, i, 1e-3);
                double v0 = (double)(number(s + 3, i, 1e-3) * number(s + 3, i, 1e-3));
                double w0 = (double)number(s + 1, i, 1), move;
                m0 = (double)b1 * m0 + (1 - (double)b1) * gi;
                v0 = (double)b2 * v0 + (1 - (double)b2) * gi * gi;
                near_double("adamw m", n, i, (double)m[i], m0, rounding(1e-3 + fabs(gi) / 5));
                near_double("adamw v", n, i, (double)v[i], v0, rounding(v0));
                move = (double)m[i] / (double)c1 / (sqrt(v0 / (double)c2) + (double)eps);
                move = (double)lr * (move + (double)decay * w0);
                near_double("adamw w", n, i, (double)w[i], w0 - move,
                            rounding(3 * fabs(move)) + 6e-8 * fabs(w0));
            }
            area_intact(&out);
            area_intact(&out2);
            area_intact(&out3);
        }
}
FAMILY_TESTS(adamw_takes_the_step_of_the_paper)

static void adamw_gives_the_bits_of_the_reference(const ft_kernels *f)
{
    enum { N = 1003 };
    const ft_kernels *kernels[] = {ft_kernels_family("ref"), f};
    static float w[2][N], m[2][N], v[2][N], g[N];
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < N; i++) {
            w[k][i] = number(1, i, 1);
            m[k][i] = number(2, i, 1e-3);
            v[k][i] = fabsf(number(3, i, 1e-6));
            g[i] = number(4, i, 1e-2);
        }
        kernels[k]->adamw(w[k], m[k], v[k], g, N, 1e-3f, 0.9f, 0.999f, 0.3f, 0.003f, 1e-8f, 0.1f);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    assert_memory_equal(m[0], m[1], sizeof m[0]);
    assert_memory_equal(v[0], v[1], sizeof v[0]);
}
FAMILY_TESTS(adamw_gives_the_bits_of_the_reference)

/* No gradient and no moments yet: nothing moves, and 0 / (0 + eps) is no NaN. */
static void adamw_rests_without_gradient(const ft_kernels *f)
{
    float w[19], m[19] = {0}, v[19] = {0}, g[19] = {0};
    for (size_t i = 0; i < 19; i++)
        w[i] = (float)i - 9;
    f->adamw(w, m, v, g, 19, 1e-3f, 0.9f, 0.999f, 0.1f, 0.001f, 1e-8f, 0);
    for (size_t i = 0; i < 19; i++)
        assert_true(w[i] == (float)i - 9 && m[i] == 0 && v[i] == 0);
}
FAMILY_TESTS(adamw_rests_without_gradient)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY_LIST(rmsnorm_and_its_gradient), FAMILY_LIST(rope_turns_and_turns_back),
        FAMILY_LIST(sums_of_products), FAMILY_LIST(axpy_and_scale),
        FAMILY_LIST(sparse_rows_and_their_gradient),
        FAMILY_LIST(adamw_takes_the_step_of_the_paper), FAMILY_LIST(adamw_rests_without_gradient),
        FAMILY_LIST(adamw_gives_the_bits_of_the_reference)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
