/* data_near.c: shingles, links and clusters against definitions worked out by brute force: pieces
 * compared as bytes, predecessors found by looking back over all rows, and rows decided by
 * comparing each with all before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/near.h"
#include "data/near_clusters.h"
#include "data/near_links.h"
#include "text/shingles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t drawn(uint32_t what, uint64_t i, uint64_t below)
{
    return ft_rng_below(5, FT_RNG_DATA, what, i, below);
}

/* ---- shingles ---- */

static void has_pieces(const char *text, size_t words, size_t n, const char *const *pieces)
{
    ft_shingles s = {0};
    ft_err e = {0};
    assert_int_equal(ft_shingles_of(&s, text, strlen(text), words, &e), 0);
    assert_int_equal(s.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(s.h[i], ft_hash64(pieces[i], strlen(pieces[i]), 0));
    ft_shingles_free(&s);
}

static void test_pieces(void **state)
{
    (void)state;
    has_pieces("a b c", 2, 2, (const char *[]){"a b", "b c"});
    has_pieces("a b a b", 2, 2, (const char *[]){"a b", "b a"});
    has_pieces("user\xffone two\xff", 3, 1, (const char *[]){"user\xffone two"});
    has_pieces("one", 1, 1, (const char *[]){"one"});
    has_pieces("abcab", 2, 3, (const char *[]){"abcab", "abca", "bcab"});
    has_pieces("\xc3\xa9t\xc3\xa9s", 2, 1, (const char *[]){"\xc3\xa9t\xc3\xa9s"});
    has_pieces("\xe4\xb8\x96\xe7\x95\x8c ab", 3, 3,
               (const char *[]){"\xe4\xb8\x96\xe7\x95\x8c ab", "\xe4\xb8\x96\xe7\x95\x8c a",
                                "\xe7\x95\x8c ab"});
    has_pieces("abc", 5, 1, (const char *[]){"abc"});
    has_pieces("", 5, 0, NULL);
    has_pieces("\xff\xff", 5, 0, NULL);
}

enum { WORDS = 400 };

/* Random texts of few different words, so that pieces repeat. */
static void test_many_pieces(void **state)
{
    ft_shingles s = {0}, t = {0};
    ft_err e = {0};
    (void)state;
    for (size_t k = 1; k <= 6; k++) {
        char text[2 * WORDS];
        size_t seen = 0, both = 0;
        for (size_t i = 0; i < WORDS; i++) {
            text[2 * i] = (char)('a' + drawn(1, k * WORDS + i, 4));
            text[2 * i + 1] = ' ';
        }
        for (size_t i = 0; i + k <= WORDS; i++) {
            size_t j = 0;
            while (memcmp(text + 2 * i, text + 2 * j, 2 * k - 1) != 0)
                j++;
            seen += j == i;
            both += j == i && i + k <= WORDS / 2;
        }
        assert_int_equal(ft_shingles_of(&s, text, sizeof text, k, &e), 0);
        assert_int_equal(s.n, seen);
        assert_int_equal(ft_shingles_of(&t, text, WORDS, k, &e), 0);
        assert_int_equal(t.n, both);
        assert_int_equal(ft_shingles_index(&s, &e), 0);
        assert_int_equal(ft_shingles_common(&s, t.h, t.n), both);
        assert_int_equal(ft_shingles_index(&t, &e), 0);
        assert_int_equal(ft_shingles_common(&t, s.h, s.n), both);
    }
    ft_shingles_free(&s);
    ft_shingles_free(&t);
}

/* ---- keys ---- */

static void test_probability(void **state)
{
    (void)state;
    assert_true(fabs(ft_near_probability(0.75, 14, 8) - 0.772) < 5e-4);
    assert_true(fabs(ft_near_probability(0.8, 9, 13) - 0.399) < 5e-4);
    assert_true(fabs(ft_near_probability(0.8, 450, 20) - 0.995) < 5e-4);
    assert_true(ft_near_probability(1, 14, 8) >= 1 && ft_near_probability(0, 14, 8) <= 0);
}

/* Of pairs of sets of a known Jaccard index the expected share has a key in common. */
static void test_share_of_common_keys(void **state)
{
    enum { PAIRS = 3000, SET = 60, SAME = 48 };
    ft_near *f = NULL;
    ft_err e = {0};
    size_t found = 0;
    double p = ft_near_probability(48.0 / 72.0, 14, 8);
    (void)state;
    assert_int_equal(ft_near_new(&f, 1, 14, 8, &e), 0);
    for (size_t n = 0; n < PAIRS; n++) {
        uint64_t h[SET + SET - SAME], x[14], y[14];
        uint32_t scratch[112];
        int common = 0;
        for (size_t i = 0; i < SET + SET - SAME; i++)
            h[i] = ft_rng_u64(6, FT_RNG_DATA, (uint32_t)n, i);
        ft_near_keys(f, h, SET, scratch, x);
        ft_near_keys(f, h + SET - SAME, SET, scratch, y);
        for (size_t b = 0; b < 14; b++)
            common |= x[b] == y[b];
        found += (size_t)common;
    }
    /* Five standard deviations. */
    assert_true(fabs((double)found - PAIRS * p) < 5 * sqrt(PAIRS * p * (1 - p)));
    ft_near_free(&f);
    assert_null(f);
}

/* ---- links ---- */

enum { BANDS = 3 };

/* Keys of row i: few values in band 0, many in band 1, mostly one in band 2; some rows none. */
static void keys_of(size_t i, uint64_t keys[BANDS])
{
    static const uint64_t below[BANDS] = {200, 5000, 2};
    for (size_t b = 0; b < BANDS; b++) {
        uint64_t v = drawn(10 + (uint32_t)b, i, below[b]);
        keys[b] = drawn(20, i, 50) == 0 ? 0 : ft_hash64(&v, sizeof v, b) | 1;
    }
}

static uint32_t *links_of(size_t rows, unsigned threads, size_t entries)
{
    ft_near_columns *c = NULL;
    ft_pool *pool = NULL;
    ft_err e = {0};
    uint32_t *links;
    assert_int_equal(ft_pool_new(&pool, threads, &e), 0);
    assert_int_equal(ft_near_columns_new(&c, BANDS, &e), 0);
    for (size_t i = 0; i < rows; i++) {
        uint64_t keys[BANDS];
        keys_of(i, keys);
        assert_int_equal(ft_near_columns_add(c, keys, &e), 0);
    }
    assert_int_equal(ft_near_columns_link(c, pool, entries, &links, &e), 0);
    ft_near_columns_free(&c);
    ft_pool_free(&pool);
    return links;
}

static void test_links(void **state)
{
    enum { ROWS = 40000, SHOWN = 3000 };
    uint32_t *links = links_of(ROWS, 1, ROWS);
    (void)state;
    for (size_t i = 0; i < ROWS; i += i < SHOWN ? 1 : 997) {
        uint64_t mine[BANDS], other[BANDS];
        keys_of(i, mine);
        for (size_t b = 0; b < BANDS; b++) {
            size_t j = i;
            for (; j > 0; j--) {
                keys_of(j - 1, other);
                if (mine[b] && other[b] == mine[b])
                    break;
            }
            assert_int_equal(links[i * BANDS + b], mine[b] ? j : 0);
        }
    }
    /* The same with less at a time, down to parts that do not fit at all, and with threads. */
    for (size_t entries = 1; entries < ROWS; entries = entries * 20 + 100) {
        uint32_t *again = links_of(ROWS, entries > 100 ? 4 : 1, entries);
        assert_memory_equal(again, links, ROWS * BANDS * sizeof *links);
        ft_free(again);
    }
    ft_free(links);
}

/* ---- sets ---- */

/* Read back one by one, from what is held, and where it is too much to be held. */
static void test_sets(void **state)
{
    enum { LONG = 700000 };
    static const size_t sizes[] = {3, 0, LONG, 5, LONG, 1};
    uint64_t *h = malloc(LONG * sizeof *h);
    ft_near_sets *sets = NULL;
    ft_shingles s = {0};
    ft_err e = {0};
    (void)state;
    assert_non_null(h);
    assert_int_equal(ft_near_sets_new(&sets, &e), 0);
    for (size_t i = 0; i < 6; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            h[k] = i * LONG + k;
        assert_int_equal(ft_near_sets_add(sets, h, sizes[i], &e), 0);
    }
    assert_int_equal(ft_near_sets_done(sets, &e), 0);
    assert_int_equal(ft_near_sets_rows(sets), 6);
    for (size_t from = 0; from < 6; from++)
        for (size_t i = 0; i < 6; i++) {
            assert_int_equal(ft_near_sets_hold(sets, from, from + 3 < 6 ? from + 3 : 6, &e), 0);
            assert_int_equal(ft_near_sets_size(sets, i), sizes[i]);
            assert_int_equal(ft_near_sets_read(sets, i, &s, &e), 0);
            assert_int_equal(s.n, sizes[i]);
            for (size_t k = 0; k < s.n; k++)
                assert_true(s.h[k] == i * LONG + k);
        }
    ft_shingles_free(&s);
    ft_near_sets_free(&sets);
    free(h);
}

/* ---- clusters ---- */

enum { MANY = 9000, LARGEST = 24 };
typedef struct row {
    uint64_t keys[BANDS], h[LARGEST];
    size_t n;
    size_t kept, root;
    uint32_t common, all;
} row;

/* A set with numbers around one of 150 centres; band keys that come from centre and noise. */
static void make_row(row *r, size_t i)
{
    uint64_t centre = drawn(30, i, 150), spread = drawn(31, i, 12);
    *r = (row){.n = 8 + drawn(32, i, LARGEST - 8)};
    for (size_t k = 0; k < r->n; k++)
        r->h[k] = drawn(33, i * LARGEST + k, 20) < spread / 3
                      ? 1000000 + i * LARGEST + k : 1 + centre * 100 + k;
    for (size_t b = 0; b < BANDS; b++)
        r->keys[b] = 1 + centre * 4 + drawn(34 + (uint32_t)b, i, 4);
}

static int is_alike(const row *a, const row *b, uint32_t *common, uint32_t *all)
{
    *common = 0;
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++)
            *common += a->h[i] == b->h[k];
    *all = (uint32_t)(a->n + b->n) - *common;
    return (double)*common / *all >= 0.7;
}

