/* DoRA and IA3 against peft and torch's autograd (make_gains.py): names, initial values, losses,
 * gradients, and the weights that merging makes. */
#include "infer_golden.h"

#include "base/io.h"
#include "base/mp.h"
#include "infer/merge.h"
#include "nn/transformer.h"

enum { EXAMPLES = 8, ROW = 5 };

static ft_map map;    /* held for all tests, freed by the last */
static ft_seq seqs[EXAMPLES];
static size_t tokens, longest;
static double norm;

static const struct { const char *name; ft_adapter_config cfg; size_t slots; } parts[] = {
    {"dora", {.rank = 4, .alpha = 8, .targets = (1u << FT_TARGETS) - 1, .dora = 1}, 42},
    {"ia3", {.method = FT_METHOD_IA3, .targets = 1u << FT_K | 1u << FT_V | 1u << FT_DOWN}, 6},
    {"ia3_all", {.method = FT_METHOD_IA3, .targets = (1u << FT_TARGETS) - 1}, 14}};

enum { PARTS = sizeof parts / sizeof *parts };

static ft_mp get(ft_mp from, const char *key)
{
    ft_mp v = {0};
    if (!ft_mp_get(from, key, &v))
        fail_msg("gains.mp has no %s", key);
    return v;
}

static ft_mp whole(void)
{
    return (ft_mp){map.p, map.n};
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

/* The tensor of PEFT's name that is this slot, in the model's order; the caller frees. */
static float *tensor(ft_mp from, const ft_model *m, const ft_adapter *a, const ft_slot *s)
{
    char name[FT_SLOT_NAME];
    size_t n;
    float *peft, *own = malloc(s->rows * s->cols * sizeof *own);
    ft_slot_name(a, s, name);
    peft = bytes(get(from, name), &n);
    assert_int_equal(n, s->rows * s->cols * sizeof *own);
    ft_slot_from_peft(s, m, peft, own);
    free(peft);
    return own;
}

static void dora_begins_with_the_lengths_of_rows(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *a = NULL;
    ft_err e;
    size_t seen = 0;
    (void)state;
    OK(ft_adapter_new(&a, m, &parts[0].cfg, 1, &e));
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        float *want;
        if (s->role != FT_ROLE_MAGNITUDE)
            continue;
        assert_true(s->vector && s->cols == 1);
        want = tensor(get(whole(), "magnitudes"), m, a, s);
        for (size_t r = 0; r < s->rows; r++)
            assert_true(fabs((double)(want[r] - a->params[s->at + r])) <= 2e-6 * (double)want[r]);
        free(want);
        seen++;
    }
    assert_int_equal(seen, 14);
    ft_adapter_free(&a);
    ft_model_free(&m);
}

static float *gradients(const ft_model *m, const ft_adapter *a, enum ft_compute compute,
                        double nll[EXAMPLES])
{
    ft_nn_limits limits = {.tokens = tokens, .seq_tokens = longest, .training = 1,
                           .compute = compute};
    ft_nn_step step = {.norm = norm};
    ft_pool *pool = golden_pool(2);
    float *grads = calloc(a->n_params, sizeof *grads);
    ft_nn *nn = NULL;
    ft_err e;
    OK(ft_nn_new(&nn, m, a, pool, &limits, &e));
    OK(ft_nn_backward(nn, seqs, EXAMPLES, &step, nll, grads, &e));
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    return grads;
}

static void near_tensor(const char *name, const float *got, const float *want, size_t n,
                        double tolerance)
{
    double off = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        off += d * d;
        size += (double)want[i] * (double)want[i];
    }
    if (!(sqrt(off) <= tolerance * sqrt(size)) || !(size > 0))
        fail_msg("gradient of %s: %g away, length %g", name, sqrt(off), sqrt(size));
}

