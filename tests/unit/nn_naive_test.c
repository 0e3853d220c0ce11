/* Losses and gradients against finite differences of a plain transformer in double: lengths on
 * the edges of tiles, every choice of adapted matrices, quantised weights, an untied head. */
#include "infer_golden.h"

#include "nn/transformer.h"
#include "nn_naive.h"

enum { LONGEST = 129, PAST_A_TILE = 600 };

struct sample {
    uint32_t ids[PAST_A_TILE];
    uint8_t target[PAST_A_TILE];
    ft_seq seq;
};

static void make_sample(struct sample *s, size_t T, size_t V)
{
    uint32_t x = (uint32_t)T * 2654435761u + 1;
    for (size_t t = 0; t < T; t++) {
        x = x * 1664525u + 1013904223u;
        s->ids[t] = (x >> 8) % (uint32_t)V;
        s->target[t] = t > 0 && (x >> 28) < 11;
    }
    if (T > 1)
        s->target[T - 1] = 1;
    s->seq = (ft_seq){.ids = s->ids, .target = s->target, .T = T, .weight = 1.5f, .key = T};
}

/* The derivative of the loss along direction d within elements [from, to), by central
 * differences in double; what the step leaves out is of the order 1e-10. */
static double slope(const struct naive *n, const ft_seq *s, const double *d, size_t from,
                    size_t to)
{
    const double step = 1e-5;
    size_t total = n->l->n_params;
    double *moved = naive_new(total), f[2];
    struct naive at = {n->m, n->l, moved};
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < total; i++)
            moved[i] = n->params[i] + (i >= from && i < to ? (side ? step : -step) * d[i] : 0);
        f[side] = naive_loss(&at, s);
    }
    free(moved);
    return (f[1] - f[0]) / (2 * step);
}

static void check_range(const struct naive *n, const ft_seq *s, const float *grads,
                        const double *d, size_t from, size_t to)
{
    double want = slope(n, s, d, from, to), got = 0, size_g = 0, size_d = 0;
    for (size_t i = from; i < to; i++) {
        got += (double)grads[i] * d[i];
        size_g += (double)grads[i] * (double)grads[i];
        size_d += d[i] * d[i];
    }
    if (!(fabs(got - want) <= 2e-5 * sqrt(size_g * size_d) + 1e-5))
        fail_msg("T %zu, parameters %zu to %zu: slope %g, by differences %g", s->T, from, to, got,
                 want);
}

/* Backward of one sequence; the gradient is that of the unweighted loss. The caller frees. */
static float *backward(const ft_model *m, const ft_adapter *l, ft_pool *pool, const ft_seq *s,
                       double *nll)
{
    ft_nn_limits limits = {.tokens = s->T, .seq_tokens = s->T, .training = 1};
    ft_nn_step step = {.norm = (double)s->weight};
    float *grads = calloc(l->n_params, sizeof *grads);
    ft_nn *nn = NULL;
    ft_err e;
    assert_non_null(grads);
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    OK(ft_nn_backward(nn, s, 1, &step, nll, grads, &e));
    ft_nn_free(&nn);
    return grads;
}

/* What is trained, but for its targets. */
static const ft_adapter_config plain = {.rank = 3, .alpha = 6},
                               dora = {.rank = 3, .alpha = 6, .dora = 1},
                               ia3 = {.method = FT_METHOD_IA3};

static ft_adapter *make_adapter(const ft_model *m, ft_adapter_config cfg, unsigned targets)
{
    ft_adapter *l = NULL;
    ft_err e;
    cfg.targets = targets;
    OK(ft_adapter_new(&l, m, &cfg, 1, &e));
    golden_values(l->params, l->n_params, targets, 0.6);
    for (size_t i = 0; i < l->n_slots; i++) {
        const ft_slot *s = &l->slots[i];
        for (size_t k = 0; k < s->rows * s->cols; k++)
            if (s->role == FT_ROLE_MAGNITUDE || s->role == FT_ROLE_SCALE)
                l->params[s->at + k] += 1;
    }
    return l;
}

static ft_adapter *make_lora(const ft_model *m, unsigned targets)
{
    return make_adapter(m, plain, targets);
}

static ft_adapter *make_bottlenecks(const ft_model *m, unsigned targets, size_t width)
{
    return golden_bottlenecks(m, targets, width, 0.6);
}

