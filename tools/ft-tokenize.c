/* ft-tokenize: examples in, ids and target masks out. Records are read in batches, encoded on
 * all threads with an encoder for each, and written in the order they came. */
#include "base/mem.h"
#include "stream/rows.h"
#include "tools/cli/cli.h"
#include "tools/cli/example_ids.h"
#include "tools/cli/load.h"

#include <string.h>

#define BATCH_BYTES (4u << 20)
#define BATCH_RECORDS 4096

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

typedef struct item {          /* one record of a batch */
    size_t at, n;              /* its bytes in the batch's buffer       */
    uint64_t number;           /* in the input, from 1                  */
    ft_buf out;                /* the tokens record                     */
    size_t tokens, targets;
    ft_err err;
} item;

typedef struct batch {
    ft_tokenizer *t;
    const ft_chat *chat;
    ft_buf bytes;
    item *items;
    size_t n;
    cli_example **workers;          /* one a thread */
    unsigned n_workers;
} batch;

/* ---- one record ---- */

/* The fields that go along: a map of those that the record has. */
static void put_carried(ft_buf *b, ft_mp record)
{
    static const char *const names[] = {"group", "label", "source", "weight"};
    ft_mp v;
    size_t n = 0;
    for (size_t i = 0; i < 4; i++)
        n += (size_t)ft_mp_get(record, names[i], &v);
    ft_mp_put_map(b, n);
    for (size_t i = 0; i < 4; i++)
        if (ft_mp_get(record, names[i], &v)) {
            ft_mp_put_cstr(b, names[i]);
            ft_mp_put_raw(b, v);
        }
}

/* Writes the tokens record of one example and reads it back, which refuses carried fields that
 * no reader would take. */
static int write_item(cli_example *w, item *it, ft_mp record)
{
    ft_buf carried = {0}, number = {0};
    ft_segment seen;
    ft_mp id;
    int rc;
    it->targets = w->targets;
    it->tokens = w->ids.n;
    if (it->targets == 0)
        return ft_err_set(&it->err, FT_ERR_DATA, "no token to train on (%zu tokens); drop it or "
                          "see --train-on", w->ids.n);
    if (it->tokens > FT_TOKENS_PER_SEGMENT_MAX)
        return ft_err_set(&it->err, FT_ERR_DATA, "%zu tokens; at most %u are possible: cut the "
                          "text before", it->tokens, FT_TOKENS_PER_SEGMENT_MAX);
    put_carried(&carried, record);
    ft_mp_put_uint(&number, it->number);
    if (!ft_mp_get(record, "id", &id))
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

static void encode_item(void *ctx, size_t task, unsigned worker_number)
{
    const batch *b = ctx;
    cli_example *w = b->workers[worker_number];
    item *it = &b->items[task];
    ft_mp record = {b->bytes.p + it->at, it->n};
    if (cli_example_encode(w, record, &it->err) == 0)
        (void)write_item(w, it, record);      /* errors stay in the item until its turn comes */
}

/* ---- batches ---- */

/* Reads the next batch. Returns: whether there is one. */
static int read_batch(batch *b, ft_reader *in, const ft_gguf *g)
{
    ft_mp record, list;
    ft_buf_clear(&b->bytes);
    for (b->n = 0; b->n < BATCH_RECORDS && b->bytes.n < BATCH_BYTES; b->n++) {
        item *it = &b->items[b->n];
        if (!cli_next(in, &record))
            break;
        if (!b->chat && !raw && ft_mp_get(record, "messages", &list))
            b->chat = cli_chat_of(g, template_name);     /* ends here: the model has none */
        ft_buf_clear(&it->out);
        *it = (item){.at = b->bytes.n, .n = record.n, .number = ft_reader_records(in),
                     .out = it->out};
        ft_buf_add(&b->bytes, record.p, record.n);
        cli_check(ft_buf_check(&b->bytes, cli_err()));
    }
    return b->n > 0;
}

static void write_batch(const batch *b, ft_reader *in, ft_writer *out, uint64_t *tokens,
                        uint64_t *targets)
{
    for (size_t i = 0; i < b->n; i++) {
        item *it = &b->items[i];
        if (it->err.code < 0) {
            *cli_err() = it->err;
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)it->number,
                        ft_reader_name(in));
            cli_fail();
        }
        cli_check(ft_writer_put(out, it->out.p, it->out.n, cli_err()));
        if (it->out.cap > BATCH_BYTES)
            ft_buf_free(&it->out);
        *tokens += it->tokens;
        *targets += it->targets;
    }
    cli_counts()->read += b->n;
    cli_counts()->written += b->n;
}

static void open_batch(batch *b, const ft_gguf *g)
{
    b->t = cli_tokenizer_of(g);
    if (!raw && (template_name || ft_gguf_kv_find(g, "tokenizer.chat_template"))) {
        ft_slice text;
        if (template_name)
            b->chat = cli_chat_of(g, template_name);
        else if (ft_gguf_string(g, "tokenizer.chat_template", &text, cli_err()) < 0 ||
                 ft_chat_recognise(&b->chat, text, cli_err()) < 0)
            b->chat = NULL;                  /* an error only when a chat comes */
    }
    b->n_workers = ft_pool_threads(cli_pool());
    b->items = ft_new(BATCH_RECORDS, sizeof *b->items, cli_err());
    b->workers = ft_new(b->n_workers, sizeof *b->workers, cli_err());
    if (!b->items || !b->workers)
        cli_fail();
    for (unsigned i = 0; i < b->n_workers; i++) {
        cli_check(cli_example_new(&b->workers[i], b->t, cli_err()));
        b->workers[i]->raw = raw;
        b->workers[i]->train_on_all = strcmp(train_on, "all") == 0;
        b->workers[i]->parse_special = parse_special;
        b->workers[i]->chat = b->chat;
    }
}

static uint64_t close_batch(batch *b)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < b->n_workers; i++) {
        lost += ft_encoder_lost_bytes(b->workers[i]->enc);
        cli_example_free(&b->workers[i]);
    }
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        ft_buf_free(&b->items[i].out);
    ft_buf_free(&b->bytes);
    ft_free(b->items);
    ft_free(b->workers);
    ft_tokenizer_free(&b->t);
    return lost;
}

int main(int argc, char **argv)
{
    ft_gguf *g = NULL;
    batch b = {0};
    uint64_t tokens = 0, targets = 0, lost;
    cli_begin(&tool, argc, argv);
    cli_check(ft_gguf_open(&g, cli_model(), cli_err()));
    open_batch(&b, g);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    ft_header h = cli_header_from(in, FT_KIND_TOKENS);
    h.tokenizer = ft_tokenizer_digest(b.t);
    if (b.chat)
        h.template_ = ft_chat_digest(b.chat);
    ft_writer *out = cli_writer(cli_output(), h);
    cli_check(ft_writer_derive(out, in, cli_err()));
    cli_check(ft_writer_derive_file(out, "tokenizer", &h.tokenizer, cli_err()));
    while (read_batch(&b, in, g)) {
        ft_pool_run(cli_pool(), b.n, encode_item, &b);
        write_batch(&b, in, out, &tokens, &targets);
    }
    lost = close_batch(&b);
    cli_finish(&out);
    ft_reader_free(&in);
    ft_gguf_free(&g);
    cli_result_count("tokens", tokens);
    cli_result_count("targets", targets);
    cli_result_count("lost_bytes", lost);
    if (lost)
        cli_warn("%llu bytes have no token in this model's vocabulary and were left out",
                 (unsigned long long)lost);
    return cli_end();
}
