/* train_checkpoint_test.c: checkpoints: a run that goes on from one ends as one without a break;
 * whatever is not whole is seen; what belongs to another run is refused by name; the folder keeps
 * two. And what ends a run early: no improvement, a loss that jumps. */
#include "train_support.h"

#include "base/folder.h"
#include "train/checkpoint.h"
#include "train/checkpoint_folder.h"
#include "train/numerics.h"
#include "train/spike.h"
#include "train/trainer.h"

#include <dirent.h>
#include <math.h>

static ft_model *toy;
static ft_mp golden;
static ft_pool *pool;

static int setup(void **state)
{
    ft_err e = {0};
    (void)state;
    OK(ft_pool_new(&pool, 1, &e));
    toy = toy_open();
    golden = golden_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_model_free(&toy);
    ft_pool_free(&pool);
    return 0;
}

/* ---- a run ---- */

typedef struct fixture {
    ft_adapter *l;
    ft_dataset *train, *val;
    ft_trainer *t;
} fixture;

static ft_train_config config(void)
{
    return (ft_train_config){.lr = 0.02, .warmup = 2, .decay = 0.01, .clip = 1, .batch = 3,
                             .epochs = 6, .seed = 5, .val_every = 2, .shuffle = 1};
}

static fixture begin(const ft_train_config *cfg, size_t rank, int with_val)
{
    ft_err e = {0};
    ft_adapter_config c = {.rank = rank, .alpha = 8, .dropout = 0.1f, .targets = 1u << FT_Q};
    fixture f = {0};
    OK(ft_adapter_new(&f.l, toy, &c, cfg->seed, &e));
    f.train = golden_dataset(golden, "examples", 2, toy->V);
    f.val = with_val ? golden_dataset(golden, "val", 1, toy->V) : NULL;
    OK(ft_trainer_new(&f.t, toy, f.l, f.train, f.val, cfg, pool, &e));
    return f;
}

static void end(fixture *f)
{
    ft_trainer_free(&f->t);
    ft_dataset_free(&f->train);
    ft_dataset_free(&f->val);
    ft_adapter_free(&f->l);
}

/* Does n steps, or all. Returns: steps done. */
static uint64_t go(fixture *f, uint64_t n)
{
    ft_err e = {0};
    ft_train_report r;
    uint64_t done = 0;
    int rc = 0;
    while (done < n && (rc = ft_trainer_step(f->t, &r, &e)) == 0)
        done++;
    OK(rc);
    return done;
}

static ft_buf options_map(double lr, uint64_t batch, const char *more)
{
    ft_buf b = {0};
    ft_mp_put_map(&b, more ? 4 : 3);
    ft_mp_put_cstr(&b, "lr");
    ft_mp_put_float(&b, lr);
    ft_mp_put_cstr(&b, "batch");
    ft_mp_put_uint(&b, batch);
    ft_mp_put_cstr(&b, "no-shuffle");
    ft_mp_put_bool(&b, 0);
    if (more) {
        ft_mp_put_cstr(&b, more);
        ft_mp_put_uint(&b, 1);
    }
    return b;
}

static ft_run a_run(const ft_buf *options)
{
    return (ft_run){.model = toy->digest, .transform = "", .data = {{1, 2}},
                    .validation = {{3}}, .options = {options->p, options->n}, .seed = 5,
                    .numerics = "ref f32"};
}

static int save(const char *path, const ft_run *run, const fixture *f, ft_err *why)
{
    ft_err e = {0};
    ft_train_state s = ft_trainer_state(f->t);
    ft_header h = {0};
    ft_writer_options o = {0};
    ft_counts counts = {0};
    ft_digest log = {{9}};
    ft_buf extra = {0};
    ft_out *out = NULL;
    ft_writer *w = NULL;
    int rc = ft_checkpoint_header(run, &s, &log, &h, &extra, why);
    if (rc == 0) {
        OK(ft_out_open_log(&out, path, &e));
        OK(ft_writer_open(&w, out, &h, &o, NULL, &e));
        OK(ft_checkpoint_write(&s, w, &e));
        OK(ft_writer_finish(&w, &counts, &e));
    }
    ft_buf_free(&extra);
    return rc;
}

static void load(const char *path, fixture *f)
{
    ft_err e = {0};
    ft_train_state s = ft_trainer_state(f->t);
    ft_digest log;
    OK(ft_checkpoint_read(path, NULL, &s, &log, &e));
    assert_int_equal(log.b[0], 9);
    OK(ft_trainer_restore(f->t, &s, &e));
}

