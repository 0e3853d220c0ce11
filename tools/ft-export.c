/* ft-export: turns a stream of examples into JSON lines or plain text; what the wanted shape
 * cannot hold is refused. */
#include "data/example.h"
#include "data/formats.h"
#include "data/json.h"
#include "tools/cli/cli.h"

#include <string.h>

static const char *to = "record";
static const cli_option options[] = {
    {"to", 0, CLI_CHOICE, &to,
     "record|messages|sharegpt|alpaca|prompt|text|prediction|plain|paragraphs", 0, 0, 0,
     "the shape to write; record: each as it is"},
    {0}};
static const cli_tool tool = {
    "ft-export", "turn a stream of examples into JSON lines or plain text", "[options] [FILE]",
    "ft-export train.ft > train.jsonl\n"
    "ft-dedup -i all.ft | ft-export --to sharegpt -o all.jsonl",
    "ft-import(1), ft-cat(1)", CLI_IN | CLI_OUT | CLI_THREADS, 1, options};

/* Text comes back from ft-import as it was only when it has none of what separates records. */
static int check_text(ft_slice text, int paragraphs, ft_err *e)
{
    int line_blank = 1;       /* the line that is being walked holds no character yet */
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] == '\r' && (i + 1 == text.n || text.p[i + 1] == '\n'))
            return ft_err_set(e, FT_ERR_DATA, "the text has a carriage return at a line's end, "
                              "which would be lost");
        if (i == text.n || text.p[i] == '\n') {
            if (line_blank)
                return ft_err_set(e, FT_ERR_DATA, "the text is empty or has an empty line, which "
                                  "would end it");
            if (i < text.n && !paragraphs)
                return ft_err_set(e, FT_ERR_DATA, "the text has several lines; see "
                                  "--to paragraphs");
            line_blank = 1;
        } else if (text.p[i] != ' ' && text.p[i] != '\t') {
            line_blank = 0;
        }
    }
    return 0;
}

static int put_text(ft_mp record, int paragraphs, uint64_t number, ft_buf *line, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, value;
    ft_slice text = {0}, s;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_str(key, &s) && ft_slice_is(s, "text") && ft_mp_str(value, &text))
            continue;
        if (!ft_mp_str(key, &s) || !ft_slice_is(s, "id"))
            return ft_err_set(e, FT_ERR_DATA, "field %.*s would be lost in plain text",
                              (int)(s.n < 60 ? s.n : 60), (const char *)s.p);
    }
    if (check_text(text, paragraphs, e) < 0)
        return FT_ERR_DATA;
    if (paragraphs && number > 1)
        ft_buf_add_byte(line, '\n');
    ft_buf_add(line, text.p, text.n);
    return 0;
}

static int put_line(ft_mp record, uint64_t number, ft_buf *scratch, ft_buf *line, ft_err *e)
{
    enum ft_format format = FT_FORMAT_AUTO;
    int rc;
    if (strcmp(to, "record") != 0 && !ft_format_by_name(to, &format)) {
        enum ft_shape shape;
        rc = ft_example_shape(record, &shape, e);
        if (rc == 0 && shape != FT_SHAPE_TEXT)
            rc = ft_err_set(e, FT_ERR_DATA, "a record of shape %s is no plain text",
                            ft_shape_name(shape));
        return rc < 0 ? rc : put_text(record, strcmp(to, "paragraphs") == 0, number, line, e);
    }
    rc = ft_format_export(record, format, scratch, e);
    if (rc == 0)
        ft_json_put(line, (ft_mp){scratch->p, scratch->n});
    return rc;
}

int main(int argc, char **argv)
{
    ft_reader *in;
    ft_out *out = NULL;
    ft_buf scratch = {0}, line = {0};
    ft_mp record;
    cli_begin(&tool, argc, argv);
    in = cli_reader(cli_input(), FT_KIND_TEXT);
    cli_check(ft_out_open(&out, cli_output(), cli_err()));
    while (cli_next(in, &record)) {
        uint64_t number = ++cli_counts()->read;
        ft_buf_clear(&scratch);
        ft_buf_clear(&line);
        if (put_line(record, number, &scratch, &line, cli_err()) < 0) {
            (void)ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)number,
                              ft_reader_name(in));
            cli_fail();
        }
        ft_buf_add_byte(&line, '\n');
        cli_check(ft_buf_check(&line, cli_err()));
        cli_check(ft_out_write(out, line.p, line.n, cli_err()));
        cli_counts()->written++;
    }
    cli_check(ft_out_commit(&out, cli_err()));
    ft_reader_free(&in);
    ft_buf_free(&scratch);
    ft_buf_free(&line);
    return cli_end();
}
