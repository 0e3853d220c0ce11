/* ft-generate: examples in, the same examples with the model's answers out. */
#include "base/mem.h"
#include "infer/generate.h"
#include "tools/cli/cli.h"
#include "tools/cli/example_ids.h"
#include "tools/cli/load.h"
#include "train/adapter.h"

#include <unistd.h>
#include <utf8proc.h>

static uint64_t max_tokens = 256;
static const char *prompt_text, *template_name;
static int text_wanted;

static const cli_option options[] = {
    {"max-tokens", 'n', CLI_COUNT, &max_tokens, "N", 1, 1 << 20, CLI_PAYLOAD,
     "end an answer after N tokens"},
    {"prompt", 'p', CLI_TEXT, &prompt_text, "TEXT", 0, 0, CLI_PAYLOAD,
     "answer this one question instead of a stream"},
    {"text", 0, CLI_FLAG, &text_wanted, NULL, 0, 0, 0, "print the answers as plain text"},
    {"chat-template", 0, CLI_TEXT, &template_name, "NAME", 0, 0, CLI_PAYLOAD,
     "use this template instead of the model's own"},
    {0}};

static const cli_tool tool = {
    "ft-generate", "answer examples with a model", "-m MODEL [-a ADAPTER] [FILE]",
    "  ft-generate -m base.gguf -a adapter.ft < test.ft | ft-cat\n"
    "  ft-generate -m tuned.gguf --prompt 'What does a linker do?' --text",
    "ft-train(1), ft-merge(1), ft-eval(1), ft-cat(1)",
    CLI_FILTER | CLI_MODEL | CLI_ADAPTER, 1, options};

typedef struct session {
    ft_model *model;
    ft_lora *lora;
    ft_reader *in, *adapter;     /* NULL with --prompt; without an adapter */
    ft_writer *out;              /* NULL when the answers are printed      */
    ft_tokenizer *tokenizer;
    cli_example *example;        /* turns a record into the prompt's ids    */
    ft_decoder *decoder;
    ft_stop stop;
    uint32_t *ids;               /* the answer */
    ft_buf answer, record;
    uint64_t answers, prompt_tokens, answer_tokens, cut;
} session;

/* ---- setting up ---- */

static void add_stop(session *s, int64_t id)
{
    if (id >= 0)
        s->stop.ids[s->stop.n++] = (uint32_t)id;
}

static void load(session *s)
{
    const char *warning = NULL;
    cli_check(ft_model_open(&s->model, cli_model(), cli_err()));
    if (cli_adapter())
        cli_check(ft_adapter_read(&s->lora, s->model, cli_adapter(), cli_pool(), &s->adapter,
                                  &warning, cli_err()));
    if (warning)
        cli_warn("%s: %s", cli_adapter(), warning);
    s->tokenizer = cli_tokenizer_of(s->model->gguf);
    cli_check(cli_example_new(&s->example, s->tokenizer, cli_err()));
    s->example->ask = 1;
    cli_check(ft_decoder_new(&s->decoder, s->model, s->lora, cli_pool(), s->model->context,
                             cli_err()));
    add_stop(s, ft_tokenizer_eos(s->tokenizer));
    add_stop(s, ft_tokenizer_special(s->tokenizer, "<|im_end|>"));
    add_stop(s, ft_tokenizer_special(s->tokenizer, "<|endoftext|>"));
    s->ids = ft_new(max_tokens, sizeof *s->ids, cli_err());
    if (!s->ids)
        cli_fail();
}

static void open_streams(session *s)
{
    ft_header h = {.kind = FT_KIND_TEXT};
    if (prompt_text && isatty(STDOUT_FILENO) && !cli_given("output"))
        text_wanted = 1;
    if (!prompt_text) {
        s->in = cli_reader(cli_input(), FT_KIND_TEXT);
        h = cli_header_from(s->in, FT_KIND_TEXT);
    }
    if (text_wanted)
        return;
    s->out = cli_writer(cli_output(), h);
    if (s->in)
        cli_check(ft_writer_derive(s->out, s->in, cli_err()));
    if (s->adapter)
        cli_check(ft_writer_derive(s->out, s->adapter, cli_err()));
    cli_check(ft_writer_derive_file(s->out, "model", &s->model->digest, cli_err()));
}

