/* ft-export: turns a stream of examples into JSON, CSV or plain text, or an adapter into a folder
 * that PEFT loads; what the wanted shape cannot hold is refused. */
#include "base/json.h"
#include "data/example.h"
#include "data/formats.h"
#include "tools/cli/each_record.h"
#include "tools/cli/export_table.h"
#include "tools/cli/peft_folder.h"

#include <string.h>

static const char *to = "record", *format = "jsonl", *base_name;
static const cli_option options[] = {
    {"to", 0, CLI_CHOICE, &to,
     "record|messages|sharegpt|alpaca|prompt|query|text|prediction|plain|paragraphs|peft", 0, 0, 0,
     "the shape to write; record: each as it is; peft: an adapter, as FOLDER"},
    {"format", 'f', CLI_CHOICE, &format, "jsonl|array|csv|tsv", 0, 0, 0,
     "JSON lines, one JSON list, or a table with a header"},
    {"base-name", 0, CLI_TEXT, &base_name, "NAME", 0, 0, 0,
     "--to peft: what PEFT is to load as the base model"},
    {0}};
static const cli_tool tool = {
    "ft-export", "turn a stream of examples into JSON, CSV or plain text",
    "[options] [FILE] | --to peft [options] FOLDER [FILE]",
    "ft-export train.ft > train.jsonl\n"
    "ft-dedup -i all.ft | ft-export --to prompt -f csv -o all.csv",
    "ft-import(1), ft-cat(1)", CLI_IN | CLI_OUT | CLI_THREADS, 2, options};

struct job {
    ft_reader *in;
    ft_out *out;
    enum ft_format shape;
    int text, paragraphs;        /* plain text, and of several lines */
    int list;                    /* one JSON list */
    int is_table;
    cli_table table;
    uint64_t turns;
};

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

static int put_plain(ft_mp record, int paragraphs, uint64_t number, ft_buf *line, ft_err *e)
{
    enum ft_shape shape;
    int rc = ft_example_shape(record, &shape, e);
    if (rc == 0 && shape != FT_SHAPE_TEXT)
        rc = ft_err_set(e, FT_ERR_DATA, "a record of shape %s is no plain text",
                        ft_shape_name(shape));
    return rc < 0 ? rc : put_text(record, paragraphs, number, line, e);
}

/* The columns are those of the first record, which comes here before the others are worked on. */
static void begin_table(void *ctx, const cli_item *it)
{
    struct job *j = ctx;
    ft_buf scratch = {0}, line = {0};
    if (!j->is_table || j->table.first.n)
        return;
    if (ft_format_export(it->record, j->shape, &scratch, cli_err()) < 0 ||
        cli_table_begin(&j->table, (ft_mp){scratch.p, scratch.n}, &line, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)it->number,
                    ft_reader_name(j->in));
        cli_fail();
    }
    ft_buf_add_byte(&line, '\n');
    cli_check(ft_buf_check(&line, cli_err()));
    cli_check(ft_out_write(j->out, line.p, line.n, cli_err()));
    ft_buf_free(&scratch);
    ft_buf_free(&line);
}

static void put_item(void *ctx, cli_item *it, unsigned worker)
{
    const struct job *j = ctx;
    ft_buf scratch = {0};
    ft_mp object, list;
    int rc;
    (void)worker;
    if (j->text) {
        rc = put_plain(it->record, j->paragraphs, it->number, &it->out, &it->err);
    } else {
        rc = ft_format_export(it->record, j->shape, &scratch, &it->err);
        object = (ft_mp){scratch.p, scratch.n};
        if (rc == 0 && j->list)
            ft_buf_add_str(&it->out, it->number == 1 ? "[\n" : ",\n");
        if (rc == 0 && j->is_table)
            rc = cli_table_row(&j->table, object, &it->out, &it->err);
        else if (rc == 0)
            ft_json_put(&it->out, object);
    }
    if (ft_mp_get(it->record, "messages", &list))
        it->tally[0] = ft_mp_count(list);
    if (!j->list)
        ft_buf_add_byte(&it->out, '\n');
    if (rc == 0)
        rc = ft_buf_check(&it->out, &it->err);       /* an error waits until the item's turn */
    if (rc < 0)
        ft_buf_clear(&it->out);
    ft_buf_free(&scratch);
}

static void write_item(void *ctx, cli_item *it)
{
    struct job *j = ctx;
    cli_check(ft_out_write(j->out, it->out.p, it->out.n, cli_err()));
    j->turns += it->tally[0];
    cli_counts()->read++;
    cli_counts()->written++;
}

/* Says what is needed to read the table back as it was. The names come from the data: odd ones
 * are not for a terminal. */
static void say_columns(const cli_table *t)
{
    ft_buf names = {0};
    int plain = 1;
    cli_table_json_columns(t, &names);
    for (size_t i = 0; i < names.n; i++)
        plain &= names.p[i] > ' ' && names.p[i] < 0x7f;
    ft_buf_add_byte(&names, 0);
    cli_check(ft_buf_check(&names, cli_err()));
    if (plain && names.n > 1)
        cli_result_text("json_columns", (const char *)names.p);
    ft_buf_free(&names);
}

/* The arguments: FOLDER, where one is asked for and -o did not give it, and FILE. */
static const char *input_of(const char **folder)
{
    size_t next = 0;
    if (folder) {
        *folder = cli_given("output") ? cli_output() : cli_arg_count() ? cli_arg(next++) : "-";
        if (strcmp(*folder, "-") == 0)
            cli_usage_error("--to peft writes a folder, which must be named");
    }
    if (next < cli_arg_count() && cli_given("input"))
        cli_usage_error("give the input once: -i %s or %s", cli_input(), cli_arg(next));
    if (next + 1 < cli_arg_count())
        cli_usage_error("unexpected argument '%s'", cli_arg(next + 1));
    return next < cli_arg_count() ? cli_arg(next) : cli_input();
}

static int export_peft(void)
{
    const char *folder, *input = input_of(&folder);
    if (cli_given("format"))
        cli_usage_error("--to peft writes files of its own: it has no format");
    cli_export_peft(input, folder, base_name);
    return cli_end();
}

int main(int argc, char **argv)
{
    struct job j = {0};
    cli_begin(&tool, argc, argv);
    if (strcmp(to, "peft") == 0)
        return export_peft();
    if (base_name)
        cli_usage_error("--base-name is for --to peft");
    j.list = strcmp(format, "array") == 0;
    j.is_table = strcmp(format, "csv") == 0 || strcmp(format, "tsv") == 0;
    j.table.separator = *format == 't' ? '\t' : ',';
    j.paragraphs = strcmp(to, "paragraphs") == 0;
    j.text = j.paragraphs || strcmp(to, "plain") == 0;
    if (j.text && cli_given("format"))
        cli_usage_error("--to %s writes text: it has no format", to);
    if (strcmp(to, "record") != 0)
        (void)ft_format_by_name(to, &j.shape);
    j.in = cli_reader(input_of(NULL), FT_KIND_TEXT);
    cli_check(ft_out_open(&j.out, cli_output(), cli_err()));
    cli_each_record(j.in, &(cli_steps){begin_table, put_item, write_item, NULL}, &j);
    if (j.list)
        cli_check(ft_out_write(j.out, cli_counts()->read ? "\n]\n" : "[]\n", 3, cli_err()));
    cli_check(ft_out_commit(&j.out, cli_err()));
    ft_reader_free(&j.in);
    cli_result_count("turns", j.turns);
    if (j.is_table)
        say_columns(&j.table);
    cli_table_free(&j.table);
    return cli_end();
}
