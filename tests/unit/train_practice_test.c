/* train_practice_test.c: what stands around training: the divergence from the base against
 * autograd (tests/golden/make_kl.py), noise on embeddings, forgetting, and what evaluations are
 * taken to mean. */
#include "train_support.h"

#include "nn/nn_internal.h"
#include "train/adapter_stream.h"
#include "train/evaluations.h"
#include "train/trainer.h"

#include <math.h>

enum { STEPS = 12 };

static ft_model *toy;
static ft_mp golden, golden_kl;

static int setup(void **state)
{
    ft_err e = {0};
    ft_map map;
    size_t used;
    (void)state;
    toy = toy_open();
    golden = golden_open();
    OK(ft_map_open(&map, "tests/golden/kl.mp", &e));
    OK(ft_mp_check(map.p, map.n, &used, &e));
    golden_kl = (ft_mp){map.p, map.n};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_model_free(&toy);
    return 0;
}

static ft_adapter *read_adapter(ft_mp from, const char *key)
{
    ft_err e = {0};
    ft_buf extra = adapter_extra("lora", 4, golden_real(golden, "alpha"), toy->L, 7, &toy->digest,
                                 "");
    scratch_file f = scratch_new();
    ft_adapter *l = NULL;
    golden_adapter(f.path, from, key, (ft_mp){extra.p, extra.n}, NULL);
    OK(ft_adapter_read(&l, toy, f.path, NULL, NULL, NULL, &e));
    ft_buf_free(&extra);
    close(f.fd);
    return l;
}

static ft_train_config config(void)
{
    return (ft_train_config){
        .lr = golden_real(golden, "lr"), .warmup = golden_real(golden, "warmup"),
        .decay = golden_real(golden, "decay"), .clip = golden_real(golden, "clip"),
        .batch = (uint64_t)golden_real(golden, "batch"),
        .epochs = (uint64_t)golden_real(golden, "epochs"), .seed = 3};
}

typedef struct outcome {
    double loss[STEPS + 1], kl[STEPS + 1], norm[STEPS + 1], val_loss, forget[STEPS + 1];
    uint64_t steps, best_step;
    int forgotten;
    float *params;
    size_t n_params;
} outcome;

/* Trains on the golden rows from the golden adapter, or with fresh from one that does nothing yet;
 * the text that may be forgotten is the golden validation data. */
static outcome run(ft_train_config cfg, unsigned threads, int validate, int fresh)
{
    ft_err e = {0};
    outcome o = {0};
    ft_adapter *l = read_adapter(golden, "initial");
    ft_dataset *train = golden_dataset(golden, "examples", 1, toy->V);
    ft_dataset *val = golden_dataset(golden, "val", 1, toy->V);
    ft_trainer *t = NULL;
    ft_train_report r;
    ft_pool *pool = NULL;
    int rc;
    for (size_t i = 0; fresh && i < l->n_slots; i++)
        if (l->slots[i].role == FT_ROLE_B)
            memset(l->params + l->slots[i].at, 0,
                   l->slots[i].rows * l->slots[i].cols * sizeof(float));
    if (!validate)
        cfg.forget = val;
    OK(ft_pool_new(&pool, threads, &e));
    OK(ft_trainer_new(&t, toy, l, train, validate ? val : NULL, &cfg, pool, &e));
    OK(ft_trainer_begin(t, &r, &e));
    o.forget[0] = r.forget_loss;
    while ((rc = ft_trainer_step(t, &r, &e)) == 0) {
        size_t n;
        const ft_example_loss *x = ft_trainer_examples(t, &n);
        double sum = 0, weight = 0;
        o.loss[r.step] = r.loss;
        o.kl[r.step] = r.kl;
        o.norm[r.step] = r.grad_norm;
        o.forget[r.step] = r.forget_loss;
        if (r.validated)
            o.val_loss = r.val_loss;
        for (size_t i = 0; i < n; i++) {
            double w = (double)train->examples[x[i].example].weight * x[i].targets;
            sum += w * x[i].loss;
            weight += w;
        }
        assert_true(fabs(sum / weight - r.loss) <= 1e-12 * r.loss);
        o.steps = r.step;
    }
    assert_string_equal(rc == FT_EOS ? "" : e.text, "");
    o.forgotten = ft_trainer_has_forgotten(t);
    o.best_step = ft_trainer_best_step(t);
    o.n_params = l->n_params;
    o.params = malloc(o.n_params * sizeof *o.params);
    assert_non_null(o.params);
    memcpy(o.params, ft_trainer_params(t), o.n_params * sizeof *o.params);
    ft_trainer_free(&t);
    ft_dataset_free(&train);
    ft_dataset_free(&val);
    ft_adapter_free(&l);
    ft_pool_free(&pool);
    return o;
}

static void near(double got, double want, double relative, const char *what, size_t i)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%s %zu: %.9g, want %.9g", what, i, got, want);
}

