/* A test program that dies of a signal inside its second case. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void passes(void **state)
{
    (void)state;
    assert_true(1);
}

static void dies(void **state)
{
    (void)state;
    (void)fflush(stdout);
    (void)raise(SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(passes), cmocka_unit_test(dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
