/* What must not change a result: how sequences are cut into calls, threads, what is computed again;
 * and what may change it by rounding only: shared prefixes, a whole last layer, bf16. All for LoRA
 * and for virtual tokens, and each type of products. tests/cli/families.sh runs this program once
 * for each family of kernels. */
#include "infer_golden.h"

#include "nn/full.h"
#include "nn/transformer.h"
#include "nn/virtual_tokens.h"

#include <stdlib.h>

enum { SEQS = 6, LONGEST = 150, COMMON = 37, TOKENS = 700,
       VIRTUAL = 5 };

struct sample {
    uint32_t before[VIRTUAL], ids[LONGEST];    /* read as one array */
    uint8_t none[VIRTUAL], target[LONGEST];
};

static const size_t lengths[SEQS] = {61, 38, LONGEST, 2, 97, 64};
static const int common[SEQS] = {1, 1, 1, 0, 1, 0};     /* begins with the prefix */

static struct sample samples[SEQS];
static ft_seq seqs[SEQS];

/* Targets are rare, as answers are, and begin behind the prefix and a token. */
static void make_samples(size_t V)
{
    uint32_t x = 1;
    for (size_t s = 0; s < SEQS; s++) {
        for (size_t i = 0; i < VIRTUAL; i++)
            samples[s].before[i] = (uint32_t)(V + i);
        for (size_t t = 0; t < lengths[s]; t++) {
            x = x * 1664525u + 1013904223u;
            samples[s].ids[t] = (common[s] && t < COMMON ? (uint32_t)t * 7 + 5 : x >> 8) %
                                (uint32_t)V;
            samples[s].target[t] = t > (common[s] ? COMMON : 0) && (x >> 28) < 4;
        }
        if (lengths[s] > COMMON + 1 || !common[s])
            samples[s].target[lengths[s] - 1] = 1;
        seqs[s] = (ft_seq){.ids = samples[s].ids, .target = samples[s].target, .T = lengths[s],
                           .weight = 1 + 0.25f * (float)s, .key = s};
    }
}

struct result {
    double nll[SEQS];
    float *grads;
    size_t n;
};

static void free_result(struct result *r)
{
    free(r->grads);
}

struct setting {
    ft_nn_limits limits;
    unsigned threads;
    size_t per_call;           /* sequences */
    int share;
    float dropout;
};

static struct setting usual(enum ft_compute compute)
{
    return (struct setting){.limits = {.tokens = TOKENS, .seq_tokens = VIRTUAL + LONGEST,
                                       .training = 1, .compute = compute,
                                       .prefix_tokens = VIRTUAL + COMMON},
                            .threads = 2, .per_call = SEQS};
}

/* The sequences behind n virtual tokens. */
static void take_whole(ft_seq list[SEQS], size_t n)
{
    for (size_t s = 0; s < SEQS; s++) {
        list[s] = seqs[s];
        list[s].ids = samples[s].before + VIRTUAL - n;
        list[s].target = samples[s].none + VIRTUAL - n;
        list[s].T += n;
    }
}

/* The sequences without their common beginning of n tokens. */
static void take_rests(ft_seq rest[SEQS], size_t n)
{
    for (size_t s = 0; s < SEQS; s++) {
        if (!common[s])
            continue;
        rest[s].ids += n;
        rest[s].target += n;
        rest[s].T -= n;
        rest[s].prefix = 1;
    }
}

static struct result run(const ft_model *m, const ft_adapter *l, const struct setting *how)
{
    struct result r = {.grads = calloc(l->n_params, sizeof(float)), .n = l->n_params};
    ft_nn_step step = {.norm = 3.5, .dropout = how->dropout, .seed = 9, .step = 4};
    size_t n_virtual = ft_virtual_of(l, m).n;
    ft_seq prefix, list[SEQS];
    ft_pool *pool = golden_pool(how->threads);
    ft_nn *nn = NULL;
    ft_err e;
    assert_non_null(r.grads);
    take_whole(list, n_virtual);
    prefix = list[0];
    prefix.T = n_virtual + COMMON;
    if (how->share)
        take_rests(list, prefix.T);
    OK(ft_nn_new(&nn, m, l, pool, &how->limits, &e));
    if (how->share)
        OK(ft_nn_prefixes_begin(nn, &prefix, 1, &step, &e));
    for (size_t s = 0; s < SEQS; s += how->per_call) {
        size_t n = SEQS - s < how->per_call ? SEQS - s : how->per_call;
        OK(ft_nn_backward(nn, list + s, n, &step, r.nll + s, r.grads, &e));
    }
    if (how->share)
        OK(ft_nn_prefixes_end(nn, r.grads, &e));
    ft_nn_step_end(nn, r.grads);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    return r;
}

