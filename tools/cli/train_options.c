#include "tools/cli/train_options.h"

#include "tools/cli/train_memory.h"

#include <string.h>

static uint64_t rank = 16, width = 64;
static double alpha = 32, dropout = 0;
static const char *method = "lora", *targets = "all", *recompute = "none", *schedule = "cosine";
static const char *kind = "pfeiffer";
static int no_shuffle, no_share;

cli_train_options cli_train = {
    .base = "file", .compute = "auto", .saved = {.every = 50},
    .cfg = {.lr = 2e-4, .warmup = 0.03, .decay = 0.01, .clip = 1, .batch = 16, .epochs = 1,
            .spike = 10}};

const cli_option cli_train_list[] = {
    {"method", 0, CLI_CHOICE, &method, "lora|adapter|full", 0, 0, CLI_PAYLOAD, "what is trained"},
    {"lora-rank", 0, CLI_COUNT, &rank, "R", 1, 65536, CLI_PAYLOAD, "rank of the adapter"},
    {"lora-alpha", 0, CLI_REAL, &alpha, "A", 1e-6, 1e6, CLI_PAYLOAD,
     "the adapter's part is scaled by alpha / rank"},
    {"lora-dropout", 0, CLI_REAL, &dropout, "P", 0, 0.99, CLI_PAYLOAD,
     "share of the adapter's inputs left out while training"},
    {"lora-targets", 0, CLI_TEXT, &targets, "LIST", 0, 0, CLI_PAYLOAD,
     "of q,k,v,o,gate,up,down; or all, attention, mlp"},
    {"adapter-kind", 0, CLI_CHOICE, &kind, "houlsby|pfeiffer", 0, 0, CLI_PAYLOAD,
     "bottlenecks behind attention and MLP, or behind the MLP alone"},
    {"adapter-width", 0, CLI_COUNT, &width, "M", 1, 65536, CLI_PAYLOAD, "width of the bottlenecks"},
    {"base", 0, CLI_CHOICE, &cli_train.base, "file|nf4|f32", 0, 0, CLI_PAYLOAD,
     "train on the weights of the file, on them in nf4 (QLoRA), or (full) from them in f32"},
    {"lr", 0, CLI_REAL, &cli_train.cfg.lr, "RATE", 0, 10, CLI_PAYLOAD,
     "learning rate after the warm-up; each method has its own default"},
    {"schedule", 0, CLI_CHOICE, &schedule, "cosine|linear|constant", 0, 0, CLI_PAYLOAD,
     "how the rate goes on after the warm-up"},
    {"warmup", 0, CLI_REAL, &cli_train.cfg.warmup, "W", 0, 1e9, CLI_PAYLOAD,
     "steps of warm-up; below 1: share of all steps"},
    {"weight-decay", 0, CLI_REAL, &cli_train.cfg.decay, "D", 0, 100, CLI_PAYLOAD,
     "decoupled weight decay"},
    {"clip", 0, CLI_REAL, &cli_train.cfg.clip, "NORM", 0, 1e9, CLI_PAYLOAD,
     "largest norm of the gradient; 0: any"},
    {"batch", 0, CLI_COUNT, &cli_train.cfg.batch, "N", 1, 1e9, CLI_PAYLOAD,
     "a step ends at the first row after N examples"},
    {"micro", 0, CLI_COUNT, &cli_train.cfg.micro, "N", 0, 1e9, 0,
     "examples computed at once; 0: what fits 2048 tokens"},
    {"epochs", 0, CLI_COUNT, &cli_train.cfg.epochs, "N", 1, 1e6, CLI_PAYLOAD,
     "passes over the data"},
    {"no-shuffle", 0, CLI_FLAG, &no_shuffle, 0, 0, 0, CLI_PAYLOAD, "keep the order of the rows"},
    {"val", 0, CLI_TEXT, &cli_train.val_path, "FILE", 0, 0, 0,
     "packed stream to validate on; the best adapter is kept"},
    {"val-every", 0, CLI_COUNT, &cli_train.cfg.val_every, "STEPS", 0, 1e9, CLI_PAYLOAD,
     "validate so often, and at the end; 0: only then"},
    {"allow-leak", 0, CLI_FLAG, &cli_train.allow_leak, 0, 0, 0, CLI_PAYLOAD,
     "validate on the part of a split that is trained on, or on augmented examples"},
    {"compute", 0, CLI_CHOICE, &cli_train.compute, "f32|bf16|int8|auto", 0, 0, CLI_PAYLOAD,
     "what products are computed in"},
    {"recompute", 0, CLI_CHOICE, &recompute, "none|attention|full", 0, 0, 0,
     "what is computed again instead of kept"},
    {"patience", 0, CLI_COUNT, &cli_train.cfg.patience, "N", 0, 1e9, CLI_PAYLOAD,
     "stop after N validations without improvement; 0: never"},
    {"spike", 0, CLI_REAL, &cli_train.cfg.spike, "FACTOR", 0, 1e9, 0,
     "fail when a loss is FACTOR times the running mean; 0: never"},
    {"checkpoint", 0, CLI_TEXT, &cli_train.saved.path, "DIR", 0, 0, 0,
     "keep the last two checkpoints in DIR; SIGTERM saves one"},
    {"every", 0, CLI_COUNT, &cli_train.saved.every, "STEPS", 1, 1e9, 0,
     "save a checkpoint so often, and at the end"},
    {"resume", 0, CLI_FLAG, &cli_train.saved.resume, 0, 0, 0, 0,
     "go on from the last checkpoint in DIR; begin where there is none"},
    {"no-share", 0, CLI_FLAG, &no_share, 0, 0, 0, CLI_PAYLOAD,
     "compute what a step's examples have in common for each of them"},
    {"whole-last-layer", 0, CLI_FLAG, &cli_train.cfg.whole_last_layer, 0, 0, 0, CLI_PAYLOAD,
     "compute the last layer where no target needs it, too"},
    {"free-reductions", 0, CLI_FLAG, &cli_train.cfg.free_reductions, 0, 0, 0,
     CLI_PAYLOAD | CLI_HIDDEN,
     "sum gradients in an order that --micro changes, to measure what the fixed one costs"},
    {"log", 0, CLI_TEXT, &cli_train.log_path, "FILE", 0, 0, 0, "write a JSON line for each step"},
    {"plan", 0, CLI_FLAG, &cli_train.plan_only, 0, 0, 0, 0,
     "print memory, steps and expected time; stop"},
    {0}};

