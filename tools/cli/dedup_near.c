/* dedup_near.c: see dedup_near.h. One pass signs the records and spools them, with their shingle
 * sets and band keys beside them; keys become links, links and sets become decisions, and one pass
 * over the spool writes what stays. */
#include "tools/cli/dedup_near.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/near_clusters.h"
#include "data/near_links.h"
#include "tools/cli/each_record.h"

#include <string.h>

/* What the streams, batches and buffers take, about, whatever there is to read. */
#define FIXED_BYTES ((uint64_t)32 << 20)
enum { TAPE_BYTES = 256 << 10, SHOWN_BYTES = 60 };

typedef struct signer {                     /* one for each thread */
    ft_buf scratch[2];
    ft_shingles set;
    uint32_t *minima;
    uint64_t *keys;
} signer;

/* A spool read from its start. */
typedef struct tape {
    ft_spool *spool;
    ft_buf read;
    size_t at;
} tape;

/* What stands before a record in its spool. */
typedef struct prefix {
    uint64_t text;                          /* XXH3-64 of the canonical text */
    uint64_t n;
} prefix;

/* What is remembered of a row's decision. */
typedef struct verdict {
    uint32_t kept, common, all;
} verdict;

typedef struct job {
    const dedup_near *o;
    enum ft_part part;
    unsigned ignore;
    int mark;
    ft_near *family;
    signer *signers;
    ft_near_columns *columns;
    ft_near_sets *sets;
    ft_near_clusters *clusters;
    tape records, verdicts;
    uint64_t rows;
    uint64_t *texts, *offsets;              /* of rows, as far as they were read again */
    uint32_t *sizes;                        /* of clusters, at their roots */
    ft_out *pairs;
    ft_buf out, shown, record;
} job;

static void check(int rc)
{
    (void)cli_check(rc);
}

static void *need(void *p)
{
    if (!p)
        cli_fail();
    return p;
}

/* ---- options ---- */

void dedup_near_check(const dedup_near *o)
{
    static const char *const only_near[] = {"threshold", "shingle", "bands", "rows", "seed",
                                            "candidates", "pairs", "explain"};
    for (size_t i = 0; !o->on && i < sizeof only_near / sizeof *only_near; i++)
        if (cli_given(only_near[i]))
            cli_usage_error("--%s goes with --near", only_near[i]);
}

static int explain(const dedup_near *o)
{
    const size_t bands = (size_t)o->bands, rows = (size_t)o->rows;
    cli_print("%zu bands of %zu hashes; shingles of %zu words; threshold %g\n", bands, rows,
              (size_t)o->shingle, o->threshold);
    cli_print("Jaccard index  compared with probability\n");
    for (int j = 10; j <= 100; j += 5)
        cli_print("%13.2f  %.4f%s\n", j / 100.0, ft_near_probability(j / 100.0, bands, rows),
                  j / 100.0 >= o->threshold ? "" : "  (and never dropped)");
    cli_print("%13g  %.4f  (the threshold)\n", o->threshold,
              ft_near_probability(o->threshold, bands, rows));
    return cli_end();
}

/* ---- memory ---- */

static uint64_t links_bytes(const job *j, uint64_t rows)
{
    return FIXED_BYTES + rows * (8 + 4 * j->o->bands);
}

/* Fails when so many rows take more than --memory. */
static void check_memory(const job *j)
{
    uint64_t bytes = links_bytes(j, j->rows) + j->rows * FT_NEAR_CLUSTER_BYTES;
    if (!cli_memory() || bytes <= cli_memory())
        return;
    ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: %llu examples take %llu bytes with %llu bands, "
               "over the bound of %llu", (unsigned long long)j->rows, (unsigned long long)bytes,
               (unsigned long long)j->o->bands, (unsigned long long)cli_memory());
    cli_fail();
}

/* Keys to be worked on at a time. */
static size_t entries_within_memory(const job *j)
{
    uint64_t left = cli_memory() ? cli_memory() - links_bytes(j, j->rows) : UINT64_MAX;
    left /= FT_NEAR_ENTRY_BYTES;
    return left < j->rows ? (size_t)left : (size_t)j->rows;
}

/* ---- reading ---- */