static void same_bytes(const char *what, const struct result *a, const struct result *b)
{
    for (size_t s = 0; s < SEQS; s++)
        if (memcmp(&a->nll[s], &b->nll[s], sizeof a->nll[s]) != 0)
            fail_msg("%s: loss %zu is %.9g, was %.9g", what, s, b->nll[s], a->nll[s]);
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(&a->grads[i], &b->grads[i], sizeof *a->grads) != 0)
            fail_msg("%s: gradient %zu of %zu is %.9g, was %.9g", what, i, a->n,
                     (double)b->grads[i], (double)a->grads[i]);
}

/* Losses and gradients as vectors: near in relation to their length. */
static void near_result(const char *what, const struct result *a, const struct result *b,
                        double tolerance)
{
    double off = 0, size = 0;
    for (size_t s = 0; s < SEQS; s++)
        if (!(fabs(a->nll[s] - b->nll[s]) <= tolerance * (1 + fabs(a->nll[s]))))
            fail_msg("%s: loss %zu is %.9g, was %.9g", what, s, b->nll[s], a->nll[s]);
    for (size_t i = 0; i < a->n; i++) {
        double d = (double)a->grads[i] - (double)b->grads[i];
        off += d * d;
        size += (double)a->grads[i] * (double)a->grads[i];
    }
    if (!(sqrt(off) <= tolerance * sqrt(size)) || !(size > 0))
        fail_msg("%s: gradients are off by %g of their length", what, sqrt(off / size));
}

static ft_model *open_toy(void)
{
    ft_model *m = NULL;
    ft_err e;
    OK(ft_model_open(&m, "tests/golden/toy.gguf", &e));
    make_samples(m->V);
    return m;
}

static ft_adapter *make_lora(const ft_model *m, float dropout)
{
    ft_adapter_config cfg = {.rank = 3, .alpha = 6, .dropout = dropout,
                             .targets = (1u << FT_TARGETS) - 1};
    ft_adapter *l = NULL;
    ft_err e;
    OK(ft_adapter_new(&l, m, &cfg, 1, &e));
    golden_values(l->params, l->n_params, 5, 0.6);
    return l;
}

static ft_adapter *make_virtual(const ft_model *m, enum ft_method method)
{
    ft_adapter_config cfg = {.method = method, .virtual_tokens = VIRTUAL};
    ft_adapter *l = NULL;
    ft_err e;
    OK(ft_adapter_new(&l, m, &cfg, 1, &e));
    golden_values(l->params, l->n_params, 5, 1.5);
    return l;
}

/* The others that are held to the same. */
enum { OTHERS = 4 };

static ft_adapter *make_other(const ft_model *m, int which)
{
    const ft_adapter_config list[] = {GOLDEN_DORA, GOLDEN_IA3_ALL};
    if (which >= 2)
        return make_virtual(m, which == 2 ? FT_METHOD_PREFIX : FT_METHOD_PROMPT);
    return golden_gains(m, &list[which]);
}

/* Runs `how` and expects the bytes of `want`. */
static void expect(const char *what, const ft_model *m, const ft_adapter *l,
                   const struct setting *how, const struct result *want)
{
    struct result r = run(m, l, how);
    same_bytes(what, want, &r);
    free_result(&r);
}

static void check_same(const ft_model *m, const ft_adapter *l, struct setting s)
{
    struct result want = run(m, l, &s);
    s.threads = 1;
    expect("one thread", m, l, &s, &want);
    s.threads = 5;
    expect("five threads", m, l, &s, &want);
    for (s.per_call = 1; s.per_call < SEQS; s.per_call++)
        expect("fewer sequences in a call", m, l, &s, &want);
    s.limits.recompute = FT_RECOMPUTE_ATTENTION;
    expect("attention computed again", m, l, &s, &want);
    s.limits.recompute = FT_RECOMPUTE_FULL;
    expect("all computed again", m, l, &s, &want);
    s.per_call = 2;
    expect("all computed again, two sequences in a call", m, l, &s, &want);
    free_result(&want);
}

/* All weights; m computes with them until it is freed. */
static ft_adapter *make_full(ft_model *m)
{
    ft_adapter_config cfg = {.method = FT_METHOD_FULL};
    ft_adapter *l = NULL;
    ft_err e;
    OK(ft_adapter_new(&l, m, &cfg, 1, &e));
    ft_full_take_over(l, m);
    return l;
}

/* Cut in all ways, with and without a whole last layer and shared prefixes. */
static void check_same_in_all(const ft_model *m, const ft_adapter *l, struct setting s)
{
    for (int way = 0; way < 4; way++) {
        s.limits.whole_last_layer = way & 1;
        s.share = way >> 1;
        check_same(m, l, s);
    }
}

