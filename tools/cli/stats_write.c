/* stats_write.c: a report as text, JSON or a page (stats_doc.h). */
#include "base/json.h"
#include "text/words.h"
#include "tools/cli/stats_internal.h"
#include "tools/cli/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 44
#define NAME_CHARS 48
#define BAR_CHARS 40
#define PAGE_NAME_CHARS 120

static const uint8_t *text_at(const stats_doc *d, stats_place p)
{
    return p.n ? d->texts.p + p.at : (const uint8_t *)"";
}

/* ---- text ---- */

/* 12 345 678 reads better than 12345678. */
static const char *grouped(double v, char out[40])
{
    char digits[32];
    size_t n, at = 0;
    snprintf(digits, sizeof digits, "%.0f", v);
    n = strlen(digits);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *shown(enum stats_kind kind, double v, char out[40])
{
    if (!isfinite(v))
        snprintf(out, 40, "-");
    else if (kind == STATS_COUNT)
        grouped(v, out);
    else if (kind == STATS_SHARE)
        snprintf(out, 40, "%.2f %%", 100 * v);
    else
        snprintf(out, 40, "%.4g", v);
    return out;
}

/* A name for a terminal: escaped as in JSON, without the quotes, cut; padded to `width` when it
 * is not 0. */
static void put_name(ft_buf *out, const uint8_t *p, size_t n, size_t width)
{
    ft_buf quoted = {0};
    size_t chars = 0, from = out->n;
    ft_json_put_string(&quoted, p, n);
    for (size_t i = 1; i + 1 < quoted.n && chars < NAME_CHARS; i++) {
        if (quoted.p[i] == '\\' && quoted.p[i + 1] == '"')      /* needs no mark here */
            continue;
        ft_buf_add_byte(out, quoted.p[i]);
        chars += (quoted.p[i + 1] & 0xc0) != 0x80;
    }
    if (chars == 0)
        ft_buf_add_str(out, "(empty)");
    else if (chars == NAME_CHARS && ft_char_count(quoted.p, quoted.n) > NAME_CHARS + 2)
        ft_buf_add_str(out, "\u2026");
    chars = out->n > from ? ft_char_count(out->p + from, out->n - from) : 0;
    for (; chars < width; chars++)
        ft_buf_add_byte(out, ' ');
    out->failed |= quoted.failed;
    ft_buf_free(&quoted);
}

static double cell(const stats_doc *d, const stats_node *t, size_t row, size_t column)
{
    return d->numbers[t->first_number + row * (t->n_columns - 1) + column - 1];
}

/* The widest of a column, its heading included. */
static size_t column_width(const stats_doc *d, const stats_node *t, size_t c)
{
    char number[40];
    size_t width = strlen(t->columns[c].label);
    for (size_t r = 0; r < t->rows; r++) {
        size_t n = strlen(shown(t->columns[c].kind, cell(d, t, r, c), number));
        width = n > width ? n : width;
    }
    return width + 2;
}

static size_t name_width(const stats_doc *d, const stats_node *t)
{
    size_t width = strlen(t->label);
    for (size_t r = 0; r < t->rows; r++) {
        stats_place p = d->names[t->first_name + r];
        size_t n = ft_char_count(text_at(d, p), p.n);
        width = n > width ? n : width;
    }
    return width < NAME_CHARS ? width : NAME_CHARS + 1;
}

static void text_table(const stats_doc *d, const stats_node *t, ft_buf *out)
{
    char number[40];
    size_t name = name_width(d, t);
    ft_buf_add_fmt(out, "\n  %-*s", (int)name, t->label);
    for (size_t c = 1; c < t->n_columns; c++)
        ft_buf_add_fmt(out, "%*s", (int)column_width(d, t, c), t->columns[c].label);
    ft_buf_add_str(out, "\n");
    for (size_t r = 0; r < t->rows; r++) {
        stats_place p = d->names[t->first_name + r];
        ft_buf_add_str(out, "  ");
        put_name(out, text_at(d, p), p.n, name);
        for (size_t c = 1; c < t->n_columns; c++)
            ft_buf_add_fmt(out, "%*s", (int)column_width(d, t, c),
                           shown(t->columns[c].kind, cell(d, t, r, c), number));
        ft_buf_add_str(out, "\n");
    }
    if (t->rows == 0)
        ft_buf_add_str(out, "  (none)\n");
}

static void text_histogram(const stats_doc *d, const stats_node *h, ft_buf *out)
{
    const double *edge = d->numbers + h->first_number, *count = edge + h->rows + 1;
    double most = 0;
    char from[40], to[40], number[40];
    for (size_t i = 0; i < h->rows; i++)
        most = fmax(most, count[i]);
    ft_buf_add_fmt(out, "\n  %s, by %s\n", h->label, h->unit);
    for (size_t i = 0; i < h->rows; i++) {
        size_t bar = most > 0 ? (size_t)ceil(count[i] / most * BAR_CHARS) : 0;
        int one = edge[i + 1] == edge[i] + 1;
        ft_buf_add_fmt(out, "  %10s%s%-10s %14s  ", grouped(edge[i], from), one ? " " : "-",
                       one ? "" : grouped(edge[i + 1] - 1, to), grouped(count[i], number));
        for (size_t k = 0; k < bar; k++)
            ft_buf_add_byte(out, '#');
        while (out->n > 0 && out->p[out->n - 1] == ' ')
            out->n--;
        ft_buf_add_str(out, "\n");
    }
}

void stats_write_text(const stats_doc *d, ft_buf *out)
{
    char number[40];
    for (size_t i = 0; i < d->n; i++) {
        const stats_node *n = &d->v[i];
        switch (n->type) {
        case NODE_SECTION: ft_buf_add_fmt(out, "%s%s\n", i ? "\n" : "", n->label); break;
        case NODE_FIGURE:
            ft_buf_add_fmt(out, "  %-*s %s\n", LABEL_WIDTH, n->label,
                           shown(n->kind, n->v, number));
            break;
        case NODE_TEXT:
            ft_buf_add_fmt(out, "  %-*s ", LABEL_WIDTH, n->label);
            put_name(out, text_at(d, n->text), n->text.n, 0);
            ft_buf_add_str(out, "\n");
            break;
        case NODE_NOTE:
            ft_buf_add_fmt(out, "  (%.*s)\n", (int)n->text.n, (const char *)text_at(d, n->text));
            break;
        case NODE_TABLE: text_table(d, n, out); break;
        case NODE_HISTOGRAM: text_histogram(d, n, out); break;
        }
    }
}

/* ---- JSON ---- */

static void json_number(ft_buf *out, enum stats_kind kind, double v)
{
    if (!isfinite(v))
        ft_buf_add_str(out, "null");
    else if (kind == STATS_COUNT)
        ft_buf_add_fmt(out, "%.0f", v);
    else
        ft_json_put_double(out, v);
}

static void json_table(const stats_doc *d, const stats_node *t, ft_buf *out)
{
    ft_buf_add_str(out, "[");
    for (size_t r = 0; r < t->rows; r++) {
        stats_place name = d->names[t->first_name + r];
        ft_buf_add_fmt(out, "%s{\"%s\":", r ? "," : "", t->columns[0].key);
        ft_json_put_string(out, text_at(d, name), name.n);
        for (size_t c = 1; c < t->n_columns; c++) {
            ft_buf_add_fmt(out, ",\"%s\":", t->columns[c].key);
            json_number(out, t->columns[c].kind, cell(d, t, r, c));
        }
        ft_buf_add_str(out, "}");
    }
    ft_buf_add_str(out, "]");
}

static void json_histogram(const stats_doc *d, const stats_node *h, ft_buf *out)
{
    const double *v = d->numbers + h->first_number;
    ft_buf_add_str(out, "{\"edges\":[");
    for (size_t i = 0; i < 2 * h->rows + 1; i++) {
        if (i == h->rows + 1)
            ft_buf_add_str(out, "],\"counts\":[");
        ft_buf_add_fmt(out, "%s%.0f", i && i != h->rows + 1 ? "," : "", v[i]);
    }
    if (h->rows == 0)
        ft_buf_add_str(out, "],\"counts\":[");
    ft_buf_add_str(out, "]}");
}

static void json_node(const stats_doc *d, const stats_node *n, ft_buf *out)
{
    ft_buf_add_fmt(out, ",\"%s\":", n->key);
    if (n->type == NODE_FIGURE)
        json_number(out, n->kind, n->v);
    else if (n->type == NODE_TEXT)
        ft_json_put_string(out, text_at(d, n->text), n->text.n);
    else if (n->type == NODE_TABLE)
        json_table(d, n, out);
    else
        json_histogram(d, n, out);
}

/* Each section begins with its notes, so that what follows can always begin with a comma. */
static void json_section(const stats_doc *d, size_t at, ft_buf *out)
{
    int notes = 0;
    ft_buf_add_fmt(out, "\"%s\":{\"notes\":[", d->v[at].key);
    for (size_t i = at + 1; i < d->n && d->v[i].type != NODE_SECTION; i++)
        if (d->v[i].type == NODE_NOTE) {
            ft_buf_add_str(out, notes++ ? "," : "");
            ft_json_put_string(out, text_at(d, d->v[i].text), d->v[i].text.n);
        }
    ft_buf_add_str(out, "]");
    for (size_t i = at + 1; i < d->n && d->v[i].type != NODE_SECTION; i++)
        if (d->v[i].type != NODE_NOTE)
            json_node(d, &d->v[i], out);
    ft_buf_add_str(out, "}");
}

void stats_write_json(const stats_doc *d, ft_buf *out)
{
    int sections = 0;
    ft_buf_add_str(out, "{");
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].type == NODE_SECTION) {
            ft_buf_add_str(out, sections++ ? ",\n" : "");
            json_section(d, i, out);
        }
    ft_buf_add_str(out, "}\n");
}

