/* kernels_support.h: for the tests of kernels: buffers between guards, sizes around every width of
 * registers, comparisons that NaN fails, and a test for each family. */
#ifndef KERNELS_SUPPORT_H
#define KERNELS_SUPPORT_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>

/* A test that needs larger areas defines AREA_BYTES first. */
#ifndef AREA_BYTES
#define AREA_BYTES 32768
#endif
enum { AREA = AREA_BYTES, GUARD_PAGE = 65536, GUARD_BYTE = 0xa5, GUARD_BEFORE = 32768 };

static const size_t sizes[] = {0,  1,  2,  3,  7,  8,   9,   15,  16,  17,  23,   31,   32,   33,
                               47, 63, 64, 65, 66, 127, 128, 129, 576, 577, 1000, 1023, 1025, 4099};
static const size_t shifts[] = {0, 1, 3, 6};

#define EACH(i, array) (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

/* Memory that ends at a page which cannot be touched: a load or store behind it stops the test. */
typedef struct area {
    uint8_t *p;
    size_t low, from, to;      /* first guard byte; bytes in use */
} area;

/* n bytes, `shift` bytes before the forbidden page; GUARD_BEFORE bytes before them and all behind
 * are guard bytes. */
static inline void *area_take(area *a, size_t n, size_t shift)
{
    if (!a->p) {
        void *p = mmap(NULL, AREA + GUARD_PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(p != MAP_FAILED);
        assert_int_equal(mprotect((uint8_t *)p + AREA, GUARD_PAGE, PROT_NONE), 0);
        a->p = p;
    }
    assert_true(n + shift <= AREA);
    a->to = AREA - shift;
    a->from = a->to - n;
    a->low = a->from > GUARD_BEFORE ? a->from - GUARD_BEFORE : 0;
    memset(a->p + a->low, GUARD_BYTE, AREA - a->low);
    return a->p + a->from;
}

static inline float *area_floats(area *a, size_t n, size_t shift)
{
    return area_take(a, n * sizeof(float), shift * sizeof(float));
}

static inline void area_intact(const area *a)
{
    for (size_t i = a->low; i < AREA; i++)
        if ((i < a->from || i >= a->to) && a->p[i] != GUARD_BYTE)
            fail_msg("a byte outside of the output was written");
}

/* Numbers in (-1, 1) times size that depend on which and i only. */
static inline float number(size_t which, size_t i, double size)
{
    uint64_t z = (which * 1000003 + i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 31) * 0xbf58476d1ce4e5b9u;
    z ^= z >> 29;
    return (float)(((double)(z >> 11) * 0x1p-52 - 1) * size);
}

static inline float *fill(area *a, size_t n, size_t shift, size_t which, double size)
{
    float *p = area_floats(a, n, shift);
    for (size_t i = 0; i < n; i++)
        p[i] = number(which, i, size);
    return p;
}

/* Equal, both NaN, or within tol; anything else, NaN on one side included, fails. */
static inline void near_double(const char *what, size_t n, size_t i, double got, double want,
                               double tol)
{
    if (got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= tol)
        return;
    fail_msg("%s, element %zu of %zu: %.9g, formula says %.9g (off by %g, allowed %g)", what, i, n,
             got, want, fabs(got - want), tol);
}

/* Defines the tests test_ref, test_avx2 and test_avx512, which call check(family). */
#define FAMILY_TEST(check, family)                                                       \
    static void check##_##family(void **state)                                           \
    {                                                                                    \
        const ft_kernels *f = ft_kernels_family(#family);                                \
        (void)state;                                                                     \
        if (!f)                                                                          \
            skip();                                                                      \
        check(f);                                                                        \
    }
#define FAMILY_TESTS(check) \
    FAMILY_TEST(check, ref) FAMILY_TEST(check, avx2) FAMILY_TEST(check, avx512)
#define FAMILY_LIST(check)                                                               \
    cmocka_unit_test(check##_ref), cmocka_unit_test(check##_avx2),                       \
        cmocka_unit_test(check##_avx512)

#endif