/* ---- one record ---- */

/* Puts the text of the ids into s->answer. Bytes that are no UTF-8 (an answer may be cut inside a
 * character) become U+FFFD: a string in a record is text. */
static void decode(session *s, size_t n)
{
    ft_buf raw = {0};
    utf8proc_int32_t c;
    for (size_t i = 0; i < n; i++) {
        ft_slice bytes = ft_token_bytes(s->tokenizer, s->ids[i]);
        if (!ft_tokenizer_is_special(s->tokenizer, s->ids[i]))
            ft_buf_add(&raw, bytes.p, bytes.n);
    }
    cli_check(ft_buf_check(&raw, cli_err()));
    ft_buf_clear(&s->answer);
    for (size_t at = 0; at < raw.n;) {
        utf8proc_ssize_t len = utf8proc_iterate(raw.p + at, (utf8proc_ssize_t)(raw.n - at), &c);
        if (len > 0)
            ft_buf_add(&s->answer, raw.p + at, (size_t)len);
        else
            ft_buf_add_str(&s->answer, "\xef\xbf\xbd");
        at += len > 0 ? (size_t)len : 1;
    }
    ft_buf_free(&raw);
    cli_check(ft_buf_check(&s->answer, cli_err()));
}

/* Puts the answer to the record into s->answer. */
static void answer(session *s, ft_mp record)
{
    ft_mp messages;
    size_t n = 0;
    int rc;
    if (!s->example->chat && ft_mp_get(record, "messages", &messages))
        s->example->chat = cli_chat_of(s->model->gguf, template_name);
    rc = cli_example_encode(s->example, record, cli_err());
    if (rc == 0 && s->example->ids.n == 0)
        rc = ft_err_set(cli_err(), FT_ERR_DATA, "the prompt is empty");
    if (rc == 0)
        rc = ft_generate(s->decoder, s->example->ids.p, s->example->ids.n, &s->stop, max_tokens,
                         s->ids, &n, cli_err());
    if (rc < 0) {
        ft_err_wrap(cli_err(), "%s: record %llu", s->in ? ft_reader_name(s->in) : "--prompt",
                    (unsigned long long)s->answers + 1);
        cli_fail();
    }
    decode(s, n);
    s->answers++;
    s->prompt_tokens += s->example->ids.n;
    s->answer_tokens += n;
    s->cut += rc == FT_CUT;
}

/* What was answered before: the assistant's last turn, or the completion. n = 0: nothing was.
 * *messages: how many of the turns stay. */
static ft_mp earlier_answer(ft_mp record, uint64_t *messages)
{
    ft_mp list, turn = {0}, content = {0};
    ft_slice role;
    if (!ft_mp_get(record, "messages", &list)) {
        (void)ft_mp_get(record, "completion", &content);
        return content;
    }
    for (ft_mp_iter it = ft_mp_iter_of(list); ft_mp_next(&it, &turn);)
        ;
    *messages = ft_mp_count(list);
    if (ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "assistant") &&
        ft_mp_get(turn, "content", &content))
        *messages -= 1;
    return content;
}

static void put_messages(ft_buf *b, ft_mp list, uint64_t n)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_mp_put_array(b, (size_t)n);
    for (; n > 0 && ft_mp_next(&it, &turn); n--)
        ft_mp_put_raw(b, turn);
}

/* Builds the record with its answer in s->record: all fields as they were, but the earlier answer
 * moved to `reference` and the new one in `prediction`, both at the end. */
