/* ft-shots: puts examples before each question, the same ones before all or those that are nearest
 * to it, by their words or by what a model makes of them. */
#include "base/mem.h"
#include "data/bm25.h"
#include "data/example.h"
#include "data/set_field.h"
#include "data/shot_pool.h"
#include "data/shots.h"
#include "nn/transformer.h"
#include "text/normal.h"
#include "text/word_list.h"
#include "tools/cli/each_record.h"
#include "tools/cli/leak.h"
#include "tools/cli/shots_eye.h"

#include <string.h>

static const char *from, *by = "bm25", *compute = "auto";
static uint64_t shots = 4;
static int allow_leak;
static const cli_option options[] = {
    {"from", 'f', CLI_TEXT, &from, "FILE", 0, 0, 0, "the examples to choose from, as a stream"},
    {"shots", 'k', CLI_COUNT, &shots, "N", 0, 32, CLI_PAYLOAD, "how many to put before a question"},
    {"by", 0, CLI_CHOICE, &by, "bm25|embedding|fixed", 0, 0, CLI_PAYLOAD,
     "the nearest by words or by the model of -m; or the same ones for all, drawn by --seed"},
    {"compute", 0, CLI_CHOICE, &compute, "f32|bf16|int8|auto", 0, 0, CLI_PAYLOAD,
     "what the model's products are computed in"},
    {"allow-leak", 0, CLI_FLAG, &allow_leak, NULL, 0, 0, CLI_PAYLOAD,
     "also from the part of the split that the questions are of"},
    {0}};
static const cli_tool tool = {
    "ft-shots", "put examples before each question, fixed ones or the nearest",
    "--from FILE [-m MODEL] [options] [FILE]",
    "  ft-shots --from train.ft -k 4 < test.ft | ft-generate -m model.gguf -o answers.ft\n"
    "  ft-shots --from train.ft --by embedding -m model.gguf < test.ft | ft-export | head -1",
    "ft-generate(1), ft-split(1), ft-compare(1)",
    CLI_FILTER | CLI_SEED | CLI_MEMORY | CLI_MODEL, 1, options};

enum { SPARE = 16 };               /* nearest ones that may turn out to ask the same */
enum { USED };                     /* what an item tallies */

typedef struct worker {
    ft_buf scratch[2], text, bytes[FT_BM25_MOST], id_list, built;
    ft_word_list words;
    float *scores;
} worker;

typedef struct job {
    ft_reader *from;
    ft_shot_pool *pool;
    size_t n;                      /* examples there          */
    ft_bm25 *index;                /* one of these three: by  */
    shots_eye *eye;
    uint32_t fixed[FT_BM25_MOST];
    size_t n_fixed;
    uint64_t first;                /* number of the batch's first question */
    worker *workers;
    unsigned n_workers;
    ft_writer *out;
    uint64_t used, without;
} job;

static void close_worker(worker *w)
{
    ft_buf *owned[] = {&w->scratch[0], &w->scratch[1], &w->text, &w->id_list, &w->built};
    for (size_t k = 0; k < sizeof owned / sizeof *owned; k++)
        ft_buf_free(owned[k]);
    for (size_t k = 0; k < FT_BM25_MOST; k++)
        ft_buf_free(&w->bytes[k]);
    ft_word_list_free(&w->words);
    ft_free(w->scores);
}

/* A record's question in w->text, its key in *asks. */
static int read_question(worker *w, ft_mp record, ft_digest *asks, ft_err *e)
{
    int rc = ft_example_key(record, FT_PART_PROMPT, w->scratch, asks, e);
    ft_buf_clear(&w->text);
    return rc < 0 ? rc : ft_example_part(record, FT_PART_PROMPT, &w->text, e);
}

/* The words of the question in w->text. */
static int read_words(worker *w, ft_err *e)
{
    ft_word_list_clear(&w->words);
    return ft_word_list_add(&w->words, w->text.p, w->text.n, FT_IGNORE_USUAL, e);
}

/* ---- the pool ---- */

