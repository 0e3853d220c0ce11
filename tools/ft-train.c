/* ft-train: packed rows in, an adapter out. All input is read and verified before the first step,
 * and the output is opened before it, so that nothing is trained that could not be kept. */
#include "base/mem.h"
#include "nn/full.h"
#include "tools/cli/cli.h"
#include "tools/cli/leak.h"
#include "tools/cli/load.h"
#include "tools/cli/train_adapter.h"
#include "tools/cli/train_checkpoints.h"
#include "tools/cli/train_data.h"
#include "tools/cli/train_log.h"
#include "tools/cli/train_memory.h"
#include "tools/cli/train_options.h"
#include "tools/cli/train_start.h"
#include "tools/cli/train_virtual.h"
#include "train/adapter_stream.h"
#include "train/numerics.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cli_tool tool = {
    "ft-train", "train an adapter on a packed stream",
    "-m MODEL [options] [FILE]",
    "  ft-tokenize -m base.gguf < train.ft | ft-pack -l 512 | ft-train -m base.gguf > adapter.ft\n"
    "  ft-train -m base.gguf --val val.ft --val-every 50 --log log.jsonl -o adapter.ft packed.ft",
    "ft-pack(1), ft-eval(1), ft-merge(1), ft-generate(1)",
    CLI_IN | CLI_OUT | CLI_MODEL | CLI_THREADS | CLI_SEED | CLI_LEVEL | CLI_MEMORY | CLI_HISTORY,
    1, cli_train_list};

static cli_train_options *const o = &cli_train;

typedef struct run {
    ft_model *model;
    ft_tokenizer *tok;
    ft_adapter *adapter;
    ft_reader *in, *val_in, *forget_in;
    ft_reader *init;           /* of the adapter to begin with, or NULL */
    ft_dataset *train, *val, *forget;
    ft_header header;
    ft_buf extra;              /* what header points into */
    ft_trainer *trainer;
    cli_train_logs logs;
    char numerics[128];
} run;

/* ---- before training ---- */

static void print_plan(const run *r, const ft_train_plan *p)
{
    double seconds;
    cli_check(ft_train_time(r->model, r->adapter, r->train, p, cli_pool(), &seconds, cli_err()));
    cli_plan_print(p, seconds);
}

/* ---- training ---- */

static void note_forgotten(const ft_train_state *s, const ft_train_plan *plan)
{
    cli_note("stopped after step %llu of %llu: the loss on general text has risen by %.4f, and "
             "--max-forget allows %g", (unsigned long long)s->step,
             (unsigned long long)plan->steps, ft_evaluations_rise(&s->seen), o->cfg.max_forget);
    if (s->best_step == 0)
        cli_warn("no evaluation was within --max-forget: the adapter is the untrained one; a lower "
                 "--lr or --val-every with fewer steps may help");
    cli_result_count("stopped_forgetting", s->step);
}

/* What an evaluation found, in words. */
static void note_evaluation(const ft_train_report *p, const ft_train_plan *plan)
{
    ft_buf b = {0};
    if (p->validated)
        ft_buf_add_fmt(&b, ", validation loss %.4f (gap %.4f)", p->val_loss,
                       p->val_loss - p->train_loss);
    if (p->forgets)
        ft_buf_add_fmt(&b, ", loss on general text %.4f (%+.4f)", p->forget_loss, p->forget_rise);
    cli_check(ft_buf_check(&b, cli_err()));
    cli_note("step %llu of %llu: training loss %.4f%.*s", (unsigned long long)p->step,
             (unsigned long long)plan->steps, p->train_loss, (int)b.n, (const char *)b.p);
    ft_buf_free(&b);
    if (p->overfitting)
        cli_warn("overfitting: the validation loss has risen while the training loss fell, for %d "
                 "evaluations in a row; from here on the examples are learned by heart",
                 FT_OVERFITTING);
}