/* ---- the page ---- */

static void page_cell(ft_buf *out, enum stats_kind kind, double v)
{
    char number[40];
    ft_buf_add_fmt(out, "<td class=\"n\">%s</td>", shown(kind, v, number));
}

static void page_bars(const stats_doc *d, const stats_node *t, ft_buf *out)
{
    cli_chart c = {.title = t->label, .desc = "The values of the table below as bars.",
                   .x = t->columns[t->bars].label};
    cli_bar bars[32];
    size_t n = t->rows < 32 ? t->rows : 32;
    for (size_t r = 0; r < n; r++) {
        stats_place name = d->names[t->first_name + r];
        bars[r] = (cli_bar){.label = {text_at(d, name), name.n}};
        bars[r].value = cell(d, t, r, t->bars);
    }
    cli_svg_bars(out, &c, bars, n);
}

static void page_table(const stats_doc *d, const stats_node *t, ft_buf *out)
{
    if (t->rows == 0) {
        ft_buf_add_fmt(out, "<p>%s: none.</p>\n", t->label);
        return;
    }
    if (t->bars && t->rows > 1)
        page_bars(d, t, out);
    ft_buf_add_fmt(out, "<table>\n<tr><th>%s</th>", t->label);
    for (size_t c = 1; c < t->n_columns; c++)
        ft_buf_add_fmt(out, "<th class=\"n\">%s</th>", t->columns[c].label);
    ft_buf_add_str(out, "</tr>\n");
    for (size_t r = 0; r < t->rows; r++) {
        stats_place name = d->names[t->first_name + r];
        ft_buf_add_str(out, "<tr><td>");
        cli_xml_text(out, text_at(d, name), name.n, PAGE_NAME_CHARS);
        ft_buf_add_str(out, name.n ? "</td>" : "(empty)</td>");
        for (size_t c = 1; c < t->n_columns; c++)
            page_cell(out, t->columns[c].kind, cell(d, t, r, c));
        ft_buf_add_str(out, "</tr>\n");
    }
    ft_buf_add_str(out, "</table>\n");
}

