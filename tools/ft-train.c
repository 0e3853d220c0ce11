/* ft-train: packed rows in, an adapter out. All input is read and verified before the first step,
 * and the output is opened before it, so that nothing is trained that could not be kept. */
#include "base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/leak.h"
#include "tools/cli/load.h"
#include "tools/cli/train_adapter.h"
#include "tools/cli/train_checkpoints.h"
#include "tools/cli/train_data.h"
#include "tools/cli/train_log.h"
#include "tools/cli/train_memory.h"
#include "tools/cli/train_options.h"
#include "nn/full.h"
#include "train/adapter_stream.h"
#include "train/numerics.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const cli_tool tool = {
    "ft-train", "train a LoRA adapter on a packed stream",
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
    ft_reader *in, *val_in;
    ft_dataset *train, *val;
    ft_header header;
    ft_buf extra;              /* what header points into */
    ft_trainer *trainer;
    cli_train_log log;
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

static void results(const run *r, const ft_train_plan *plan, double tokens, double seconds)
{
    ft_train_state s = ft_trainer_state(r->trainer);
    if (ft_trainer_is_early(r->trainer)) {
        cli_note("stopped early after step %llu of %llu: no better validation loss in %llu "
                 "validations", (unsigned long long)s.step, (unsigned long long)plan->steps,
                 (unsigned long long)s.stale);
        cli_result_count("stopped_early", s.step);
    }
    cli_result_count("parameters", r->adapter->n_params);
    cli_result_real("parameters_share", (double)r->adapter->n_params /
                                            (double)ft_model_parameters(r->model));
    cli_result_count("examples", r->train->n_examples);
    cli_result_count("steps", s.step);
    cli_result_real("loss", s.loss);
    if (r->val) {
        cli_result_real("val_loss", ft_trainer_best_loss(r->trainer));
        cli_result_count("best_step", ft_trainer_best_step(r->trainer));
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
        cli_train_log_step(&r->log, &p);
        if (p.validated)
            cli_note("step %llu of %llu: training loss %.4f, validation loss %.4f",
                     (unsigned long long)p.step, (unsigned long long)plan->steps, p.loss,
                     p.val_loss);
        tokens += (double)p.tokens;
        seconds += p.seconds;
        cli_checkpoints_step(&o->saved, r->trainer, &r->log);
        snprintf(label, sizeof label, "step %llu/%llu loss %.4f", (unsigned long long)p.step,
                 (unsigned long long)plan->steps, p.loss);
        cli_progress(label, tokens, share * (double)plan->tokens, "tok");
    }
    if (rc < 0)
        cli_checkpoints_fail(&o->saved);
    cli_checkpoints_end(&o->saved);
    cli_train_log_end(&r->log);
    results(r, plan, tokens, seconds);
}

/* Says what a checkpoint must have in common with this run, and goes on from the last good one. */
static void begin(run *r)
{
    cli_check(ft_numerics_name(o->compute, r->numerics, sizeof r->numerics, cli_err()));
    o->saved.run = (ft_run){.model = r->model->digest, .transform = r->model->transform,
                            .seed = o->cfg.seed, .numerics = r->numerics};
    o->saved.in = r->in;
    o->saved.val_in = r->val_in;
    cli_checkpoints_begin(&o->saved, r->trainer, &r->log, o->log_path);
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

/* Reads all data, and refuses to validate on what is trained on. */
static void read_data(run *r)
{
    cli_leak trained = {0};
    r->train = cli_packed_read(r->in, r->model, 0);
    if (!o->val_path)
        return;
    r->val = cli_packed_read(r->val_in, r->model, !o->allow_leak);
    cli_leak_add_model(&trained, r->model->gguf);
    cli_leak_add_reader(&trained, r->in);
    cli_leak_check(&trained, ft_reader_name(r->in), r->val_in, o->allow_leak);
    cli_leak_free(&trained);
}

static void write_adapter(run *r, ft_writer *out)
{
    cli_adapter_output a = {r->adapter, r->model, ft_trainer_params(r->trainer), r->in, r->val_in,
                            r->train->n_examples, r->header};
    cli_adapter_write(&a, out);
}

static void free_run(run *r)
{
    ft_trainer_free(&r->trainer);
    cli_checkpoints_free(&o->saved);
    ft_dataset_free(&r->train);
    ft_dataset_free(&r->val);
    ft_adapter_free(&r->adapter);
    ft_tokenizer_free(&r->tok);
    ft_model_free(&r->model);
    ft_reader_free(&r->in);
    ft_reader_free(&r->val_in);
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
    o->cfg.compute = ft_compute_by_name(o->compute);
    cli_check(ft_compute_for_training(&o->cfg.compute, r.model, cli_pool(), cli_err()));
    o->compute = ft_compute_name(o->cfg.compute);    /* what auto is here, for the history */
    r.tok = cli_tokenizer_of(r.model->gguf);
    cli_check(ft_adapter_new(&r.adapter, r.model, &o->adapter, o->cfg.seed, cli_err()));
    if (o->adapter.method == FT_METHOD_FULL)
        take_over(&r);
    r.in = cli_packed_open(cli_input(), r.tok);
    if (o->val_path)
        r.val_in = cli_packed_open(o->val_path, r.tok);
    r.header = cli_header_from(r.in, FT_KIND_ADAPTER);
    cli_check(ft_adapter_header(r.adapter, r.model, &r.header, &r.extra, cli_err()));
    if (!o->plan_only) {
        cli_checkpoints_open(&o->saved);
        out = cli_writer(cli_output(), r.header);
    }
    if (o->log_path && !o->plan_only && !o->saved.resume)
        cli_train_log_begin(&r.log, o->log_path);
    read_data(&r);
    cli_check(ft_train_plan_for(r.model, r.adapter, r.train, r.val, &o->cfg,
                                ft_pool_threads(cli_pool()), &plan, cli_err()));
    cli_plan_check(&plan, o->cfg.memory);
    if (o->plan_only) {
        print_plan(&r, &plan);
        free_run(&r);
        return cli_end();
    }
    cli_check(ft_trainer_new(&r.trainer, r.model, r.adapter, r.train, r.val, &o->cfg, cli_pool(),
                             cli_err()));
    begin(&r);
    train(&r, &plan);
    write_adapter(&r, out);
    free_run(&r);
    return cli_end();
}