/* Leaves in it->out: the hash of the text, the keys, the set. */
static void sign(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    signer *s = &j->signers[worker];
    size_t bands = ft_near_bands(j->family);
    uint64_t text;
    if (ft_example_canonical(it->record, j->part, j->ignore, s->scratch, &it->err) < 0 ||
        ft_shingles_of(&s->set, s->scratch[1].p, s->scratch[1].n, (size_t)j->o->shingle,
                       &it->err) < 0)
        return;
    if (s->set.n) {
        text = ft_hash64(s->scratch[1].p, s->scratch[1].n, 0);
        ft_near_keys(j->family, s->set.h, s->set.n, s->minima, s->keys);
    } else {
        /* Nothing to compare: a cluster by itself, or with its own copies. */
        text = ft_hash64(it->record.p, it->record.n, 0);
        memset(s->keys, 0, bands * sizeof *s->keys);
    }
    ft_buf_add(&it->out, &text, sizeof text);
    ft_buf_add(&it->out, s->keys, bands * sizeof *s->keys);
    ft_buf_add(&it->out, s->set.h, s->set.n * sizeof *s->set.h);
    if (ft_buf_check(&it->out, &it->err) < 0)
        return;
}

static void spool(void *ctx, cli_item *it)
{
    job *j = ctx;
    size_t bands = ft_near_bands(j->family);
    const uint64_t *signed_ = (const uint64_t *)(const void *)it->out.p;
    size_t n = it->out.n / sizeof *signed_ - 1 - bands;
    prefix p = {signed_[0], it->record.n};
    if (j->rows == FT_NEAR_LIMIT) {
        ft_err_set(cli_err(), FT_ERR_DATA, "--near takes at most %lu examples",
                   (unsigned long)FT_NEAR_LIMIT);
        cli_fail();
    }
    j->rows++;
    check_memory(j);
    cli_counts()->read++;
    check(ft_near_columns_add(j->columns, signed_ + 1, cli_err()));
    check(ft_near_sets_add(j->sets, signed_ + 1 + bands, n, cli_err()));
    check(ft_spool_write(j->records.spool, &p, sizeof p, cli_err()));
    check(ft_spool_write(j->records.spool, it->record.p, it->record.n, cli_err()));
}

static void read_all(job *j, ft_reader *in)
{
    const cli_steps steps = {.work = sign, .done = spool};
    unsigned threads = ft_pool_threads(cli_pool());
    j->signers = need(ft_new(threads, sizeof *j->signers, cli_err()));
    for (unsigned i = 0; i < threads; i++) {
        signer *s = &j->signers[i];
        s->minima = need(ft_new(ft_near_minima(j->family), sizeof *s->minima, cli_err()));
        s->keys = need(ft_new(ft_near_bands(j->family), sizeof *s->keys, cli_err()));
    }
    cli_each_record(in, &steps, j);
    for (unsigned i = 0; i < threads; i++) {
        signer *s = &j->signers[i];
        ft_buf_free(&s->scratch[0]);
        ft_buf_free(&s->scratch[1]);
        ft_shingles_free(&s->set);
        ft_free(s->minima);
        ft_free(s->keys);
    }
    ft_free(j->signers);
}

/* ---- deciding ---- */

static int remember(void *ctx, const ft_near_decision *d, ft_err *e)
{
    job *j = ctx;
    verdict v = {d->kept, d->common, d->all};
    if (d->row % 1024 == 0)
        cli_progress("comparing", d->row, (double)j->rows, " rows");
    return ft_spool_write(j->verdicts.spool, &v, sizeof v, e);
}

static void decide(job *j)
{
    ft_near_rule rule = {j->o->threshold, ft_near_bands(j->family), (size_t)j->o->candidates};
    uint32_t *links;
    check(ft_near_sets_done(j->sets, cli_err()));
    check(ft_near_columns_link(j->columns, cli_pool(), entries_within_memory(j), &links,
                               cli_err()));
    ft_near_columns_free(&j->columns);
    check(ft_near_clusters_decide(&j->clusters, &rule, links, j->sets, cli_pool(), remember, j,
                                  cli_err()));
    ft_free(links);
    ft_near_sets_free(&j->sets);
}

/* ---- writing ---- */

/* Returns: the next n bytes of the tape, until the next call. */
static const uint8_t *take(tape *t, size_t n)
{
    size_t left = t->read.n - t->at, got = 0;
    const uint8_t *p;
    if (left < n) {
        size_t want = n > TAPE_BYTES ? n : TAPE_BYTES;
        if (left)
            memmove(t->read.p, t->read.p + t->at, left);
        t->read.n = left;
        t->at = 0;
        if (ft_buf_room(&t->read, want))
            check(ft_spool_read(t->spool, t->read.p + left, want, &got, cli_err()));
        check(ft_buf_check(&t->read, cli_err()));
        t->read.n += got;
    }
    p = t->read.p + t->at;
    t->at += n;
    return p;
}