static void results(const run *r, const ft_train_plan *plan, double tokens, double seconds)
{
    ft_train_state s = ft_trainer_state(r->trainer);
    if (ft_trainer_is_early(r->trainer)) {
        cli_note("stopped early after step %llu of %llu: no better validation loss in %llu "
                 "validations", (unsigned long long)s.step, (unsigned long long)plan->steps,
                 (unsigned long long)s.stale);
        cli_result_count("stopped_early", s.step);
    }
    if (ft_trainer_has_forgotten(r->trainer))
        note_forgotten(&s, plan);
    cli_result_count("parameters", ft_adapter_n_trained(r->adapter));
    cli_result_real("parameters_share", (double)ft_adapter_n_trained(r->adapter) /
                                            (double)ft_model_parameters(r->model));
    cli_result_count("examples", r->train->n_examples);
    cli_result_count("steps", s.step);
    cli_result_real("loss", s.loss);
    if (r->val) {
        cli_result_real("val_loss", ft_trainer_best_loss(r->trainer));
        cli_result_count("best_step", ft_trainer_best_step(r->trainer));
    }
    if (r->forget) {
        if (!r->val && s.best)
            cli_result_count("best_step", s.best_step);
        cli_result_real("forget_start", s.seen.forget_start);
        cli_result_real("forget_loss", s.seen.forget_loss);
        cli_result_real("forget_rise", ft_evaluations_rise(&s.seen));
    }
    cli_result_real("tokens_per_s", tokens / fmax(seconds, 1e-9));
}

static void train(run *r, const ft_train_plan *plan)
{
    ft_train_report p;
    double tokens = 0, seconds = 0, share;
    char label[80];
    int rc;
    share = 1 - (double)ft_trainer_state(r->trainer).step / (double)plan->steps;
    while ((rc = ft_trainer_step(r->trainer, &p, cli_err())) == 0) {
        cli_train_logs_step(&r->logs, &p, r->trainer, r->train);
        if (p.evaluated)
            note_evaluation(&p, plan);
        tokens += (double)p.tokens;
        seconds += p.seconds;
        cli_checkpoints_step(&o->saved, r->trainer, &r->logs);
        snprintf(label, sizeof label, "step %llu/%llu loss %.4f", (unsigned long long)p.step,
                 (unsigned long long)plan->steps, p.loss);
        cli_progress(label, tokens, share * (double)plan->tokens, "tok");
    }
    if (rc < 0)
        cli_checkpoints_fail(&o->saved);
    cli_checkpoints_end(&o->saved);
    cli_train_logs_end(&r->logs);
    results(r, plan, tokens, seconds);
}

/* Says what a checkpoint must have in common with this run, and goes on from the last good one. */
static void begin(run *r)
{
    ft_train_report p;
    cli_check(ft_numerics_name(o->compute, r->numerics, sizeof r->numerics, cli_err()));
    o->saved.run = (ft_run){.model = r->model->digest, .transform = r->model->transform,
                            .seed = o->cfg.seed, .numerics = r->numerics};
    o->saved.in = r->in;
    o->saved.val_in = r->val_in;
    o->saved.init = r->init;
    o->saved.forget_in = r->forget_in;
    cli_checkpoints_begin(&o->saved, r->trainer, &r->logs);
    cli_check(ft_trainer_begin(r->trainer, &p, cli_err()));
    if (p.forgets) {
        cli_note("before training: loss on general text %.4f", p.forget_loss);
        cli_train_logs_step(&r->logs, &p, r->trainer, r->train);
    }
}

/* The weights become parameters. What a quantised file holds is no place to begin without being
 * asked for. */
static void take_over(run *r)
{
    if (strcmp(o->base, "f32") != 0)
        for (size_t l = 0; l < r->model->L; l++)
            for (int t = 0; t < FT_TARGETS; t++)
                if (ft_type_info_of((uint32_t)r->model->layers[l].w[t].type)->block > 1)
                    cli_usage_error("%s is quantised: --base f32 begins with what its weights "
                                    "decode to, or give a model in f32, f16 or bf16",
                                    ft_gguf_path(r->model->gguf));
    ft_full_take_over(r->adapter, r->model);
}

/* Reads data to measure on, which must not be trained on. */
static ft_dataset *read_measured(const run *r, ft_reader *in, const cli_leak *trained)
{
    ft_dataset *d = cli_packed_read(in, r->model, ft_virtual_of(r->adapter, r->model),
                                    !o->allow_leak);
    cli_leak_check(trained, ft_reader_name(r->in), in, o->allow_leak);
    return d;
}

