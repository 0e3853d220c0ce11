/* Embeddings against a plain transformer in double and against transformers' hidden states, and
 * their promise: neither the other sequences, the size of calls nor threads change a bit. */
#include "infer_golden.h"

#include "nn/embed.h"
#include "nn_naive.h"

enum { LONGEST = 150, MOST = 40 };

struct samples {
    uint32_t ids[MOST * LONGEST];
    ft_seq seqs[MOST];
    size_t n, tokens;
};

static void make_samples(struct samples *s, size_t n, size_t V)
{
    uint32_t x = 12345;
    *s = (struct samples){.n = n};
    for (size_t i = 0; i < n; i++) {
        size_t T = 1 + i * 37 % LONGEST;
        s->seqs[i] = (ft_seq){.ids = s->ids + s->tokens, .T = T, .key = 100 + i};
        for (size_t t = 0; t < T; t++) {
            x = x * 1664525u + 1013904223u;
            s->ids[s->tokens++] = (x >> 8) % (uint32_t)V;
        }
    }
}

static ft_nn *nn_for(const ft_model *m, const ft_adapter *l, ft_pool *pool, size_t tokens,
                     enum ft_compute compute)
{
    ft_nn_limits limits = {.tokens = tokens, .seq_tokens = LONGEST, .targets = 1,
                           .compute = compute, .whole_last_layer = 1};
    ft_nn *nn = NULL;
    ft_err e;
    limits.seq_tokens = m->context < LONGEST ? m->context : LONGEST;
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    return nn;
}

/* Vectors of all; the caller frees. */
static float *embed(const ft_model *m, const ft_adapter *l, const struct samples *s,
                    unsigned threads, size_t tokens, enum ft_compute compute)
{
    ft_pool *pool = golden_pool(threads);
    ft_nn *nn = nn_for(m, l, pool, tokens, compute);
    float *out = calloc(s->n * m->C, sizeof *out);
    ft_err e;
    assert_non_null(out);
    OK(ft_embed(nn, s->seqs, s->n, out, &e));
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    return out;
}

/* The largest difference as a share of the wanted vector's length. */
static double distance(const float *got, const double *want, size_t n)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += want[i] * want[i];
    }
    return sqrt(sum / size);
}

static void check_naive(const ft_model *m, const ft_adapter *l, enum ft_compute compute, double tol)
{
    struct samples s;
    double *params = naive_new(l ? l->n_params : 0), *mean = naive_new(m->C);
    struct naive n = {m, l, params};
    float *got;
    for (size_t i = 0; l && i < l->n_params; i++)
        params[i] = (double)l->params[i];
    make_samples(&s, 9, m->V);
    got = embed(m, l, &s, 2, 200, compute);
    for (size_t i = 0; i < s.n; i++) {
        double *h = naive_hidden(&n, &s.seqs[i]);
        memset(mean, 0, m->C * sizeof *mean);
        for (size_t at = 0; at < s.seqs[i].T * m->C; at++)
            mean[at % m->C] += h[at] / (double)s.seqs[i].T;
        if (!(distance(got + i * m->C, mean, m->C) <= tol))
            fail_msg("sequence %zu of %zu tokens: off by %g", i, s.seqs[i].T,
                     distance(got + i * m->C, mean, m->C));
        free(h);
    }
    free(got);
    free(mean);
    free(params);
}

static void vectors_are_the_means_by_definition(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, 4, 0.5);
    (void)state;
    m->context = LONGEST;
    check_naive(m, NULL, FT_COMPUTE_F32, 1e-5);
    check_naive(m, l, FT_COMPUTE_F32, 1e-5);
    check_naive(m, NULL, FT_COMPUTE_BF16, 0.03);
    check_naive(m, NULL, FT_COMPUTE_INT8, 0.06);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static void calls_and_threads_change_no_bit(void **state)
{
    const enum ft_compute computes[] = {FT_COMPUTE_F32, FT_COMPUTE_BF16, FT_COMPUTE_INT8};
    ft_model *m = golden_model("toy");
    struct samples s;
    (void)state;
    m->context = LONGEST;
    make_samples(&s, MOST, m->V);
    for (size_t c = 0; c < 3; c++) {
        float *one = embed(m, NULL, &s, 1, s.tokens, computes[c]);
        for (size_t tokens = LONGEST; tokens < 600; tokens += 111) {
            float *other = embed(m, NULL, &s, 1 + (unsigned)tokens % 4, tokens, computes[c]);
            assert_memory_equal(one, other, s.n * m->C * sizeof *one);
            free(other);
        }
        free(one);
    }
    ft_model_free(&m);
}

