/* stats_doc.h: a report as a list of figures, tables and histograms in sections, written in three
 * ways that say the same: aligned text, one JSON object, an HTML page with pictures.
 *
 *     stats_section(d, "rows", "Rows");
 *     stats_count(d, "rows", "rows", n);                  // JSON: {"rows":{"rows":12,…
 *     stats_table(d, "sources", "Sources", columns, 3, 1);
 *     stats_row(d, name, (double[]){12, 0.5});
 *     stats_write_text(d, &buf) …
 *
 * Keys are what scripts rely on; labels are for people. All that is kept is copied. Names may come
 * from data: each way of writing escapes them. Adding fails in cli_fail when memory is out.
 */
#ifndef FT_CLI_STATS_DOC_H
#define FT_CLI_STATS_DOC_H

#include "base/buf.h"

#include <stdint.h>

enum stats_kind { STATS_COUNT, STATS_REAL, STATS_SHARE };    /* a share is shown in percent */

typedef struct stats_column {
    const char *key, *label;     /* static */
    enum stats_kind kind;        /* the first column is the name, its kind does not matter */
} stats_column;

typedef struct stats_doc stats_doc;

stats_doc *stats_doc_new(void);
void stats_doc_free(stats_doc **d);               /* accepts NULL, sets NULL */

/* key, label, title: static strings. */
void stats_section(stats_doc *d, const char *key, const char *title);
void stats_count(stats_doc *d, const char *key, const char *label, uint64_t v);
void stats_real(stats_doc *d, const char *key, const char *label, double v);    /* NAN: none */
void stats_share(stats_doc *d, const char *key, const char *label, double v);
void stats_text(stats_doc *d, const char *key, const char *label, const char *v);

/* A sentence for people, in the text and the page; JSON has them in "notes" of the section. */
void stats_note(stats_doc *d, const char *fmt, ...) FT_PRINTF(2, 3);

/* columns: static, n of them, the first for the name. bars: the column to draw as bars in the
 * page, or 0. Rows follow by stats_row, n - 1 values each. */
void stats_table(stats_doc *d, const char *key, const char *title, const stats_column *columns,
                 size_t n, size_t bars);
void stats_row(stats_doc *d, ft_slice name, const double *values);

/* Counts between edges [n + 1]; equally wide columns. unit: static, of the edges. */
void stats_histogram(stats_doc *d, const char *key, const char *title, const char *unit,
                     const double *edges, const double *counts, size_t n);

/* Append the whole. title: of the report. */
void stats_write_text(const stats_doc *d, ft_buf *out);
void stats_write_json(const stats_doc *d, ft_buf *out);
void stats_write_html(const stats_doc *d, const char *title, ft_buf *out);

#endif
