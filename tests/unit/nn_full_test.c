/* Full fine-tuning: gradients of all weights against torch (make_full.py), the same bytes however a
 * step is cut, an untied head, and that the model computes with the parameters. */
#include "infer_golden.h"

#include "base/io.h"
#include "base/mp.h"
#include "nn/full.h"
#include "nn/transformer.h"

enum { EXAMPLES_MAX = 8, LONGEST = 100, TOKENS = 300 };

static ft_map map;    /* held for all tests, freed by the last */

static ft_mp get(ft_mp from, const char *key)
{
    ft_mp v = {0};
    if (!ft_mp_get(from, key, &v))
        fail_msg("full.mp has no %s", key);
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

static ft_mp golden(void)
{
    return (ft_mp){map.p, map.n};
}

struct examples {
    ft_seq seqs[EXAMPLES_MAX];
    double nll[EXAMPLES_MAX];
    size_t n;
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

static ft_adapter *make(ft_model *m)
{
    ft_adapter_config cfg = {.method = FT_METHOD_FULL};
    ft_adapter *a = NULL;
    ft_err e;
    OK(ft_adapter_new(&a, m, &cfg, 1, &e));
    ft_full_take_over(a, m);
    return a;
}

struct setting {
    enum ft_compute compute;
    enum ft_recompute recompute;
    unsigned threads;
    size_t per_call;
    int whole;
};

/* Gradients of all examples; the caller frees. */
static float *gradients(const ft_model *m, const ft_adapter *a, const struct examples *x,
                        struct setting how, double *nll)
{
    ft_nn_limits limits = {.tokens = TOKENS, .seq_tokens = LONGEST, .training = 1,
                           .compute = how.compute, .recompute = how.recompute,
                           .whole_last_layer = how.whole};
    ft_nn_step step = {.norm = real(golden(), "norm")};
    ft_pool *pool = golden_pool(how.threads);
    float *grads = calloc(a->n_params, sizeof *grads);
    ft_nn *nn = NULL;
    ft_err e;
    assert_non_null(grads);
    OK(ft_nn_new(&nn, m, a, pool, &limits, &e));
    for (size_t i = 0; i < x->n; i += how.per_call) {
        size_t n = x->n - i < how.per_call ? x->n - i : how.per_call;
        OK(ft_nn_backward(nn, x->seqs + i, n, &step, nll + i, grads, &e));
    }
    ft_nn_step_end(nn, grads);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    return grads;
}

static double distance(const float *a, const float *b, size_t n, double *norm)
{
    double diff = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        diff += d * d;
        size += (double)b[i] * (double)b[i];
    }
    *norm = sqrt(size);
    return sqrt(diff);
}

static const struct setting usual = {.threads = 2, .per_call = EXAMPLES_MAX};

static void test_torch(void **state)
{
    struct examples x = examples_of(golden());
    ft_model *m = golden_model("toy");
    ft_adapter *a = make(m);
    double nll[EXAMPLES_MAX];
    float *grads = gradients(m, a, &x, usual, nll);
    (void)state;
    for (size_t i = 0; i < x.n; i++)
        if (!(fabs(nll[i] - x.nll[i]) <= 2e-6 * (1 + x.nll[i])))
            fail_msg("loss of example %zu: %.8g, torch has %.8g", i, nll[i], x.nll[i]);
    assert_int_equal(a->n_slots, ft_mp_count(get(golden(), "grads")));
    assert_int_equal(a->n_params, ft_model_parameters(m));
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        size_t n = s->rows * s->cols, size;
        char name[FT_SLOT_NAME];
        float *want, *own = malloc(n * sizeof *own);
        double norm, off;
        ft_slot_name(a, s, name);
        want = bytes(get(get(golden(), "grads"), name), &size);
        assert_int_equal(size, n * sizeof *want);
        ft_slot_to_peft(s, m, grads + s->at, own);
        off = distance(own, want, n, &norm);
        if (!(off <= 2e-5 * norm) || !(norm > 0))
            fail_msg("gradient of %s: %g away, norm %g", name, off, norm);
        free(want);
        free(own);
    }
    free(grads);
    ft_adapter_free(&a);
    ft_model_free(&m);
    free_examples(&x);
}

