/* train_golden_test.c: the trainer against transformers and peft (tests/golden/make_train.py): the
 * same rows from the same initial adapter give the same losses, norms and final adapter; and what
 * must change no bit. */
#include "train_support.h"

#include "train/adapter_stream.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <math.h>

enum { STEPS = 12 };

static ft_model *toy;
static ft_mp golden;

static int setup(void **state)
{
    (void)state;
    toy = toy_open();
    golden = golden_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_model_free(&toy);
    return 0;
}

static ft_adapter *read_golden_adapter(const char *key)
{
    ft_err e = {0};
    ft_buf extra = adapter_extra("lora", 4, golden_real(golden, "alpha"), toy->L, 7, &toy->digest,
                                 "");
    scratch_file f = scratch_new();
    ft_adapter *l = NULL;
    golden_adapter(f.path, golden, key, (ft_mp){extra.p, extra.n}, NULL);
    OK(ft_adapter_read(&l, toy, f.path, NULL, NULL, NULL, &e));
    ft_buf_free(&extra);
    close(f.fd);
    return l;
}

static ft_train_config golden_config(void)
{
    return (ft_train_config){
        .lr = golden_real(golden, "lr"), .warmup = golden_real(golden, "warmup"),
        .decay = golden_real(golden, "decay"), .clip = golden_real(golden, "clip"),
        .batch = (uint64_t)golden_real(golden, "batch"),
        .epochs = (uint64_t)golden_real(golden, "epochs")};
}

typedef struct outcome {
    double loss[STEPS], lr[STEPS], norm[STEPS], val_loss;
    float *params;
    size_t n_params;
} outcome;

/* Trains on the golden rows, `per_row` examples in each. */
static outcome run(const ft_train_config *cfg, size_t per_row, unsigned threads, float dropout)
{
    ft_err e = {0};
    outcome o = {0};
    ft_adapter *l = read_golden_adapter("initial");
    ft_dataset *train = golden_dataset(golden, "examples", per_row, toy->V);
    ft_dataset *val = golden_dataset(golden, "val", per_row, toy->V);
    ft_trainer *t = NULL;
    ft_train_report r;
    ft_pool *pool = NULL;
    int rc;
    l->cfg.dropout = dropout;
    OK(ft_pool_new(&pool, threads, &e));
    OK(ft_trainer_new(&t, toy, l, train, val, cfg, pool, &e));
    assert_int_equal(ft_trainer_steps(t), STEPS);
    while ((rc = ft_trainer_step(t, &r, &e)) == 0) {
        assert_true(r.step >= 1 && r.step <= STEPS);
        o.loss[r.step - 1] = r.loss;
        o.lr[r.step - 1] = r.lr;
        o.norm[r.step - 1] = r.grad_norm;
        assert_int_equal(r.validated, r.step == STEPS);
        if (r.validated)
            o.val_loss = r.val_loss;
    }
    assert_int_equal(rc, FT_EOS);
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

static void losses_and_adapter_equal_those_of_peft(void **state)
{
    ft_train_config cfg = golden_config();
    outcome o = run(&cfg, 1, 2, 0);
    ft_adapter *want = read_golden_adapter("final"), *from = read_golden_adapter("initial");
    ft_mp_iter it = ft_mp_iter_of(golden_get(golden, "steps"));
    ft_mp step, item;
    double distance = 0, moved = 0;
    (void)state;
    for (size_t i = 0; i < STEPS; i++) {
        double v[3] = {0};
        ft_mp_iter parts;
        assert_true(ft_mp_next(&it, &step));
        parts = ft_mp_iter_of(step);
        for (size_t k = 0; k < 3; k++)
            assert_true(ft_mp_next(&parts, &item) && ft_mp_float(item, &v[k]));
        near(o.loss[i], v[0], 1e-4, "loss of step", i + 1);
        near(o.lr[i], v[1], 1e-12, "rate of step", i + 1);
        near(o.norm[i], v[2], 1e-3, "gradient norm of step", i + 1);
    }
    near(o.val_loss, golden_real(golden, "val_loss"), 1e-4, "validation loss", 0);
    assert_int_equal(want->n_params, o.n_params);
    for (size_t i = 0; i < o.n_params; i++) {
        double d = (double)o.params[i] - (double)want->params[i];
        double m = (double)want->params[i] - (double)from->params[i];
        distance += d * d;
        moved += m * m;
    }
    /* Against the way that training went, not against the size of the parameters. */
    assert_true(moved > 0);
    near(1 + sqrt(distance / moved), 1, 1e-2, "distance of the final adapter", 0);
    ft_adapter_free(&want);
    ft_adapter_free(&from);
    free(o.params);
}

static void same_bits(const outcome *a, const outcome *b)
{
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->norm, b->norm, sizeof a->norm);
    assert_true(a->val_loss == b->val_loss);
    assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
}

