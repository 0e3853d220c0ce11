/* quant_test.c: encoding and decoding of weights against the reference quantiser's bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "model/quant.h"

#include <math.h>
#include <string.h>

static ft_map golden;

static int load(void **state)
{
    ft_err e;
    (void)state;
    return ft_map_open(&golden, "tests/golden/quant.golden", &e);
}

static int unload(void **state)
{
    (void)state;
    ft_map_close(&golden);
    return 0;
}

static void decode_with(const ft_kernels *k, ft_type type, const void *src, float *dst, size_t n)
{
    switch (type) {
    case FT_F32: memcpy(dst, src, n * sizeof *dst); break;
    case FT_F16: k->dequant_f16(src, dst, n); break;
    case FT_BF16: k->dequant_bf16(src, dst, n); break;
    case FT_Q8_0: k->dequant_q8_0(src, dst, n); break;
    case FT_Q4_0: k->dequant_q4_0(src, dst, n); break;
    case FT_Q4_1: k->dequant_q4_1(src, dst, n); break;
    case FT_Q5_0: k->dequant_q5_0(src, dst, n); break;
    case FT_Q5_1: k->dequant_q5_1(src, dst, n); break;
    case FT_Q4_K: k->dequant_q4_k(src, 0, dst, n); break;
    case FT_Q5_K: k->dequant_q5_k(src, 0, dst, n); break;
    case FT_Q6_K: k->dequant_q6_k(src, 0, dst, n); break;
    case FT_NF4: fail_msg("nf4_test.c tests it"); break;
    }
}

/* Every family and ft_dequantise make `decoded` of the n weights in `encoded`. */
static void decodes_to(ft_type type, const uint8_t *encoded, const uint8_t *decoded, size_t n)
{
    static const char *const families[] = {"ref", "avx2", "avx512"};
    float *back = ft_new(n, sizeof *back, NULL);
    ft_dequantise(type, encoded, back, n);
    assert_memory_equal(back, decoded, 4u * n);
    for (size_t f = 0; f < 3; f++) {
        const ft_kernels *k = ft_kernels_family(families[f]);
        if (!k)
            continue;
        memset(back, 0xff, 4u * n);
        decode_with(k, type, encoded, back, n);
        assert_memory_equal(back, decoded, 4u * n);
    }
    ft_free(back);
}

static void same_bytes_as_the_reference(void **state)
{
    ft_rd r = ft_rd_of(golden.p, golden.n);
    uint32_t n = ft_rd_u32(&r);
    const float *x = (const float *)(const void *)ft_rd_bytes(&r, 4u * n);
    int types = 0;
    (void)state;
    assert_true(n >= 1000);
    while (ft_rd_left(&r)) {
        uint32_t type = ft_rd_u32(&r), bytes = ft_rd_u32(&r);
        const uint8_t *encoded = ft_rd_bytes(&r, bytes), *decoded = ft_rd_bytes(&r, 4u * n);
        const ft_type_info *info = ft_type_info_of(type);
        uint8_t *mine = ft_new(bytes, 1, NULL);
        assert_false(r.failed);
        assert_non_null(info);
        assert_int_equal(n / info->block * info->block_bytes, bytes);
        ft_quantise(info->type, x, mine, n);
        assert_memory_equal(mine, encoded, bytes);
        decodes_to(info->type, encoded, decoded, n);
        ft_free(mine);
        types++;
    }
    assert_int_equal(types, 8);
}

/* Any part of a row is what the whole row decodes to there. */
static void parts_are_of_the_whole(const ft_type_info *info, const uint8_t *data, size_t n)
{
    enum { ROWS = 2, COLS_MAX = 1024 };
    size_t cols = n / ROWS / 256 * 256;
    ft_weight w = {.type = info->type, .rows = ROWS, .cols = cols, .data = data};
    float whole[COLS_MAX], part[COLS_MAX];
    assert_true(cols > 0 && cols <= COLS_MAX);
    for (size_t r = 0; r < ROWS; r++) {
        ft_weight_part(&w, r, 0, cols, whole);
        for (size_t from = 0; from < cols; from += 32)
            for (size_t k = 32; from + k <= cols; k += 32) {
                ft_weight_part(&w, r, from, k, part);
                assert_memory_equal(part, whole + from, k * sizeof *part);
            }
    }
}

