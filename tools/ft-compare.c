/* ft-compare: whether one system is better than another on the same examples, from their scores. */
#include "base/buf.h"
#include "tools/cli/cli.h"
#include "tools/cli/compare_systems.h"

#include <string.h>

static cli_compare c = {.options = {0.05, 0.8, 1000, 10000, 0}, .test = "randomisation",
                        .group = "group"};
static uint64_t resamples = 1000, swaps = 10000, examples = 3;
static const char *html;

static const cli_option options[] = {
    {"metrics", 0, CLI_TEXT, &c.metrics, "A,B,...", 0, 0, 0,
     "compare these; unless given: all scores that all files have"},
    {"lower", 0, CLI_TEXT, &c.lower, "A,B,...", 0, 0, 0,
     "in these, lower is better, as in loss"},
    {"names", 0, CLI_TEXT, &c.names, "A,B,...", 0, 0, 0,
     "what to call the systems, instead of their files' names"},
    {"group", 'g', CLI_TEXT, &c.group, "FIELD", 0, 0, 0,
     "examples with the same FIELD are no independent ones"},
    {"unweighted", 0, CLI_FLAG, &c.unweighted, NULL, 0, 0, 0,
     "count each example once in loss, not by its targets"},
    {"alpha", 0, CLI_REAL, &c.options.alpha, "P", 1e-6, 0.5, 0,
     "the chance of a false alarm; intervals are of 1 - P"},
    {"power", 0, CLI_REAL, &c.options.power, "P", 0.5, 0.999, 0,
     "the chance to see a difference that is said to be seen"},
    {"test", 0, CLI_CHOICE, &c.test, "randomisation|bootstrap|t", 0, 0, 0,
     "whose p decides"},
    {"swaps", 0, CLI_COUNT, &swaps, "N", 100, 10000000, 0,
     "swaps of the randomisation test"},
    {"resamples", 0, CLI_COUNT, &resamples, "N", 100, 1000000, 0,
     "resamples of the bootstrap"},
    {"examples", 'n', CLI_COUNT, &examples, "N", 0, CLI_SHOWN_MAX, 0,
     "show N examples that gained and lost most"},
    {"html", 0, CLI_TEXT, &html, "FILE", 0, 0, 0, "write a page with pictures"},
    {0}};

static const cli_tool tool = {
    "ft-compare", "whether one system is better than another on the same examples",
    "[options] BASE OTHER [OTHER...]",
    "  jq -c '{id, em, group: .topic}' tuned.jsonl | ft-compare --metrics em base.jsonl -\n"
    "  ft-compare --json --names base,lora,full --html report.html a.jsonl b.jsonl c.jsonl |\n"
    "      jq -r '.comparisons[].says'\n",
    "ft-eval(1), ft-generate(1)", CLI_THREADS | CLI_SEED, -1, options};

static void take_arguments(void)
{
    size_t standard = 0;
    c.n_systems = cli_arg_count();
    if (c.n_systems < 2 || c.n_systems > CLI_SYSTEMS_MAX)
        cli_usage_error("give two to %d files of scores, the baseline's first", CLI_SYSTEMS_MAX);
    for (size_t i = 0; i < c.n_systems; i++) {
        c.systems[i].path = cli_arg(i);
        standard += strcmp(c.systems[i].path, "-") == 0;
    }
    if (standard > 1)
        cli_usage_error("standard input can be read once only");
    c.options.seed = cli_seed();
    c.options.swaps = (size_t)swaps;
    c.options.resamples = (size_t)resamples;
    c.examples = (size_t)examples;
}

int main(int argc, char **argv)
{
    ft_out *page = NULL;
    ft_buf b = {0};
    cli_begin(&tool, argc, argv);
    take_arguments();
    if (html)
        cli_check(ft_out_open(&page, html, cli_err()));
    cli_compare_read(&c);
    cli_compare_test(&c);
    if (cli_json())
        cli_compare_json(&c);
    else
        cli_compare_text(&c);
    if (html) {
        cli_compare_html(&c, &b);
        cli_check(ft_buf_check(&b, cli_err()));
        cli_check(ft_out_write(page, b.p, b.n, cli_err()));
        cli_check(ft_out_flush(cli_stdout(), cli_err()));    /* no page without its report */
        cli_check(ft_out_commit(&page, cli_err()));
    }
    ft_buf_free(&b);
    cli_compare_free(&c);
    return cli_end();
}
