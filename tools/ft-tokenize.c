/* ft-tokenize: examples in, ids and target masks out. Each thread has an encoder. */
#include "base/mem.h"
#include "stream/rows.h"
#include "tools/cli/each_record.h"
#include "tools/cli/example_ids.h"
#include "tools/cli/load.h"

#include <string.h>

static int raw, parse_special;
static const char *train_on = "assistant", *template_name;
static const cli_option options[] = {
    {"raw", 0, CLI_FLAG, &raw, NULL, 0, 0, CLI_PAYLOAD,
     "add nothing to the text; every token is a target"},
    {"train-on", 0, CLI_CHOICE, &train_on, "assistant|all", 0, 0, CLI_PAYLOAD,
     "which turns of a chat are targets"},
    {"parse-special", 0, CLI_FLAG, &parse_special, NULL, 0, 0, CLI_PAYLOAD,
     "special tokens written in the text count as such"},
    {"chat-template", 0, CLI_TEXT, &template_name, "NAME", 0, 0, CLI_PAYLOAD,
     "smollm2 or chatml, instead of the one the model carries"},
    {0}};
static const cli_tool tool = {
    "ft-tokenize", "turn examples into token ids and target masks with a model's tokenizer",
    "-m MODEL [options] [FILE]",
    "  ft-import < chats.jsonl | ft-tokenize -m model.gguf | ft-pack -l 512 -o train.ft\n"
    "  ft-import --shape plain < book.txt | ft-tokenize -m model.gguf --raw | ft-cat --head 1",
    "ft-import(1), ft-pack(1), ft-cat(1)", CLI_FILTER | CLI_MODEL, 1, options};

enum { TOKENS, TARGETS };          /* what an item tallies */

typedef struct job {
    const ft_gguf *g;
    ft_tokenizer *t;
    const ft_chat *chat;
    cli_example **workers;          /* one a thread */
    unsigned n_workers;
    ft_writer *out;
    uint64_t tokens, targets;
} job;

/* ---- one record ---- */

/* The fields that go along: a map of those that the record has. */
static void put_carried(ft_buf *b, ft_mp record)
{
    static const char *const names[] = {"aug", "group", "label", "source", "weight"};
    enum { N = sizeof names / sizeof *names };
    ft_mp v;
    size_t n = 0;
    for (size_t i = 0; i < N; i++)
        n += (size_t)ft_mp_get(record, names[i], &v);
    ft_mp_put_map(b, n);
    for (size_t i = 0; i < N; i++)
        if (ft_mp_get(record, names[i], &v)) {
            ft_mp_put_cstr(b, names[i]);
            ft_mp_put_raw(b, v);
        }
}

/* Writes the tokens record of one example and reads it back, which refuses carried fields that
 * no reader would take. */
static int write_item(cli_example *w, cli_item *it)
{
    ft_buf carried = {0}, number = {0};
    ft_segment seen;
    ft_mp id;
    int rc;
    it->tally[TARGETS] = w->targets;
    it->tally[TOKENS] = w->ids.n;
    if (w->targets == 0)
        return ft_err_set(&it->err, FT_ERR_DATA, "no token to train on (%zu tokens); drop it or "
                          "see --train-on", w->ids.n);
    if (w->ids.n > FT_TOKENS_PER_SEGMENT_MAX)
        return ft_err_set(&it->err, FT_ERR_DATA, "%zu tokens; at most %u are possible: cut the "
                          "text before", w->ids.n, FT_TOKENS_PER_SEGMENT_MAX);
    put_carried(&carried, it->record);
    ft_mp_put_uint(&number, it->number);
    if (!ft_mp_get(it->record, "id", &id))
        id = (ft_mp){number.p, number.n};
    if ((rc = ft_buf_check(&carried, &it->err)) == 0 &&
        (rc = ft_buf_check(&number, &it->err)) == 0) {
        ft_tokens_put(&it->out, (ft_mp){carried.p, carried.n}, id, w->ids.p, w->mask.p,
                      w->ids.n);
        if ((rc = ft_buf_check(&it->out, &it->err)) == 0)
            rc = ft_segment_parse((ft_mp){it->out.p, it->out.n}, &seen, &it->err);
    }
    ft_buf_free(&carried);
    ft_buf_free(&number);
    return rc;
}

