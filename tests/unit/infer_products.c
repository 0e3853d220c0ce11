/* Products of generation: each element against a sum in double, and the same bits for any number of
 * rows of X, any threads and any place of a row, in both ways to compute, with and without an
 * adapter. */
#include "infer_golden.h"

#include "infer/products.h"

enum { ROWS = 70, COLS = 288, R = 5, M_MAX = 40 };

static float x[M_MAX * COLS], y[2][M_MAX * ROWS], a[R * COLS], b[ROWS * R], ax[2 * M_MAX * R];
static uint16_t rounded[M_MAX * COLS];

static void fill(float *p, size_t n, double step)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (float)sin((double)i * step + step);
}

/* Two products of the same x, rows [row, row + M) of it. */
static void run(const ft_weight *w, size_t row, size_t M, int bf16, int adapter, unsigned threads)
{
    ft_pool *pool = golden_pool(threads);
    float *scratch[8];
    ft_err e;
    ft_products all = {.n = 2, .M = M, .R = adapter ? R : 0, .scaling = 0.25f,
                       .scratch = scratch};
    ft_product list[2];
    if (bf16)
        all.compute = FT_PRODUCTS_BF16;
    for (size_t i = 0; i < 2; i++)
        list[i] = (ft_product){.w = w, .x = x + row * COLS, .y = y[i], .rounded = rounded,
                               .ax = ax + i * M_MAX * R, .a = adapter ? a : NULL,
                               .b = adapter ? b : NULL};
    all.list = list;
    for (unsigned i = 0; i < ft_pool_threads(pool); i++)
        assert_non_null(scratch[i] = ft_new_aligned(ft_products_scratch(COLS, M), sizeof(float),
                                                    &e));
    ft_products_run(&all, pool);
    assert_memory_equal(y[0], y[1], M * ROWS * sizeof(float));
    for (unsigned i = 0; i < ft_pool_threads(pool); i++)
        ft_free(scratch[i]);
    ft_pool_free(&pool);
}

static void check_value(const ft_weight *w, size_t i, size_t j, int adapter, double tolerance)
{
    float row[COLS];
    double sum = 0, size = 0;
    ft_weight_part(w, j, 0, COLS, row);
    for (size_t k = 0; k < COLS; k++) {
        sum += (double)row[k] * (double)x[i * COLS + k];
        size += fabs((double)row[k] * (double)x[i * COLS + k]);
    }
    for (size_t r = 0; adapter && r < R; r++) {
        double inner = 0;
        for (size_t k = 0; k < COLS; k++)
            inner += (double)a[r * COLS + k] * (double)x[i * COLS + k];
        sum += 0.25 * inner * (double)b[j * R + r];
        size += fabs(inner);
    }
    assert_true(fabs((double)y[0][i * ROWS + j] - sum) <= tolerance * size);
}

static void check_weight(const ft_weight *w, int bf16, int adapter)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 8, 16, 17, 33, 40};
    static float want[M_MAX * ROWS];
    run(w, 0, M_MAX, bf16, adapter, 1);
    memcpy(want, y[0], sizeof want);
    for (size_t i = 0; i < M_MAX; i++)
        for (size_t j = 0; j < ROWS; j++)
            check_value(w, i, j, adapter, bf16 ? 0x1p-7 : 1e-6);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t row = 0; row + counts[c] <= M_MAX; row += 13) {
            run(w, row, counts[c], bf16, adapter, (unsigned)(c % 3) + 1);
            assert_memory_equal(y[0], want + row * ROWS, counts[c] * ROWS * sizeof *want);
        }
}

static void test_any_number_of_rows(void **state)
{
    static const ft_type types[] = {FT_F32, FT_F16, FT_BF16, FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_Q5_0};
    static float numbers[ROWS * COLS], blocks[ROWS * COLS];
    (void)state;
    fill(x, M_MAX * COLS, 1.7);
    fill(a, R * COLS, 0.37);
    fill(b, ROWS * R, 0.91);
    fill(numbers, ROWS * COLS, 2.3);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ft_weight w = {.type = types[i], .rows = ROWS, .cols = COLS, .data = blocks};
        if (types[i] == FT_F32)
            w.data = numbers;
        else
            ft_quantise(types[i], numbers, blocks, ROWS * COLS);
        for (int bf16 = 0; bf16 < 2; bf16++)
            for (int adapter = 0; adapter < 2; adapter++)
                check_weight(&w, bf16, adapter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_number_of_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
