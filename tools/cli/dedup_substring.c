/* dedup_substring.c: passages that stood in examples before. The examples wait on disk; their texts
 * are searched in memory when they fit there (data/repeats.h), else from the disk
 * (data/recurring.h), with the same result. */
#include "base/json.h"
#include "base/mem.h"
#include "data/held.h"
#include "data/passages.h"
#include "data/pieces.h"
#include "data/recurring.h"
#include "tools/cli/dedup.h"

#include <string.h>

#define SHOWN_BYTES 1000         /* of a passage in the report */
#define TEXT_BYTES (256u << 20)  /* that are searched in memory, without --memory */
#define SORT_BYTES (256u << 20)  /* for what is more, without --memory            */

typedef struct job {
    const cli_substring *o;
    unsigned kinds;
    int to_sentences;
    size_t block_bytes;          /* texts of so many bytes fit */
    ft_buf text;                 /* all that is looked at, while it fits */
    uint32_t *end;               /* of its pieces                        */
    size_t n_ends, end_cap;
    int is_large;                /* it did not fit                       */
    uint64_t sort_bytes, report_bytes;
    ft_repeats repeats;
    ft_recurring *recurring;
    ft_passages *passages;       /* when there is to be a report         */
    ft_held *held;
    ft_piece_list pieces;        /* of the current example               */
    ft_span_list spans;          /* what to cut of the current piece     */
    ft_buf texts, record;        /* of one example, what is left of it   */
    ft_writer *out;
    ft_out *report;
    uint64_t cut_bytes, cut_rows;
} job;

static int is_looked_at(const job *j, const ft_piece *p)
{
    return (p->kind & j->kinds) && p->text.n >= j->o->min_bytes;
}

/* ---- gathering ---- */

static void gather_piece(job *j, const ft_piece *p)
{
    if (p->text.n > j->block_bytes - j->text.n) {
        j->is_large = 1;
        ft_buf_free(&j->text);
        ft_free(j->end);
        j->end = NULL;
        return;
    }
    ft_buf_add(&j->text, p->text.p, p->text.n);
    cli_check(ft_buf_check(&j->text, cli_err()));
    cli_check(ft_grow(&j->end, &j->end_cap, j->n_ends + 1, sizeof *j->end, cli_err()));
    j->end[j->n_ends++] = (uint32_t)j->text.n;
}

static void read_all(job *j, ft_reader *in)
{
    ft_mp record;
    while (cli_next(in, &record)) {
        cli_counts()->read++;
        if (ft_pieces_of(record, &j->pieces, cli_err()) < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s",
                        (unsigned long long)ft_reader_records(in), ft_reader_name(in));
            cli_fail();
        }
        for (size_t i = 0; i < j->pieces.n && !j->is_large; i++)
            if (is_looked_at(j, &j->pieces.piece[i]))
                gather_piece(j, &j->pieces.piece[i]);
        cli_check(ft_held_add(j->held, record, cli_err()));
    }
}

/* ---- searching ---- */

static int take_passage(void *ctx, const ft_repeat *p, ft_err *e)
{
    job *j = ctx;
    return ft_passages_add(j->passages, p, e);
}

typedef int (*look_fn)(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place, ft_err *e);

/* Where a piece of the example given last stands among all that is held. */
static uint64_t place_of(const job *j, ft_mp record, const ft_piece *p)
{
    return ft_held_place(j->held) + (uint64_t)(p->place - record.p);
}

static void go_through(job *j, look_fn look)
{
    ft_mp record;
    cli_check(ft_held_rewind(j->held, cli_err()));
    while (cli_check(ft_held_next(j->held, &record, cli_err()))) {
        cli_check(ft_pieces_of(record, &j->pieces, cli_err()));
        for (size_t i = 0; i < j->pieces.n; i++) {
            const ft_piece *p = &j->pieces.piece[i];
            if (is_looked_at(j, p))
                cli_check(look(j->recurring, p->text.p, p->text.n, place_of(j, record, p),
                               cli_err()));
        }
    }
}

static void search(job *j)
{
    uint32_t min_bytes = (uint32_t)j->o->min_bytes;
    ft_repeat_fn fn = j->report ? take_passage : NULL;
    if (j->report)
        cli_check(ft_passages_new(&j->passages, j->report_bytes, cli_err()));
    if (!j->is_large) {
        j->repeats = (ft_repeats){.text = j->text.p, .n = j->text.n, .end = j->end,
                                  .n_ends = j->n_ends, .min_bytes = min_bytes, .keep = j->o->keep};
        cli_check(ft_repeats_find(&j->repeats, fn, j, cli_err()));
        return;
    }
    cli_check(ft_recurring_new(&j->recurring, min_bytes, j->o->keep, fn != NULL, j->sort_bytes,
                               cli_err()));
    go_through(j, ft_recurring_look);
    cli_check(ft_recurring_choose(j->recurring, cli_err()));
    go_through(j, ft_recurring_collect);
    cli_check(ft_recurring_judge(j->recurring, cli_err()));
    if (fn)
        cli_check(ft_recurring_passages(j->recurring, fn, j, cli_err()));
}