/* whole: one slope through all parameters instead of one for each tensor. Takes l. */
static void check_adapter(const ft_model *m, ft_adapter *l, size_t T, int whole)
{
    ft_pool *pool = golden_pool(2);
    double *params = naive_new(l->n_params), *d = naive_new(l->n_params), nll, want;
    struct naive n = {m, l, params};
    struct sample s;
    float *grads;
    make_sample(&s, T, m->V);
    grads = backward(m, l, pool, &s.seq, &nll);
    for (size_t i = 0; i < l->n_params; i++) {
        params[i] = (double)l->params[i];
        d[i] = (double)(i * 2654435761u % 1000003u) / 500001.5 - 1;
    }
    want = naive_loss(&n, &s.seq);
    if (!(fabs(nll - want) <= 1e-6 * (1 + want)))
        fail_msg("T %zu: loss %.9g, in double %.9g", T, nll, want);
    if (whole)
        check_range(&n, &s.seq, grads, d, 0, l->n_params);
    for (size_t i = 0; !whole && i < l->n_slots; i++) {
        const ft_slot *t = &l->slots[i];
        check_range(&n, &s.seq, grads, d, t->at, t->at + t->rows * t->cols);
    }
    free(params);
    free(d);
    free(grads);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
}

static void check_method(const ft_model *m, ft_adapter_config cfg, unsigned targets, size_t T,
                         int whole)
{
    check_adapter(m, make_adapter(m, cfg, targets), T, whole);
}

static void check(const ft_model *m, unsigned targets, size_t T, int whole)
{
    check_method(m, plain, targets, T, whole);
}

enum { ALL = (1 << FT_TARGETS) - 1 };

/* Rows with magnitudes, and vectors that scale, on lengths around a tile and on each matrix. */
static void outputs_with_factors(void **state)
{
    const size_t lengths[] = {2, 31, 64, 65, LONGEST};
    ft_model *m = golden_model("toy");
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_method(m, dora, ALL, lengths[i], 0);
        check_method(m, ia3, ALL, lengths[i], 0);
    }
    for (unsigned t = 1; t <= ALL; t += t < 16 ? 1 : 3) {
        check_method(m, dora, t, 4, 0);
        check_method(m, ia3, t, 4, 0);
    }
    m->context = PAST_A_TILE;
    check_method(m, dora, ALL, PAST_A_TILE, 1);
    check_method(m, ia3, ALL, PAST_A_TILE, 1);
    ft_model_free(&m);
}

/* Widths around those of tiles and of pairs. */
static void bottlenecks(void **state)
{
    const size_t lengths[] = {2, 3, 63, 64, 65, LONGEST}, widths[] = {1, 2, 7, 16, 31, 32};
    ft_model *m = golden_model("toy");
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_adapter(m, make_bottlenecks(m, FT_BOTTLENECK_HOULSBY, widths[i]), lengths[i], 0);
        check_adapter(m, make_bottlenecks(m, FT_BOTTLENECK_PFEIFFER, widths[i]), lengths[i], 0);
    }
    m->context = PAST_A_TILE;
    check_adapter(m, make_bottlenecks(m, FT_BOTTLENECK_HOULSBY, 9), PAST_A_TILE, 1);
    ft_model_free(&m);
}

static void lengths_on_the_edges_of_tiles(void **state)
{
    const size_t lengths[] = {2, 3, 31, 63, 64, 65, LONGEST};
    ft_model *m = golden_model("toy");
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check(m, ALL, lengths[i], 0);
    ft_model_free(&m);
}

/* Longer than the toy was made for: rows, targets and queries all take several tiles. */
static void a_sequence_of_several_tiles(void **state)
{
    ft_model *m = golden_model("toy");
    (void)state;
    m->context = PAST_A_TILE;
    check(m, ALL, PAST_A_TILE, 1);
    ft_model_free(&m);
}

static void any_choice_of_matrices(void **state)
{
    ft_model *m = golden_model("toy");
    (void)state;
    for (unsigned t = 1; t <= ALL; t++)
        check(m, t, 4, 0);
    ft_model_free(&m);
}

