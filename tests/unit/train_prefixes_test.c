/* Which beginnings of a step's sequences are shared: near the best choice by trying all, and what
 * must hold of any choice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "train/prefixes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 9, LONGEST = 60 };

struct sample {
    uint32_t ids[LONGEST];
    uint8_t target[LONGEST];
};

static struct sample samples[MOST];
static ft_seq seqs[MOST];

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* Sequences that go on from earlier ones at a random place, so that common beginnings nest. */
static void make_samples(size_t n, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;
    for (size_t s = 0; s < n; s++) {
        size_t T = 1 + draw(&x) % LONGEST, copy = s ? draw(&x) % LONGEST : 0, first;
        const struct sample *from = s ? &samples[draw(&x) % s] : NULL;
        memset(&samples[s], 0, sizeof samples[s]);
        for (size_t t = 0; t < T; t++)
            samples[s].ids[t] = t < copy ? from->ids[t] : draw(&x) % 50;
        first = draw(&x) % 4 ? T / 2 + draw(&x) % T : T;
        for (size_t t = first > 0 ? first : 1; t < T; t++)
            samples[s].target[t] = 1;
        seqs[s] = (ft_seq){.ids = samples[s].ids, .target = samples[s].target, .T = T, .key = s};
    }
}

static size_t shareable(const ft_seq *s)
{
    size_t t = 1;
    while (t < s->T && !s->target[t])
        t++;
    return t - 1;
}

/* Tokens that all sequences of a set may share. */
static size_t in_common(unsigned set, size_t n)
{
    size_t first = (size_t)__builtin_ctz(set), m = shareable(&seqs[first]);
    for (size_t s = first + 1; s < n; s++)
        if (set >> s & 1) {
            size_t t = 0, most = shareable(&seqs[s]);
            while (t < m && t < most && seqs[s].ids[t] == seqs[first].ids[t])
                t++;
            m = t;
        }
    return m;
}

/* The most tokens that can be saved by any partition of a set into groups. */
static size_t best(unsigned set, size_t n, size_t *memo)
{
    unsigned low = set & -set, others = set & ~low;
    size_t most;
    if (!set)
        return 0;
    if (memo[set])
        return memo[set] - 1;
    most = best(others, n, memo);                       /* the first one alone */
    for (unsigned sub = others; sub; sub = (sub - 1) & others) {
        size_t common = in_common(low | sub, n);
        size_t saved = common < FT_PREFIX_LEAST ? 0 : common * (size_t)__builtin_popcount(sub);
        saved += best(others & ~sub, n, memo);
        most = saved > most ? saved : most;
    }
    memo[set] = most + 1;
    return most;
}

static void check_choice(const ft_prefixes *p, size_t n)
{
    size_t saved = 0, tokens = 0;
    for (size_t s = 0; s < n; s++) {
        const ft_seq *rest = &p->rest[s], *was = &seqs[s];
        size_t m = rest->prefix ? p->list[rest->prefix - 1].T : 0;
        assert_true(rest->prefix <= p->n && rest->T >= 1 && rest->T + m == was->T);
        assert_ptr_equal(rest->ids, was->ids + m);
        assert_ptr_equal(rest->target, was->target + m);
        assert_int_equal(rest->target[0], m ? 0 : was->target[0]);
        saved += m;
        for (size_t t = 0; t < m; t++) {
            assert_int_equal(p->list[rest->prefix - 1].ids[t], was->ids[t]);
            assert_int_equal(was->target[t], 0);
        }
    }
    for (size_t i = 0; i < p->n; i++)
        tokens += p->list[i].T;
    assert_int_equal(p->tokens, tokens);
    assert_int_equal(p->saved, saved - tokens);
}

static void test_near_the_best_of_all(void **state)
{
    static size_t memo[1 << MOST];
    size_t shared = 0, possible = 0, exact = 0, most;
    ft_prefixes p = {0};
    ft_err e;
    (void)state;
    for (uint32_t seed = 0; seed < 300; seed++) {
        size_t n = 1 + seed % MOST;
        make_samples(n, seed);
        memset(memo, 0, sizeof memo);
        assert_int_equal(ft_prefixes_find(&p, seqs, n, &e), 0);
        check_choice(&p, n);
        most = best((1u << n) - 1, n, memo);
        assert_true(p.saved <= most);
        shared += p.saved;
        possible += most;
        exact += p.saved == most;
    }
    printf("# %zu of 300 choices are the best; %zu of %zu tokens saved\n", exact, shared, possible);
    assert_true(possible > 10000 && exact >= 250 && (double)shared >= 0.98 * (double)possible);
    ft_prefixes_free(&p);
}

static void test_none(void **state)
{
    ft_prefixes p = {0};
    ft_err e;
    (void)state;
    make_samples(MOST, 5);
    assert_int_equal(ft_prefixes_none(&p, seqs, MOST, &e), 0);
    assert_int_equal(p.n + p.saved + p.tokens, 0);
    assert_memory_equal(p.rest, seqs, sizeof seqs);
    ft_prefixes_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_near_the_best_of_all),
                                       cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