static void assert_same_state(const fixture *a, const fixture *b)
{
    ft_train_state x = ft_trainer_state(a->t), y = ft_trainer_state(b->t);
    size_t bytes = x.n_params * sizeof(float);
    assert_int_equal(x.step, y.step);
    assert_int_equal(x.best_step, y.best_step);
    assert_int_equal(x.stale, y.stale);
    assert_memory_equal(&x.loss, &y.loss, sizeof x.loss);
    assert_memory_equal(&x.mean, &y.mean, sizeof x.mean);
    assert_memory_equal(&x.best_loss, &y.best_loss, sizeof x.best_loss);
    assert_memory_equal(x.params, y.params, bytes);
    assert_memory_equal(x.m, y.m, bytes);
    assert_memory_equal(x.v, y.v, bytes);
    assert_memory_equal(ft_trainer_params(a->t), ft_trainer_params(b->t), bytes);
}

/* ---- the tests ---- */

/* Broken off after each step and gone on with: the state is that of a run without a break, after
 * the next step and in the end. */
static void a_run_goes_on_from_each_step(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_buf options = options_map(cfg.lr, cfg.batch, NULL);
    ft_run run = a_run(&options);
    (void)state;
    for (int with_val = 0; with_val < 2; with_val++) {
        fixture whole = begin(&cfg, 2, with_val);
        uint64_t steps = ft_trainer_steps(whole.t);
        assert_true(go(&whole, UINT64_MAX) == steps && steps > 8);
        for (uint64_t at = 1; at <= steps; at++) {
            scratch_file file = scratch_new();
            fixture first = begin(&cfg, 2, with_val), second = begin(&cfg, 2, with_val);
            assert_int_equal(go(&first, at), at);
            OK(save(file.path, &run, &first, &e));
            assert_int_equal(go(&second, 1), 1);    /* there is something to overwrite */
            load(file.path, &second);
            assert_same_state(&first, &second);
            assert_int_equal(go(&first, 1), go(&second, 1));
            assert_same_state(&first, &second);
            go(&second, UINT64_MAX);
            assert_same_state(&whole, &second);
            end(&first);
            end(&second);
            close(file.fd);
        }
        end(&whole);
    }
    ft_buf_free(&options);
}

static int verdict(const char *path)
{
    ft_err e = {0};
    ft_buf extra = {0};
    int rc = ft_checkpoint_verify(path, NULL, &extra, &e);
    ft_buf_free(&extra);
    return rc;
}

static void what_is_not_whole_is_seen(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_buf options = options_map(cfg.lr, cfg.batch, NULL);
    ft_run run = a_run(&options);
    fixture f = begin(&cfg, 1, 1), other = begin(&cfg, 1, 1);
    scratch_file file = scratch_new();
    uint8_t bytes[8192];
    ssize_t n;
    int unused = 0;
    (void)state;
    go(&f, 4);
    OK(save(file.path, &run, &f, &e));
    n = pread(file.fd, bytes, sizeof bytes, 0);
    assert_true(n > 1000 && n < (ssize_t)sizeof bytes);
    assert_int_equal(verdict(file.path), 0);
    for (ssize_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t flipped = (uint8_t)(bytes[at] ^ 1 << bit);
            int rc;
            assert_int_equal(pwrite(file.fd, &flipped, 1, at), 1);
            rc = verdict(file.path);
            if (rc == 0) {     /* zstd leaves some bits unused: the content is the same */
                load(file.path, &other);
                assert_same_state(&f, &other);
                unused++;
            } else if (rc != FT_ERR_DATA && rc != FT_ERR_TRUNCATED) {
                fail_msg("bit %d of byte %zd flipped: %d", bit, at, rc);
            }
            assert_int_equal(pwrite(file.fd, &bytes[at], 1, at), 1);
        }
    assert_true(unused < n * 8 / 100);
    for (ssize_t length = n - 1; length >= 0; length--) {
        int rc;
        assert_int_equal(ftruncate(file.fd, length), 0);
        rc = verdict(file.path);
        if (rc != FT_ERR_DATA && rc != FT_ERR_TRUNCATED)
            fail_msg("cut to %zd bytes: %d", length, rc);
    }
    end(&f);
    end(&other);
    ft_buf_free(&options);
    close(file.fd);
}

