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
#include "train/adapter.h"
#include "train/numerics.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t rank = 16;
static double alpha = 32, dropout = 0;
static const char *targets = "all", *val_path, *log_path, *base = "file";
static const char *compute = "auto", *recompute = "none", *schedule = "cosine";
static int no_shuffle, no_share, plan_only, allow_leak;
static cli_checkpoints saved = {.every = 50};
static ft_train_config cfg = {.lr = 2e-4, .warmup = 0.03, .decay = 0.01, .clip = 1, .batch = 16,
                              .epochs = 1, .spike = 10};

static const cli_option options[] = {
    {"lora-rank", 0, CLI_COUNT, &rank, "R", 1, 65536, CLI_PAYLOAD, "rank of the adapter"},
    {"lora-alpha", 0, CLI_REAL, &alpha, "A", 1e-6, 1e6, CLI_PAYLOAD,
     "the adapter's part is scaled by alpha / rank"},
    {"lora-dropout", 0, CLI_REAL, &dropout, "P", 0, 0.99, CLI_PAYLOAD,
     "share of the adapter's inputs left out while training"},
    {"lora-targets", 0, CLI_TEXT, &targets, "LIST", 0, 0, CLI_PAYLOAD,
     "of q,k,v,o,gate,up,down; or all, attention, mlp"},
    {"base", 0, CLI_CHOICE, &base, "file|nf4", 0, 0, CLI_PAYLOAD,
     "train on the weights of the file, or on them in nf4 (QLoRA)"},
    {"lr", 0, CLI_REAL, &cfg.lr, "RATE", 0, 10, CLI_PAYLOAD, "learning rate after the warm-up"},
    {"schedule", 0, CLI_CHOICE, &schedule, "cosine|linear|constant", 0, 0, CLI_PAYLOAD,
     "how the rate goes on after the warm-up"},
    {"warmup", 0, CLI_REAL, &cfg.warmup, "W", 0, 1e9, CLI_PAYLOAD,
     "steps of warm-up; below 1: share of all steps"},
    {"weight-decay", 0, CLI_REAL, &cfg.decay, "D", 0, 100, CLI_PAYLOAD, "decoupled weight decay"},
    {"clip", 0, CLI_REAL, &cfg.clip, "NORM", 0, 1e9, CLI_PAYLOAD,
     "largest norm of the gradient; 0: any"},
    {"batch", 0, CLI_COUNT, &cfg.batch, "N", 1, 1e9, CLI_PAYLOAD,
     "a step ends at the first row after N examples"},
    {"micro", 0, CLI_COUNT, &cfg.micro, "N", 0, 1e9, 0,
     "examples computed at once; 0: what fits 2048 tokens"},
    {"epochs", 0, CLI_COUNT, &cfg.epochs, "N", 1, 1e6, CLI_PAYLOAD, "passes over the data"},
    {"no-shuffle", 0, CLI_FLAG, &no_shuffle, 0, 0, 0, CLI_PAYLOAD, "keep the order of the rows"},
    {"val", 0, CLI_TEXT, &val_path, "FILE", 0, 0, 0,
     "packed stream to validate on; the best adapter is kept"},
    {"val-every", 0, CLI_COUNT, &cfg.val_every, "STEPS", 0, 1e9, CLI_PAYLOAD,
     "validate so often, and at the end; 0: only then"},
    {"allow-leak", 0, CLI_FLAG, &allow_leak, 0, 0, 0, CLI_PAYLOAD,
     "validate on the part of a split that is trained on, or on augmented examples"},
    {"compute", 0, CLI_CHOICE, &compute, "f32|bf16|int8|auto", 0, 0, CLI_PAYLOAD,
     "what products are computed in"},
    {"recompute", 0, CLI_CHOICE, &recompute, "none|attention|full", 0, 0, 0,
     "what is computed again instead of kept"},
    {"patience", 0, CLI_COUNT, &cfg.patience, "N", 0, 1e9, CLI_PAYLOAD,
     "stop after N validations without improvement; 0: never"},
    {"spike", 0, CLI_REAL, &cfg.spike, "FACTOR", 0, 1e9, 0,
     "fail when a loss is FACTOR times the running mean; 0: never"},
    {"checkpoint", 0, CLI_TEXT, &saved.path, "DIR", 0, 0, 0,
     "keep the last two checkpoints in DIR; SIGTERM saves one"},
    {"every", 0, CLI_COUNT, &saved.every, "STEPS", 1, 1e9, 0,
     "save a checkpoint so often, and at the end"},
    {"resume", 0, CLI_FLAG, &saved.resume, 0, 0, 0, 0,
     "go on from the last checkpoint in DIR; begin where there is none"},
    {"no-share", 0, CLI_FLAG, &no_share, 0, 0, 0, CLI_PAYLOAD,
     "compute what a step's examples have in common for each of them"},
    {"whole-last-layer", 0, CLI_FLAG, &cfg.whole_last_layer, 0, 0, 0, CLI_PAYLOAD,
     "compute the last layer where no target needs it, too"},
    {"free-reductions", 0, CLI_FLAG, &cfg.free_reductions, 0, 0, 0, CLI_PAYLOAD | CLI_HIDDEN,
     "sum gradients in an order that --micro changes, to measure what the fixed one costs"},
    {"log", 0, CLI_TEXT, &log_path, "FILE", 0, 0, 0, "write a JSON line for each step"},
    {"plan", 0, CLI_FLAG, &plan_only, 0, 0, 0, 0, "print memory, steps and expected time; stop"},
    {0}};

