/* data_repeats_test.c: repeated passages, in memory and on disk, against a search of every run
 * among all before it; the sorting on disk against the standard one; which passages are
 * shown against a count of common runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "data/passages.h"
#include "data/recurring.h"
#include "data/spool_sort.h"

#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t seed, uint64_t i, uint64_t below)
{
    return ft_rng_u64(seed, FT_RNG_DATA, 0, i) % below;
}

/* ---- sorting ---- */

static int by_first(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];       /* the second number is the order of coming */
}

static void check_sorting(size_t words, size_t bytes_max, size_t n, uint64_t below)
{
    ft_spool_sort *s = NULL;
    ft_err e = {0};
    uint64_t *all = calloc(n + 1, 4 * sizeof *all);
    const uint64_t *entry;
    assert_non_null(all);
    assert_int_equal(ft_spool_sort_new(&s, words, bytes_max, &e), 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t *x = all + 4 * i;
        x[0] = below ? draw(1, i, below) : ft_rng_u64(1, FT_RNG_DATA, 0, i);
        x[1] = i;
        x[2] = ~x[0];
        x[3] = 7 * i;
        assert_int_equal(ft_spool_sort_add(s, x, &e), 0);
    }
    assert_int_equal(ft_spool_sort_count(s), n);
    qsort(all, n, 4 * sizeof *all, by_first);
    assert_int_equal(ft_spool_sort_start(s, &e), 0);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ft_spool_sort_next(s, &entry, &e), 1);
        assert_memory_equal(entry, all + 4 * i, words * sizeof *entry);
    }
    assert_int_equal(ft_spool_sort_next(s, &entry, &e), 0);
    assert_int_equal(ft_spool_sort_next(s, &entry, &e), 0);
    ft_spool_sort_free(&s);
    assert_null(s);
    free(all);
}

static void test_sorting(void **state)
{
    (void)state;
    check_sorting(2, 1 << 20, 0, 0);
    check_sorting(1, 1 << 20, 1, 0);
    check_sorting(3, 1 << 20, 5000, 100);        /* in memory */
    check_sorting(2, 16384, 512, 0);             /* just fits */
    check_sorting(2, 16384, 513, 0);
    check_sorting(4, 16384, 3000, 50);           /* a few runs */
    check_sorting(2, 16384, 40000, 1000);        /* merged in several goes */
    check_sorting(3, 20000, 100000, 0);
}

/* ---- repeats ---- */

enum { TEXTS_MAX = 60, BYTES_MAX = 6000 };

typedef struct texts {
    uint8_t byte[BYTES_MAX];
    uint32_t end[TEXTS_MAX];
    size_t n, n_texts;
} texts;

/* Texts of few letters, made of pieces of each other and of rows of one byte. */
static void make_texts(texts *t, uint64_t seed)
{
    uint64_t i = 0;
    memset(t, 0, sizeof *t);
    while (t->n_texts < TEXTS_MAX && t->n < BYTES_MAX - 400) {
        size_t parts = draw(seed, i++, 4);
        for (size_t k = 0; k < parts; k++) {
            size_t length = draw(seed, i++, 80), from = t->n ? draw(seed, i++, t->n) : 0;
            uint64_t kind = t->n ? draw(seed, i++, 4) : 3;
            for (size_t b = 0; b < length; b++) {
                t->byte[t->n] = kind == 0 ? '-' : kind < 3 ? t->byte[from + b]
                                                           : (uint8_t)(128 + draw(seed, i++, 5));
                t->n++;
            }
        }
        t->end[t->n_texts++] = (uint32_t)t->n;
    }
}

typedef struct found {
    ft_repeat p[BYTES_MAX];
    size_t n;
} found;

static int keep_passage(void *ctx, const ft_repeat *p, ft_err *e)
{
    found *f = ctx;
    (void)e;
    f->p[f->n++] = *p;
    return 0;
}

static int fits(const texts *t, size_t at, size_t min)
{
    size_t k = 0;
    while (t->end[k] <= at)
        k++;
    return at + min <= t->end[k];
}

