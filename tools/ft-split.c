/* ft-split: parts that share no prompt and no group. The first pass spools the examples, each with
 * the numbers of its keys, and ties what belongs together; the second deals out the components. */
#include "base/mem.h"
#include "data/components.h"
#include "data/example.h"
#include "data/json.h"
#include "tools/cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *to, *ratio, *group_field;
static const cli_option options[] = {
    {"to", 0, CLI_TEXT, &to, "A,B,...", 0, 0, 0, "the files to write, 2 to 8"},
    {"ratio", 'r', CLI_TEXT, &ratio, "X,Y,...", 0, 0, CLI_PAYLOAD,
     "the share of each file, such as 90,5,5"},
    {"group", 'g', CLI_TEXT, &group_field, "FIELD", 0, 0, CLI_PAYLOAD,
     "keep examples with the same value of FIELD together"},
    {0}};
static const cli_tool tool = {
    "ft-split", "make parts of a data set that share no prompt and no group",
    "--to A,B,... --ratio X,Y,... [options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup |\n"
    "      ft-split --to train.ft,val.ft,test.ft --ratio 90,5,5\n"
    "  ft-import < pages.jsonl | ft-split --group site --to train.ft,test.ft --ratio 4,1 --seed 1",
    "ft-dedup(1), ft-import(1), ft-tokenize(1)",
    CLI_IN | CLI_THREADS | CLI_SEED | CLI_LEVEL | CLI_HISTORY, 1, options};

typedef struct head {          /* in the spool, before each example */
    uint32_t n;                /* its bytes                          */
    ft_tie tie;
} head;

typedef struct split {
    char *paths[FT_SPLIT_PARTS_MAX];
    ft_writer *out[FT_SPLIT_PARTS_MAX];
    uint64_t rows[FT_SPLIT_PARTS_MAX], oversized;
    ft_shares shares;
    ft_components *ties;
    ft_component largest;
    ft_spool *spool;
    ft_reader *in;
} split;

/* ---- the command line ---- */

/* Cuts a copy of list at its commas. Returns: the number of words; at most max are stored. */
static size_t cut_list(const char *list, char **words, size_t max)
{
    char *copy = ft_strndup(list, strlen(list), cli_err()), *next;
    size_t n = 0;
    if (!copy)
        cli_fail();
    for (; copy; copy = next, n++) {
        next = strchr(copy, ',');
        if (next)
            *next++ = '\0';
        if (n < max)
            words[n] = copy;
    }
    return n;
}

static void read_paths(split *s)
{
    s->shares.n = cut_list(to, s->paths, FT_SPLIT_PARTS_MAX);
    if (s->shares.n < 2 || s->shares.n > FT_SPLIT_PARTS_MAX)
        cli_usage_error("--to %s: names %zu files, 2 to %d are possible", to, s->shares.n,
                        FT_SPLIT_PARTS_MAX);
    for (size_t i = 0; i < s->shares.n; i++) {
        if (s->paths[i][0] == '\0' || strcmp(s->paths[i], "-") == 0)
            cli_usage_error("--to %s: part %zu is %s; each part needs a file", to, i + 1,
                            s->paths[i][0] ? "standard output" : "empty");
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->paths[i], s->paths[k]) == 0)
                cli_usage_error("--to %s: %s is there twice", to, s->paths[i]);
    }
}

static void read_shares(split *s)
{
    char *words[FT_SPLIT_PARTS_MAX], *end;
    size_t n = cut_list(ratio, words, FT_SPLIT_PARTS_MAX);
    if (n != s->shares.n)
        cli_usage_error("--ratio %s: %zu shares for the %zu files of --to", ratio, n, s->shares.n);
    for (size_t i = 0; i < n; i++) {
        double v = strtod(words[i], &end);
        if (end == words[i] || *end || !(v > 0) || !(v <= 1e9))
            cli_usage_error("--ratio %s: '%s' is no number in (0, 1e9]", ratio, words[i]);
        s->shares.of[i] = v;
    }
    ft_free(words[0]);
}

/* ---- first pass ---- */

static _Noreturn void fail_at(const split *s)
{
    ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)ft_reader_records(s->in),
                ft_reader_name(s->in));
    cli_fail();
}

static void tie_record(split *s, ft_mp record, ft_buf scratch[2])
{
    head h = {.n = (uint32_t)record.n};
    ft_digest prompt, group;
    ft_mp value;
    int has_group = 0;
    if (ft_example_key(record, FT_PART_PROMPT, scratch, &prompt, cli_err()) < 0)
        fail_at(s);
    if (group_field && ft_mp_get(record, group_field, &value) &&
        (has_group = ft_group_key(value, &group, cli_err())) < 0) {
        ft_err_wrap(cli_err(), "field %s", group_field);
        fail_at(s);
    }
    cli_check(ft_components_add(s->ties, &prompt, has_group ? &group : NULL, &h.tie, cli_err()));
    cli_check(ft_spool_write(s->spool, &h, sizeof h, cli_err()));
    cli_check(ft_spool_write(s->spool, record.p, record.n, cli_err()));
}

static void read_all(split *s)
{
    ft_buf scratch[2] = {{0}, {0}};
    ft_mp record;
    for (; cli_next(s->in, &record); s->shares.rows++)
        tie_record(s, record, scratch);
    ft_buf_free(&scratch[0]);
    ft_buf_free(&scratch[1]);
    s->largest = ft_components_largest(s->ties);
}

/* ---- second pass ---- */