static int add_to_index(job *j, worker *w, ft_err *e)
{
    int rc = 0;
    if (j->eye)
        shots_eye_add(j->eye, (ft_slice){w->text.p, w->text.n});
    else if (j->index && (rc = read_words(w, e)) == 0)
        rc = ft_bm25_add(j->index, w->words.hash, w->words.n, e);
    return rc;
}

static void keep_record(job *j, worker *w, ft_mp record)
{
    ft_digest asks;
    if (read_question(w, record, &asks, cli_err()) < 0 ||
        ft_shot_pool_add(j->pool, record, &asks, cli_err()) < 0 ||
        add_to_index(j, w, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(j->from),
                    ft_reader_name(j->from));
        cli_fail();
    }
}

static void end_pool(job *j)
{
    cli_check(ft_shot_pool_end(j->pool, cli_err()));
    j->n = ft_shot_pool_count(j->pool);
    if (j->n == 0)
        cli_warn("%s holds no example", from);
    if (j->eye)
        shots_eye_end(j->eye);
    if (j->index)
        cli_check(ft_bm25_end(j->index, cli_err()));
    if (!j->eye && !j->index)
        j->n_fixed = ft_shot_pool_draw(j->pool, cli_seed(), (size_t)shots, j->fixed);
}

static void read_pool(job *j)
{
    worker w = {0};
    ft_mp record;
    if (strcmp(by, "embedding") == 0)
        j->eye = shots_eye_new(compute);
    else if (strcmp(by, "bm25") == 0)
        cli_check(ft_bm25_new(&j->index, cli_memory(), cli_err()));
    cli_check(ft_shot_pool_new(&j->pool, cli_memory(), cli_err()));
    j->from = cli_reader(from, FT_KIND_TEXT);
    while (cli_next(j->from, &record))
        keep_record(j, &w, record);
    close_worker(&w);
    end_pool(j);
}

/* ---- one question ---- */

/* The nearest ones of a batch's questions, by the model. */
static void look_at_batch(void *ctx, cli_item *items, size_t n)
{
    job *j = ctx;
    worker *w = &j->workers[0];
    ft_digest asks;
    j->first = items[0].number;
    for (size_t i = 0; i < n; i++) {
        if (read_question(w, items[i].record, &asks, &items[i].err) < 0)
            ft_buf_clear(&w->text);                          /* its turn to be told comes */
        shots_eye_ask(j->eye, (ft_slice){w->text.p, w->text.n});
    }
    shots_eye_find(j->eye, (size_t)shots + SPARE);
}

/* The shots' numbers, the nearest last, beside the question. */
static int choose(const job *j, worker *w, cli_item *it, uint32_t *chosen, size_t *n)
{
    uint32_t best[FT_BM25_MOST];
    const uint32_t *numbers = best;
    ft_digest asks;
    if (read_question(w, it->record, &asks, &it->err) < 0)
        return it->err.code;
    if (j->eye) {
        *n = shots_eye_found(j->eye, (size_t)(it->number - j->first), &numbers);
    } else if (!j->index) {
        numbers = j->fixed;
        *n = j->n_fixed;
    } else {
        if (read_words(w, &it->err) < 0)
            return it->err.code;
        *n = ft_bm25_nearest(j->index, w->words.hash, w->words.n, w->scores,
                             (size_t)shots + SPARE, best);
    }
    *n = ft_shot_pool_choose(j->pool, numbers, *n, &asks, (size_t)shots, chosen);
    return 0;
}

/* Builds the record with its shots, and the field shots: their ids. */
static int build(worker *w, cli_item *it, const ft_mp *list, size_t n)
{
    int rc;
    ft_mp id;
    ft_buf_clear(&w->id_list);
    ft_buf_clear(&w->built);
    ft_mp_put_array(&w->id_list, n);
    for (size_t i = 0; i < n; i++)
        if (ft_mp_get(list[i], "id", &id))
            ft_mp_put_raw(&w->id_list, id);
        else
            ft_mp_put_nil(&w->id_list);
    if ((rc = ft_buf_check(&w->id_list, &it->err)) < 0 ||
        (rc = ft_shots_put(it->record, list, n, &w->built, &it->err)) < 0)
        return rc;
    ft_set_field((ft_mp){w->built.p, w->built.n}, "shots", (ft_mp){w->id_list.p, w->id_list.n},
                 &it->out);
    return ft_buf_check(&it->out, &it->err);
}