/* By the rule, each run by itself. */
static void brute(const texts *t, size_t min, uint64_t keep, uint8_t *cut, found *f)
{
    memset(cut, 0, BYTES_MAX);
    f->n = 0;
    for (size_t i = 0; i < t->n; i++) {
        uint64_t kept = 0, count = 0;
        size_t last = 0, first = SIZE_MAX;
        if (!fits(t, i, min))
            continue;
        for (size_t k = 0; k < t->n; k++) {
            if (!fits(t, k, min) || memcmp(t->byte + k, t->byte + i, min) != 0)
                continue;
            if (first == SIZE_MAX)
                first = k;
            if (first < i)
                break;                           /* was looked at */
            count++;
            if (kept < keep && (kept == 0 || k >= last + min)) {
                last = k;
                kept++;
            } else if (kept >= keep) {
                for (size_t b = k < last + min ? last + min : k; b < k + min; b++)
                    cut[b] = 1;
            }
        }
        if (first < i || count < 2)
            continue;
        if (f->n && f->p[f->n - 1].count == count &&
            f->p[f->n - 1].at + f->p[f->n - 1].n == i + min - 1)
            f->p[f->n - 1].n++;
        else
            f->p[f->n++] = (ft_repeat){i, min, count};
    }
}

static void check_spans(const uint8_t *cut, size_t n, const ft_span_list *s)
{
    size_t at = 0;
    for (size_t i = 0; i < s->n; i++) {
        assert_true(i == 0 || s->span[i].from > s->span[i - 1].to);
        assert_true(s->span[i].from < s->span[i].to && s->span[i].to <= n);
        for (; at < s->span[i].to; at++)
            assert_int_equal(cut[at], at >= s->span[i].from);
    }
    for (; at < n; at++)
        assert_int_equal(cut[at], 0);
}

static void check_found(const found *want, const found *got)
{
    assert_int_equal(got->n, want->n);
    assert_memory_equal(got->p, want->p, want->n * sizeof *want->p);
}

static void check_in_memory(const texts *t, uint32_t min, uint64_t keep, const uint8_t *cut,
                            const found *want, found *got)
{
    ft_repeats r = {.text = t->byte, .n = t->n, .end = t->end, .n_ends = t->n_texts,
                    .min_bytes = min, .keep = keep};
    ft_span_list spans = {0};
    ft_err e = {0};
    got->n = 0;
    assert_int_equal(ft_repeats_find(&r, keep_passage, got, &e), 0);
    check_found(want, got);
    for (size_t i = 0, from = 0; i < t->n_texts; from = t->end[i++]) {
        assert_int_equal(ft_repeats_cuts(&r, from, t->end[i] - from, &spans, &e), 0);
        check_spans(cut + from, t->end[i] - from, &spans);
    }
    ft_span_list_free(&spans);
    ft_repeats_free(&r);
}

typedef int (*look_fn)(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place, ft_err *e);

/* Between the texts lie three bytes that belong to none, as they do in held records. */
static void check_on_disk(const texts *t, uint32_t min, uint64_t keep, const uint8_t *cut,
                          const found *want, found *got)
{
    static const look_fn looks[] = {ft_recurring_look, ft_recurring_collect};
    ft_recurring *x = NULL;
    ft_span_list spans = {0};
    ft_err e = {0};
    got->n = 0;
    assert_int_equal(ft_recurring_new(&x, min, keep, 1, 4 * 16384, &e), 0);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0, from = 0; i < t->n_texts; from = t->end[i++])
            assert_int_equal(looks[pass](x, t->byte + from, t->end[i] - from, from + 3 * i, &e),
                             0);
        assert_int_equal(pass ? ft_recurring_judge(x, &e) : ft_recurring_choose(x, &e), 0);
    }
    assert_int_equal(ft_recurring_passages(x, keep_passage, got, &e), 0);
    for (size_t i = 0; i < got->n; i++)          /* back to places in the text */
        for (size_t k = 0; k < t->n_texts; k++)
            if (got->p[i].at < t->end[k] + 3 * k) {
                got->p[i].at -= 3 * k;
                break;
            }
    check_found(want, got);
    for (size_t i = 0, from = 0; i < t->n_texts; from = t->end[i++]) {
        assert_int_equal(ft_recurring_cuts(x, t->end[i] - from, from + 3 * i, &spans, &e), 0);
        check_spans(cut + from, t->end[i] - from, &spans);
    }
    ft_span_list_free(&spans);
    ft_recurring_free(&x);
}

