/* Sampling: what is left to draw from against transformers (tests/golden/sample.txt), how often a
 * token is drawn against its probability, ties, and stop texts against a search from scratch. */
#include "infer_golden.h"

#include "base/rng.h"
#include "infer/sample.h"
#include "infer/stop_text.h"

enum { V_MAX = 256 };

static uint32_t hash32(uint32_t x)
{
    x *= 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    return x ^ x >> 13;
}

static int by_id(const void *a, const void *b)
{
    const ft_candidate *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The rest of a "case" line. */
static void check_case(FILE *f, unsigned number, size_t V, double spread)
{
    ft_sampling o = FT_SAMPLING_GREEDY;
    ft_candidate got[V_MAX];
    uint32_t seen[16];
    float logits[V_MAX];
    size_t n_seen, n_want, n;
    const ft_candidate *c;
    ft_sampler *s = NULL;
    ft_err e;
    assert_int_equal(fscanf(f, "%lf %zu %lf %lf %lf %zu", &o.temperature, &o.top_k, &o.top_p,
                            &o.min_p, &o.repetition_penalty, &n_seen), 6);
    assert_true(n_seen <= 16 && V <= V_MAX);
    for (size_t i = 0; i < n_seen; i++)
        assert_int_equal(fscanf(f, "%u", &seen[i]), 1);
    for (uint32_t i = 0; i < V; i++)
        logits[i] = (float)(((double)(hash32(i + 1000 * number) >> 8) / 16777216.0 - 0.5) * spread);
    OK(ft_sampler_new(&s, V, &e));
    c = ft_sample_candidates(s, &o, logits, seen, n_seen, &n);
    memcpy(got, c, n * sizeof *got);
    ft_sampler_free(&s);
    assert_int_equal(fscanf(f, "%zu", &n_want), 1);
    assert_int_equal(n, n_want);
    qsort(got, n, sizeof *got, by_id);
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        double p;
        assert_int_equal(fscanf(f, "%u %lf", &id, &p), 2);
        assert_int_equal(got[i].id, id);
        assert_true(fabs(got[i].p - p) <= 2e-6 * p);
    }
}

static void test_candidates(void **state)
{
    FILE *f = fopen("tests/golden/sample.txt", "r");
    unsigned number, cases = 0;
    size_t V;
    double spread;
    (void)state;
    assert_non_null(f);
    while (fscanf(f, " case %u %zu %lf", &number, &V, &spread) == 3) {
        check_case(f, number, V, spread);
        cases++;
    }
    assert_true(feof(f));
    assert_int_equal(cases, 54);
    fclose(f);
}