static void work(void *ctx, cli_item *it, unsigned number)
{
    job *j = ctx;
    worker *w = &j->workers[number];
    uint32_t chosen[FT_BM25_MOST];
    ft_mp list[FT_BM25_MOST];
    size_t n = 0;
    if (choose(j, w, it, chosen, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        if (ft_shot_pool_read(j->pool, chosen[i], &w->bytes[i], &it->err) < 0)
            return;
        list[i] = (ft_mp){w->bytes[i].p, w->bytes[i].n};
    }
    it->tally[USED] = n;
    if (build(w, it, list, n) == 0 && it->out.n > FT_TEXT_RECORD_BYTES_MAX)
        ft_err_set(&it->err, FT_ERR_DATA, "with its shots the example has %zu bytes, at most %u "
                   "are allowed; fewer --shots", it->out.n, FT_TEXT_RECORD_BYTES_MAX);
}

static void put(void *ctx, cli_item *it)
{
    job *j = ctx;
    cli_check(ft_writer_put(j->out, it->out.p, it->out.n, cli_err()));
    cli_counts()->read++;
    cli_counts()->written++;
    j->used += it->tally[USED];
    j->without += it->tally[USED] < shots;
}

/* ---- the whole ---- */

static void open_workers(job *j)
{
    j->n_workers = ft_pool_threads(cli_pool());
    j->workers = ft_new(j->n_workers, sizeof *j->workers, cli_err());
    if (!j->workers)
        cli_fail();
    for (unsigned i = 0; i < j->n_workers; i++)
        if (j->index && !(j->workers[i].scores = ft_new(j->n + 1, sizeof(float), cli_err())))
            cli_fail();
}

static void close_job(job *j)
{
    for (unsigned i = 0; i < j->n_workers; i++)
        close_worker(&j->workers[i]);
    ft_free(j->workers);
    ft_shot_pool_free(&j->pool);
    ft_bm25_free(&j->index);
    shots_eye_free(&j->eye);
    ft_reader_free(&j->from);
}

static void check_usage(void)
{
    int by_model = strcmp(by, "embedding") == 0;
    if (!from)
        cli_usage_error("give the examples to choose from: --from FILE");
    if (strcmp(from, "-") == 0 && strcmp(cli_input(), "-") == 0)
        cli_usage_error("both --from and the questions are standard input; name a file");
    if (by_model && !cli_given("model"))
        cli_usage_error("--by embedding asks a model: give -m MODEL");
    if (!by_model && (cli_given("model") || cli_given("compute")))
        cli_usage_error("-m and --compute go with --by embedding");
    if (!by_model || ft_compute_resolve(ft_compute_by_name(compute)) == FT_COMPUTE_F32)
        compute = "f32";         /* what auto is here, for the history */
}

int main(int argc, char **argv)
{
    job j = {0};
    cli_leak shown = {0};
    cli_begin(&tool, argc, argv);
    check_usage();
    read_pool(&j);
    open_workers(&j);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    cli_leak_add_reader(&shown, j.from);
    cli_leak_check_claims(&shown, from, in, allow_leak);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    cli_check(ft_writer_derive_apart(j.out, j.from, cli_err()));
    cli_each_record(in, &(cli_steps){.gathered = j.eye ? look_at_batch : NULL, .work = work,
                                     .done = put}, &j);
    cli_leak_check(&shown, from, in, allow_leak);
    cli_finish(&j.out);
    cli_result_count("pool", j.n);
    cli_result_count("shots", j.used);
    if (j.without)
        cli_note("%llu questions got fewer than %llu shots", (unsigned long long)j.without,
                 (unsigned long long)shots);
    cli_leak_free(&shown);
    ft_reader_free(&in);
    close_job(&j);
    return cli_end();
}
