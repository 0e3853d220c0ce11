/* compare_systems.h: what ft-compare does between its options and its report: reads the score
 * files, joins them with the first, the baseline, tests every metric of every other system, and
 * reaches a verdict. Reports are written from what stands here: compare_text.c, compare_json.c,
 * compare_html.c. All of it ends in cli_fail when it fails.
 *
 *     cli_compare c = {.options = ft_compare_usual, …};
 *     cli_compare_read(&c);
 *     cli_compare_test(&c);
 *     cli_compare_text(&c);
 */
#ifndef FT_COMPARE_SYSTEMS_H
#define FT_COMPARE_SYSTEMS_H

#include "data/score_table.h"
#include "eval/compare.h"

enum { CLI_SYSTEMS_MAX = 16, CLI_TESTS_MAX = 15 * FT_SCORE_COLUMNS_MAX, CLI_SHOWN_MAX = 100 };

typedef struct cli_system {
    char *name;                /* fit to be shown */
    const char *path;
    ft_score_table *scores;
    size_t *row_of;            /* of the baseline's rows; NULL for the baseline itself */
} cli_system;

typedef struct cli_metric {
    char *key;                 /* the field's name          */
    char *name;                /* the same, fit to be shown */
    const char *note;          /* what must be known about it, or NULL */
    int lower_is_better, by_targets;    /* by_targets: a row counts by its targets */
    size_t n;                  /* examples that have it */
    size_t *rows;              /* of the baseline, that have it   */
    double *weight;            /* targets, or NULL                */
    uint32_t *cluster;         /* NULL: no groups                 */
    size_t clusters;
    double *baseline;          /* scores of the rows */
} cli_metric;

enum cli_verdict {
    CLI_BETTER, CLI_WORSE,
    CLI_NOT_SEEN,              /* there may be a difference; this does not show it  */
    CLI_ALL_EQUAL,             /* every single score is the same                    */
    CLI_TOO_FEW                /* no result whatever could have shown a difference  */
};

typedef struct cli_comparison {
    const cli_metric *metric;
    const cli_system *system;
    ft_comparison r;
    double *difference;        /* system - baseline, of metric->rows */
    double p, p_holm;          /* of the test that was chosen        */
    enum cli_verdict verdict;
    size_t gained[CLI_SHOWN_MAX], lost[CLI_SHOWN_MAX];    /* places in metric->rows, most first */
    size_t n_gained, n_lost;
} cli_comparison;

typedef struct cli_compare {
    /* what was asked for */
    ft_compare_options options;
    const char *test;          /* randomisation, bootstrap or t */
    const char *metrics, *lower, *names, *group;
    int unweighted;
    size_t examples;           /* to show on either side */
    /* what came of it */
    cli_system systems[CLI_SYSTEMS_MAX];    /* the first is the baseline */
    size_t n_systems, n_metrics, n_tests, rows, groups;
    cli_metric metrics_of[FT_SCORE_COLUMNS_MAX];
    cli_comparison *tests;     /* metric by metric, system by system */
} cli_compare;

/* Reads all files, joins them, chooses the metrics. c: options, and the paths of the systems. */
void cli_compare_read(cli_compare *c);
void cli_compare_test(cli_compare *c);
void cli_compare_free(cli_compare *c);

/* The verdict as a sentence, without the metric's name. */
void cli_compare_put_verdict(ft_buf *b, const cli_compare *c, const cli_comparison *t);

/* Digits behind the point for the figures of a comparison: its standard error has two figures. */
int cli_compare_decimals(const cli_comparison *t);

/* A p value for people: four digits, small ones as a power. Returns: out. */
const char *cli_compare_p(double p, char out[24]);

/* What a result may be read for: "by targets", "over 12 groups", as a phrase in words. */
void cli_compare_put_basis(ft_buf *b, const cli_comparison *t);

void cli_compare_text(const cli_compare *c);             /* to standard output */
void cli_compare_json(const cli_compare *c);             /* one object, to standard output */
void cli_compare_html(const cli_compare *c, ft_buf *b);  /* a page without anything outside of it */

#endif
