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
    const char *by;              /* field whose values are scored besides; NULL: none     */
    double smooth_value;
    uint64_t squad, draws, chrf_chars, chrf_words, chrf_beta;
    int stem, lowercase, chrf_space, chrf_epsilon;
    ft_suite suite;              /* what cli_metrics_check made of all this               */
} cli_metrics;

#define CLI_METRICS_DEFAULTS \
    {.smooth = "exp", .squad = 1, .draws = 1000, .cluster = "group", .chrf_chars = 6,            \
     .chrf_beta = 2, .suite = FT_SUITE_DEFAULTS}

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
    {"chrf-char-order", 0, CLI_COUNT, &(o).chrf_chars, "N", 1, FT_CHRF_CHARS_MAX, 0,            \
     "longest n-grams of characters in chrf and chrfpp"},                                       \
    {"chrf-word-order", 0, CLI_COUNT, &(o).chrf_words, "N", 0, FT_CHRF_WORDS_MAX, 0,            \
     "longest n-grams of words in chrf; chrfpp has 2"},                                         \
    {"chrf-beta", 0, CLI_COUNT, &(o).chrf_beta, "N", 1, 1000, 0,                                \
     "recall counts N times as much as precision in chrf and chrfpp"},                          \
    {"chrf-whitespace", 0, CLI_FLAG, &(o).chrf_space, NULL, 0, 0, 0,                            \
     "white space is characters, too, in chrf and chrfpp"},                                     \
    {"chrf-eps-smoothing", 0, CLI_FLAG, &(o).chrf_epsilon, NULL, 0, 0, 0,                       \
     "average F over all orders, as chrF++.py does"},                                           \
    {"stem", 0, CLI_FLAG, &(o).stem, NULL, 0, 0, 0, "ROUGE compares Porter's stems"},           \
    {"squad", 0, CLI_COUNT, &(o).squad, "N", 1, 2, 0, "em and f1 as in SQuAD v1.1 or v2.0"},    \
    {"lowercase", 0, CLI_FLAG, &(o).lowercase, NULL, 0, 0, 0,                                   \
     "BLEU, chrF and labels do not tell A from a"},                                             \
    {"by", 0, CLI_TEXT, &(o).by, "FIELD", 0, 0, 0,                                              \
     "scores for each value of FIELD, too, such as label or source"},                           \
    {"bootstrap", 0, CLI_COUNT, &(o).draws, "N", 0, 1e6, 0,                                     \
     "draws for the 95 % intervals; 0: no intervals"},                                          \
    {"cluster", 0, CLI_TEXT, &(o).cluster, "FIELD", 0, 0, 0,                                    \
     "draw examples with the same FIELD together; none: each by itself"}

/* The options that go with --metrics alone; NULL ends them. */
extern const char *const cli_metrics_of_text[];

/* Makes the suite of the options; misuse ends here, also of these options without --metrics. drawn:
 * without it too something is drawn, and --bootstrap and --cluster are for that. */
void cli_metrics_check(cli_metrics *o, int drawn);

/* Reads `in`, of kind text, to its verified end and prints. scores: NULL, or receives a JSON line
 * {"id", …} for each example. allow_leak: augmented examples are accepted. */
void cli_metrics_run(const cli_metrics *o, ft_reader *in, ft_out *scores, int allow_leak);

typedef struct cli_metrics_scores {
    ft_slice value;              /* of --by, as JSON */
    uint64_t examples;
    int drawn;                   /* whether there are intervals */
    double score[FT_METRICS], interval[FT_METRICS][2];
} cli_metrics_scores;

/* Prints what was found: metrics_report.c. */
typedef struct cli_metrics_found {
    const double *sums;          /* of all examples */
    cli_metrics_scores *of;      /* all, then each value of --by                            */
    size_t n_values;
    size_t refs_least, refs_most;
    size_t n_units;              /* that were drawn                                         */
    int by_cluster;
    unsigned without_interval;   /* bits of metrics                                         */
    const char *references;      /* digest, or NULL */
} cli_metrics_found;
void cli_metrics_print(const cli_metrics *o, const ft_reader *in, const cli_metrics_found *f);

#endif
