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
    }
}

static void same_bytes_as_the_reference(void **state)
{
    static const char *const families[] = {"ref", "avx2", "avx512"};
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
        float *back = ft_new(n, sizeof *back, NULL);
        assert_false(r.failed);
        assert_non_null(info);
        assert_int_equal(n / info->block * info->block_bytes, bytes);
        ft_quantise(info->type, x, mine, n);
        assert_memory_equal(mine, encoded, bytes);
        ft_dequantise(info->type, encoded, back, n);
        assert_memory_equal(back, decoded, 4u * n);
        for (size_t f = 0; f < 3; f++) {
            const ft_kernels *k = ft_kernels_family(families[f]);
            if (!k)
                continue;
            memset(back, 0xff, 4u * n);
            decode_with(k, info->type, encoded, back, n);
            assert_memory_equal(back, decoded, 4u * n);
        }
        ft_free(mine);
        ft_free(back);
        types++;
    }
    assert_int_equal(types, 6);
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
    static const ft_type types[] = {FT_F16, FT_BF16, FT_Q8_0, FT_Q4_0, FT_Q4_1};
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1p-149f, 0x1.fffffep127f};
    (void)state;
    for (size_t t = 0; t < 5; t++)
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
    assert_null(ft_type_info_of(14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_as_the_reference),
        cmocka_unit_test(all_halves_go_there_and_back),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(what_is_not_finite_stays_defined),
        cmocka_unit_test(types_are_found_by_name_and_number),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