static size_t root_of(const row *rows, size_t i)
{
    while (rows[i].root != i)
        i = rows[i].root;
    return i;
}

static void join(row *rows, size_t i, size_t j)
{
    size_t a = root_of(rows, i), b = root_of(rows, j);
    rows[a > b ? a : b].root = a < b ? a : b;
}

/* By the definition in near_clusters.h. */
static void decide_by_force(row *rows)
{
    for (size_t i = 0; i < MANY; i++) {
        row *r = &rows[i];
        int nearest[BANDS] = {0};
        r->kept = r->root = i;
        for (size_t j = i; j-- > 0;) {
            int shared = 0, is_nearest = 0;
            uint32_t common, all;
            for (size_t b = 0; b < BANDS; b++)
                if (rows[j].keys[b] == r->keys[b]) {
                    shared = 1;
                    is_nearest |= !nearest[b];
                    nearest[b] = 1;
                }
            if (!shared || !(is_nearest || rows[j].kept == j) ||
                !is_alike(r, &rows[j], &common, &all))
                continue;
            join(rows, i, j);
            if (rows[j].kept == j) {        /* the last one found is the first of all */
                r->kept = j;
                r->common = common;
                r->all = all;
            }
        }
    }
}

static size_t rows_seen;

static int compare_decision(void *ctx, const ft_near_decision *d, ft_err *e)
{
    const row *r = (const row *)ctx + rows_seen;
    (void)e;
    assert_int_equal(d->row, rows_seen);
    assert_int_equal(d->kept, r->kept);
    if (d->kept != d->row) {
        assert_int_equal(d->common, r->common);
        assert_int_equal(d->all, r->all);
    }
    rows_seen++;
    return 0;
}