/* Two checkpoints in a row, or an adapter, are whole streams and yet no checkpoint. */
static void whole_streams_that_are_no_checkpoint_are_refused(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_buf options = options_map(cfg.lr, cfg.batch, NULL), extra;
    ft_run run = a_run(&options);
    fixture f = begin(&cfg, 1, 1);
    scratch_file file = scratch_new(), adapter = scratch_new();
    uint8_t bytes[8192];
    ssize_t n;
    (void)state;
    go(&f, 1);
    OK(save(file.path, &run, &f, &e));
    n = pread(file.fd, bytes, sizeof bytes, 0);
    assert_int_equal(pwrite(file.fd, bytes, (size_t)n, n), n);
    assert_int_equal(verdict(file.path), FT_ERR_DATA);
    extra = adapter_extra("lora", 4, 8, toy->L, 7, &toy->digest, "");
    golden_adapter(adapter.path, golden, "initial", (ft_mp){extra.p, extra.n}, NULL);
    assert_int_equal(verdict(adapter.path), FT_ERR_DATA);
    assert_int_equal(verdict("/no/such/checkpoint"), FT_ERR_NOINPUT);
    end(&f);
    ft_buf_free(&options);
    ft_buf_free(&extra);
    close(file.fd);
    close(adapter.fd);
}

static void refused(ft_mp extra, const ft_run *run, const char *words)
{
    ft_err e = {0};
    assert_int_equal(ft_checkpoint_fits(extra, run, &e), FT_ERR_DATA);
    if (!strstr(e.text, words))
        fail_msg("'%s' does not say '%s'", e.text, words);
}

static void other_runs_are_refused_by_name(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_buf options = options_map(0.02, 3, NULL), lr = options_map(0.03, 3, NULL),
           batch = options_map(0.02, 4, NULL), more = options_map(0.02, 3, "newer");
    ft_run run = a_run(&options), now;
    fixture f = begin(&cfg, 1, 1);
    scratch_file file = scratch_new();
    ft_buf buf = {0};
    ft_mp extra;
    (void)state;
    go(&f, 3);
    OK(save(file.path, &run, &f, &e));
    OK(ft_checkpoint_verify(file.path, NULL, &buf, &e));
    extra = (ft_mp){buf.p, buf.n};
    OK(ft_checkpoint_fits(extra, &run, &e));
    now = run;
    now.model.b[0] ^= 1;
    refused(extra, &now, "other model: the run had");
    now = run;
    now.transform = "nf4";
    refused(extra, &now, "transform of the model: the run had \"\"");
    now = run;
    now.data.b[15] ^= 1;
    refused(extra, &now, "other training data");
    now = run;
    now.validation.b[7] ^= 1;
    refused(extra, &now, "other validation data");
    now.validation = (ft_digest){{0}};
    refused(extra, &now, "this one has none");
    now = run;
    now.options = (ft_mp){lr.p, lr.n};
    refused(extra, &now, "--lr 0.02, this one has 0.029999999999999999");
    now.options = (ft_mp){batch.p, batch.n};
    refused(extra, &now, "--batch 3, this one has 4");
    now.options = (ft_mp){more.p, more.n};
    refused(extra, &now, "only this version knows --newer");
    now = run;
    now.seed = 6;
    refused(extra, &now, "--seed 5, this one has 6");
    now = run;
    now.numerics = "avx2 f32";
    refused(extra, &now, "other arithmetic");
    run.transform = "\033[2Jnone";             /* what is shown cannot steer a terminal */
    OK(save(file.path, &run, &f, &e));
    OK(ft_checkpoint_verify(file.path, NULL, &buf, &e));
    now = a_run(&options);
    refused((ft_mp){buf.p, buf.n}, &now, "the run had \"?[2Jnone\"");
    refused((ft_mp){(const uint8_t *)"\x80", 1}, &run, "lacks its run");
    end(&f);
    ft_buf_free(&options);
    ft_buf_free(&lr);
    ft_buf_free(&batch);
    ft_buf_free(&more);
    ft_buf_free(&buf);
    close(file.fd);
}

