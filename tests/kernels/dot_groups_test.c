/* Rows in blocks of bytes, and their products with groups of rows of weights: against whole numbers
 * and against sums in double, the same bits in every family, alone and among other rows. */
#define AREA_BYTES 262144
#include "kernels_support.h"

enum { ROWS_X = 19, ROWS_W = 37, K_MAX = 768, LDX = K_MAX / 32 + 1, LDY = ROWS_W + 3 };

static area in, floats_in, blocks_in, out;

/* ---- weights: what each row has, and how a group holds it ---- */

static uint8_t code[48][K_MAX];                       /* as they lie there, without sign */
static double weight[48][K_MAX], minimum[48][K_MAX];  /* without, and the minimum        */

typedef struct kind {
    enum ft_groups type;
    int nibbles, bias, scale_bytes, super_bytes;
} kind;

static const kind kinds[] = {
    {FT_NIBBLES, 1, 8, 32, 0},    {FT_NIBBLES_MIN, 1, 0, 64, 0}, {FT_BYTES, 0, 128, 32, 0},
    {FT_BYTES_MIN, 0, 128, 64, 0}, {FT_NIBBLES_K, 1, 0, 32, 64}, {FT_BYTES_K, 0, 128, 32, 64},
    {FT_BYTES_K16, 0, 128, 32, 32}};

static size_t bytes_of_group(const kind *t, size_t k)
{
    size_t n = k / 32 * (size_t)((t->nibbles ? 256 : 512) + t->scale_bytes) +
               k / 256 * (size_t)t->super_bytes;
    return (n + 63) / 64 * 64;
}

/* A half that is exactly (1 + step/8) / 4, or its negative. */
static double put_half(uint8_t *p, unsigned step, int negative)
{
    unsigned bits = (unsigned)negative << 15 | 13u << 10 | step << 7;
    p[0] = (uint8_t)bits;
    p[1] = (uint8_t)(bits >> 8);
    return (negative ? -1 : 1) * (1 + step / 8.0) / 4;
}

static unsigned draw(size_t which, size_t i)
{
    return (unsigned)((double)number(which, i, 1) * 500000 + 500000);
}

static void put_code(const kind *t, uint8_t *codes, size_t r, size_t i, unsigned c)
{
    if (!t->nibbles)
        codes[i / 4 * 64 + r * 4 + i % 4] = (uint8_t)c;
    else if (i < 16)
        codes[i / 4 * 64 + r * 4 + i % 4] |= (uint8_t)c;
    else
        codes[(i - 16) / 4 * 64 + r * 4 + i % 4] |= (uint8_t)(c << 4);
}

/* Scales of block b of row j, into both. d: of the first and the other sixteen. */
static void put_scales(const kind *t, uint8_t *scales, uint8_t *super, size_t j, size_t b,
                       double d[2], double *m)
{
    size_t r = j % 16, which = j * 100 + b, all = j * 100 + 90 + b / 8;
    double two[2];
    *m = 0;
    if (!t->super_bytes) {
        d[0] = d[1] = put_half(scales + 2 * r, draw(which, 1) % 8, (int)draw(which, 2) % 2);
        if (t->scale_bytes == 64)
            *m = put_half(scales + 32 + 2 * r, draw(which, 3) % 8, (int)draw(which, 4) % 2);
        return;
    }
    two[0] = put_half(super + 2 * r, draw(all, 1) % 8, 0);
    if (t->type == FT_BYTES_K16) {
        scales[r] = (uint8_t)draw(which, 5);
        scales[16 + r] = (uint8_t)draw(which, 6);
        d[0] = two[0] * (int8_t)scales[r];
        d[1] = two[0] * (int8_t)scales[16 + r];
        return;
    }
    two[1] = put_half(super + 32 + 2 * r, draw(all, 2) % 8, 0);
    scales[r] = (uint8_t)(draw(which, 5) % 64);
    scales[16 + r] = (uint8_t)(draw(which, 6) % 64);
    d[0] = d[1] = two[0] * scales[r];
    *m = -two[1] * scales[16 + r];
}

