/* train_family_test.c: rsLoRA, LoRA+, PiSSA and OLoRA against peft and torch (made by
 * tests/golden/make_lora_family.py): initial values, gradients, losses and final adapters; singular
 * triplets of quantised matrices by their definition; AdamW with parts against double precision. */
#include "train_support.h"

#include "base/mem.h"
#include "model/nf4.h"
#include "nn/lora_start.h"
#include "train/optim.h"
#include "train/trainer.h"

#include <math.h>

enum { STEPS = 8, R = 4, TENSOR_MOST = 4096 };

static ft_model *toy;
static ft_mp golden, runs;
static ft_pool *pools[4];      /* by threads */

static int setup(void **state)
{
    ft_err e = {0};
    ft_map map;
    size_t used;
    (void)state;
    toy = toy_open();
    OK(ft_map_open(&map, "tests/golden/lora_family.mp", &e));
    OK(ft_mp_check(map.p, map.n, &used, &e));
    golden = (ft_mp){map.p, map.n};
    runs = golden_get(golden, "runs");
    for (unsigned i = 1; i < 4; i++)
        OK(ft_pool_new(&pools[i], i, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_model_free(&toy);
    for (unsigned i = 1; i < 4; i++)
        ft_pool_free(&pools[i]);
    return 0;
}

static void near(double got, double want, double relative, const char *what, size_t i)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("%s %zu: %.9g, want %.9g", what, i, got, want);
}

/* ---- adapters of the golden file ---- */

static enum ft_lora_start start_of(const char *name)
{
    return strncmp(name, "pissa", 5) == 0 ? FT_LORA_PISSA
           : strcmp(name, "olora") == 0 ? FT_LORA_OLORA : FT_LORA_DEFAULT;
}

/* Tensor `name` of a golden adapter as floats, in PEFT's order. */
static void golden_tensor(ft_mp adapter, const char *name, size_t rows, size_t cols, float *out)
{
    ft_mp_iter it = ft_mp_iter_of(golden_get(adapter, name));
    ft_mp item;
    uint64_t r = 0, c = 0;
    ft_slice data = {0};
    assert_true(ft_mp_next(&it, &item) && ft_mp_uint(item, &r));
    assert_true(ft_mp_next(&it, &item) && ft_mp_uint(item, &c));
    assert_true(ft_mp_next(&it, &item) && ft_mp_bin(item, &data));
    assert_true(r == rows && c == cols && data.n == rows * cols * 4 && rows * cols <= TENSOR_MOST);
    memcpy(out, data.p, data.n);
}

/* Half `half` of a slot of twice the rank (or, plain, all of it) in PEFT's order: the shape of the
 * golden file. */
static void half_of(const ft_adapter *a, const ft_slot *s, const float *params, int half,
                    float *out)
{
    static float all[2 * TENSOR_MOST];
    size_t at = 0, skip = half ? R : 0;
    ft_slot_to_peft(s, toy, params + s->at, all);
    if (a->cfg.rank == R) {
        memcpy(out, all, s->rows * s->cols * sizeof *out);
        return;
    }
    for (size_t i = 0; i < s->rows; i++)
        for (size_t j = 0; j < s->cols; j++)
            if ((s->role == FT_ROLE_A ? i : j) >= skip && (s->role == FT_ROLE_A ? i : j) < skip + R)
                out[at++] = all[i * s->cols + j];
}

/* Square of |half of params * sign - golden|; *size receives that of the golden one. */
static double distance(const ft_adapter *a, const ft_slot *s, const float *params, int half,
                       double sign_b, ft_mp adapter, double *size)
{
    static float got[TENSOR_MOST], want[TENSOR_MOST];
    size_t rows = s->role == FT_ROLE_A ? R : s->rows, cols = s->role == FT_ROLE_A ? s->cols : R;
    double sum = 0, sign = s->role == FT_ROLE_B ? sign_b : 1;
    char name[FT_SLOT_NAME];
    ft_slot_name(a, s, name);
    golden_tensor(adapter, name, rows, cols, want);
    half_of(a, s, params, half, got);
    *size = 0;
    for (size_t i = 0; i < rows * cols; i++) {
        double d = (double)got[i] * sign - (double)want[i];
        sum += d * d;
        *size += (double)want[i] * (double)want[i];
    }
    return sum;
}

static void near_adapter(const ft_adapter *a, const float *params, int half, double sign_b,
                         ft_mp adapter, double relative)
{
    for (size_t i = 0; i < a->n_slots; i++) {
        char name[FT_SLOT_NAME];
        double size, d = distance(a, &a->slots[i], params, half, sign_b, adapter, &size);
        ft_slot_name(a, &a->slots[i], name);
        assert_true(size > 0);
        if (!(sqrt(d / size) <= relative))
            fail_msg("%s: %g of its norm away", name, sqrt(d / size));
    }
}

static ft_adapter_config config_of(ft_mp run)
{
    return (ft_adapter_config){
        .rank = R, .alpha = (float)golden_real(run, "alpha"), .targets = (1u << FT_TARGETS) - 1,
        .rslora = golden_real(run, "rslora") > 0};
}

/* The adapter that a golden run begins with: made here for PiSSA and OLoRA, else peft's. */
static ft_adapter *first_adapter(const char *run_name, ft_pool *pool, size_t room)
{
    ft_err e = {0};
    ft_mp run = golden_get(runs, run_name), first = golden_get(run, "first");
    ft_adapter_config c = config_of(run);
    enum ft_lora_start how = start_of(run_name);
    static float values[TENSOR_MOST];
    ft_adapter *a = NULL;
    if (how != FT_LORA_DEFAULT) {
        OK(ft_lora_start_new(&a, toy, &c, 0, &e));
        OK(ft_lora_start_fill(a, toy, how, room, pool, &e));
        return a;
    }
    OK(ft_adapter_new(&a, toy, &c, 0, &e));
    for (size_t i = 0; i < a->n_slots; i++) {
        char name[FT_SLOT_NAME];
        ft_slot_name(a, &a->slots[i], name);
        golden_tensor(first, name, a->slots[i].rows, a->slots[i].cols, values);
        ft_slot_from_peft(&a->slots[i], toy, values, a->params + a->slots[i].at);
    }
    return a;
}

/* ---- initial values ---- */

static const char *const starts[] = {"pissa", "olora", "pissa_rslora"};

static void initial_values_are_those_of_peft(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ft_mp run = golden_get(runs, starts[i]), first = golden_get(run, "first");
        ft_adapter *a = first_adapter(starts[i], pools[2], SIZE_MAX);
        double alpha = golden_real(run, "alpha"), rslora = golden_real(run, "rslora");
        assert_int_equal(a->cfg.rank, 2 * R);
        assert_int_equal(a->frozen, R);
        assert_int_equal(ft_adapter_n_trained(a), a->n_params / 2);
        near((double)a->scaling, rslora > 0 ? alpha / sqrt(R) : alpha / R, 1e-6, "scaling", i);
        near_adapter(a, a->params, 0, 1, first, 1e-4);
        near_adapter(a, a->params, 1, -1, first, 1e-4);
        ft_adapter_free(&a);
    }
}