static void states_that_cannot_be_are_refused(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_buf options = options_map(cfg.lr, cfg.batch, NULL);
    ft_run run = a_run(&options);
    fixture f = begin(&cfg, 1, 1), no_val = begin(&cfg, 1, 0), wide = begin(&cfg, 2, 1);
    scratch_file file = scratch_new();
    ft_train_state s, good;
    ft_digest log;
    (void)state;
    go(&f, 4);
    good = ft_trainer_state(f.t);
    assert_true(good.best_step > 0);
    s = good;
    s.step = ft_trainer_steps(f.t) + 1;
    assert_int_equal(ft_trainer_restore(f.t, &s, &e), FT_ERR_DATA);
    s = good;
    s.best_step = 5;
    assert_int_equal(ft_trainer_restore(f.t, &s, &e), FT_ERR_DATA);
    s = good;
    s.best_loss = NAN;
    assert_int_equal(ft_trainer_restore(f.t, &s, &e), FT_ERR_DATA);
    s = good;
    s.mean = INFINITY;
    assert_int_equal(ft_trainer_restore(f.t, &s, &e), FT_ERR_DATA);
    s = good;
    s.stale = 5;
    assert_int_equal(ft_trainer_restore(f.t, &s, &e), FT_ERR_DATA);
    OK(ft_trainer_restore(f.t, &good, &e));
    OK(save(file.path, &run, &f, &e));
    s = ft_trainer_state(no_val.t);
    assert_int_equal(ft_checkpoint_read(file.path, NULL, &s, &log, &e), FT_ERR_DATA);
    s = ft_trainer_state(wide.t);
    assert_int_equal(ft_checkpoint_read(file.path, NULL, &s, &log, &e), FT_ERR_DATA);
    f.l->params[3] = NAN;      /* what no run should go on from is not saved */
    assert_int_equal(save(file.path, &run, &f, &e), FT_ERR_NUMERIC);
    assert_non_null(strstr(e.text, "step 4: parameter 3 is not finite"));
    end(&f);
    end(&no_val);
    end(&wide);
    ft_buf_free(&options);
    close(file.fd);
}

static void put_file(const char *folder, const char *name)
{
    char path[256];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

/* The names in a folder, sorted, a space behind each; removes them and the folder. */
static void take_names(const char *folder, char *out, size_t cap)
{
    struct dirent **list;
    int n = scandir(folder, &list, NULL, alphasort);
    char path[512];
    out[0] = '\0';
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.') {
            strncat(out, list[i]->d_name, cap - strlen(out) - 2);
            strcat(out, " ");
            snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
            assert_int_equal(unlink(path), 0);
        }
        free(list[i]);
    }
    free(list);
    assert_int_equal(rmdir(folder), 0);
}

static void the_folder_keeps_two_and_touches_nothing_else(void **state)
{
    ft_err e = {0};
    char path[200], slashed[210], names[512];
    const char *tmp = getenv("TMPDIR");
    ft_checkpoint_folder *f = NULL, *again = NULL;
    (void)state;
    snprintf(path, sizeof path, "%s/ckpt.%ld", tmp && *tmp ? tmp : "/tmp", (long)getpid());
    snprintf(slashed, sizeof slashed, "%s//", path);
    OK(ft_checkpoint_folder_open(&f, slashed, &e));    /* made */
    assert_int_equal(f->n, 0);
    assert_int_equal(ft_checkpoint_folder_open(&again, path, &e), FT_ERR_CREATE);
    assert_non_null(strstr(e.text, "another process is using"));
    ft_checkpoint_folder_free(&f);
    put_file(path, "checkpoint-0000000012.ft");
    put_file(path, "checkpoint-0000000009.ft");
    put_file(path, "checkpoint-0000000003.ft");
    put_file(path, "checkpoint-0000000006.ft");
    put_file(path, "checkpoint-0000000100.ft");
    put_file(path, "checkpoint-0000000010.ft.ft-tmp");     /* of a killed run */
    put_file(path, "checkpoint-000000001x.ft");
    put_file(path, "checkpoint-00000000011.ft");
    put_file(path, "checkpoint-0000000011.ft.bak");
    put_file(path, "notes.ft-tmp");
    OK(ft_checkpoint_folder_open(&f, path, &e));
    assert_int_equal(f->n, 5);
    assert_int_equal(f->steps[0], 3);
    assert_int_equal(f->steps[4], 100);
    OK(ft_checkpoint_folder_took(f, 9, &e));   /* 12 and 100 were damaged */
    assert_int_equal(f->n, 4);
    assert_int_equal(f->steps[0], 6);
    put_file(path, "checkpoint-0000000015.ft");
    OK(ft_checkpoint_folder_saved(f, 15, &e));
    assert_int_equal(f->n, 3);             /* 9, 15 and, until it is overtaken, 100 */
    put_file(path, "checkpoint-0000000020.ft");
    OK(ft_checkpoint_folder_saved(f, 20, &e));
    assert_string_equal(strrchr(ft_checkpoint_path(f, 7), '/'), "/checkpoint-0000000007.ft");
    ft_checkpoint_folder_free(&f);
    take_names(path, names, sizeof names);
    assert_string_equal(names, "checkpoint-00000000011.ft checkpoint-0000000011.ft.bak "
                        "checkpoint-0000000015.ft checkpoint-000000001x.ft "
                        "checkpoint-0000000020.ft checkpoint-0000000100.ft notes.ft-tmp ");
    assert_int_equal(ft_checkpoint_folder_open(&f, "/no/such/folder", &e), FT_ERR_CREATE);
}