static void threads_and_micro_batches_change_no_bit(void **state)
{
    static const struct { uint64_t micro; unsigned threads; } ways[] = {
        {1, 1}, {4, 1}, {16, 1}, {3, 2}, {1, 3}, {0, 3}};
    (void)state;
    for (int shuffle = 0; shuffle < 2; shuffle++) {
        ft_train_config cfg = golden_config();
        outcome first;
        cfg.shuffle = shuffle;
        first = run(&cfg, 1, 2, 0.25f);
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            outcome o;
            cfg.micro = ways[i].micro;
            o = run(&cfg, 1, ways[i].threads, 0.25f);
            same_bits(&first, &o);
            free(o.params);
        }
        free(first.params);
    }
}

static void packing_changes_no_loss(void **state)
{
    ft_train_config cfg = golden_config();
    outcome alone = run(&cfg, 1, 2, 0), packed = run(&cfg, 4, 2, 0);
    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        near(packed.loss[i], alone.loss[i], 1e-6, "loss of step", i + 1);
    near(packed.val_loss, alone.val_loss, 1e-6, "validation loss", 0);
    free(alone.params);
    free(packed.params);
}

/* Many epochs over few examples: a model that learns must learn them nearly by heart. */
static void a_few_examples_are_learnt_by_heart(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = {.lr = 2e-2, .warmup = 0.05, .clip = 1, .batch = 6, .epochs = 150,
                           .val_every = 10, .shuffle = 1};
    ft_adapter_config lora = {.rank = 8, .alpha = 16, .targets = 127};
    ft_dataset *d = golden_dataset(golden, "val", 1, toy->V);
    ft_adapter *l = NULL;
    ft_pool *pool = NULL;
    ft_trainer *t = NULL;
    ft_train_report r;
    double first = 0, last = 0, best = INFINITY;
    uint64_t best_step = 0;
    (void)state;
    OK(ft_pool_new(&pool, 2, &e));
    OK(ft_adapter_new(&l, toy, &lora, 1, &e));
    OK(ft_trainer_new(&t, toy, l, d, d, &cfg, pool, &e));
    while (ft_trainer_step(t, &r, &e) == 0) {
        first = r.step == 1 ? r.loss : first;
        last = r.loss;
        assert_int_equal(r.validated, r.step % 10 == 0);
        if (r.validated && r.val_loss < best) {
            best = r.val_loss;
            best_step = r.step;
        }
    }
    assert_int_equal(e.code, 0);
    assert_true(first > 6);               /* about log 512 */
    if (!(last < 0.5))
        fail_msg("the loss fell from %g to %g only", first, last);
    assert_true(ft_trainer_best_loss(t) == best);
    assert_int_equal(ft_trainer_best_step(t), best_step);
    ft_trainer_free(&t);
    ft_dataset_free(&d);
    ft_adapter_free(&l);
    ft_pool_free(&pool);
}

/* A rate that makes the parameters overflow: the error must name step and record. */
static void a_loss_that_is_no_number_stops_the_run(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = golden_config();
    ft_adapter *l = read_golden_adapter("initial");
    ft_dataset *d = golden_dataset(golden, "examples", 1, toy->V);
    ft_pool *pool = NULL;
    ft_trainer *t = NULL;
    ft_train_report r;
    int rc;
    (void)state;
    cfg.warmup = 0;
    cfg.lr = 1e30;
    OK(ft_pool_new(&pool, 1, &e));
    OK(ft_trainer_new(&t, toy, l, d, NULL, &cfg, pool, &e));
    while ((rc = ft_trainer_step(t, &r, &e)) == 0)
        ;
    assert_int_equal(rc, FT_ERR_NUMERIC);
    assert_non_null(strstr(e.text, "step 2"));
    assert_non_null(strstr(e.text, "record"));
    ft_trainer_free(&t);
    ft_dataset_free(&d);
    ft_adapter_free(&l);
    ft_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_adapter_equal_those_of_peft),
        cmocka_unit_test(threads_and_micro_batches_change_no_bit),
        cmocka_unit_test(packing_changes_no_loss),
        cmocka_unit_test(a_few_examples_are_learnt_by_heart),
        cmocka_unit_test(a_loss_that_is_no_number_stops_the_run),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