static const uint8_t *weights(const kind *t, size_t n, size_t k, size_t shift)
{
    size_t one = bytes_of_group(t, k), groups = (n + 15) / 16, blocks = k / 32;
    size_t code_bytes = t->nibbles ? 256 : 512;
    uint8_t *p = area_take(&in, groups * one, shift);
    memset(p, 0, groups * one);
    for (size_t j = 0; j < n; j++)
        for (size_t b = 0; b < blocks; b++) {
            uint8_t *g = p + j / 16 * one;
            uint8_t *scales = g + blocks * code_bytes;
            uint8_t *super = scales + blocks * (size_t)t->scale_bytes;
            double d[2], m;
            put_scales(t, scales + b * (size_t)t->scale_bytes,
                       super + b / 8 * (size_t)t->super_bytes, j, b, d, &m);
            for (size_t i = 0; i < 32; i++) {
                unsigned c = draw(j, b * 32 + i) % (t->nibbles ? 16 : 256);
                /* the extremes, which 16 bits would not hold, side by side */
                if (j % 5 == 4)
                    c = t->nibbles ? 15 : b % 2 ? 255 : 0;
                put_code(t, g + b * code_bytes, j % 16, i, c);
                code[j][b * 32 + i] = (uint8_t)c;
                weight[j][b * 32 + i] = d[i / 16] * ((int)c - t->bias);
                minimum[j][b * 32 + i] = m;
            }
        }
    return p;
}

/* ---- products ---- */

static void check_products(const ft_kernels *f, const kind *t, size_t m, size_t n, size_t k)
{
    static float want[ROWS_X * LDY];
    const ft_kernels *ref = ft_kernels_family("ref");
    size_t shift = shifts[(m + n) % 4];
    const uint8_t *w = weights(t, n, k, shift);
    ft_block_s8 *x = area_take(&blocks_in, (m ? (m - 1) * LDX + k / 32 : 0) * sizeof *x,
                               4 * shift);
    float *numbers = fill(&floats_in, ROWS_X * K_MAX, 0, m + k, 3), *y;
    size_t used = m ? (m - 1) * LDY + n : 0;
    for (size_t i = 0; i < m; i++)
        ref->to_blocks_s8(numbers + i * k, x + i * LDX, k);
    y = area_floats(&out, used, shift);
    for (size_t i = 0; i < used; i++)
        want[i] = y[i] = 7;
    ref->dot_groups(t->type, x, LDX, m, w, n, k, want, LDY);
    f->dot_groups(t->type, x, LDX, m, w, n, k, y, LDY);
    area_intact(&out);
    assert_memory_equal(y, want, used * sizeof *y);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            float alone[ROWS_W];
            for (size_t p = 0; p < k; p++) {
                const ft_block_s8 *b = x + i * LDX + p / 32;
                double at = (double)b->scale * b->q[p % 32];
                sum += (weight[j][p] + minimum[j][p]) * at;
                size += (fabs(weight[j][p]) + fabs(minimum[j][p])) * fabs(at);
            }
            near_double("dot_groups", k, i * n + j, (double)y[i * LDY + j], sum, 1e-6 * size);
            if (j > 0 || i % 4)
                continue;
            f->dot_groups(t->type, x + i * LDX, LDX, 1, w, n, k, alone, LDY);
            assert_memory_equal(alone, y + i * LDY, n * sizeof *alone);
        }
}

static void products_of_groups(const ft_kernels *f)
{
    static const size_t ms[] = {0, 1, 2, 3, 4, 7, 8, 13, 16, 19};
    static const size_t ns[] = {0, 1, 7, 8, 9, 15, 16, 17, 25, 32, 37};
    static const size_t ks[] = {0, 32, 96, 256, 768};
    for EACH(t, kinds)
        for EACH(s, ks)
            for EACH(r, ms)
                for (size_t j = r % 3; j < sizeof ns / sizeof *ns; j += 3)
                    if (!kinds[t].super_bytes || ks[s] % 256 == 0)
                        check_products(f, &kinds[t], ms[r], ns[j], ks[s]);
}
FAMILY_TESTS(products_of_groups)

/* Whole numbers up to 127, whose scale is 1: sums are those of 64 bits, and what comes of them is
 * rounded once for each scale that they are multiplied with (in double nothing is lost of that). */
