/* Products in bytes and the quantising of their operands, of every family: to the bit as kernels.h
 * says them, with the integers of this file, and each number at most half a step off. */
#define AREA_BYTES 262144
#include "kernels_support.h"

#include <stdlib.h>

static area in, in2, in3, in4, packed, out, out2, out3;

static const size_t many_m[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 95, 96, 97};
static const size_t many_n[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64};

/* Elements of a matrix whose last row has no gap behind it. */
static size_t matrix(size_t count, size_t apart, size_t length)
{
    return count ? (count - 1) * apart + length : 0;
}

static void same_float(const char *what, size_t i, float got, float want)
{
    if (memcmp(&got, &want, sizeof got) != 0 && !(isnan(got) && isnan(want)))
        fail_msg("%s, element %zu: %.9g instead of %.9g", what, i, (double)got, (double)want);
}

/* The rule of kernels.h for n numbers `step` apart: returns the scale, q without the 128. */
static float expected(const float *x, size_t step, size_t n, int8_t *q)
{
    float max = 0;
    int bad = 0;
    for (size_t i = 0; i < n; i++) {
        bad |= !isfinite(x[i * step]);
        max = fmaxf(max, fabsf(x[i * step]));
    }
    for (size_t i = 0; i < n; i++) {
        float by = 127 / max, scaled = x[i * step] * by;
        q[i] = 0;
        if (bad || max < 0x1p-100f)
            continue;
        q[i] = (int8_t)nearbyintf(scaled);
        assert_true(fabs((double)q[i] * (double)max / 127 - (double)x[i * step]) <=
                    0.50001 * (double)max / 127);
    }
    return bad ? NAN : max < 0x1p-100f ? 0 : max / 127;
}

/* Numbers with a surprise: sizes at the ends of float, ties, zeros, NaN, infinity. */
enum { KINDS = 9 };
static float strange(size_t kind, size_t which, size_t i, size_t n)
{
    static const double size[KINDS] = {1, 0x1p-99, 0x1p-101, 0x1p-149, 0x1p127, 127, 0, 3, 3};
    float x = number(which, i, size[kind]);
    if (kind == 5)                 /* scale 1: halves are ties */
        return i == 0 ? -127 : truncf(2 * x) / 2;
    if (kind >= 7 && i == n - 1)
        return kind == 7 ? NAN : -INFINITY;
    return x;
}

static void quantised_rows(const ft_kernels *f)
{
    static int8_t want[4099];
    for EACH(s, sizes)
        for (size_t kind = 0; kind < KINDS; kind++) {
            size_t n = sizes[s], shift = (s + kind) % 4;
            float *x = area_floats(&in, n, shift), scale, got;
            uint8_t *q = area_take(&out, n, shift * 3);
            for (size_t i = 0; i < n; i++)
                x[i] = strange(kind, s, i, n);
            got = f->quantise_row_s8(x, q, n);
            scale = expected(x, 1, n, want);
            same_float("scale", n, got, scale);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(q[i], want[i] + 128);
            area_intact(&out);
        }
}
FAMILY_TESTS(quantised_rows)

/* Column j is of kind (j + first) % KINDS. */
static void check_pack(const ft_kernels *f, int by_rows, size_t n, size_t k, size_t first)
{
    size_t width = FT_PANEL_WIDTH(n), shift = (n + k) % 4, lds = (by_rows ? k : n) + shift;
    size_t step = by_rows ? 1 : lds, padded = (k + 3) / 4 * 4;
    float *x = area_floats(&in, by_rows ? matrix(n, lds, k) : matrix(k, lds, n), shift);
    float *scale = area_floats(&out2, n, shift);
    int32_t *offset = area_take(&out3, n * sizeof *offset, shift * 4);
    int8_t *panel = area_take(&packed, padded * width, shift * 5);
    for (size_t j = 0; j < n; j++)
        for (size_t p = 0; p < k; p++)
            x[by_rows ? j * lds + p : p * lds + j] = strange((j + first) % KINDS, j, p, k);
    (by_rows ? f->pack_rows_s8 : f->pack_cols_s8)(x, lds, n, k, panel, scale, offset);
    for (size_t j = 0; j < width; j++) {
        int8_t want[1100] = {0};
        int32_t sum = 0;
        if (j < n)
            same_float("scale of a column", j, scale[j],
                       expected(x + (by_rows ? j * lds : j), step, k, want));
        for (size_t p = 0; p < padded; p++) {
            assert_int_equal(panel[(p / 4 * width + j) * 4 + p % 4], want[p]);
            sum += want[p];
        }
        if (j < n)
            assert_int_equal(offset[j], 128 * sum);
    }
    area_intact(&packed);
    area_intact(&out2);
    area_intact(&out3);
}

static void packed_panels(const ft_kernels *f)
{
    for (int by_rows = 0; by_rows < 2; by_rows++)
        for EACH(n, many_n) {
            for (size_t k = 0; k < 140; k += k < 70 ? 1 : 13)
                check_pack(f, by_rows, many_n[n], k, k);
            check_pack(f, by_rows, many_n[n], 577, n);
        }
}
FAMILY_TESTS(packed_panels)

static void *random_bytes(area *a, size_t n, size_t shift, size_t which, int extreme)
{
    uint8_t *p = area_take(a, n, shift);
    for (size_t i = 0; i < n; i++) {
        int v = (int)number(which, i, 128);
        p[i] = (uint8_t)(extreme ? (v < 0 ? -127 : 127) : v);
    }
    return p;
}