static void decide(row *rows, unsigned threads, size_t most, ft_near_counts *counts,
                   int (*decided)(void *, const ft_near_decision *, ft_err *))
{
    const ft_near_rule rule = {0.7, BANDS, most};
    ft_near_columns *columns = NULL;
    ft_near_sets *sets = NULL;
    ft_near_clusters *c = NULL;
    ft_pool *pool = NULL;
    ft_err e = {0};
    uint32_t *links;
    assert_int_equal(ft_pool_new(&pool, threads, &e), 0);
    assert_int_equal(ft_near_columns_new(&columns, BANDS, &e), 0);
    assert_int_equal(ft_near_sets_new(&sets, &e), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(ft_near_columns_add(columns, rows[i].keys, &e), 0);
        assert_int_equal(ft_near_sets_add(sets, rows[i].h, rows[i].n, &e), 0);
    }
    assert_int_equal(ft_near_sets_done(sets, &e), 0);
    assert_int_equal(ft_near_columns_link(columns, pool, MANY, &links, &e), 0);
    rows_seen = 0;
    assert_int_equal(ft_near_clusters_decide(&c, &rule, links, sets, pool, decided, rows, &e), 0);
    for (size_t i = 0; decided == compare_decision && i < MANY; i++)
        assert_int_equal(ft_near_clusters_root(c, (uint32_t)i), root_of(rows, i));
    *counts = *ft_near_clusters_counts(c);
    ft_near_clusters_free(&c);
    ft_near_columns_free(&columns);
    ft_near_sets_free(&sets);
    ft_pool_free(&pool);
    ft_free(links);
}

