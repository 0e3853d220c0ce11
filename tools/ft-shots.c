/* ft-shots: puts examples before each question, the same ones before all or those that are nearest
 * to it. The pool of examples lies in a spool; the index of its questions in memory. */
#include "base/mem.h"
#include "base/rng.h"
#include "data/bm25.h"
#include "data/example.h"
#include "data/set_field.h"
#include "data/shots.h"
#include "text/normal.h"
#include "text/word_list.h"
#include "tools/cli/each_record.h"
#include "tools/cli/leak.h"

#include <string.h>

static const char *from, *by = "bm25";
static uint64_t shots = 4;
static int allow_leak;
static const cli_option options[] = {
    {"from", 'f', CLI_TEXT, &from, "FILE", 0, 0, 0, "the examples to choose from, as a stream"},
    {"shots", 'k', CLI_COUNT, &shots, "N", 0, 32, CLI_PAYLOAD, "how many to put before a question"},
    {"by", 0, CLI_CHOICE, &by, "bm25|fixed", 0, 0, CLI_PAYLOAD,
     "the nearest by their words, or the same ones, drawn by --seed"},
    {"allow-leak", 0, CLI_FLAG, &allow_leak, NULL, 0, 0, CLI_PAYLOAD,
     "also from the part of the split that the questions are of"},
    {0}};
static const cli_tool tool = {
    "ft-shots", "put examples before each question, fixed ones or the nearest",
    "--from FILE [options] [FILE]",
    "  ft-shots --from train.ft -k 4 < test.ft | ft-generate -m model.gguf -o answers.ft\n"
    "  ft-shots --from train.ft --by fixed -k 3 --seed 1 < test.ft | ft-export | head -1",
    "ft-generate(1), ft-split(1), ft-compare(1)", CLI_FILTER | CLI_SEED | CLI_MEMORY, 1, options};

enum { SPARE = 16 };               /* nearest ones that may turn out to ask the same */
enum { USED };                     /* what an item tallies */

typedef struct worker {
    ft_buf prompt[2], bytes[FT_BM25_MOST], id_list, built;
    ft_word_list words;
    float *scores;
} worker;

typedef struct job {
    ft_reader *pool;
    ft_spool *spool;               /* the pool's records, one behind the other */
    uint64_t *at;                  /* where each begins; one more: the end */
    ft_digest *asks;               /* the key of each one's question */
    size_t n, cap_at, cap_asks;
    ft_bm25 *index;
    uint32_t fixed[FT_BM25_MOST];
    size_t n_fixed;
    worker *workers;
    unsigned n_workers;
    ft_writer *out;
    uint64_t used, without;
} job;

/* The words of a record's question in w->words, its key in *asks. */
static int read_question(worker *w, ft_mp record, ft_digest *asks, ft_err *e)
{
    int rc = ft_example_key(record, FT_PART_PROMPT, w->prompt, asks, e);
    ft_buf_clear(&w->prompt[0]);
    ft_word_list_clear(&w->words);
    if (rc == 0)
        rc = ft_example_part(record, FT_PART_PROMPT, &w->prompt[0], e);
    if (rc == 0)
        rc = ft_word_list_add(&w->words, w->prompt[0].p, w->prompt[0].n, FT_IGNORE_USUAL, e);
    return rc;
}

/* ---- the pool ---- */

static void keep_record(job *j, worker *w, ft_mp record)
{
    cli_check(ft_grow(&j->at, &j->cap_at, j->n + 2, sizeof *j->at, cli_err()));
    cli_check(ft_grow(&j->asks, &j->cap_asks, j->n + 1, sizeof *j->asks, cli_err()));
    if (read_question(w, record, &j->asks[j->n], cli_err()) < 0 ||
        ft_bm25_add(j->index, w->words.hash, w->words.n, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(j->pool),
                    ft_reader_name(j->pool));
        cli_fail();
    }
    cli_check(ft_spool_write(j->spool, record.p, record.n, cli_err()));
    j->at[++j->n] = ft_spool_bytes(j->spool);
}

/* k different ones, drawn by the seed. */
static void draw_fixed(job *j)
{
    size_t k = shots < j->n ? (size_t)shots : j->n;
    for (uint64_t draw = 0; j->n_fixed < k; draw++) {
        uint32_t x = (uint32_t)ft_rng_below(cli_seed(), FT_RNG_DATA, 0, draw, j->n);
        size_t i = 0;
        while (i < j->n_fixed && j->fixed[i] != x)
            i++;
        if (i == j->n_fixed)
            j->fixed[j->n_fixed++] = x;
    }
}