static void test_repeats(void **state)
{
    static const struct { uint32_t min; uint64_t keep; } cases[] = {
        {16, 1}, {17, 3}, {24, 2}, {100, 1}, {16, 1}, {33, 1}};
    texts *t = malloc(sizeof *t);
    found *want = malloc(sizeof *want), *got = malloc(sizeof *got);
    uint8_t *cut = malloc(BYTES_MAX);
    size_t passages = 0;
    (void)state;
    assert_true(t && want && got && cut);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_texts(t, 10 + i);
        brute(t, cases[i].min, cases[i].keep, cut, want);
        check_in_memory(t, cases[i].min, cases[i].keep, cut, want, got);
        check_on_disk(t, cases[i].min, cases[i].keep, cut, want, got);
        passages += want->n;
    }
    assert_true(passages > 100);
    t->n = t->n_texts = 0;                       /* and nothing at all */
    brute(t, 16, 1, cut, want);
    check_in_memory(t, 16, 1, cut, want, got);
    check_on_disk(t, 16, 1, cut, want, got);
    free(t);
    free(want);
    free(got);
    free(cut);
}

/* ---- what is shown ---- */

/* Different runs of 16 bytes of a; *common: those that b has too. */
static size_t count_grams(const uint8_t *a, size_t n, const uint8_t *b, size_t m, size_t *common)
{
    size_t different = 0;
    *common = 0;
    for (size_t i = 0; i + 16 <= n; i++) {
        int seen = 0, there = 0;
        for (size_t k = 0; k < i && !seen; k++)
            seen = memcmp(a + k, a + i, 16) == 0;
        for (size_t k = 0; k + 16 <= m && !seen && !there; k++)
            there = memcmp(b + k, a + i, 16) == 0;
        different += !seen;
        *common += (size_t)there;
    }
    return different;
}

static void test_shown(void **state)
{
    enum { N = 300 };
    static uint8_t text[N][120];
    static size_t length[N];
    static int is_shown[N];
    ft_passages *p = NULL;
    ft_err e = {0};
    size_t shown = 0;
    (void)state;
    assert_int_equal(ft_passages_new(&p, 1 << 20, &e), 0);
    for (size_t i = 0; i < N; i++) {
        size_t from = draw(5, 4 * i, 300), common;
        length[i] = 16 + draw(5, 4 * i + 1, 100);
        for (size_t k = 0; k < length[i]; k++)   /* a part of one long text, or a row */
            text[i][k] = draw(5, 4 * i + 2, 9) ? (uint8_t)draw(6, from + k, 256) : '=';
        is_shown[i] = 1;
        for (size_t k = 0; k < i && is_shown[i]; k++)
            if (is_shown[k]) {
                size_t x = count_grams(text[k], length[k], text[i], length[i], &common);
                size_t y = count_grams(text[i], length[i], text[k], length[k], &common);
                is_shown[i] = 2 * common < (x < y ? x : y);
            }
        assert_int_equal(ft_passages_show(p, text[i], length[i], &e), is_shown[i]);
        shown += (size_t)is_shown[i];
    }
    assert_in_range(shown, 8, N / 2);
    ft_passages_free(&p);
}

static void test_order(void **state)
{
    static const ft_repeat in[] = {{5, 10, 3}, {7, 40, 2}, {9, 20, 2}, {90, 100, 9}, {95, 20, 3}};
    static const size_t order[] = {3, 1, 4, 0, 2};
    ft_passages *p = NULL;
    ft_repeat got;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_passages_new(&p, 1 << 20, &e), 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ft_passages_add(p, &in[i], &e), 0);
    assert_int_equal(ft_passages_start(p, &e), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(ft_passages_next(p, &got, &e), 1);
        assert_memory_equal(&got, &in[order[i]], sizeof got);
    }
    assert_int_equal(ft_passages_next(p, &got, &e), 0);
    ft_passages_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_shown),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
