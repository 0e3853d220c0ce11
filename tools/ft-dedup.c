/* ft-dedup: passes on the first of equal examples. Two are equal when the chosen part of them has
 * the same canonical form (text/normal.h); only the digests of these forms are kept. */
#include "data/example.h"
#include "text/normal.h"
#include "tools/cli/cli.h"
#include "tools/cli/dedup.h"

#include <string.h>

static const char *key_name = "all", *ignore_list = "case,space";
static const cli_option options[] = {
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, CLI_PAYLOAD,
     "the part by which examples are compared"},
    {"ignore", 0, CLI_TEXT, &ignore_list, "LIST", 0, 0, CLI_PAYLOAD,
     "what equal texts may differ in: case,space,punctuation,digits,marks or none"},
    {0}};
static const cli_tool tool = {
    "ft-dedup", "drop examples that were there before", "[options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "  cat a.ft b.ft | ft-dedup --key prompt -o one-answer-each.ft",
    "ft-import(1), ft-split(1), ft-check(1)", CLI_FILTER | CLI_MEMORY, 1, options};

static enum ft_part part_of_key(void)
{
    return strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
           : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                               : FT_PART_ALL;
}

int main(int argc, char **argv)
{
    unsigned ignore;
    cli_begin(&tool, argc, argv);
    if (ft_ignore_parse(ignore_list, &ignore, cli_err()) < 0)
        cli_usage_error("--ignore: %s", cli_err()->text);
    cli_dedup_exact(part_of_key(), ignore);
    return cli_end();
}
