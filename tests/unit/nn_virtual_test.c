/* Prefix and prompt tuning: losses, logits, gradients and initial values against peft and
 * transformers (make_virtual.py), gradients against finite differences of a plain transformer in
 * double, and what is refused. */
#include "infer_golden.h"

#include "base/io.h"
#include "base/mp.h"
#include "nn/transformer.h"
#include "nn/virtual_tokens.h"
#include "nn_naive.h"

enum { EXAMPLES_MAX = 8, LONGEST = 160 };

static const enum ft_method methods[] = {FT_METHOD_PREFIX, FT_METHOD_PROMPT};
static ft_map map;

struct example {
    uint32_t ids[LONGEST];
    uint8_t target[LONGEST];
    ft_seq seq;
    double nll;
};

static ft_mp get(ft_mp from, const char *key)
{
    ft_mp v = {0};
    if (!ft_mp_get(from, key, &v))
        fail_msg("virtual.mp has no %s", key);
    return v;
}

static double real(ft_mp from, const char *key)
{
    double v = 0;
    assert_true(ft_mp_float(get(from, key), &v));
    return v;
}

/* Copies a bin of at most `most` bytes; returns how many there were. */
static size_t bytes(ft_mp from, const char *key, void *to, size_t most)
{
    ft_slice s = {0};
    assert_true(ft_mp_bin(get(from, key), &s) && s.n <= most);
    memcpy(to, s.p, s.n);
    return s.n;
}

static ft_mp part_of(enum ft_method method)
{
    return get((ft_mp){map.p, map.n}, ft_method_name(method));
}

static ft_adapter *adapter_of(const ft_model *m, enum ft_method method, size_t n)
{
    ft_adapter_config cfg = {.method = method, .virtual_tokens = n};
    ft_adapter *a = NULL;
    ft_err e;
    if (ft_adapter_new(&a, m, &cfg, 1, &e) < 0)
        fail_msg("%s", e.text);
    return a;
}

/* peft's values, in the order of the model. */
static ft_adapter *peft_virtual(const ft_model *m, ft_mp part, enum ft_method method)
{
    ft_adapter *a = adapter_of(m, method, (size_t)real(part, "n"));
    float *peft = malloc(a->n_params * sizeof *peft);
    golden_values(peft, a->n_params, 0, real(part, "size"));
    ft_slot_from_peft(&a->slots[0], m, peft, a->params);
    free(peft);
    return a;
}

/* Returns: how many. */
static size_t golden_examples(ft_mp part, const ft_model *m, struct example *x)
{
    size_t n = (size_t)real(part, "n"), count = 0;
    ft_mp_iter it = ft_mp_iter_of(get(part, "examples"));
    ft_mp item;
    for (; ft_mp_next(&it, &item); count++, x++) {
        size_t T = n + bytes(item, "mask", x->target + n, LONGEST - n);
        assert_int_equal(bytes(item, "ids", x->ids + n, (LONGEST - n) * 4), 4 * (T - n));
        for (size_t i = 0; i < n; i++) {
            x->ids[i] = (uint32_t)(m->V + i);
            x->target[i] = 0;
        }
        x->nll = real(item, "nll");
        x->seq = (ft_seq){.ids = x->ids, .target = x->target, .T = T,
                          .weight = (float)real(item, "weight"), .key = count};
    }
    return count;
}

static ft_nn *nn_open(const ft_model *m, const ft_adapter *a, ft_pool *pool, int training)
{
    ft_nn_limits limits = {.tokens = LONGEST, .seq_tokens = LONGEST, .training = training};
    ft_nn *nn = NULL;
    ft_err e;
    if (ft_nn_new(&nn, m, a, pool, &limits, &e) < 0)
        fail_msg("%s", e.text);
    return nn;
}

static void near_norm(const char *what, const float *got, const float *want, size_t n)
{
    double diff = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        diff += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    assert_true(norm > 0);
    if (!(sqrt(diff) <= 2e-5 * sqrt(norm)))
        fail_msg("%s: %g away, norm %g", what, sqrt(diff), sqrt(norm));
}

static void check_peft(enum ft_method method)
{
    static struct example x[EXAMPLES_MAX];
    ft_model *m = golden_model("toy");
    ft_mp part = part_of(method);
    ft_adapter *a = peft_virtual(m, part, method);
    ft_pool *pool = golden_pool(2);
    ft_nn *nn = nn_open(m, a, pool, 1);
    ft_nn_step step = {.norm = real(part, "norm")};
    size_t n = golden_examples(part, m, x), last = x[0].seq.T - 1, size = a->n_params * 4;
    float *grads = calloc(a->n_params, 4), *own = malloc(size), *want = malloc(size);
    float logits[512], theirs[512];
    double nll;
    ft_err e;
    assert_true(n > 3 && m->V == 512);
    for (size_t i = 0; i < n; i++) {
        OK(ft_nn_backward(nn, &x[i].seq, 1, &step, &nll, grads, &e));
        if (!(fabs(nll - x[i].nll) <= 2e-6 * (1 + x[i].nll)))
            fail_msg("loss of example %zu: %.8g, peft has %.8g", i, nll, x[i].nll);
    }
    assert_int_equal(bytes(part, "grad", want, size), size);
    ft_slot_to_peft(&a->slots[0], m, grads, own);
    near_norm("gradient", own, want, a->n_params);
    OK(ft_nn_logits(nn, &x[0].seq, &last, 1, logits, &e));
    assert_int_equal(bytes(part, "logits", theirs, sizeof theirs), sizeof theirs);
    near_norm("logits", logits, theirs, 512);
    free(grads);
    free(own);
    free(want);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&a);
    ft_model_free(&m);
}