/* ---- what ends a run early ---- */

static void patience_ends_a_run_and_keeps_the_best(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_train_report r;
    fixture f;
    ft_train_state s;
    uint64_t validations = 0;
    int rc;
    (void)state;
    cfg.patience = 2;
    cfg.lr = 0;                /* nothing is learned: only the first validation is an improvement */
    f = begin(&cfg, 1, 1);
    assert_false(ft_trainer_is_over(f.t));
    while ((rc = ft_trainer_step(f.t, &r, &e)) == 0)
        validations += r.validated != 0;
    assert_int_equal(rc, FT_EOS);
    assert_int_equal(validations, 3);
    s = ft_trainer_state(f.t);
    assert_int_equal(s.step, 6);
    assert_int_equal(s.best_step, 2);
    assert_true(ft_trainer_is_early(f.t) && ft_trainer_is_over(f.t));
    end(&f);
}

static void spikes_are_measured_against_the_running_mean(void **state)
{
    double mean = 0;
    (void)state;
    for (uint64_t n = 0; n < FT_SPIKE_STEPS; n++) {
        assert_false(ft_spike_is(2, mean, n, 1e9));    /* too early to say */
        mean = ft_spike_mean(mean, n, (double)(n + 1));
    }
    assert_true(fabs(mean - 10.5) < 1e-12);            /* of 1 to 20 */
    assert_false(ft_spike_is(2, mean, 20, 21));
    assert_true(ft_spike_is(2, mean, 20, 21.001));
    assert_false(ft_spike_is(0, mean, 20, 1e9));
    assert_true(ft_spike_is(2, mean, 20, NAN));
    assert_true(fabs(ft_spike_mean(mean, 1000, 30.5) - 11.5) < 1e-12);
    assert_false(ft_spike_is(10, 0.001, 50, 0.99));    /* the floor */
    assert_true(ft_spike_is(10, 0.001, 50, 1.01));
}

static void a_spike_ends_a_run_before_the_update(void **state)
{
    ft_err e = {0};
    ft_train_config cfg = config();
    ft_train_report r;
    ft_train_state s;
    fixture f;
    float before;
    (void)state;
    cfg.epochs = 30;
    cfg.spike = 3;
    f = begin(&cfg, 1, 0);
    assert_int_equal(go(&f, 25), 25);
    s = ft_trainer_state(f.t);
    s.mean = s.loss / 100;     /* as if the losses before had been far lower */
    OK(ft_trainer_restore(f.t, &s, &e));
    before = f.l->params[0];
    assert_int_equal(ft_trainer_step(f.t, &r, &e), FT_ERR_NUMERIC);
    assert_non_null(strstr(e.text, "step 26: the loss jumped to "));
    assert_non_null(strstr(e.text, "; record "));
    assert_true(f.l->params[0] == before);
    end(&f);
}

static void the_name_of_the_arithmetic_has_all_its_parts(void **state)
{
    ft_train_config cfg = config();
    fixture f = begin(&cfg, 1, 0);         /* loads OpenBLAS */
    char name[128], family[16], compute[16], core[32], version[32];
    ft_err e = {0};
    (void)state;
    OK(ft_numerics_name("f32", name, sizeof name, &e));
    assert_int_equal(sscanf(name, "%15s %15s openblas %31s %31s", family, compute, core, version),
                     4);
    assert_string_equal(compute, "f32");
    assert_true(strchr(version, '.') != NULL);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_on_from_each_step),
        cmocka_unit_test(what_is_not_whole_is_seen),
        cmocka_unit_test(whole_streams_that_are_no_checkpoint_are_refused),
        cmocka_unit_test(other_runs_are_refused_by_name),
        cmocka_unit_test(states_that_cannot_be_are_refused),
        cmocka_unit_test(the_folder_keeps_two_and_touches_nothing_else),
        cmocka_unit_test(patience_ends_a_run_and_keeps_the_best),
        cmocka_unit_test(spikes_are_measured_against_the_running_mean),
        cmocka_unit_test(a_spike_ends_a_run_before_the_update),
        cmocka_unit_test(the_name_of_the_arithmetic_has_all_its_parts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
