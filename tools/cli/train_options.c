#include "tools/cli/train_options.h"

#include "tools/cli/train_memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t rank = 16, prefix_tokens = 20, prompt_tokens = 20, width = 64;
static double alpha = 32, dropout = 0;
static const char *method = "lora", *targets = "all", *recompute = "none", *schedule = "cosine";
static const char *start = "default", *scaled = "k,v,down", *kind = "pfeiffer";
static int no_shuffle, no_share, rslora, dora;

cli_train_options cli_train = {
    .base = "file", .compute = "auto", .saved = {.every = 50},
    .cfg = {.lr = 2e-4, .warmup = 0.03, .decay = 0.01, .clip = 1, .batch = 16, .epochs = 1,
            .spike = 10, .lora_plus = 1}};

const cli_option cli_train_list[] = {
    {"method", 0, CLI_CHOICE, &method, "lora|ia3|prefix|prompt|adapter|full", 0, 0, CLI_PAYLOAD,
     "what is trained"},
    {"lora-rank", 0, CLI_COUNT, &rank, "R", 1, 65536, CLI_PAYLOAD, "rank of the adapter"},
    {"lora-alpha", 0, CLI_REAL, &alpha, "A", 1e-6, 1e6, CLI_PAYLOAD,
     "the adapter's part is scaled by alpha / rank"},
    {"lora-dropout", 0, CLI_REAL, &dropout, "P", 0, 0.99, CLI_PAYLOAD,
     "share of the adapter's inputs left out while training"},
    {"lora-targets", 0, CLI_TEXT, &targets, "LIST", 0, 0, CLI_PAYLOAD,
     "of q,k,v,o,gate,up,down; or all, attention, mlp"},
    {"lora-rslora", 0, CLI_FLAG, &rslora, 0, 0, 0, CLI_PAYLOAD,
     "scale by alpha / sqrt(rank)"},
    {"lora-plus", 0, CLI_REAL, &cli_train.cfg.lora_plus, "RATIO", 0.01, 1e4, CLI_PAYLOAD,
     "B learns at so many times the rate of A (LoRA+)"},
    {"lora-init", 0, CLI_CHOICE, &start, "default|pissa|olora", 0, 0, CLI_PAYLOAD,
     "begin at chance, or at the main parts of the matrices"},
    {"init", 0, CLI_TEXT, &cli_train.init_path, "ADAPTER", 0, 0, 0,
     "begin with the values of an adapter, and be of its kind"},
    {"lora-dora", 0, CLI_FLAG, &dora, 0, 0, 0, CLI_PAYLOAD,
     "learn the length of each output's weights apart from their direction (DoRA)"},
    {"ia3-targets", 0, CLI_TEXT, &scaled, "LIST", 0, 0, CLI_PAYLOAD,
     "matrices whose outputs (of down: inputs) are scaled, as --lora-targets"},
    {"prefix-tokens", 0, CLI_COUNT, &prefix_tokens, "N", 1, FT_VIRTUAL_MOST, CLI_PAYLOAD,
     "virtual tokens that have keys and values in each layer"},
    {"prompt-tokens", 0, CLI_COUNT, &prompt_tokens, "N", 1, FT_VIRTUAL_MOST, CLI_PAYLOAD,
     "virtual tokens that have an embedding"},
    {"init-text", 0, CLI_TEXT, &cli_train.init_text, "TEXT", 0, 0, CLI_PAYLOAD,
     "what virtual tokens are at first; else the first tokens of the data"},
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
    {"forget", 0, CLI_TEXT, &cli_train.forget_path, "FILE", 0, 0, 0,
     "packed stream of general text: measure what is forgotten of it"},
    {"max-forget", 0, CLI_REAL, &cli_train.cfg.max_forget, "NATS", 0, 1e3, CLI_PAYLOAD,
     "stop when its loss has risen by more; 0: never"},
    {"kl", 0, CLI_REAL, &cli_train.cfg.kl, "WEIGHT", 0, 1e6, CLI_PAYLOAD,
     "stay near the base: add WEIGHT * KL(base || tuned) to the loss"},
    {"neftune", 0, CLI_REAL, &cli_train.cfg.neftune, "ALPHA", 0, 1e6, CLI_PAYLOAD,
     "noise on the embeddings while training; 5 is usual"},
    {"example-log", 0, CLI_TEXT, &cli_train.example_log_path, "FILE", 0, 0, 0,
     "write a JSON line for each example that is trained on"},
    {"plan", 0, CLI_FLAG, &cli_train.plan_only, 0, 0, 0, 0,
     "print memory, steps and expected time; stop"},
    {0}};