static void a_sequence_without_targets_moves_nothing(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *l = make_lora(m, ALL);
    ft_pool *pool = golden_pool(1);
    struct sample s;
    double nll;
    float *grads;
    (void)state;
    make_sample(&s, 1, m->V);
    grads = backward(m, l, pool, &s.seq, &nll);
    assert_true(nll == 0);
    for (size_t i = 0; i < l->n_params; i++)
        assert_true(grads[i] == 0);
    free(grads);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

/* Replaces a weight by itself in another type; returns the block that holds it. */
static void *retype(ft_weight *w, ft_type type)
{
    const ft_type_info *info = ft_type_info_of(type);
    size_t n = w->rows * w->cols;
    float *full = malloc(n * sizeof *full);
    void *p = malloc(n / info->block * info->block_bytes);
    assert_true(full && p);
    ft_dequantise(w->type, w->data, full, n);
    ft_quantise(type, full, p, n);
    free(full);
    w->type = type;
    w->data = p;
    return p;
}

static void quantised_and_untied(void **state)
{
    const ft_type types[] = {FT_Q8_0, FT_Q4_0, FT_Q4_1, FT_BF16, FT_F16};
    ft_model *m = golden_model("toy");
    ft_layer *layers = malloc(m->L * sizeof *layers), *own = m->layers;
    ft_weight head = m->head;
    void *held[64];
    size_t n_held = 0;
    float *other = malloc(m->V * m->C * sizeof *other);
    (void)state;
    assert_true(layers && other);
    memcpy(layers, own, m->L * sizeof *layers);
    m->layers = layers;
    for (size_t i = 0; i < m->L * FT_TARGETS; i++)
        held[n_held++] = retype(&layers[i / FT_TARGETS].w[i % FT_TARGETS], types[i % 5]);
    golden_values(other, m->V * m->C, 77, 0.8);
    m->head.data = other;
    m->tied = 0;
    held[n_held++] = retype(&m->head, FT_Q8_0);
    check(m, ALL, 33, 0);
    check_method(m, dora, ALL, 33, 0);
    check_method(m, ia3, ALL, 33, 0);
    check_adapter(m, make_bottlenecks(m, FT_BOTTLENECK_HOULSBY, 6), 33, 0);
    m->layers = own;
    m->head = head;
    m->tied = 1;
    while (n_held > 0)
        free(held[--n_held]);
    free(layers);
    free(other);
    ft_model_free(&m);
}

/* Divisors of the rotation's frequencies, as models of long contexts have them. */
static void rotation_with_divisors(void **state)
{
    ft_model *m = golden_model("toy");
    float *own = m->rope_factors, *factors = malloc(m->D / 2 * sizeof *factors);
    (void)state;
    assert_non_null(factors);
    for (size_t i = 0; i < m->D / 2; i++)
        factors[i] = 1 + 0.7f * (float)i;
    m->rope_factors = factors;
    check(m, ALL, 65, 0);
    m->rope_factors = own;
    free(factors);
    ft_model_free(&m);
}

/* With dropout the loss that backward returns is that of the masked network: its change along the
 * gradient must be the gradient's squared length. Single precision, so to 1 %; a mask that
 * differs between forward and backward is wrong by tens. */
static double masked_loss(const ft_model *m, ft_adapter *l, ft_pool *pool, const ft_seq *s,
                          float *grads)
{
    ft_nn_limits limits = {.tokens = s->T, .seq_tokens = s->T, .training = 1};
    ft_nn_step step = {.norm = (double)s->weight, .dropout = 0.4f, .seed = 3, .step = 9};
    ft_nn *nn = NULL;
    double nll;
    ft_err e;
    memset(grads, 0, l->n_params * sizeof *grads);
    OK(ft_nn_new(&nn, m, l, pool, &limits, &e));
    OK(ft_nn_backward(nn, s, 1, &step, &nll, grads, &e));
    ft_nn_free(&nn);
    return nll;
}

static void dropout_is_the_same_forward_and_back(void **state)
{
    ft_model *m = golden_model("toy");
    ft_pool *pool = golden_pool(2);
    struct sample s;
    (void)state;
    make_sample(&s, LONGEST, m->V);
    for (unsigned t = 0; t < FT_TARGETS; t++) {
        ft_adapter *l = make_lora(m, 1u << t);
        size_t n = l->n_params;
        float *grads = malloc(n * sizeof *grads), *unused = malloc(n * sizeof *grads);
        float *at = malloc(n * sizeof *at);
        double size = 0, f[2], step;
        assert_true(grads && unused && at);
        l->cfg.dropout = 0.4f;
        memcpy(at, l->params, n * sizeof *at);
        (void)masked_loss(m, l, pool, &s.seq, grads);
        for (size_t i = 0; i < n; i++)
            size += (double)grads[i] * (double)grads[i];
        step = 0.1 / size;    /* changes the loss by 0.1 on each side */
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                l->params[i] = at[i] + (float)((side ? step : -step) * (double)grads[i]);
            f[side] = masked_loss(m, l, pool, &s.seq, unused);
        }
        if (!(fabs((f[1] - f[0]) / 0.2 - 1) <= 0.01))
            fail_msg("%s: the loss moves by %g, the gradient says 0.2",
                     ft_target_name((enum ft_target)t), f[1] - f[0]);
        free(grads);
        free(unused);
        free(at);
        ft_adapter_free(&l);
    }
    ft_pool_free(&pool);
    ft_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_on_the_edges_of_tiles),
        cmocka_unit_test(a_sequence_of_several_tiles),
        cmocka_unit_test(outputs_with_factors),
        cmocka_unit_test(any_choice_of_matrices),
        cmocka_unit_test(bottlenecks),
        cmocka_unit_test(a_sequence_without_targets_moves_nothing),
        cmocka_unit_test(quantised_and_untied),
        cmocka_unit_test(rotation_with_divisors),
        cmocka_unit_test(dropout_is_the_same_forward_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
