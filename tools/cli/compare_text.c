/* compare_text.c: the report of ft-compare for people: a table, verdicts, and what they rest on. */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/compare_systems.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- figures ---- */

int cli_compare_decimals(const cli_comparison *t)
{
    double scale = t->r.difference.se;
    int digits;
    if (!(scale > 0))
        scale = fabs(t->r.difference.mean);
    if (!(scale > 0))
        scale = 0.01;
    digits = 1 - (int)floor(log10(scale));
    return digits < 0 ? 0 : digits > 9 ? 9 : digits;
}

const char *cli_compare_p(double p, char out[24])
{
    snprintf(out, 24, isnan(p) ? "none" : p < 0.00005 ? "%.1e" : "%.4f", p);
    return out;
}

static void put_interval(ft_buf *b, double x, double low, double high, int decimals, int sign)
{
    ft_buf_add_fmt(b, sign ? "%+.*f" : "%.*f", decimals, x);
    if (isfinite(low))
        ft_buf_add_fmt(b, sign ? " [%+.*f, %+.*f]" : " [%.*f, %.*f]", decimals, low, decimals,
                       high);
}

static void put_seen(ft_buf *b, const cli_comparison *t)
{
    if (isfinite(t->r.detectable))
        ft_buf_add_fmt(b, ">= %.*f", cli_compare_decimals(t), t->r.detectable);
    else
        ft_buf_add_str(b, "unknown");
}

/* ---- the verdict ---- */

static size_t clusters_needed(double alpha)
{
    size_t n = 2;
    while (pow(2, 1 - (double)n) > alpha)
        n++;
    return n;
}

static void put_difference(ft_buf *b, const cli_compare *c, const cli_comparison *t,
                           const char *how)
{
    const ft_estimate *d = &t->r.difference;
    const char *base = c->systems[0].name;
    int decimals = cli_compare_decimals(t);
    ft_buf_add_fmt(b, "%s is %s than %s by ", t->system->name, how, base);
    if (d->mean >= 0)
        put_interval(b, d->mean, d->low, d->high, decimals, 0);
    else
        put_interval(b, -d->mean, -d->high, -d->low, decimals, 0);
}

static void put_p(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    char p[24];
    ft_buf_add_fmt(b, "p = %s", cli_compare_p(t->p_holm, p));
    if (c->n_tests > 1)
        ft_buf_add_fmt(b, " (Holm over %zu)", c->n_tests);
}

void cli_compare_put_verdict(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    const char *name = t->system->name, *base = c->systems[0].name;
    const ft_estimate *d = &t->r.difference;
    switch (t->verdict) {
    case CLI_BETTER:
    case CLI_WORSE:
        put_difference(b, c, t, t->verdict == CLI_BETTER ? "better" : "worse");
        ft_buf_add_str(b, "; ");
        put_p(b, c, t);
        break;
    case CLI_NOT_SEEN:
        ft_buf_add_fmt(b, "no difference between %s and %s that this test set could see: ", name,
                       base);
        put_interval(b, d->mean, d->low, d->high, cli_compare_decimals(t), 1);
        ft_buf_add_str(b, ", ");
        put_p(b, c, t);
        ft_buf_add_str(b, "; it sees ");
        put_seen(b, t);
        break;
    case CLI_ALL_EQUAL:
        ft_buf_add_fmt(b, "%s and %s have the same score on every example", name, base);
        break;
    case CLI_TOO_FEW:
        ft_buf_add_fmt(b, "%zu %s too few to tell %s from %s; it takes %zu for any difference to "
                       "be seen", t->metric->clusters,
                       t->metric->clusters == 1 ? (t->metric->cluster ? "group is" : "example is")
                       : t->metric->cluster     ? "groups are"
                                                : "examples are",
                       name, base, clusters_needed(c->options.alpha));
    }
}

