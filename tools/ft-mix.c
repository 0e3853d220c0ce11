/* ft-mix: several streams become one, each giving its share at every moment; or labels are balanced
 * (tools/cli/mix_balanced.c). What has to be read twice waits in $TMPDIR. */
#include "base/rng.h"
#include "data/mix_schedule.h"
#include "data/set_field.h"
#include "tools/cli/mix_balanced.h"
#include "tools/cli/mix_input.h"
#include "tools/cli/mix_shares.h"

#include <stdlib.h>
#include <string.h>

static const char *ratio, *by, *until = "first", *field, *weights, *names;
static double temperature;
static uint64_t max_epochs = 4, cap;
static int shuffle, oversample;
static const cli_option options[] = {
    {"ratio", 'r', CLI_TEXT, &ratio, "X,Y,...", 0, 0, CLI_PAYLOAD,
     "the share of each file, such as 90,10; or write FILE:SHARE"},
    {"temperature", 0, CLI_REAL, &temperature, "T", 1, 1e6, CLI_PAYLOAD,
     "shares in proportion to size^(1/T) instead"},
    {"by", 0, CLI_CHOICE, &by, "bytes|tokens|targets|examples", 0, 0, CLI_PAYLOAD,
     "what shares count (text: bytes; else tokens)"},
    {"until", 0, CLI_TEXT, &until, "first|all|N", 0, 0, CLI_PAYLOAD,
     "end with the first file that ends, once all were used, or at N"},
    {"max-epochs", 0, CLI_COUNT, &max_epochs, "N", 1, 1e6, CLI_PAYLOAD,
     "use no record more often than N times"},
    {"shuffle", 's', CLI_FLAG, &shuffle, NULL, 0, 0, CLI_PAYLOAD,
     "take each file in a random order, another one each epoch"},
    {"mark-source", 0, CLI_TEXT, &names, "A,B,...", 0, 0, CLI_PAYLOAD,
     "write a name for each file into records without `source`"},
    {"balance", 'b', CLI_TEXT, &field, "FIELD", 0, 0, CLI_PAYLOAD,
     "balance the values of FIELD, by one of the following"},
    {"cap", 0, CLI_COUNT, &cap, "N", 1, 1e15, CLI_PAYLOAD, "keep N records of each value at most"},
    {"oversample", 0, CLI_FLAG, &oversample, NULL, 0, 0, CLI_PAYLOAD,
     "repeat records of rare values, up to the size of the largest"},
    {"weights", 0, CLI_TEXT, &weights, "inverse-sqrt|effective[:BETA]", 0, 0, CLI_PAYLOAD,
     "write a `weight` that makes up for the frequency"},
    {0}};
static const cli_tool tool = {
    "ft-mix", "mix streams by exact shares; balance classes; shuffle",
    "[options] [FILE[:SHARE]...]",
    "  ft-mix domain.ft:90 general.ft:10 | ft-pack -l 512 -o train.ft\n"
    "  ft-import < reviews.jsonl | ft-mix --balance label --oversample --shuffle -o even.ft",
    "ft-pack(1), ft-split(1), ft-augment(1)", CLI_FILTER | CLI_SEED | CLI_MEMORY, -1, options};

typedef struct job {
    const char *paths[FT_MIX_SOURCES_MAX];
    size_t n;
    ft_mix_source shares[FT_MIX_SOURCES_MAX];
    cli_mix_input inputs[FT_MIX_SOURCES_MAX];
    uint64_t rows[FT_MIX_SOURCES_MAX];     /* written                          */
    uint64_t total;                        /* of --until; 0: first or all */
    enum cli_mix_unit unit;
    ft_writer *out;
    ft_buf ratio, edited, name, claims;    /* ratio: of FILE:SHARE, and the paths */
    const char *why;                       /* the file that ended it early  */
} job;

/* ---- the command line ---- */

static void read_paths(job *j)
{
    j->n = cli_arg_count();
    if (j->n > 0 && cli_given("input"))
        cli_usage_error("files are named behind the options; --input is for a single one");
    if (j->n > FT_MIX_SOURCES_MAX)
        cli_usage_error("%zu files; at most %d can be mixed at once", j->n, FT_MIX_SOURCES_MAX);
    for (size_t i = 0; i < j->n; i++)
        j->paths[i] = cli_arg(i);
    if (j->n == 0)
        j->paths[j->n++] = cli_input();
}