static void check_part(ft_mp golden, size_t part, const ft_model *m, enum ft_compute compute,
                       double loss_tolerance, double tolerance)
{
    ft_adapter *a = golden_gains(m, &parts[part].cfg);
    double nll[EXAMPLES], want;
    float *grads = gradients(m, a, compute, nll);
    ft_mp_iter it = ft_mp_iter_of(get(golden, "nll"));
    ft_mp item;
    assert_int_equal(a->n_slots, parts[part].slots);
    assert_int_equal(ft_mp_count(get(golden, "grads")), a->n_slots);
    for (size_t i = 0; ft_mp_next(&it, &item); i++) {
        assert_true(i < EXAMPLES && ft_mp_float(item, &want));
        if (!(fabs(nll[i] - want) <= loss_tolerance * (1 + want)))
            fail_msg("%s: loss of example %zu: %.8g, torch has %.8g", parts[part].name, i, nll[i],
                     want);
    }
    for (size_t i = 0; i < a->n_slots; i++) {
        const ft_slot *s = &a->slots[i];
        float *peft = tensor(get(golden, "grads"), m, a, s);
        char name[FT_SLOT_NAME];
        ft_slot_name(a, s, name);
        near_tensor(name, grads + s->at, peft, s->rows * s->cols, tolerance);
        free(peft);
    }
    free(grads);
    ft_adapter_free(&a);
}

static void losses_and_gradients_are_those_of_peft(void **state)
{
    ft_model *m = golden_model("toy");
    (void)state;
    for (size_t i = 0; i < PARTS; i++) {
        check_part(get(whole(), parts[i].name), i, m, FT_COMPUTE_F32, 2e-6, 2e-5);
        check_part(get(whole(), parts[i].name), i, m, FT_COMPUTE_BF16, 1e-2, 0.15);
    }
    ft_model_free(&m);
}

/* ---- merging ---- */

static const char path[] = "/tmp/ft-gains-merged";

static ft_model *merged_model(const ft_model *m, const ft_adapter *a, ft_pool *pool)
{
    ft_merge_options o = {FT_F32, {NULL, 0}, {NULL, 0}};
    ft_model *merged = NULL;
    ft_merge_difference d;
    ft_out *out = NULL;
    char name[64];
    ft_err e;
    snprintf(name, sizeof name, "%s.%ld", path, (long)getpid());
    OK(ft_out_open(&out, name, &e));
    if (ft_merge_write(m, a, &o, out, pool, &e) < 0)
        fail_msg("%s", e.text);
    OK(ft_out_commit(&out, &e));
    OK(ft_model_open(&merged, name, &e));
    unlink(name);
    if (ft_merge_verify(m, a, merged, FT_F32, pool, &d, &e) < 0)
        fail_msg("%s", e.text);
    return merged;
}

/* PEFT's row s*(D/2) + i of a head is GGUF's row 2i + s. */
static size_t gguf_row(const ft_model *m, int t, size_t row)
{
    size_t in_head = row % m->D, half = m->D / 2;
    if (t != FT_Q && t != FT_K)
        return row;
    return row - in_head + 2 * (in_head % half) + in_head / half;
}

static void check_merged(ft_mp golden, const ft_model *m, const ft_model *merged)
{
    for (size_t layer = 0; layer < m->L; layer++)
        for (int t = 0; t < FT_TARGETS; t++) {
            const ft_weight *w = &merged->layers[layer].w[t];
            const float *got = (const float *)w->data + gguf_row(m, t, ROW) * w->cols;
            char name[96];
            size_t n;
            float *want;
            snprintf(name, sizeof name, "model.layers.%zu.%s.%s.weight", layer,
                     t < FT_GATE ? "self_attn" : "mlp", ft_target_peft_name((enum ft_target)t));
            want = bytes(get(golden, name), &n);
            assert_int_equal(n, w->cols * sizeof *want);
            for (size_t c = 0; c < w->cols; c++)
                assert_true(fabs((double)got[c] - (double)want[c]) <= 1e-6);
            free(want);
        }
}

static void merged_weights_are_those_of_peft(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(2);
    (void)state;
    for (size_t i = 0; i < PARTS; i++) {
        ft_adapter *a = golden_gains(m, &parts[i].cfg);
        ft_model *merged = merged_model(m, a, pool);
        ft_merge_difference d;
        ft_err e;
        check_merged(get(get(whole(), parts[i].name), "merged"), m, merged);
        /* One wrong number in the adapter, and the merge is no longer its. */
        a->params[a->slots[a->n_slots - 1].at + 3] += 1;
        assert_int_equal(ft_merge_verify(m, a, merged, FT_F32, pool, &d, &e), FT_ERR_NUMERIC);
        ft_model_free(&merged);
        ft_adapter_free(&a);
    }
    ft_pool_free(&pool);
    ft_model_free(&m);
}

