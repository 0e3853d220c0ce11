/* The products of rows with packed panels, the packing and the conversion to bf16, of every family:
 * against sums in double on sizes around every block of rows and registers, and the promise that
 * the bits of an element depend on its row and its column only. */
#define AREA_BYTES 262144
#include "kernels_support.h"

static area rows, cols, packed, result, alone;

enum { GEMM_K_MAX = 1030, GEMM_M_MAX = 97, GEMM_GAP = 3 };

static const size_t many_m[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 95, 96, 97};
static const size_t many_n[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64};
static const size_t many_k[] = {0, 2, 4, 6, 16, 34, 64, 130};

/* What differs between the two types of products. */
typedef struct type {
    int bf16;
    size_t bytes;                /* of an element of A and B */
} type;
static const type floats = {0, 4}, halves = {1, 2};

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static float get(type t, const void *p, size_t i)
{
    uint16_t h;
    float f;
    if (t.bf16) {
        memcpy(&h, (const uint8_t *)p + 2 * i, sizeof h);
        return float_of((uint32_t)h << 16);
    }
    memcpy(&f, (const uint8_t *)p + 4 * i, sizeof f);
    return f;
}

/* For bf16, v must be one already. */
static void put(type t, void *p, size_t i, float v)
{
    uint32_t bits;
    uint16_t h;
    memcpy(&bits, &v, sizeof bits);
    h = (uint16_t)(bits >> 16);
    if (t.bf16)
        memcpy((uint8_t *)p + 2 * i, &h, sizeof h);
    else
        memcpy((uint8_t *)p + 4 * i, &v, sizeof v);
}

/* count elements in (-1, 1), exact in the type, in an area that they fill to the last byte. */
static void *numbers(type t, area *a, size_t count, size_t shift, size_t which)
{
    void *p = area_take(a, count * t.bytes, shift * t.bytes);
    for (size_t i = 0; i < count; i++) {
        float v = number(which, i, 1);
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        put(t, p, i, t.bf16 ? float_of(bits & 0xffff0000) : v);
    }
    return p;
}

/* Elements of a matrix whose last row has no gap behind it. */
static size_t matrix(size_t count, size_t apart, size_t length)
{
    return count ? (count - 1) * apart + length : 0;
}

static size_t panel_bytes(type t, size_t n, size_t k)
{
    return FT_PANEL_WIDTH(n) * (t.bf16 ? (k + k % 2) : k) * t.bytes;
}

static void *pack_cols(const ft_kernels *f, type t, area *a, const void *b, size_t lds, size_t n,
                       size_t k)
{
    void *panel = area_take(a, panel_bytes(t, n, k), 0);
    if (t.bf16)
        f->pack_cols_bf16(b, lds, n, k, panel);
    else
        f->pack_cols_f32(b, lds, n, k, panel);
    return panel;
}

static void multiply(const ft_kernels *f, type t, size_t m, size_t n, size_t k, const void *a,
                     size_t lda, const void *panel, float *c, size_t ldc, int add)
{
    if (t.bf16)
        f->gemm_bf16(m, n, k, a, lda, panel, c, ldc, add);
    else
        f->gemm_f32(m, n, k, a, lda, panel, c, ldc, add);
}

/* One row by one column gives the same bits as the whole product did. */
static void same_alone(const ft_kernels *f, type t, size_t k, const void *row, const void *b,
                       size_t lds, float got)
{
    const void *panel = pack_cols(f, t, &alone, b, lds, 1, k);
    float c;
    multiply(f, t, 1, 1, k, row, k, panel, &c, 1, 0);
    assert_memory_equal(&c, &got, sizeof got);
}

