/* metrics.h: ft-eval --metrics: scores of predictions against references in a stream of kind text,
 * with intervals, to standard output. Options, the loop over the records, and what is printed;
 * the metrics themselves are in lib/eval/suite.h. All of it ends in cli_fail when it fails.
 *
 *     static cli_metrics metrics = CLI_METRICS_DEFAULTS;
 *     … CLI_METRICS_OPTIONS(metrics), …
 *     cli_metrics_check(&metrics, 0);
 *     cli_metrics_run(&metrics, in, scores, allow_leak);
 */
#ifndef FT_CLI_METRICS_H
#define FT_CLI_METRICS_H

#include "eval/suite.h"
#include "tools/cli/cli.h"

typedef struct cli_metrics {
    const char *list;            /* "bleu,rougeL"; NULL: off                             */
    const char *tok, *smooth, *references, *cluster;
    double smooth_value;
    uint64_t squad, draws;
    int stem, lowercase;
    ft_suite suite;              /* what cli_metrics_check made of all this               */
} cli_metrics;

#define CLI_METRICS_DEFAULTS \
    {.smooth = "exp", .squad = 1, .draws = 1000, .cluster = "group", .suite = FT_SUITE_DEFAULTS}

#define CLI_METRICS_OPTIONS(o)                                                                  \
    {"metrics", 0, CLI_TEXT, &(o).list, "NAME,...", 0, 0, 0,                                    \
     "score predictions: bleu,chrf,chrfpp,rouge1,rouge2,rougeL,rougeLsum,em,f1,..."},           \
    {"references", 0, CLI_TEXT, &(o).references, "FILE", 0, 0, 0,                               \
     "a stream with the references, matched by id"},                                            \
    {"tok", 0, CLI_TEXT, &(o).tok, "NAME,...", 0, 0, 0,                                         \
     "words: 13a, intl, char or none for BLEU; unicode for ROUGE"},                             \
    {"smooth", 0, CLI_CHOICE, &(o).smooth, "exp|floor|add-k|none", 0, 0, 0,                     \
     "what BLEU does about orders without a match"},                                            \
    {"smooth-value", 0, CLI_REAL, &(o).smooth_value, "X", 0, 1e6, 0,                            \
     "what floor and add-k add; unless given: 0.1 and 1"},                                      \
    {"stem", 0, CLI_FLAG, &(o).stem, NULL, 0, 0, 0, "ROUGE compares Porter's stems"},           \
    {"squad", 0, CLI_COUNT, &(o).squad, "N", 1, 2, 0, "em and f1 as in SQuAD v1.1 or v2.0"},    \
    {"lowercase", 0, CLI_FLAG, &(o).lowercase, NULL, 0, 0, 0,                                   \
     "BLEU, chrF and labels do not tell A from a"},                                             \
    {"bootstrap", 0, CLI_COUNT, &(o).draws, "N", 0, 1e6, 0,                                     \
     "draws for the 95 % intervals; 0: no intervals"},                                          \
    {"cluster", 0, CLI_TEXT, &(o).cluster, "FIELD", 0, 0, 0,                                    \
     "draw examples with the same FIELD together; none: each by itself"}

/* Makes the suite of the options; misuse ends here, also of these options without --metrics. drawn:
 * without it too something is drawn, and --bootstrap and --cluster are for that. */
void cli_metrics_check(cli_metrics *o, int drawn);

/* Reads `in`, of kind text, to its verified end and prints. scores: NULL, or receives a JSON line
 * {"id", …} for each example. allow_leak: augmented examples are accepted. */
void cli_metrics_run(const cli_metrics *o, ft_reader *in, ft_out *scores, int allow_leak);

/* Prints what was found: metrics_report.c. Intervals: NULL or one for each metric. */
typedef struct cli_metrics_found {
    const double *sums;          /* of all examples, labels behind                          */
    size_t n_labels;
    uint64_t examples;
    size_t refs_least, refs_most;
    size_t n_units;              /* that were drawn                                         */
    int by_cluster;
    double (*interval)[2];
    unsigned without_interval;   /* bits of metrics                                         */
    const char *references;      /* digest, or NULL */
} cli_metrics_found;
void cli_metrics_print(const cli_metrics *o, const ft_reader *in, const cli_metrics_found *f);

#endif
