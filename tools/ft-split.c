/* ft-split: parts that share no prompt, response, near-duplicate or group. The first pass spools
 * the examples with the numbers of their keys; then what belongs together is tied and dealt
 * out. */
#include "base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/split_certificate.h"
#include "tools/cli/split_notes.h"
#include "tools/cli/split_rows.h"

#include <stdlib.h>
#include <string.h>

static const char *to, *ratio, *group_fields, *stratify, *previous;
static const char *common;
static const cli_option options[] = {
    {"to", 0, CLI_TEXT, &to, "A,B,...", 0, 0, 0, "the files to write, 2 to 8"},
    {"ratio", 'r', CLI_TEXT, &ratio, "X,Y,...", 0, 0, CLI_PAYLOAD,
     "the share of each file, such as 90,5,5"},
    {"group", 'g', CLI_TEXT, &group_fields, "FIELD,...", 0, 0, CLI_PAYLOAD,
     "keep examples with the same value of a FIELD together"},
    {"common", 0, CLI_TEXT, &common, "N", 0, 0, CLI_PAYLOAD,
     "what over N groups share ties nobody; 0: no limit; unless given: 10 for responses"},
    {"stratify", 0, CLI_TEXT, &stratify, "FIELD", 0, 0, CLI_PAYLOAD,
     "keep the ratio within each value of FIELD"},
    {"previous", 0, CLI_TEXT, &previous, "A,B,...", 0, 0, 0,
     "earlier parts, in the order of --to: count what moved"},
    {0}};
static const cli_tool tool = {
    "ft-split", "make parts of a data set that share no prompt, response or group",
    "--to A,B,... --ratio X,Y,... [options] [FILE]",
    "  ft-import < chats.jsonl | ft-dedup |\n"
    "      ft-split --to train.ft,val.ft,test.ft --ratio 90,5,5\n"
    "  ft-import < pages.jsonl | ft-split --group site --to train.ft,test.ft --ratio 4,1 --seed 1",
    "ft-dedup(1), ft-import(1), ft-tokenize(1)",
    CLI_IN | CLI_THREADS | CLI_SEED | CLI_LEVEL | CLI_MEMORY | CLI_HISTORY, 1, options};

