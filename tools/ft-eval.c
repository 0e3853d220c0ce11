/* ft-eval: how well a model, alone or with an adapter, predicts the targets of a packed stream; or,
 * with --metrics and without a model, how well predictions match references. */
#include "data/json.h"
#include "tools/cli/choices.h"
#include "tools/cli/cli.h"
#include "tools/cli/evaluate.h"
#include "tools/cli/leak.h"
#include "tools/cli/load.h"
#include "tools/cli/metrics.h"
#include "train/adapter_stream.h"

#include <math.h>

static const char *scores_path, *choices, *compute = "auto";
static int allow_leak;
static cli_metrics metrics = CLI_METRICS_DEFAULTS;

static const cli_option options[] = {
    {"compute", 0, CLI_CHOICE, &compute, "f32|bf16|int8|auto", 0, 0, 0,
     "what products are computed in"},
    {"allow-leak", 0, CLI_FLAG, &allow_leak, NULL, 0, 0, 0,
     "measure on the part of a split that was trained on, or on augmented examples"},
    {"scores", 0, CLI_TEXT, &scores_path, "FILE", 0, 0, 0,
     "write {id, loss, targets}, or {id, metric...}, of each example as a JSON line"},
    {"choices", 0, CLI_TEXT, &choices, "FIELD", 0, 0, 0,
     "which of the list in FIELD does the model hold most likely as the answer"},
    CLI_METRICS_OPTIONS(metrics),
    {0}};

static const cli_tool tool = {
    "ft-eval", "loss of a model on a packed stream, or scores of predictions",
    "-m MODEL [-a ADAPTER] [options] [FILE]\n       ft-eval --metrics NAME,... [options] [FILE]",
    "  ft-tokenize -m base.gguf < test.ft | ft-pack -l 512 | ft-eval -m base.gguf -a adapter.ft\n"
    "  ft-eval -m base.gguf --json --scores scores.jsonl packed.ft | jq .perplexity\n"
    "  ft-generate -m base.gguf -a adapter.ft test.ft | ft-eval --metrics rougeL,em --json",
    "ft-pack(1), ft-train(1), ft-generate(1), ft-quant(1)",
    CLI_IN | CLI_MODEL | CLI_ADAPTER | CLI_THREADS | CLI_SEED, 1, options};

/* An adapter knows the chat template it was trained with: rows of another one are refused. */
static void check_template(const ft_reader *in, const ft_reader *adapter)
{
    const ft_digest *rows = &ft_reader_header(in)->template_;
    const ft_digest *trained = &ft_reader_header(adapter)->template_;
    if (ft_digest_is_zero(rows) || ft_digest_is_zero(trained) || ft_digest_equal(rows, trained))
        return;
    ft_err_set(cli_err(), FT_ERR_DATA, "%s was made with another chat template than the rows that "
               "%s was trained on", ft_reader_name(in), cli_adapter());
    cli_fail();
}

static ft_adapter *read_adapter(ft_model *m, const ft_reader *in, cli_leak *trained)
{
    ft_adapter *l = NULL;
    ft_reader *adapter = NULL;
    const char *warning;
    cli_check(ft_adapter_read(&l, m, cli_adapter(), cli_pool(), &adapter, &warning, cli_err()));
    if (warning)
        cli_warn("%s: %s", cli_adapter(), warning);
    check_template(in, adapter);
    cli_leak_add_reader(trained, adapter);
    ft_reader_free(&adapter);
    return l;
}

/* A line "key<TAB>value", or a member of the JSON object. */
static void print_real(const char *key, double v, const char *end)
{
    ft_buf b = {0};
    ft_buf_add_fmt(&b, cli_json() ? "\"%s\":" : "%s\t", key);
    ft_json_put_double(&b, v);
    ft_buf_add_str(&b, cli_json() ? end : "\n");
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    ft_buf_free(&b);
}

static void print_result(const cli_evaluation *r)
{
    double loss = cli_evaluation_loss(r);
    if (cli_json())
        cli_print("{");
    print_real("loss", loss, ",");
    print_real("perplexity", exp(loss), ",");
    print_real("bits_per_byte", r->nll / ((double)r->bytes * log(2)), ",");
    print_real("byte_perplexity", exp(r->nll / (double)r->bytes), ",");
    print_real("word_perplexity", exp(r->nll / (double)r->words), ",");
    cli_print(cli_json() ? "\"tokens\":%llu,\"examples\":%llu}\n"
                         : "tokens\t%llu\nexamples\t%llu\n",
              (unsigned long long)r->targets, (unsigned long long)r->examples);
}