/* Before the first chat: its template; ends here when the model has none. */
static void find_template(void *ctx, const cli_item *it)
{
    job *j = ctx;
    ft_mp list;
    if (!j->chat && !raw && ft_mp_get(it->record, "messages", &list))
        j->chat = cli_chat_of(j->g, template_name);
}

static void encode_item(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    cli_example *w = j->workers[worker];
    w->chat = j->chat;
    if (cli_example_encode(w, it->record, &it->err) == 0)
        (void)write_item(w, it);              /* errors stay in the item until its turn comes */
}

static void put_item(void *ctx, cli_item *it)
{
    job *j = ctx;
    cli_check(ft_writer_put(j->out, it->out.p, it->out.n, cli_err()));
    j->tokens += it->tally[TOKENS];
    j->targets += it->tally[TARGETS];
    cli_counts()->read++;
    cli_counts()->written++;
}

/* ---- the whole ---- */

static void open_job(job *j)
{
    j->t = cli_tokenizer_of(j->g);
    if (!raw && (template_name || ft_gguf_kv_find(j->g, "tokenizer.chat_template"))) {
        ft_slice text;
        if (template_name)
            j->chat = cli_chat_of(j->g, template_name);
        else if (ft_gguf_string(j->g, "tokenizer.chat_template", &text, cli_err()) < 0 ||
                 ft_chat_recognise(&j->chat, text, cli_err()) < 0)
            j->chat = NULL;                  /* an error only when a chat comes */
    }
    j->n_workers = ft_pool_threads(cli_pool());
    j->workers = ft_new(j->n_workers, sizeof *j->workers, cli_err());
    if (!j->workers)
        cli_fail();
    for (unsigned i = 0; i < j->n_workers; i++) {
        cli_check(cli_example_new(&j->workers[i], j->t, cli_err()));
        j->workers[i]->raw = raw;
        j->workers[i]->train_on_all = strcmp(train_on, "all") == 0;
        j->workers[i]->parse_special = parse_special;
    }
}

/* Returns: bytes that had no token. */
static uint64_t close_job(job *j)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < j->n_workers; i++) {
        lost += ft_encoder_lost_bytes(j->workers[i]->enc);
        cli_example_free(&j->workers[i]);
    }
    ft_free(j->workers);
    ft_tokenizer_free(&j->t);
    return lost;
}

int main(int argc, char **argv)
{
    ft_gguf *g = NULL;
    job j = {0};
    uint64_t lost;
    cli_begin(&tool, argc, argv);
    cli_check(ft_gguf_open(&g, cli_model(), cli_err()));
    j.g = g;
    open_job(&j);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    ft_header h = cli_header_from(in, FT_KIND_TOKENS);
    h.tokenizer = ft_tokenizer_digest(j.t);
    if (j.chat)
        h.template_ = ft_chat_digest(j.chat);
    j.out = cli_writer(cli_output(), h);
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    cli_check(ft_writer_derive_file(j.out, "tokenizer", &h.tokenizer, cli_err()));
    cli_each_record(in, &(cli_steps){find_template, encode_item, put_item, NULL}, &j);
    lost = close_job(&j);
    cli_finish(&j.out);
    ft_reader_free(&in);
    ft_gguf_free(&g);
    cli_result_count("tokens", j.tokens);
    cli_result_count("targets", j.targets);
    cli_result_count("lost_bytes", lost);
    if (lost)
        cli_warn("%llu bytes have no token in this model's vocabulary and were left out",
                 (unsigned long long)lost);
    return cli_end();
}