static void test_bytes(void **state)
{
    static const enum ft_compute types[] = {FT_COMPUTE_F32, FT_COMPUTE_BF16, FT_COMPUTE_INT8};
    struct examples x = examples_of(golden());
    ft_model *m = golden_model("toy");
    ft_adapter *a = make(m);
    double nll[EXAMPLES_MAX], again[EXAMPLES_MAX];
    (void)state;
    for (size_t c = 0; c < 6; c++) {
        struct setting s = usual;
        float *want;
        s.compute = types[c % 3];
        s.whole = c >= 3;
        want = gradients(m, a, &x, s, nll);
        for (int recompute = FT_RECOMPUTE_NONE; recompute <= FT_RECOMPUTE_FULL; recompute++)
            for (s.per_call = 1; s.per_call <= x.n; s.per_call++) {
                float *got;
                s.threads = (unsigned)s.per_call % 3 + 1;
                s.recompute = (enum ft_recompute)recompute;
                got = gradients(m, a, &x, s, again);
                assert_memory_equal(nll, again, x.n * sizeof *nll);
                assert_memory_equal(want, got, a->n_params * sizeof *got);
                free(got);
            }
        free(want);
    }
    ft_adapter_free(&a);
    ft_model_free(&m);
    free_examples(&x);
}

static void test_near_f32(void **state)
{
    struct examples x = examples_of(golden());
    ft_model *m = golden_model("toy");
    ft_adapter *a = make(m);
    double nll[EXAMPLES_MAX], norm, off;
    float *f32 = gradients(m, a, &x, usual, nll);
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct setting s = usual;
        float *other;
        s.compute = i ? FT_COMPUTE_INT8 : FT_COMPUTE_BF16;
        other = gradients(m, a, &x, s, nll);
        off = distance(other, f32, a->n_params, &norm);
        if (!(off <= (i ? 0.15 : 0.06) * norm))
            fail_msg("%s: off by %g of %g", ft_compute_name(s.compute), off, norm);
        free(other);
    }
    free(f32);
    ft_adapter_free(&a);
    ft_model_free(&m);
    free_examples(&x);
}

/* The gradient of a tied head is that of the embedding and that of the head together; and along the
 * head's own gradient the loss changes as it says. */
static void test_untied(void **state)
{
    struct examples x = examples_of(golden());
    ft_model *m = golden_model("toy"), *apart = golden_model("toy");
    ft_adapter *a = make(m), *b;
    size_t n = m->V * m->C;
    float *copy = malloc(n * sizeof *copy), *sum = malloc(n * sizeof *sum), *head, *tied, *grads;
    float *unused;
    double nll[EXAMPLES_MAX], norm, off, f[2] = {0}, size = 0, step;
    (void)state;
    assert_true(copy && sum);
    memcpy(copy, a->params, n * sizeof *copy);
    apart->tied = 0;
    apart->head = apart->embedding;
    apart->head.data = copy;
    b = make(apart);
    assert_int_equal(b->n_params, a->n_params + n);
    tied = gradients(m, a, &x, usual, nll);
    grads = gradients(apart, b, &x, usual, nll);
    head = b->params + b->slots[b->n_slots - 1].at;
    for (size_t i = 0; i < n; i++) {
        float g = grads[b->slots[b->n_slots - 1].at + i];
        sum[i] = grads[i] + g;
        size += (double)g * (double)g;
    }
    off = distance(sum, tied, n, &norm);
    assert_true(off <= 1e-6 * norm && size > 0);
    step = 0.01 / size;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            head[i] = copy[i] + (float)(side ? step : -step) *
                                    grads[b->slots[b->n_slots - 1].at + i];
        unused = gradients(apart, b, &x, usual, nll);
        for (size_t i = 0; i < x.n; i++)
            f[side] += (double)x.seqs[i].weight * nll[i] / real(golden(), "norm");
        free(unused);
    }
    if (!(fabs((f[1] - f[0]) / 0.02 - 1) <= 0.01))
        fail_msg("the loss moves by %g, the gradient says 0.02", f[1] - f[0]);
    free(tied);
    free(grads);
    free(sum);
    ft_adapter_free(&a);
    ft_adapter_free(&b);
    ft_model_free(&m);
    ft_model_free(&apart);
    free(copy);
    free_examples(&x);
}

static int open_map(void **state)
{
    ft_err e;
    size_t used = 0;
    (void)state;
    if (ft_map_open(&map, "tests/golden/full.mp", &e) < 0 ||
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
        cmocka_unit_test(test_torch), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_near_f32), cmocka_unit_test(test_untied)};
    return cmocka_run_group_tests(tests, open_map, close_map);
}
