#include "eval/suite.h"

#include "base/mem.h"
#include "eval/classify.h"
#include "eval/squad.h"
#include "text/points.h"

#include <string.h>

#define BIT(m) (1u << (m))
#define ROUGES (BIT(FT_METRIC_ROUGE1) | BIT(FT_METRIC_ROUGE2) | BIT(FT_METRIC_ROUGEL) | \
                BIT(FT_METRIC_ROUGELSUM))
#define SQUAD (BIT(FT_METRIC_EM) | BIT(FT_METRIC_F1))
#define LABELS (BIT(FT_METRIC_MACRO_F1) | BIT(FT_METRIC_MICRO_F1) | BIT(FT_METRIC_MCC))
#define CALIBRATION (BIT(FT_METRIC_ECE) | BIT(FT_METRIC_BRIER))

static const char *const names[FT_METRICS] = {
    "bleu", "chrf", "chrfpp", "rouge1", "rouge2", "rougeL", "rougeLsum", "em", "f1", "accuracy",
    "macro_f1", "micro_f1", "mcc", "ece", "brier"};

const char *ft_metric_name(enum ft_metric m)
{
    return names[m];
}

int ft_suite_parse(ft_suite *s, const char *list, ft_err *e)
{
    for (const char *p = list, *end;; p = end + 1) {
        size_t n, m = 0;
        end = p + strcspn(p, ",");
        n = (size_t)(end - p);
        while (m < FT_METRICS && (strlen(names[m]) != n || memcmp(names[m], p, n) != 0))
            m++;
        if (m == FT_METRICS)
            return ft_err_set(e, FT_ERR_USAGE, "\"%.*s\" is not one of bleu, chrf, chrfpp, rouge1, "
                              "rouge2, rougeL, rougeLsum, em, f1, accuracy, macro_f1, micro_f1, "
                              "mcc, ece, brier", (int)(n < 40 ? n : 40), p);
        s->metrics |= BIT(m);
        if (*end == 0)
            return 0;
    }
}

static size_t sums_of(const ft_suite *s, size_t m)
{
    switch (m) {
    case FT_METRIC_BLEU: return FT_BLEU_SUMS;
    case FT_METRIC_CHRF: return ft_chrf_sums(&s->chrf);
    case FT_METRIC_CHRFPP: return ft_chrf_sums(&s->chrfpp);
    case FT_METRIC_MACRO_F1: case FT_METRIC_MICRO_F1: case FT_METRIC_MCC: return 0;
    case FT_METRIC_ECE: return FT_CALIBRATION_SUMS;
    case FT_METRIC_BRIER: return 0;
    default: return 1;
    }
}

/* ECE and Brier share their sums. */
void ft_suite_plan(ft_suite *s)
{
    s->width = FT_SUMS_FIRST;
    for (size_t m = 0; m < FT_METRICS; m++) {
        s->at[m] = s->width;
        if (s->metrics & (m == FT_METRIC_ECE ? CALIBRATION : BIT(m)))
            s->width += sums_of(s, m);
    }
    s->at[FT_METRIC_BRIER] = s->at[FT_METRIC_ECE];
}

int ft_suite_has(const ft_suite *s, enum ft_metric m)
{
    return (s->metrics & BIT(m)) != 0;
}

int ft_suite_wants_labels(const ft_suite *s)
{
    return (s->metrics & LABELS) != 0;
}

void ft_suite_scores(const ft_suite *s, const double *sums, size_t n_labels, int effective_order,
                     double scores[FT_METRICS])
{
    double rows = sums[FT_SUM_ROWS];
    ft_classified c = {0};
    memset(scores, 0, FT_METRICS * sizeof *scores);
    if (!(rows > 0))
        return;
    if (s->metrics & BIT(FT_METRIC_BLEU))
        scores[FT_METRIC_BLEU] =
            ft_bleu_score(&s->bleu, sums + s->at[FT_METRIC_BLEU], effective_order);
    if (s->metrics & BIT(FT_METRIC_CHRF))
        scores[FT_METRIC_CHRF] = ft_chrf_score(&s->chrf, sums + s->at[FT_METRIC_CHRF]);
    if (s->metrics & BIT(FT_METRIC_CHRFPP))
        scores[FT_METRIC_CHRFPP] = ft_chrf_score(&s->chrfpp, sums + s->at[FT_METRIC_CHRFPP]);
    for (size_t m = FT_METRIC_ROUGE1; m <= FT_METRIC_ACCURACY; m++)
        if (s->metrics & BIT(m))
            scores[m] = sums[s->at[m]] / rows;
    if (s->metrics & LABELS)
        ft_classify(sums + s->width, n_labels, rows, &c);
    scores[FT_METRIC_MACRO_F1] = c.macro_f1;
    scores[FT_METRIC_MICRO_F1] = c.micro_f1;
    scores[FT_METRIC_MCC] = c.mcc;
    if (s->metrics & CALIBRATION) {
        scores[FT_METRIC_ECE] = ft_calibration_error(sums + s->at[FT_METRIC_ECE], rows);
        scores[FT_METRIC_BRIER] = sums[s->at[FT_METRIC_BRIER]] / rows;
    }
}

/* ---- one prediction ---- */

struct ft_scorer {
    const ft_suite *s;
    ft_bleu *bleu;
    ft_chrf *chrf, *chrfpp;    /* chrf: where chrfpp does not give it, too */
    ft_rouge *rouge;
    ft_squad *squad;
    ft_points points;
    ft_buf labels[2];
};

