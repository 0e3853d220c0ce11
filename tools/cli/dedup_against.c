/* dedup_against.c: examples in which evaluation items stand. What is boilerplate is known only when
 * all examples were seen, so from the first hit on they are held back; the hits are few, and those
 * examples are looked at once more, then with the boilerplate left out. */
#include "base/json.h"
#include "base/mem.h"
#include "data/held.h"
#include "data/leak_keys.h"
#include "tools/cli/dedup.h"
#include "tools/cli/each_record.h"

#include <stdlib.h>
#include <string.h>

#define SETS_MAX 15              /* with the input these are all a writer derives from */

typedef struct eval_set {
    char *name;
    ft_reader *in;
    uint64_t items, leaked, rows;
    uint64_t last_row;           /* the last example that matched */
} eval_set;

typedef struct finder {          /* what one thread needs */
    ft_piece_list pieces;
    ft_word_list words;
    ft_leak_keys keys;
    ft_leak_scratch found;
    ft_buf text, field;          /* scratch */
} finder;

typedef struct eval_item {
    uint32_t set;
    uint8_t leaked;
    size_t id_at, id_n, text_n;  /* in ids; behind the id stands the text of a short item */
} eval_item;

typedef struct job {
    const cli_against *o;
    unsigned ignore, kinds;      /* of the pieces of an item that are looked for */
    int mark, two_passes;
    ft_leak_index *index;
    char *names;
    eval_set set[SETS_MAX];
    size_t n_sets;
    eval_item *item;
    size_t item_cap;
    ft_buf ids;
    finder *finders;             /* one a thread */
    ft_writer *out;
    ft_out *report;
    ft_held *held;
    ft_buf hit;                  /* a bit for each of held: does it need another look? */
    uint64_t held_from;          /* number of the first one held */
} job;

/* ---- the evaluation side ---- */

static int add_words(finder *f, unsigned kinds, unsigned ignore, size_t *pieces, ft_err *e)
{
    int rc = 0;
    *pieces = 0;
    ft_word_list_clear(&f->words);
    for (size_t i = 0; i < f->pieces.n && rc == 0; i++)
        if (f->pieces.piece[i].kind & kinds) {
            ft_slice t = f->pieces.piece[i].text;
            rc = ft_word_list_add(&f->words, t.p, t.n, ignore, e);
            (*pieces)++;
        }
    return rc;
}

static int index_item(job *j, uint32_t set, ft_mp record, ft_err *e)
{
    finder *f = &j->finders[0];
    uint32_t n = ft_leak_index_items(j->index);
    eval_item *it;
    size_t pieces;
    ft_mp id;
    int rc;
    if ((rc = ft_grow(&j->item, &j->item_cap, (size_t)n + 1, sizeof *j->item, e)) < 0 ||
        (rc = ft_pieces_of(record, &f->pieces, e)) < 0 ||
        (rc = add_words(f, j->kinds, j->ignore, &pieces, e)) < 0 ||
        (rc = ft_leak_keys_of_item(&f->pieces, j->ignore, &f->keys, e)) < 0)
        return rc;
    if (pieces == 0)
        return ft_err_set(e, FT_ERR_DATA, "the item has nothing of what --key says to look for");
    it = &j->item[n];
    *it = (eval_item){.set = set, .id_at = j->ids.n};
    if (ft_mp_get(record, "id", &id))
        ft_mp_put_raw(&j->ids, id);
    else
        ft_mp_put_uint(&j->ids, j->set[set].items + 1);
    it->id_n = j->ids.n - it->id_at;
    for (size_t i = 0; f->words.n < j->o->run && i < f->pieces.n && !it->text_n; i++)
        if (f->pieces.piece[i].kind & j->kinds) {
            it->text_n = f->pieces.piece[i].text.n;
            ft_buf_add(&j->ids, f->pieces.piece[i].text.p, it->text_n);
        }
    if ((rc = ft_buf_check(&j->ids, e)) < 0)
        return rc;
    return ft_leak_index_add(j->index, &f->words, f->keys.key, f->keys.n, e);
}

static void index_set(job *j, uint32_t number)
{
    eval_set *s = &j->set[number];
    ft_mp record;
    s->in = cli_reader(s->name, FT_KIND_TEXT);
    while (cli_next(s->in, &record)) {
        if (index_item(j, number, record, cli_err()) < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s",
                        (unsigned long long)ft_reader_records(s->in), s->name);
            cli_fail();
        }
        s->items++;
    }
}

