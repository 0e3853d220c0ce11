/* ft-generate: examples in, the same examples with the model's answers out. */
#include "base/mem.h"
#include "infer/products.h"
#include "tools/cli/cli.h"
#include "tools/cli/generate_answers.h"
#include "tools/cli/generate_record.h"
#include "tools/cli/generate_text.h"
#include "tools/cli/load.h"

#include <string.h>
#include <unistd.h>

static uint64_t max_tokens = 256, batch = 16, top_k, repetition_window;
static double temperature, top_p = 1, min_p, repetition_penalty = 1;
static const char *prompt_text, *template_name, *stop_list, *adapter_list, *journal_path;
static const char *when_long = "error", *compute = "f32";
static int text_wanted, stream_wanted, no_share;

static const cli_option options[] = {
    {"max-tokens", 'n', CLI_COUNT, &max_tokens, "N", 1, 1 << 20, CLI_PAYLOAD,
     "end an answer after N tokens"},
    {"stop", 0, CLI_LIST, &stop_list, "TEXT", 0, 0, CLI_PAYLOAD,
     "end an answer before this text; may be repeated; \\n is a newline"},
    {"temperature", 0, CLI_REAL, &temperature, "T", 0, 100, CLI_PAYLOAD,
     "draw tokens by their probability; 0: always the likeliest"},
    {"top-k", 0, CLI_COUNT, &top_k, "K", 0, 1 << 30, CLI_PAYLOAD,
     "of the K likeliest; 0: of all"},
    {"top-p", 0, CLI_REAL, &top_p, "P", 1e-9, 1, CLI_PAYLOAD,
     "of the likeliest that have probability P together"},
    {"min-p", 0, CLI_REAL, &min_p, "P", 0, 1, CLI_PAYLOAD,
     "of those at least P times as likely as the likeliest"},
    {"repetition-penalty", 0, CLI_REAL, &repetition_penalty, "X", 1e-3, 1e3, CLI_PAYLOAD,
     "make tokens less likely that were seen; 1: do not"},
    {"repetition-window", 0, CLI_COUNT, &repetition_window, "N", 0, 1 << 30, CLI_PAYLOAD,
     "that were seen among the last N tokens; 0: anywhere"},
    {"adapters", 0, CLI_TEXT, &adapter_list, "NAME=FILE,...", 0, 0, 0,
     "adapters that records name in their field adapter"},
    {"long", 0, CLI_CHOICE, &when_long, "error|drop", 0, 0, CLI_PAYLOAD,
     "what becomes of prompts that fill the context"},
    {"prompt", 'p', CLI_TEXT, &prompt_text, "TEXT", 0, 0, CLI_PAYLOAD,
     "answer this one question instead of a stream"},
    {"text", 0, CLI_FLAG, &text_wanted, NULL, 0, 0, 0, "print the answers as plain text"},
    {"stream", 0, CLI_FLAG, &stream_wanted, NULL, 0, 0, 0,
     "print the answers as they grow, one after the other"},
    {"chat-template", 0, CLI_TEXT, &template_name, "NAME", 0, 0, CLI_PAYLOAD,
     "use this template instead of the model's own"},
    {"compute", 0, CLI_CHOICE, &compute, "f32|bf16|int8|auto", 0, 0, CLI_PAYLOAD,
     "what products are computed in; auto: what is fastest"},
    {"batch", 0, CLI_COUNT, &batch, "N", 1, 1024, 0, "answer up to N examples at a time"},
    {"no-share", 0, CLI_FLAG, &no_share, NULL, 0, 0, 0,
     "compute what prompts have in common for each of them"},
    {"resume", 0, CLI_TEXT, &journal_path, "JOURNAL", 0, 0, 0,
     "keep answers in JOURNAL, and go on where a killed run ended"},
    {0}};

static const cli_tool tool = {
    "ft-generate", "answer examples with a model", "-m MODEL [-a ADAPTER] [FILE]",
    "  ft-generate -m base.gguf -a adapter.ft < test.ft | ft-cat\n"
    "  ft-generate -m tuned.gguf --prompt 'What does a linker do?' --stream",
    "ft-train(1), ft-merge(1), ft-eval(1), ft-cat(1)",
    CLI_FILTER | CLI_MODEL | CLI_ADAPTER | CLI_SEED | CLI_MEMORY, 1, options};