/* Which options are of some methods only. */
static const struct { const char *option; unsigned methods; } of_methods[] = {
    {"lora-rank", 1u << FT_METHOD_LORA}, {"lora-alpha", 1u << FT_METHOD_LORA},
    {"lora-dropout", 1u << FT_METHOD_LORA}, {"lora-targets", 1u << FT_METHOD_LORA},
    {"lora-dora", 1u << FT_METHOD_LORA}, {"lora-rslora", 1u << FT_METHOD_LORA},
    {"lora-plus", 1u << FT_METHOD_LORA}, {"lora-init", 1u << FT_METHOD_LORA},
    {"ia3-targets", 1u << FT_METHOD_IA3}, {"prefix-tokens", 1u << FT_METHOD_PREFIX},
    {"prompt-tokens", 1u << FT_METHOD_PROMPT},
    {"adapter-kind", 1u << FT_METHOD_ADAPTER}, {"adapter-width", 1u << FT_METHOD_ADAPTER},
    {"init-text", 1u << FT_METHOD_PREFIX | 1u << FT_METHOD_PROMPT}};

static void check_method(enum ft_method m)
{
    for (size_t i = 0; i < sizeof of_methods / sizeof *of_methods; i++) {
        int other = 0;
        if (!cli_given(of_methods[i].option) || (of_methods[i].methods & 1u << m))
            continue;
        while (!(of_methods[i].methods & 1u << other))
            other++;
        cli_usage_error("--%s goes with --method %s, not with %s", of_methods[i].option,
                        ft_method_name((enum ft_method)other), method);
    }
}

static void adapter_config(ft_adapter_config *c)
{
    c->method = ft_method_by_name((ft_slice){(const uint8_t *)method, strlen(method)});
    check_method(c->method);
    if (c->method == FT_METHOD_FULL && strcmp(cli_train.base, "nf4") == 0)
        cli_usage_error("--base nf4 is frozen, and --method full trains all weights: --base f32");
    if (c->method != FT_METHOD_FULL && strcmp(cli_train.base, "f32") == 0)
        cli_usage_error("--base f32 goes with --method full, not with %s", method);
    if (c->method == FT_METHOD_ADAPTER) {
        c->rank = (size_t)width;
        c->targets = strcmp(kind, "houlsby") == 0 ? FT_BOTTLENECK_HOULSBY : FT_BOTTLENECK_PFEIFFER;
    }
    if (c->method == FT_METHOD_IA3)
        cli_check(ft_targets_parse(scaled, &c->targets, cli_err()));
    if (c->method == FT_METHOD_PREFIX)
        c->virtual_tokens = (size_t)prefix_tokens;
    if (c->method == FT_METHOD_PROMPT)
        c->virtual_tokens = (size_t)prompt_tokens;
    if (c->method != FT_METHOD_LORA)
        return;
    c->rank = (size_t)rank;
    c->alpha = (float)alpha;
    c->dropout = (float)dropout;
    c->rslora = rslora;
    c->dora = dora;
    cli_check(ft_targets_parse(targets, &c->targets, cli_err()));
}

/* ---- beginning with an adapter ---- */

static void check_same(const char *option, double given, double theirs)
{
    if (cli_given(option) && fabs(given - theirs) > 0)
        cli_usage_error("--%s %g: %s has %g, and what it is stays: leave the option out", option,
                        given, cli_train.init_path, theirs);
}

/* The matrices as a user would list them. */
static const char *list_targets(unsigned bits)
{
    static char list[64];
    size_t n = 0;
    if (bits == (1u << FT_TARGETS) - 1)
        return "all";
    for (int t = 0; t < FT_TARGETS; t++)
        if (bits >> t & 1)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? "," : "",
                                  ft_target_name((enum ft_target)t));
    return list;
}