/* Of equal logits the lower ids stay. */
static void test_ties(void **state)
{
    ft_sampling o = FT_SAMPLING_GREEDY;
    float logits[6] = {1, 2, 2, 2, 2, 0};
    uint32_t id;
    size_t n;
    const ft_candidate *c;
    ft_sampler *s = NULL;
    ft_err e;
    (void)state;
    OK(ft_sampler_new(&s, 6, &e));
    OK(ft_sample(s, &o, logits, NULL, 0, 1, 0, &id, &e));
    assert_int_equal(id, 1);
    o.temperature = 1;
    o.top_k = 3;
    c = ft_sample_candidates(s, &o, logits, NULL, 0, &n);
    assert_int_equal(n, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(c[i].id, i + 1);
    o.top_k = 0;
    o.top_p = 0.3;                  /* each of the four has 0.21 */
    c = ft_sample_candidates(s, &o, logits, NULL, 0, &n);
    assert_int_equal(n, 2);
    assert_int_equal(c[0].id + 10 * c[1].id, 21);
    ft_sampler_free(&s);
}

/* The window holds the last tokens; one that is seen twice is punished once. */
static void test_window(void **state)
{
    ft_sampling o = FT_SAMPLING_GREEDY;
    const uint32_t seen[] = {0, 1, 2, 2};
    uint32_t id;
    ft_sampler *s = NULL;
    ft_err e;
    (void)state;
    o.repetition_penalty = 2;
    OK(ft_sampler_new(&s, 4, &e));
    for (size_t window = 0; window < 6; window++) {
        /* 8 of token 0, 7 of 1, 6 of 2, 1 of 3, halved where seen. */
        float logits[4] = {8, 7, 6, 1};
        o.repetition_window = window;
        OK(ft_sample(s, &o, logits, seen, 4, 1, 0, &id, &e));
        assert_int_equal(id, 0);
        assert_true(fabsf(logits[0] - (window == 0 || window >= 4 ? 4 : 8)) < 1e-6f);
        assert_true(fabsf(logits[1] - (window == 0 || window >= 3 ? 3.5f : 7)) < 1e-6f);
        assert_true(fabsf(logits[2] - 3) < 1e-6f);
        assert_true(fabsf(logits[3] - 1) < 1e-6f);
    }
    ft_sampler_free(&s);
}

/* Pearson's chi-square of 40000 draws over 50 tokens: 49 degrees of freedom, whose 0.9999 quantile
 * is 93.2. Draws of one record and draws of many records. */
static double chi_square(size_t step_key, size_t step_index, uint64_t seed)
{
    enum { V = 50, DRAWS = 40000 };
    ft_sampling o = {.temperature = 0.8, .top_p = 1, .repetition_penalty = 1, .seed = seed};
    size_t count[V] = {0}, n;
    float logits[V], copy[V];
    double p[V], chi = 0;
    const ft_candidate *c;
    ft_sampler *s = NULL;
    ft_err e;
    for (uint32_t i = 0; i < V; i++)
        logits[i] = (float)(hash32(i + 77) >> 8) / 16777216.0f * 3;
    OK(ft_sampler_new(&s, V, &e));
    memcpy(copy, logits, sizeof logits);
    c = ft_sample_candidates(s, &o, copy, NULL, 0, &n);
    assert_int_equal(n, V);
    for (size_t i = 0; i < V; i++)
        p[c[i].id] = c[i].p;
    for (size_t i = 0; i < DRAWS; i++) {
        uint32_t id, again;
        memcpy(copy, logits, sizeof logits);
        OK(ft_sample(s, &o, copy, NULL, 0, i * step_key + 5, i * step_index, &id, &e));
        memcpy(copy, logits, sizeof logits);
        OK(ft_sample(s, &o, copy, NULL, 0, i * step_key + 5, i * step_index, &again, &e));
        assert_int_equal(id, again);
        count[id]++;
    }
    for (size_t i = 0; i < V; i++)
        chi += ((double)count[i] - DRAWS * p[i]) * ((double)count[i] - DRAWS * p[i]) /
               (DRAWS * p[i]);
    ft_sampler_free(&s);
    return chi;
}

static void test_statistics(void **state)
{
    (void)state;
    assert_true(chi_square(0, 1, 1) < 93.2);
    assert_true(chi_square(1, 0, 2) < 93.2);
    assert_true(chi_square(0x100000001, 0, 3) < 93.2);
    /* Keys that differ in their upper half; and what no chance looks like. */
    assert_true(chi_square((size_t)1 << 32, 0, 4) < 93.2);
    assert_true(chi_square(0, 0, 5) > 1000);
}

static void test_not_finite(void **state)
{
    ft_sampling o = FT_SAMPLING_GREEDY;
    float logits[3] = {1, NAN, 2};
    uint32_t id;
    ft_sampler *s = NULL;
    ft_err e;
    (void)state;
    OK(ft_sampler_new(&s, 3, &e));
    assert_int_equal(ft_sample(s, &o, logits, NULL, 0, 0, 0, &id, &e), FT_ERR_NUMERIC);
    logits[1] = INFINITY;
    assert_int_equal(ft_sample(s, &o, logits, NULL, 0, 0, 0, &id, &e), FT_ERR_NUMERIC);
    logits[1] = -INFINITY;
    assert_int_equal(ft_sample(s, &o, logits, NULL, 0, 0, 0, &id, &e), FT_ERR_NUMERIC);
    ft_sampler_free(&s);
}

/* Far apart logits and a tiny temperature make no NaN. */
static void test_extremes(void **state)
{
    ft_sampling o = {.temperature = 1e-300, .top_p = 1, .repetition_penalty = 1};
    float logits[3] = {-3e38f, 3e38f, 2};
    uint32_t id;
    size_t n;
    ft_sampler *s = NULL;
    ft_err e;
    (void)state;
    OK(ft_sampler_new(&s, 3, &e));
    for (o.top_p = 1; o.top_p > 0.2; o.top_p -= 0.3) {
        OK(ft_sample(s, &o, logits, NULL, 0, 9, 1, &id, &e));
        assert_int_equal(id, 1);
        (void)ft_sample_candidates(s, &o, logits, NULL, 0, &n);
        assert_true(n >= 1);
    }
    ft_sampler_free(&s);
}

/* ---- stop texts ---- */

/* Where the first of the strings begins in the text, or its length. */
static size_t first_stop(const char *text, size_t n, const char *const *strings, size_t n_strings)
{
    for (size_t at = 0; at < n; at++)
        for (size_t i = 0; i < n_strings; i++)
            if (strlen(strings[i]) <= n - at &&
                memcmp(text + at, strings[i], strlen(strings[i])) == 0)
                return at;
    return n;
}

/* Random texts of two letters in random pieces: however it is cut, the text ends where a search of
 * what has come finds the first string, and what was sure stays. */
static void test_stop_text(void **state)
{
    static const char *const strings[] = {"abba", "bb", "aab", "babab"};
    size_t ended = 0;
    (void)state;
    for (uint32_t round = 0; round < 4000; round++) {
        ft_stop_text t = {strings + round % 3, 1 + round / 3 % 2, {0}, 0};
        char text[64];
        size_t n = 0, sure = 0, end;
        for (uint32_t step = 0; step < 12; step++) {
            size_t old = n, piece = (size_t)ft_rng_below(1, FT_RNG_DATA, round, step * 99, 5);
            for (size_t i = 0; i < piece; i++, n++)
                text[n] = "abc"[ft_rng_below(2, FT_RNG_DATA, round, n, round % 2 ? 2 : 3)];
            end = first_stop(text, n, t.strings, t.n);
            assert_int_equal(ft_stop_text_add(&t, text + old, n - old), end < n);
            assert_int_equal(t.text.n, end);
            assert_memory_equal(t.text.p ? (const char *)t.text.p : "", text, end);
            assert_true(sure <= end);
            sure = ft_stop_text_sure(&t);
            assert_true(sure <= end);
            if (end < n) {
                assert_int_equal(sure, end);
                ended++;
                break;
            }
        }
        ft_buf_free(&t.text);
    }
    assert_true(ended > 1000 && ended < 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_candidates), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_window),     cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_stop_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
