/* Dequantisation of every family against the formulas of the formats, bit by bit: half precision
 * and bfloat16 of all 65536 patterns, blocks with ordinary, subnormal, infinite and NaN scales. */
#include "kernels_support.h"

static area in, out;

static double half(const uint8_t *p)
{
    int h = p[0] | p[1] << 8, exponent = h >> 10 & 31, mantissa = h & 1023;
    double size = exponent == 0    ? ldexp(mantissa, -24)
                  : exponent < 31 ? ldexp(1024 + mantissa, exponent - 25)
                  : mantissa      ? NAN
                                  : INFINITY;
    return h >> 15 ? -size : size;
}

static double bfloat(const uint8_t *p)
{
    int h = p[0] | p[1] << 8, exponent = h >> 7 & 255, mantissa = h & 127;
    double size = exponent == 0     ? ldexp(mantissa, -133)
                  : exponent < 255 ? ldexp(128 + mantissa, exponent - 134)
                  : mantissa       ? NAN
                                   : INFINITY;
    return h >> 15 ? -size : size;
}

/* Weight i of a block is a product and a sum, exact in double, then rounded once. */
static double q8_0(const uint8_t *block, size_t i)
{
    return half(block) * (double)(int8_t)block[2 + i];
}

static int nibble(const uint8_t *p, size_t i)
{
    return i < 16 ? p[i] & 15 : p[i - 16] >> 4;
}

static double q4_0(const uint8_t *block, size_t i)
{
    return half(block) * (double)(nibble(block + 2, i) - 8);
}

static double q4_1(const uint8_t *block, size_t i)
{
    return half(block) * (double)nibble(block + 4, i) + half(block + 2);
}

static int five_bits(const uint8_t *high, const uint8_t *p, size_t i)
{
    return nibble(p, i) + 16 * (high[i / 8] >> i % 8 & 1);
}

static double q5_0(const uint8_t *block, size_t i)
{
    return half(block) * (double)(five_bits(block + 2, block + 6, i) - 16);
}

static double q5_1(const uint8_t *block, size_t i)
{
    return half(block) * (double)five_bits(block + 4, block + 8, i) + half(block + 2);
}

/* Six-bit numbers of the K types: number i of 16 (eight scales, then eight minima), each taken out
 * of the 96 bits by the place of its pieces. */
static int six_bits(const uint8_t *s, size_t i)
{
    size_t j = i % 8;
    if (j < 4)
        return s[i / 8 * 4 + j] & 63;
    return (i < 8 ? s[4 + j] & 15 : s[4 + j] >> 4) + 16 * (s[i / 8 * 4 + j - 4] >> 6);
}

static double q4_k(const uint8_t *b, size_t i)
{
    int q = b[16 + i / 64 * 32 + i % 32] >> (i / 32 % 2 ? 4 : 0) & 15;
    return half(b) * six_bits(b + 4, i / 32) * q - half(b + 2) * six_bits(b + 4, 8 + i / 32);
}

static double q5_k(const uint8_t *b, size_t i)
{
    int q = (b[48 + i / 64 * 32 + i % 32] >> (i / 32 % 2 ? 4 : 0) & 15) +
            16 * (b[16 + i % 32] >> i / 32 & 1);
    return half(b) * six_bits(b + 4, i / 32) * q - half(b + 2) * six_bits(b + 4, 8 + i / 32);
}

/* The only one whose product may not be exact in a float: 11 + 8 bits times 6. Rounded once all the
 * same, as d times the scale is exact. */
static double q6_k(const uint8_t *b, size_t i)
{
    size_t side = i / 128, j = i % 128;
    int low = b[side * 64 + j % 64] >> (j / 64 ? 4 : 0) & 15;
    int high = b[128 + side * 32 + j % 32] >> j / 32 * 2 & 3;
    return half(b + 208) * (int8_t)b[192 + i / 16] * (low + 16 * high - 32);
}