static void name_sets(job *j)
{
    j->names = ft_strndup(j->o->sets, strlen(j->o->sets), cli_err());
    if (!j->names)
        cli_fail();
    for (char *p = j->names, *next; p; p = next) {
        next = strchr(p, ',');
        if (next)
            *next++ = '\0';
        if (!*p || strcmp(p, "-") == 0)
            cli_usage_error("--against %s: each set is a file with a name", j->o->sets);
        if (j->n_sets == SETS_MAX)
            cli_usage_error("--against: at most %d files", SETS_MAX);
        j->set[j->n_sets++].name = p;
    }
}

/* ---- an example ---- */

/* runs_only: what matches is not needed yet. */
static int find(job *j, finder *f, ft_mp record, int runs_only, ft_err *e)
{
    size_t pieces;
    int rc = ft_pieces_of(record, &f->pieces, e);
    f->keys.n = 0;
    if (rc == 0)
        rc = add_words(f, ~0u, j->ignore, &pieces, e);
    if (rc == 0 && ft_leak_index_has_short(j->index))
        rc = ft_leak_keys_of_example(&f->pieces, j->ignore, &f->keys, e);
    if (rc < 0)
        return rc;
    return (runs_only ? ft_leak_find_runs : ft_leak_find)(j->index, &f->words, f->keys.key,
                                                          f->keys.n, &f->found, e);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The runs hit, each once, as the item's output. */
static void put_runs(cli_item *it, const ft_leak_scratch *s)
{
    uint32_t *runs = (uint32_t *)(void *)ft_buf_room(&it->out, s->n_hits * sizeof *runs);
    size_t n = 0;
    if (!runs) {
        it->err.code = ft_buf_check(&it->out, &it->err);
        return;
    }
    for (size_t i = 0; i < s->n_hits; i++)
        runs[i] = s->hit[i].run;
    qsort(runs, s->n_hits, sizeof *runs, by_number);
    for (size_t i = 0; i < s->n_hits; i++)
        if (i == 0 || runs[i] != runs[i - 1])
            runs[n++] = runs[i];
    it->out.n = n * sizeof *runs;
}

/* ---- what is said about it ---- */

static void put_text(const job *j, finder *f, const ft_leak_match *m, ft_buf *b)
{
    const eval_item *it = &j->item[m->item];
    ft_buf_clear(&f->text);
    if (m->is_short)
        ft_buf_add(&f->text, j->ids.p + it->id_at + it->id_n, it->text_n);
    else
        ft_word_list_put(&f->words, m->from, m->from + m->span, &f->text);
    ft_json_put_string(b, f->text.p, f->text.n);
}

/* Appends the line of the report about a match. */
static void put_line(const job *j, finder *f, const cli_item *row, const ft_leak_match *m,
                     ft_buf *b)
{
    const eval_item *it = &j->item[m->item];
    ft_mp id;
    ft_buf_add_str(b, "{\"id\":");
    if (ft_mp_get(row->record, "id", &id))
        ft_json_put(b, id);
    else
        ft_buf_add_fmt(b, "%llu", (unsigned long long)row->number);
    ft_buf_add_fmt(b, ",\"row\":%llu,\"set\":", (unsigned long long)row->number);
    ft_json_put_string(b, j->set[it->set].name, strlen(j->set[it->set].name));
    ft_buf_add_str(b, ",\"item\":");
    ft_json_put(b, (ft_mp){j->ids.p + it->id_at, it->id_n});
    ft_buf_add_fmt(b, ",\"span\":%u,\"share\":", m->span);
    ft_json_put_double(b, m->share);
    ft_buf_add_str(b, ",\"text\":");
    put_text(j, f, m, b);
    ft_buf_add_str(b, "}\n");
}

/* Appends the example with the field dirty, which tells of its worst match: the longest, then the
 * one that covers most, then the first. */
static int put_marked(const job *j, finder *f, ft_mp record, ft_buf *out, ft_err *e)
{
    const ft_leak_scratch *s = &f->found;
    const ft_leak_match *worst = &s->match[0];
    const char *slash;
    const eval_item *it;
    size_t before = out->n;
    int rc;
    for (size_t i = 1; i < s->n_matches; i++)
        if (s->match[i].span > worst->span ||
            (s->match[i].span == worst->span && s->match[i].share > worst->share))
            worst = &s->match[i];
    it = &j->item[worst->item];
    ft_buf_clear(&f->field);
    ft_mp_put_map(&f->field, 4);
    slash = strrchr(j->set[it->set].name, '/');          /* no folders in records */
    ft_mp_put_cstr(&f->field, "set");
    ft_mp_put_cstr(&f->field, slash ? slash + 1 : j->set[it->set].name);
    ft_mp_put_cstr(&f->field, "item");
    ft_mp_put_raw(&f->field, (ft_mp){j->ids.p + it->id_at, it->id_n});
    ft_mp_put_cstr(&f->field, "span");
    ft_mp_put_uint(&f->field, worst->span);
    ft_mp_put_cstr(&f->field, "share");
    ft_mp_put_float(&f->field, worst->share);
    if ((rc = ft_buf_check(&f->field, e)) < 0)
        return rc;
    ft_record_put_with(record, "dirty", (ft_mp){f->field.p, f->field.n}, out);
    if ((rc = ft_buf_check(out, e)) < 0)
        return rc;
    return out->n - before <= FT_TEXT_RECORD_BYTES_MAX
               ? 0 : ft_err_set(e, FT_ERR_DATA, "no room for the field dirty in an example of %zu "
                                "bytes", record.n);
}

/* Looks an example through for the last time. The output: its matches, in tally[0]; their lines,
 * tally[1] bytes; and the example marked. */
static void conclude(job *j, cli_item *it, finder *f)
{
    const ft_leak_scratch *s = &f->found;
    size_t before;
    if (find(j, f, it->record, 0, &it->err) < 0)
        return;
    it->tally[0] = s->n_matches;
    if (s->n_matches == 0)
        return;
    ft_buf_add(&it->out, s->match, s->n_matches * sizeof *s->match);
    before = it->out.n;
    for (size_t i = 0; j->report && i < s->n_matches; i++)
        put_line(j, f, it, &s->match[i], &it->out);
    it->tally[1] = it->out.n - before;
    if (ft_buf_check(&f->text, &it->err) < 0 || ft_buf_check(&it->out, &it->err) < 0)
        return;
    if (j->mark)
        (void)put_marked(j, f, it->record, &it->out, &it->err);
}

static void look(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    finder *f = &j->finders[worker];
    if (!j->two_passes) {
        conclude(j, it, f);
        return;
    }
    if (find(j, f, it->record, 1, &it->err) < 0)
        return;
    it->tally[0] = f->found.n_matches || f->found.n_hits;
    if (f->found.n_hits)
        put_runs(it, &f->found);
}

/* ---- what is done about it ---- */

static void count_match(job *j, uint64_t number, const ft_leak_match *m)
{
    eval_item *it = &j->item[m->item];
    eval_set *s = &j->set[it->set];
    s->leaked += !it->leaked;
    it->leaked = 1;
    s->rows += s->last_row != number;
    s->last_row = number;
}

static void pass_on(job *j, ft_mp record)
{
    cli_check(ft_writer_put(j->out, record.p, record.n, cli_err()));
    cli_counts()->written++;
}

/* Does what was concluded. */
static void settle(job *j, const cli_item *it)
{
    const ft_leak_match *match = (const void *)it->out.p;
    size_t lines = it->tally[0] * sizeof *match, marked = lines + it->tally[1];
    for (size_t i = 0; i < it->tally[0]; i++)
        count_match(j, it->number, &match[i]);
    if (it->tally[1])
        cli_check(ft_out_write(j->report, it->out.p + lines, it->tally[1], cli_err()));
    if (it->tally[0] == 0)
        pass_on(j, it->record);
    else if (j->mark)
        pass_on(j, (ft_mp){it->out.p + marked, it->out.n - marked});
    else
        ft_counts_drop(cli_counts(), "contaminated", 1);
}

/* ---- the passes ---- */

static void hold(job *j, const cli_item *it)
{
    uint64_t n = ft_held_count(j->held);
    if (n % 8 == 0)
        ft_buf_add_byte(&j->hit, 0);
    cli_check(ft_buf_check(&j->hit, cli_err()));
    if (n == 0)
        j->held_from = it->number;
    j->hit.p[n / 8] |= (uint8_t)((it->tally[0] != 0) << n % 8);
    cli_check(ft_held_add(j->held, it->record, cli_err()));
}

static void take(void *ctx, cli_item *it)
{
    job *j = ctx;
    cli_counts()->read++;
    if (!j->two_passes) {
        settle(j, it);
        return;
    }
    if (it->out.n)
        ft_leak_seen(j->index, (const uint32_t *)(const void *)it->out.p,
                     it->out.n / sizeof(uint32_t));
    if (it->tally[0] || ft_held_count(j->held))
        hold(j, it);
    else
        pass_on(j, it->record);
}

static void look_again(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    uint64_t i = it->number - j->held_from;
    if (j->hit.p[i / 8] >> i % 8 & 1)
        conclude(j, it, &j->finders[worker]);
}

static void take_again(void *ctx, cli_item *it)
{
    settle(ctx, it);
}

static void settle_held(job *j, const ft_reader *in)
{
    uint64_t often = (uint64_t)(j->o->often * (double)cli_counts()->read);
    if (often < j->o->often_min)
        often = j->o->often_min;
    cli_result_count("boilerplate_runs", ft_leak_ignore_often(j->index, often));
    cli_check(ft_held_rewind(j->held, cli_err()));
    cli_each_held(j->held, j->held_from, in,
                  &(cli_steps){.work = look_again, .done = take_again}, j);
}

/* ---- the whole ---- */

static unsigned kinds_of(enum ft_part part)
{
    return part == FT_PART_PROMPT     ? FT_PIECE_PROMPT | FT_PIECE_TEXT
           : part == FT_PART_RESPONSE ? FT_PIECE_RESPONSE | FT_PIECE_TEXT | FT_PIECE_REFERENCE
                                      : ~0u;
}

static void open_job(job *j)
{
    const cli_against *o = j->o;
    ft_leak_rule rule = {(uint32_t)o->run, (uint32_t)o->span, (uint32_t)o->sure, o->share};
    name_sets(j);
    j->two_passes = o->often < 1;
    j->finders = ft_new(ft_pool_threads(cli_pool()), sizeof *j->finders, cli_err());
    if (!j->finders)
        cli_fail();
    cli_check(ft_leak_index_new(&j->index, &rule, cli_memory(), cli_err()));
    for (size_t i = 0; i < j->n_sets; i++)
        index_set(j, (uint32_t)i);
    cli_check(ft_leak_index_finish(j->index, cli_err()));
    if (j->two_passes)
        cli_check(ft_held_new(&j->held, cli_err()));
}

static void tell_count(const char *what, const char *set, uint64_t n)
{
    ft_buf key = {0};
    ft_buf_add_fmt(&key, "%s of %s", what, set);
    ft_buf_add_byte(&key, 0);
    cli_check(ft_buf_check(&key, cli_err()));
    cli_result_count((const char *)key.p, n);
    ft_buf_free(&key);
}

static void tell(const job *j)
{
    for (size_t i = 0; i < j->n_sets; i++) {
        const eval_set *s = &j->set[i];
        tell_count("items", s->name, s->items);
        tell_count("leaked", s->name, s->leaked);
        tell_count("rows", s->name, s->rows);
    }
}

static void close_job(job *j)
{
    for (unsigned i = 0; i < ft_pool_threads(cli_pool()); i++) {
        ft_pieces_free(&j->finders[i].pieces);
        ft_word_list_free(&j->finders[i].words);
        ft_leak_keys_free(&j->finders[i].keys);
        ft_leak_scratch_free(&j->finders[i].found);
        ft_buf_free(&j->finders[i].text);
        ft_buf_free(&j->finders[i].field);
    }
    for (size_t i = 0; i < j->n_sets; i++)
        ft_reader_free(&j->set[i].in);
    ft_free(j->finders);
    ft_free(j->item);
    ft_free(j->names);
    ft_leak_index_free(&j->index);
    ft_held_free(&j->held);
    ft_buf_free(&j->ids);
    ft_buf_free(&j->hit);
}

void cli_dedup_against(const cli_against *o, enum ft_part part, unsigned ignore, int mark,
                       const char *report)
{
    job j = {.o = o, .ignore = ignore, .kinds = kinds_of(part), .mark = mark};
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    open_job(&j);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    for (size_t i = 0; i < j.n_sets; i++)
        cli_check(ft_writer_derive_apart(j.out, j.set[i].in, cli_err()));
    if (report)
        cli_check(ft_out_open(&j.report, report, cli_err()));
    cli_each_record(in, &(cli_steps){.work = look, .done = take}, &j);
    if (j.two_passes)
        settle_held(&j, in);
    if (j.report)
        cli_check(ft_out_commit(&j.report, cli_err()));
    cli_finish(&j.out);
    tell(&j);
    ft_reader_free(&in);
    close_job(&j);
}