static void read_pool(job *j)
{
    worker w = {0};
    ft_mp record;
    j->pool = cli_reader(from, FT_KIND_TEXT);
    cli_check(ft_bm25_new(&j->index, cli_memory(), cli_err()));
    cli_check(ft_spool_new(&j->spool, cli_err()));
    cli_check(ft_grow(&j->at, &j->cap_at, 1, sizeof *j->at, cli_err()));
    j->at[0] = 0;
    while (cli_next(j->pool, &record))
        keep_record(j, &w, record);
    ft_buf_free(&w.prompt[0]);
    ft_buf_free(&w.prompt[1]);
    ft_word_list_free(&w.words);
    cli_check(ft_spool_rewind(j->spool, cli_err()));
    if (j->n == 0)
        cli_warn("%s holds no example", from);
    if (strcmp(by, "fixed") == 0)
        draw_fixed(j);
    else
        cli_check(ft_bm25_end(j->index, cli_err()));
}

/* ---- one question ---- */

/* The shots' numbers, the nearest last, beside the question. Returns: how many. */
static size_t choose(const job *j, worker *w, const ft_digest *asks, uint32_t *chosen)
{
    uint32_t best[FT_BM25_MOST];
    size_t n = j->n_fixed, kept = 0;
    if (j->n_fixed)
        memcpy(best, j->fixed, n * sizeof *best);
    else if (strcmp(by, "bm25") == 0)
        n = ft_bm25_nearest(j->index, w->words.hash, w->words.n, w->scores,
                            (size_t)shots + SPARE, best);
    for (size_t i = 0; i < n && kept < shots; i++)
        if (!ft_digest_equal(&j->asks[best[i]], asks))       /* its own answer is no shot */
            chosen[kept++] = best[i];
    for (size_t i = 0; i < kept / 2; i++) {
        uint32_t other = chosen[i];
        chosen[i] = chosen[kept - 1 - i];
        chosen[kept - 1 - i] = other;
    }
    return kept;
}

static int read_shot(const job *j, uint32_t number, ft_buf *to, ft_err *e)
{
    size_t n = (size_t)(j->at[number + 1] - j->at[number]);
    ft_buf_clear(to);
    if (!ft_buf_room(to, n))
        return ft_buf_check(to, e);
    to->n = n;
    return ft_spool_read_at(j->spool, j->at[number], to->p, n, e);
}

/* Builds the record with its shots, and the field shots: their ids. */
static int build(worker *w, cli_item *it, const ft_mp *list, size_t n)
{
    ft_mp id;
    int rc;
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
    ft_digest asks;
    size_t n;
    if (read_question(w, it->record, &asks, &it->err) < 0)
        return;
    n = choose(j, w, &asks, chosen);
    for (size_t i = 0; i < n; i++) {
        if (read_shot(j, chosen[i], &w->bytes[i], &it->err) < 0)
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
        if (!(j->workers[i].scores = ft_new(j->n + 1, sizeof(float), cli_err())))
            cli_fail();
}

static void close_job(job *j)
{
    for (unsigned i = 0; i < j->n_workers; i++) {
        worker *w = &j->workers[i];
        ft_buf *owned[] = {&w->prompt[0], &w->prompt[1], &w->id_list, &w->built};
        for (size_t k = 0; k < sizeof owned / sizeof *owned; k++)
            ft_buf_free(owned[k]);
        for (size_t k = 0; k < FT_BM25_MOST; k++)
            ft_buf_free(&w->bytes[k]);
        ft_word_list_free(&w->words);
        ft_free(w->scores);
    }
    ft_free(j->workers);
    ft_free(j->at);
    ft_free(j->asks);
    ft_bm25_free(&j->index);
    ft_spool_free(&j->spool);
    ft_reader_free(&j->pool);
}

int main(int argc, char **argv)
{
    job j = {0};
    cli_leak shown = {0};
    cli_begin(&tool, argc, argv);
    if (!from)
        cli_usage_error("give the examples to choose from: --from FILE");
    if (strcmp(from, "-") == 0 && strcmp(cli_input(), "-") == 0)
        cli_usage_error("both --from and the questions are standard input; name a file");
    read_pool(&j);
    open_workers(&j);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    cli_leak_add_reader(&shown, j.pool);
    cli_leak_check_claims(&shown, from, in, allow_leak);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    cli_check(ft_writer_derive_apart(j.out, j.pool, cli_err()));
    cli_each_record(in, &(cli_steps){.work = work, .done = put}, &j);
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