static int count_decision(void *ctx, const ft_near_decision *d, ft_err *e)
{
    (void)ctx;
    (void)d;
    (void)e;
    rows_seen++;
    return 0;
}

static int refuse_decision(void *ctx, const ft_near_decision *d, ft_err *e)
{
    (void)ctx;
    return d->row == 5000 ? ft_err_set(e, FT_ERR_IO, "full") : 0;
}

static void test_clusters(void **state)
{
    row *rows = calloc(MANY, sizeof *rows);
    ft_near_counts one, four, few;
    size_t kept = 0, bridged = 0;
    (void)state;
    assert_non_null(rows);
    for (size_t i = 0; i < MANY; i++)
        make_row(&rows[i], i);
    decide_by_force(rows);
    for (size_t i = 0; i < MANY; i++) {
        kept += rows[i].kept == i;
        bridged += rows[i].kept == i && root_of(rows, i) != i;
    }
    assert_true(kept > 1000 && kept < MANY - 1000 && bridged > 100);
    decide(rows, 1, MANY, &one, compare_decision);
    assert_int_equal(rows_seen, MANY);
    decide(rows, 4, MANY, &four, compare_decision);
    assert_memory_equal(&one, &four, sizeof one);
    assert_true(one.cut == 0 && one.compared >= one.alike && one.alike >= MANY - kept);
    decide(rows, 2, 3, &few, count_decision);
    assert_true(few.cut > 100 && few.compared < one.compared && rows_seen == MANY);
    free(rows);
}

static void test_refusal(void **state)
{
    const ft_near_rule rule = {0.7, 1, 10};
    ft_near_sets *sets = NULL;
    ft_near_clusters *c = NULL;
    ft_pool *pool = NULL;
    ft_err e = {0};
    uint64_t h = 1;
    uint32_t *links = calloc(6000, sizeof *links);
    (void)state;
    assert_non_null(links);
    assert_int_equal(ft_pool_new(&pool, 1, &e), 0);
    assert_int_equal(ft_near_sets_new(&sets, &e), 0);
    for (size_t i = 0; i < 6000; i++)
        assert_int_equal(ft_near_sets_add(sets, &h, 1, &e), 0);
    assert_int_equal(ft_near_sets_done(sets, &e), 0);
    assert_int_equal(ft_near_clusters_decide(&c, &rule, links, sets, pool, refuse_decision, NULL,
                                             &e), FT_ERR_IO);
    assert_null(c);
    ft_near_sets_free(&sets);
    ft_near_sets_free(&sets);
    ft_pool_free(&pool);
    free(links);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_many_pieces),
        cmocka_unit_test(test_probability),  cmocka_unit_test(test_share_of_common_keys),
        cmocka_unit_test(test_links),        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_clusters),     cmocka_unit_test(test_refusal)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
