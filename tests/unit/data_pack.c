/* data_pack.c: best fit against a search through all rows; windows token by token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/pack.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS = 500 };

/* Rows by the words of pack.h, with a search for everything: row_of and the order in the rows. */
static size_t search_rows(const uint32_t *lengths, size_t n, uint32_t capacity, size_t *row_of,
                          size_t *turn)
{
    size_t n_rows = 0;
    uint32_t room[ITEMS];
    size_t since[ITEMS];                    /* the turn in which a row came to its room */
    char done[ITEMS] = {0};
    for (size_t t = 0; t < n; t++) {
        size_t item = n, best = SIZE_MAX;
        for (size_t i = 0; i < n; i++)
            if (!done[i] && (item == n || lengths[i] > lengths[item]))
                item = i;
        for (size_t r = 0; r < n_rows; r++)
            if (room[r] >= lengths[item] &&
                (best == SIZE_MAX || room[r] < room[best] ||
                 (room[r] == room[best] && since[r] > since[best])))
                best = r;
        if (best == SIZE_MAX) {
            best = n_rows++;
            room[best] = capacity;
        }
        room[best] -= lengths[item];
        since[best] = t;
        row_of[item] = best;
        turn[item] = t;
        done[item] = 1;
    }
    return n_rows;
}

static void compare(ft_packer *p, const uint32_t *lengths, size_t n, uint32_t capacity)
{
    size_t row_of[ITEMS], turn[ITEMS], seen = 0;
    size_t n_rows = search_rows(lengths, n, capacity, row_of, turn);
    ft_packing r = ft_pack_best_fit(p, lengths, n);
    assert_int_equal(r.n_rows, n_rows);
    assert_int_equal(r.row_start[0], 0);
    assert_int_equal(r.row_start[n_rows], n);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t i = r.row_start[row]; i < r.row_start[row + 1]; i++, seen++) {
            assert_int_equal(row_of[r.items[i]], row);
            if (i > r.row_start[row])
                assert_true(turn[r.items[i]] > turn[r.items[i - 1]]);
        }
    assert_int_equal(seen, n);
}

static void test_best_fit(void **state)
{
    static const uint32_t capacities[] = {1, 2, 63, 64, 65, 127, 128, 1000, 100000};
    uint32_t lengths[ITEMS];
    (void)state;
    for (size_t c = 0; c < sizeof capacities / sizeof *capacities; c++) {
        uint32_t capacity = capacities[c];
        ft_packer *p = NULL;
        ft_err e = {0};
        assert_int_equal(ft_packer_new(&p, capacity, ITEMS, &e), 0);
        for (uint32_t round = 0; round < 6; round++) {         /* one packer for all of them */
            uint32_t most = round % 2 || capacity < 3 ? capacity : capacity / 3;
            size_t n = round == 2 ? 0 : round == 3 ? 1 : ITEMS;
            for (size_t i = 0; i < n; i++)
                lengths[i] = 1 + (uint32_t)ft_rng_below(round, FT_RNG_DATA, capacity, i, most);
            compare(p, lengths, n, capacity);
        }
        ft_packer_free(&p);
        ft_packer_free(&p);
    }
}

/* By the definition: which windows an example has, one token after the other. */
static void check_windows(const ft_window_rule *r, size_t n)
{
    size_t last_target = 0, count = 0, covered = 0;
    ft_window w;
    for (; ft_window_at(r, n, count, &w); count++) {
        assert_true(w.from < w.to && w.to <= n && w.to - w.from <= r->length);
        if (w.to < n)
            assert_int_equal(w.to - w.from, r->length);
        if (count == 0)
            assert_int_equal(w.from, 0);
        else if (r->overlap)       /* the first target stands right behind the last one */
            assert_int_equal(w.from + r->context, last_target + 1);
        else
            assert_int_equal(w.from, last_target + 1);
        if (count > 0)             /* no window is for nothing */
            assert_true(w.to > covered);
        last_target = w.to - 1;
        covered = w.to;
    }
    assert_int_equal(covered, n);
    assert_false(ft_window_at(r, n, count + 1, &w));
    assert_false(ft_window_at(r, n, SIZE_MAX, &w));
}

static void test_windows(void **state)
{
    (void)state;
    for (size_t length = 1; length < 20; length++)
        for (size_t context = 0; context < length; context++)
            for (size_t n = 0; n < 70; n++)
                for (int overlap = 0; overlap < 2; overlap++)
                    check_windows(&(ft_window_rule){length, context, overlap}, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_best_fit),
                                       cmocka_unit_test(test_windows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