/* Reads all data. */
static void read_data(run *r)
{
    cli_leak trained = {0};
    r->train = cli_packed_read(r->in, r->model, ft_virtual_of(r->adapter, r->model), 0);
    if (!r->val_in && !r->forget_in)
        return;
    cli_leak_add_model(&trained, r->model->gguf);
    cli_leak_add_reader(&trained, r->in);
    if (r->val_in)
        r->val = read_measured(r, r->val_in, &trained);
    if (r->forget_in)
        r->forget = read_measured(r, r->forget_in, &trained);
    o->cfg.forget = r->forget;
    cli_leak_free(&trained);
    if (r->val_in)
        cli_start_check_leak(r->init, r->val_in, o->allow_leak);
    if (r->forget_in)
        cli_start_check_leak(r->init, r->forget_in, o->allow_leak);
}

static void write_adapter(run *r, ft_writer *out)
{
    cli_adapter_output a = {r->adapter, r->model, ft_trainer_params(r->trainer), r->in, r->val_in,
                            r->forget_in, r->init, r->train->n_examples, r->header};
    cli_adapter_write(&a, out);
}

static void free_run(run *r)
{
    ft_trainer_free(&r->trainer);
    cli_checkpoints_free(&o->saved);
    ft_dataset_free(&r->train);
    ft_dataset_free(&r->val);
    ft_dataset_free(&r->forget);
    ft_adapter_free(&r->adapter);
    ft_tokenizer_free(&r->tok);
    ft_model_free(&r->model);
    ft_reader_free(&r->in);
    ft_reader_free(&r->val_in);
    ft_reader_free(&r->init);
    ft_reader_free(&r->forget_in);
    ft_buf_free(&r->extra);
}

int main(int argc, char **argv)
{
    run r = {0};
    ft_train_plan plan;
    ft_writer *out = NULL;
    cli_begin(&tool, argc, argv);
    signal(SIGPIPE, SIG_IGN);    /* a reader that is gone shows when the adapter is written */
    cli_train_options_take();
    r.model = cli_base(o->base);
    r.adapter = cli_start_adapter(r.model, &r.init);
    o->cfg.compute = ft_compute_by_name(o->compute);
    cli_check(ft_compute_for_training(&o->cfg.compute, r.model, cli_pool(), cli_err()));
    o->compute = ft_compute_name(o->cfg.compute);    /* what auto is here, for the history */
    r.tok = cli_tokenizer_of(r.model->gguf);
    if (o->adapter.method == FT_METHOD_FULL)
        take_over(&r);
    r.in = cli_packed_open(cli_input(), r.tok);
    cli_start_check_rows(r.init, r.in);
    if (o->val_path)
        r.val_in = cli_packed_open(o->val_path, r.tok);
    if (o->forget_path)
        r.forget_in = cli_packed_open(o->forget_path, r.tok);
    r.header = cli_header_from(r.in, FT_KIND_ADAPTER);
    cli_check(ft_adapter_header(r.adapter, r.model, &r.header, &r.extra, cli_err()));
    if (!o->plan_only) {
        cli_checkpoints_open(&o->saved);
        out = cli_writer(cli_output(), r.header);
    }
    r.logs = (cli_train_logs){.steps_path = o->log_path, .examples_path = o->example_log_path};
    if (!o->plan_only && !o->saved.resume)
        cli_train_logs_begin(&r.logs);
    read_data(&r);
    cli_check(ft_train_plan_for(r.model, r.adapter, r.train, r.val, &o->cfg,
                                ft_pool_threads(cli_pool()), &plan, cli_err()));
    cli_plan_check(&plan, o->cfg.memory);
    if (!r.init)
        cli_virtual_begin(r.adapter, r.model, r.tok, o->init_text, r.train);
    if (o->plan_only) {
        print_plan(&r, &plan);
        free_run(&r);
        return cli_end();
    }
    cli_start_fill(r.adapter, r.model, &plan);
    cli_check(ft_trainer_new(&r.trainer, r.model, r.adapter, r.train, r.val, &o->cfg, cli_pool(),
                             cli_err()));
    begin(&r);
    train(&r, &plan);
    write_adapter(&r, out);
    free_run(&r);
    return cli_end();
}