/* The kind of the input decides what can be measured on it. */
static ft_reader *open_input(ft_kind wanted)
{
    ft_reader *in = cli_reader(cli_input(), FT_KIND_ANY);
    ft_kind kind = ft_reader_header(in)->kind;
    if (wanted == FT_KIND_PACKED && kind == FT_KIND_TEXT)
        cli_usage_error("%s is of kind text: give --metrics to score predictions, or make it "
                        "packed (ft-tokenize | ft-pack) for the loss", ft_reader_name(in));
    if (wanted == FT_KIND_TEXT && kind == FT_KIND_PACKED)
        cli_usage_error("%s is packed, which is for the loss: --metrics and --choices take kind "
                        "text (ft-generate makes predictions)", ft_reader_name(in));
    if (kind != wanted) {
        ft_err_set(cli_err(), FT_ERR_DATA, "%s: a stream of kind %s where kind %s is needed",
                   ft_reader_name(in), ft_kind_name(kind), ft_kind_name(wanted));
        cli_fail();
    }
    return in;
}

static ft_out *open_scores(void)
{
    ft_out *scores = NULL;
    if (scores_path)
        cli_check(ft_out_open(&scores, scores_path, cli_err()));
    return scores;
}

static void run_metrics(void)
{
    static const char *const of_loss[] = {"model", "adapter", "compute"};
    ft_reader *in;
    ft_out *scores;
    for (size_t i = 0; i < 3; i++)
        if (cli_given(of_loss[i]))
            cli_usage_error("--%s is for the loss: --metrics needs no model", of_loss[i]);
    in = open_input(FT_KIND_TEXT);
    scores = open_scores();
    cli_metrics_run(&metrics, in, scores, allow_leak);
    if (scores)
        cli_check(ft_out_commit(&scores, cli_err()));
    ft_reader_free(&in);
}

static void check_choices(void)
{
    static const char *const of_text[] = {"references", "tok", "smooth", "smooth-value", "stem",
                                          "squad", "lowercase"};
    if (choices && metrics.list)
        cli_usage_error("--choices asks a model, --metrics compares texts: use two runs");
    for (size_t i = 0; choices && i < sizeof of_text / sizeof of_text[0]; i++)
        if (cli_given(of_text[i]))
            cli_usage_error("--%s goes with --metrics", of_text[i]);
}

static void measure_choices(ft_reader *in, const ft_model *m, const ft_adapter *l,
                            const ft_tokenizer *tok, ft_out *scores)
{
    cli_choices o = {.field = choices, .cluster = metrics.cluster, .draws = metrics.draws,
                     .scores = scores, .allow_leak = allow_leak};
    cli_nn nn = {.m = m, .l = l, .compute = ft_compute_by_name(compute)};
    cli_choices_run(&o, in, &nn, tok);
}

static void measure_loss(ft_reader *in, const ft_model *m, const ft_adapter *l,
                         const ft_tokenizer *tok, ft_out *scores)
{
    cli_evaluation r;
    cli_evaluate(in, m, l, ft_compute_by_name(compute), tok, scores, allow_leak, &r);
    print_result(&r);
}

/* With a model: the loss, or choices. */
static void run_model(void)
{
    ft_model *m = NULL;
    ft_tokenizer *tok;
    ft_adapter *l = NULL;
    ft_reader *in;
    ft_out *scores;
    cli_leak trained = {0};
    const char *trained_name;
    if (!cli_given("model"))
        cli_usage_error("give -m MODEL for the loss of a packed stream, or --metrics to score "
                        "predictions");
    cli_check(ft_model_open(&m, cli_model(), cli_err()));
    tok = cli_tokenizer_of(m->gguf);
    in = open_input(choices ? FT_KIND_TEXT : FT_KIND_PACKED);
    if (!choices)
        cli_check_tokenizer(in, tok);
    cli_leak_add_model(&trained, m->gguf);
    if (cli_adapter())
        l = read_adapter(m, in, &trained);
    trained_name = cli_adapter() ? cli_adapter() : cli_model();
    cli_leak_check_claims(&trained, trained_name, in, allow_leak);
    scores = open_scores();
    (choices ? measure_choices : measure_loss)(in, m, l, tok, scores);
    cli_leak_check(&trained, trained_name, in, allow_leak);
    cli_leak_free(&trained);
    if (scores)
        cli_check(ft_out_commit(&scores, cli_err()));
    ft_reader_free(&in);
    ft_adapter_free(&l);
    ft_tokenizer_free(&tok);
    ft_model_free(&m);
}

int main(int argc, char **argv)
{
    cli_begin(&tool, argc, argv);
    check_choices();
    cli_metrics_check(&metrics, choices != NULL);
    if (metrics.list)
        run_metrics();
    else
        run_model();
    return cli_end();
}
