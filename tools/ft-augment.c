/* ft-augment: copies of examples in other words, beside the originals. What a copy becomes
 * depends on the example and the seed alone (data/augment.h), so examples are worked on by all
 * threads. */
#include "base/mem.h"
#include "data/augment.h"
#include "data/mix_store.h"
#include "tools/cli/each_record.h"
#include "tools/cli/leak.h"

#include <string.h>

static const char *templates, *slots, *synonyms;
static double noise, alpha;
static uint64_t times;
static int eda, replace, again, allow_leak;
static const cli_option options[] = {
    {"templates", 0, CLI_TEXT, &templates, "FILE", 0, 0, 0,
     "put the prompt into a line of FILE, where {prompt} stands"},
    {"slots", 0, CLI_TEXT, &slots, "FILE", 0, 0, 0,
     "fill {{name}} and <name>: a JSON object of lists of values"},
    {"noise", 0, CLI_REAL, &noise, "P", 0, 1, CLI_PAYLOAD,
     "mistype each letter of the prompt with probability P"},
    {"eda", 0, CLI_FLAG, &eda, NULL, 0, 0, CLI_PAYLOAD,
     "for classifiers: swap, delete, replace and insert words"},
    {"synonyms", 0, CLI_TEXT, &synonyms, "FILE", 0, 0, 0,
     "a word, tab, its synonyms with tabs, in each line; for --eda"},
    {"alpha", 0, CLI_REAL, &alpha, "A", 0, 1, CLI_PAYLOAD,
     "share of words that --eda changes (0: by the number of examples)"},
    {"times", 'n', CLI_COUNT, &times, "N", 0, 1000, CLI_PAYLOAD,
     "copies of each example (0: one; for --eda by their number)"},
    {"replace", 0, CLI_FLAG, &replace, NULL, 0, 0, CLI_PAYLOAD,
     "drop originals of which copies were made"},
    {"again", 0, CLI_FLAG, &again, NULL, 0, 0, CLI_PAYLOAD,
     "make copies of copies, too"},
    {"allow-leak", 0, CLI_FLAG, &allow_leak, NULL, 0, 0, CLI_PAYLOAD,
     "augment other parts of a split than the first, too"},
    {0}};
static const cli_tool tool = {
    "ft-augment", "make more examples: templates, slots, typing noise, EDA",
    "[options] [FILE]",
    "  ft-import < tldr.jsonl | ft-augment --slots values.json --times 3 | ft-dedup -o more.ft\n"
    "  ft-augment --templates ask.txt --noise 0.02 train.ft | ft-tokenize -m model.gguf > t.ft",
    "ft-dedup(1), ft-split(1), ft-mix(1)", CLI_FILTER | CLI_SEED, 1, options};

enum { UNCHANGED, REPEATED, UNFILLED, WRITTEN };       /* what an item tallies */

typedef struct job {
    ft_lists *templates, *slots, *synonyms;
    ft_augment_plan plan;
    uint64_t copies;
    ft_augmenter **workers;
    unsigned n_workers;
    ft_writer *out;
    uint64_t sums[4];
} job;

/* ---- one example ---- */

/* Whether copies are to be made of it. */
static int is_source(ft_mp record)
{
    return again || !ft_mp_get(record, "aug", &(ft_mp){0});
}

/* Completes a record that begins behind its length at `from`. */
static int end_record(ft_buf *out, size_t from, ft_err *e)
{
    size_t n = out->n - from - 4;
    uint32_t length = (uint32_t)n;
    if (ft_buf_check(out, e) < 0)
        return FT_ERR_NOMEM;
    if (n > FT_TEXT_RECORD_BYTES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "it would have %zu bytes when augmented, at most %u are "
                          "possible", n, FT_TEXT_RECORD_BYTES_MAX);
    memcpy(out->p + from, &length, sizeof length);
    return 0;
}

/* Leaves the copies and then the original in it->out, each behind its length. */
static void augment_item(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    ft_augmenter *a = j->workers[worker];
    const ft_augment_tally *t = ft_augment_tally_of(a);
    size_t from = 0;
    if (!is_source(it->record)) {
        ft_buf_add_u32(&it->out, 0);
        ft_buf_add(&it->out, it->record.p, it->record.n);
        (void)end_record(&it->out, 0, &it->err);
        return;
    }
    if (ft_augment_begin(a, &j->plan, it->record, it->number, &it->err) < 0)
        return;
    for (uint64_t k = 1; k <= j->copies; k++) {
        uint64_t before = t->written;
        ft_buf_add_u32(&it->out, 0);
        if (ft_augment_copy(a, (uint32_t)k, &it->out, &it->err) < 0)
            return;
        if (t->written == before)
            it->out.n = from;
        else if (end_record(&it->out, from, &it->err) < 0)
            return;
        from = it->out.n;
    }
    ft_buf_add_u32(&it->out, 0);
    ft_augment_original(a, &it->out);
    if (end_record(&it->out, from, &it->err) < 0)
        return;
    it->tally[UNCHANGED] = t->unchanged;
    it->tally[REPEATED] = t->repeated;
    it->tally[UNFILLED] = t->unfilled;
    it->tally[WRITTEN] = t->written;
}