/* The row's id, or its number when it has none; valid until the next call. */
static ft_mp id_of(job *j, uint64_t row)
{
    prefix p;
    ft_mp id;
    check(ft_spool_read_at(j->records.spool, j->offsets[row], &p, sizeof p, cli_err()));
    ft_buf_clear(&j->record);
    if (ft_buf_room(&j->record, (size_t)p.n + 16))
        check(ft_spool_read_at(j->records.spool, j->offsets[row] + sizeof p, j->record.p,
                               (size_t)p.n, cli_err()));
    check(ft_buf_check(&j->record, cli_err()));
    j->record.n = (size_t)p.n;
    if (ft_mp_get((ft_mp){j->record.p, j->record.n}, "id", &id))
        return id;
    ft_mp_put_uint(&j->record, row + 1);
    return (ft_mp){j->record.p + p.n, j->record.n - (size_t)p.n};
}

static void put_pair(job *j, uint64_t row, const verdict *v)
{
    ft_buf *b = &j->shown;
    ft_buf_clear(b);
    ft_buf_add_str(b, "{\"id\":");
    ft_json_put(b, id_of(j, row));
    ft_buf_add_str(b, ",\"kept\":");
    ft_json_put(b, id_of(j, v->kept));
    ft_buf_add_str(b, ",\"jaccard\":");
    ft_json_put_double(b, (double)v->common / (double)v->all);
    ft_buf_add_str(b, "}\n");
    check(ft_buf_check(b, cli_err()));
    check(ft_out_write(j->pairs, b->p, b->n, cli_err()));
}

/* Writes the record with its cluster and, when it is marked, what would have been kept for it. */
static void put_record(job *j, ft_mp record, uint64_t row, uint64_t cluster, const verdict *v)
{
    static const char *const ours[] = {"cluster", "duplicate_of", NULL};
    int marked = v->kept != row;
    uint64_t n = 1 + (uint64_t)marked;
    char hex[17];
    ft_mp key, value;
    ft_mp_iter it = ft_mp_iter_of(record);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        n += !ft_mp_is_one_of(key, ours);
    ft_buf_clear(&j->out);
    ft_mp_put_map(&j->out, (size_t)n);
    it = ft_mp_iter_of(record);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_is_one_of(key, ours))
            continue;
        ft_mp_put_raw(&j->out, key);
        ft_mp_put_raw(&j->out, value);
    }
    for (size_t i = 0; i < 16; i++)
        hex[i] = "0123456789abcdef"[cluster >> (60 - 4 * i) & 15];
    ft_mp_put_cstr(&j->out, "cluster");
    ft_mp_put_str(&j->out, hex, 16);
    if (marked) {
        ft_mp_put_cstr(&j->out, "duplicate_of");
        ft_mp_put_raw(&j->out, id_of(j, v->kept));
    }
    check(ft_buf_check(&j->out, cli_err()));
    if (j->out.n > FT_TEXT_RECORD_BYTES_MAX) {
        ft_err_set(cli_err(), FT_ERR_DATA, "record %llu has no room for the field cluster",
                   (unsigned long long)row + 1);
        cli_fail();
    }
}

