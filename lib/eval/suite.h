/* suite.h: several metrics of the same predictions at once. A prediction and its references become
 * a row of sums; rows add up to those of a corpus, of a group, or of a bootstrap draw; from any
 * such sums come the scores. So one pass over the data gives scores and intervals.
 *
 *     ft_suite s = FT_SUITE_DEFAULTS;
 *     ft_suite_parse(&s, "bleu,rougeL,em", e);  ft_suite_plan(&s);
 *     ft_scorer_new(&w, &s, e);                               // one a thread
 *     ft_scorer_segment(w, prediction, references, n, row, e);    // s.width doubles
 *     … total += row …
 *     ft_suite_scores(&s, total, 0, scores);                  // scores[FT_METRIC_BLEU] …
 *
 * Sums of labels stand behind those of the row, 3 for each label (classify.h), and are added by
 * the caller, who numbers the labels.
 */
#ifndef FT_SUITE_H
#define FT_SUITE_H

#include "base/buf.h"
#include "base/err.h"
#include "eval/bleu.h"
#include "eval/chrf.h"
#include "eval/rouge.h"

enum ft_metric {
    FT_METRIC_BLEU, FT_METRIC_CHRF, FT_METRIC_CHRFPP,            /* 0..100                    */
    FT_METRIC_ROUGE1, FT_METRIC_ROUGE2, FT_METRIC_ROUGEL, FT_METRIC_ROUGELSUM,   /* 0..1       */
    FT_METRIC_EM, FT_METRIC_F1,                                  /* 0..100, as SQuAD's scripts */
    FT_METRIC_ACCURACY, FT_METRIC_MACRO_F1, FT_METRIC_MICRO_F1,  /* 0..1                       */
    FT_METRIC_MCC,                                               /* -1..1                      */
    FT_METRIC_ECE, FT_METRIC_BRIER,                              /* 0..1 and 0..2: less is better */
    FT_METRICS
};

const char *ft_metric_name(enum ft_metric m);    /* "bleu", "rougeLsum", "macro_f1", … */

/* Sums that stand first in every row. */
enum { FT_SUM_ROWS,            /* 1                                                       */
       FT_SUM_SHORT,           /* 1 when the hypothesis has under 4 tokens (with BLEU)    */
       FT_SUM_LETTERS,         /* of prediction and references (with ROUGE)               */
       FT_SUM_DROPPED,         /* those of them that ROUGE's words leave out              */
       FT_SUMS_FIRST };

typedef struct ft_suite {
    unsigned metrics;          /* bits 1 << FT_METRIC_* */
    ft_bleu_settings bleu;
    ft_chrf_settings chrf, chrfpp;
    ft_rouge_settings rouge;
    int squad_version;         /* 1 or 2                                      */
    int lowercase;             /* labels; BLEU and chrF have their own         */
    size_t at[FT_METRICS];     /* where a metric's sums are (ft_suite_plan)   */
    size_t width;              /* of a row                                    */
} ft_suite;
#define FT_SUITE_DEFAULTS {.chrf = FT_CHRF_DEFAULTS, .squad_version = 1, \
                           .chrfpp = {.chars = 6, .words = 2, .beta = 2}}

/* Adds the metrics of a list such as "bleu,rougeL". Errors: FT_ERR_USAGE naming the word. */
int ft_suite_parse(ft_suite *s, const char *list, ft_err *e) FT_MUST_CHECK;
void ft_suite_plan(ft_suite *s);
int ft_suite_has(const ft_suite *s, enum ft_metric m);
int ft_suite_wants_labels(const ft_suite *s);    /* counts of labels: macro_f1, micro_f1, mcc */

/* Scores of sums with n_labels labels behind the row; of metrics that are not in the suite and
 * of no rows: 0. effective_order: of BLEU, for single sentences. */
void ft_suite_scores(const ft_suite *s, const double *sums, size_t n_labels, int effective_order,
                     double scores[FT_METRICS]);

typedef struct ft_scorer ft_scorer;

/* s must outlive the scorer. Owns: the caller, ft_scorer_free (accepts NULL, sets NULL). */
int ft_scorer_new(ft_scorer **w, const ft_suite *s, ft_err *e) FT_MUST_CHECK;
void ft_scorer_free(ft_scorer **w);

/* The row of one prediction; n_refs > 0. Calibration (ECE, Brier) is left at 0 for the caller. */
int ft_scorer_segment(ft_scorer *w, ft_slice prediction, const ft_slice *refs, size_t n_refs,
                      double *row, ft_err *e) FT_MUST_CHECK;

/* A label without white space around it, lower-cased when the suite says so; valid until the next
 * call with the same `which` (0 or 1). */
int ft_scorer_label(ft_scorer *w, ft_slice text, int which, ft_slice *label,
                    ft_err *e) FT_MUST_CHECK;

#endif