static void threads_and_room_change_no_initial_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ft_adapter *a = first_adapter(starts[i], pools[1], SIZE_MAX);
        for (unsigned threads = 1; threads < 4; threads++)
            for (size_t room = 0; room < 2; room++) {
                ft_adapter *b = first_adapter(starts[i], pools[threads],
                                              room ? SIZE_MAX : 2 * ft_lora_start_bytes(a, toy));
                assert_memory_equal(a->params, b->params, a->n_params * sizeof(float));
                ft_adapter_free(&b);
            }
        ft_adapter_free(&a);
    }
}

/* |M x - value y| for M = W or its transpose, with row = x or y of A, column of B. */
static double off_triplet(const ft_weight *w, const float *W, const double *v, const double *u,
                          double value)
{
    double most = 0;
    for (size_t i = 0; i < w->rows; i++) {
        double sum = 0;
        for (size_t c = 0; c < w->cols; c++)
            sum += (double)W[i * w->cols + c] * v[c];
        most = fmax(most, fabs(sum - value * u[i]));
    }
    for (size_t c = 0; c < w->cols; c++) {
        double sum = 0;
        for (size_t i = 0; i < w->rows; i++)
            sum += (double)W[i * w->cols + c] * u[i];
        most = fmax(most, fabs(sum - value * v[c]));
    }
    return most;
}

/* Sums of squares: of W, and of the singular values that the adapter took. That triplets are
 * orthonormal, and no others are larger, shows in what is left of W. */
