/* Products straight from blocks, of every family that has them: against sums in double, and bit by
 * bit against decoding first, alone and among other rows. Then the products in bf16 and attention's
 * weighted sum, with their promises about bits. */
#define AREA_BYTES 65536
#include "kernels_support.h"

enum { ROWS_X = 17, ROWS_W = 9, K_MAX = 768, LDX = K_MAX + 5, LDY = ROWS_W + 3 };

static area in, floats_in, words_in, out;
static float decoded[ROWS_W * K_MAX];
static uint16_t rounded[ROWS_W * K_MAX];

struct kind {
    const char *name;
    size_t block, bytes;
    size_t halves[2];                /* places of the halves of a block that are scales */
    ft_dot_blocks *dot;
    ft_dot_blocks_bf16 *dot_bf16;
};

static void decode(const ft_kernels *f, const char *name, const uint8_t *p, float *to, size_t n)
{
    if (strcmp(name, "f16") == 0) f->dequant_f16(p, to, n);
    if (strcmp(name, "bf16") == 0) f->dequant_bf16(p, to, n);
    if (strcmp(name, "q8_0") == 0) f->dequant_q8_0(p, to, n);
    if (strcmp(name, "q4_0") == 0) f->dequant_q4_0(p, to, n);
    if (strcmp(name, "q4_1") == 0) f->dequant_q4_1(p, to, n);
    if (strcmp(name, "q4_k") == 0) f->dequant_q4_k(p, 0, to, n);
    if (strcmp(name, "q6_k") == 0) f->dequant_q6_k(p, 0, to, n);
}

/* Random bytes, but halves that are scales (and the weights of f16 and bf16) are near one. */
static const uint8_t *weights(const struct kind *t, size_t n, size_t k, size_t shift)
{
    size_t bytes = n * k / t->block * t->bytes;
    uint8_t *p = area_take(&in, bytes, shift);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(int)(number(n * 31 + k, i, 1) * 128);
    for (size_t b = 0; b < bytes; b += t->bytes)
        for (size_t i = 0; i < 2; i++) {
            uint8_t *high = p + b + t->halves[i] + 1;
            *high = (uint8_t)((*high & 0x83) | (strcmp(t->name, "bf16") == 0 ? 0x3c : 0x2c));
        }
    return p;
}

static double in_double(const float *a, const float *b, size_t k, double *size)
{
    double sum = 0;
    *size = 0;
    for (size_t i = 0; i < k; i++) {
        double p = (double)a[i] * (double)b[i];
        sum += p;
        *size += fabs(p);
    }
    return sum;
}

/* Every element against double and, by its bits, against `same` (rows of ROWS_W). */
static void compare(const char *what, const float *x, size_t m, size_t n, size_t k,
                    const float *same, const float *y, double tolerance)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double size, sum = in_double(x + i * LDX, decoded + j * k, k, &size);
            float got = y[i * LDY + j];
            near_double(what, k, i * n + j, (double)got, sum, tolerance * size);
            assert_memory_equal(&got, &same[i * ROWS_W + j], sizeof got);
        }
    for (size_t i = 0; i < m; i++)
        for (size_t j = n; j < LDY && i + 1 < m; j++)
            assert_true(y[i * LDY + j] == 7);
}

static float *cleared(size_t m, size_t n, size_t shift)
{
    float *y = area_floats(&out, m ? (m - 1) * LDY + n : 0, shift);
    for (size_t i = 0; m && i < (m - 1) * LDY + n; i++)
        y[i] = 7;
    return y;
}

static void check_kind(const ft_kernels *f, const struct kind *t, size_t m, size_t n, size_t k)
{
    size_t shift = shifts[(m + n + k / 32) % 4];
    const uint8_t *w = weights(t, n, k, shift);
    float *x = fill(&floats_in, ROWS_X * LDX, shift, k, 2), same[ROWS_X * ROWS_W];
    uint16_t *xb = area_take(&words_in, ROWS_X * LDX * 2, shift);
    float *y;
    decode(f, t->name, w, decoded, n * k);
    if (t->dot) {
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                f->dot_rows(x + i * LDX, k, 1, decoded + j * k, 1, k, &same[i * ROWS_W + j], 1);
        y = cleared(m, n, shift);
        t->dot(x, LDX, m, w, n, k, y, LDY);
        compare(t->name, x, m, n, k, same, y, 1e-6);
        area_intact(&out);
    }
    if (!t->dot_bf16)
        return;
    f->to_bf16(x, xb, ROWS_X * LDX);
    f->to_bf16(decoded, rounded, n * k);
    f->dequant_bf16(xb, x, ROWS_X * LDX);
    f->dequant_bf16(rounded, decoded, n * k);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            f->dot_rows_bf16(xb + i * LDX, k, 1, rounded + j * k, 1, k, &same[i * ROWS_W + j], 1);
    y = cleared(m, n, shift);
    t->dot_bf16(xb, LDX, m, w, n, k, y, LDY);
    compare(t->name, x, m, n, k, same, y, 1e-6);
    area_intact(&out);
}