static void check_product(const ft_kernels *f, type t, size_t m, size_t n, size_t k, size_t shift)
{
    size_t lda = k + 2 * shift, ldc = n + shift, lds = n + shift, gap = m * 7 + n * 3 + k;
    int add = (int)(gap % 2);
    const void *a = numbers(t, &rows, matrix(m, lda, k), shift % 2, 1);
    const void *b = numbers(t, &cols, matrix(k, lds, n), 0, 2);
    float *c = fill(&result, matrix(m, ldc, n), shift, 3, 1);
    multiply(f, t, m, n, k, a, lda, pack_cols(f, t, &packed, b, lds, n, k), c, ldc, add);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc && i * ldc + j < matrix(m, ldc, n); j++) {
            double was = (double)number(3, i * ldc + j, 1), sum = add ? was : 0, size = fabs(sum);
            if (j >= n) {
                assert_true((double)c[i * ldc + j] == was);
                continue;
            }
            for (size_t p = 0; p < k; p++) {
                double x = (double)get(t, a, i * lda + p) * (double)get(t, b, p * lds + j);
                sum += x;
                size += fabs(x);
            }
            near_double("product", k, j, (double)c[i * ldc + j], sum,
                        6e-8 * size * (3 + sqrt((double)k)));
            if (!add && (i * 5 + j) % 23 == 0)
                same_alone(f, t, k, (const uint8_t *)a + i * lda * t.bytes,
                           (const uint8_t *)b + j * t.bytes, lds, c[i * ldc + j]);
        }
    area_intact(&result);
    area_intact(&packed);
}

static void check_products(const ft_kernels *f, type t)
{
    for EACH(m, many_m)
        for EACH(n, many_n)
            for EACH(k, many_k)
                check_product(f, t, many_m[m], many_n[n], many_k[k], (m + n + k) % 4);
    check_product(f, t, 13, 33, GEMM_K_MAX, 1);
    check_product(f, t, 7, 64, 576, 1);
    if (!t.bf16)
        for (size_t k = 1; k < 132; k += 10)
            check_product(f, t, 7, 50, k, k % 4);
}

static void products_of_floats(const ft_kernels *f)
{
    check_products(f, floats);
}
FAMILY_TESTS(products_of_floats)

static void products_of_halves(const ft_kernels *f)
{
    check_products(f, halves);
}
FAMILY_TESTS(products_of_halves)

/* A NaN, or infinity times zero, in row 4, column 20 or element (9, 30) of C, and nowhere else. */
static void check_nan(const ft_kernels *f, type t, float in_a, float in_b, float in_c)
{
    enum { M = 13, N = 40, K = 34 };
    void *a = numbers(t, &rows, M * K, 0, 1), *b = numbers(t, &cols, K * N, 0, 2), *panel;
    float *c = fill(&result, M * N, 0, 3, 1);
    if (in_a != 0)
        put(t, a, 4 * K + 33, in_a);
    if (in_b != 0)
        put(t, b, 17 * N + 20, in_b);
    if (isinf(in_b))
        for (size_t i = 0; i < M; i++)
            put(t, a, i * K + 17, 0);
    if (in_c != 0)
        c[9 * N + 30] = in_c;
    panel = pack_cols(f, t, &packed, b, N, N, K);
    multiply(f, t, M, N, K, a, K, panel, c, N, 1);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            int want = (in_a != 0 && i == 4) || (in_b != 0 && j == 20) ||
                       (in_c != 0 && i == 9 && j == 30);
            assert_int_equal(!!isnan(c[i * N + j]), want);
        }
}

static void nan_is_not_hidden(const ft_kernels *f)
{
    for (int h = 0; h < 2; h++) {
        check_nan(f, h ? halves : floats, NAN, 0, 0);
        check_nan(f, h ? halves : floats, 0, NAN, 0);
        check_nan(f, h ? halves : floats, 0, INFINITY, 0);
        check_nan(f, h ? halves : floats, 0, 0, NAN);
    }
}
FAMILY_TESTS(nan_is_not_hidden)

/* Element (p, j) of a panel, as kernels.h draws it. */
static size_t panel_at(type t, size_t width, size_t p, size_t j)
{
    return t.bf16 ? (p / 2 * width + j) * 2 + p % 2 : p * width + j;
}