static void check_triplets(const ft_model *m, const ft_adapter *a, size_t layer, enum ft_target t)
{
    const ft_weight *w = &m->layers[layer].w[t];
    const float *A = ft_lora_a(a, a->params, layer, t), *B = ft_lora_b(a, a->params, layer, t);
    static float W[TENSOR_MOST], rest[TENSOR_MOST];
    double u[64], v[64], x[64], last = INFINITY, all = 0, length = 1;
    ft_weight_range(w, 0, w->rows * w->cols, W);
    memcpy(rest, W, sizeof rest);
    for (size_t r = 0; r < R; r++) {
        double nu = 0, nv = 0, value;
        for (size_t c = 0; c < w->cols; c++)
            nv += pow((double)A[r * w->cols + c], 2);
        for (size_t i = 0; i < w->rows; i++)
            nu += pow((double)B[i * 2 * R + r], 2);
        near(nu, nv, 1e-5, "squares of a column of B and a row of A", r);
        value = sqrt(nu * nv) * (double)a->scaling;
        assert_true(value > 0 && value <= last * (1 + 1e-6));
        last = value;
        for (size_t c = 0; c < w->cols; c++)
            v[c] = (double)A[r * w->cols + c] / sqrt(nv);
        for (size_t i = 0; i < w->rows; i++)
            u[i] = (double)B[i * 2 * R + r] / sqrt(nu);
        near(1 + off_triplet(w, W, v, u, value) / value, 1, 1e-5, "triplet", r);
        for (size_t i = 0; i < w->rows * w->cols; i++)
            rest[i] -= (float)(value * u[i / w->cols] * v[i % w->cols]);
    }
    for (size_t c = 0; c < w->cols; c++)
        x[c] = 1 + (double)(c * 7919 % 13);
    for (int round = 0; round < 200; round++) {    /* the largest value of the rest, by powers */
        for (size_t i = 0; i < w->rows; i++) {
            u[i] = 0;
            for (size_t c = 0; c < w->cols; c++)
                u[i] += (double)rest[i * w->cols + c] * x[c] / length;
        }
        all = length = 0;
        for (size_t i = 0; i < w->rows; i++)
            all += u[i] * u[i];
        for (size_t c = 0; c < w->cols; c++) {
            x[c] = 0;
            for (size_t i = 0; i < w->rows; i++)
                x[c] += (double)rest[i * w->cols + c] * u[i];
            length += x[c] * x[c];
        }
        length = sqrt(length);
    }
    assert_true(sqrt(all) > 0 && sqrt(all) <= last * (1 + 1e-4));
}

static void pissa_takes_the_largest_triplets_of_quantised_matrices(void **state)
{
    ft_err e = {0};
    ft_model *m = toy_open();
    ft_adapter_config c = {.rank = R, .alpha = 3, .targets = (1u << FT_TARGETS) - 1};
    ft_adapter *a = NULL;
    (void)state;
    OK(ft_model_to_nf4(m, pools[1], &e));
    OK(ft_lora_start_new(&a, m, &c, 0, &e));
    OK(ft_lora_start_fill(a, m, FT_LORA_PISSA, SIZE_MAX, pools[2], &e));
    for (size_t layer = 0; layer < m->L; layer++)
        for (int t = 0; t < FT_TARGETS; t++)
            check_triplets(m, a, layer, (enum ft_target)t);
    ft_adapter_free(&a);
    ft_model_free(&m);
}

static void what_does_not_fit_is_refused(void **state)
{
    ft_err e = {0};
    ft_adapter_config c = {.rank = 9, .alpha = 1, .targets = 1u << FT_Q | 1u << FT_K};
    ft_adapter *a = NULL;
    (void)state;
    assert_int_equal(ft_lora_start_new(&a, toy, &c, 0, &e), FT_ERR_USAGE);
    assert_non_null(strstr(e.text, "LoRA rank 9 does not fit k, which is 16 x 32"));
    assert_null(a);
    c.rank = 0;
    assert_int_equal(ft_lora_start_new(&a, toy, &c, 0, &e), FT_ERR_USAGE);
    c.rank = 2;
    c.alpha = -1;
    assert_int_equal(ft_lora_start_new(&a, toy, &c, 0, &e), FT_ERR_USAGE);
    assert_null(a);
}

/* ---- gradients ---- */

