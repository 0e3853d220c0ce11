/* Numbers that are not numbers must fail the comparison that the tests use. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void compares_nan(void **state)
{
    volatile float got = NAN;
    (void)state;
    assert_true(fabsf(got - 1.0F) <= 1e-3F);
}

static void compares_nan_by_cmocka(void **state)
{
    volatile float got = NAN;
    (void)state;
    assert_float_equal(got, 1.0F, 1e-3F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(compares_nan),
                                       cmocka_unit_test(compares_nan_by_cmocka)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