/* The first characters of what ties most of the largest component. */
static void put_tie(ft_buf *b, ft_mp record, int is_prompt)
{
    const size_t shown = 60;
    ft_buf text = {0};
    ft_mp value;
    ft_slice s = {0};
    size_t n;
    ft_buf_add_str(b, is_prompt ? "the prompt " : "the group ");
    if (is_prompt) {
        cli_check(ft_example_part(record, FT_PART_PROMPT, &text, cli_err()));
        s = (ft_slice){text.p, text.n};
    } else if (ft_mp_get(record, group_field, &value) && !ft_mp_str(value, &s)) {
        ft_json_put(b, value);
        return;
    }
    for (n = s.n < shown ? s.n : shown; n < s.n && n > shown - 4 && (s.p[n] & 0xc0) == 0x80;)
        n--;                                    /* not inside a character */
    ft_json_put_string(b, s.p, n);
    ft_buf_add_str(b, n < s.n ? " …" : "");
    ft_buf_free(&text);
}

static void warn_of_largest(split *s, ft_mp record, int is_prompt)
{
    ft_buf what = {0};
    put_tie(&what, record, is_prompt);
    ft_buf_add_byte(&what, '\0');
    cli_check(ft_buf_check(&what, cli_err()));
    cli_warn("%llu of %llu examples hang together and go to %s; most of them, %llu, by %s",
             (unsigned long long)s->largest.rows, (unsigned long long)s->shares.rows,
             s->paths[ft_component_side(&s->largest, &s->shares, cli_seed())],
             (unsigned long long)s->largest.most_rows, (const char *)what.p);
    ft_buf_free(&what);
}

static void deal_out(split *s)
{
    int warn = (double)s->largest.rows > 0.2 * (double)s->shares.rows && s->largest.rows > 1;
    ft_buf bytes = {0};
    head h;
    size_t got;
    cli_check(ft_spool_rewind(s->spool, cli_err()));
    for (uint64_t i = 0; i < s->shares.rows; i++) {
        cli_check(ft_spool_read(s->spool, &h, sizeof h, &got, cli_err()));
        ft_buf_clear(&bytes);
        if (!ft_buf_room(&bytes, h.n))
            cli_check(ft_buf_check(&bytes, cli_err()));
        cli_check(ft_spool_read(s->spool, bytes.p, h.n, &got, cli_err()));
        ft_component c = ft_components_of(s->ties, h.tie.prompt);
        size_t side = ft_component_side(&c, &s->shares, cli_seed());
        s->rows[side]++;
        s->oversized += (uint64_t)ft_component_is_oversized(&c, &s->shares);
        cli_check(ft_writer_put(s->out[side], bytes.p, h.n, cli_err()));
        if (warn && (h.tie.prompt == s->largest.most || h.tie.group == s->largest.most)) {
            warn_of_largest(s, (ft_mp){bytes.p, h.n}, h.tie.prompt == s->largest.most);
            warn = 0;
        }
    }
    ft_buf_free(&bytes);
}

/* Ends all parts, none before all of them were written. */
static void finish_parts(split *s)
{
    for (size_t i = 0; i < s->shares.n; i++) {
        ft_counts c = {.read = s->shares.rows, .written = s->rows[i]};
        ft_counts_drop(&c, "other part", s->shares.rows - s->rows[i]);
        cli_check(ft_writer_finish(&s->out[i], &c, cli_err()));
        if (s->rows[i] == 0)
            cli_warn("%s got no example", s->paths[i]);
    }
    cli_counts()->read = cli_counts()->written = s->shares.rows;
}

static void report(const split *s)
{
    ft_buf rows = {0}, achieved = {0};
    for (size_t i = 0; i < s->shares.n; i++) {
        double all = s->shares.rows ? (double)s->shares.rows : 1;
        ft_buf_add_fmt(&rows, "%s%llu", i ? "," : "", (unsigned long long)s->rows[i]);
        ft_buf_add_fmt(&achieved, "%s%.2f", i ? "," : "", 100 * (double)s->rows[i] / all);
    }
    ft_buf_add_byte(&rows, '\0');
    ft_buf_add_byte(&achieved, '\0');
    cli_check(ft_buf_check(&rows, cli_err()));
    cli_check(ft_buf_check(&achieved, cli_err()));
    cli_result_text("parts", (const char *)rows.p);
    cli_result_text("ratio", (const char *)achieved.p);
    cli_result_count("components", ft_components_count(s->ties));
    cli_result_count("oversized", s->oversized);
    ft_buf_free(&rows);
    ft_buf_free(&achieved);
}

int main(int argc, char **argv)
{
    split s = {0};
    cli_begin(&tool, argc, argv);
    if (!to || !ratio)
        cli_usage_error("give the parts and their shares: --to A,B,... --ratio X,Y,...");
    read_paths(&s);
    read_shares(&s);
    s.in = cli_reader(cli_input(), FT_KIND_TEXT);
    for (size_t i = 0; i < s.shares.n; i++) {
        s.out[i] = cli_writer(s.paths[i], cli_header_from(s.in, FT_KIND_TEXT));
        cli_check(ft_writer_derive(s.out[i], s.in, cli_err()));
    }
    cli_check(ft_components_new(&s.ties, cli_err()));
    cli_check(ft_spool_new(&s.spool, cli_err()));
    read_all(&s);
    deal_out(&s);
    finish_parts(&s);
    report(&s);
    ft_spool_free(&s.spool);
    ft_components_free(&s.ties);
    ft_reader_free(&s.in);
    ft_free(s.paths[0]);
    return cli_end();
}