/* ---- what is refused, and what a change of parameters does ---- */

static void what_does_not_fit_is_refused(void **state)
{
    ft_adapter_config cfg = parts[0].cfg;
    ft_model *m = golden_model("toy");
    ft_adapter *a = NULL;
    ft_err e;
    (void)state;
    cfg.dropout = 0.1f;
    assert_int_equal(ft_adapter_new(&a, m, &cfg, 1, &e), FT_ERR_USAGE);
    assert_non_null(strstr(e.text, "dropout"));
    cfg = parts[1].cfg;
    cfg.targets = 0;
    assert_int_equal(ft_adapter_new(&a, m, &cfg, 1, &e), FT_ERR_USAGE);
    assert_null(a);
    ft_model_free(&m);
}

/* Lengths follow the parameters, whoever changes them, in a transformer that lives on. */
static void lengths_follow_the_parameters(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(2);
    ft_nn_limits limits = {.tokens = tokens, .seq_tokens = longest};
    ft_adapter *a = golden_gains(m, &parts[0].cfg);
    double first[EXAMPLES], second[EXAMPLES], anew[EXAMPLES];
    ft_nn *nn = NULL;
    ft_err e;
    (void)state;
    OK(ft_nn_new(&nn, m, a, pool, &limits, &e));
    OK(ft_nn_loss(nn, seqs, EXAMPLES, first, NULL, &e));
    ft_lora_b(a, a->params, 1, FT_UP)[7] += 0.5f;
    OK(ft_nn_loss(nn, seqs, EXAMPLES, second, NULL, &e));
    ft_nn_free(&nn);
    assert_true(first[1] != second[1]);
    ft_adapter_free(&a);
    a = golden_gains(m, &parts[0].cfg);
    ft_lora_b(a, a->params, 1, FT_UP)[7] += 0.5f;
    OK(ft_nn_new(&nn, m, a, pool, &limits, &e));
    OK(ft_nn_loss(nn, seqs, EXAMPLES, anew, NULL, &e));
    assert_memory_equal(second, anew, sizeof anew);
    ft_nn_free(&nn);
    ft_adapter_free(&a);
    ft_pool_free(&pool);
    ft_model_free(&m);
}

static void read_examples(void)
{
    ft_mp_iter it = ft_mp_iter_of(get(whole(), "examples"));
    ft_mp item;
    assert_true(ft_mp_get_float(whole(), "norm", &norm));
    for (size_t i = 0; ft_mp_next(&it, &item); i++) {
        size_t n_ids, n_mask;
        double weight = 0;
        assert_true(i < EXAMPLES && ft_mp_get_float(item, "weight", &weight));
        seqs[i].ids = bytes(get(item, "ids"), &n_ids);
        seqs[i].target = bytes(get(item, "mask"), &n_mask);
        seqs[i].T = n_mask;
        seqs[i].key = i;
        seqs[i].weight = (float)weight;
        assert_int_equal(n_ids, 4 * n_mask);
        tokens += n_mask;
        longest = longest > n_mask ? longest : n_mask;
    }
}

static int open_map(void **state)
{
    ft_err e;
    size_t used = 0;
    (void)state;
    if (ft_map_open(&map, "tests/golden/gains.mp", &e) < 0 ||
        ft_mp_check(map.p, map.n, &used, &e) < 0)
        fail_msg("%s", e.text);
    read_examples();
    return used == map.n ? 0 : -1;
}

static int close_map(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXAMPLES; i++) {
        free((void *)(uintptr_t)seqs[i].ids);
        free((void *)(uintptr_t)seqs[i].target);
    }
    ft_map_close(&map);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dora_begins_with_the_lengths_of_rows),
        cmocka_unit_test(losses_and_gradients_are_those_of_peft),
        cmocka_unit_test(merged_weights_are_those_of_peft),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(lengths_follow_the_parameters),
    };
    return cmocka_run_group_tests(tests, open_map, close_map);
}
