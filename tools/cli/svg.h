/* svg.h: small charts as SVG text, to stand inside an HTML page or alone in a file.
 *
 * Reports of several tools show pictures; none of them may need a script, a font or the network. A
 * chart takes its ink from the text around it (currentColor) and its fills from six colours of
 * middle brightness, so that one picture suits light and dark pages. Each has a title and a
 * description for those who do not see it, and each mark a tooltip. Labels may come from data:
 * they are escaped, cut to their room, and what no document may hold becomes U+FFFD.
 *
 *     cli_chart c = {.title = "Loss", .desc = "…", .x = "step", .y = "nats a token"};
 *     cli_line lines[] = {{"train", step, loss, NULL, NULL, n}};
 *     cli_svg_lines(&page, &c, lines, 1);
 *     cli_check(ft_buf_check(&page, cli_err()));            // the buffer keeps its error
 *
 * The bytes depend on the arguments alone. Values that are not finite are left out of lines and
 * intervals, and count as 0 elsewhere. It lays out no text beyond cutting labels; widths
 * are estimated from the number of characters.
 */
#ifndef FT_CLI_SVG_H
#define FT_CLI_SVG_H

#include "base/buf.h"

enum cli_scale {
    CLI_SCALE_LINEAR,
    CLI_SCALE_LOG,           /* positive values only; others are left out                     */
    CLI_SCALE_EVEN           /* histograms: columns of one width, whatever their edges        */
};

typedef struct cli_chart {
    const char *title;       /* above the picture                                             */
    const char *desc;        /* one sentence for those who do not see it; may be NULL         */
    const char *x, *y;       /* names of the axes with their units; may be NULL               */
    unsigned width, height;  /* in pixels at full size; 0: 640, and what suits the chart      */
    enum cli_scale scale;    /* of the x axis: lines and histograms                           */
} cli_chart;

/* One row of a chart with rows. */
typedef struct cli_bar {
    ft_slice label;
    double value;
    double low, high;        /* whiskers, or the interval; both equal: none                   */
} cli_bar;

typedef struct cli_line {
    const char *name;        /* for the legend, shown when there are several lines            */
    const double *x, *y;
    const double *low, *high;    /* a band around the line, or NULL                           */
    size_t n;
} cli_line;

/* Returns: the bytes of a C string as a label. */
ft_slice cli_label(const char *text);

/* Horizontal bars from 0, one below the other, each with its label and value. */
void cli_svg_bars(ft_buf *out, const cli_chart *c, const cli_bar *bars, size_t n);

/* Points with intervals, one below the other, and an upright line at `reference` (a difference
 * of 0, a rate of one half) unless that is NAN. */
void cli_svg_intervals(ft_buf *out, const cli_chart *c, const cli_bar *rows, size_t n,
                       double reference);

/* Columns over n bins; bin i goes from edges[i] to edges[i + 1], which must grow. Column heights
 * are the counts, whatever the widths. Edges need to be positive for CLI_SCALE_LOG. */
void cli_svg_histogram(ft_buf *out, const cli_chart *c, const double *edges,
                       const double *counts, size_t n);

/* Lines over common axes. The y axis begins at 0 when that wastes less than half of it. */
void cli_svg_lines(ft_buf *out, const cli_chart *c, const cli_line *lines, size_t n);

/* ---- the page around them ---- */

/* Appends text for HTML and XML, also inside a quoted attribute: markup is escaped; control
 * characters, marks that turn the direction of writing and bytes that are no UTF-8 become U+FFFD,
 * line ends and tabs a space. max_chars: longer text ends in "…"; 0: no limit. */
void cli_xml_text(ft_buf *out, const void *text, size_t n, size_t max_chars);

/* The same for a C string, whole. */
void cli_xml_str(ft_buf *out, const char *text);

/* Begins a page that needs nothing else: style for light, dark and paper inside, no script. */
void cli_page_begin(ft_buf *out, const char *title);
void cli_page_end(ft_buf *out);

/* A number as people write it in a chart: four digits, 12k, 3.4M. Returns: text. */
const char *cli_short_number(double v, char text[32]);

#endif