void cli_compare_put_basis(ft_buf *b, const cli_comparison *t)
{
    const cli_metric *m = t->metric;
    ft_buf_add_fmt(b, "%s is better, %zu example%s", m->lower_is_better ? "lower" : "higher", m->n,
                   m->n == 1 ? "" : "s");
    if (m->cluster)
        ft_buf_add_fmt(b, " in %zu group%s", m->clusters, m->clusters == 1 ? "" : "s");
    if (m->by_targets)
        ft_buf_add_str(b, ", each counted by its targets");
}

/* ---- a table ---- */

enum { COLUMNS = 8 };

/* Characters, not bytes: names may be of any script. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += (*s & 0xc0) != 0x80;
    return n;
}

typedef struct table {
    ft_buf cells;              /* NUL-terminated, row by row */
    size_t rows;
} table;

static void end_cell(table *t)
{
    ft_buf_add_byte(&t->cells, '\0');
}

static void add_cell(table *t, const char *text)
{
    ft_buf_add_str(&t->cells, text);
    end_cell(t);
}

static void print_table(const table *t)
{
    size_t widths[COLUMNS] = {0}, gap = 0;
    const char *cell = (const char *)t->cells.p;
    cli_check(ft_buf_check(&t->cells, cli_err()));
    for (size_t i = 0; i < t->rows * COLUMNS; i++, cell += strlen(cell) + 1)
        if (width_of(cell) > widths[i % COLUMNS])
            widths[i % COLUMNS] = width_of(cell);
    cell = (const char *)t->cells.p;
    for (size_t i = 0; i < t->rows * COLUMNS; i++, cell += strlen(cell) + 1) {
        if (i % COLUMNS == 0)
            gap = 0;
        for (; *cell && gap > 0; gap--)        /* none behind the last text of a line */
            cli_print(" ");
        cli_print("%s%s", cell, i % COLUMNS == COLUMNS - 1 ? "\n" : "");
        gap += widths[i % COLUMNS] + 2 - width_of(cell);
    }
}

static void add_head(table *t)
{
    static const char *const head[COLUMNS] = {"metric", "system", "mean", "difference", "p",
                                              "p Holm", "better/equal/worse", "sees"};
    for (size_t i = 0; i < COLUMNS; i++)
        add_cell(t, head[i]);
    t->rows++;
}

/* A system's mean with the interval that suits it. */
static void add_mean(table *t, const cli_comparison *x, int of_baseline)
{
    const ft_estimate *m = of_baseline ? &x->r.a : &x->r.b;
    int wilson = x->r.binary && !x->metric->cluster;
    double low = of_baseline ? x->r.a_low : x->r.b_low;
    double high = of_baseline ? x->r.a_high : x->r.b_high;
    put_interval(&t->cells, m->mean, wilson ? low : m->low, wilson ? high : m->high,
                 cli_compare_decimals(x), 0);
    end_cell(t);
}

static void add_baseline(table *t, const cli_compare *c, const cli_comparison *x)
{
    add_cell(t, x->metric->name);
    add_cell(t, c->systems[0].name);
    add_mean(t, x, 1);
    for (size_t i = 3; i < COLUMNS; i++)
        add_cell(t, "");
    t->rows++;
}

static void add_system(table *t, const cli_comparison *x)
{
    const ft_estimate *d = &x->r.difference;
    char p[24];
    add_cell(t, "");
    add_cell(t, x->system->name);
    add_mean(t, x, 0);
    put_interval(&t->cells, d->mean, d->low, d->high, cli_compare_decimals(x), 1);
    end_cell(t);
    add_cell(t, cli_compare_p(x->p, p));
    add_cell(t, cli_compare_p(x->p_holm, p));
    ft_buf_add_fmt(&t->cells, "%zu/%zu/%zu", x->r.wins, x->r.ties, x->r.losses);
    end_cell(t);
    put_seen(&t->cells, x);
    end_cell(t);
    t->rows++;
}

/* ---- details ---- */

