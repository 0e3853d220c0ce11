/* compare_html.c: the report of ft-compare as a page with pictures: differences with their
 * intervals, how many examples got better and worse, and by how much. */
#include "base/json.h"
#include "base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/compare_systems.h"
#include "tools/cli/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BINS_MAX = 64, BINS_WANTED = 21 };

/* What was put into `said` goes out escaped; said is emptied. */
static void put_said(ft_buf *b, ft_buf *said)
{
    cli_check(ft_buf_check(said, cli_err()));
    cli_xml_text(b, said->p, said->n, 0);
    ft_buf_clear(said);
}

/* ---- the table ---- */

static void put_cell(ft_buf *b, double x, int decimals, int sign)
{
    ft_buf_add_str(b, "<td class=\"n\">");
    if (isfinite(x))
        ft_buf_add_fmt(b, sign ? "%+.*f" : "%.*f", decimals, x);
    ft_buf_add_str(b, "</td>");
}

static void put_row(ft_buf *b, const cli_comparison *t)
{
    const ft_comparison *r = &t->r;
    int decimals = cli_compare_decimals(t);
    char p[24];
    ft_buf_add_str(b, "<tr><td>");
    cli_xml_str(b, t->metric->name);
    ft_buf_add_str(b, "</td><td>");
    cli_xml_str(b, t->system->name);
    ft_buf_add_str(b, "</td>");
    put_cell(b, r->a.mean, decimals, 0);
    put_cell(b, r->b.mean, decimals, 0);
    put_cell(b, r->difference.mean, decimals, 1);
    put_cell(b, r->difference.low, decimals, 1);
    put_cell(b, r->difference.high, decimals, 1);
    ft_buf_add_fmt(b, "<td class=\"n\">%s</td>", cli_compare_p(t->p, p));
    ft_buf_add_fmt(b, "<td class=\"n\">%s</td>", cli_compare_p(t->p_holm, p));
    put_cell(b, r->detectable, decimals, 0);
    ft_buf_add_str(b, "</tr>\n");
}

static void put_table(ft_buf *b, const cli_compare *c)
{
    ft_buf_add_str(b, "<table><tr><th>metric</th><th>system</th><th class=\"n\">");
    cli_xml_str(b, c->systems[0].name);
    ft_buf_add_fmt(b, "</th><th class=\"n\">system</th><th class=\"n\">difference</th>"
                   "<th class=\"n\">from</th><th class=\"n\">to</th><th class=\"n\">p</th>"
                   "<th class=\"n\">p (Holm over %zu)</th><th class=\"n\">sees from</th></tr>\n",
                   c->n_tests);
    for (size_t i = 0; i < c->n_tests; i++)
        put_row(b, &c->tests[i]);
    ft_buf_add_fmt(b, "</table>\n<p class=\"note\">%zu examples", c->rows);
    if (c->groups)
        ft_buf_add_fmt(b, " in %zu groups", c->groups);
    ft_buf_add_fmt(b, ". Intervals of %g %%, each for itself. p by %s. A difference of the size in "
                   "the last column is found with a probability of %g %%.</p>\n",
                   100 * (1 - c->options.alpha),
                   strcmp(c->test, "t") == 0 ? "t test" : c->test, 100 * c->options.power);
}

/* ---- pictures ---- */

static void put_intervals(ft_buf *b, const cli_comparison *tests, size_t n)
{
    cli_bar rows[CLI_SYSTEMS_MAX];
    cli_chart chart = {.title = "Difference to the baseline",
                       .desc = "A point and an interval for each system; the line is no difference",
                       .x = tests[0].metric->lower_is_better ? "difference (left is better)"
                                                             : "difference (right is better)"};
    for (size_t i = 0; i < n; i++)
        rows[i] = (cli_bar){cli_label(tests[i].system->name), tests[i].r.difference.mean,
                            tests[i].r.difference.low, tests[i].r.difference.high};
    cli_svg_intervals(b, &chart, rows, n, 0);
}

/* One part of a row that shows all examples. */
static double put_part(ft_buf *b, double x, double y, double width, const char *fill, size_t n,
                       const char *what)
{
    if (n == 0)
        return x;
    ft_buf_add_fmt(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"17\" fill=\"%s\"><title>"
                   "%zu %s</title></rect>\n", x, y, width, fill, n, what);
    if (width > 30)
        ft_buf_add_fmt(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#fff\">%zu"
                       "</text>\n", x + width / 2, y + 13, n);
    return x + width;
}

