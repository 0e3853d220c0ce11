/* ft-dedup: passes on the first of equal examples. Two are equal when the chosen part of them has
 * the same canonical form (text/normal.h); only the digests of these forms are kept. */
#include "data/example.h"
#include "text/normal.h"
#include "tools/cli/cli.h"
#include "tools/cli/dedup.h"
#include "tools/cli/dedup_near.h"

#include <string.h>

static const char *key_name = "all", *ignore_list = "case,space", *report;
static int mark;
static dedup_near near = DEDUP_NEAR_DEFAULTS;
static cli_against against = CLI_AGAINST_DEFAULTS;
static cli_substring substring = CLI_SUBSTRING_DEFAULTS;
static const cli_option options[] = {
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, CLI_PAYLOAD,
     "the part by which examples are compared"},
    {"ignore", 0, CLI_TEXT, &ignore_list, "LIST", 0, 0, CLI_PAYLOAD,
     "what equal texts may differ in: case,space,punctuation,digits,marks or none"},
    DEDUP_NEAR_OPTIONS(near),
    CLI_AGAINST_OPTIONS(against),
    CLI_SUBSTRING_OPTIONS(substring),
    {"mark", 0, CLI_FLAG, &mark, NULL, 0, 0, CLI_PAYLOAD,
     "drop nothing: say it in a field of the example"},
    {"report", 0, CLI_TEXT, &report, "FILE", 0, 0, 0, "what was found, as JSON lines"},
    {0}};
static const cli_tool tool = {
    "ft-dedup", "drop examples that were there before", "[options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "  cat a.ft b.ft | ft-dedup --key prompt -o one-answer-each.ft\n"
    "  ft-dedup --near --pairs gone.jsonl all.ft | ft-split --to a.ft,b.ft --ratio 90,10\n"
    "  ft-import < chats.jsonl | ft-dedup --against test.ft --report leaks.jsonl -o clean.ft",
    "ft-import(1), ft-split(1), ft-check(1)", CLI_FILTER | CLI_MEMORY, 1, options};

static enum ft_part part_of_key(void)
{
    return strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
           : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                               : FT_PART_ALL;
}

/* An option of a mode that is off would do nothing, which nobody wants. */
static void refuse(const char *const *names, const char *modes)
{
    for (; *names; names++)
        if (cli_given(*names))
            cli_usage_error("--%s goes with %s", *names, modes);
}

static void check_options(void)
{
    static const char *const of_against[] = {"run", "span", "sure-span", "share", "boilerplate",
                                             "boilerplate-min", NULL};
    static const char *const of_substring[] = {"min-bytes", "max-per-template", "cut", "top", NULL};
    static const char *const of_both[] = {"report", NULL}, *const of_others[] = {"ignore", NULL};
    static const char *const of_marking[] = {"mark", NULL};
    if ((against.sets != NULL) + substring.on + near.on > 1)
        cli_usage_error("--near, --against and --substring exclude each other; use several runs "
                        "in a pipe");
    dedup_near_check(&near);
    if (!against.sets && !near.on)
        refuse(of_marking, "--near and --against");
    if (!against.sets)
        refuse(of_against, "--against");
    if (!substring.on)
        refuse(of_substring, "--substring");
    else
        refuse(of_others, "other modes than --substring, which compares bytes");
    if (!against.sets && !substring.on)
        refuse(of_both, "--against and --substring");
}

int main(int argc, char **argv)
{
    unsigned ignore;
    cli_begin(&tool, argc, argv);
    if (ft_ignore_parse(ignore_list, &ignore, cli_err()) < 0)
        cli_usage_error("--ignore: %s", cli_err()->text);
    check_options();
    if (!cli_given("key"))
        key_name = against.sets ? "prompt" : substring.on ? "response" : key_name;
    if (against.sets)
        cli_dedup_against(&against, part_of_key(), ignore, mark, report);
    else if (substring.on)
        cli_dedup_substring(&substring, part_of_key(), report);
    else if (near.on)
        return dedup_near_run(&near, part_of_key(), ignore, mark);
    else
        cli_dedup_exact(part_of_key(), ignore);
    return cli_end();
}