static void gradients_are_those_of_autograd(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        ft_err e = {0};
        ft_mp want = golden_get(golden_get(runs, starts[i]), "grads");
        ft_adapter *a = first_adapter(starts[i], pools[2], SIZE_MAX);
        ft_dataset *d = golden_dataset(golden, "examples", 1, toy->V);
        size_t list[] = {0, 1, 2, 3};
        ft_nn_limits limits = {.tokens = 256, .seq_tokens = 64, .training = 1};
        ft_nn_step step = {0};
        ft_batch b = {0};
        ft_nn *nn = NULL;
        double nll[4];
        float *grads = calloc(a->n_params, sizeof *grads);
        OK(ft_dataset_fetch(d, list, 4, &b, &e));
        for (size_t k = 0; k < 4; k++)
            step.norm += (double)d->examples[k].weight * d->examples[k].n_targets;
        OK(ft_nn_new(&nn, toy, a, pools[2], &limits, &e));
        OK(ft_nn_backward(nn, ft_batch_seqs(&b), 4, &step, nll, grads, &e));
        near_adapter(a, grads, 0, 1, want, 1e-3);
        for (size_t s = 0; s < a->n_slots; s++) {    /* the frozen half has none */
            static float half[TENSOR_MOST];
            const ft_slot *slot = &a->slots[s];
            half_of(a, slot, grads, 1, half);
            for (size_t k = 0; k < slot->rows * slot->cols / 2; k++)
                assert_true(half[k] == 0);
        }
        free(grads);
        ft_nn_free(&nn);
        ft_batch_free(&b);
        ft_dataset_free(&d);
        ft_adapter_free(&a);
    }
}

/* ---- training ---- */

/* Trains as the golden run did. Returns: the adapter; the caller frees. */
static ft_adapter *train(const char *name, ft_train_report reports[STEPS], unsigned threads,
                         uint64_t micro)
{
    ft_err e = {0};
    ft_adapter *a = first_adapter(name, pools[threads], SIZE_MAX);
    ft_dataset *d = golden_dataset(golden, "examples", 1, toy->V);
    ft_train_config cfg = {
        .lr = golden_real(golden, "lr"), .warmup = golden_real(golden, "warmup"),
        .decay = golden_real(golden, "decay"), .clip = golden_real(golden, "clip"),
        .batch = (uint64_t)golden_real(golden, "batch"), .micro = micro,
        .epochs = (uint64_t)golden_real(golden, "epochs"),
        .lora_plus = golden_real(golden_get(runs, name), "plus")};
    ft_trainer *t = NULL;
    OK(ft_trainer_new(&t, toy, a, d, NULL, &cfg, pools[threads], &e));
    assert_int_equal(ft_trainer_steps(t), STEPS);
    for (size_t i = 0; i < STEPS; i++)
        OK(ft_trainer_step(t, &reports[i], &e));
    ft_trainer_free(&t);
    ft_dataset_free(&d);
    return a;
}

static void check_run(const char *name)
{
    ft_mp run = golden_get(runs, name), step, item;
    ft_mp_iter it = ft_mp_iter_of(golden_get(run, "steps"));
    ft_train_report reports[STEPS];
    ft_adapter *a = train(name, reports, 2, 0), *from = first_adapter(name, pools[1], SIZE_MAX);
    double away = 0, moved = 0, size;
    for (size_t i = 0; i < STEPS; i++) {
        double v[3] = {0};
        ft_mp_iter parts;
        assert_true(ft_mp_next(&it, &step));
        parts = ft_mp_iter_of(step);
        for (size_t k = 0; k < 3; k++)
            assert_true(ft_mp_next(&parts, &item) && ft_mp_float(item, &v[k]));
        near(reports[i].loss, v[0], 1e-3, name, i + 1);
        near(reports[i].lr, v[1], 1e-12, name, i + 1);
        near(reports[i].grad_norm, v[2], 5e-3, name, i + 1);
    }
    for (size_t i = 0; i < a->n_slots; i++) {
        static float before[TENSOR_MOST], after[TENSOR_MOST];
        const ft_slot *s = &a->slots[i];
        away += distance(a, s, a->params, 0, 1, golden_get(run, "last"), &size);
        moved += distance(a, s, from->params, 0, 1, golden_get(run, "last"), &size);
        if (!a->frozen)
            continue;
        half_of(a, s, from->params, 1, before);
        half_of(a, s, a->params, 1, after);
        assert_memory_equal(before, after, s->rows * s->cols / 2 * sizeof(float));
    }
    assert_true(moved > 0);
    near(1 + sqrt(away / moved), 1, 2e-2, "distance of the final adapter", 0);
    ft_adapter_free(&a);
    ft_adapter_free(&from);
}