static void read_until(job *j)
{
    char *end;
    if (strcmp(until, "first") == 0 || strcmp(until, "all") == 0)
        return;
    j->total = until[0] >= '0' && until[0] <= '9' ? strtoull(until, &end, 10) : 0;
    if (j->total == 0 || *end || j->total >= (uint64_t)1 << 60)
        cli_usage_error("--until %s: first, all, or a number of --by's units", until);
}

static void read_command(job *j)
{
    read_paths(j);
    if (field) {
        if (ratio || by || cli_given("temperature") || cli_given("until"))
            cli_usage_error("--balance takes its files one after the other; mix in another ft-mix");
        if (!weights && !oversample && !cap)
            cli_usage_error("--balance %s: how? give --cap, --oversample or --weights", field);
        return;
    }
    if (cap || oversample || weights)
        cli_usage_error("--cap, --oversample and --weights need --balance FIELD");
    if (ratio && cli_given("temperature"))
        cli_usage_error("--ratio and --temperature exclude each other");
    if (!ratio && !cli_given("temperature"))
        ratio = cli_mix_file_shares(j->paths, j->n, &j->ratio);
    if (ratio)
        cli_mix_ratio(ratio, j->shares, j->n);
    read_until(j);
}

/* ---- writing ---- */

static void check_names(const job *j)
{
    size_t n = 1;
    for (const char *at = names; *at; at++)
        n += *at == ',';
    if (n != j->n || !names[0])
        cli_usage_error("--mark-source %s: not one name for each of the %zu files", names, j->n);
    if (ft_reader_header(j->inputs[0].in)->kind == FT_KIND_PACKED)
        cli_usage_error("--mark-source: packed rows have no source; mark before ft-pack");
}

/* The record with the name that --mark-source gives to its input. */
static ft_mp marked(void *ctx, size_t i, ft_mp record)
{
    job *j = ctx;
    const char *at = names;
    if (!names || ft_mp_get(record, "source", &(ft_mp){0}))
        return record;
    for (size_t k = 0; k < i; k++)
        at += strcspn(at, ",") + 1;
    ft_buf_clear(&j->name);
    ft_buf_clear(&j->edited);
    ft_mp_put_str(&j->name, at, strcspn(at, ","));
    ft_set_field(record, "source", (ft_mp){j->name.p, j->name.n}, &j->edited);
    cli_check(ft_buf_check(&j->name, cli_err()));
    cli_check(ft_buf_check(&j->edited, cli_err()));
    return (ft_mp){j->edited.p, j->edited.n};
}

static void put_next(job *j, size_t i)
{
    cli_mix_input *x = &j->inputs[i];
    ft_mp record = marked(j, i, x->record);
    cli_check(ft_writer_put(j->out, record.p, record.n, cli_err()));
    cli_counts()->written += x->n_examples;
    if (x->epoch > 0)
        cli_counts()->created += x->n_examples;
    j->rows[i]++;
    j->shares[i].used += x->size;
}

/* ---- mixing ---- */

static void prepare(job *j)
{
    uint64_t sizes[FT_MIX_SOURCES_MAX], usable = 0;
    uint64_t memory = (cli_memory() ? cli_memory() : (uint64_t)256 << 20) / j->n;
    int again = strcmp(until, "first") != 0;
    for (size_t i = 0; i < j->n; i++) {
        if (again || shuffle || cli_given("temperature"))
            cli_mix_store(&j->inputs[i], j->unit, memory, shuffle,
                          ft_rng_u64(cli_seed(), FT_RNG_DATA, 0, i));
        else
            cli_mix_next(&j->inputs[i], j->unit);
        usable += (sizes[i] = j->inputs[i].units) > 0;
    }
    if (cli_given("temperature"))
        ft_mix_temperature(j->shares, sizes, j->n, temperature);
    for (size_t i = 0; i < j->n && !again; i++)
        if (j->inputs[i].ended && j->shares[i].share > 0)
            cli_warn("%s is empty, and so is the mix", j->paths[i]);
    for (size_t i = 0; i < j->n && again; i++)
        if (usable > 0 && j->shares[i].share > 0 && sizes[i] == 0) {
            ft_err_set(cli_err(), FT_ERR_DATA, "%s has no %s and cannot give its share",
                       j->paths[i], cli_mix_unit_name(j->unit));
            cli_fail();
        }
}