/* ---- the report ---- */

/* Takes what is no whole character off both ends. */
static ft_slice trim(const uint8_t *p, size_t n)
{
    size_t from = 0, to = n;
    while (from < n && (p[from] & 0xc0) == 0x80)
        from++;
    while (to > from && (p[to - 1] & 0xc0) == 0x80)
        to--;
    if (to > from) {                             /* behind the first byte of the last one */
        uint8_t c = p[to - 1];
        size_t length = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        to = to - 1 + length <= n ? to - 1 + length : to - 1;
    }
    return (ft_slice){p + from, to - from};
}

static void put_passage(job *j, const ft_repeat *p, const uint8_t *text)
{
    ft_slice shown = trim(text, p->n < SHOWN_BYTES ? (size_t)p->n : SHOWN_BYTES);
    uint64_t bytes = (p->count - 1) * p->n;
    ft_buf *b = &j->record;
    ft_buf_clear(b);
    ft_buf_add_fmt(b, "{\"count\":%llu,\"length\":%llu,\"bytes\":%llu,\"text\":",
                   (unsigned long long)p->count, (unsigned long long)p->n,
                   (unsigned long long)bytes);
    ft_json_put_string(b, shown.p, shown.n);
    ft_buf_add_str(b, "}\n");
    cli_check(ft_buf_check(b, cli_err()));
    cli_check(ft_out_write(j->report, b->p, b->n, cli_err()));
}

static void put_report(job *j)
{
    ft_repeat p;
    cli_check(ft_passages_start(j->passages, cli_err()));
    for (uint64_t shown = 0; shown < j->o->top &&
                             cli_check(ft_passages_next(j->passages, &p, cli_err()));) {
        size_t n = p.n < FT_PASSAGE_BYTES_MAX ? (size_t)p.n : FT_PASSAGE_BYTES_MAX;
        const uint8_t *text = j->text.p + p.at;
        if (j->is_large) {
            uint8_t *to;
            ft_buf_clear(&j->texts);
            to = ft_buf_room(&j->texts, n);
            cli_check(ft_buf_check(&j->texts, cli_err()));
            cli_check(ft_held_read(j->held, p.at, to, n, cli_err()));
            text = to;
        }
        if (cli_check(ft_passages_show(j->passages, text, n, cli_err()))) {
            put_passage(j, &p, text);
            shown++;
        }
    }
    ft_passages_free(&j->passages);
}

/* ---- cutting ---- */

static int has_text(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && (p[i] < '\t' || p[i] > '\r'))
            return 1;
    return 0;
}

/* Appends to texts what is left of a piece without j->spans. In sentences, what is cut off the end
 * takes the white space before it along. Returns: bytes cut. */
static size_t cut_piece(job *j, const ft_piece *p)
{
    size_t kept_from = 0, n = p->text.n, begin = j->texts.n;
    for (size_t i = 0; i < j->spans.n; i++) {
        size_t from = j->spans.span[i].from, to = j->spans.span[i].to;
        if (!ft_cut_align(p->text.p, n, j->to_sentences, &from, &to))
            continue;
        ft_buf_add(&j->texts, p->text.p + kept_from, from - kept_from);
        kept_from = to;
    }
    ft_buf_add(&j->texts, p->text.p + kept_from, n - kept_from);
    cli_check(ft_buf_check(&j->texts, cli_err()));
    if (j->to_sentences && kept_from == n)
        while (j->texts.n > begin && !has_text(j->texts.p + j->texts.n - 1, 1))
            j->texts.n--;
    return n - (j->texts.n - begin);
}

/* Fills j->spans for a piece of a record; *at: where it begins in j->text, then where it ends. */
static void find_spans(job *j, ft_mp record, const ft_piece *p, size_t *at)
{
    if (j->is_large)
        cli_check(ft_recurring_cuts(j->recurring, p->text.n, place_of(j, record, p), &j->spans,
                                    cli_err()));
    else
        cli_check(ft_repeats_cuts(&j->repeats, *at, p->text.n, &j->spans, cli_err()));
    *at += p->text.n;
}

/* Cuts the pieces of one example; *at: where its first one begins in j->text. Returns: bytes cut;
 * *emptied: whether a piece lost all its text. */
