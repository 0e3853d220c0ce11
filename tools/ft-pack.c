/* ft-pack: tokens in, rows of segments out. Examples are gathered, as the segments they will be,
 * until there are enough for a good fit; then the rows of this batch are made and written. */
#include "base/mem.h"
#include "data/pack.h"
#include "stream/rows.h"
#include "tools/cli/cli.h"

#include <string.h>

#define BATCH_ITEMS 65536
#define BATCH_BYTES (64u << 20)

static uint64_t row_length, context;
static int no_pack, no_overlap;
static const char *when_long = "error";
static const cli_option options[] = {
    {"length", 'l', CLI_COUNT, &row_length, "N", 2, FT_TOKENS_PER_SEGMENT_MAX, CLI_PAYLOAD,
     "tokens in a row, at most"},
    {"no-pack", 0, CLI_FLAG, &no_pack, NULL, 0, 0, CLI_PAYLOAD, "one example in a row"},
    {"long", 0, CLI_CHOICE, &when_long, "error|cut|drop|split", 0, 0, CLI_PAYLOAD,
     "what to do with an example of over N tokens"},
    {"context", 0, CLI_COUNT, &context, "C", 0, FT_TOKENS_PER_SEGMENT_MAX, CLI_PAYLOAD,
     "the first C tokens of each window of --long split are no targets"},
    {"no-overlap", 0, CLI_FLAG, &no_overlap, NULL, 0, 0, CLI_PAYLOAD,
     "such windows advance by N tokens, not by N - C"},
    {0}};
static const cli_tool tool = {
    "ft-pack", "fill rows with examples that do not see each other", "-l N [options] [FILE]",
    "  ft-tokenize -m model.gguf < train.ft | ft-pack -l 512 --long drop -o train.packed\n"
    "  ft-tokenize -m model.gguf --raw < book.ft |\n"
    "      ft-pack -l 512 --long split --context 256 | ft-eval -m model.gguf",
    "ft-tokenize(1), ft-train(1), ft-eval(1)", CLI_FILTER, 1, options};

typedef struct packing {
    ft_writer *out;
    ft_packer *packer;          /* NULL: each example is a row */
    ft_buf bytes;               /* segment maps, one after the other        */
    size_t at[BATCH_ITEMS + 1]; /* where each begins                        */
    uint32_t lengths[BATCH_ITEMS];
    uint32_t n;
    ft_buf row;
    uint64_t tokens, targets, cut;
} packing;

static void check_options(void)
{
    int split = strcmp(when_long, "split") == 0;
    if (row_length == 0 && !no_pack)
        cli_usage_error("how long may a row be? give -l N, or --no-pack for one example in a row");
    if (row_length == 0 && cli_given("long"))
        cli_usage_error("--long needs a length: -l N");
    if (!split && (cli_given("context") || no_overlap))
        cli_usage_error("--context and --no-overlap are about the windows of --long split");
    if (split && context >= row_length)
        cli_usage_error("--context %llu leaves no target in windows of %llu tokens",
                        (unsigned long long)context, (unsigned long long)row_length);
}

/* ---- rows ---- */

/* Writes a row of k items; as two when they are too many bytes for one record. */
static void write_row(packing *p, const uint32_t *items, size_t k)
{
    size_t bytes = 64;
    for (size_t i = 0; i < k; i++)
        bytes += p->at[items[i] + 1] - p->at[items[i]];
    if (bytes > FT_RECORD_BYTES_MAX && k > 1) {
        write_row(p, items, k / 2);
        write_row(p, items + k / 2, k - k / 2);
        return;
    }
    if (bytes > FT_RECORD_BYTES_MAX)
        cli_check(ft_err_set(cli_err(), FT_ERR_DATA, "an example with %zu bytes of ids and other "
                             "fields: a row holds at most %u", bytes, FT_RECORD_BYTES_MAX));
    ft_buf_clear(&p->row);
    ft_mp_put_map(&p->row, 1);
    ft_mp_put_cstr(&p->row, "segments");
    ft_mp_put_array(&p->row, k);
    for (size_t i = 0; i < k; i++) {
        size_t from = p->at[items[i]];
        ft_buf_add(&p->row, p->bytes.p + from, p->at[items[i] + 1] - from);
    }
    cli_check(ft_buf_check(&p->row, cli_err()));
    cli_check(ft_writer_put(p->out, p->row.p, p->row.n, cli_err()));
    cli_counts()->written += k;
}

