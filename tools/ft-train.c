/* ft-train: packed rows in, an adapter out. All input is read and verified before the first step,
 * and the output is opened before it, so that nothing is trained that could not be kept. */
#include "base/mem.h"
#include "data/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/evaluate.h"
#include "tools/cli/load.h"
#include "train/adapter.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t rank = 16;
static double alpha = 32, dropout = 0;
static const char *targets = "all", *val_path, *log_path, *base = "file";
static int no_shuffle, plan_only;
static ft_train_config cfg = {.lr = 2e-4, .warmup = 0.03, .decay = 0.01, .clip = 1, .batch = 16,
                              .epochs = 1};

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
    ft_out *log;
} run;

/* ---- before training ---- */

static ft_reader *open_packed(const run *r, const char *path)
{
    ft_reader *in = cli_reader(path, FT_KIND_PACKED);
    cli_check_tokenizer(in, r->tok);
    return in;
}

static ft_dataset *read_packed(const run *r, ft_reader *in)
{
    ft_dataset *d = NULL;
    ft_mp record;
    cli_check(ft_dataset_new(&d, r->model->V, cli_err()));
    while (cli_next(in, &record))
        if (ft_dataset_add(d, record, cli_err()) < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
            cli_fail();
        }
    if (ft_dataset_end(d, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "%s", ft_reader_name(in));
        cli_fail();
    }
    if (d->longest > r->model->context)
        cli_warn("an example of %s has %zu tokens, but the model was made for %zu: ft-pack -l cuts",
                 ft_reader_name(in), d->longest, r->model->context);
    return d;
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
    static const char *const names[] = {"weights", "adapter", "optimiser", "activations",
                                        "scratch", "data", "peak"};
    const size_t bytes[] = {p->weights, p->adapter, p->optimiser, p->activations,
                            p->scratch, p->data, p->peak};
    double seconds;
    cli_check(ft_train_time(r->model, r->lora, r->train, p, cli_pool(), &seconds, cli_err()));
    if (cli_json())
        cli_print("{");
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
        if (cli_json())
            cli_print("\"%s\":%zu,", names[i], bytes[i]);
        else
            cli_print("%-12s %10.1f MiB\n", names[i], (double)bytes[i] / 1048576);
    cli_print(cli_json() ? "\"steps\":%llu,\"tokens\":%llu,\"seconds\":%.3f}\n"
                         : "steps        %10llu\ntokens       %10llu\nseconds      %10.1f  "
                           "(measured on some of the data, validation not counted)\n",
              (unsigned long long)p->steps, (unsigned long long)p->tokens, seconds);
}

/* Refuses a plan that exceeds --memory (0: no bound), or else the machine's memory. */
static void check_memory(const ft_train_plan *p)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bound = cli_memory();
    const char *whose = bound ? "--memory allows" : "this machine has";
    if (!cli_given("memory") && pages > 0 && page > 0)
        bound = (uint64_t)pages * (uint64_t)page;
    if (!bound || p->peak <= bound)
        return;
    ft_err_set(cli_err(), FT_ERR_NOMEM, "training would take %.1f MiB (weights %.1f, adapter and "
               "optimiser %.1f, activations and scratch %.1f), but %s %.1f MiB: a smaller --micro, "
               "shorter examples or a lower --lora-rank take less", (double)p->peak / 1048576,
               (double)p->weights / 1048576, (double)(p->adapter + p->optimiser) / 1048576,
               (double)(p->activations + p->scratch) / 1048576, whose, (double)bound / 1048576);
    cli_fail();
}

/* ---- training ---- */

static void log_step(run *r, const ft_train_report *p)
{
    ft_buf b = {0};
    if (!r->log)
        return;
    ft_buf_add_fmt(&b, "{\"step\":%llu,\"loss\":", (unsigned long long)p->step);
    ft_json_put_double(&b, p->loss);
    ft_buf_add_str(&b, ",\"lr\":");
    ft_json_put_double(&b, p->lr);
    ft_buf_add_str(&b, ",\"grad_norm\":");
    ft_json_put_double(&b, p->grad_norm);
    ft_buf_add_fmt(&b, ",\"tokens\":%llu,\"tokens_per_s\":%.1f}\n", (unsigned long long)p->tokens,
                   (double)p->tokens / fmax(p->seconds, 1e-9));
    if (p->validated) {
        ft_buf_add_fmt(&b, "{\"step\":%llu,\"val_loss\":", (unsigned long long)p->step);
        ft_json_put_double(&b, p->val_loss);
        ft_buf_add_str(&b, "}\n");
    }
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(r->log, b.p, b.n, cli_err()));
    cli_check(ft_out_flush(r->log, cli_err()));
    ft_buf_free(&b);
}