static void same(const char *what, size_t n, size_t i, float got, double want)
{
    float w = (float)want;
    if (isnan(w) ? !isnan(got) : memcmp(&got, &w, sizeof w) != 0)
        fail_msg("%s, element %zu of %zu: %.9g, formula says %.9g", what, i, n, (double)got,
                 want);
}

static void all_patterns_of_sixteen_bits(const ft_kernels *f)
{
    enum { N = 1024 };
    for (uint32_t first = 0; first < 65536; first += N) {
        uint8_t *p = area_take(&in, 2 * N, 1);
        float *y = area_floats(&out, N, 1);
        for (uint32_t i = 0; i < N; i++) {
            p[2 * i] = (uint8_t)(first + i);
            p[2 * i + 1] = (uint8_t)((first + i) >> 8);
        }
        f->dequant_f16(p, y, N);
        for (size_t i = 0; i < N; i++)
            same("f16", N, i, y[i], half(p + 2 * i));
        f->dequant_bf16(p, y, N);
        for (size_t i = 0; i < N; i++)
            same("bf16", N, i, y[i], bfloat(p + 2 * i));
    }
}
FAMILY_TESTS(all_patterns_of_sixteen_bits)

static void sixteen_bits_of_any_length(const ft_kernels *f)
{
    for EACH(s, sizes)
        for EACH(h, shifts) {
            size_t n = sizes[s];
            uint8_t *p = area_take(&in, 2 * n, shifts[h]);
            float *y = area_floats(&out, n, shifts[3 - h]);
            for (size_t i = 0; i < 2 * n; i++)
                p[i] = (uint8_t)(int)(number(s, i, 1) * 128);
            f->dequant_f16(p, y, n);
            for (size_t i = 0; i < n; i++)
                same("f16", n, i, y[i], half(p + 2 * i));
            f->dequant_bf16(p, y, n);
            for (size_t i = 0; i < n; i++)
                same("bf16", n, i, y[i], bfloat(p + 2 * i));
            area_intact(&out);
        }
}
FAMILY_TESTS(sixteen_bits_of_any_length)

/* Blocks of random bytes: scales of every kind come up, and these halves by design. */
static const uint16_t scales[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x7e01,
                                  0x3c00, 0xb555, 0x0400, 0x2abc};

static void check_blocks(const char *what, void (*op)(const void *, float *, size_t),
                         double (*formula)(const uint8_t *, size_t), size_t bytes)
{
    for (size_t blocks = 0; blocks <= 60; blocks += blocks < 8 ? 1 : 13)
        for EACH(h, shifts) {
            uint8_t *p = area_take(&in, blocks * bytes, shifts[h]);
            float *y = area_floats(&out, blocks * 32, shifts[3 - h]);
            for (size_t i = 0; i < blocks * bytes; i++)
                p[i] = (uint8_t)(int)(number(blocks, i, 1) * 128);
            for (size_t b = 0; b < blocks; b += 2)
                for (size_t i = 0; i < (bytes == 20 || bytes == 24 ? 2u : 1u); i++) {
                    uint16_t d = scales[(b / 2 + 5 * i + h) % 12];
                    p[b * bytes + 2 * i] = (uint8_t)d;
                    p[b * bytes + 2 * i + 1] = (uint8_t)(d >> 8);
                }
            op(p, y, blocks * 32);
            for (size_t i = 0; i < blocks * 32; i++)
                same(what, blocks * 32, i, y[i], formula(p + i / 32 * bytes, i % 32));
            area_intact(&out);
        }
}

static void blocks_follow_their_formula(const ft_kernels *f)
{
    check_blocks("q8_0", f->dequant_q8_0, q8_0, 34);
    check_blocks("q4_0", f->dequant_q4_0, q4_0, 18);
    check_blocks("q4_1", f->dequant_q4_1, q4_1, 20);
    check_blocks("q5_0", f->dequant_q5_0, q5_0, 22);
    check_blocks("q5_1", f->dequant_q5_1, q5_1, 24);
}
FAMILY_TESTS(blocks_follow_their_formula)

