#include "model/quant.h"

#include "kernels/kernels.h"
#include "model/nf4.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const ft_type_info infos[] = {
    {FT_F32, 0, "f32", 1, 4},       {FT_F16, 1, "f16", 1, 2},       {FT_BF16, 32, "bf16", 1, 2},
    {FT_Q8_0, 7, "q8_0", 32, 34},   {FT_Q4_0, 2, "q4_0", 32, 18},   {FT_Q4_1, 3, "q4_1", 32, 20},
    {FT_Q5_0, 8, "q5_0", 32, 22},   {FT_Q5_1, 9, "q5_1", 32, 24},   {FT_Q4_K, 15, "q4_k", 256, 144},
    {FT_Q5_K, 17, "q5_k", 256, 176}, {FT_Q6_K, 18, "q6_k", 256, 210},
    {FT_NF4, FT_NF4, "nf4", 32, 0}};

const ft_type_info *ft_type_info_of(uint32_t type)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++)
        if (infos[i].type == type)
            return &infos[i];
    return NULL;
}

const ft_type_info *ft_type_info_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof infos / sizeof infos[0]; i++)
        if (strcmp(infos[i].name, name) == 0)
            return &infos[i];
    return NULL;
}

int ft_type_bytes(const ft_type_info *info, const uint64_t *shape, uint32_t n_dims, size_t *bytes)
{
    uint64_t blocks = shape[0] / info->block, weights;
    for (uint32_t d = 1; d < n_dims; d++)
        if (__builtin_mul_overflow(blocks, shape[d], &blocks))
            return -1;
    if (info->type != FT_NF4)
        return __builtin_mul_overflow(blocks, info->block_bytes, bytes) ? -1 : 0;
    if (__builtin_mul_overflow(blocks, info->block, &weights) || weights > SIZE_MAX / 2)
        return -1;
    *bytes = ft_nf4_bytes((size_t)weights);
    return 0;
}

void ft_dequantise(ft_type type, const void *src, float *dst, size_t n)
{
    const ft_kernels *k = ft_kernels_get();
    switch (type) {
    case FT_F32:
        if (n)
            memcpy(dst, src, n * sizeof *dst);
        break;
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
    case FT_NF4: assert(!"NF4 is decoded by ft_weight_part"); break;
    }
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

/* Rounds to nearest even. A carry out of the mantissa goes on into the exponent, and from there to
 * infinity, which is just what rounding wants. */
static uint32_t half_of(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000)
        return sign | 0x7e00 | (a >> 13 & 0x1ff);
    if (a >= 0x47800000)                   /* 2^16 and more, infinity */
        return sign | 0x7c00;
    if (a < 0x38800000) {                  /* below 2^-14: the result is a multiple of 2^-24 */
        float magic = 0.5f;                /* whose last place is 2^-24, so adding it rounds  */
        float r = fabsf(f) + magic;
        return sign | (bits_of(r) - bits_of(magic));
    }
    a += 0xfff + (a >> 13 & 1);
    return sign | ((a >> 13) - (112u << 10));
}

static uint32_t bf16_of(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffff) > 0x7f800000)
        return u >> 16 | 0x40;
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

/* v truncated to a whole number in [0, top]; NaN gives 0. */
static uint8_t code_of(float v, float top)
{
    if (!(v >= 0))
        return 0;
    return (uint8_t)(v < top ? v : top);
}

static float inverse(float d)
{
    return d != 0 ? 1.0f / d : 0.0f;
}

static void q8_0_block(const float *x, uint8_t *p)
{
    float largest = 0, d, id;
    for (size_t j = 0; j < 32; j++)
        largest = fmaxf(largest, fabsf(x[j]));
    d = largest / 127;
    id = inverse(d);
    put16(p, half_of(d));
    for (size_t j = 0; j < 32; j++) {
        float q = roundf(x[j] * id);
        q = q < -127 ? -127 : q <= 127 ? q : 127;      /* NaN: 127 */
        p[2 + j] = (uint8_t)(int8_t)q;
    }
}

