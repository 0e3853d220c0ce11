/* data_mix.c: the schedule's bounds on random sources, also where sizes are hostile; that all
 * orders of a few rows come equally often, and all places of many; shares as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/mix_schedule.h"
#include "data/mix_store.h"

#include <stdlib.h>
#include <string.h>

/* ---- schedule ---- */

/* Runs n sources for a while. Returns: by how many largest records one was behind at most. */
static double run(uint64_t seed, size_t n, uint64_t size_max)
{
    ft_mix_source s[FT_MIX_SOURCES_MAX];
    uint64_t draws = 0, total = 0, shares = 0, largest = 0, own[FT_MIX_SOURCES_MAX] = {0};
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        s[i] = (ft_mix_source){.share = 1 + (ft_rng_u64(seed, FT_RNG_DATA, 1, i) >> 44)};
        s[i].next = ft_rng_below(seed, FT_RNG_DATA, 0, draws++, size_max) + 1;
        own[i] = s[i].next;
        shares += s[i].share;
    }
    for (int step = 0; step < 20000; step++) {
        size_t pick = ft_mix_pick(s, n);
        assert_true(pick < n);
        largest = s[pick].next > largest ? s[pick].next : largest;
        own[pick] = s[pick].next > own[pick] ? s[pick].next : own[pick];
        total += s[pick].next;
        s[pick].used += s[pick].next;
        s[pick].next = ft_rng_below(seed, FT_RNG_DATA, 0, draws++, size_max) + 1;
        for (size_t i = 0; i < n; i++) {       /* all times `shares`, in whole numbers */
            __int128 due = (__int128)s[i].share * total, got = (__int128)s[i].used * shares;
            double behind = (double)(due - got) / ((double)shares * (double)largest);
            assert_true(got - due <= (__int128)(shares - s[i].share) * own[i]);
            assert_true(due - got <= (__int128)shares * largest);
            worst = behind > worst ? behind : worst;
        }
    }
    return worst;
}

static void test_schedule(void **state)
{
    double worst = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        size_t n = 2 + (size_t)ft_rng_below(seed, FT_RNG_DATA, 2, 0, FT_MIX_SOURCES_MAX - 1);
        double behind = run(seed, n, seed % 3 == 0 ? 1 : seed % 3 == 1 ? 7 : 1 << 20);
        worst = behind > worst ? behind : worst;
    }
    assert_true(worst > 0.5);                  /* the bound is not idle */
}

static void test_no_source(void **state)
{
    ft_mix_source s[2] = {{0}, {0}};
    (void)state;
    assert_int_equal(ft_mix_pick(s, 2), 2);
    s[1].share = 1;
    assert_int_equal(ft_mix_pick(s, 2), 1);
}

static void test_shares(void **state)
{
    static const struct { const char *text; uint64_t share; } good[] = {
        {"90", 90000000000}, {"0.125", 125000000}, {".5", 500000000}, {"1.", 1000000000},
        {"0.000000001", 1}, {"1000000000", 1000000000000000000}, {"007", 7000000000}};
    static const char *const bad[] = {"", ".", "0", "0.0", "-1", "+1", " 1", "1 ", "1e3", "0x1",
                                      "1,5", "1000000001", "1000000000.1", "0.0000000001",
                                      "99999999999999999999", "nan"};
    uint64_t share;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ft_mix_share_parse(good[i].text, strlen(good[i].text), &share));
        assert_int_equal(share, good[i].share);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ft_mix_share_parse(bad[i], strlen(bad[i]), &share));
}

/* ---- store ---- */

static ft_mix_store *store_of(uint64_t rows, uint64_t memory)
{
    ft_mix_store *s = NULL;
    ft_err e = {0};
    assert_int_equal(ft_mix_store_new(&s, memory, &e), 0);
    for (uint64_t i = 0; i < rows; i++)
        assert_int_equal(ft_mix_store_add(s, (ft_mp){(uint8_t *)&i, sizeof i}, &e), 0);
    return s;
}