static void losses_and_gradients_are_those_of_peft(void **state)
{
    (void)state;
    check_peft(FT_METHOD_PREFIX);
    check_peft(FT_METHOD_PROMPT);
}

static void they_begin_as_what_the_base_makes_of_tokens(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(2);
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        ft_mp part = part_of(methods[k]);
        ft_adapter *a = adapter_of(m, methods[k], (size_t)real(part, "n"));
        float *own = malloc(a->n_params * 4), *want = malloc(a->n_params * 4);
        uint32_t ids[16];
        size_t n = bytes(part, "begin", ids, sizeof ids) / 4;
        ft_err e;
        OK(ft_virtual_begin(a, m, ids, n, pool, &e));
        ft_slot_to_peft(&a->slots[0], m, a->params, own);
        assert_int_equal(bytes(part, "start", want, a->n_params * 4), a->n_params * 4);
        near_norm("start", own, want, a->n_params);
        free(own);
        free(want);
        ft_adapter_free(&a);
    }
    ft_pool_free(&pool);
    ft_model_free(&m);
}

/* Too few tokens are repeated, too many are cut. */
static void tokens_are_cut_or_repeated(void **state)
{
    static const uint32_t ids[] = {9, 3, 4};
    ft_model *m = golden_model("toy");
    ft_adapter *a = adapter_of(m, FT_METHOD_PROMPT, 7), *b = adapter_of(m, FT_METHOD_PROMPT, 2);
    float *row = malloc(m->C * sizeof *row);
    ft_err e;
    (void)state;
    OK(ft_virtual_begin(a, m, ids, 3, NULL, &e));
    OK(ft_virtual_begin(b, m, ids, 3, NULL, &e));
    for (size_t i = 0; i < 7; i++) {
        ft_weight_part(&m->embedding, ids[i % 3], 0, m->C, row);
        assert_memory_equal(a->params + i * m->C, row, m->C * sizeof *row);
        if (i < 2)
            assert_memory_equal(b->params + i * m->C, row, m->C * sizeof *row);
    }
    free(row);
    ft_adapter_free(&a);
    ft_adapter_free(&b);
    ft_model_free(&m);
}

/* ---- finite differences ---- */

static void make_example(struct example *x, size_t n, size_t T, size_t V)
{
    uint32_t r = (uint32_t)T * 2654435761u + 1;
    for (size_t t = 0; t < n + T; t++) {
        r = r * 1664525u + 1013904223u;
        x->ids[t] = (uint32_t)(t < n ? V + t : (r >> 8) % V);
        x->target[t] = t > n && (r >> 28) < 11;
    }
    x->target[n + T - 1] = 1;
    x->seq = (ft_seq){.ids = x->ids, .target = x->target, .T = n + T, .weight = 1.5f, .key = T};
}

static void check_differences(const ft_model *m, enum ft_method method, size_t n, size_t T)
{
    const double by = 1e-5;
    ft_adapter *a = adapter_of(m, method, n);
    size_t total = a->n_params;
    double *d = naive_new(total), *moved = naive_new(total), f[2], nll, want;
    double got = 0, size_g = 0, size_d = 0;
    float *grads = calloc(total, sizeof *grads);
    struct naive naive = {m, a, moved};
    struct example x;
    ft_nn_step step = {.norm = 1.5};
    ft_pool *pool = golden_pool(2);
    ft_nn *nn = nn_open(m, a, pool, 1);
    ft_err e;
    golden_values(a->params, total, (uint32_t)T, 1.5);
    make_example(&x, n, T, m->V);
    OK(ft_nn_backward(nn, &x.seq, 1, &step, &nll, grads, &e));
    for (size_t i = 0; i < total; i++) {
        d[i] = (double)(i * 2654435761u % 1000003u) / 500001.5 - 1;
        moved[i] = (double)a->params[i];
        got += (double)grads[i] * d[i];
        size_g += (double)grads[i] * (double)grads[i];
        size_d += d[i] * d[i];
    }
    want = naive_loss(&naive, &x.seq);
    if (!(fabs(nll - want) <= 1e-6 * (1 + want)))
        fail_msg("%zu + %zu tokens: loss %.9g, in double %.9g", n, T, nll, want);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < total; i++)
            moved[i] = (double)a->params[i] + (side ? by : -by) * d[i];
        f[side] = naive_loss(&naive, &x.seq);
    }
    want = (f[1] - f[0]) / (2 * by);
    if (!(fabs(got - want) <= 2e-5 * sqrt(size_g * size_d) + 1e-5))
        fail_msg("%zu + %zu tokens: slope %g, by differences %g", n, T, got, want);
    assert_true(size_g > 0);
    free(d);
    free(moved);
    free(grads);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_adapter_free(&a);
}

