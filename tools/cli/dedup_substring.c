/* dedup_substring.c: passages that stood in examples before. Examples are gathered block by block;
 * of a block all texts are in memory, the examples themselves on disk. */
#include "base/mem.h"
#include "data/held.h"
#include "data/json.h"
#include "data/pieces.h"
#include "data/repeats.h"
#include "tools/cli/dedup.h"

#include <string.h>

#define SHOWN_BYTES 1000         /* of a passage in the report */

typedef struct job {
    const cli_substring *o;
    unsigned kinds;
    int to_sentences;
    size_t block_bytes;
    ft_buf text;                 /* of the block: all pieces that a passage fits into */
    uint32_t *end;               /* of these pieces                                  */
    size_t n_ends, end_cap;
    ft_held *held;
    ft_piece_list next;          /* of the example that was read                     */
    ft_piece_list pieces;        /* of the one that is written                       */
    ft_buf texts, record;        /* of one example, what is left of it               */
    ft_writer *out;
    ft_out *report;
    uint64_t blocks, cut_bytes, cut_rows;
} job;

static int is_looked_at(const job *j, const ft_piece *p)
{
    return (p->kind & j->kinds) && p->text.n >= j->o->min_bytes;
}

/* ---- gathering ---- */

/* Returns: bytes that the example adds to a block. */
static size_t weigh(const job *j)
{
    size_t n = 0;
    for (size_t i = 0; i < j->next.n; i++)
        if (is_looked_at(j, &j->next.piece[i]))
            n += j->next.piece[i].text.n;
    return n;
}

static void gather(job *j, ft_mp record)
{
    for (size_t i = 0; i < j->next.n; i++) {
        const ft_piece *p = &j->next.piece[i];
        if (!is_looked_at(j, p))
            continue;
        ft_buf_add(&j->text, p->text.p, p->text.n);
        cli_check(ft_buf_check(&j->text, cli_err()));
        cli_check(ft_grow(&j->end, &j->end_cap, j->n_ends + 1, sizeof *j->end, cli_err()));
        j->end[j->n_ends++] = (uint32_t)j->text.n;
    }
    if (!j->held)
        cli_check(ft_held_new(&j->held, cli_err()));
    cli_check(ft_held_add(j->held, record, cli_err()));
}

/* ---- cutting ---- */

static int has_text(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && (p[i] < '\t' || p[i] > '\r'))
            return 1;
    return 0;
}

/* Appends to texts what is left of a piece that begins at `at` in the block. In sentences, what is
 * cut off the end takes the white space before it along. Returns: bytes cut. */