static void same_bits(const outcome *a, const outcome *b)
{
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->kl, b->kl, sizeof a->kl);
    assert_memory_equal(a->norm, b->norm, sizeof a->norm);
    assert_memory_equal(a->forget, b->forget, sizeof a->forget);
    assert_true(a->val_loss == b->val_loss);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
}

/* ---- the divergence from the base ---- */

static void divergence_equals_autograd(void **state)
{
    ft_train_config cfg = config();
    outcome o;
    ft_adapter *want = read_adapter(golden_kl, "final"), *from = read_adapter(golden, "initial");
    ft_mp_iter it = ft_mp_iter_of(golden_get(golden_kl, "steps"));
    ft_mp step, item;
    double distance = 0, moved = 0;
    (void)state;
    cfg.kl = golden_real(golden_kl, "weight");
    o = run(cfg, 2, 1, 0);
    assert_int_equal(o.steps, STEPS);
    for (size_t i = 1; i <= STEPS; i++) {
        double v[3] = {0};
        ft_mp_iter parts;
        assert_true(ft_mp_next(&it, &step));
        parts = ft_mp_iter_of(step);
        for (size_t k = 0; k < 3; k++)
            assert_true(ft_mp_next(&parts, &item) && ft_mp_float(item, &v[k]));
        near(o.loss[i], v[0], 1e-4, "loss of step", i);
        near(o.kl[i], v[1], 1e-3, "divergence of step", i);
        near(o.norm[i], v[2], 1e-3, "gradient norm of step", i);
    }
    assert_int_equal(want->n_params, o.n_params);
    for (size_t i = 0; i < o.n_params; i++) {
        double d = (double)o.params[i] - (double)want->params[i];
        double m = (double)want->params[i] - (double)from->params[i];
        distance += d * d;
        moved += m * m;
    }
    assert_true(moved > 0);
    near(1 + sqrt(distance / moved), 1, 1e-2, "distance of the final adapter", 0);
    ft_adapter_free(&want);
    ft_adapter_free(&from);
    free(o.params);
}

/* An adapter that does nothing yet diverges from nothing. */
static void a_fresh_adapter_does_not_diverge(void **state)
{
    ft_train_config cfg = config();
    outcome with, without;
    (void)state;
    cfg.shuffle = 1;
    without = run(cfg, 2, 1, 1);
    cfg.kl = 3;
    with = run(cfg, 2, 1, 1);
    assert_true(with.kl[1] == 0 && with.loss[1] == without.loss[1]);
    assert_true(with.norm[1] == without.norm[1]);
    assert_true(with.kl[STEPS] > 0 && with.norm[STEPS] != without.norm[STEPS]);
    free(with.params);
    free(without.params);
}

/* ---- what must change no bit ---- */

static void threads_and_micro_batches_change_no_bit(void **state)
{
    static const struct { uint64_t micro; unsigned threads; int recompute; } ways[] = {
        {1, 1, 0}, {16, 1, 2}, {3, 2, 1}, {0, 3, 2}};
    enum ft_compute computes[] = {FT_COMPUTE_F32, FT_COMPUTE_BF16, FT_COMPUTE_INT8};
    (void)state;
    for (size_t k = 0; k < 3; k++)
        for (int what = 1; what <= 3; what++) {
            ft_train_config cfg = config();
            outcome first;
            cfg.shuffle = cfg.share = 1;
            cfg.compute = computes[k];
            cfg.val_every = 5;
            cfg.kl = what & 1 ? 0.7 : 0;
            cfg.neftune = what & 2 ? 5 : 0;
            first = run(cfg, 2, 0, 0);
            for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
                outcome o;
                cfg.micro = ways[i].micro;
                cfg.recompute = (enum ft_recompute)ways[i].recompute;
                o = run(cfg, ways[i].threads, 0, 0);
                same_bits(&first, &o);
                free(o.params);
            }
            free(first.params);
        }
}

/* ---- noise on embeddings ---- */

static void noise_has_the_moments_of_the_paper(void **state)
{
    enum { T = 40, KEYS = 100 };
    const double alpha = 7;
    size_t C = toy->C, n = 0;
    double bound = alpha / sqrt((double)T * (double)C), sum = 0, squares = 0, most = 0;
    ft_nn_step step = {.seed = 11, .step = 4, .neftune = (float)alpha};
    struct ft_nn nn = {.m = toy, .step = &step};
    float x[64], y[64];
    (void)state;
    assert_true(C <= 64);
    for (uint64_t key = 0; key < KEYS; key++)
        for (size_t t = 0; t < T; t++) {
            ft_seq seq = {.T = T, .key = key};
            for (size_t c = 0; c < C; c++)
                x[c] = 0;
            nn_neftune(&nn, &seq, t, T, x);
            for (size_t c = 0; c < C; c++, n++) {
                sum += (double)x[c];
                squares += (double)x[c] * (double)x[c];
                most = fmax(most, fabs((double)x[c]));
            }
        }
    /* uniform in (-bound, bound): five standard errors around the mean 0, the variance bound^2/3 */
    assert_true(fabs(sum / (double)n) < 5 * bound / sqrt(3.0 * (double)n));
    near(squares / (double)n, bound * bound / 3, 5 * sqrt(0.8 / (double)n), "variance", 0);
    assert_true(most < bound * 1.000001 && most > bound * 0.999);
    for (int other = 0; other < 4; other++) {    /* a function of these four alone */
        ft_seq seq = {.T = T, .key = other == 1};
        size_t same = 0;
        step = (ft_nn_step){.seed = 11 + (other == 2), .step = 4 + (other == 3),
                            .neftune = (float)alpha};
        for (size_t c = 0; c < C; c++)
            y[c] = 0;
        nn_neftune(&nn, &seq, 0, T, y);
        if (other == 0)
            memcpy(x, y, sizeof x);
        for (size_t c = 0; c < C; c++)
            same += x[c] == y[c];
        assert_int_equal(same, other == 0 ? C : 0);
    }
}

