/* Logits, losses and gradients against transformers, peft and torch's autograd (make_grads.py),
 * and that they are the same bytes for any threads and any cut into calls. */
#include "infer_golden.h"

#include "base/io.h"
#include "base/mp.h"
#include "nn/transformer.h"

enum { EXAMPLES_MAX = 16 };

struct golden {
    ft_mp part;
    size_t rank, n;
    double size_b, norm, nll[EXAMPLES_MAX];
    ft_seq seqs[EXAMPLES_MAX];
    size_t tokens, longest;
};

static ft_map map;    /* held for all tests, freed by the last */

static ft_mp get(ft_mp from, const char *key)
{
    ft_mp v = {0};
    if (!ft_mp_get(from, key, &v))
        fail_msg("grads.mp has no %s", key);
    return v;
}

static double real(ft_mp from, const char *key)
{
    double v = 0;
    assert_true(ft_mp_float(get(from, key), &v));
    return v;
}

/* A bin as aligned memory; the caller frees it. */
static void *bytes(ft_mp v, size_t *n)
{
    ft_slice s = {0};
    void *p;
    assert_true(ft_mp_bin(v, &s));
    p = malloc(s.n + 1);
    assert_non_null(p);
    memcpy(p, s.p, s.n);
    *n = s.n;
    return p;
}

static struct golden golden_open(const char *part)
{
    struct golden g = {.norm = 1};
    ft_mp item, whole = {map.p, map.n};
    ft_mp_iter it;
    g.part = get(whole, part);
    g.rank = (size_t)real(g.part, "rank");
    g.size_b = real(g.part, "size_b");
    (void)ft_mp_get_float(g.part, "norm", &g.norm);
    it = ft_mp_iter_of(get(g.part, "examples"));
    while (ft_mp_next(&it, &item)) {
        ft_seq *s = &g.seqs[g.n];
        size_t n_ids, n_mask;
        double weight = 1;
        s->ids = bytes(get(item, "ids"), &n_ids);
        s->target = bytes(get(item, "mask"), &n_mask);
        s->T = n_mask;
        assert_int_equal(n_ids, 4 * n_mask);
        (void)ft_mp_get_float(item, "weight", &weight);
        s->weight = (float)weight;
        s->key = g.n;
        g.nll[g.n++] = real(item, "nll");
        g.tokens += s->T;
        g.longest = g.longest > s->T ? g.longest : s->T;
    }
    return g;
}

static void golden_close(struct golden *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free((void *)(uintptr_t)g->seqs[i].ids);
        free((void *)(uintptr_t)g->seqs[i].target);
    }
}

static ft_nn *nn_open(const ft_model *m, const ft_adapter *l, ft_pool *pool, size_t tokens,
                      size_t longest, int training)
{
    ft_nn_limits limits = {.tokens = tokens, .seq_tokens = longest, .training = training};
    ft_nn *nn = NULL;
    ft_err e;
    if (ft_nn_new(&nn, m, l, pool, &limits, &e) < 0)
        fail_msg("%s", e.text);
    return nn;
}

static void near_all(const char *what, const float *got, const float *want, size_t n, double tol)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= tol))
            fail_msg("%s, element %zu: %g, torch has %g", what, i, (double)got[i],
                     (double)want[i]);
}

static void toy_logits_are_those_of_transformers(void **state)
{
    struct golden g = golden_open("toy");
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, g.rank, g.size_b);
    ft_pool *pool = golden_pool(2);
    ft_nn *nn = nn_open(m, l, pool, g.longest, g.longest, 0);
    ft_mp_iter it = ft_mp_iter_of(get(g.part, "logits"));
    ft_mp item;
    ft_err e;
    (void)state;
    for (size_t s = 0; ft_mp_next(&it, &item); s++) {
        size_t n, at[256], T = g.seqs[s].T;
        float *want = bytes(item, &n), *got = malloc(n);
        assert_int_equal(n, T * m->V * sizeof *want);
        for (size_t t = 0; t < T; t++)
            at[t] = t;
        OK(ft_nn_logits(nn, &g.seqs[s], at, T, got, &e));
        near_all("logits", got, want, T * m->V, 1e-4);
        free(want);
        free(got);
    }
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

/* Gradients of all examples, `micro` of them in a call. The caller frees. */
static float *gradients(const struct golden *g, const ft_model *m, const ft_adapter *l,
                        unsigned threads, size_t micro, float dropout, double *nll)
{
    ft_pool *pool = golden_pool(threads);
    ft_nn *nn = nn_open(m, l, pool, g->tokens, g->longest, 1);
    ft_nn_step step = {.norm = g->norm, .dropout = dropout, .seed = 7, .step = 3};
    float *grads = calloc(l->n_params, sizeof *grads);
    ft_err e;
    assert_non_null(grads);
    for (size_t i = 0; i < g->n; i += micro) {
        size_t n = g->n - i < micro ? g->n - i : micro;
        if (ft_nn_backward(nn, g->seqs + i, n, &step, nll + i, grads, &e) < 0)
            fail_msg("%s", e.text);
    }
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    return grads;
}