static uint64_t next_row(ft_mix_store *s)
{
    uint64_t row, held;
    ft_mp record;
    ft_err e = {0};
    assert_int_equal(ft_mix_store_next(s, &record, &row, &e), 0);
    assert_int_equal(record.n, sizeof held);
    memcpy(&held, record.p, sizeof held);
    assert_int_equal(held, row);
    return row;
}

/* The 24 orders of four rows over 24000 seeds: chi-square with 23 degrees of freedom passes 49.7
 * once in a thousand. */
static void test_orders_of_four(void **state)
{
    enum { SEEDS = 24000 };
    ft_mix_store *s = store_of(4, 0);
    uint64_t seen[256] = {0}, row, orders = 0;
    double chi = 0;
    ft_mp record;
    ft_err e = {0};
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        size_t order = 0;
        assert_int_equal(ft_mix_store_shuffle(s, seed, 0, &e), 0);
        for (int i = 0; i < 4; i++)
            order = order << 2 | (size_t)next_row(s);
        assert_int_equal(ft_mix_store_next(s, &record, &row, &e), FT_EOS);
        seen[order]++;
    }
    for (size_t i = 0; i < 256; i++)
        if (seen[i]) {
            double off = (double)seen[i] - SEEDS / 24.0;
            chi += off * off / (SEEDS / 24.0);
            orders++;
        }
    assert_int_equal(orders, 24);
    assert_true(chi < 49.7);
    ft_mix_store_free(&s);
}

/* Where row 0 of 50 comes to stand, over passes: 49 degrees of freedom pass 85.4 once in a
 * thousand. */
static void test_places_of_one(void **state)
{
    enum { ROWS = 50, PASSES = 10000 };
    ft_mix_store *s = store_of(ROWS, 0);
    uint64_t seen[ROWS] = {0};
    double chi = 0;
    ft_err e = {0};
    (void)state;
    for (uint32_t pass = 0; pass < PASSES; pass++) {
        assert_int_equal(ft_mix_store_shuffle(s, 1, pass, &e), 0);
        for (size_t i = 0; i < ROWS; i++)
            seen[i] += next_row(s) == 0;
    }
    for (size_t i = 0; i < ROWS; i++) {
        double off = (double)seen[i] - PASSES / (double)ROWS;
        chi += off * off / (PASSES / (double)ROWS);
    }
    assert_true(chi < 85.4);
    ft_mix_store_free(&s);
}

/* Many buckets and one give one order, with every row once; and the data can be read again. */
static void test_buckets(void **state)
{
    enum { ROWS = 100000 };
    ft_mix_store *small = store_of(ROWS, 0), *large = store_of(ROWS, 1 << 30);
    char *seen = calloc(ROWS, 1);
    ft_err e = {0};
    uint64_t moved = 0;
    (void)state;
    assert_non_null(seen);
    for (uint32_t pass = 0; pass < 2; pass++) {
        memset(seen, 0, ROWS);
        assert_int_equal(ft_mix_store_shuffle(small, 5, pass, &e), 0);
        assert_int_equal(ft_mix_store_shuffle(large, 5, pass, &e), 0);
        for (uint64_t i = 0; i < ROWS; i++) {
            uint64_t row = next_row(small);
            assert_int_equal(row, next_row(large));
            assert_false(seen[row]);
            seen[row] = 1;
            moved += row != i;
        }
        assert_int_equal(ft_mix_store_begin(small, &e), 0);
        for (uint64_t i = 0; i < ROWS; i++)
            assert_int_equal(next_row(small), i);
    }
    assert_true(moved > ROWS);
    free(seen);
    ft_mix_store_free(&small);
    ft_mix_store_free(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule), cmocka_unit_test(test_no_source),
        cmocka_unit_test(test_shares), cmocka_unit_test(test_orders_of_four),
        cmocka_unit_test(test_places_of_one), cmocka_unit_test(test_buckets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