/* The adapter's matrices, from which a given option must not differ. */
static const char *own_targets(const char *option, const char *given, unsigned bits)
{
    unsigned asked = bits;
    const char *theirs = list_targets(bits);
    if (cli_given(option))
        cli_check(ft_targets_parse(given, &asked, cli_err()));
    if (asked != bits)
        cli_usage_error("--%s %s: %s has %s, and what it is stays: leave the option out", option,
                        given, cli_train.init_path, theirs);
    return theirs;
}

static void bottlenecks_from(const ft_adapter_config *c)
{
    const char *theirs = c->targets == FT_BOTTLENECK_HOULSBY ? "houlsby" : "pfeiffer";
    if (cli_given("adapter-kind") && strcmp(kind, theirs) != 0)
        cli_usage_error("--adapter-kind %s: %s is %s, and what it is stays: leave the option out",
                        kind, cli_train.init_path, theirs);
    check_same("adapter-width", (double)width, (double)c->rank);
    kind = theirs;
    width = c->rank;
}

static void virtual_from(const ft_adapter_config *c)
{
    uint64_t *tokens = c->method == FT_METHOD_PREFIX ? &prefix_tokens : &prompt_tokens;
    check_same(c->method == FT_METHOD_PREFIX ? "prefix-tokens" : "prompt-tokens", (double)*tokens,
               (double)c->virtual_tokens);
    *tokens = c->virtual_tokens;
}

static void lora_from(const ft_adapter_config *c)
{
    check_same("lora-rank", (double)rank, (double)c->rank);
    check_same("lora-alpha", (double)(float)alpha, (double)c->alpha);
    check_same("lora-dropout", (double)(float)dropout, (double)c->dropout);
    check_same("lora-rslora", rslora, c->rslora);
    check_same("lora-dora", dora, c->dora);
    rank = c->rank;
    alpha = (double)c->alpha;
    dropout = (double)c->dropout;
    rslora = c->rslora;
    dora = c->dora;
    targets = own_targets("lora-targets", targets, c->targets);
}

void cli_train_options_from(const ft_adapter_config *c)
{
    const char *theirs = ft_method_name(c->method);
    if (cli_given("method") && strcmp(method, theirs) != 0)
        cli_usage_error("--method %s: %s is of method %s", method, cli_train.init_path, theirs);
    method = theirs;
    check_method(c->method);
    if (cli_given("init-text"))
        cli_usage_error("--init and --init-text both say what training begins with");
    if (c->method == FT_METHOD_LORA)
        lora_from(c);
    if (c->method == FT_METHOD_ADAPTER)
        bottlenecks_from(c);
    if (c->method == FT_METHOD_IA3)
        scaled = own_targets("ia3-targets", scaled, c->targets);
    if (c->method == FT_METHOD_PREFIX || c->method == FT_METHOD_PROMPT)
        virtual_from(c);
    cli_train.adapter = *c;
    if (!cli_given("lr"))
        cli_train.cfg.lr = ft_method_rate(c->method);
}

void cli_train_options_take(void)
{
    ft_train_config *cfg = &cli_train.cfg;
    const cli_checkpoints *saved = &cli_train.saved;
    if (!saved->path && (saved->resume || cli_given("every")))
        cli_usage_error("--%s needs --checkpoint DIR", saved->resume ? "resume" : "every");
    if (cfg->patience && !cli_train.val_path)
        cli_usage_error("--patience needs --val FILE");
    if (cfg->max_forget > 0 && !cli_train.forget_path)
        cli_usage_error("--max-forget needs --forget FILE");
    if (cli_train.log_path && cli_train.example_log_path &&
        strcmp(cli_train.log_path, cli_train.example_log_path) == 0)
        cli_usage_error("--log and --example-log are the same file");
    cli_train.start = ft_lora_start_by_name(start);
    if (cli_train.init_path && cli_train.start != FT_LORA_DEFAULT)
        cli_usage_error("--init and --lora-init both say what training begins with");
    if (dora && cli_train.start != FT_LORA_DEFAULT)
        cli_usage_error("--lora-dora begins with the lengths of the base's rows, and goes with "
                        "--lora-init default only");
    if (!cli_train.init_path)
        adapter_config(&cli_train.adapter);
    if (cfg->kl > 0 && cli_train.adapter.method == FT_METHOD_FULL)
        cli_usage_error("--kl needs the base beside the model that is trained, and --method full "
                        "trains the base itself");
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
