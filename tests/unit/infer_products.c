/* Products of generation: each element against a sum in double, and the same bits for any number of
 * rows of X, any threads and any place of a row, in all ways to compute, with and without an
 * adapter. In bytes: within what rounding X by half a step of its blocks can make of it, and, for
 * every type, what the decoded weights give with the rounded X. */
#include "infer_golden.h"

#include "infer/products.h"

enum { ROWS = 70, COLS = 512, R = 5, M_MAX = 40 };

static float x[M_MAX * COLS], y[2][M_MAX * ROWS], a[R * COLS], b[ROWS * R], ax[2 * M_MAX * R];
static uint16_t rounded[M_MAX * COLS];
static ft_block_s8 blocks_of_x[M_MAX * COLS / 32];

/* A model whose only matrices are w: what ft_packed_new needs of one. */
static ft_packed *packed_of(const ft_weight *w)
{
    ft_model m = {.head = *w};
    ft_pool *pool = golden_pool(2);
    ft_packed *p;
    ft_err e;
    OK(ft_packed_new(&p, &m, pool, &e));
    ft_pool_free(&pool);
    return p;
}

static void fill(float *p, size_t n, double step)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (float)sin((double)i * step + step);
}

/* Two products of the same x, rows [row, row + M) of it. */
static void run(const ft_weight *w, const ft_packed *packed, size_t row, size_t M,
                enum ft_compute_in in, int adapter, unsigned threads)
{
    ft_pool *pool = golden_pool(threads);
    float *scratch[8];
    ft_err e;
    ft_products all = {.n = 2, .M = M, .R = adapter ? R : 0, .scaling = 0.25f,
                       .scratch = scratch};
    ft_product list[2];
    all.compute = in;
    for (size_t i = 0; i < 2; i++)
        list[i] = (ft_product){.w = w, .x = x + row * COLS, .y = y[i], .rounded = rounded,
                               .blocks = blocks_of_x, .packed = ft_packed_head(packed),
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

/* What half a step of each block of x row i makes of the product with `row` at most. */
static double rounding(const float *row, size_t i)
{
    double sum = 0;
    for (size_t from = 0; from < COLS; from += 32) {
        double most = 0, size = 0;
        for (size_t k = from; k < from + 32; k++) {
            most = fmax(most, fabs((double)x[i * COLS + k]));
            size += fabs((double)row[k]);
        }
        sum += size * most / 254;
    }
    return sum;
}

static void check_value(const ft_weight *w, size_t i, size_t j, int adapter,
                        enum ft_compute_in in)
{
    float row[COLS];
    double sum = 0, size = 0, tolerance;
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
    tolerance = (in == FT_IN_BF16 ? 0x1p-7 : 1e-6) * size;
    if (in == FT_IN_INT8)
        tolerance += ft_type_info_of(w->type)->block > 1 ? rounding(row, i) : 0x1p-7 * size;
    assert_true(fabs((double)y[0][i * ROWS + j] - sum) <= tolerance);
}

static void check_weight(const ft_weight *w, enum ft_compute_in in, int adapter)
{
    static const size_t counts[] = {1, 2, 3, 4, 5, 8, 16, 17, 33, 40};
    static float want[M_MAX * ROWS];
    ft_packed *packed = packed_of(w);
    run(w, packed, 0, M_MAX, in, adapter, 1);
    memcpy(want, y[0], sizeof want);
    for (size_t i = 0; i < M_MAX; i++)
        for (size_t j = 0; j < ROWS; j++)
            check_value(w, i, j, adapter, in);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t row = 0; row + counts[c] <= M_MAX; row += 13) {
            run(w, packed, row, counts[c], in, adapter, (unsigned)(c % 3) + 1);
            assert_memory_equal(y[0], want + row * ROWS, counts[c] * ROWS * sizeof *want);
        }
    ft_packed_free(&packed);
}

/* Any bytes, but halves that are scales are near one. */
static void random_blocks(const ft_type_info *t, uint8_t *p, size_t bytes)
{
    size_t last = t->block_bytes - 2;
    uint64_t z = 1;
    for (size_t i = 0; i < bytes; i++) {
        z = z * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(z >> 56);
    }
    for (size_t at = 0; at < bytes; at += t->block_bytes) {
        size_t halves[2] = {0, 2};
        if (t->type == FT_Q6_K)
            halves[0] = halves[1] = last;
        for (size_t h = 0; h < 2; h++)
            p[at + halves[h] + 1] = (uint8_t)((p[at + halves[h] + 1] & 0x83) | 0x38);
    }
}

/* A product in bytes against the decoded weights and the rounded x, in double. */
static void check_bytes(const ft_weight *w)
{
    ft_packed *packed = packed_of(w);
    run(w, packed, 0, 3, FT_IN_INT8, 0, 1);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < ROWS; j++) {
            const ft_block_s8 *block = blocks_of_x + i * COLS / 32;
            double sum = 0, size = 0;
            float row[COLS];
            ft_weight_part(w, j, 0, COLS, row);
            for (size_t k = 0; k < COLS; k++) {
                double at = (double)block[k / 32].scale * (double)block[k / 32].q[k % 32];
                sum += (double)row[k] * at;
                size += fabs((double)row[k] * at);
            }
            /* Codes and minima are added up apart, so what cancels in a weight counts. */
            assert_true(fabs((double)y[0][i * ROWS + j] - sum) <= 1e-5 * size);
        }
    ft_packed_free(&packed);
}

static void test_bytes_of_all_types(void **state)
{
    static const ft_type types[] = {FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_Q5_0, FT_Q5_1, FT_Q4_K, FT_Q5_K,
                                    FT_Q6_K};
    static uint8_t blocks[ROWS * COLS * 2];
    (void)state;
    fill(x, M_MAX * COLS, 1.7);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const ft_type_info *t = ft_type_info_of(types[i]);
        ft_weight w = {.type = types[i], .rows = ROWS, .cols = COLS, .data = blocks};
        ft_model m = {.head = w};
        random_blocks(t, blocks, ROWS * COLS / t->block * t->block_bytes);
        assert_true(ft_packed_bytes(&m) >= ROWS * COLS / t->block * t->block_bytes);
        check_bytes(&w);
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
        for (enum ft_compute_in in = FT_IN_F32; in <= FT_IN_INT8; in++)
            for (int adapter = 0; adapter < 2; adapter++)
                check_weight(&w, in, adapter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_number_of_rows),
                                       cmocka_unit_test(test_bytes_of_all_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
