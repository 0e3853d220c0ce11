#include "base/mem.h"
#include "tools/cli/cli.h"
#include "tools/cli/stats_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

stats_doc *stats_doc_new(void)
{
    stats_doc *d = ft_new(1, sizeof *d, cli_err());
    if (!d)
        cli_fail();
    return d;
}

void stats_doc_free(stats_doc **dp)
{
    stats_doc *d = *dp;
    if (!d)
        return;
    ft_free(d->v);
    ft_free(d->numbers);
    ft_free(d->names);
    ft_buf_free(&d->texts);
    ft_free(d);
    *dp = NULL;
}

static stats_node *add(stats_doc *d, enum stats_node_type type, const char *key,
                       const char *label)
{
    cli_check(ft_grow(&d->v, &d->cap, d->n + 1, sizeof *d->v, cli_err()));
    d->v[d->n] = (stats_node){.type = type, .key = key, .label = label,
                              .first_number = d->n_numbers, .first_name = d->n_names};
    return &d->v[d->n++];
}

static stats_place keep(stats_doc *d, const void *p, size_t n)
{
    ft_buf_add(&d->texts, p, n);
    cli_check(ft_buf_check(&d->texts, cli_err()));
    return (stats_place){d->texts.n - n, n};
}

static void add_numbers(stats_doc *d, const double *v, size_t n)
{
    cli_check(ft_grow(&d->numbers, &d->numbers_cap, d->n_numbers + n, sizeof *d->numbers,
                      cli_err()));
    for (size_t i = 0; i < n; i++)
        d->numbers[d->n_numbers++] = v[i];
}

void stats_section(stats_doc *d, const char *key, const char *title)
{
    add(d, NODE_SECTION, key, title);
}

static void add_figure(stats_doc *d, const char *key, const char *label, enum stats_kind kind,
                       double v)
{
    stats_node *node = add(d, NODE_FIGURE, key, label);
    node->kind = kind;
    node->v = v;
}

void stats_count(stats_doc *d, const char *key, const char *label, uint64_t v)
{
    add_figure(d, key, label, STATS_COUNT, (double)v);
}

void stats_real(stats_doc *d, const char *key, const char *label, double v)
{
    add_figure(d, key, label, STATS_REAL, v);
}

void stats_share(stats_doc *d, const char *key, const char *label, double v)
{
    add_figure(d, key, label, STATS_SHARE, v);
}

void stats_text(stats_doc *d, const char *key, const char *label, const char *v)
{
    stats_place text = keep(d, v, strlen(v));
    add(d, NODE_TEXT, key, label)->text = text;
}

void stats_note(stats_doc *d, const char *fmt, ...)
{
    char line[512];
    stats_place text;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    text = keep(d, line, strlen(line));
    add(d, NODE_NOTE, NULL, NULL)->text = text;
}

void stats_table(stats_doc *d, const char *key, const char *title, const stats_column *columns,
                 size_t n, size_t bars)
{
    stats_node *node = add(d, NODE_TABLE, key, title);
    node->columns = columns;
    node->n_columns = n;
    node->bars = bars;
}

void stats_row(stats_doc *d, ft_slice name, const double *values)
{
    stats_node *node = &d->v[d->n - 1];
    add_numbers(d, values, node->n_columns - 1);
    cli_check(ft_grow(&d->names, &d->names_cap, d->n_names + 1, sizeof *d->names, cli_err()));
    d->names[d->n_names++] = keep(d, name.p, name.n);
    node->rows++;
}

void stats_histogram(stats_doc *d, const char *key, const char *title, const char *unit,
                     const double *edges, const double *counts, size_t n)
{
    stats_node *node = add(d, NODE_HISTOGRAM, key, title);
    node->unit = unit;
    node->rows = n;
    add_numbers(d, edges, n + 1);
    add_numbers(d, counts, n);
}