static void noise_is_for_training_only(void **state)
{
    ft_train_config cfg = config();
    outcome with, without;
    (void)state;
    cfg.lr = 0;
    without = run(cfg, 2, 1, 0);
    cfg.neftune = 5;
    with = run(cfg, 2, 1, 0);
    assert_true(with.val_loss == without.val_loss);
    for (size_t i = 1; i <= STEPS; i++)
        assert_true(with.loss[i] != without.loss[i] &&
                    fabs(with.loss[i] - without.loss[i]) < 0.5 * without.loss[i]);
    free(with.params);
    free(without.params);
}

/* ---- forgetting ---- */

static void forgetting_stops_the_run(void **state)
{
    ft_train_config cfg = config();
    outcome free_run, bound;
    double rise, limit = 0;
    uint64_t stop = 0, last = 0;
    (void)state;
    cfg.val_every = 1;
    cfg.lr = 0.1;
    free_run = run(cfg, 2, 0, 1);
    assert_int_equal(free_run.steps, STEPS);
    bound = run(cfg, 2, 0, 0);           /* at the start it is the base's, whatever the adapter */
    assert_true(bound.forget[0] == free_run.forget[0] && bound.forget[1] != free_run.forget[1]);
    free(bound.params);
    for (uint64_t i = 1; i <= STEPS && !stop; i++) {
        rise = free_run.forget[i] - free_run.forget[0];
        if (i == 6)
            limit = rise / 2;            /* passed at step 6 at the latest */
    }
    assert_true(limit > 0);
    for (uint64_t i = 1; i <= STEPS && !stop; i++)
        if (free_run.forget[i] - free_run.forget[0] > limit)
            stop = i;
        else
            last = i;
    cfg.max_forget = limit;
    bound = run(cfg, 2, 0, 1);
    assert_true(bound.forgotten && !free_run.forgotten && bound.steps == stop);
    assert_int_equal(bound.best_step, last);
    for (uint64_t i = 0; i <= stop; i++)
        assert_true(bound.forget[i] == free_run.forget[i]);
    free(bound.params);
    free(free_run.params);
}

/* ---- what evaluations are taken to mean ---- */

static void evaluations(void **state)
{
    /* training loss, validation loss -> evaluations in a row that look like overfitting */
    static const struct { double train, val; uint64_t rising; } table[] = {
        {3, 3.5, 0}, {2.5, 3.25, 0}, {2, 3.5, 1}, {2.25, 3.75, 0}, {2, 4, 1}, {1.5, 4.5, 2},
        {1, 4.75, 3}, {0.5, 4.75, 0}};
    ft_evaluations v = {.forgets = 1, .forget_start = 5};
    (void)state;
    assert_true(ft_evaluations_rise(&(ft_evaluations){.forget_loss = 3}) == 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double forget = 5 + 0.25 * (double)i;
        ft_evaluations_train(&v, 4 * (table[i].train + 1), 4);     /* two steps: of weights */
        ft_evaluations_train(&v, 4 * (table[i].train - 1), 4);     /* alike                 */
        ft_evaluations_take(&v, &table[i].val, &forget);
        assert_true(v.train_loss == table[i].train && v.val_loss == table[i].val);
        assert_int_equal(v.rising, table[i].rising);
        assert_true(ft_evaluations_rise(&v) == 0.25 * (double)i);
        assert_false(ft_evaluations_absurd(&v));
    }
    ft_evaluations_train(&v, 1, 1);
    ft_evaluations_train(&v, 9, 3);                                /* weighted as losses are */
    ft_evaluations_take(&v, NULL, NULL);
    assert_true(v.train_loss == 2.5);
    v.forget_loss = NAN;
    assert_true(ft_evaluations_absurd(&v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergence_equals_autograd),
        cmocka_unit_test(a_fresh_adapter_does_not_diverge),
        cmocka_unit_test(threads_and_micro_batches_change_no_bit),
        cmocka_unit_test(noise_has_the_moments_of_the_paper),
        cmocka_unit_test(noise_is_for_training_only),
        cmocka_unit_test(forgetting_stops_the_run),
        cmocka_unit_test(evaluations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