static const cli_tool tool = {
    "ft-train", "train a LoRA adapter on a packed stream",
    "-m MODEL [options] [FILE]",
    "  ft-tokenize -m base.gguf < train.ft | ft-pack -l 512 | ft-train -m base.gguf > adapter.ft\n"
    "  ft-train -m base.gguf --val val.ft --val-every 50 --log log.jsonl -o adapter.ft packed.ft",
    "ft-pack(1), ft-eval(1), ft-merge(1), ft-generate(1)",
    CLI_IN | CLI_OUT | CLI_MODEL | CLI_THREADS | CLI_SEED | CLI_LEVEL | CLI_MEMORY | CLI_HISTORY,
    1, options};

typedef struct run {
    ft_model *model;
    ft_tokenizer *tok;
    ft_lora *lora;
    ft_reader *in, *val_in;
    ft_dataset *train, *val;
    ft_header header;
    ft_buf extra;              /* what header points into */
    ft_trainer *trainer;
    cli_train_log log;
    char numerics[128];
} run;

/* ---- before training ---- */

static void check_options(void)
{
    if (!saved.path && (saved.resume || cli_given("every")))
        cli_usage_error("--%s needs --checkpoint DIR", saved.resume ? "resume" : "every");
    if (cfg.patience && !val_path)
        cli_usage_error("--patience needs --val FILE");
}

static ft_lora *new_lora(const ft_model *m)
{
    ft_lora_config c = {.rank = (size_t)rank, .alpha = (float)alpha, .dropout = (float)dropout};
    ft_lora *l = NULL;
    cli_check(ft_lora_parse_targets(targets, &c.targets, cli_err()));
    cli_check(ft_lora_new(&l, m, &c, cli_seed(), cli_err()));
    return l;
}

static void print_plan(const run *r, const ft_train_plan *p)
{
    double seconds;
    cli_check(ft_train_time(r->model, r->lora, r->train, p, cli_pool(), &seconds, cli_err()));
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
        cli_checkpoints_step(&saved, r->trainer, &r->log);
        snprintf(label, sizeof label, "step %llu/%llu loss %.4f", (unsigned long long)p.step,
                 (unsigned long long)plan->steps, p.loss);
        cli_progress(label, tokens, share * (double)plan->tokens, "tok");
    }
    if (rc < 0)
        cli_checkpoints_fail(&saved);
    cli_checkpoints_end(&saved);
    cli_train_log_end(&r->log);
    results(r, plan, tokens, seconds);
}

/* Says what a checkpoint must have in common with this run, and goes on from the last good one. */
static void begin(run *r)
{
    cli_check(ft_numerics_name(compute, r->numerics, sizeof r->numerics, cli_err()));
    saved.run = (ft_run){.model = r->model->digest, .transform = r->model->transform,
                         .seed = cfg.seed, .numerics = r->numerics};
    saved.in = r->in;
    saved.val_in = r->val_in;
    cli_checkpoints_begin(&saved, r->trainer, &r->log, log_path);
}

/* Reads all data, and refuses to validate on what is trained on. */
static void read_data(run *r)
{
    cli_leak trained = {0};
    r->train = cli_packed_read(r->in, r->model, 0);
    if (!val_path)
        return;
    r->val = cli_packed_read(r->val_in, r->model, !allow_leak);
    cli_leak_add_model(&trained, r->model->gguf);
    cli_leak_add_reader(&trained, r->in);
    cli_leak_check(&trained, ft_reader_name(r->in), r->val_in, allow_leak);
    cli_leak_free(&trained);
}

static void write_adapter(run *r, ft_writer *out)
{
    cli_adapter_output a = {r->lora, r->model, ft_trainer_params(r->trainer), r->in, r->val_in,
                            r->train->n_examples, r->header};
    cli_adapter_write(&a, out);
}

static void free_run(run *r)
{
    ft_trainer_free(&r->trainer);
    cli_checkpoints_free(&saved);
    ft_dataset_free(&r->train);
    ft_dataset_free(&r->val);
    ft_lora_free(&r->lora);
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
    check_options();
    cfg.seed = cli_seed();
    cfg.decline = ft_decline_by_name(schedule);
    cfg.recompute = ft_recompute_by_name(recompute);
    cfg.keep_recompute = cli_given("recompute");
    cfg.share = !no_share;
    cfg.memory = cli_memory_bound();
    cfg.shuffle = !no_shuffle;
    r.model = cli_base(base);
    cfg.compute = ft_compute_by_name(compute);
    cli_check(ft_compute_for_training(&cfg.compute, r.model, cli_pool(), cli_err()));
    compute = ft_compute_name(cfg.compute);    /* what auto is here, for the history */
    r.tok = cli_tokenizer_of(r.model->gguf);
    r.lora = new_lora(r.model);
    r.in = cli_packed_open(cli_input(), r.tok);
    if (val_path)
        r.val_in = cli_packed_open(val_path, r.tok);
    r.header = cli_header_from(r.in, FT_KIND_ADAPTER);
    cli_check(ft_adapter_header(r.lora, r.model, &r.header, &r.extra, cli_err()));
    if (!plan_only) {
        cli_checkpoints_open(&saved);
        out = cli_writer(cli_output(), r.header);
    }
    if (log_path && !plan_only && !saved.resume)
        cli_train_log_begin(&r.log, log_path);
    read_data(&r);
    cli_check(ft_train_plan_for(r.model, r.lora, r.train, r.val, &cfg,
                                ft_pool_threads(cli_pool()), &plan, cli_err()));
    cli_plan_check(&plan, cfg.memory);
    if (plan_only) {
        print_plan(&r, &plan);
        free_run(&r);
        return cli_end();
    }
    cli_check(ft_trainer_new(&r.trainer, r.model, r.lora, r.train, r.val, &cfg, cli_pool(),
                             cli_err()));
    begin(&r);
    train(&r, &plan);
    write_adapter(&r, out);
    free_run(&r);
    return cli_end();
}