/* Options that only some methods have. */
static const struct {
    const char *option;
    unsigned methods;              /* 1 << FT_METHOD_LORA, … */
} belongs[] = {
    {"lora-rank", 1u << FT_METHOD_LORA}, {"lora-alpha", 1u << FT_METHOD_LORA},
    {"lora-dropout", 1u << FT_METHOD_LORA}, {"lora-targets", 1u << FT_METHOD_LORA},
    {"adapter-kind", 1u << FT_METHOD_ADAPTER}, {"adapter-width", 1u << FT_METHOD_ADAPTER}};

static void check_options(enum ft_method chosen)
{
    for (size_t i = 0; i < sizeof belongs / sizeof *belongs; i++) {
        int owner = 0;
        if (!cli_given(belongs[i].option) || belongs[i].methods >> chosen & 1)
            continue;
        while (!(belongs[i].methods >> owner & 1))
            owner++;
        cli_usage_error("--%s goes with --method %s, not with %s", belongs[i].option,
                        ft_method_name((enum ft_method)owner), method);
    }
}

static void adapter_config(ft_adapter_config *c)
{
    c->method = ft_method_by_name((ft_slice){(const uint8_t *)method, strlen(method)});
    check_options(c->method);
    if (c->method == FT_METHOD_FULL && strcmp(cli_train.base, "nf4") == 0)
        cli_usage_error("--base nf4 is frozen, and --method full trains all weights: --base f32");
    if (c->method != FT_METHOD_FULL && strcmp(cli_train.base, "f32") == 0)
        cli_usage_error("--base f32 goes with --method full, not with %s", method);
    if (c->method == FT_METHOD_FULL)
        return;
    if (c->method == FT_METHOD_ADAPTER) {
        c->rank = (size_t)width;
        c->targets = strcmp(kind, "houlsby") == 0 ? FT_BOTTLENECK_HOULSBY : FT_BOTTLENECK_PFEIFFER;
        return;
    }
    c->rank = (size_t)rank;
    c->alpha = (float)alpha;
    c->dropout = (float)dropout;
    cli_check(ft_targets_parse(targets, &c->targets, cli_err()));
}

void cli_train_options_take(void)
{
    ft_train_config *cfg = &cli_train.cfg;
    const cli_checkpoints *saved = &cli_train.saved;
    if (!saved->path && (saved->resume || cli_given("every")))
        cli_usage_error("--%s needs --checkpoint DIR", saved->resume ? "resume" : "every");
    if (cfg->patience && !cli_train.val_path)
        cli_usage_error("--patience needs --val FILE");
    adapter_config(&cli_train.adapter);
    if (!cli_given("lr"))
        cfg->lr = ft_method_rate(cli_train.adapter.method);
    cfg->seed = cli_seed();
    cfg->decline = ft_decline_by_name(schedule);
    cfg->recompute = ft_recompute_by_name(recompute);
    cfg->keep_recompute = cli_given("recompute");
    cfg->share = !no_share;
    cfg->memory = cli_memory_bound();
    cfg->shuffle = !no_shuffle;
}