static void k_types_decode_as_the_reference_does(void **state)
{
    ft_map k;
    ft_err e;
    int types = 0;
    (void)state;
    assert_int_equal(ft_map_open(&k, "tests/golden/quant_k.golden", &e), 0);
    for (ft_rd r = ft_rd_of(k.p, k.n); ft_rd_left(&r); types++) {
        uint32_t type = ft_rd_u32(&r), n = ft_rd_u32(&r), bytes = ft_rd_u32(&r);
        const uint8_t *encoded = ft_rd_bytes(&r, bytes), *decoded = ft_rd_bytes(&r, 4u * n);
        const ft_type_info *info = ft_type_info_of(type);
        assert_false(r.failed);
        assert_non_null(info);
        assert_int_equal(n / info->block * info->block_bytes, bytes);
        decodes_to(info->type, encoded, decoded, n);
        parts_are_of_the_whole(info, encoded, n);
    }
    assert_int_equal(types, 3);
    ft_map_close(&k);
}

static void parts_of_plain_types(void **state)
{
    static const ft_type types[] = {FT_F32, FT_F16, FT_BF16, FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_Q5_0,
                                    FT_Q5_1};
    ft_rd r = ft_rd_of(golden.p, golden.n);
    const float *x;
    uint8_t data[4 * 1024];
    (void)state;
    assert_true(ft_rd_u32(&r) >= 1024);
    x = (const float *)(const void *)ft_rd_bytes(&r, 4 * 1024);
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        ft_quantise(types[t], x, data, 1024);
        parts_are_of_the_whole(ft_type_info_of((uint32_t)types[t]), data, 1024);
    }
}

/* Each half-precision number decodes to the number that its bits mean, and encodes to itself. */
static void all_halves_go_there_and_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint8_t in[2] = {(uint8_t)h, (uint8_t)(h >> 8)}, out[2];
        int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 0x3ff);
        float f;
        ft_dequantise(FT_F16, in, &f, 1);
        ft_quantise(FT_F16, &f, out, 1);
        if (exponent == 31 && mantissa) {
            assert_true(isnan(f));
            assert_int_equal(out[1] & 0x7e, 0x7e);
            continue;
        }
        double value = exponent == 31 ? (double)INFINITY
                       : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                      : ldexp(mantissa, -24);
        assert_true((double)f == (h & 0x8000 ? -value : value));
        assert_memory_equal(in, out, 2);
    }
}

static int nearest_even_holds(float x)
{
    uint8_t b[2], next[2];
    float y, z;
    ft_quantise(FT_F16, &x, b, 1);
    ft_dequantise(FT_F16, b, &y, 1);
    /* No neighbour of the chosen half is nearer, and at equal distance the chosen one is even. */
    for (int step = -1; step <= 1; step += 2) {
        unsigned h = (unsigned)(b[0] | b[1] << 8) + (unsigned)step;
        next[0] = (uint8_t)h;
        next[1] = (uint8_t)(h >> 8);
        ft_dequantise(FT_F16, next, &z, 1);
        double mine = fabs((double)x - (double)y), other = fabs((double)x - (double)z);
        if (other < mine || (other == mine && (b[0] & 1)))
            return 0;
    }
    return 1;
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0x33000000; bits < 0x477fe000; bits += 4093) {   /* 2^-25 to 65504 */
        float x;
        memcpy(&x, &bits, sizeof x);
        assert_true(nearest_even_holds(x));
        assert_true(nearest_even_holds(-x));
    }
}

static void what_is_not_finite_stays_defined(void **state)
{
    static const ft_type types[] = {FT_F16, FT_BF16, FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_Q5_0,
                                    FT_Q5_1};
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1p-149f, 0x1.fffffep127f};
    (void)state;
    for (size_t t = 0; t < 7; t++)
        for (size_t o = 0; o < 5; o++) {
            uint8_t a[64] = {0}, b[64] = {0};
            float x[32] = {1, -2, 3};
            x[7] = odd[o];
            ft_quantise(types[t], x, a, 32);
            ft_quantise(types[t], x, b, 32);
            assert_memory_equal(a, b, sizeof a);
            if (types[t] == FT_F16 || types[t] == FT_BF16) {
                float back[32];
                ft_dequantise(types[t], a, back, 32);
                assert_int_equal(isnan(back[7]), isnan(x[7]));
            }
        }
}

static void types_are_found_by_name_and_number(void **state)
{
    (void)state;
    assert_int_equal(ft_type_info_by_name("q4_1")->type, FT_Q4_1);
    assert_int_equal(ft_type_info_of(30)->type, FT_BF16);
    assert_null(ft_type_info_by_name("q4_2"));
    assert_int_equal(ft_type_info_by_name("q6_k")->type, FT_Q6_K);
    assert_null(ft_type_info_of(15));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_as_the_reference),
        cmocka_unit_test(k_types_decode_as_the_reference_does),
        cmocka_unit_test(parts_of_plain_types),
        cmocka_unit_test(all_halves_go_there_and_back),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(what_is_not_finite_stays_defined),
        cmocka_unit_test(types_are_found_by_name_and_number),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