typedef struct split {
    char *paths[FT_SPLIT_PARTS_MAX], *before[FT_SPLIT_PARTS_MAX], *fields[FT_GROUPS_MAX];
    ft_out *files[FT_SPLIT_PARTS_MAX];
    ft_writer *out[FT_SPLIT_PARTS_MAX];
    ft_buf claims[FT_SPLIT_PARTS_MAX];
    uint64_t rows[FT_SPLIT_PARTS_MAX], oversized, augmented;
    uint64_t moved[FT_SPLIT_PARTS_MAX][FT_SPLIT_PARTS_MAX], stayed;
    ft_shares shares;
    cli_split_rows in;
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

static uint64_t read_common(void)
{
    char *end;
    unsigned long long n = strtoull(common, &end, 10);
    if (*common < '0' || *common > '9' || *end || n > UINT64_C(1000000000000))
        cli_usage_error("--common %s: no whole number from 0 to 1000000000000", common);
    return n;
}

static void read_fields(split *s)
{
    size_t n = group_fields ? cut_list(group_fields, s->fields, FT_GROUPS_MAX) : 0;
    if (n > FT_GROUPS_MAX)
        cli_usage_error("--group %s: names %zu fields, %d are possible", group_fields, n,
                        FT_GROUPS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (s->fields[i][0] == '\0')
            cli_usage_error("--group %s: field %zu is empty", group_fields, i + 1);
        s->in.groups[i] = s->fields[i];
    }
    s->in.n_groups = n;
    s->in.stratify = stratify;
    s->in.over[FT_TIE_PROMPT] = common ? read_common() : 0;
    s->in.over[FT_TIE_RESPONSE] = common ? read_common() : 10;
    if (previous && cut_list(previous, s->before, FT_SPLIT_PARTS_MAX) != s->shares.n)
        cli_usage_error("--previous %s: give as many files as --to, in the same order", previous);
}

/* ---- dealing out ---- */

static size_t side_of(split *s, uint32_t home, const ft_component *c)
{
    return s->in.strata ? ft_strata_side(s->in.strata, home)
                        : ft_component_side(c, &s->shares, cli_seed());
}

static void deal_row(split *s, const cli_split_row *row, ft_mp record, uint32_t home)
{
    ft_component c = ft_components_of(s->in.ties, home);
    size_t side = side_of(s, home, &c);
    s->oversized += (uint64_t)ft_component_is_oversized(&c, &s->shares);
    if (row->is_augmented && side > 0) {
        s->augmented++;
        return;
    }
    if (row->previous != FT_NO_PART && (size_t)row->previous != side)
        s->moved[row->previous][side]++;
    else
        s->stayed += row->previous != FT_NO_PART;
    s->rows[side]++;
    cli_check(ft_writer_put(s->out[side], record.p, record.n, cli_err()));
}

static void deal_out(split *s)
{
    cli_split_notes notes;
    cli_split_row row;
    ft_mp record;
    uint32_t home;
    cli_split_notes_begin(&notes, &s->in);
    cli_split_rewind(&s->in);
    while (cli_split_next(&s->in, &row, &record, &home)) {
        cli_split_notes_see(&notes, &s->in, &row, record);
        deal_row(s, &row, record, home);
    }
    if (s->in.n)
        cli_split_notes_end(&notes, &s->in,
                            s->paths[side_of(s, s->in.largest.most, &s->in.largest)]);
    if (s->in.n && !s->in.has_cluster)
        cli_note("no example has a field cluster, so near-duplicates were not tied; "
                 "ft-dedup --near before this marks them");
}

/* Begins the parts: what they claim is known only now. */
static void begin_parts(split *s)
{
    for (size_t i = 0; i < s->shares.n; i++) {
        ft_header h = cli_header_from(s->in.in, FT_KIND_TEXT);
        cli_split_put_claim(&s->claims[i], &s->in, i, s->shares.n);
        h.certificates = (ft_mp){s->claims[i].p, s->claims[i].n};
        s->out[i] = cli_writer_on(s->files[i], h);
        cli_check(ft_writer_derive_apart(s->out[i], s->in.in, cli_err()));
        for (size_t k = 0; k < s->in.n_previous; k++)
            cli_check(ft_writer_derive_apart(s->out[i], s->in.previous[k], cli_err()));
    }
}

/* Ends all parts, none before all of them were written. */
static void finish_parts(split *s)
{
    for (size_t i = 0; i < s->shares.n; i++) {
        ft_counts c = {.read = s->in.n, .written = s->rows[i]};
        ft_counts_drop(&c, "other part", s->in.n - s->rows[i] - s->augmented);
        if (s->augmented)
            ft_counts_drop(&c, "augmented", s->augmented);
        cli_check(ft_writer_finish(&s->out[i], &c, cli_err()));
        if (s->rows[i] == 0)
            cli_warn("%s got no example", s->paths[i]);
    }
    cli_counts()->read = s->in.n;
    cli_counts()->written = s->in.n - s->augmented;
    if (s->augmented)
        ft_counts_drop(cli_counts(), "augmented", s->augmented);
}

static void report_moves(const split *s)
{
    uint64_t all = 0;
    for (size_t i = 0; i < s->shares.n; i++)
        for (size_t k = 0; k < s->shares.n; k++) {
            all += s->moved[i][k];
            if (s->moved[i][k])
                cli_note("%llu examples that were in %s go to %s",
                         (unsigned long long)s->moved[i][k], s->before[i], s->paths[k]);
        }
    cli_result_count("previous", all + s->stayed);
    cli_result_count("moved", all);
}

static void report(const split *s)
{
    ft_buf rows = {0}, achieved = {0};
    double all = (double)(s->in.n - s->augmented);
    for (size_t i = 0; i < s->shares.n; i++) {
        ft_buf_add_fmt(&rows, "%s%llu", i ? "," : "", (unsigned long long)s->rows[i]);
        ft_buf_add_fmt(&achieved, "%s%.2f", i ? "," : "",
                       100 * (double)s->rows[i] / (all > 0 ? all : 1));
    }
    ft_buf_add_byte(&rows, '\0');
    ft_buf_add_byte(&achieved, '\0');
    cli_check(ft_buf_check(&rows, cli_err()));
    cli_check(ft_buf_check(&achieved, cli_err()));
    cli_result_text("parts", (const char *)rows.p);
    cli_result_text("ratio", (const char *)achieved.p);
    cli_result_count("components", ft_components_count(s->in.ties));
    cli_result_count("oversized", s->oversized);
    cli_result_count("common", s->in.common[0].texts + s->in.common[1].texts);
    if (s->in.strata)
        cli_result_count("strata", ft_strata_count(s->in.strata));
    if (previous)
        report_moves(s);
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
    read_fields(&s);
    s.in.in = cli_reader(cli_input(), FT_KIND_TEXT);
    for (size_t i = 0; i < s.shares.n; i++)
        s.files[i] = cli_writer_out(s.paths[i]);
    if (previous)
        cli_split_read_previous(&s.in, s.before, s.shares.n);
    cli_split_read(&s.in);
    s.shares.rows = s.in.n;
    cli_split_stratify(&s.in, &s.shares);
    begin_parts(&s);
    deal_out(&s);
    finish_parts(&s);
    report(&s);
    cli_split_free(&s.in);
    for (size_t i = 0; i < s.shares.n; i++)
        ft_buf_free(&s.claims[i]);
    ft_free(s.paths[0]);
    ft_free(s.before[0]);
    ft_free(s.fields[0]);
    return cli_end();
}