/* Returns: whether the mix is complete, or cannot go on. Starts the next epoch where it can. */
static int is_over(job *j, size_t i)
{
    cli_mix_input *x = &j->inputs[i];
    int all = 1;
    uint64_t used = 0;
    for (size_t k = 0; k < j->n; k++) {
        used += j->shares[k].used;
        all &= j->shares[k].share == 0 || j->inputs[k].epoch > 0 || j->inputs[k].ended;
    }
    if (j->total ? used >= j->total : x->ended && (all || strcmp(until, "first") == 0))
        return 1;
    if (!x->ended)
        return 0;
    if (x->epoch + 1 >= max_epochs)
        j->why = j->paths[i];
    if (j->why || x->units == 0)
        return 1;
    cli_mix_again(x, j->unit);
    return 0;
}

static void mix(job *j)
{
    uint64_t read = 0;
    int over = 0;
    prepare(j);
    for (size_t i = 0; i < j->n && !over; i++)
        over = j->shares[i].share > 0 && j->inputs[i].ended && is_over(j, i);
    while (!over) {
        size_t i;
        for (size_t k = 0; k < j->n; k++)
            j->shares[k].next = j->inputs[k].size;
        i = ft_mix_pick(j->shares, j->n);
        if (i == j->n)
            break;
        put_next(j, i);
        cli_mix_next(&j->inputs[i], j->unit);
        over = is_over(j, i);
    }
    for (size_t i = 0; i < j->n; i++) {
        cli_mix_drain(&j->inputs[i]);
        read += j->inputs[i].examples;
    }
    cli_counts()->read = read;
    read += cli_counts()->created - cli_counts()->written;
    if (read)
        ft_counts_drop(cli_counts(), "left over", read);
    if (j->why)
        cli_warn("the mix ends early: %s was used %llu times; see --max-epochs", j->why,
                 (unsigned long long)max_epochs);
}

/* ---- the whole ---- */

static void add_result(const char *name, ft_buf *list)
{
    ft_buf_add_byte(list, 0);
    cli_check(ft_buf_check(list, cli_err()));
    cli_result_text(name, (const char *)list->p);
    ft_buf_free(list);
}

/* Adds what each input gave, in their order: records, share of the units in percent, epochs. */
static void report(const job *j)
{
    ft_buf rows = {0}, shares = {0}, epochs = {0};
    double all = 0;
    for (size_t i = 0; i < j->n; i++)
        all += (double)j->shares[i].used;
    for (size_t i = 0; i < j->n; i++) {
        const char *comma = i ? "," : "";
        double n = (double)j->inputs[i].rows, used = (double)j->shares[i].used;
        ft_buf_add_fmt(&rows, "%s%llu", comma, (unsigned long long)j->rows[i]);
        ft_buf_add_fmt(&shares, "%s%.2f", comma, all > 0 ? 100 * used / all : 0);
        ft_buf_add_fmt(&epochs, "%s%.2f", comma, n > 0 ? (double)j->rows[i] / n : 0);
    }
    add_result("records", &rows);
    add_result("ratio", &shares);
    cli_result_text("by", cli_mix_unit_name(j->unit));
    add_result("epochs", &epochs);
}

static void open_streams(job *j)
{
    cli_mix_open(j->inputs, j->paths, j->n);
    if (names)
        check_names(j);
    if (!field) {
        j->unit = cli_mix_unit_of(by, ft_reader_header(j->inputs[0].in)->kind);
        by = cli_mix_unit_name(j->unit);
    }
    j->out = cli_writer(cli_output(), cli_mix_header(j->inputs, j->n, &j->claims));
    for (size_t i = 0; i < j->n; i++)
        cli_check(ft_writer_derive(j->out, j->inputs[i].in, cli_err()));
}

int main(int argc, char **argv)
{
    static job j;
    cli_mix_rule rule = {.dress = marked, .ctx = &j};
    cli_begin(&tool, argc, argv);
    read_command(&j);
    rule.field = field;
    rule.uses = (ft_balance_rule){cap, oversample, max_epochs};
    rule.weights = weights;
    rule.shuffle = shuffle;
    cli_mix_rule_check(&rule);
    open_streams(&j);
    if (field)
        cli_mix_balanced(j.inputs, j.n, &rule, j.out);
    else
        mix(&j);
    cli_finish(&j.out);
    if (!field)
        report(&j);
    for (size_t i = 0; i < j.n; i++)
        cli_mix_close(&j.inputs[i]);
    ft_buf_free(&j.ratio);
    ft_buf_free(&j.edited);
    ft_buf_free(&j.name);
    ft_buf_free(&j.claims);
    return cli_end();
}