/* Integers exact, then three roundings in this order. */
static float product(const uint8_t *a, const int8_t *panel, size_t width, size_t k, size_t j,
                     int32_t offset, float row, float column)
{
    int64_t sum = 0;
    volatile float v;
    for (size_t p = 0; p < k; p++)
        sum += a[p] * panel[(p / 4 * width + j) * 4 + p % 4];
    v = (float)(sum - offset);
    v = v * row;
    return v * column;
}

static void check_product(const ft_kernels *f, size_t m, size_t n, size_t k, size_t shift)
{
    size_t lda = k + 3 * shift, ldc = n + shift, width = FT_PANEL_WIDTH(n);
    int extreme = (m + k) % 3 == 0, add = (int)((m + n + k / 4) % 2);
    const uint8_t *a = random_bytes(&in, matrix(m, lda, k), shift, 1, extreme);
    const int8_t *panel = random_bytes(&packed, k * width, shift, 2, extreme);
    const float *row = fill(&in2, m, shift, 3, 0.1), *column = fill(&in3, n, shift, 4, 0.1);
    int32_t *offset = area_take(&in4, n * sizeof *offset, 0);
    float *c = fill(&out, matrix(m, ldc, n), shift, 5, 50);
    for (size_t j = 0; j < n; j++)
        offset[j] = (int32_t)number(6, j, 1e6);
    f->gemm_s8(m, n, k, a, lda, row, panel, column, offset, c, ldc, add);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc && i * ldc + j < matrix(m, ldc, n); j++) {
            volatile float want = number(5, i * ldc + j, 50);
            float v;
            if (j < n) {
                v = product(a + i * lda, panel, width, k, j, offset[j], row[i], column[j]);
                want = add ? want + v : v;
            }
            same_float("product", i * ldc + j, c[i * ldc + j], want);
        }
    area_intact(&out);
}

static void products_of_bytes(const ft_kernels *f)
{
    for EACH(m, many_m)
        for EACH(n, many_n)
            for (size_t k = 0; k < 140; k += k < 20 ? 4 : 36)
                check_product(f, many_m[m], many_n[n], k, (m + n + k / 4) % 4);
    check_product(f, 13, 33, 1536, 1);
    check_product(f, 7, 64, 576, 3);
}
FAMILY_TESTS(products_of_bytes)

/* The largest sums: every product of the same sign, k = 65536. */
static void nothing_saturates(const ft_kernels *f)
{
    enum { K = 65536, N = 3 };
    uint8_t *a = malloc(2 * K);
    int8_t *panel = calloc(K, FT_PANEL_WIDTH(N));
    float rows[2] = {1, 0.5f}, columns[N] = {1, 1, 2}, c[2 * N];
    int32_t offset[N] = {128 * 127 * K, -128 * 127 * K, 0};
    assert_true(a && panel);
    memset(a, 255, K);
    memset(a + K, 1, K);
    for (size_t p = 0; p < K; p++) {
        panel[(p / 4 * 16 + 0) * 4 + p % 4] = 127;
        panel[(p / 4 * 16 + 1) * 4 + p % 4] = -127;
    }
    f->gemm_s8(2, N, K, a, K, rows, panel, columns, offset, c, N, 0);
    assert_true(c[0] == 127.0f * 127 * K && c[1] == -c[0] && c[2] == 0);
    assert_true(c[N] == -0.5f * 127 * 127 * K && c[N + 1] == -c[N] && c[N + 2] == 0);
    free(a);
    free(panel);
}
FAMILY_TESTS(nothing_saturates)

/* From numbers to numbers: the error of random rows, and NaN wherever row or column has one. */
static void from_numbers_to_numbers(const ft_kernels *f)
{
    enum { M = 13, N = 37, K = 301, PADDED = 304 };
    float *x = fill(&in, M * K, 0, 1, 2), *w = fill(&in2, N * K, 0, 2, 0.3), row[M], column[N];
    int8_t *panel = area_take(&packed, PADDED * FT_PANEL_WIDTH(N), 0);
    float *c = area_floats(&out, M * N, 0);
    uint8_t *a = area_take(&out2, M * PADDED, 0);
    int32_t offset[N];
    x[5 * K + 300] = NAN;
    x[7 * K] = INFINITY;
    w[20 * K + 150] = -INFINITY;
    w[21 * K + 299] = NAN;
    memset(x + 2 * K, 0, K * sizeof *x);
    memset(a, 77, M * PADDED);
    for (size_t i = 0; i < M; i++)
        row[i] = f->quantise_row_s8(x + i * K, a + i * PADDED, K);
    f->pack_rows_s8(w, K, N, K, panel, column, offset);
    f->gemm_s8(M, N, PADDED, a, PADDED, row, panel, column, offset, c, N, 0);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t p = 0; p < K; p++)
                sum += (double)x[i * K + p] * (double)w[j * K + p];
            if (i == 5 || i == 7 || j == 20 || j == 21)
                assert_true(isnan(c[i * N + j]));
            else     /* K products, each off by half a step of each side, of random sign */
                near_double("product", K, i * N + j, (double)c[i * N + j], sum, 0.12);
            if (i == 2 && j != 20 && j != 21)
                assert_true(c[i * N + j] == 0);
        }
}
FAMILY_TESTS(from_numbers_to_numbers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY_LIST(quantised_rows),    FAMILY_LIST(packed_panels),
        FAMILY_LIST(products_of_bytes), FAMILY_LIST(nothing_saturates),
        FAMILY_LIST(from_numbers_to_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