/* One tensor within 1e-3 of its norm (the promise), in fact 2e-5. */
static void near_tensor(const char *name, const float *got, const float *want, size_t n)
{
    double diff = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        diff += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    assert_true(norm > 0);
    if (!(sqrt(diff) <= 2e-5 * sqrt(norm)))
        fail_msg("gradient of %s: %g away, norm %g", name, sqrt(diff), sqrt(norm));
}

static void check_gradient(const struct golden *g, const ft_model *m, const ft_adapter *l,
                           float *grads, size_t layer, enum ft_target t, int b)
{
    const ft_weight *w = &m->layers[layer].w[t];
    size_t heads = t == FT_Q ? m->H : t == FT_K ? m->H_kv : 0, n;
    char name[128];
    float *want, *own;
    snprintf(name, sizeof name, "base_model.model.model.layers.%zu.%s.%s.lora_%c.weight", layer,
             t < FT_GATE ? "self_attn" : "mlp", ft_target_peft_name(t), b ? 'B' : 'A');
    want = bytes(get(get(g->part, "grads"), name), &n);
    assert_int_equal(n, g->rank * (b ? w->rows : w->cols) * sizeof *want);
    own = malloc(n);
    if (b && heads)
        ft_rows_to_peft(ft_lora_b(l, grads, layer, t), own, heads, m->D, g->rank);
    else
        memcpy(own, b ? ft_lora_b(l, grads, layer, t) : ft_lora_a(l, grads, layer, t), n);
    near_tensor(name, own, want, n / sizeof *want);
    free(want);
    free(own);
}

static void toy_gradients_are_those_of_autograd(void **state)
{
    struct golden g = golden_open("toy");
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, g.rank, g.size_b);
    double nll[EXAMPLES_MAX];
    float *grads = gradients(&g, m, l, 2, g.n, 0, nll);
    (void)state;
    for (size_t i = 0; i < g.n; i++)
        if (!(fabs(nll[i] - g.nll[i]) <= 2e-6 * (1 + g.nll[i])))
            fail_msg("loss of example %zu: %.8g, torch has %.8g", i, nll[i], g.nll[i]);
    for (size_t layer = 0; layer < m->L; layer++)
        for (unsigned t = 0; t < FT_TARGETS; t++)
            for (int b = 0; b < 2; b++)
                check_gradient(&g, m, l, grads, layer, (enum ft_target)t, b);
    free(grads);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

static void same_bytes_for_any_threads_and_cut(void **state)
{
    struct golden g = golden_open("toy");
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, g.rank, g.size_b);
    float *plain = NULL;
    (void)state;
    for (int drop = 0; drop < 2; drop++) {
        double nll[EXAMPLES_MAX], again[EXAMPLES_MAX];
        float p = l->cfg.dropout = drop ? 0.3f : 0, *grads = gradients(&g, m, l, 1, g.n, p, nll);
        for (unsigned threads = 1; threads <= 3; threads++)
            for (size_t micro = 1; micro <= 4; micro++) {
                float *other = gradients(&g, m, l, threads, micro, p, again);
                assert_memory_equal(grads, other, l->n_params * sizeof *grads);
                assert_memory_equal(nll, again, g.n * sizeof *nll);
                free(other);
            }
        if (drop)
            assert_memory_not_equal(grads, plain, l->n_params * sizeof *grads);
        free(plain);
        plain = grads;
    }
    free(plain);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

static void losses_of_targets_and_sequences_agree(void **state)
{
    struct golden g = golden_open("toy");
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, g.rank, g.size_b);
    ft_pool *pool = golden_pool(2);
    ft_nn *nn = nn_open(m, l, pool, g.tokens, g.longest, 0);
    float *token_nll = calloc(g.tokens, sizeof *token_nll);
    double nll[EXAMPLES_MAX];
    size_t at = 0;
    ft_err e;
    (void)state;
    OK(ft_nn_loss(nn, g.seqs, g.n, nll, token_nll, &e));
    for (size_t i = 0; i < g.n; i++) {
        double sum = 0;
        for (size_t t = 0; t < g.seqs[i].T; t++)
            if (g.seqs[i].target[t])
                sum += (double)token_nll[at++];
        assert_true(sum == nll[i]);
        assert_true(fabs(nll[i] - g.nll[i]) <= 2e-6 * (1 + g.nll[i]));
    }
    free(token_nll);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