static void put_outcomes(ft_buf *b, const cli_comparison *tests, size_t n)
{
    const double left = 200, right = 620;
    double height = 40 + 24 * (double)n;
    ft_buf_add_fmt(b, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
                   "viewBox=\"0 0 640 %g\" width=\"640\" height=\"%g\" fill=\"currentColor\" "
                   "font-family=\"system-ui,sans-serif\" font-size=\"12\">\n"
                   "<title>Examples that got better, stayed equal, got worse</title>\n"
                   "<text x=\"4\" y=\"18\" font-size=\"14\" font-weight=\"600\">"
                   "Better, equal, worse</text>\n", height, height);
    for (size_t i = 0; i < n; i++) {
        const ft_comparison *r = &tests[i].r;
        double y = 32 + 24 * (double)i, x = left;
        double each = (right - left) / (double)tests[i].metric->n;
        ft_buf_add_fmt(b, "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">", left - 8, y + 13);
        cli_xml_text(b, tests[i].system->name, strlen(tests[i].system->name), 26);
        ft_buf_add_str(b, "</text>\n");
        x = put_part(b, x, y, each * (double)r->wins, "#2f9a75", r->wins, "better");
        x = put_part(b, x, y, each * (double)r->ties, "#6f7b8a", r->ties, "equal");
        (void)put_part(b, x, y, each * (double)r->losses, "#d9772b", r->losses, "worse");
    }
    ft_buf_add_str(b, "</svg>\n");
}

/* Bins of a round width, one of which has 0 in its middle: equal scores stand apart. */
static size_t make_bins(const cli_comparison *t, double *edges, double *counts)
{
    double low = 0, high = 0, width, first;
    size_t n;
    for (size_t i = 0; i < t->metric->n; i++) {
        low = fmin(low, t->difference[i]);
        high = fmax(high, t->difference[i]);
    }
    if (!(high - low > 1e-300))
        return 0;
    width = pow(10, ceil(log10((high - low) / BINS_WANTED)));
    width *= (high - low) / width < BINS_WANTED / 5.0   ? 0.2
             : (high - low) / width < BINS_WANTED / 2.0 ? 0.5
                                                        : 1;
    first = floor(low / width + 0.5);
    n = (size_t)(floor(high / width + 0.5) - first) + 1;
    if (n > BINS_MAX)
        return 0;
    for (size_t i = 0; i <= n; i++)
        edges[i] = (first + (double)i - 0.5) * width;
    for (size_t i = 0; i < t->metric->n; i++) {
        double bin = floor(t->difference[i] / width + 0.5) - first;
        if (bin >= 0 && bin < (double)n)
            counts[(size_t)bin]++;
    }
    return n;
}

static void put_histogram(ft_buf *b, const cli_compare *c, const cli_comparison *t)
{
    double edges[BINS_MAX + 1], counts[BINS_MAX] = {0};
    size_t n = make_bins(t, edges, counts);
    ft_buf title = {0};
    cli_chart chart = {.desc = "How many examples differ by how much",
                       .x = "difference of an example", .y = "examples"};
    if (n == 0)
        return;
    ft_buf_add_fmt(&title, "%s - %s", t->system->name, c->systems[0].name);
    ft_buf_add_byte(&title, '\0');
    cli_check(ft_buf_check(&title, cli_err()));
    chart.title = (const char *)title.p;
    cli_svg_histogram(b, &chart, edges, counts, n);
    ft_buf_free(&title);
}

/* ---- the page ---- */

static void put_examples(ft_buf *b, const cli_compare *c, const cli_comparison *t, const char *what,
                         const size_t *list, size_t n)
{
    ft_buf id = {0};
    if (n == 0)
        return;
    ft_buf_add_fmt(b, "<p>%s:", what);
    for (size_t i = 0; i < n; i++) {
        ft_score_table_put_id(&id, ft_score_table_id(c->systems[0].scores,
                                                     t->metric->rows[list[i]]));
        ft_buf_add_str(b, i ? ", " : " ");
        put_said(b, &id);
        ft_buf_add_fmt(b, " %+.4g", t->difference[list[i]]);
    }
    ft_buf_add_str(b, "</p>\n");
    ft_buf_free(&id);
}

static void put_metric(ft_buf *b, const cli_compare *c, const cli_comparison *tests, size_t n)
{
    const cli_metric *m = tests[0].metric;
    ft_buf said = {0};
    ft_buf_add_str(b, "<h2>");
    cli_xml_str(b, m->name);
    ft_buf_add_str(b, "</h2>\n<p class=\"note\">");
    cli_compare_put_basis(&said, &tests[0]);
    put_said(b, &said);
    if (m->note)
        ft_buf_add_fmt(b, ". Note: %s", m->note);
    ft_buf_add_str(b, ".</p>\n");
    put_intervals(b, tests, n);
    put_outcomes(b, tests, n);
    for (size_t i = 0; i < n; i++) {
        put_histogram(b, c, &tests[i]);
        put_examples(b, c, &tests[i], "Gained most", tests[i].gained, tests[i].n_gained);
        put_examples(b, c, &tests[i], "Lost most", tests[i].lost, tests[i].n_lost);
    }
    ft_buf_free(&said);
}

void cli_compare_html(const cli_compare *c, ft_buf *b)
{
    ft_buf said = {0};
    size_t others = c->n_systems - 1;
    cli_page_begin(b, "Comparison of systems");
    ft_buf_add_str(b, "<ul>\n");
    for (size_t i = 0; i < c->n_tests; i++) {
        ft_buf_add_str(b, "<li>");
        cli_xml_str(b, c->tests[i].metric->name);
        ft_buf_add_str(b, ": ");
        cli_compare_put_verdict(&said, c, &c->tests[i]);
        put_said(b, &said);
        ft_buf_add_str(b, "</li>\n");
    }
    ft_buf_add_str(b, "</ul>\n");
    put_table(b, c);
    for (size_t i = 0; i < c->n_tests; i += others)
        put_metric(b, c, &c->tests[i], others);
    cli_page_end(b);
    ft_buf_free(&said);
}