int ft_scorer_new(ft_scorer **w, const ft_suite *s, ft_err *e)
{
    unsigned m = s->metrics;
    ft_scorer *x = *w = ft_new(1, sizeof **w, e);
    if (!x)
        return FT_ERR_NOMEM;
    x->s = s;
    if (((m & BIT(FT_METRIC_BLEU)) && ft_bleu_new(&x->bleu, &s->bleu, e) < 0) ||
        ((m & BIT(FT_METRIC_CHRFPP)) && ft_chrf_new(&x->chrfpp, &s->chrfpp, e) < 0) ||
        ((m & BIT(FT_METRIC_CHRF)) && (!x->chrfpp || s->chrf.words > 0) &&
         ft_chrf_new(&x->chrf, &s->chrf, e) < 0) ||
        ((m & ROUGES) && ft_rouge_new(&x->rouge, &s->rouge, e) < 0) ||
        ((m & SQUAD) && ft_squad_new(&x->squad, e) < 0)) {
        ft_scorer_free(w);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_scorer_free(ft_scorer **w)
{
    if (!*w)
        return;
    ft_bleu_free(&(*w)->bleu);
    ft_chrf_free(&(*w)->chrf);
    ft_chrf_free(&(*w)->chrfpp);
    ft_rouge_free(&(*w)->rouge);
    ft_squad_free(&(*w)->squad);
    ft_points_free(&(*w)->points);
    ft_buf_free(&(*w)->labels[0]);
    ft_buf_free(&(*w)->labels[1]);
    ft_free(*w);
    *w = NULL;
}

int ft_scorer_label(ft_scorer *w, ft_slice text, int which, ft_slice *label, ft_err *e)
{
    ft_buf *b = &w->labels[which];
    size_t skip;
    if (w->s->lowercase) {
        ft_buf_clear(b);
        if (ft_lower(text.p, text.n, &w->points, b, e) < 0)
            return FT_ERR_NOMEM;
        text = (ft_slice){b->p, b->n};
    }
    while ((skip = ft_space_at(text.p, text.n)) > 0) {
        text.p += skip;
        text.n -= skip;
    }
    text.n = ft_rstrip(text.p, text.n);
    *label = text;
    return 0;
}

static int is_right(ft_scorer *w, ft_slice prediction, const ft_slice *refs, size_t n_refs,
                    double *right, ft_err *e)
{
    ft_slice a, b;
    *right = 0;
    if (ft_scorer_label(w, prediction, 0, &a, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n_refs; i++) {
        if (ft_scorer_label(w, refs[i], 1, &b, e) < 0)
            return FT_ERR_NOMEM;
        if (a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0))
            *right = 1;
    }
    return 0;
}

static int add_chrf(ft_scorer *w, ft_slice prediction, const ft_slice *refs, size_t n_refs,
                    double *row, ft_err *e)
{
    double *chrf = row + w->s->at[FT_METRIC_CHRF], *chrfpp = row + w->s->at[FT_METRIC_CHRFPP];
    int both = ft_suite_has(w->s, FT_METRIC_CHRF) && !w->chrf, rc = 0;
    if (w->chrfpp)
        rc = ft_chrf_segment(w->chrfpp, prediction, refs, n_refs, chrfpp, both ? chrf : NULL, e);
    if (rc == 0 && w->chrf)
        rc = ft_chrf_segment(w->chrf, prediction, refs, n_refs, chrf, NULL, e);
    return rc;
}

static int add_rouge(ft_scorer *w, ft_slice prediction, const ft_slice *refs, size_t n_refs,
                     double *row, ft_err *e)
{
    unsigned types = (w->s->metrics & ROUGES) >> FT_METRIC_ROUGE1;
    double f[FT_ROUGE_TYPES];
    ft_rouge_letters letters = {0};
    int rc = ft_rouge_segment(w->rouge, types, prediction, refs, n_refs, f, &letters, e);
    for (size_t k = 0; rc == 0 && k < FT_ROUGE_TYPES; k++)
        if (types & BIT(k))
            row[w->s->at[FT_METRIC_ROUGE1 + k]] = f[k];
    row[FT_SUM_LETTERS] = (double)(letters.kept + letters.dropped);
    row[FT_SUM_DROPPED] = (double)letters.dropped;
    return rc;
}

int ft_scorer_segment(ft_scorer *w, ft_slice prediction, const ft_slice *refs, size_t n_refs,
                      double *row, ft_err *e)
{
    const ft_suite *s = w->s;
    double *bleu = row + s->at[FT_METRIC_BLEU], em, f1;
    int rc;
    memset(row, 0, s->width * sizeof *row);
    row[FT_SUM_ROWS] = 1;
    if (w->bleu) {
        if ((rc = ft_bleu_segment(w->bleu, prediction, refs, n_refs, bleu, e)) < 0)
            return rc;
        row[FT_SUM_SHORT] = bleu[0] < 4;
    }
    if ((rc = add_chrf(w, prediction, refs, n_refs, row, e)) < 0)
        return rc;
    if (w->rouge && (rc = add_rouge(w, prediction, refs, n_refs, row, e)) < 0)
        return rc;
    if (w->squad) {
        rc = ft_squad_segment(w->squad, s->squad_version, prediction, refs, n_refs, &em, &f1, e);
        if (rc < 0)
            return rc;
        if (ft_suite_has(s, FT_METRIC_EM))
            row[s->at[FT_METRIC_EM]] = em;
        if (ft_suite_has(s, FT_METRIC_F1))
            row[s->at[FT_METRIC_F1]] = f1;
    }
    if (ft_suite_has(s, FT_METRIC_ACCURACY))
        return is_right(w, prediction, refs, n_refs, row + s->at[FT_METRIC_ACCURACY], e);
    return 0;
}
