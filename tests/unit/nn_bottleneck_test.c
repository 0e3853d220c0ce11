/* Bottleneck layers against torch (make_bottleneck.py): losses, gradients, names; and that they
 * begin as the base itself. */
#include "infer_golden.h"

#include "base/io.h"
#include "base/mp.h"
#include "nn/transformer.h"

enum { EXAMPLES_MAX = 8 };

static ft_map map;    /* held for all tests, freed by the last */

static ft_mp get(ft_mp from, const char *key)
{
    ft_mp v = {0};
    if (!ft_mp_get(from, key, &v))
        fail_msg("bottleneck.mp has no %s", key);
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

struct examples {
    ft_seq seqs[EXAMPLES_MAX];
    double nll[EXAMPLES_MAX];
    size_t n, tokens;
};

static struct examples examples_of(ft_mp part)
{
    struct examples x = {0};
    ft_mp_iter it = ft_mp_iter_of(get(part, "examples"));
    ft_mp item;
    while (ft_mp_next(&it, &item)) {
        ft_seq *s = &x.seqs[x.n];
        size_t n_ids;
        assert_true(x.n < EXAMPLES_MAX);
        s->ids = bytes(get(item, "ids"), &n_ids);
        s->target = bytes(get(item, "mask"), &s->T);
        s->weight = (float)real(item, "weight");
        s->key = x.n;
        x.nll[x.n++] = real(item, "nll");
        x.tokens += s->T;
    }
    return x;
}

static void free_examples(struct examples *x)
{
    for (size_t i = 0; i < x->n; i++) {
        free((void *)(uintptr_t)x->seqs[i].ids);
        free((void *)(uintptr_t)x->seqs[i].target);
    }
}

static void near_tensor(const char *name, const float *got, ft_mp golden, size_t n)
{
    double diff = 0, norm = 0;
    size_t size;
    float *want = bytes(golden, &size);
    assert_int_equal(size, n * sizeof *want);
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        diff += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    free(want);
    assert_true(norm > 0);
    if (!(sqrt(diff) <= 2e-5 * sqrt(norm)))
        fail_msg("gradient of %s: %g away, norm %g", name, sqrt(diff), sqrt(norm));
}

static void check(const char *kind, unsigned targets)
{
    ft_mp part = get((ft_mp){map.p, map.n}, kind);
    struct examples x = examples_of(part);
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_bottlenecks(m, targets, (size_t)real(part, "width"), 0.4);
    ft_pool *pool = golden_pool(2);
    ft_nn_limits limits = {.tokens = x.tokens, .seq_tokens = x.tokens, .training = 1};
    ft_nn_step step = {.norm = real(part, "norm")};
    float *grads = calloc(l->n_params, sizeof *grads);
    double nll[EXAMPLES_MAX];
    ft_nn *nn = NULL;
    ft_err e;
    m->context = m->context > x.tokens ? m->context : x.tokens;
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    OK(ft_nn_backward(nn, x.seqs, x.n, &step, nll, grads, &e));
    for (size_t i = 0; i < x.n; i++)
        if (!(fabs(nll[i] - x.nll[i]) <= 2e-6 * (1 + x.nll[i])))
            fail_msg("%s, loss of example %zu: %.8g, torch has %.8g", kind, i, nll[i], x.nll[i]);
    for (size_t i = 0; i < l->n_slots; i++) {
        char name[FT_SLOT_NAME];
        ft_slot_name(l, &l->slots[i], name);
        near_tensor(name, grads + l->slots[i].at, get(get(part, "grads"), name),
                    l->slots[i].rows * l->slots[i].cols);
    }
    assert_int_equal(l->n_slots, ft_mp_count(get(part, "grads")));
    free(grads);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
    free_examples(&x);
}

static void test_houlsby(void **state)
{
    (void)state;
    check("houlsby", FT_BOTTLENECK_HOULSBY);
}

static void test_pfeiffer(void **state)
{
    (void)state;
    check("pfeiffer", FT_BOTTLENECK_PFEIFFER);
}

static void losses(const ft_model *m, const ft_adapter *l, const struct examples *x, double *nll)
{
    ft_nn_limits limits = {.tokens = x->tokens, .seq_tokens = x->tokens};
    ft_pool *pool = golden_pool(2);
    ft_nn *nn = NULL;
    ft_err e;
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    OK(ft_nn_loss(nn, x->seqs, x->n, nll, NULL, &e));
    ft_nn_free(&nn);
    ft_pool_free(&pool);
}

static void test_begins_as_the_base(void **state)
{
    struct examples x = examples_of(get((ft_mp){map.p, map.n}, "houlsby"));
    ft_model *m = golden_model("toy");
    ft_adapter_config cfg = {.method = FT_METHOD_ADAPTER, .rank = 8,
                             .targets = FT_BOTTLENECK_HOULSBY};
    ft_adapter *l = NULL;
    double with[EXAMPLES_MAX], without[EXAMPLES_MAX];
    float most = 0;
    ft_err e;
    (void)state;
    OK(ft_adapter_new(&l, m, &cfg, 1, &e));
    m->context = m->context > x.tokens ? m->context : x.tokens;
    losses(m, l, &x, with);
    losses(m, NULL, &x, without);
    assert_memory_equal(with, without, x.n * sizeof *with);
    for (size_t i = 0; i < l->n_params; i++)
        most = fabsf(l->params[i]) > most ? fabsf(l->params[i]) : most;
    assert_true(most > 0.9 / sqrt((double)m->C) && most <= 1 / sqrt((double)m->C));
    ft_adapter_free(&l);
    ft_model_free(&m);
    free_examples(&x);
}

static void test_refuses(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *l = NULL;
    ft_err e;
    const ft_adapter_config bad[] = {
        {.method = FT_METHOD_ADAPTER, .rank = 0, .targets = FT_BOTTLENECK_HOULSBY},
        {.method = FT_METHOD_ADAPTER, .rank = m->C + 1, .targets = FT_BOTTLENECK_HOULSBY},
        {.method = FT_METHOD_ADAPTER, .rank = 4, .targets = 1 << FT_O},
        {.method = FT_METHOD_ADAPTER, .rank = 4}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ft_adapter_new(&l, m, &bad[i], 1, &e), FT_ERR_USAGE);
        assert_null(l);
    }
    ft_model_free(&m);
}

static int open_map(void **state)
{
    ft_err e;
    size_t used = 0;
    (void)state;
    if (ft_map_open(&map, "tests/golden/bottleneck.mp", &e) < 0 ||
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
        cmocka_unit_test(test_houlsby), cmocka_unit_test(test_pfeiffer),
        cmocka_unit_test(test_begins_as_the_base), cmocka_unit_test(test_refuses)};
    return cmocka_run_group_tests(tests, open_map, close_map);
}