static void sums_are_exact(const ft_kernels *f)
{
    for EACH(t, kinds) {
        size_t k = kinds[t].super_bytes ? 256 : 32, n = 32;
        const uint8_t *w = weights(&kinds[t], n, k, 0);
        float x[256] = {0}, y[32];
        ft_block_s8 b[8];
        for (size_t i = 0; i < 32; i++)
            x[i] = i % 3 == 0 ? 127 : i % 3 == 1 ? -127 : (float)((int)(i * 37 % 255) - 127);
        f->to_blocks_s8(x, b, k);
        assert_true(b[0].scale == 1);
        f->dot_groups(kinds[t].type, b, 8, 1, w, n, k, y, n);
        for (size_t j = 0; j < n; j++) {
            int64_t sum[2] = {0, 0}, plain = 0;
            double d[2] = {0, 0};
            float want;
            for (size_t i = 0; i < 32; i++) {
                sum[i / 16] += ((int)code[j][i] - kinds[t].bias) * (int64_t)x[i];
                plain += (int64_t)x[i];
            }
            for (size_t i = 0; i < 32; i++)
                if ((int)code[j][i] != kinds[t].bias)
                    d[i / 16] = weight[j][i] / ((int)code[j][i] - kinds[t].bias);
            if (kinds[t].type == FT_BYTES_K16) {
                want = (float)(d[0] * (double)sum[0]);
                want = (float)(d[1] * (double)sum[1] + (double)want);
            } else {
                want = (float)(d[0] * (double)(sum[0] + sum[1]));
            }
            want = (float)(minimum[j][0] * (double)plain + (double)want);
            assert_true(y[j] == want);
        }
    }
}
FAMILY_TESTS(sums_are_exact)

/* ---- blocks ---- */

static void check_blocks(const ft_kernels *f, const float *x, size_t n)
{
    ft_block_s8 *b = area_take(&blocks_in, n / 32 * sizeof *b, 0), want;
    f->to_blocks_s8(x, b, n);
    area_intact(&blocks_in);
    for (size_t i = 0; i < n; i += 32, x += 32, b++) {
        float most = 0, by = 0;
        int odd = 0;
        memset(&want, 0, sizeof want);
        for (size_t j = 0; j < 32; j++) {
            most = fmaxf(most, fabsf(x[j]));
            odd |= !isfinite(x[j]);
        }
        want.scale = odd ? NAN : most < 0x1p-100f ? 0 : most / 127;
        by = odd || most < 0x1p-100f ? 0 : 127 / most;
        for (size_t j = 0; j < 32 && by != 0; j++) {
            want.q[j] = (int8_t)nearbyint((double)(x[j] * by));
            want.sum += want.q[j];
            want.first += j < 16 ? want.q[j] : 0;
        }
        want.offset = want.scale * (float)want.sum;
        if (odd)
            assert_true(isnan(b->scale) && isnan(b->offset));
        else
            assert_true(b->scale == want.scale && b->offset == want.offset);
        assert_int_equal(b->sum, want.sum);
        assert_int_equal(b->first, want.first);
        assert_memory_equal(b->q, want.q, 32);
    }
}

static void bytes_of_blocks(const ft_kernels *f)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1p-101f, 0x1p-100f, 1e38f, -3e38f};
    for (size_t n = 0; n <= 1024; n += n < 128 ? 32 : 128)
        for EACH(s, shifts)
            check_blocks(f, fill(&floats_in, n, shifts[s], n, n % 64 ? 1e-20 : 50), n);
    for EACH(o, odd)
        for (size_t at = 0; at < 64; at += 9) {
            float *x = fill(&floats_in, 64, 0, 3, o == 3 || o == 4 ? 1e-32 : 1);
            x[at] = odd[o];
            check_blocks(f, x, 64);
        }
    float *ties = area_floats(&floats_in, 64, 0);
    for (int i = 0; i < 64; i++)
        ties[i] = i % 32 == 31 ? -127 : (float)(4 * i) - 126.5f;
    check_blocks(f, ties, 64);
}
FAMILY_TESTS(bytes_of_blocks)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(products_of_groups),
                                       FAMILY_LIST(sums_are_exact), FAMILY_LIST(bytes_of_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
