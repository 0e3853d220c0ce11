/* nf4_test.c: NF4 against bitsandbytes (make_nf4.py), and whole models in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "model/nf4.h"

#include <math.h>
#include <string.h>

static ft_pool *pools[2];

static int make_pools(void **state)
{
    ft_err e;
    (void)state;
    return ft_pool_new(&pools[0], 1, &e) < 0 || ft_pool_new(&pools[1], 3, &e) < 0;
}

static int free_pools(void **state)
{
    (void)state;
    ft_pool_free(&pools[0]);
    ft_pool_free(&pools[1]);
    return 0;
}

/* large_weights() of make_nf4.py. */
static void large_weights(float *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)((uint64_t)i * 2654435761u + (i >> 7) * 40503u);
        float size = 1 + (float)(i / 64 * 37 % 101) / 64;
        w[i] = (float)((int32_t)(u >> 8) - (1 << 23)) * 0x1p-23f * size;
    }
}

static void digest_is(const char *what, size_t matrix, const void *p, size_t n, ft_rd *golden)
{
    ft_digest got = ft_digest_of(p, n);
    const uint8_t *want = ft_rd_bytes(golden, sizeof got.b);
    assert_non_null(want);
    if (memcmp(got.b, want, sizeof got.b) != 0)
        fail_msg("matrix %zu: %s are not those of bitsandbytes", matrix, what);
}

/* All rows in PEFT's order, read in pieces of `step` columns. */
static float *decoded(const ft_weight *w, size_t D, size_t step)
{
    float *all = ft_new(w->rows * w->cols, sizeof *all, NULL);
    for (size_t r = 0; r < w->rows; r++)
        for (size_t c = 0; c < w->cols; c += step)
            ft_weight_part(w, r, c, w->cols - c < step ? w->cols - c : step,
                           all + (D ? ft_row_to_peft(r, D) : r) * w->cols + c);
    return all;
}

static void check_matrix(size_t i, ft_rd *golden)
{
    size_t rows = ft_rd_u32(golden), cols = ft_rd_u32(golden), D = ft_rd_u32(golden);
    size_t kind = ft_rd_u32(golden), n = rows * cols, bytes = ft_nf4_bytes(n);
    float *weights = ft_new(n, sizeof *weights, NULL), *back[2];
    ft_weight w = {.type = FT_F32, .rows = rows, .cols = cols, .data = weights};
    uint8_t *out[2] = {ft_new_aligned(1, bytes, NULL), ft_new_aligned(1, bytes, NULL)};
    ft_nf4 x = ft_nf4_of(out[0], n);
    ft_err e;
    if (kind)
        large_weights(weights, n);
    else
        memcpy(weights, ft_rd_bytes(golden, n * sizeof *weights), n * sizeof *weights);
    for (size_t p = 0; p < 2; p++)
        assert_int_equal(ft_nf4_encode(&w, D, out[p], pools[p], &e), 0);
    assert_memory_equal(out[0], out[1], bytes);
    assert_ptr_equal(x.code + n / 2, out[0] + bytes);
    assert_memory_equal(x.offset, ft_rd_bytes(golden, 4), 4);
    assert_memory_equal(x.group_scale, ft_rd_bytes(golden, 4 * x.groups), 4 * x.groups);
    assert_memory_equal(x.scale_code, ft_rd_bytes(golden, x.blocks), x.blocks);
    digest_is("codes", i, x.code, n / 2, golden);
    w = (ft_weight){.type = FT_NF4, .rows = rows, .cols = cols, .data = out[0], .head_rows = D};
    back[0] = decoded(&w, D, cols);
    back[1] = decoded(&w, D, 32);
    digest_is("decoded weights", i, back[0], n * sizeof(float), golden);
    assert_memory_equal(back[1], back[0], n * sizeof(float));
    assert_true(ft_nf4_is_sane(&x));
    for (size_t p = 0; p < 2; p++) {
        ft_free(out[p]);
        ft_free(back[p]);
    }
    ft_free(weights);
}

static void matrices_are_those_of_bitsandbytes(void **state)
{
    ft_map map;
    ft_err e;
    size_t n = 0;
    (void)state;
    assert_int_equal(ft_map_open(&map, "tests/golden/nf4.golden", &e), 0);
    for (ft_rd r = ft_rd_of(map.p, map.n); ft_rd_left(&r);)
        check_matrix(n++, &r);
    assert_int_equal(n, 9);
    ft_map_close(&map);
}

static void what_is_not_finite_is_refused(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float x[128] = {1, 2, 3}, out[32];
    ft_weight w = {.type = FT_F32, .rows = 2, .cols = 64, .data = x};
    ft_err e;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        x[77] = bad[i];
        assert_int_equal(ft_nf4_encode(&w, 0, out, pools[0], &e), FT_ERR_DATA);
    }
    for (size_t i = 0; i < 128; i++)
        x[i] = 0x1.fffffep127f;
    assert_int_equal(ft_nf4_encode(&w, 0, out, pools[0], &e), FT_ERR_DATA);
}

/* A converted model: its matrices read in NF4, all else as it was, the base's name kept. */
static void a_model_is_converted(void **state)
{
    ft_model *m = NULL, *plain = NULL;
    ft_err e;
    size_t bytes = 0, mapped = 0;
    float a[256], b[256];
    (void)state;
    assert_int_equal(ft_model_open(&m, "tests/golden/toy256.gguf", &e), 0);
    assert_int_equal(ft_model_open(&plain, "tests/golden/toy256.gguf", &e), 0);
    for (size_t i = 0; i < ft_gguf_tensor_count(m->gguf); i++)
        mapped += ft_gguf_tensor_at(m->gguf, i)->bytes;
    assert_int_equal(ft_model_weight_bytes(m), mapped);
    assert_string_equal(m->transform, "");
    assert_int_equal(ft_model_to_nf4(m, pools[1], &e), 0);
    assert_int_equal(ft_model_to_nf4(m, pools[1], &e), 0);
    assert_string_equal(m->transform, "nf4");
    assert_true(ft_digest_equal(&m->digest, &plain->digest));
    for (size_t t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        double error = 0, size = 0;
        bytes += ft_nf4_bytes(w->rows * w->cols);
        mapped -= m->layers[0].tensor[t]->bytes;
        assert_int_equal(w->type, FT_NF4);
        for (size_t r = 0; r < w->rows; r++) {
            ft_weight_part(w, r, 0, 256, a);
            ft_weight_part(&plain->layers[0].w[t], r, 0, 256, b);
            for (size_t i = 0; i < 256; i++) {
                error += (double)(a[i] - b[i]) * (double)(a[i] - b[i]);
                size += (double)b[i] * (double)b[i];
            }
        }
        assert_true(error < 0.02 * size);       /* the rows are in the right order, too */
    }
    assert_int_equal(ft_model_weight_bytes(m), mapped + bytes);
    ft_weight_part(&m->embedding, 7, 0, 256, a);
    ft_weight_part(&plain->embedding, 7, 0, 256, b);
    assert_memory_equal(a, b, sizeof a);
    ft_model_free(&m);
    ft_model_free(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matrices_are_those_of_bitsandbytes),
                                       cmocka_unit_test(what_is_not_finite_is_refused),
                                       cmocka_unit_test(a_model_is_converted)};
    return cmocka_run_group_tests(tests, make_pools, free_pools);
}