static size_t cut_pieces(job *j, ft_mp record, size_t *at, int *emptied)
{
    size_t cut = 0, from = 0;
    ft_buf_clear(&j->texts);
    *emptied = 0;
    for (size_t i = 0; i < j->pieces.n; i++) {
        ft_piece *p = &j->pieces.piece[i];
        size_t begin = j->texts.n, gone = 0;
        if (is_looked_at(j, p)) {
            find_spans(j, record, p, at);
            gone = cut_piece(j, p);
        } else {
            ft_buf_add(&j->texts, p->text.p, p->text.n);
        }
        cli_check(ft_buf_check(&j->texts, cli_err()));
        cut += gone;
        *emptied |= gone && !has_text(j->texts.p + begin, j->texts.n - begin) &&
                    has_text(p->text.p, p->text.n);
        p->text.n = j->texts.n - begin;
    }
    for (size_t i = 0; i < j->pieces.n; from += j->pieces.piece[i++].text.n)
        j->pieces.piece[i].text.p = j->texts.p + from;        /* the buffer moves no more */
    return cut;
}

static void put_example(job *j, ft_mp record, size_t *at)
{
    int emptied;
    size_t cut;
    cli_check(ft_pieces_of(record, &j->pieces, cli_err()));
    cut = cut_pieces(j, record, at, &emptied);
    if (emptied) {
        ft_counts_drop(cli_counts(), "emptied", 1);
        j->cut_bytes += cut;
        return;
    }
    if (cut) {
        ft_buf_clear(&j->record);
        ft_pieces_put(record, &j->pieces, &j->record);
        cli_check(ft_buf_check(&j->record, cli_err()));
        record = (ft_mp){j->record.p, j->record.n};
        j->cut_bytes += cut;
        j->cut_rows++;
    }
    cli_check(ft_writer_put(j->out, record.p, record.n, cli_err()));
    cli_counts()->written++;
}

static void put_all(job *j)
{
    ft_mp record;
    size_t at = 0;
    cli_check(ft_held_rewind(j->held, cli_err()));
    while (cli_check(ft_held_next(j->held, &record, cli_err())))
        put_example(j, record, &at);
}

/* ---- the whole ---- */

/* Shares --memory out: 2 MiB for the rest; the text in a buffer that doubles, its suffix array and
 * two bitmaps, 6.5 bytes for each of the text; beside these the passages that are sorted. */
static void set_bounds(job *j)
{
    uint64_t n = cli_memory() ? cli_memory() - (2u << 20) : 0;
    if (cli_memory() && cli_memory() < (4u << 20))
        cli_usage_error("--memory: --substring takes at least 4M");
    j->sort_bytes = n ? n : SORT_BYTES;
    j->report_bytes = j->sort_bytes / 2;         /* that the sorting has no more */
    j->block_bytes = n ? (size_t)(n / 4 / 13 * 2 * 3) : TEXT_BYTES;
    if (j->block_bytes > FT_REPEATS_BYTES_MAX)
        j->block_bytes = FT_REPEATS_BYTES_MAX;
}

static void close_job(job *j)
{
    ft_repeats_free(&j->repeats);
    ft_recurring_free(&j->recurring);
    ft_passages_free(&j->passages);
    ft_held_free(&j->held);
    ft_pieces_free(&j->pieces);
    ft_span_list_free(&j->spans);
    ft_buf_free(&j->text);
    ft_buf_free(&j->texts);
    ft_buf_free(&j->record);
    ft_free(j->end);
}

void cli_dedup_substring(const cli_substring *o, enum ft_part part, const char *report)
{
    job j = {.o = o, .to_sentences = strcmp(o->cut, "sentence") == 0};
    ft_reader *in;
    j.kinds = part == FT_PART_PROMPT     ? FT_PIECE_PROMPT | FT_PIECE_TEXT
              : part == FT_PART_RESPONSE ? FT_PIECE_RESPONSE | FT_PIECE_TEXT
                                         : ~(unsigned)FT_PIECE_OTHER;   /* system turns repeat */
    set_bounds(&j);
    in = cli_reader(cli_input(), FT_KIND_TEXT);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    if (report)
        cli_check(ft_out_open(&j.report, report, cli_err()));
    cli_check(ft_held_new(&j.held, cli_err()));
    read_all(&j, in);
    search(&j);
    if (j.report)
        put_report(&j);
    put_all(&j);
    if (j.report)
        cli_check(ft_out_commit(&j.report, cli_err()));
    cli_finish(&j.out);
    cli_result_count("cut_rows", j.cut_rows);
    cli_result_count("cut_bytes", j.cut_bytes);
    ft_reader_free(&in);
    close_job(&j);
}