typedef struct session {
    ft_model *model;
    cli_adapters adapters;
    ft_reader *in;               /* NULL with --prompt                 */
    ft_writer *out;              /* NULL when the answers are printed  */
    ft_tokenizer *tokenizer;
    cli_example *example;        /* turns a record into the prompt's ids */
    char *stop_text;             /* what stops points into */
    const char **stops;
    ft_engine_options engine;
    cli_answers answers;
    int text_flags;              /* for what is printed                */
    ft_buf text, record;
} session;

/* ---- setting up ---- */

static void check_options(void)
{
    if (prompt_text && (cli_given("input") || cli_arg_count() > 0))
        cli_usage_error("--prompt is answered instead of a stream; give one of them");
    if (prompt_text && journal_path)
        cli_usage_error("--resume keeps the answers to a stream; leave out --prompt");
    if ((text_wanted || stream_wanted) && cli_given("output"))
        cli_usage_error("--text and --stream print on standard output; leave out -o");
    if (!(temperature > 0) && (cli_given("top-k") || cli_given("top-p") || cli_given("min-p")))
        cli_usage_error("--top-k, --top-p and --min-p choose among tokens that are drawn; give "
                        "--temperature, too");
    if (stream_wanted)
        text_wanted = 1;
    if (prompt_text && isatty(STDOUT_FILENO) && !cli_given("output"))
        text_wanted = 1;
}

static void add_stop(ft_engine_options *o, int64_t id)
{
    if (id >= 0)
        o->stop[o->n_stop++] = (uint32_t)id;
}

/* What --compute asks for; then also what auto is here, for the history. */
static enum ft_compute_in compute_in(const ft_model *m)
{
    enum ft_compute_in in = FT_IN_F32;
    while (in < FT_IN_INT8 && strcmp(compute, ft_compute_in_name(in)) != 0)
        in++;
    if (strcmp(compute, "auto") == 0)
        in = ft_compute_in_fastest(m);
    compute = ft_compute_in_name(in);
    return in;
}

static void set_engine(session *s)
{
    ft_engine_options *o = &s->engine;
    o->batch = prompt_text || stream_wanted ? 1 : (size_t)batch;
    o->context = s->model->context;
    o->memory = (size_t)cli_memory();
    o->max_rank = s->adapters.max_rank;
    o->no_share = no_share;
    o->prompts = o->answers = compute_in(s->model);
    o->sampling = (ft_sampling){temperature, (size_t)top_k, top_p, min_p, repetition_penalty,
                                (size_t)repetition_window, cli_seed()};
    add_stop(o, ft_tokenizer_eos(s->tokenizer));
    add_stop(o, ft_tokenizer_special(s->tokenizer, "<|im_end|>"));
    add_stop(o, ft_tokenizer_special(s->tokenizer, "<|endoftext|>"));
}

static void load(session *s)
{
    size_t n_stops = 0;
    cli_check(ft_model_open(&s->model, cli_model(), cli_err()));
    cli_adapters_read(&s->adapters, s->model, adapter_list);
    s->tokenizer = cli_tokenizer_of(s->model->gguf);
    cli_check(cli_example_new(&s->example, s->tokenizer, cli_err()));
    s->example->ask = 1;
    if (stop_list) {
        s->stop_text = ft_strndup(stop_list, strlen(stop_list), cli_err());
        if (!s->stop_text)
            cli_fail();
        n_stops = cli_stop_strings(s->stop_text, &s->stops);
    }
    set_engine(s);
    s->answers = (cli_answers){.source = "--prompt", .example = s->example,
                               .adapters = &s->adapters, .stops = s->stops, .n_stops = n_stops,
                               .max_tokens = (size_t)max_tokens,
                               .drop_long = strcmp(when_long, "drop") == 0, .ctx = s};
}

