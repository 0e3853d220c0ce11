/* data_components.c: components against labels that are spread until nothing changes; shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/components.h"

#include <string.h>

enum { ROWS = 400, KEYS = 300 };   /* keys 0..KEYS-1 are prompts, the rest groups; -1: none */

static int label[ROWS], prompt_of[ROWS], group_of[ROWS];
static uint32_t number_of[2 * KEYS];

static ft_digest digest_of(int key)
{
    return ft_digest_of(&key, sizeof key);
}

/* Gives each row the smallest number of a row it is tied to, by the definition. */
static void spread_labels(size_t n)
{
    int changed = 1;
    for (size_t i = 0; i < n; i++)
        label[i] = (int)i;
    while (changed) {
        changed = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n; k++)
                if ((prompt_of[i] == prompt_of[k] ||
                     (group_of[i] >= 0 && group_of[i] == group_of[k])) && label[k] < label[i]) {
                    label[i] = label[k];
                    changed = 1;
                }
    }
}

static uint64_t rows_with(int key, size_t n)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++)
        rows += prompt_of[i] == key || group_of[i] == key;
    return rows;
}

/* What the component of row i must be. most_rows only: which of equal keys is most is left open. */
static ft_component expected(size_t i, size_t n)
{
    ft_component c = {0};
    int best_is_group = 0, have = 0;
    for (size_t k = 0; k < n; k++) {
        int keys[2] = {prompt_of[k], group_of[k]};
        if (label[k] != label[i])
            continue;
        c.rows++;
        for (int g = 0; g < 2 && keys[g] >= 0; g++) {
            ft_digest d = digest_of(keys[g]);
            uint64_t rows = rows_with(keys[g], n);
            if (!have || g > best_is_group ||
                (g == best_is_group && memcmp(d.b, c.key.b, sizeof d.b) < 0)) {
                c.key = d;
                best_is_group = g;
                have = 1;
            }
            if (rows > c.most_rows)
                c.most_rows = rows;
        }
    }
    return c;
}

static void check_all(ft_components *c, size_t n)
{
    uint64_t components = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        ft_component want = expected(i, n);
        ft_component got = ft_components_of(c, number_of[prompt_of[i]]);
        int most = -1;
        assert_int_equal(got.rows, want.rows);
        assert_memory_equal(got.key.b, want.key.b, sizeof want.key.b);
        assert_int_equal(got.most_rows, want.most_rows);
        for (int k = 0; k < 2 * KEYS; k++)
            if (number_of[k] == got.most)
                most = k;
        assert_true(most >= 0);
        assert_int_equal(rows_with(most, n), want.most_rows);
        components += label[i] == (int)i;
        largest = want.rows > largest ? want.rows : largest;
    }
    assert_int_equal(ft_components_count(c), components);
    assert_int_equal(ft_components_largest(c).rows, largest);
}

/* Ties the first n rows, whose keys are counted in a first pass. */
static void check_rows(size_t n)
{
    ft_components *c = NULL;
    ft_err e = {0};
    ft_tie ties[ROWS];
    memset(number_of, 0xff, sizeof number_of);
    memset(ties, 0xff, sizeof ties);
    assert_int_equal(ft_components_new(&c, 0, &e), 0);
    assert_int_equal(ft_components_largest(c).rows, 0);
    for (size_t i = 0; i < n; i++) {
        ft_digest p = digest_of(prompt_of[i]), g = digest_of(group_of[i]);
        uint32_t *key = ties[i].key;
        assert_int_equal(ft_components_key(c, &p, FT_BY_PROMPT, &key[FT_TIE_PROMPT], &e), 0);
        number_of[prompt_of[i]] = key[FT_TIE_PROMPT];
        if (group_of[i] < 0)
            continue;
        assert_int_equal(ft_components_key(c, &g, FT_BY_GROUP, &key[FT_TIE_GROUP], &e), 0);
        number_of[group_of[i]] = key[FT_TIE_GROUP];
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t home, again;
        assert_int_equal(ft_components_tie(c, &ties[i], &home, &e), 0);
        assert_int_equal(ft_components_home(c, &ties[i], &again, &e), 0);
        assert_int_equal(home, again);
    }
    spread_labels(n);
    check_all(c, n);
    ft_components_free(&c);
    ft_components_free(&c);
}

static void test_against_labels(void **state)
{
    static const uint64_t groups[] = {20, 90, 200};    /* few large components to many small */
    (void)state;
    for (uint32_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < ROWS; i++) {
            prompt_of[i] = (int)ft_rng_below(1, FT_RNG_DATA, round, 2 * i, KEYS);
            group_of[i] = KEYS + (int)ft_rng_below(1, FT_RNG_DATA, round, 2 * i + 1,
                                                   2 * groups[round]);
            if (group_of[i] >= KEYS + (int)groups[round])
                group_of[i] = -1;
        }
        check_rows(50);
        check_rows(ROWS);
    }
}

/* The bound holds for keys and for what is charged beside them, and says its numbers. */
static void test_bound(void **state)
{
    enum { BOUND = 100000 };
    ft_components *c = NULL;
    ft_err e = {0};
    uint32_t number;
    int rc = 0, i;
    (void)state;
    assert_int_equal(ft_components_new(&c, BOUND, &e), 0);
    assert_int_equal(ft_components_charge(c, BOUND, &e), FT_ERR_NOMEM);
    for (i = 0; i < 10000 && rc == 0; i++) {
        ft_digest d = digest_of(i);
        rc = ft_components_key(c, &d, FT_BY_PROMPT, &number, &e);
        assert_true(ft_components_bytes(c) <= BOUND);
    }
    assert_int_equal(rc, FT_ERR_NOMEM);
    assert_true(i > BOUND / 120);
    assert_non_null(strstr(e.text, "100000"));
    ft_components_free(&c);
}

/* Each part gets its share of many small components, within four standard deviations. */
static void test_shares(void **state)
{
    enum { N = 40000 };
    const ft_shares s = {.n = 4, .of = {5, 0.5, 3.5, 1}, .rows = N};
    (void)state;
    for (uint64_t seed = 0; seed < 3; seed++) {
        double got[4] = {0};
        for (int i = 0; i < N; i++) {
            ft_component c = {.rows = 1, .key = digest_of(i)};
            got[ft_component_side(&c, &s, seed)]++;
        }
        for (size_t i = 0; i < 4; i++) {
            double p = s.of[i] / 10, off = got[i] - N * p;
            assert_true(off * off <= 16 * N * p * (1 - p));
        }
    }
}

static void test_oversized(void **state)
{
    const ft_shares s = {.n = 3, .of = {80, 15, 5}, .rows = 1000};   /* 5 % = 50, a fifth = 10 */
    const ft_shares tiny = {.n = 2, .of = {1, 1}, .rows = 2};
    (void)state;
    for (int i = 0; i < 200; i++) {
        ft_component c = {.rows = 10, .key = digest_of(i)};
        assert_false(ft_component_is_oversized(&c, &s));
        c.rows = 11;
        assert_true(ft_component_is_oversized(&c, &s));
        assert_int_equal(ft_component_side(&c, &s, 0), 0);
        c.rows = 1;
        assert_false(ft_component_is_oversized(&c, &tiny));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_labels),
                                       cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_shares),
                                       cmocka_unit_test(test_oversized)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
