/* ft-import: turns JSON lines or plain text into a stream of examples, losing nothing silently. */
#include "data/formats.h"
#include "data/json.h"
#include "data/lines.h"
#include "tools/cli/cli.h"

#include <string.h>

static const char *shape = "auto";
static const cli_option options[] = {
    {"shape", 's', CLI_CHOICE, &shape,
     "auto|messages|sharegpt|alpaca|prompt|text|prediction|plain|paragraphs", 0, 0, CLI_PAYLOAD,
     "what a line holds; auto: as its fields tell"},
    {0}};
static const cli_tool tool = {
    "ft-import", "turn JSON lines or plain text into a stream of examples", "[options] [FILE]",
    "ft-import < chat.jsonl | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "ft-import --shape paragraphs book.txt | ft-tokenize -m model.gguf --raw > book.ft",
    "ft-export(1), ft-cat(1)", CLI_FILTER, 1, options};

struct import {
    ft_in *in;
    ft_lines *lines;
    ft_writer *out;
    ft_buf object, record, paragraph;
    uint64_t turns;
};

static void watch(const struct import *s)
{
    if ((cli_counts()->read & 63) == 0)
        cli_progress(NULL, (double)ft_lines_bytes(s->lines), (double)ft_in_size(s->in), "B");
}

/* Reads the next line into *line. Returns: 1, or 0 at the end. */
static int next_line(struct import *s, ft_slice *line)
{
    return cli_check(ft_lines_next(s->lines, line, cli_err())) != FT_EOS;
}

static _Noreturn void fail_at(const struct import *s, uint64_t number)
{
    (void)ft_err_wrap(cli_err(), "%s: line %llu", ft_in_name(s->in), (unsigned long long)number);
    cli_fail();
}

/* Writes s->record, which was made from the line of that number. */
static void put_record(struct import *s, uint64_t number)
{
    cli_check(ft_buf_check(&s->record, cli_err()));
    if (s->record.n > FT_TEXT_RECORD_BYTES_MAX) {
        (void)ft_err_set(cli_err(), FT_ERR_DATA, "the record has %zu bytes, at most %u are allowed",
                         s->record.n, FT_TEXT_RECORD_BYTES_MAX);
        fail_at(s, number);
    }
    cli_check(ft_writer_put(s->out, s->record.p, s->record.n, cli_err()));
    cli_counts()->written++;
    watch(s);
}

/* ---- JSON lines ---- */

/* What people feed instead of JSON lines, and how to make lines of it. */
static void hint(ft_slice line, uint64_t number)
{
    if (number != 1 || cli_err()->code != FT_ERR_DATA)
        return;
    if (line.n && line.p[0] == '[')
        (void)ft_err_wrap(cli_err(), "a JSON list, not JSON lines (jq -c '.[]' FILE makes them)");
    else if (line.n && line.n < 4 && line.p[0] == '{')
        (void)ft_err_wrap(cli_err(), "an object over many lines (jq -c . FILE makes it one)");
}

static void import_json(struct import *s)
{
    enum ft_format format = FT_FORMAT_AUTO;
    ft_slice line;
    (void)ft_format_by_name(shape, &format);
    while (next_line(s, &line)) {
        uint64_t number = ft_lines_number(s->lines);
        size_t turns = 0;
        int rc;
        if (ft_line_is_blank(line))
            continue;
        cli_counts()->read++;
        ft_buf_clear(&s->object);
        ft_buf_clear(&s->record);
        rc = ft_json_parse(line.p, line.n, &s->object, cli_err());
        if (rc == 0)
            rc = ft_format_import((ft_mp){s->object.p, s->object.n}, format, cli_counts()->read,
                                  &s->record, &turns, cli_err());
        if (rc < 0) {
            hint(line, number);
            fail_at(s, number);
        }
        s->turns += turns;
        put_record(s, number);
    }
}

/* ---- plain text ---- */

static void put_text(struct import *s, ft_slice text, uint64_t line)
{
    cli_counts()->read++;
    ft_buf_clear(&s->record);
    ft_mp_put_map(&s->record, 2);
    ft_mp_put_cstr(&s->record, "id");
    ft_mp_put_uint(&s->record, cli_counts()->read);
    ft_mp_put_cstr(&s->record, "text");
    ft_mp_put_str(&s->record, (const char *)text.p, text.n);
    put_record(s, line);
}

static void import_lines(struct import *s)
{
    ft_slice line;
    while (next_line(s, &line))
        if (!ft_line_is_blank(line))
            put_text(s, line, ft_lines_number(s->lines));
}

/* A record is a paragraph: the lines up to a blank one. */
static void import_paragraphs(struct import *s)
{
    ft_buf *p = &s->paragraph;
    ft_slice line;
    uint64_t began = 1;
    int more;
    do {
        more = next_line(s, &line);
        if (more && !ft_line_is_blank(line)) {
            if (p->n)
                ft_buf_add_byte(p, '\n');
            else
                began = ft_lines_number(s->lines);
            ft_buf_add(p, line.p, line.n);
            if (p->n <= FT_TEXT_RECORD_BYTES_MAX)
                continue;
        }
        cli_check(ft_buf_check(p, cli_err()));
        if (p->n)
            put_text(s, (ft_slice){p->p, p->n}, began);
        ft_buf_clear(p);
    } while (more);
}

int main(int argc, char **argv)
{
    struct import s = {0};
    ft_digest digest;
    int json;
    cli_begin(&tool, argc, argv);
    json = strcmp(shape, "plain") != 0 && strcmp(shape, "paragraphs") != 0;
    cli_check(ft_in_open(&s.in, cli_input(), cli_err()));
    cli_check(ft_lines_new(&s.lines, s.in, cli_err()));
    s.out = cli_writer(cli_output(), (ft_header){.kind = FT_KIND_TEXT});
    if (json)
        import_json(&s);
    else if (strcmp(shape, "plain") == 0)
        import_lines(&s);
    else
        import_paragraphs(&s);
    digest = ft_lines_digest(s.lines);
    cli_check(ft_writer_derive_file(s.out, json ? "jsonl" : "text", &digest, cli_err()));
    cli_finish(&s.out);
    cli_result_count("rows", cli_counts()->read);
    cli_result_count("turns", s.turns);
    ft_lines_free(&s.lines);
    ft_in_close(&s.in);
    ft_buf_free(&s.object);
    ft_buf_free(&s.record);
    ft_buf_free(&s.paragraph);
    return cli_end();
}
