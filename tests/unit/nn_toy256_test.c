/* nn_toy256_test.c: the logits of a model in GGUF's K types and Q5, against numpy over the weights
 * that gguf decodes (make_toy256.py). */
#include "infer_golden.h"

#include "base/io.h"
#include "nn/transformer.h"

#include <stdlib.h>

enum { POSITIONS = 4, VOCABULARY = 512, TOKENS_MAX = 64 };

static void the_model_has_the_types_to_be_tested(void **state)
{
    static const ft_type want[FT_TARGETS] = {FT_Q4_K, FT_Q5_K, FT_Q6_K, FT_Q5_0, FT_Q4_K, FT_Q5_1,
                                             FT_Q5_K};
    ft_model *m = NULL;
    ft_err e;
    (void)state;
    assert_int_equal(ft_model_open(&m, "tests/golden/toy256.gguf", &e), 0);
    for (size_t t = 0; t < FT_TARGETS; t++)
        assert_int_equal(m->layers[0].w[t].type, want[t]);
    assert_int_equal(m->embedding.type, FT_Q6_K);
    ft_model_free(&m);
}

static void logits_are_those_of_the_decoded_weights(void **state)
{
    ft_model *m = NULL;
    ft_pool *pool = NULL;
    ft_nn *nn = NULL;
    ft_map map;
    ft_rd r;
    ft_err e;
    uint32_t ids[TOKENS_MAX];
    uint8_t none[TOKENS_MAX] = {0};
    size_t at[POSITIONS], T, n;
    static float got[POSITIONS * VOCABULARY], want[POSITIONS * VOCABULARY];
    (void)state;
    assert_int_equal(ft_map_open(&map, "tests/golden/toy256.golden", &e), 0);
    r = ft_rd_of(map.p, map.n);
    T = ft_rd_u32(&r);
    n = ft_rd_u32(&r);
    assert_true(T <= TOKENS_MAX && n == POSITIONS);
    for (size_t i = 0; i < T; i++)
        ids[i] = ft_rd_u32(&r);
    for (size_t i = 0; i < n; i++)
        at[i] = ft_rd_u32(&r);
    memcpy(want, ft_rd_bytes(&r, sizeof want), sizeof want);
    assert_false(r.failed);

    assert_int_equal(ft_model_open(&m, "tests/golden/toy256.gguf", &e), 0);
    assert_int_equal(m->V, VOCABULARY);
    assert_int_equal(ft_pool_new(&pool, 2, &e), 0);
    ft_nn_limits limits = {.tokens = T, .seq_tokens = T};
    ft_seq seq = {.ids = ids, .target = none, .T = T, .weight = 1};
    assert_int_equal(ft_nn_new(&nn, m, NULL, pool, &limits, &e), 0);
    assert_int_equal(ft_nn_logits(nn, &seq, at, n, got, &e), 0);
    for (size_t i = 0; i < POSITIONS * VOCABULARY; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-4f))
            fail_msg("logit %zu after token %zu: %.7g, golden says %.7g", i % VOCABULARY,
                     at[i / VOCABULARY], (double)got[i], (double)want[i]);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_model_free(&m);
    ft_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_has_the_types_to_be_tested),
        cmocka_unit_test(logits_are_those_of_the_decoded_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