/* Says that a cluster holds so many rows that it may be none. */
static void alarm_of(job *j, ft_mp record, uint32_t size)
{
    ft_buf scratch[2] = {{0}, {0}}, *text = &scratch[1];
    size_t n;
    check(ft_example_canonical(record, j->part, j->ignore, scratch, cli_err()));
    n = text->n < SHOWN_BYTES ? text->n : SHOWN_BYTES;
    while (n > 0 && n < text->n && (text->p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        text->p[i] = text->p[i] == 0xff ? ' ' : text->p[i];
    ft_buf_clear(&j->shown);
    ft_json_put_string(&j->shown, text->p, n);
    check(ft_buf_check(&j->shown, cli_err()));
    cli_warn("a cluster of %lu examples of %llu, which may hang together by boilerplate; the first "
             "begins %.*s", (unsigned long)size, (unsigned long long)j->rows, (int)j->shown.n,
             (const char *)j->shown.p);
    ft_buf_free(&scratch[0]);
    ft_buf_free(&scratch[1]);
}

static void write_row(job *j, ft_writer *out, uint64_t row)
{
    uint32_t root = ft_near_clusters_root(j->clusters, (uint32_t)row);
    uint64_t many = j->rows / 20 > 1000 ? j->rows / 20 : 1000;
    prefix p;
    verdict v;
    ft_mp record;
    memcpy(&v, take(&j->verdicts, sizeof v), sizeof v);
    memcpy(&p, take(&j->records, sizeof p), sizeof p);
    record = (ft_mp){take(&j->records, (size_t)p.n), (size_t)p.n};
    j->offsets[row + 1] = j->offsets[row] + sizeof p + p.n;
    if (root == row) {
        j->texts[row] = p.text;
        if (j->sizes[row] > many)
            alarm_of(j, record, j->sizes[row]);
    }
    if (v.kept != row && j->pairs)
        put_pair(j, row, &v);
    if (v.kept != row && !j->mark) {
        ft_counts_drop(cli_counts(), "near-duplicate", 1);
        return;
    }
    put_record(j, record, row, j->texts[root], &v);
    check(ft_writer_put(out, j->out.p, j->out.n, cli_err()));
    cli_counts()->written++;
}

static void report(job *j)
{
    const ft_near_counts *c = ft_near_clusters_counts(j->clusters);
    uint64_t clusters = 0, largest = 0;
    for (uint64_t i = 0; i < j->rows; i++) {
        clusters += j->sizes[i] > 1;
        largest = j->sizes[i] > largest ? j->sizes[i] : largest;
    }
    if (c->cut)
        cli_warn("%llu examples shared a band with over %llu that stay, and were compared with the "
                 "nearest only (--candidates)", (unsigned long long)c->cut,
                 (unsigned long long)j->o->candidates);
    cli_result_count("compared", c->compared);
    cli_result_count("alike", c->alike);
    cli_result_count("clusters", clusters);
    cli_result_count("largest", largest);
}

static void write_all(job *j, ft_writer *out)
{
    size_t rows = (size_t)j->rows;
    j->texts = need(ft_new(rows, sizeof *j->texts, cli_err()));
    j->offsets = need(ft_new(rows + 1, sizeof *j->offsets, cli_err()));
    j->sizes = need(ft_new(rows, sizeof *j->sizes, cli_err()));
    for (size_t i = 0; i < rows; i++)
        j->sizes[ft_near_clusters_root(j->clusters, (uint32_t)i)]++;
    check(ft_spool_rewind(j->records.spool, cli_err()));
    check(ft_spool_rewind(j->verdicts.spool, cli_err()));
    for (size_t i = 0; i < rows; i++) {
        if (i % 1024 == 0)
            cli_progress("writing", (double)i, (double)rows, " rows");
        write_row(j, out, i);
    }
    report(j);
}

static void free_job(job *j)
{
    ft_spool_free(&j->records.spool);
    ft_spool_free(&j->verdicts.spool);
    ft_buf_free(&j->records.read);
    ft_buf_free(&j->verdicts.read);
    ft_near_clusters_free(&j->clusters);
    ft_near_free(&j->family);
    ft_free(j->texts);
    ft_free(j->offsets);
    ft_free(j->sizes);
    ft_buf_free(&j->out);
    ft_buf_free(&j->shown);
    ft_buf_free(&j->record);
}

int dedup_near_run(const dedup_near *o, enum ft_part part, unsigned ignore, int mark)
{
    job j = {.o = o, .part = part, .ignore = ignore, .mark = mark};
    if (o->explain)
        return explain(o);
    check_memory(&j);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    ft_writer *out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    check(ft_writer_derive(out, in, cli_err()));
    if (o->pairs)
        check(ft_out_open(&j.pairs, o->pairs, cli_err()));
    check(ft_near_new(&j.family, o->seed, (size_t)o->bands, (size_t)o->rows, cli_err()));
    check(ft_near_columns_new(&j.columns, (size_t)o->bands, cli_err()));
    check(ft_near_sets_new(&j.sets, cli_err()));
    check(ft_spool_new(&j.records.spool, cli_err()));
    check(ft_spool_new(&j.verdicts.spool, cli_err()));
    read_all(&j, in);
    decide(&j);
    write_all(&j, out);
    cli_finish(&out);
    if (j.pairs)
        check(ft_out_commit(&j.pairs, cli_err()));
    ft_reader_free(&in);
    free_job(&j);
    return cli_end();
}