static void page_histogram(const stats_doc *d, const stats_node *h, ft_buf *out)
{
    const double *edges = d->numbers + h->first_number;
    cli_chart c = {.title = h->label, .desc = "A histogram: how many rows lie in each range.",
                   .x = h->unit, .y = "rows", .scale = CLI_SCALE_EVEN};
    if (h->rows)
        cli_svg_histogram(out, &c, edges, edges + h->rows + 1, h->rows);
}

static void page_node(const stats_doc *d, const stats_node *n, ft_buf *out)
{
    switch (n->type) {
    case NODE_SECTION: ft_buf_add_fmt(out, "<h2>%s</h2>\n", n->label); break;
    case NODE_NOTE:
        ft_buf_add_str(out, "<p class=\"note\">");
        cli_xml_text(out, text_at(d, n->text), n->text.n, 0);
        ft_buf_add_str(out, "</p>\n");
        break;
    case NODE_TABLE: page_table(d, n, out); break;
    case NODE_HISTOGRAM: page_histogram(d, n, out); break;
    case NODE_FIGURE: case NODE_TEXT:
        ft_buf_add_fmt(out, "<tr><td>%s</td>", n->label);
        if (n->type == NODE_FIGURE) {
            page_cell(out, n->kind, n->v);
        } else {
            ft_buf_add_str(out, "<td class=\"n\">");
            cli_xml_text(out, text_at(d, n->text), n->text.n, PAGE_NAME_CHARS);
            ft_buf_add_str(out, "</td>");
        }
        ft_buf_add_str(out, "</tr>\n");
    }
}

/* Figures that follow on each other share a table. */
void stats_write_html(const stats_doc *d, const char *title, ft_buf *out)
{
    int in_table = 0;
    cli_page_begin(out, title);
    for (size_t i = 0; i < d->n; i++) {
        int figure = d->v[i].type == NODE_FIGURE || d->v[i].type == NODE_TEXT;
        if (figure != in_table)
            ft_buf_add_str(out, figure ? "<table>\n" : "</table>\n");
        in_table = figure;
        page_node(d, &d->v[i], out);
    }
    ft_buf_add_str(out, in_table ? "</table>\n" : "");
    cli_page_end(out);
}
