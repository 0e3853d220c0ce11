/* ft-dedup: passes on the first of equal examples. Two are equal when the chosen part of them has
 * the same canonical form (text/normal.h); only the digests of these forms are kept. */
#include "data/example.h"
#include "text/normal.h"
#include "tools/cli/cli.h"
#include "tools/cli/dedup.h"

#include <string.h>

static const char *key_name = "all", *ignore_list = "case,space", *report;
static int mark;
static cli_against against = CLI_AGAINST_DEFAULTS;
static const cli_option options[] = {
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, CLI_PAYLOAD,
     "the part by which examples are compared"},
    {"ignore", 0, CLI_TEXT, &ignore_list, "LIST", 0, 0, CLI_PAYLOAD,
     "what equal texts may differ in: case,space,punctuation,digits,marks or none"},
    CLI_AGAINST_OPTIONS(against),
    {"mark", 0, CLI_FLAG, &mark, NULL, 0, 0, CLI_PAYLOAD,
     "drop nothing: say it in a field of the example"},
    {"report", 0, CLI_TEXT, &report, "FILE", 0, 0, 0, "what was found, as JSON lines"},
    {0}};
static const cli_tool tool = {
    "ft-dedup", "drop examples that were there before", "[options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "  cat a.ft b.ft | ft-dedup --key prompt -o one-answer-each.ft\n"
    "  ft-import < chats.jsonl | ft-dedup --against test.ft --report leaks.jsonl -o clean.ft",
    "ft-import(1), ft-split(1), ft-check(1)", CLI_FILTER | CLI_MEMORY, 1, options};

static enum ft_part part_of_key(void)
{
    return strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
           : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                               : FT_PART_ALL;
}

/* Options of a mode that is off would do nothing, which nobody wants. */
static void check_options(void)
{
    static const char *const of_against[] = {"run", "span", "sure-span", "share", "boilerplate",
                                             "boilerplate-min", "mark", "report"};
    for (size_t i = 0; !against.sets && i < sizeof of_against / sizeof *of_against; i++)
        if (cli_given(of_against[i]))
            cli_usage_error("--%s goes with --against", of_against[i]);
}

int main(int argc, char **argv)
{
    unsigned ignore;
    cli_begin(&tool, argc, argv);
    if (ft_ignore_parse(ignore_list, &ignore, cli_err()) < 0)
        cli_usage_error("--ignore: %s", cli_err()->text);
    check_options();
    if (against.sets && !cli_given("key"))
        key_name = "prompt";
    if (against.sets)
        cli_dedup_against(&against, part_of_key(), ignore, mark, report);
    else
        cli_dedup_exact(part_of_key(), ignore);
    return cli_end();
}
