/* The mixing of int8 operands against the Hadamard matrix by its definition, entry (i, j) being
 * (-1) to the number of bits that i and j have in common, over the root of its size. */
#include "kernels_support.h"

enum { B = FT_HADAMARD, LONGEST = 3 * B + 8 };

static double entry(size_t i, size_t j)
{
    return (__builtin_popcountll(i & j) % 2 ? -1 : 1) / sqrt((double)B);
}

/* Element i of a line of n with `step` floats between elements. */
static double mixed(const float *x, size_t step, size_t n, size_t i)
{
    size_t block = i / B * B;
    double sum = 0;
    if (block + B > n)
        return (double)x[i * step];
    for (size_t j = 0; j < B; j++)
        sum += entry(i - block, j) * (double)x[(block + j) * step];
    return sum;
}

static const size_t lengths[] = {0, 1, 63, 64, 65, 127, 128, 200, LONGEST};

static void lines_are_mixed(const ft_kernels *f)
{
    area a = {0};
    for EACH(l, lengths)
        for EACH(s, shifts) {
            size_t n = lengths[l];
            float was[LONGEST + 1], *x = fill(&a, n, shifts[s], l, 3);
            if (n)
                memcpy(was, x, n * sizeof *x);
            f->hadamard(x, n);
            area_intact(&a);
            for (size_t i = 0; i < n; i++)
                near_double("hadamard", n, i, (double)x[i], mixed(was, 1, n, i), 1e-5);
        }
}

static void rows_are_mixed(const ft_kernels *f)
{
    static const size_t widths[] = {1, 5, 16, 17, 29};
    area a = {0};
    for EACH(l, lengths)
        for EACH(w, widths) {
            size_t n = lengths[l], cols = widths[w], ld = cols + 2;
            size_t all = n ? (n - 1) * ld + cols : 0;
            float *x = fill(&a, all, 1, l, 3), was[LONGEST * 33];
            if (all)
                memcpy(was, x, all * sizeof *x);
            f->hadamard_rows(x, ld, n, cols);
            area_intact(&a);
            for (size_t i = 0; i < all; i++) {
                double want = i % ld < cols ? mixed(was + i % ld, ld, n, i / ld) : (double)was[i];
                near_double("hadamard_rows", n, i, (double)x[i], want, 1e-5);
            }
        }
}

static void a_nan_is_not_hidden(const ft_kernels *f)
{
    float x[B] = {0};
    x[17] = NAN;
    f->hadamard(x, B);
    for (size_t i = 0; i < B; i++)
        assert_true(isnan(x[i]));
}

FAMILY_TESTS(lines_are_mixed)
FAMILY_TESTS(rows_are_mixed)
FAMILY_TESTS(a_nan_is_not_hidden)

int main(void)
{
    const struct CMUnitTest tests[] = {FAMILY_LIST(lines_are_mixed), FAMILY_LIST(rows_are_mixed),
                                       FAMILY_LIST(a_nan_is_not_hidden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
