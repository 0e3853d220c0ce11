/* metrics_report.c: what ft-eval --metrics prints: scores and intervals, how they were made
 * (signatures), and warnings where a score means less than it seems to. */
#include "base/json.h"
#include "tools/cli/metrics.h"
#include "tools/cli/signatures.h"

#include <string.h>

typedef struct report {
    const cli_metrics *o;
    const cli_metrics_found *f;
    ft_buf out;
} report;

static int has_interval(const report *r, const cli_metrics_scores *s, unsigned m)
{
    return s->drawn && !(r->f->without_interval >> m & 1);
}

/* A score, or null where there is none: of no examples. */
static void put_score(report *r, const cli_metrics_scores *s, unsigned m)
{
    if (s->examples)
        ft_json_put_double(&r->out, s->score[m]);
    else
        ft_buf_add_str(&r->out, "null");
}

/* What stands before the lines of a value of --by: "by<TAB>field<TAB>value<TAB>". */
static void put_value(report *r, const cli_metrics_scores *s)
{
    if (s->value.n == 0)
        return;
    ft_buf_add_str(&r->out, "by\t");
    ft_json_put_string(&r->out, r->o->by, strlen(r->o->by));
    ft_buf_add_byte(&r->out, '\t');
    ft_buf_add(&r->out, s->value.p, s->value.n);
    ft_buf_add_byte(&r->out, '\t');
}

/* Lines "name<TAB>score<TAB>low<TAB>high". */
static void put_lines(report *r, const cli_metrics_scores *s)
{
    for (unsigned m = 0; m < FT_METRICS; m++) {
        if (!ft_suite_has(&r->o->suite, (enum ft_metric)m))
            continue;
        put_value(r, s);
        ft_buf_add_fmt(&r->out, "%s\t", ft_metric_name((enum ft_metric)m));
        put_score(r, s, m);
        for (unsigned k = 0; k < 2 && has_interval(r, s, m); k++) {
            ft_buf_add_byte(&r->out, '\t');
            ft_json_put_double(&r->out, s->interval[m][k]);
        }
        ft_buf_add_byte(&r->out, '\n');
    }
    put_value(r, s);
    ft_buf_add_fmt(&r->out, "examples\t%llu\n", (unsigned long long)s->examples);
}

/* ---- signatures ---- */

static void put_refs(report *r)
{
    const cli_metrics_found *f = r->f;
    if (f->refs_most == f->refs_least)
        ft_buf_add_fmt(&r->out, "nrefs:%zu|", f->refs_most);
    else
        ft_buf_add_str(&r->out, f->of[0].examples ? "nrefs:var|" : "nrefs:0|");
    ft_buf_add_fmt(&r->out, "case:%s|", r->o->lowercase ? "lc" : "mixed");
}

/* As sacrebleu 2.6.0 writes them, to whose numbers ours are equal. */
static void put_bleu_signature(report *r)
{
    static const char *const toks[] = {"13a", "intl", "char", "none"};
    const ft_bleu_settings *b = &r->o->suite.bleu;
    ft_buf_add_str(&r->out, ",\"bleu\":\"");
    put_refs(r);
    ft_buf_add_fmt(&r->out, "eff:no|tok:%s|smooth:%s", toks[b->tok], r->o->smooth);
    if (b->smooth == FT_BLEU_FLOOR || b->smooth == FT_BLEU_ADD_K)
        ft_buf_add_fmt(&r->out, "[%.2f]", b->smooth_value);
    ft_buf_add_str(&r->out, "|version:2.6.0\"");
}

static void put_chrf_signature(report *r, const char *name, const ft_chrf_settings *c)
{
    ft_buf_add_fmt(&r->out, ",\"%s\":\"", name);
    put_refs(r);
    ft_buf_add_fmt(&r->out, "eff:%s|nc:%u|nw:%u|space:%s|", c->epsilon ? "no" : "yes", c->chars,
                   c->words, c->white_space ? "yes" : "no");
    if (c->beta != 2)                  /* sacrebleu says it in the name: chrF3 */
        ft_buf_add_fmt(&r->out, "beta:%u|", c->beta);
    ft_buf_add_str(&r->out, "version:2.6.0\"");
}

static void put_signatures(report *r, const ft_reader *in)
{
    const ft_suite *s = &r->o->suite;
    ft_buf_add_fmt(&r->out, "\"signatures\":{\"program\":\"ft-eval %s\"", FT_VERSION);
    if (ft_suite_has(s, FT_METRIC_BLEU))
        put_bleu_signature(r);
    if (ft_suite_has(s, FT_METRIC_CHRF))
        put_chrf_signature(r, "chrf", &s->chrf);
    if (ft_suite_has(s, FT_METRIC_CHRFPP))
        put_chrf_signature(r, "chrfpp", &s->chrfpp);
    for (unsigned m = FT_METRIC_ROUGE1; m <= FT_METRIC_ROUGELSUM; m++)
        if (ft_suite_has(s, (enum ft_metric)m))
            ft_buf_add_fmt(&r->out, ",\"%s\":\"tok:%s|stem:%s|average:mean|version:0.1.2\"",
                           ft_metric_name((enum ft_metric)m),
                           s->rouge.unicode ? "unicode" : "ascii", s->rouge.stem ? "yes" : "no");
    for (unsigned m = FT_METRIC_EM; m <= FT_METRIC_F1; m++)
        if (ft_suite_has(s, (enum ft_metric)m))
            ft_buf_add_fmt(&r->out, ",\"%s\":\"squad:%s\"", ft_metric_name((enum ft_metric)m),
                           s->squad_version == 2 ? "2.0" : "1.1");
    if (r->f->of[0].drawn)
        cli_put_drawn(&r->out, r->o->draws, r->f->n_units,
                      r->f->by_cluster ? r->o->cluster : NULL);
    cli_put_data(&r->out, in, r->f->references);
    ft_buf_add_byte(&r->out, '}');
}

