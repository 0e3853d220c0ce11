/* ft-dedup: passes on the first of equal examples. Two are equal when the chosen part of them has
 * the same canonical form (text/normal.h); only the digests of these forms are kept. */
#include "data/digest_set.h"
#include "data/example.h"
#include "tools/cli/cli.h"
#include "tools/cli/dedup_near.h"

#include <string.h>

static const char *key_name = "all";
static dedup_near near = DEDUP_NEAR_DEFAULTS;
static const cli_option options[] = {
    {"key", 'k', CLI_CHOICE, &key_name, "prompt|response|all", 0, 0, CLI_PAYLOAD,
     "the part by which examples are compared"},
    DEDUP_NEAR_OPTIONS(near),
    {0}};
static const cli_tool tool = {
    "ft-dedup", "drop examples that were there before", "[options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup | ft-split --to train.ft,test.ft --ratio 90,10\n"
    "  cat a.ft b.ft | ft-dedup --key prompt -o one-answer-each.ft\n"
    "  ft-dedup --near --pairs gone.jsonl all.ft | ft-split --to a.ft,b.ft --ratio 90,10",
    "ft-import(1), ft-split(1), ft-check(1)", CLI_FILTER | CLI_MEMORY, 1, options};

static enum ft_part part_of_key(void)
{
    return strcmp(key_name, "prompt") == 0     ? FT_PART_PROMPT
           : strcmp(key_name, "response") == 0 ? FT_PART_RESPONSE
                                               : FT_PART_ALL;
}

static void fail_at(const ft_reader *in)
{
    ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(in),
                ft_reader_name(in));
    cli_fail();
}

/* Returns: whether no record before had this one's key. */
static int is_first(ft_digest_set *seen, ft_mp record, ft_buf scratch[2], const ft_reader *in)
{
    ft_digest key;
    uint64_t number;
    int is_new;
    if (ft_example_key(record, part_of_key(), scratch, &key, cli_err()) < 0)
        fail_at(in);
    if (ft_digest_set_add(seen, &key, &number, &is_new, cli_err()) < 0) {
        if (cli_memory())
            ft_err_wrap(cli_err(), "--memory");
        fail_at(in);
    }
    return is_new;
}

int main(int argc, char **argv)
{
    ft_digest_set *seen = NULL;
    ft_buf scratch[2] = {{0}, {0}};
    ft_mp record;
    cli_begin(&tool, argc, argv);
    dedup_near_check(&near);
    if (near.on)
        return dedup_near_run(&near, part_of_key());
    if (ft_digest_set_new(&seen, cli_memory(), cli_err()) < 0) {
        ft_err_wrap(cli_err(), "--memory");
        cli_fail();
    }
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    ft_writer *out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(out, in, cli_err()));
    while (cli_next(in, &record)) {
        cli_counts()->read++;
        if (is_first(seen, record, scratch, in)) {
            cli_check(ft_writer_put(out, record.p, record.n, cli_err()));
            cli_counts()->written++;
        } else {
            ft_counts_drop(cli_counts(), "duplicate", 1);
        }
    }
    cli_finish(&out);
    ft_reader_free(&in);
    ft_digest_set_free(&seen);
    ft_buf_free(&scratch[0]);
    ft_buf_free(&scratch[1]);
    return cli_end();
}