static void check_bytes(enum ft_compute compute)
{
    ft_model *m = open_toy();
    ft_adapter *l = make_lora(m, 0), *dropping = make_lora(m, 0.25f);
    struct setting s = usual(compute);
    check_same(m, l, s);
    s.limits.whole_last_layer = 1;
    check_same(m, l, s);
    s.share = 1;
    check_same(m, l, s);
    s.limits.whole_last_layer = 0;
    check_same(m, l, s);
    s.share = 0;
    s.dropout = 0.25f;
    check_same(m, dropping, s);
    s.dropout = 0;
    for (int i = 0; i < OTHERS; i++) {
        ft_adapter *other = make_other(m, i);
        s.share = 0;
        check_same(m, other, s);
        s.share = 1;
        check_same(m, other, s);
        ft_adapter_free(&other);
    }
    for (int i = 0; i < 2; i++) {
        ft_adapter *b = golden_bottlenecks(m, i ? FT_BOTTLENECK_HOULSBY : FT_BOTTLENECK_PFEIFFER, 9,
                                           0.5);
        check_same_in_all(m, b, usual(compute));
        ft_adapter_free(&b);
    }
    ft_adapter_free(&l);
    l = make_full(m);
    check_same_in_all(m, l, usual(compute));
    ft_adapter_free(&l);
    ft_adapter_free(&dropping);
    ft_model_free(&m);
}

static void test_bytes_f32(void **state)
{
    (void)state;
    check_bytes(FT_COMPUTE_F32);
}

static void test_bytes_bf16(void **state)
{
    (void)state;
    check_bytes(FT_COMPUTE_BF16);
}

static void test_bytes_int8(void **state)
{
    (void)state;
    check_bytes(FT_COMPUTE_INT8);
}

static void check_near(enum ft_compute compute, const ft_model *m, const ft_adapter *l,
                       double tolerance)
{
    struct setting s = usual(compute);
    struct result plain = run(m, l, &s), whole, shared;
    s.limits.whole_last_layer = 1;
    whole = run(m, l, &s);
    near_result("whole last layer", &plain, &whole, tolerance);
    s.share = 1;
    s.limits.whole_last_layer = 0;
    shared = run(m, l, &s);
    near_result("shared prefix", &plain, &shared, tolerance);
    free_result(&plain);
    free_result(&whole);
    free_result(&shared);
}

/* LoRA for -1, one of the others, bottlenecks, or all weights: the last, for it takes m's place. */
static ft_adapter *make_any(ft_model *m, int which)
{
    if (which == OTHERS)
        return golden_bottlenecks(m, FT_BOTTLENECK_HOULSBY, 9, 0.5);
    if (which == OTHERS + 1)
        return make_full(m);
    return which < 0 ? make_lora(m, 0) : make_other(m, which);
}

static void test_near(void **state)
{
    ft_model *m = open_toy();
    (void)state;
    for (int i = -1; i <= OTHERS + 1; i++) {
        ft_adapter *l = make_any(m, i);
        /* Outputs with a gain are rounded once more. */
        check_near(FT_COMPUTE_F32, m, l, i == 0 || i == 1 ? 4e-6 : 2e-6);
        check_near(FT_COMPUTE_BF16, m, l, 2e-2);
        check_near(FT_COMPUTE_INT8, m, l, 6e-2);
        ft_adapter_free(&l);
    }
    ft_model_free(&m);
}

static void near_f32(enum ft_compute compute, const ft_model *m, const ft_adapter *l,
                     double tolerance)
{
    struct setting s = usual(FT_COMPUTE_F32);
    struct result f32 = run(m, l, &s), other;
    s = usual(compute);
    other = run(m, l, &s);
    near_result(ft_compute_name(compute), &f32, &other, tolerance);
    free_result(&f32);
    free_result(&other);
}

static void test_near_f32(void **state)
{
    ft_model *m = open_toy();
    (void)state;
    for (int i = -1; i <= OTHERS + 1; i++) {
        ft_adapter *l = make_any(m, i);
        near_f32(FT_COMPUTE_BF16, m, l, 6e-2);
        near_f32(FT_COMPUTE_INT8, m, l, 0.15);
        ft_adapter_free(&l);
    }
    ft_model_free(&m);
}

/* The plan counts what is taken, so less must be planned where less is kept. */
static void test_plan(void **state)
{
    ft_model *m = open_toy();
    ft_adapter *l = make_lora(m, 0);
    size_t last = SIZE_MAX;
    ft_err e;
    (void)state;
    for (int how = FT_RECOMPUTE_NONE; how <= FT_RECOMPUTE_FULL; how++) {
        struct setting s = usual(FT_COMPUTE_BF16);
        ft_nn_plan plan;
        s.limits.recompute = (enum ft_recompute)how;
        OK(ft_nn_plan_for(m, l, 2, &s.limits, &plan, &e));
        assert_true(plan.activations < last);
        last = plan.activations;
    }
    ft_adapter_free(&l);
    ft_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_f32), cmocka_unit_test(test_bytes_bf16),
        cmocka_unit_test(test_bytes_int8),
        cmocka_unit_test(test_near), cmocka_unit_test(test_near_f32),
        cmocka_unit_test(test_plan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
