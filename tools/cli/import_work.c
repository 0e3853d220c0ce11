#include "tools/cli/import_work.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

enum { RUN_BYTES = 1 << 16 };

/* Neighbouring texts, and what one thread made of them. */
struct run {
    size_t first, n;
    ft_buf records, ends;        /* the records, and where each ends: size_t */
    struct ft_imported got;
    uint64_t turns, joined, repaired;
    ft_err err;
};

struct scratch {
    ft_buf repaired, object, renamed;
};

struct work {
    cli_import_job *job;
    const ft_text *texts;
    struct run *runs;
    size_t n_runs, cap_runs;
    struct scratch *scratch;     /* one a thread */
    uint64_t number;             /* of the record before the first text */
    uint64_t size;               /* of the input, for progress */
};

/* ---- one text ---- */

/* Names the place of an error: its line, and its column, or its byte when it is no character. */
static int wrap(const struct work *w, const ft_text *t, int has_where, size_t where, ft_err *e)
{
    size_t lines = 0, column = 0, begin;
    if (has_where) {
        ft_json_place(t->p, where, &lines, &column);
        for (begin = where; begin > 0 && t->p[begin - 1] != '\n'; begin--)
            ;
        if (where < t->n && ft_utf8_check(t->p + begin, t->n - begin) == where - begin)
            ft_err_wrap(e, "byte %zu", where - begin + 1);
        else
            ft_err_wrap(e, "column %zu", column);
    }
    return ft_err_wrap(e, "%s: line %llu", ft_unpack_name(w->job->from),
                       (unsigned long long)(t->line + lines));
}

static int parse(const struct work *w, const ft_text *t, ft_buf *object, ft_err *e)
{
    size_t where, used;
    int rc;
    ft_buf_clear(object);
    if (w->job->kind == CLI_IMPORT_JSON)
        rc = ft_json_parse_at(t->p, t->n, object, &where, e);
    else
        rc = ft_csv_record(w->job->csv, t->p, t->n, object, &where, e);
    if (rc < 0)
        return rc == FT_ERR_DATA ? wrap(w, t, 1, where, e) : rc;
    /* A column of JSON is a level deeper than its text was. */
    if (w->job->kind == CLI_IMPORT_CSV && ft_mp_check(object->p, object->n, &used, e) < 0)
        return wrap(w, t, 0, 0, e);
    return 0;
}

static int put_example(const struct work *w, const ft_text *t, uint64_t number, struct run *r,
                       struct scratch *s)
{
    ft_mp object;
    int rc = parse(w, t, &s->object, &r->err);
    if (rc < 0)
        return rc;
    object = (ft_mp){s->object.p, s->object.n};
    if (w->job->renames) {
        ft_buf_clear(&s->renamed);
        rc = ft_renames_apply(w->job->renames, object, &s->renamed, &r->err);
        object = (ft_mp){s->renamed.p, s->renamed.n};
    }
    if (rc == 0)
        rc = ft_format_import(object, w->job->format, number, &r->records, &r->got, &r->err);
    r->turns += r->got.turns;
    r->joined += r->got.joined;
    return rc < 0 ? wrap(w, t, 0, 0, &r->err) : 0;
}

/* Removes the carriage returns that belong to line ends; the last line's is gone already. Returns:
 * the new length. */
static size_t drop_returns(uint8_t *p, size_t n)
{
    size_t to = 0;
    for (size_t i = 0; i < n; i++)
        if (p[i] != '\r' || i + 1 == n || p[i + 1] != '\n')
            p[to++] = p[i];
    return to;
}

static int put_text(const struct work *w, const ft_text *t, uint64_t number, struct run *r,
                    struct scratch *s)
{
    size_t valid = ft_utf8_check(t->p, t->n), n = t->n;
    const uint8_t *nul = memchr(t->p, 0, valid);
    const char *text = (const char *)t->p;
    if (nul) {
        ft_err_set(&r->err, FT_ERR_DATA, "a NUL byte (is this UTF-16, or no text at all?)");
        return wrap(w, t, 1, (size_t)(nul - t->p), &r->err);
    }
    if (valid < n) {
        ft_err_set(&r->err, FT_ERR_DATA, "invalid UTF-8 (0x%02x)", t->p[valid]);
        return wrap(w, t, 1, valid, &r->err);
    }
    if (w->job->kind == CLI_IMPORT_PARAGRAPHS && memchr(t->p, '\r', n)) {
        ft_buf_clear(&s->object);
        ft_buf_add(&s->object, t->p, n);
        if (ft_buf_check(&s->object, &r->err) < 0)
            return FT_ERR_NOMEM;
        n = drop_returns(s->object.p, n);
        text = (const char *)s->object.p;
    }
    ft_mp_put_map(&r->records, 2);
    ft_mp_put_cstr(&r->records, "id");
    ft_mp_put_uint(&r->records, number);
    ft_mp_put_cstr(&r->records, "text");
    ft_mp_put_str(&r->records, text, n);
    return 0;
}

static int repair(const struct work *w, ft_text *t, struct run *r, struct scratch *s)
{
    if (!w->job->repair || ft_utf8_check(t->p, t->n) == t->n)
        return 0;
    ft_buf_clear(&s->repaired);
    r->repaired += ft_utf8_repair(t->p, t->n, &s->repaired);
    t->p = s->repaired.p;
    t->n = s->repaired.n;
    return ft_buf_check(&s->repaired, &r->err);
}

