/* The decoder against transformers and peft (tests/golden/generate.txt), against itself cut in
 * other ways, and against the training path. */
#include "infer_golden.h"

#include "infer/generate.h"
#include "nn/transformer.h"

enum { TOKENS = 150, TOY_V = 512 };

static void fill_ids(uint32_t *ids, size_t n, uint32_t V)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)(i * 7919 + 13) % V;
}

/* Feeds ids `step` at a time and copies the logits after the last one. */
static void logits_of(const ft_model *m, const ft_lora *l, unsigned threads, const uint32_t *ids,
                      size_t n, size_t step, float *out)
{
    ft_pool *pool = golden_pool(threads);
    ft_decoder *d = NULL;
    ft_err e;
    OK(ft_decoder_new(&d, m, l, pool, n, &e));
    for (size_t at = 0; at < n; at += step)
        OK(ft_decoder_feed(d, ids + at, n - at < step ? n - at : step, &e));
    assert_int_equal(ft_decoder_tokens(d), n);
    memcpy(out, ft_decoder_logits(d), m->V * sizeof *out);
    ft_decoder_free(&d);
    ft_pool_free(&pool);
}

static void same_bits(const char *model, size_t rank, size_t tokens)
{
    static const size_t steps[] = {1, 7, 64, 65, 1000};
    ft_model *m = golden_model(model);
    uint32_t ids[TOKENS];
    float *want, *got;
    ft_lora *l;
    if (!m)
        skip();
    l = rank ? golden_lora(m, rank, 0.1) : NULL;
    fill_ids(ids, tokens, (uint32_t)m->V);
    want = calloc(m->V, sizeof *want);
    got = calloc(m->V, sizeof *got);
    logits_of(m, l, 1, ids, tokens, tokens, want);
    for (unsigned threads = 1; threads <= 3; threads++)
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            if (strcmp(model, "real") == 0 && (threads + i) % 3)
                continue;
            logits_of(m, l, threads, ids, tokens, steps[i], got);
            assert_memory_equal(want, got, m->V * sizeof *got);
        }
    free(want);
    free(got);
    ft_lora_free(&l);
    ft_model_free(&m);
}

static void test_same_bits_toy(void **state)
{
    (void)state;
    same_bits("toy", 0, TOKENS);
}

static void test_same_bits_toy_lora(void **state)
{
    (void)state;
    same_bits("toy", 5, TOKENS);
}

static void test_same_bits_real(void **state)
{
    (void)state;
    same_bits("real", 3, 70);
}

/* One "answer" line, behind its first word. */
static void check_answer(FILE *f, ft_model *m, size_t rank, size_t n, size_t n_answer)
{
    uint32_t prompt[256], want[64], got[64];
    double gap[64];
    ft_lora *l = rank ? golden_lora(m, rank, m->V == TOY_V ? 0.5 : 0.02) : NULL;
    ft_pool *pool = golden_pool(2);
    ft_stop none = {{0}, 0};
    ft_decoder *d = NULL;
    size_t came;
    ft_err e;
    assert_true(n <= 256 && n_answer <= 64);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fscanf(f, "%u", &prompt[i]), 1);
    for (size_t i = 0; i < n_answer; i++)
        assert_int_equal(fscanf(f, "%u", &want[i]), 1);
    for (size_t i = 0; i < n_answer; i++)
        assert_int_equal(fscanf(f, "%lf", &gap[i]), 1);
    OK(ft_decoder_new(&d, m, l, pool, n + n_answer, &e));
    assert_int_equal(ft_generate(d, prompt, n, &none, n_answer, got, &came, &e), FT_CUT);
    assert_int_equal(came, n_answer);
    for (size_t i = 0; i < n_answer && (want[i] == got[i] || gap[i] >= 1e-3); i++)
        assert_int_equal(want[i], got[i]);
    ft_decoder_free(&d);
    ft_pool_free(&pool);
    ft_lora_free(&l);
}

static void answers(const char *model, int at_least)
{
    FILE *f = fopen("tests/golden/generate.txt", "r");
    ft_model *m = golden_model(model);
    char kind[16], which[16], name[32], rest[4096];
    size_t rank, n, n_answer;
    assert_non_null(f);
    if (!m)
        skip();
    while (fscanf(f, "%15s", kind) == 1) {
        if (strcmp(kind, "answer") == 0) {
            assert_int_equal(fscanf(f, "%15s %zu %31s %zu %zu", which, &rank, name, &n, &n_answer),
                             5);
            if (strcmp(which, model) == 0) {
                check_answer(f, m, rank, n, n_answer);
                at_least--;
            }
        }
        assert_non_null(fgets(rest, sizeof rest, f));
    }
    assert_true(at_least <= 0);
    fclose(f);
    ft_model_free(&m);
}