static void check_pack(const ft_kernels *f, type t, int by_rows, size_t n, size_t k, size_t shift)
{
    size_t width = FT_PANEL_WIDTH(n), lds = (by_rows ? k : n) + shift;
    size_t count = by_rows ? matrix(n, lds, k) : matrix(k, lds, n);
    const void *src = numbers(t, &rows, count, shift % 2, 4);
    void *to = area_take(&packed, panel_bytes(t, n, k), shift * t.bytes);
    if (t.bf16)
        (by_rows ? f->pack_rows_bf16 : f->pack_cols_bf16)(src, lds, n, k, to);
    else
        (by_rows ? f->pack_rows_f32 : f->pack_cols_f32)(src, lds, n, k, to);
    for (size_t p = 0; p < (t.bf16 ? k + k % 2 : k); p++)
        for (size_t j = 0; j < width; j++) {
            float want = j >= n || p >= k ? 0 : get(t, src, by_rows ? j * lds + p : p * lds + j);
            float got = get(t, to, panel_at(t, width, p, j));
            assert_memory_equal(&got, &want, sizeof want);
        }
    area_intact(&packed);
}

static void panels_have_the_layout(const ft_kernels *f)
{
    for (int h = 0; h < 4; h++)
        for EACH(n, many_n) {
            for (size_t k = 0; k < 131; k += k < 70 ? 1 : 12)
                check_pack(f, h % 2 ? halves : floats, h / 2, many_n[n], k, (n + k) % 4);
            check_pack(f, h % 2 ? halves : floats, h / 2, many_n[n], 577, n % 4);
        }
}
FAMILY_TESTS(panels_have_the_layout)

/* The rule without bit tricks: the nearer of the two neighbours, the even one of equals; above the
 * largest finite number stands 2^128, which is infinity. */
static uint16_t rounded(uint32_t bits)
{
    uint32_t down = bits & 0xffff0000, up = down + 0x10000;
    double x = fabs((double)float_of(bits)), low = fabs((double)float_of(down)), high;
    if (isinf(x))
        return (uint16_t)(bits >> 16);
    high = (up & 0x7fffffff) == 0x7f800000 ? 0x1p128 : fabs((double)float_of(up));
    if (x - low == high - x)
        return (uint16_t)((down >> 16 & 1 ? up : down) >> 16);
    return (uint16_t)((x - low < high - x ? down : up) >> 16);
}

static void conversion_rounds_to_nearest_even(const ft_kernels *f)
{
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    enum { AT_ONCE = 1000 };
    for EACH(l, low)
        for (uint32_t from = 0; from < 0x10000; from += AT_ONCE) {
            size_t n = 0x10000 - from < AT_ONCE ? 0x10000 - from : AT_ONCE, shift = l % 4;
            float *x = area_floats(&rows, n, shift);
            uint16_t *h = area_take(&packed, n * sizeof *h, shift * sizeof *h);
            for (size_t i = 0; i < n; i++)
                x[i] = float_of((from + (uint32_t)i) << 16 | low[l]);
            f->to_bf16(x, h, n);
            for (size_t i = 0; i < n; i++) {
                uint32_t bits = (from + (uint32_t)i) << 16 | low[l], exponent = bits >> 23 & 0xff;
                if (exponent == 0 && h[i] == (bits >> 16 & 0x8000))
                    continue;
                if (isnan(x[i]))
                    assert_true(isnan(float_of((uint32_t)h[i] << 16)));
                else
                    assert_int_equal(h[i], rounded(bits));
            }
        }
}
FAMILY_TESTS(conversion_rounds_to_nearest_even)

/* Any length and alignment, and the same bits wherever a number stands, denormals too. */
static void conversion_of_any_length(const ft_kernels *f)
{
    for (size_t n = 0; n < 100; n++)
        for EACH(s, shifts) {
            float *x = fill(&rows, n, shifts[s], 7, 1);
            uint16_t *h = area_take(&packed, n * sizeof *h, shifts[s] * sizeof *h), one;
            for (size_t i = 0; i < n; i += 3)
                x[i] *= 0x1p-128f;
            f->to_bf16(x, h, n);
            for (size_t i = 0; i < n; i++) {
                f->to_bf16(x + i, &one, 1);
                assert_int_equal(h[i], one);
            }
            area_intact(&packed);
        }
}
FAMILY_TESTS(conversion_of_any_length)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY_LIST(products_of_floats), FAMILY_LIST(products_of_halves),
        FAMILY_LIST(nan_is_not_hidden), FAMILY_LIST(panels_have_the_layout),
        FAMILY_LIST(conversion_rounds_to_nearest_even), FAMILY_LIST(conversion_of_any_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