static size_t cut_piece(job *j, const ft_repeats *r, const ft_piece *p, size_t at)
{
    size_t kept_from = 0, n = p->text.n, begin = j->texts.n;
    for (size_t i = 0; i < n;) {
        size_t from = i, to;
        while (from < n && !ft_repeats_is_cut(r, at + from))
            from++;
        to = from;
        while (to < n && ft_repeats_is_cut(r, at + to))
            to++;
        i = to;
        if (from == to || !ft_cut_align(p->text.p, n, j->to_sentences, &from, &to))
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

/* Cuts the pieces of one example; *at: where its first one begins in the block. Returns: bytes
 * cut; *emptied: whether a piece lost all its text. */
static size_t cut_pieces(job *j, const ft_repeats *r, size_t *at, int *emptied)
{
    size_t cut = 0, from = 0;
    ft_buf_clear(&j->texts);
    *emptied = 0;
    for (size_t i = 0; i < j->pieces.n; i++) {
        ft_piece *p = &j->pieces.piece[i];
        size_t begin = j->texts.n, gone = 0;
        if (is_looked_at(j, p)) {
            gone = cut_piece(j, r, p, *at);
            *at += p->text.n;
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

static void put_example(job *j, const ft_repeats *r, ft_mp record, size_t *at)
{
    int emptied;
    size_t cut;
    cli_check(ft_pieces_of(record, &j->pieces, cli_err()));
    cut = cut_pieces(j, r, at, &emptied);
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

static void put_report(job *j, const ft_repeats *r)
{
    ft_buf b = {0};
    for (size_t i = 0; j->report && i < r->n_top; i++) {
        const ft_repeat *p = &r->top[i];
        size_t from = p->at, to = from + (p->n < SHOWN_BYTES ? p->n : SHOWN_BYTES);
        (void)ft_cut_align(r->text, r->n, 0, &from, &to);
        ft_buf_add_fmt(&b, "{\"count\":%u,\"length\":%u,\"bytes\":%llu,\"text\":", p->count, p->n,
                       (unsigned long long)(p->count - 1) * p->n);
        ft_json_put_string(&b, r->text + from, to - from);
        ft_buf_add_str(&b, "}\n");
    }
    cli_check(ft_buf_check(&b, cli_err()));
    if (b.n)
        cli_check(ft_out_write(j->report, b.p, b.n, cli_err()));
    ft_buf_free(&b);
}

/* Works the block off, if there is one. */
static void end_block(job *j)
{
    ft_repeats r = {.text = j->text.p, .n = j->text.n, .end = j->end, .n_ends = j->n_ends,
                    .min_bytes = (uint32_t)j->o->min_bytes, .keep = j->o->keep};
    ft_mp record;
    size_t at = 0;
    if (!j->held)
        return;
    cli_check(ft_repeats_find(&r, j->report ? (size_t)j->o->top : 0, cli_err()));
    put_report(j, &r);
    cli_check(ft_held_rewind(j->held, cli_err()));
    while (cli_check(ft_held_next(j->held, &record, cli_err())))
        put_example(j, &r, record, &at);
    ft_repeats_free(&r);
    ft_held_free(&j->held);
    ft_buf_clear(&j->text);
    j->n_ends = 0;
    j->blocks++;
}

/* ---- the whole ---- */

static void read_all(job *j, ft_reader *in)
{
    ft_mp record;
    while (cli_next(in, &record)) {
        size_t n;
        cli_counts()->read++;
        if (ft_pieces_of(record, &j->next, cli_err()) < 0) {
            ft_err_wrap(cli_err(), "record %llu of %s",
                        (unsigned long long)ft_reader_records(in), ft_reader_name(in));
            cli_fail();
        }
        n = weigh(j);
        if (j->text.n && n > j->block_bytes - j->text.n)
            end_block(j);
        if (n > j->block_bytes) {
            ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: the texts of record %llu of %s have %zu "
                       "bytes, and %zu fit into the bound",
                       (unsigned long long)ft_reader_records(in), ft_reader_name(in), n,
                       j->block_bytes);
            cli_fail();
        }
        gather(j, record);
    }
    end_block(j);
}

static void tell(const job *j)
{
    cli_result_count("cut_rows", j->cut_rows);
    cli_result_count("cut_bytes", j->cut_bytes);
    cli_result_count("blocks", j->blocks);
    if (j->blocks > 1)
        cli_warn("the texts did not fit into --memory at once: of %llu blocks each was searched "
                 "by itself, and what repeats only across them stays",
                 (unsigned long long)j->blocks);
}

void cli_dedup_substring(const cli_substring *o, enum ft_part part, const char *report)
{
    job j = {.o = o, .block_bytes = FT_REPEATS_BYTES_MAX};
    j.kinds = part == FT_PART_PROMPT     ? FT_PIECE_PROMPT | FT_PIECE_TEXT
              : part == FT_PART_RESPONSE ? FT_PIECE_RESPONSE | FT_PIECE_TEXT
                                         : ~(unsigned)FT_PIECE_OTHER;   /* system turns repeat */
    j.to_sentences = strcmp(o->cut, "sentence") == 0;
    /* The text in a buffer that doubles, its suffix array and two bitmaps; 2 MiB for the rest. */
    if (cli_memory() && cli_memory() < (4u << 20))
        cli_usage_error("--memory: --substring takes at least 4M");
    if (cli_memory() && (cli_memory() - (2u << 20)) / 13 * 2 < j.block_bytes)
        j.block_bytes = (size_t)((cli_memory() - (2u << 20)) / 13 * 2);
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    if (report)
        cli_check(ft_out_open(&j.report, report, cli_err()));
    read_all(&j, in);
    if (j.report)
        cli_check(ft_out_commit(&j.report, cli_err()));
    cli_finish(&j.out);
    tell(&j);
    ft_reader_free(&in);
    ft_pieces_free(&j.next);
    ft_pieces_free(&j.pieces);
    ft_buf_free(&j.text);
    ft_buf_free(&j.texts);
    ft_buf_free(&j.record);
    ft_free(j.end);
}
