/* data_digest_set.c: digest sets against a linear search, the all-zero digest and digests that
 * differ only in late bytes included; the bound on memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/digest_set.h"

#include <stdlib.h>
#include <string.h>

/* Few values of few bytes, so that equal digests, equal slots and equal tags all come often. */
static ft_digest draw(uint64_t i)
{
    ft_digest d = {{0}};
    uint64_t r = ft_rng_u64(7, FT_RNG_DATA, 0, i);
    d.b[0] = (uint8_t)(r & 15);
    d.b[(r >> 8) % 16] = (uint8_t)(r >> 16 & 15);
    d.b[(r >> 24) % 16] = (uint8_t)(r >> 32 & 3);
    return d;
}

static void test_against_search(void **state)
{
    enum { N = 20000 };
    ft_digest_set *s = NULL;
    ft_err e = {0};
    ft_digest *seen = malloc(N * sizeof *seen);
    uint64_t n = 0, zeros = 0;
    (void)state;
    assert_non_null(seen);
    assert_int_equal(ft_digest_set_new(&s, 0, &e), 0);
    for (uint64_t i = 0; i < N; i++) {
        ft_digest d = draw(i);
        uint64_t at = 0, number;
        int is_new;
        while (at < n && memcmp(&seen[at], &d, sizeof d) != 0)
            at++;
        assert_int_equal(ft_digest_set_add(s, &d, &number, &is_new, &e), 0);
        assert_int_equal(is_new, at == n);
        assert_int_equal(number, at);
        if (at == n)
            seen[n++] = d;
        zeros += (uint64_t)ft_digest_is_zero(&d);
    }
    assert_true(zeros > 1 && n > 2000 && n < N - 2000);
    assert_int_equal(ft_digest_set_count(s), n);
    for (uint64_t i = 0; i < n; i++)
        assert_memory_equal(ft_digest_set_at(s, i), &seen[i], sizeof *seen);
    ft_digest_set_free(&s);
    assert_null(s);
    free(seen);
}

/* Up to its bound the set works; at the bound it refuses, and still knows what it had. */
static void test_bound(void **state)
{
    const uint64_t bound = 256 * 1024;
    ft_digest_set *s = NULL;
    ft_err e = {0};
    uint64_t n = 0, number;
    int is_new, rc;
    (void)state;
    assert_int_equal(ft_digest_set_new(&s, 100, &e), FT_ERR_NOMEM);
    assert_null(s);
    assert_int_equal(ft_digest_set_new(&s, bound, &e), 0);
    for (;; n++) {
        ft_digest d = ft_digest_of(&n, sizeof n);
        rc = ft_digest_set_add(s, &d, &number, &is_new, &e);
        assert_true(ft_digest_set_bytes(s) <= bound);
        if (rc < 0)
            break;
        assert_true(is_new && n < 100000);
    }
    assert_int_equal(rc, FT_ERR_NOMEM);
    assert_non_null(strstr(e.text, "262144"));
    assert_true(n * 54 > bound / 3);           /* the documented cost, doubling included */
    for (uint64_t i = 0; i < n; i++) {
        ft_digest d = ft_digest_of(&i, sizeof i);
        assert_int_equal(ft_digest_set_add(s, &d, &number, &is_new, &e), 0);
        assert_true(!is_new && number == i);
    }
    ft_digest_set_free(&s);
    ft_digest_set_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_search),
                                       cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