static void open_streams(session *s)
{
    ft_header h = {.kind = FT_KIND_TEXT};
    if (!prompt_text) {
        s->in = cli_reader(cli_input(), FT_KIND_TEXT);
        h = cli_header_from(s->in, FT_KIND_TEXT);
        s->answers.source = ft_reader_name(s->in);
    }
    if (text_wanted)
        return;
    s->out = cli_writer(cli_output(), h);
    if (s->in)
        cli_check(ft_writer_derive(s->out, s->in, cli_err()));
    for (size_t i = 0; i < s->adapters.n; i++)
        cli_check(ft_writer_derive_apart(s->out, s->adapters.list[i].reader, cli_err()));
    cli_check(ft_writer_derive_file(s->out, "model", &s->model->digest, cli_err()));
}

/* ---- answers ---- */

/* Prints what is whole of n bytes of an answer. Returns: how many bytes were used. */
static size_t print(session *s, const uint8_t *p, size_t n, int flags)
{
    size_t used;
    ft_buf_clear(&s->text);
    used = cli_text_put(&s->text, p, n, s->text_flags | flags);
    cli_check(ft_buf_check(&s->text, cli_err()));
    cli_check(ft_out_write(cli_stdout(), s->text.p, s->text.n, cli_err()));
    return used;
}

static size_t show(void *ctx, const uint8_t *p, size_t n)
{
    size_t used = print(ctx, p, n, 0);
    cli_check(ft_out_flush(cli_stdout(), cli_err()));
    return used;
}

static void put(void *ctx, const cli_answered *a)
{
    session *s = ctx;
    if (!s->out) {
        print(s, a->text.p + a->shown, a->text.n - a->shown, CLI_TEXT_LAST);
        cli_check(ft_out_write(cli_stdout(), "\n", 1, cli_err()));
        if (stream_wanted)
            cli_check(ft_out_flush(cli_stdout(), cli_err()));
        return;
    }
    ft_buf_clear(&s->text);
    cli_text_put(&s->text, a->text.p, a->text.n, CLI_TEXT_LAST);
    cli_check(ft_buf_check(&s->text, cli_err()));
    cli_answered_record(&s->record, a->record, (ft_slice){s->text.p, s->text.n});
    cli_check(ft_writer_put(s->out, s->record.p, s->record.n, cli_err()));
    cli_counts()->written++;
}

static void add(session *s, ft_mp record, uint64_t number)
{
    if (!s->example->chat && ft_mp_get(record, "messages", &(ft_mp){0}))
        s->example->chat = cli_chat_of(s->model->gguf, template_name);
    cli_answers_add(&s->answers, record, number);
}

static void answer_all(session *s)
{
    ft_mp record;
    if (prompt_text) {
        ft_buf b = {0};
        cli_prompt_record(&b, prompt_text);
        if (s->out)
            cli_counts()->created++;
        add(s, (ft_mp){b.p, b.n}, 1);
        ft_buf_free(&b);
    }
    while (s->in && cli_next(s->in, &record)) {
        if (s->out)
            cli_counts()->read++;
        add(s, record, ft_reader_records(s->in));
    }
    cli_answers_finish(&s->answers);
    cli_journal_close(&s->answers.journal);
    if (s->out && s->answers.dropped)
        ft_counts_drop(cli_counts(), "too long", s->answers.dropped);
}

static void close_all(session *s)
{
    ft_free(s->stops);
    ft_free(s->stop_text);
    ft_buf_free(&s->text);
    ft_buf_free(&s->record);
    cli_example_free(&s->example);
    ft_tokenizer_free(&s->tokenizer);
    ft_reader_free(&s->in);
    cli_adapters_free(&s->adapters);
    ft_model_free(&s->model);
}

int main(int argc, char **argv)
{
    session s = {0};
    cli_begin(&tool, argc, argv);
    check_options();
    load(&s);
    open_streams(&s);
    if (stream_wanted || isatty(STDOUT_FILENO))
        s.text_flags = CLI_TEXT_ESCAPED;
    s.answers.put = put;
    s.answers.show = stream_wanted ? show : NULL;
    if (journal_path) {
        ft_digest settings = cli_journal_settings(s.model, s.tokenizer, &s.adapters);
        s.answers.journal = cli_journal_open(journal_path, &settings);
    }
    cli_answers_begin(&s.answers, s.model, &s.engine);
    answer_all(&s);
    if (s.out)
        cli_finish(&s.out);
    cli_answers_report(&s.answers);
    close_all(&s);
    return cli_end();
}