static void test_answers_toy(void **state)
{
    (void)state;
    answers("toy", 6);
}

static void test_answers_real(void **state)
{
    (void)state;
    answers("real", 3);
}

/* The training path goes through BLAS: another order of the sums, the same mathematics. */
static void test_agrees_with_training(void **state)
{
    ft_model *m = golden_model("toy");
    ft_lora *l = golden_lora(m, 4, 0.3);
    ft_pool *pool = golden_pool(1);
    ft_nn_limits limits = {.tokens = TOKENS, .seq_tokens = TOKENS};
    uint32_t ids[TOKENS];
    uint8_t target[TOKENS] = {0};
    ft_seq seq = {.ids = ids, .target = target, .T = TOKENS, .weight = 1.0f};
    size_t last = TOKENS - 1;
    float a[TOY_V], b[TOY_V];
    ft_nn *nn = NULL;
    ft_err e;
    (void)state;
    fill_ids(ids, TOKENS, TOY_V);
    logits_of(m, l, 1, ids, TOKENS, TOKENS, a);
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    OK(ft_nn_logits(nn, &seq, &last, 1, b, &e));
    for (size_t i = 0; i < TOY_V; i++)
        assert_true(fabs((double)a[i] - (double)b[i]) <= 2e-4);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_lora_free(&l);
    ft_model_free(&m);
}

static void test_stops(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(1);
    uint32_t prompt[] = {7}, all[32], some[32];
    ft_stop none = {{0}, 0}, stop = {{0}, 1};
    size_t n_all, n_some, first = 0;
    ft_decoder *d = NULL;
    ft_err e;
    (void)state;
    OK(ft_decoder_new(&d, m, NULL, pool, 20, &e));
    /* 1 + 20 tokens: the last one is found without being read. */
    assert_int_equal(ft_generate(d, prompt, 1, &none, 32, all, &n_all, &e), FT_CUT);
    assert_int_equal(n_all, 20);
    assert_int_equal(ft_generate(d, prompt, 1, &none, 5, some, &n_some, &e), FT_CUT);
    assert_int_equal(n_some, 5);
    assert_memory_equal(all, some, 5 * sizeof *some);
    stop.ids[0] = all[9];
    while (all[first] != all[9])
        first++;
    assert_int_equal(ft_generate(d, prompt, 1, &stop, 32, some, &n_some, &e), FT_ENDED);
    assert_int_equal(n_some, first);
    ft_decoder_free(&d);
    ft_pool_free(&pool);
    ft_model_free(&m);
}

static void test_refuses(void **state)
{
    ft_model *m = golden_model("toy");
    ft_lora *l = golden_lora(m, 2, 0.3);
    ft_pool *pool = golden_pool(1);
    uint32_t ids[16] = {0}, answer[4];
    ft_stop none = {{0}, 0};
    ft_decoder *d = NULL;
    size_t n;
    ft_err e;
    (void)state;
    assert_int_equal(ft_decoder_new(&d, m, NULL, pool, 0, &e), FT_ERR_USAGE);
    assert_int_equal(ft_decoder_new(&d, m, NULL, pool, m->context + 1, &e), FT_ERR_USAGE);
    OK(ft_decoder_new(&d, m, l, pool, 8, &e));
    assert_int_equal(ft_decoder_feed(d, ids, 9, &e), FT_ERR_USAGE);
    assert_int_equal(ft_decoder_feed(d, ids, 0, &e), FT_ERR_USAGE);
    assert_int_equal(ft_generate(d, ids, 8, &none, 4, answer, &n, &e), FT_ERR_DATA);
    ids[3] = TOY_V;
    assert_int_equal(ft_decoder_feed(d, ids, 4, &e), FT_ERR_DATA);
    assert_int_equal(ft_decoder_tokens(d), 0);
    ids[3] = 0;
    l->params[5] = NAN;
    assert_int_equal(ft_decoder_feed(d, ids, 4, &e), FT_ERR_NUMERIC);
    ft_decoder_free(&d);
    ft_pool_free(&pool);
    ft_lora_free(&l);
    ft_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits_toy),   cmocka_unit_test(test_same_bits_toy_lora),
        cmocka_unit_test(test_same_bits_real),  cmocka_unit_test(test_answers_toy),
        cmocka_unit_test(test_answers_real),    cmocka_unit_test(test_agrees_with_training),
        cmocka_unit_test(test_stops),           cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