static void put_tests(ft_buf *b, const ft_comparison *r)
{
    char p[24];
    ft_buf_add_fmt(b, "  p values        %s by randomisation (%zu swaps%s), ",
                   cli_compare_p(r->swaps.p, p), r->swaps.swaps,
                   r->swaps.exact ? ", all there are" : "");
    ft_buf_add_fmt(b, "%s by bootstrap (%zu)", cli_compare_p(r->bootstrap.p, p),
                   r->bootstrap.resamples);
    ft_buf_add_fmt(b, ", %s by t test", cli_compare_p(r->t_p, p));
    if (r->binary)
        ft_buf_add_fmt(b, ", %s by McNemar's", cli_compare_p(r->mcnemar_p, p));
    ft_buf_add_byte(b, '\n');
}

static void put_examples(ft_buf *b, const cli_compare *c, const cli_comparison *t, const char *what,
                         const size_t *list, size_t n)
{
    if (n == 0)
        return;
    ft_buf_add_fmt(b, "  %-16s", what);
    for (size_t i = 0; i < n; i++) {
        ft_buf_add_str(b, i ? ", " : "");
        ft_score_table_put_id(b, ft_score_table_id(c->systems[0].scores,
                                                   t->metric->rows[list[i]]));
        ft_buf_add_fmt(b, " %+.4g", t->difference[list[i]]);
    }
    ft_buf_add_byte(b, '\n');
}

static void put_details(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    const ft_comparison *r = &t->r;
    int decimals = cli_compare_decimals(t);
    ft_buf_add_fmt(b, "\n%s: %s - %s (", t->metric->name, t->system->name, c->systems[0].name);
    cli_compare_put_basis(b, t);
    ft_buf_add_str(b, ")\n");
    if (isfinite(r->difference.se)) {
        ft_buf_add_fmt(b, "  standard error  %.*f", decimals, r->difference.se);
        if (t->metric->cluster)
            ft_buf_add_fmt(b, " with groups, %.*f if examples were independent", decimals,
                           r->difference.se_rows);
        ft_buf_add_byte(b, '\n');
    }
    put_tests(b, r);
    if (isfinite(r->bootstrap.low))
        ft_buf_add_fmt(b, "  by bootstrap    [%+.*f, %+.*f]\n", decimals, r->bootstrap.low,
                       decimals, r->bootstrap.high);
    if (isfinite(r->effect_size))
        ft_buf_add_fmt(b, "  effect size     %+.2f standard deviations of a difference\n",
                       r->effect_size);
    if (r->binary && t->metric->cluster)
        ft_buf_add_str(b, "  note            McNemar's test knows nothing of groups\n");
    if (t->metric->note)
        ft_buf_add_fmt(b, "  note            %s\n", t->metric->note);
    put_examples(b, c, t, "gained most", t->gained, t->n_gained);
    put_examples(b, c, t, "lost most", t->lost, t->n_lost);
}

void cli_compare_text(const cli_compare *c)
{
    table t = {0};
    ft_buf b = {0};
    cli_print("%zu examples", c->rows);
    if (c->groups)
        cli_print(" in %zu groups", c->groups);
    cli_print("; intervals of %g %%; sees: with a power of %g %%\n\n",
              100 * (1 - c->options.alpha), 100 * c->options.power);
    add_head(&t);
    for (size_t i = 0; i < c->n_tests; i++) {
        if (i % (c->n_systems - 1) == 0)
            add_baseline(&t, c, &c->tests[i]);
        add_system(&t, &c->tests[i]);
    }
    print_table(&t);
    ft_buf_add_byte(&b, '\n');
    for (size_t i = 0; i < c->n_tests; i++) {
        ft_buf_add_fmt(&b, "%s: ", c->tests[i].metric->name);
        cli_compare_put_verdict(&b, c, &c->tests[i]);
        ft_buf_add_byte(&b, '\n');
    }
    for (size_t i = 0; i < c->n_tests; i++)
        put_details(&b, c, &c->tests[i]);
    cli_check(ft_buf_check(&b, cli_err()));
    cli_check(ft_out_write(cli_stdout(), b.p, b.n, cli_err()));
    ft_buf_free(&b);
    ft_buf_free(&t.cells);
}