static void put_record(job *j, ft_rd *r)
{
    uint32_t n = ft_rd_u32(r);
    cli_check(ft_writer_put(j->out, ft_rd_bytes(r, n), n, cli_err()));
    cli_counts()->written++;
}

static void put_item(void *ctx, cli_item *it)
{
    job *j = ctx;
    ft_rd copies = ft_rd_of(it->out.p, it->out.n), original = copies;
    for (uint64_t k = 0; k < it->tally[WRITTEN]; k++)
        (void)ft_rd_bytes(&original, ft_rd_u32(&original));
    cli_counts()->read++;
    cli_counts()->created += it->tally[WRITTEN];
    if (replace && it->tally[WRITTEN])
        ft_counts_drop(cli_counts(), "replaced", 1);
    else
        put_record(j, &original);
    for (uint64_t k = 0; k < it->tally[WRITTEN]; k++)
        put_record(j, &copies);
    for (size_t i = 0; i < 4; i++)
        j->sums[i] += it->tally[i];
}

/* ---- EDA, whose strength depends on how many examples there are ---- */

static void fail_at(uint64_t number, const ft_reader *in)
{
    ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)number, ft_reader_name(in));
    cli_fail();
}

static void augment_counted(job *j, ft_reader *in)
{
    ft_mix_store *rows = NULL;
    cli_item it = {0};
    uint64_t row, sources = 0, copies;
    double strength;
    cli_check(ft_mix_store_new(&rows, 0, cli_err()));
    while (cli_next(in, &it.record)) {
        sources += (uint64_t)is_source(it.record);
        cli_check(ft_mix_store_add(rows, it.record, cli_err()));
    }
    ft_augment_eda_defaults(sources, &copies, &strength);
    j->copies = times ? times : copies;
    j->plan.eda = alpha > 0 ? alpha : strength;
    cli_check(ft_mix_store_begin(rows, cli_err()));
    while (cli_check(ft_mix_store_next(rows, &it.record, &row, cli_err())) != FT_EOS) {
        it = (cli_item){.record = it.record, .number = row + 1, .out = it.out};
        ft_buf_clear(&it.out);
        augment_item(j, &it, 0);
        if (it.err.code < 0) {
            *cli_err() = it.err;
            fail_at(it.number, in);
        }
        put_item(j, &it);
    }
    ft_buf_free(&it.out);
    ft_mix_store_free(&rows);
}

/* ---- the whole ---- */

static void read_command(void)
{
    if (!templates && !slots && !(noise > 0) && !eda)
        cli_usage_error("how? give --templates, --slots, --noise or --eda");
    if (eda && (templates || slots || noise > 0))
        cli_usage_error("--eda goes alone; put it in another ft-augment (with --again)");
    if (!eda && (synonyms || alpha > 0))
        cli_usage_error("--synonyms and --alpha need --eda");
}

/* Reads a file of lists, which the stream then depends on. */
static ft_lists *load(job *j, const char *path, enum ft_lists_form form, const char *role)
{
    ft_in *in = NULL;
    ft_lists *l = NULL;
    ft_digest digest;
    if (!path)
        return NULL;
    cli_check(ft_in_open(&in, path, cli_err()));
    cli_check(ft_lists_load(&l, form, in, &digest, cli_err()));
    ft_in_close(&in);
    cli_check(ft_writer_derive_file(j->out, role, &digest, cli_err()));
    return l;
}

static void open_job(job *j)
{
    j->templates = load(j, templates, FT_LISTS_TEMPLATES, "templates");
    j->slots = load(j, slots, FT_LISTS_SLOTS, "slots");
    j->synonyms = load(j, synonyms, FT_LISTS_SYNONYMS, "synonyms");
    j->plan = (ft_augment_plan){j->templates, j->slots, j->synonyms, noise, eda ? alpha : 0,
                                cli_seed()};
    j->copies = times ? times : 1;
    j->n_workers = ft_pool_threads(cli_pool());
    j->workers = ft_new(j->n_workers, sizeof *j->workers, cli_err());
    if (!j->workers)
        cli_fail();
    for (unsigned i = 0; i < j->n_workers; i++)
        cli_check(ft_augmenter_new(&j->workers[i], cli_err()));
}

static void close_job(job *j)
{
    for (unsigned i = 0; i < j->n_workers; i++)
        ft_augmenter_free(&j->workers[i]);
    ft_free(j->workers);
    ft_lists_free(&j->templates);
    ft_lists_free(&j->slots);
    ft_lists_free(&j->synonyms);
}

int main(int argc, char **argv)
{
    job j = {0};
    cli_begin(&tool, argc, argv);
    read_command();
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    if (!allow_leak)
        cli_leak_check_first_part(in);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    open_job(&j);
    if (eda && (!times || !(alpha > 0)))
        augment_counted(&j, in);
    else
        cli_each_record(in, &(cli_steps){.work = augment_item, .done = put_item}, &j);
    if (!allow_leak)
        cli_leak_check_first_part(in);
    close_job(&j);
    cli_finish(&j.out);
    ft_reader_free(&in);
    cli_result_count("unchanged", j.sums[UNCHANGED]);
    cli_result_count("repeated", j.sums[REPEATED]);
    if (slots)
        cli_result_count("unfilled", j.sums[UNFILLED]);
    return cli_end();
}