static void blocks_are_as_if_decoded(const ft_kernels *f)
{
    const struct kind kinds[] = {
        {"f16", 1, 2, {0, 0}, f->dot_f16, f->dot_f16_bf16},
        {"bf16", 1, 2, {0, 0}, f->dot_bf16, f->dot_bf16_bf16},
        {"q8_0", 32, 34, {0, 0}, f->dot_q8_0, f->dot_q8_0_bf16},
        {"q4_0", 32, 18, {0, 0}, f->dot_q4_0, f->dot_q4_0_bf16},
        {"q4_1", 32, 20, {0, 2}, f->dot_q4_1, f->dot_q4_1_bf16},
        {"q4_k", 256, 144, {0, 2}, f->dot_q4_k, f->dot_q4_k_bf16},
        {"q6_k", 256, 210, {208, 208}, f->dot_q6_k, f->dot_q6_k_bf16}};
    static const size_t ms[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17};
    static const size_t ks[] = {0, 32, 64, 96, 256, 288, 768};
    for EACH(i, kinds)
        for EACH(s, ks)
            for EACH(r, ms)
                for (size_t n = 0; n <= ROWS_W && ks[s] % kinds[i].block == 0; n += r % 3 + 1)
                    check_kind(f, &kinds[i], ms[r], n, ks[s]);
}
FAMILY_TESTS(blocks_are_as_if_decoded)

static void bf16_rows(const ft_kernels *f)
{
    for (size_t k = 0; k <= 140; k += k < 70 ? 1 : 7)
        for (size_t m = 0; m <= 9; m++)
            for (size_t n = 0; n <= ROWS_W; n += m % 2 + 1) {
                size_t shift = shifts[(m + n + k) % 4];
                float *x = fill(&floats_in, ROWS_X * LDX, 0, k, 2), same[ROWS_X * ROWS_W], *y;
                uint16_t *xb = area_take(&words_in, ROWS_X * LDX * 2, shift);
                uint16_t *w = area_take(&in, n * k * 2, shift);
                for (size_t i = 0; i < n * k; i++)
                    decoded[i] = number(5, i, 3);
                f->to_bf16(x, xb, ROWS_X * LDX);
                f->to_bf16(decoded, w, n * k);
                f->dequant_bf16(xb, x, ROWS_X * LDX);
                f->dequant_bf16(w, decoded, n * k);
                for (size_t i = 0; i < m; i++)
                    for (size_t j = 0; j < n; j++)
                        f->dot_rows_bf16(xb + i * LDX, k, 1, w + j * k, 1, k,
                                         &same[i * ROWS_W + j], 1);
                y = cleared(m, n, shift);
                f->dot_rows_bf16(xb, LDX, m, w, n, k, y, LDY);
                compare("dot_rows_bf16", x, m, n, k, same, y, 1e-6);
                area_intact(&out);
            }
}
FAMILY_TESTS(bf16_rows)

static void rows_are_added_in_order(const ft_kernels *f)
{
    static area p_in, v_in;
    for (size_t n = 0; n <= 130; n += n < 35 ? 1 : 19)
        for (size_t m = 0; m <= 7; m++)
            for (size_t k = 0; k <= 40; k += k < 3 ? 1 : 37) {
                size_t shift = shifts[(m + n + k) % 4], ldp = k + 3;
                float *p = fill(&p_in, m * ldp, shift, 1, 1);
                float *v = fill(&v_in, k * n, shift, 2, 1);
                float *y = area_floats(&out, m * n, shift), one[130];
                for (size_t i = 0; i < m * n; i++)
                    y[i] = number(3, i, 1);
                f->add_rows(p, ldp, m, v, k, n, y);
                area_intact(&out);
                for (size_t i = 0; i < m; i++) {
                    for (size_t j = 0; j < n; j++) {
                        double sum = (double)number(3, i * n + j, 1);
                        for (size_t t = 0; t < k; t++)
                            sum += (double)p[i * ldp + t] * (double)v[t * n + j];
                        near_double("add_rows", n, j, (double)y[i * n + j], sum, 1e-5);
                        one[j] = number(3, i * n + j, 1);
                    }
                    for (size_t t = 0; t < k; t++)
                        f->axpy(p[i * ldp + t], v + t * n, one, n);
                    assert_memory_equal(one, y + i * n, n * sizeof *one);
                }
            }
}
FAMILY_TESTS(rows_are_added_in_order)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(blocks_are_as_if_decoded),
                                       FAMILY_LIST(bf16_rows),
                                       FAMILY_LIST(rows_are_added_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
