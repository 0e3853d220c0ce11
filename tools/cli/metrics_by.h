/* metrics_by.h: ft-eval --by FIELD: the sums of the examples that have the same value in a field,
 * beside those of all; so one pass gives scores for each label or source. Values are told apart as
 * JSON writes them, "7" and 7 are two; no such field is null. All of it ends in cli_fail when it
 * fails.
 *
 *     cli_by *b = cli_by_new("label", &suite, 1);
 *     cli_by_add(b, record, row, label, n_labels, group);       each example, in order
 *     cli_by_end(b, n_labels);
 *     for (i = 0; i < cli_by_count(b); i++) v = cli_by_value_of(b, i);
 *
 * Memory: a row of sums a value; with at most CLI_BY_DRAWN_MAX values also the units to draw from
 * (eval/bootstrap.h).
 */
#ifndef FT_CLI_METRICS_BY_H
#define FT_CLI_METRICS_BY_H

#include "base/mp.h"
#include "eval/bootstrap.h"
#include "eval/suite.h"

enum { CLI_BY_MAX = 1024,          /* more different values are refused           */
       CLI_BY_DRAWN_MAX = 64 };    /* with more values none of them has intervals */

typedef struct cli_by cli_by;

typedef struct cli_by_value {
    ft_slice json;                 /* the value                       */
    const double *sums;            /* labels behind, n_labels of them */
    const ft_units *units;         /* NULL: no intervals              */
} cli_by_value;

/* s must outlive it. drawn: intervals are wanted. */
cli_by *cli_by_new(const char *field, const ft_suite *s, int drawn);
void cli_by_free(cli_by **b);                       /* accepts NULL, sets NULL */

/* label: NULL, or the numbers of the predicted and the right label, below n_labels. group: what the
 * example is drawn with; n = 0: by itself. labels_drawn: at most so many labels are in units. */
void cli_by_add(cli_by *b, ft_mp record, const double *row, const uint32_t *label, size_t n_labels,
                size_t labels_drawn, ft_slice group);

/* Ends adding: all values get room for n_labels labels, and are put in the order of their JSON. */
void cli_by_end(cli_by *b, size_t n_labels, size_t labels_drawn);
size_t cli_by_count(const cli_by *b);
cli_by_value cli_by_value_of(const cli_by *b, size_t i);

/* Counts a pair of labels in sums of labels (eval/classify.h). */
void cli_count_labels(double *sums, uint32_t predicted, uint32_t reference);

#endif