static int put_record(const struct work *w, size_t i, struct run *r, struct scratch *s)
{
    ft_text t = w->texts[i];
    uint64_t number = w->number + i + 1;
    size_t before = r->records.n;
    int rc = repair(w, &t, r, s);
    if (rc == 0)
        rc = w->job->kind <= CLI_IMPORT_CSV ? put_example(w, &t, number, r, s)
                                            : put_text(w, &t, number, r, s);
    if (rc == 0)
        rc = ft_buf_check(&r->records, &r->err);
    if (rc == 0 && r->records.n - before > FT_TEXT_RECORD_BYTES_MAX) {
        ft_err_set(&r->err, FT_ERR_DATA, "the record has %zu bytes, at most %u are allowed",
                   r->records.n - before, FT_TEXT_RECORD_BYTES_MAX);
        rc = wrap(w, &t, 0, 0, &r->err);
    }
    if (rc == 0) {
        ft_buf_add(&r->ends, &r->records.n, sizeof r->records.n);
        rc = ft_buf_check(&r->ends, &r->err);
    }
    return rc;
}

/* ---- runs ---- */

static void make_records(void *ctx, size_t task, unsigned worker)
{
    struct work *w = ctx;
    struct run *r = &w->runs[task];
    for (size_t i = 0; i < r->n; i++)
        if (put_record(w, r->first + i, r, &w->scratch[worker]) < 0)
            return;                  /* the error waits until the run's turn comes */
}

static void write_records(const struct work *w, const struct run *r)
{
    size_t from = 0, end;
    for (size_t i = 0; i < r->ends.n / sizeof end; i++, from = end) {
        memcpy(&end, r->ends.p + i * sizeof end, sizeof end);
        cli_check(ft_writer_put(w->job->out, r->records.p + from, end - from, cli_err()));
        cli_counts()->read++;
        cli_counts()->written++;
    }
    w->job->turns += r->turns;
    w->job->joined += r->joined;
    w->job->repaired += r->repaired;
    if (r->err.code < 0) {
        *cli_err() = r->err;
        cli_fail();
    }
}

/* Makes the next run of texts ready. */
static struct run *next_run(struct work *w, size_t first)
{
    struct run *r;
    size_t had = w->cap_runs;
    cli_check(ft_grow(&w->runs, &w->cap_runs, w->n_runs + 1, sizeof *w->runs, cli_err()));
    memset(w->runs + had, 0, (w->cap_runs - had) * sizeof *w->runs);
    r = &w->runs[w->n_runs++];
    ft_buf_clear(&r->records);
    ft_buf_clear(&r->ends);
    r->first = first;
    r->n = 0;
    r->turns = r->joined = r->repaired = 0;
    r->err.code = 0;
    return r;
}

static void import_block(struct work *w, const ft_text *texts, size_t n)
{
    struct run *r = NULL;
    size_t bytes = 0;
    w->texts = texts;
    w->n_runs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!r || bytes >= RUN_BYTES) {
            r = next_run(w, i);
            bytes = 0;
        }
        r->n++;
        bytes += texts[i].n;
    }
    ft_pool_run(cli_pool(), w->n_runs, make_records, w);
    for (size_t i = 0; i < w->n_runs; i++)
        write_records(w, &w->runs[i]);
    w->number += n;
    cli_progress(NULL, (double)ft_unpack_bytes(w->job->from), (double)w->size, "B");
}

/* ---- all ---- */

static void take_header(struct work *w, ft_text t)
{
    cli_import_job *j = w->job;
    uint8_t separator = j->separator < 0 ? ft_csv_guess(t.p, t.n) : (uint8_t)j->separator;
    struct run r = {0};
    struct scratch s = {0};
    size_t where;
    cli_check(repair(w, &t, &r, &s));
    j->repaired += r.repaired;
    if (ft_csv_new(&j->csv, t.p, t.n, separator, j->json_columns, &where, cli_err()) < 0) {
        wrap(w, &t, 1, where, cli_err());
        cli_fail();
    }
    ft_buf_free(&s.repaired);
}

static void free_work(struct work *w)
{
    for (size_t i = 0; i < w->cap_runs; i++) {
        ft_buf_free(&w->runs[i].records);
        ft_buf_free(&w->runs[i].ends);
    }
    for (unsigned i = 0; i < ft_pool_threads(cli_pool()); i++) {
        ft_buf_free(&w->scratch[i].repaired);
        ft_buf_free(&w->scratch[i].object);
        ft_buf_free(&w->scratch[i].renamed);
    }
    ft_free(w->runs);
    ft_free(w->scratch);
    ft_csv_free(&w->job->csv);
}

void cli_import(cli_import_job *j)
{
    static const enum ft_cut cuts[] = {FT_CUT_JSON, FT_CUT_CSV, FT_CUT_LINES, FT_CUT_PARAGRAPHS};
    struct work w = {.job = j};
    ft_texts *t = NULL;
    const ft_text *texts;
    size_t n;
    w.scratch = ft_new(ft_pool_threads(cli_pool()), sizeof *w.scratch, cli_err());
    if (!w.scratch)
        cli_fail();
    cli_check(ft_texts_new(&t, j->from, cuts[j->kind], cli_err()));
    while (cli_check(ft_texts_next(t, &texts, &n, cli_err())) != FT_EOS) {
        if (j->kind == CLI_IMPORT_CSV && !j->csv) {
            take_header(&w, *texts++);
            n--;
        }
        import_block(&w, texts, n);
    }
    ft_texts_free(&t);
    free_work(&w);
}