/* Four bits of each of 32 codes: byte j has code j in its low and code j + 16 in its high half. */
static void put_nibbles(const uint8_t *code, uint8_t *p)
{
    for (size_t j = 0; j < 16; j++)
        p[j] = (uint8_t)((code[j] & 15) | code[j + 16] << 4);
}

/* The fifth bits of 32 codes, one after the other. */
static void put_fifth_bits(const uint8_t *code, uint8_t *p)
{
    for (size_t j = 0; j < 32; j += 8) {
        uint8_t bits = 0;
        for (size_t i = 0; i < 8; i++)
            bits = (uint8_t)(bits | (code[j + i] >> 4 & 1) << i);
        p[j / 8] = bits;
    }
}

/* Codes of the types without a minimum: the weight of largest magnitude, the first of equals,
 * becomes exactly -half * d. Returns: d. */
static float signed_codes(const float *x, float half, uint8_t *code)
{
    float largest = fabsf(x[0]), signed_largest = x[0], d, id;
    for (size_t j = 1; j < 32; j++)
        if (fabsf(x[j]) > largest) {
            largest = fabsf(x[j]);
            signed_largest = x[j];
        }
    d = signed_largest / -half;
    id = inverse(d);
    for (size_t j = 0; j < 32; j++)
        code[j] = code_of(x[j] * id + (half + 0.5f), 2 * half - 1);
    return d;
}

/* Codes of the types with a minimum: 0 for the least weight and `top` for the greatest.
 * Returns: d. */
static float span_codes(const float *x, float top, float *min, uint8_t *code)
{
    float max = x[0], d, id;
    *min = x[0];
    for (size_t j = 1; j < 32; j++) {
        *min = x[j] < *min ? x[j] : *min;
        max = x[j] > max ? x[j] : max;
    }
    d = (max - *min) / top;
    id = inverse(d);
    for (size_t j = 0; j < 32; j++)
        code[j] = code_of((x[j] - *min) * id + 0.5f, top);
    return d;
}

static void q4_0_block(const float *x, uint8_t *p)
{
    uint8_t code[32];
    put16(p, half_of(signed_codes(x, 8, code)));
    put_nibbles(code, p + 2);
}

static void q4_1_block(const float *x, uint8_t *p)
{
    uint8_t code[32];
    float min;
    put16(p, half_of(span_codes(x, 15, &min, code)));
    put16(p + 2, half_of(min));
    put_nibbles(code, p + 4);
}

static void q5_0_block(const float *x, uint8_t *p)
{
    uint8_t code[32];
    put16(p, half_of(signed_codes(x, 16, code)));
    put_fifth_bits(code, p + 2);
    put_nibbles(code, p + 6);
}

static void q5_1_block(const float *x, uint8_t *p)
{
    uint8_t code[32];
    float min;
    put16(p, half_of(span_codes(x, 31, &min, code)));
    put16(p + 2, half_of(min));
    put_fifth_bits(code, p + 4);
    put_nibbles(code, p + 8);
}

static void each_block(void (*encode)(const float *, uint8_t *), size_t bytes, const float *src,
                       uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 32, p += bytes)
        encode(src + i, p);
}

void ft_quantise(ft_type type, const float *src, void *dst, size_t n)
{
    uint8_t *p = dst;
    switch (type) {
    case FT_F32:
        if (n)
            memcpy(dst, src, n * sizeof *src);
        break;
    case FT_F16:
        for (size_t i = 0; i < n; i++)
            put16(p + 2 * i, half_of(src[i]));
        break;
    case FT_BF16:
        for (size_t i = 0; i < n; i++)
            put16(p + 2 * i, bf16_of(src[i]));
        break;
    case FT_Q8_0: each_block(q8_0_block, 34, src, p, n); break;
    case FT_Q4_0: each_block(q4_0_block, 18, src, p, n); break;
    case FT_Q4_1: each_block(q4_1_block, 20, src, p, n); break;
    case FT_Q5_0: each_block(q5_0_block, 22, src, p, n); break;
    case FT_Q5_1: each_block(q5_1_block, 24, src, p, n); break;
    case FT_Q4_K:
    case FT_Q5_K:
    case FT_Q6_K:
    case FT_NF4:
        assert(!"not a type that is encoded in blocks of one row");
        break;
    }
}