static void what_is_over_a_limit_or_not_finite_is_refused(void **state)
{
    struct golden g = golden_open("toy");
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, g.rank, g.size_b);
    ft_pool *pool = golden_pool(1);
    ft_nn *nn = nn_open(m, l, pool, 70, 65, 1);
    ft_nn_step step = {.norm = 1};
    float *grads = calloc(l->n_params, sizeof *grads);
    uint32_t bad[3] = {1, (uint32_t)m->V, 2};
    uint8_t target[3] = {0, 1, 1};
    ft_seq outside = {.ids = bad, .target = target, .T = 3, .weight = 1, .key = 9};
    double nll[3];
    ft_err e;
    (void)state;
    assert_int_equal(ft_nn_loss(nn, &g.seqs[6], 1, nll, NULL, &e), FT_ERR_USAGE);
    assert_int_equal(ft_nn_backward(nn, g.seqs, 3, &step, nll, grads, &e), FT_ERR_USAGE);
    assert_int_equal(ft_nn_loss(nn, &outside, 1, nll, NULL, &e), FT_ERR_DATA);
    OK(ft_nn_backward(nn, g.seqs, 1, &step, nll, grads, &e));
    ft_lora_b(l, l->params, 1, FT_UP)[5] = (float)NAN;
    assert_int_equal(ft_nn_backward(nn, g.seqs, 1, &step, nll, grads, &e), FT_ERR_NUMERIC);
    assert_int_equal(ft_nn_loss(nn, g.seqs, 1, nll, NULL, &e), FT_ERR_NUMERIC);
    free(grads);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

/* The real model, quantised, against its dequantised weights in torch. */
static void check_real_example(ft_nn *nn, const ft_model *m, const ft_seq *s, ft_mp example,
                               double nll)
{
    size_t n_at, n_vocab, n, at[8];
    uint32_t *rows = bytes(get(example, "at"), &n_at);
    uint32_t *vocab = bytes(get(example, "vocab"), &n_vocab);
    float *want = bytes(get(example, "logits"), &n), *got;
    double own = 0;
    ft_err e;
    n_at /= sizeof *rows;
    n_vocab /= sizeof *vocab;
    assert_true(n_at <= 8 && n == n_at * n_vocab * sizeof *want);
    for (size_t i = 0; i < n_at; i++)
        at[i] = rows[i];
    got = malloc(n_at * m->V * sizeof *got);
    OK(ft_nn_logits(nn, s, at, n_at, got, &e));
    for (size_t i = 0; i < n_at; i++)
        for (size_t v = 0; v < n_vocab; v++)
            near_all("logits", &got[i * m->V + vocab[v]], &want[i * n_vocab + v], 1, 1e-3);
    OK(ft_nn_loss(nn, s, 1, &own, NULL, &e));
    assert_true(fabs(own - nll) <= 1e-5 * nll);
    free(rows);
    free(vocab);
    free(want);
    free(got);
}

static void real_logits_are_those_of_transformers(void **state)
{
    ft_model *m = golden_model("real");
    struct golden g;
    ft_adapter *l;
    ft_pool *pool;
    ft_nn *nn;
    ft_mp_iter it;
    ft_mp item;
    (void)state;
    if (!m)
        skip();
    g = golden_open("real");
    l = golden_lora(m, g.rank, g.size_b);
    pool = golden_pool(2);
    nn = nn_open(m, l, pool, g.longest, g.longest, 0);
    it = ft_mp_iter_of(get(g.part, "examples"));
    for (size_t i = 0; ft_mp_next(&it, &item); i++)
        check_real_example(nn, m, &g.seqs[i], item, g.nll[i]);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
    golden_close(&g);
}

static int open_map(void **state)
{
    ft_err e;
    size_t used = 0;
    (void)state;
    if (ft_map_open(&map, "tests/golden/grads.mp", &e) < 0 ||
        ft_mp_check(map.p, map.n, &used, &e) < 0)
        fail_msg("%s", e.text);
    return used == map.n ? 0 : -1;
}

static int close_map(void **state)
{
    (void)state;
    ft_map_close(&map);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toy_logits_are_those_of_transformers),
        cmocka_unit_test(toy_gradients_are_those_of_autograd),
        cmocka_unit_test(same_bytes_for_any_threads_and_cut),
        cmocka_unit_test(losses_of_targets_and_sequences_agree),
        cmocka_unit_test(what_is_over_a_limit_or_not_finite_is_refused),
        cmocka_unit_test(real_logits_are_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, open_map, close_map);
}