/* Three super-blocks of random bytes whose halves at p and p + 2 (Q6_K: at its end) are now and
 * then of a special kind; in all parts, with guards on both sides. */
static void check_parts(const char *what, void (*op)(const void *, size_t, float *, size_t),
                        double (*formula)(const uint8_t *, size_t), size_t bytes, size_t halves_at)
{
    enum { BLOCKS = 3 };
    for (size_t from = 0; from <= BLOCKS * 256; from += 32)
        for (size_t n = 0; from + n <= BLOCKS * 256; n += n < 320 ? 32 : 96) {
            size_t shift = shifts[(from + n) / 32 % 4];
            uint8_t *p = area_take(&in, BLOCKS * bytes, shift);
            float *y = area_floats(&out, n, shifts[(from + n) / 64 % 4]);
            for (size_t i = 0; i < BLOCKS * bytes; i++)
                p[i] = (uint8_t)(int)(number(from + 1000 * n, i, 1) * 128);
            for (size_t b = 0; b < BLOCKS; b++)
                for (size_t i = 0; i < (halves_at ? 1u : 2u); i++) {
                    uint16_t d = scales[(b + n / 32 + 5 * i + from / 32) % 12];
                    p[b * bytes + halves_at + 2 * i] = (uint8_t)d;
                    p[b * bytes + halves_at + 2 * i + 1] = (uint8_t)(d >> 8);
                }
            op(p, from, y, n);
            for (size_t i = 0; i < n; i++)
                same(what, n, i, y[i], formula(p + (from + i) / 256 * bytes, (from + i) % 256));
            area_intact(&out);
        }
}

static void super_blocks_decode_in_parts(const ft_kernels *f)
{
    check_parts("q4_k", f->dequant_q4_k, q4_k, 144, 0);
    check_parts("q5_k", f->dequant_q5_k, q5_k, 176, 0);
    check_parts("q6_k", f->dequant_q6_k, q6_k, 210, 208);
}
FAMILY_TESTS(super_blocks_decode_in_parts)

/* The values as the paper prints them, to single precision. */
static const float nf4[] = {-1, -0.6961928f, -0.52507305f, -0.39491749f, -0.28444138f, -0.18477343f,
                            -0.091050036f, 0, 0.0795803f, 0.1609302f, 0.2461123f, 0.33791524f,
                            0.44070983f, 0.562617f, 0.72295684f, 1};

static void nf4_blocks_decode_in_parts(const ft_kernels *f)
{
    enum { BLOCKS = 5 };
    static area scales_in;
    for (size_t from = 0; from <= BLOCKS * 64; from += 32)
        for (size_t n = 0; from + n <= BLOCKS * 64; n += 32) {
            size_t shift = shifts[(from + n) / 32 % 4];
            uint8_t *p = area_take(&in, BLOCKS * 32, shift);
            float *scale = fill(&scales_in, BLOCKS, shifts[3 - (from + n) / 32 % 4], from, 3);
            float *y = area_floats(&out, n, shifts[(from + n) / 64 % 4]);
            for (size_t i = 0; i < BLOCKS * 32; i++)
                p[i] = (uint8_t)(int)(number(from + 1000 * n, i, 1) * 128);
            f->dequant_nf4(p, scale, from, y, n);
            for (size_t i = from; i < from + n; i++)
                same("nf4", n, i - from, y[i - from],
                     (double)nf4[i % 2 ? p[i / 2] & 15 : p[i / 2] >> 4] * (double)scale[i / 64]);
            area_intact(&out);
        }
}
FAMILY_TESTS(nf4_blocks_decode_in_parts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAMILY_LIST(all_patterns_of_sixteen_bits), FAMILY_LIST(sixteen_bits_of_any_length),
        FAMILY_LIST(blocks_follow_their_formula), FAMILY_LIST(super_blocks_decode_in_parts),
        FAMILY_LIST(nf4_blocks_decode_in_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