static void train(run *r, const ft_train_plan *plan)
{
    ft_train_report p = {0};
    double tokens = 0, seconds = 0, last = 0;
    char label[80];
    while (cli_check(ft_trainer_step(r->trainer, &p, cli_err())) != FT_EOS) {
        log_step(r, &p);
        if (p.validated)
            cli_note("step %llu of %llu: training loss %.4f, validation loss %.4f",
                     (unsigned long long)p.step, (unsigned long long)plan->steps, p.loss,
                     p.val_loss);
        tokens += (double)p.tokens;
        seconds += p.seconds;
        last = p.loss;
        snprintf(label, sizeof label, "step %llu/%llu loss %.4f", (unsigned long long)p.step,
                 (unsigned long long)plan->steps, p.loss);
        cli_progress(label, tokens, (double)plan->tokens, "tok");
    }
    cli_result_count("examples", r->train->n_examples);
    cli_result_count("steps", plan->steps);
    cli_result_real("loss", last);
    if (r->val) {
        cli_result_real("val_loss", ft_trainer_best_loss(r->trainer));
        cli_result_count("best_step", ft_trainer_best_step(r->trainer));
    }
    cli_result_real("tokens_per_s", tokens / fmax(seconds, 1e-9));
}

/* ---- the adapter ---- */

/* Writes the whole stream to w, which is gone afterwards. */
static int write_adapter(const run *r, ft_writer *w, ft_err *e)
{
    ft_counts c = {.read = r->train->n_examples};
    int rc = ft_writer_derive(w, r->in, e);
    if (rc == 0 && r->val_in)
        rc = ft_writer_derive(w, r->val_in, e);
    if (rc == 0)
        rc = ft_writer_derive_file(w, "model", &r->model->digest, e);
    if (rc == 0)
        rc = ft_adapter_write(r->lora, r->model, ft_trainer_params(r->trainer), w, e);
    if (rc < 0) {
        ft_writer_abandon(&w);
        return rc;
    }
    ft_counts_drop(&c, "trained on", c.read);
    return ft_writer_finish(&w, &c, e);
}

/* Hours of work must not be lost to a reader that went away or a disk that is full: the adapter
 * goes to a file here, or in $TMPDIR, and the program still fails. */
_Noreturn static void save_elsewhere(const run *r)
{
    ft_err why = *cli_err();
    const char *tmp = getenv("TMPDIR"), *folder = ".";
    char path[4096];
    if (access(folder, W_OK) != 0)
        folder = tmp && *tmp ? tmp : "/tmp";
    snprintf(path, sizeof path, "%s/ft-train.%ld.adapter.ft", folder, (long)getpid());
    if (write_adapter(r, cli_writer(path, r->header), cli_err()) < 0)
        cli_fail();
    *cli_err() = why;
    ft_err_wrap(cli_err(), "the adapter was saved as %s, because writing it failed", path);
    cli_fail();
}

static void free_run(run *r)
{
    ft_trainer_free(&r->trainer);
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
    cfg.seed = cli_seed();
    cfg.shuffle = !no_shuffle;
    r.model = cli_base(base);
    r.tok = cli_tokenizer_of(r.model->gguf);
    r.lora = new_lora(r.model);
    r.in = open_packed(&r, cli_input());
    if (val_path)
        r.val_in = open_packed(&r, val_path);
    r.header = cli_header_from(r.in, FT_KIND_ADAPTER);
    cli_check(ft_adapter_header(r.lora, r.model, &r.header, &r.extra, cli_err()));
    if (!plan_only)
        out = cli_writer(cli_output(), r.header);
    if (log_path && !plan_only)
        cli_check(ft_out_open_log(&r.log, log_path, cli_err()));
    r.train = read_packed(&r, r.in);
    if (val_path)
        r.val = read_packed(&r, r.val_in);
    cli_check(ft_train_plan_for(r.model, r.lora, r.train, r.val, &cfg,
                                ft_pool_threads(cli_pool()), &plan, cli_err()));
    check_memory(&plan);
    if (plan_only) {
        print_plan(&r, &plan);
        free_run(&r);
        return cli_end();
    }
    cli_check(ft_trainer_new(&r.trainer, r.model, r.lora, r.train, r.val, &cfg, cli_pool(),
                             cli_err()));
    train(&r, &plan);
    if (r.log)
        cli_check(ft_out_commit(&r.log, cli_err()));
    if (write_adapter(&r, out, cli_err()) == FT_ERR_IO)
        save_elsewhere(&r);
    cli_check(cli_err()->code);
    free_run(&r);
    return cli_end();
}