static void rslora_trains_as_peft_does(void **state)
{
    (void)state;
    check_run("rslora");
}

static void lora_plus_trains_as_peft_does(void **state)
{
    (void)state;
    check_run("plus");
}

static void pissa_trains_as_peft_does(void **state)
{
    (void)state;
    check_run("pissa");
    check_run("pissa_rslora");
}

static void olora_trains_as_peft_does(void **state)
{
    (void)state;
    check_run("olora");
}

static void threads_and_micro_batches_change_no_bit(void **state)
{
    ft_train_report reports[STEPS];
    ft_adapter *first = train("pissa_rslora", reports, 1, 1);
    (void)state;
    for (unsigned threads = 2; threads < 4; threads++) {
        ft_adapter *a = train("pissa_rslora", reports, threads, threads);
        assert_memory_equal(a->params, first->params, a->n_params * sizeof(float));
        ft_adapter_free(&a);
    }
    ft_adapter_free(&first);
}

/* ---- AdamW by parts ---- */

/* Loshchilov and Hutter 2019, algorithm 2, in double. */
static void adamw(double *w, double *m, double *v, double g, double lr, double decay, int t)
{
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    *w -= lr * (*m / (1 - pow(0.9, t)) / (sqrt(*v / (1 - pow(0.999, t))) + 1e-8) + decay * *w);
}

static void parts_are_updated_at_their_rates_and_nothing_else(void **state)
{
    /* A run longer than a task, rows with gaps longer than one, and a single row. */
    enum { ROWS = 9000, LD = 24, N = 13, LONG = 150000, ALL = LONG + ROWS * LD + 7 };
    const ft_adamw_part parts[] = {{0, 3, LONG / 3, LONG / 3, 1}, {LONG, ROWS, N, LD, 16},
                                   {LONG + ROWS * LD + 1, 1, 5, 9, 0.5}};
    float *start = malloc(ALL * sizeof *start), *g = malloc(ALL * sizeof *g);
    float *first = malloc(ALL * sizeof *first), *p = malloc(ALL * sizeof *p);
    ft_err e = {0};
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        start[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
        g[i] = (float)(i * 2246822519u % 1000) / 500 - 1;
    }
    for (unsigned threads = 1; threads < 4; threads++) {
        ft_adamw *o = NULL;
        memcpy(p, start, ALL * sizeof *p);
        OK(ft_adamw_new(&o, ALL, &e));
        for (size_t i = 0; i < 3; i++)
            OK(ft_adamw_add_part(o, parts[i], &e));
        for (int t = 1; t <= 3; t++)
            ft_adamw_step(o, p, g, 0.01, 0.1, pools[threads]);
        ft_adamw_free(&o);
        if (threads == 1)
            memcpy(first, p, ALL * sizeof *p);
        assert_memory_equal(first, p, ALL * sizeof *p);
    }
    for (size_t i = 0; i < ALL; i++) {
        double rate = i < LONG ? 1 : i < LONG + ROWS * LD ? ((i - LONG) % LD < N ? 16 : 0)
                      : i > LONG + ROWS * LD && i < LONG + ROWS * LD + 6 ? 0.5 : 0;
        double w = (double)start[i], m = 0, v = 0;
        for (int t = 1; t <= 3 && rate > 0; t++)
            adamw(&w, &m, &v, (double)g[i], 0.01 * rate, 0.1, t);
        if (rate > 0 ? !(fabs(w - (double)p[i]) <= 1e-5) : p[i] != start[i])
            fail_msg("parameter %zu: %.9g, want %.9g", i, (double)p[i], w);
    }
    free(start);
    free(g);
    free(first);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initial_values_are_those_of_peft),
        cmocka_unit_test(threads_and_room_change_no_initial_value),
        cmocka_unit_test(pissa_takes_the_largest_triplets_of_quantised_matrices),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(gradients_are_those_of_autograd),
        cmocka_unit_test(rslora_trains_as_peft_does),
        cmocka_unit_test(lora_plus_trains_as_peft_does),
        cmocka_unit_test(pissa_trains_as_peft_does),
        cmocka_unit_test(olora_trains_as_peft_does),
        cmocka_unit_test(threads_and_micro_batches_change_no_bit),
        cmocka_unit_test(parts_are_updated_at_their_rates_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