/* Members of an object, a comma behind the last: scores, examples, intervals. */
static void put_members(report *r, const cli_metrics_scores *s)
{
    const char *comma = "";
    for (unsigned m = 0; m < FT_METRICS; m++) {
        if (!ft_suite_has(&r->o->suite, (enum ft_metric)m))
            continue;
        ft_buf_add_fmt(&r->out, "\"%s\":", ft_metric_name((enum ft_metric)m));
        put_score(r, s, m);
        ft_buf_add_byte(&r->out, ',');
    }
    ft_buf_add_fmt(&r->out, "\"examples\":%llu,\"intervals\":{",
                   (unsigned long long)s->examples);
    for (unsigned m = 0; m < FT_METRICS; m++) {
        if (!ft_suite_has(&r->o->suite, (enum ft_metric)m) || !has_interval(r, s, m))
            continue;
        ft_buf_add_fmt(&r->out, "%s\"%s\":{\"low\":", comma, ft_metric_name((enum ft_metric)m));
        ft_json_put_double(&r->out, s->interval[m][0]);
        ft_buf_add_str(&r->out, ",\"high\":");
        ft_json_put_double(&r->out, s->interval[m][1]);
        ft_buf_add_byte(&r->out, '}');
        comma = ",";
    }
    ft_buf_add_str(&r->out, "},");
}

/* "by": {"field": …, "values": [{"value": …, members of a value}, …]} */
static void put_by(report *r)
{
    ft_buf_add_str(&r->out, "\"by\":{\"field\":");
    ft_json_put_string(&r->out, r->o->by, strlen(r->o->by));
    ft_buf_add_str(&r->out, ",\"values\":[");
    for (size_t i = 1; i <= r->f->n_values; i++) {
        ft_buf_add_str(&r->out, i > 1 ? ",{\"value\":" : "{\"value\":");
        ft_buf_add(&r->out, r->f->of[i].value.p, r->f->of[i].value.n);
        ft_buf_add_byte(&r->out, ',');
        put_members(r, &r->f->of[i]);
        r->out.n--;                              /* the comma */
        ft_buf_add_byte(&r->out, '}');
    }
    ft_buf_add_str(&r->out, "]},");
}

static void put_object(report *r, const ft_reader *in)
{
    ft_buf_add_byte(&r->out, '{');
    put_members(r, &r->f->of[0]);
    if (r->o->by)
        put_by(r);
    put_signatures(r, in);
    ft_buf_add_str(&r->out, "}\n");
}

/* ---- warnings ---- */

static void warn(const report *r)
{
    const double *sums = r->f->sums, rows = sums[FT_SUM_ROWS];
    const ft_suite *s = &r->o->suite;
    int bleu = ft_suite_has(s, FT_METRIC_BLEU);
    const cli_metrics_scores *all = &r->f->of[0];
    if (all->examples == 0)
        cli_warn("no examples: there are no scores");
    else if (bleu && rows < 100)
        cli_warn("bleu of %.0f examples: under 100 it says little; chrf or em say more", rows);
    if (bleu && sums[FT_SUM_SHORT] > rows / 10)
        cli_warn("%.0f of %.0f predictions have under 4 tokens, which no 4-gram fits into: bleu "
                 "says little about them; chrf or em say more", sums[FT_SUM_SHORT], rows);
    if (!s->rouge.unicode && sums[FT_SUM_DROPPED] > sums[FT_SUM_LETTERS] / 5)
        cli_warn("rouge leaves out %.0f %% of the letters, which are not a-z; --tok unicode takes "
                 "them", 100 * sums[FT_SUM_DROPPED] / sums[FT_SUM_LETTERS]);
    if (r->f->without_interval && all->drawn)
        cli_warn("too many labels for intervals of macro_f1, micro_f1 and mcc");
    if (all->drawn && r->f->n_units < 30)
        cli_warn("intervals from %zu %s are rough", r->f->n_units,
                 r->f->by_cluster ? "groups" : "examples");
    if (all->drawn && r->f->n_values && !r->f->of[1].drawn)
        cli_warn("%zu values of %s are too many for intervals of each", r->f->n_values, r->o->by);
}

void cli_metrics_print(const cli_metrics *o, const ft_reader *in, const cli_metrics_found *f)
{
    report r = {.o = o, .f = f};
    if (cli_json())
        put_object(&r, in);
    else
        for (size_t i = 0; i <= f->n_values; i++)
            put_lines(&r, &f->of[i]);
    cli_check(ft_buf_check(&r.out, cli_err()));
    cli_check(ft_out_write(cli_stdout(), r.out.p, r.out.n, cli_err()));
    ft_buf_free(&r.out);
    warn(&r);
}
