/* ft-import: turns JSON, CSV or plain text into a stream of examples, losing nothing silently; or
 * an adapter that PEFT saved into a stream of kind adapter. */
#include "tools/cli/import_work.h"
#include "tools/cli/peft_folder.h"

#include <string.h>

static const char *from = "examples", *shape = "auto", *format = "json", *columns, *json_columns;
static const char *delimiter;
static int repair;
static const cli_option options[] = {
    /* No part of the history: the kind of the stream tells. */
    {"from", 0, CLI_CHOICE, &from, "examples|peft", 0, 0, 0,
     "what is read; peft: FILE is a folder with an adapter as PEFT saves it"},
    {"shape", 's', CLI_CHOICE, &shape,
     "auto|messages|sharegpt|alpaca|prompt|query|text|prediction|plain|paragraphs", 0, 0,
     CLI_PAYLOAD, "what an example holds; auto: as its fields tell"},
    {"format", 'f', CLI_CHOICE, &format, "json|csv|tsv", 0, 0, CLI_PAYLOAD,
     "how examples are written: JSON lines, objects or lists; CSV or TSV with a header"},
    {"columns", 'c', CLI_TEXT, &columns, "NEW=OLD,...", 0, 0, CLI_PAYLOAD,
     "other names for fields: prompt=question,completion=answer"},
    {"json-columns", 0, CLI_TEXT, &json_columns, "NAME,...", 0, 0, CLI_PAYLOAD,
     "CSV columns that hold JSON (numbers, lists), not text"},
    {"delimiter", 0, CLI_TEXT, &delimiter, "C", 0, 0, CLI_PAYLOAD,
     "what separates CSV fields; auto: guess it from the header"},
    {"repair-utf8", 0, CLI_FLAG, &repair, NULL, 0, 0, CLI_PAYLOAD,
     "put U+FFFD for bytes that are no UTF-8, and count them"},
    {0}};
static const cli_tool tool = {
    "ft-import", "turn JSON, CSV or plain text into a stream of examples", "[options] [FILE]",
    "ft-import < chat.jsonl.gz | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "ft-import -f csv -c prompt=question,completion=answer faq.csv -o faq.ft",
    "ft-export(1), ft-cat(1)", CLI_FILTER | CLI_MODEL, 1, options};

/* Returns: the separator's byte, or -1 when it is to be guessed. */
static int separator(void)
{
    if (strcmp(format, "tsv") == 0 && !delimiter)
        return '\t';
    if (!delimiter)
        return ',';
    if (strcmp(delimiter, "auto") == 0)
        return -1;
    if (strlen(delimiter) != 1 || strchr("\"\r\n", *delimiter) || (unsigned char)*delimiter > '~')
        cli_usage_error("--delimiter is one ASCII character, no quote and no line end, or auto");
    return *delimiter;
}

/* Refuses options that would do nothing. */
static void check_options(const cli_import_job *j)
{
    int csv = j->kind == CLI_IMPORT_CSV;
    if (!csv && (json_columns || delimiter))
        cli_usage_error("--json-columns and --delimiter are for --format csv and tsv");
    if (j->kind > CLI_IMPORT_CSV && (columns || cli_given("format")))
        cli_usage_error("--shape %s reads text, which has no fields", shape);
}

/* An adapter has no shape, format or columns. */
static void import_peft(void)
{
    for (const cli_option *o = options + 1; o->name; o++)
        if (cli_given(o->name))
            cli_usage_error("--%s is for examples, not for --from peft", o->name);
    if (strcmp(cli_input(), "-") == 0)
        cli_usage_error("--from peft reads a folder, which must be named");
    cli_import_peft(cli_input());
}

int main(int argc, char **argv)
{
    cli_import_job j = {.kind = CLI_IMPORT_JSON};
    ft_renames renames;
    ft_digest digest;
    ft_in *in = NULL;
    cli_begin(&tool, argc, argv);
    if (strcmp(from, "peft") == 0) {
        import_peft();
        return cli_end();
    }
    if (cli_given("model"))
        cli_usage_error("--model is for --from peft");
    if (!ft_format_by_name(shape, &j.format))
        j.kind = strcmp(shape, "plain") == 0 ? CLI_IMPORT_LINES : CLI_IMPORT_PARAGRAPHS;
    else if (strcmp(format, "json") != 0)
        j.kind = CLI_IMPORT_CSV;
    check_options(&j);
    j.separator = separator();
    j.json_columns = json_columns;
    j.repair = repair;
    if (columns) {
        if (ft_renames_parse(&renames, columns, cli_err()) < 0)
            cli_usage_error("--columns: %s", cli_err()->text);
        j.renames = &renames;
    }
    cli_check(ft_in_open(&in, cli_input(), cli_err()));
    cli_check(ft_unpack_new(&j.from, in, cli_err()));
    j.out = cli_writer(cli_output(), (ft_header){.kind = FT_KIND_TEXT});
    cli_import(&j);
    digest = ft_unpack_digest(j.from);
    cli_check(ft_writer_derive_file(j.out, j.kind == CLI_IMPORT_JSON ? "jsonl"
                                    : j.kind == CLI_IMPORT_CSV ? "csv" : "text", &digest,
                                    cli_err()));
    cli_finish(&j.out);
    ft_unpack_free(&j.from);
    ft_in_close(&in);
    cli_result_count("rows", cli_counts()->read);
    cli_result_count("turns", j.turns);
    if (j.joined)
        cli_result_count("joined", j.joined);
    if (repair)
        cli_result_count("repaired", j.repaired);
    return cli_end();
}