static void gradients_are_finite_differences(void **state)
{
    static const size_t sizes[][2] = {{1, 2}, {1, 130}, {7, 64}, {63, 33}, {96, 3}, {70, 90}};
    ft_model *m = golden_model("toy");
    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            check_differences(m, methods[k], sizes[i][0], sizes[i][1]);
    ft_model_free(&m);
}

/* Weights in blocks: what each frozen matrix comes to is the same as its values in floats. */
static void quantised_weights(void **state)
{
    const ft_type types[] = {FT_Q8_0, FT_Q4_1, FT_BF16};
    ft_model *m = golden_model("toy");
    ft_layer *layers = malloc(m->L * sizeof *layers), *own = m->layers;
    void *held[64];
    size_t n_held = m->L * FT_TARGETS;
    (void)state;
    assert_true(layers && n_held <= 64);
    memcpy(layers, own, m->L * sizeof *layers);
    m->layers = layers;
    for (size_t i = 0; i < n_held; i++) {
        ft_weight *w = &layers[i / FT_TARGETS].w[i % FT_TARGETS];
        size_t n = w->rows * w->cols;
        const ft_type_info *info = ft_type_info_of(types[i % 3]);
        float *full = malloc(n * sizeof *full);
        held[i] = malloc(n / info->block * info->block_bytes);
        ft_dequantise(w->type, w->data, full, n);
        ft_quantise(types[i % 3], full, held[i], n);
        w->type = types[i % 3];
        w->data = held[i];
        free(full);
    }
    check_differences(m, FT_METHOD_PREFIX, 9, 40);
    check_differences(m, FT_METHOD_PROMPT, 9, 40);
    m->layers = own;
    while (n_held > 0)
        free(held[--n_held]);
    free(layers);
    ft_model_free(&m);
}

/* ---- refusals ---- */

static void what_does_not_begin_with_them_is_refused(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *a = adapter_of(m, FT_METHOD_PREFIX, 4);
    ft_pool *pool = golden_pool(1);
    ft_nn *nn = nn_open(m, a, pool, 0), *base = nn_open(m, NULL, pool, 0);
    struct example x;
    double nll;
    ft_err e;
    (void)state;
    make_example(&x, 4, 12, m->V);
    OK(ft_nn_loss(nn, &x.seq, 1, &nll, NULL, &e));
    assert_int_equal(ft_nn_loss(base, &x.seq, 1, &nll, NULL, &e), FT_ERR_DATA);
    x.target[3] = 1;
    assert_int_equal(ft_nn_loss(nn, &x.seq, 1, &nll, NULL, &e), FT_ERR_DATA);
    x.target[3] = 0;
    x.ids[2] = x.ids[3];
    assert_int_equal(ft_nn_loss(nn, &x.seq, 1, &nll, NULL, &e), FT_ERR_DATA);
    x.ids[2] = (uint32_t)m->V + 2;
    x.ids[9] = (uint32_t)m->V + 3;
    assert_int_equal(ft_nn_loss(nn, &x.seq, 1, &nll, NULL, &e), FT_ERR_DATA);
    x.seq.ids += 4;
    x.seq.target += 4;
    x.seq.T = 3;
    assert_int_equal(ft_nn_loss(nn, &x.seq, 1, &nll, NULL, &e), FT_ERR_DATA);
    OK(ft_nn_loss(base, &x.seq, 1, &nll, NULL, &e));
    ft_nn_free(&nn);
    ft_nn_free(&base);
    ft_pool_free(&pool);
    ft_adapter_free(&a);
    ft_model_free(&m);
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
    ft_model *m = golden_model("toy");
    size_t counts[] = {0, m->context - 1, FT_VIRTUAL_MOST + 1, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ft_adapter_config cfg = {.method = FT_METHOD_PROMPT, .virtual_tokens = counts[i]};
        ft_adapter *a = NULL;
        ft_err e;
        assert_int_equal(ft_adapter_new(&a, m, &cfg, 1, &e), FT_ERR_USAGE);
        assert_null(a);
    }
    ft_model_free(&m);
}

static int open_map(void **state)
{
    ft_err e;
    size_t used = 0;
    (void)state;
    if (ft_map_open(&map, "tests/golden/virtual.mp", &e) < 0 ||
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
        cmocka_unit_test(losses_and_gradients_are_those_of_peft),
        cmocka_unit_test(they_begin_as_what_the_base_makes_of_tokens),
        cmocka_unit_test(tokens_are_cut_or_repeated),
        cmocka_unit_test(gradients_are_finite_differences),
        cmocka_unit_test(quantised_weights),
        cmocka_unit_test(what_does_not_begin_with_them_is_refused),
        cmocka_unit_test(numbers_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, open_map, close_map);
}