static void read_numbers(FILE *f, double *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fscanf(f, "%lf", &p[i]), 1);
}

/* Those of a model in tests/golden/embed.txt. Returns: how many lines there were. */
static size_t compare_with_transformers(const char *name, double tol)
{
    FILE *f = fopen("tests/golden/embed.txt", "r");
    size_t lines = 0, lora, T, C;
    char model[8];
    assert_non_null(f);
    while (fscanf(f, "%7s %zu %zu %zu", model, &lora, &T, &C) == 4) {
        double *ids = naive_new(T), *want = naive_new(C);
        ft_model *m = strcmp(model, name) == 0 ? golden_model(name) : NULL;
        ft_adapter *l = m && lora ? golden_lora(m, lora, 0.5) : NULL;
        read_numbers(f, ids, T);
        read_numbers(f, want, C);
        if (m) {
            uint32_t *tokens = calloc(T, sizeof *tokens);
            float *got = calloc(C, sizeof *got);
            ft_nn_limits limits = {.tokens = T, .seq_tokens = T, .targets = 1,
                                   .whole_last_layer = 1};
            ft_seq seq = {.ids = tokens, .T = T};
            ft_pool *pool = golden_pool(2);
            ft_nn *nn = NULL;
            ft_err e;
            assert_true(tokens && got && C == m->C);
            for (size_t t = 0; t < T; t++)
                tokens[t] = (uint32_t)ids[t];
            OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
            OK(ft_embed(nn, &seq, 1, got, &e));
            if (!(distance(got, want, C) <= tol))
                fail_msg("%s, %zu tokens: off by %g", name, T, distance(got, want, C));
            lines++;
            ft_nn_free(&nn);
            ft_pool_free(&pool);
            free(tokens);
            free(got);
        }
        ft_adapter_free(&l);
        ft_model_free(&m);
        free(ids);
        free(want);
    }
    assert_true(feof(f));
    fclose(f);
    return lines;
}

static void vectors_are_those_of_transformers(void **state)
{
    (void)state;
    assert_int_equal(compare_with_transformers("toy", 2e-6), 9);
}

static void vectors_of_a_real_model_are_those_of_transformers(void **state)
{
    ft_model *m = golden_model("real");
    (void)state;
    if (!m)
        skip();
    ft_model_free(&m);
    assert_int_equal(compare_with_transformers("real", 2e-5), 3);
}

static void what_cannot_be_embedded_is_refused(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(1);
    ft_nn *nn = nn_for(m, NULL, pool, LONGEST, FT_COMPUTE_F32);
    ft_nn_limits losses = {.tokens = 8, .seq_tokens = 8};
    uint32_t ids[2] = {1, (uint32_t)m->V};
    ft_seq good = {.ids = ids, .T = 1}, seq = good;
    float *out = calloc(m->C, sizeof *out);
    ft_err e;
    (void)state;
    assert_non_null(out);
    OK(ft_embed(nn, NULL, 0, out, &e));
    OK(ft_embed(nn, &good, 1, out, &e));
    seq.T = 2;
    assert_int_equal(ft_embed(nn, &seq, 1, out, &e), FT_ERR_DATA);
    seq.T = 0;
    assert_int_equal(ft_embed(nn, &seq, 1, out, &e), FT_ERR_USAGE);
    seq.T = LONGEST + 1;
    assert_int_equal(ft_embed(nn, &seq, 1, out, &e), FT_ERR_USAGE);
    seq = good;
    seq.prefix = 1;
    assert_int_equal(ft_embed(nn, &seq, 1, out, &e), FT_ERR_USAGE);
    ft_nn_free(&nn);
    OK(ft_nn_new(&nn, m, NULL, pool, &losses, &e));
    assert_int_equal(ft_embed(nn, &good, 1, out, &e), FT_ERR_USAGE);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_model_free(&m);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_the_means_by_definition),
        cmocka_unit_test(calls_and_threads_change_no_bit),
        cmocka_unit_test(vectors_are_those_of_transformers),
        cmocka_unit_test(vectors_of_a_real_model_are_those_of_transformers),
        cmocka_unit_test(what_cannot_be_embedded_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