static void write_batch(packing *p)
{
    const uint32_t first = 0;
    if (!p->packer) {
        if (p->n)
            write_row(p, &first, 1);
    } else {
        ft_packing r = ft_pack_best_fit(p->packer, p->lengths, p->n);
        for (size_t i = 0; i < r.n_rows; i++)
            write_row(p, r.items + r.row_start[i], r.row_start[i + 1] - r.row_start[i]);
    }
    ft_buf_clear(&p->bytes);
    p->n = 0;
}

/* ---- examples ---- */

/* Adds tokens [from, to) of an example, of which the first `seen` are no targets. */
static void add_segment(packing *p, const ft_segment *s, size_t from, size_t to, size_t seen)
{
    size_t targets = 0;
    for (size_t i = from + (seen ? seen : 1); i < to; i++)
        targets += (size_t)ft_segment_is_target(s, i);
    if (targets == 0) {
        ft_counts_drop(cli_counts(), "no target", 1);
        return;
    }
    p->at[p->n] = p->bytes.n;
    ft_segment_put(&p->bytes, s, from, to, seen);
    cli_check(ft_buf_check(&p->bytes, cli_err()));
    p->at[p->n + 1] = p->bytes.n;
    p->lengths[p->n++] = (uint32_t)(to - from);
    p->tokens += to - from;
    p->targets += targets;
    if (!p->packer || p->n == BATCH_ITEMS || p->bytes.n >= BATCH_BYTES)
        write_batch(p);
}

static void add_windows(packing *p, const ft_segment *s)
{
    const ft_window_rule rule = {(size_t)row_length, (size_t)context, !no_overlap};
    ft_window w;
    for (size_t i = 0; ft_window_at(&rule, s->n_tokens, i, &w); i++) {
        cli_counts()->created += i > 0;
        add_segment(p, s, w.from, w.to, rule.context);
    }
}

static void add_example(packing *p, const ft_segment *s)
{
    if (row_length == 0 || s->n_tokens <= row_length) {
        add_segment(p, s, 0, s->n_tokens, 0);
    } else if (strcmp(when_long, "cut") == 0) {
        p->cut++;
        add_segment(p, s, 0, (size_t)row_length, 0);
    } else if (strcmp(when_long, "drop") == 0) {
        ft_counts_drop(cli_counts(), "too long", 1);
    } else if (strcmp(when_long, "split") == 0) {
        add_windows(p, s);
    } else {
        ft_err_set(cli_err(), FT_ERR_DATA, "%zu tokens, over the %llu of -l: take a larger N, or "
                   "say with --long cut, drop or split what to do", s->n_tokens,
                   (unsigned long long)row_length);
    }
}

static void read_all(packing *p, ft_reader *in)
{
    ft_mp record;
    ft_segment s;
    while (cli_next(in, &record)) {
        cli_counts()->read++;
        if (ft_segment_parse(record, &s, cli_err()) == 0)
            add_example(p, &s);
        if (cli_err()->code < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
            cli_fail();
        }
    }
    write_batch(p);
}

static void report(const packing *p, uint64_t rows)
{
    cli_result_count("rows", rows);
    cli_result_count("tokens", p->tokens);
    cli_result_count("targets", p->targets);
    if (p->cut)
        cli_result_count("cut", p->cut);
    if (p->packer && rows)
        cli_result_real("fill", (double)p->tokens / ((double)rows * (double)row_length));
}

int main(int argc, char **argv)
{
    packing *p;
    uint64_t rows;
    cli_begin(&tool, argc, argv);
    check_options();
    p = ft_new(1, sizeof *p, cli_err());
    if (!p)
        cli_fail();
    if (!no_pack)
        cli_check(ft_packer_new(&p->packer, (uint32_t)row_length, BATCH_ITEMS, cli_err()));
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TOKENS);
    p->out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_PACKED));
    cli_check(ft_writer_derive(p->out, in, cli_err()));
    read_all(p, in);
    rows = ft_writer_records(p->out);
    cli_finish(&p->out);
    report(p, rows);
    ft_reader_free(&in);
    ft_packer_free(&p->packer);
    ft_buf_free(&p->bytes);
    ft_buf_free(&p->row);
    ft_free(p);
    return cli_end();
}