static void build_record(session *s, ft_mp record)
{
    ft_buf *b = &s->record, kept = {0};
    uint64_t messages = 0;
    size_t fields = 0;
    ft_mp key, value, reference = earlier_answer(record, &messages);
    for (ft_mp_iter it = ft_mp_iter_of(record); ft_mp_next(&it, &key) && ft_mp_next(&it, &value);) {
        ft_slice name = {0};
        int is_name = ft_mp_str(key, &name);
        if (is_name && (ft_slice_is(name, "prediction") || ft_slice_is(name, "completion") ||
                        (reference.n && ft_slice_is(name, "reference"))))
            continue;
        ft_mp_put_raw(&kept, key);
        if (is_name && ft_slice_is(name, "messages"))
            put_messages(&kept, value, messages);
        else
            ft_mp_put_raw(&kept, value);
        fields++;
    }
    ft_buf_clear(b);
    ft_mp_put_map(b, fields + 1 + (reference.n != 0));
    ft_buf_add(b, kept.p, kept.n);
    if (reference.n) {
        ft_mp_put_cstr(b, "reference");
        ft_mp_put_raw(b, reference);
    }
    ft_mp_put_cstr(b, "prediction");
    ft_mp_put_str(b, (const char *)s->answer.p, s->answer.n);
    b->failed |= kept.failed;
    ft_buf_free(&kept);
    cli_check(ft_buf_check(b, cli_err()));
}

static void answer_record(session *s, ft_mp record)
{
    answer(s, record);
    cli_progress("answers", (double)s->answer_tokens, 0, "tok");
    if (!s->out) {
        cli_check(ft_out_write(cli_stdout(), s->answer.p, s->answer.n, cli_err()));
        cli_check(ft_out_write(cli_stdout(), "\n", 1, cli_err()));
        return;
    }
    build_record(s, record);
    cli_check(ft_writer_put(s->out, s->record.p, s->record.n, cli_err()));
    cli_counts()->written++;
}

/* --prompt as a record: one user turn. */
static void answer_prompt(session *s)
{
    ft_buf b = {0};
    ft_mp_put_map(&b, 2);
    ft_mp_put_cstr(&b, "id");
    ft_mp_put_uint(&b, 1);
    ft_mp_put_cstr(&b, "messages");
    ft_mp_put_array(&b, 1);
    ft_mp_put_map(&b, 2);
    ft_mp_put_cstr(&b, "role");
    ft_mp_put_cstr(&b, "user");
    ft_mp_put_cstr(&b, "content");
    ft_mp_put_cstr(&b, prompt_text);
    cli_check(ft_buf_check(&b, cli_err()));
    if (s->out)
        cli_counts()->created++;
    answer_record(s, (ft_mp){b.p, b.n});
    ft_buf_free(&b);
}

int main(int argc, char **argv)
{
    session s = {0};
    ft_mp record;
    cli_begin(&tool, argc, argv);
    if (prompt_text && (cli_given("input") || cli_arg_count() > 0))
        cli_usage_error("--prompt is answered instead of a stream; give one of them");
    if (text_wanted && cli_given("output"))
        cli_usage_error("--text prints on standard output; leave out -o");
    load(&s);
    open_streams(&s);
    if (prompt_text)
        answer_prompt(&s);
    while (s.in && cli_next(s.in, &record)) {
        if (s.out)
            cli_counts()->read++;
        answer_record(&s, record);
    }
    if (s.out)
        cli_finish(&s.out);
    cli_result_count("answers", s.answers);
    cli_result_count("prompt_tokens", s.prompt_tokens);
    cli_result_count("answer_tokens", s.answer_tokens);
    cli_result_count("cut", s.cut);

    ft_free(s.ids);
    ft_buf_free(&s.answer);
    ft_buf_free(&s.record);
    ft_decoder_free(&s.decoder);
    cli_example_free(&s.example);
    ft_tokenizer_free(&s.tokenizer);
    ft_lora_free(&s.lora);
    ft_reader_free(&s.in);
    ft_reader_free(&s.adapter);
    ft_model_free(&s.model);
    return cli_end();
}
