#include "tools/cli/svg.h"

#include <math.h>
#include <stdio.h>

#define TICKS_MAX 24
#define FONT 12.0                /* pixels; a character of it is about 0.56 wide */
#define CHAR_WIDTH 6.8
#define DIGIT_WIDTH 7.8          /* digits and capitals are wider than most */
#define ROW 24.0                 /* pixels of a chart's row */
#define LABEL_CHARS 34

/* Distinguishable for colour-blind readers, and between white and black. */
static const char *const fills[] = {"#3b7dd8", "#d9772b", "#2f9a75", "#b0569b", "#b3941d",
                                    "#6f7b8a"};
#define FILLS (sizeof fills / sizeof fills[0])

typedef struct axis {
    double low, high;            /* of the data, in the scale's terms (log10 for log)   */
    double from, to;             /* pixels                                              */
    int log;
    double ticks[TICKS_MAX];     /* values, not logarithms                              */
    size_t n_ticks;
} axis;

typedef struct frame {           /* the rectangle that marks stand in */
    ft_buf *out;
    const cli_chart *c;
    double width, height, left, right, top, bottom;
} frame;

/* Coordinates with one decimal, and never "-0.0". */
static double px(double v)
{
    return floor(v * 10 + 0.5) / 10 + 0.0;
}

static double at(const axis *a, double v)
{
    double t = a->log && v > 0 ? log10(v) : v;
    return a->from + (t - a->low) / (a->high - a->low) * (a->to - a->from);
}

/* ---- scales ---- */

/* Steps of 1, 2 or 5 times a power of ten, about `about` of them. */
static double nice_step(double span, unsigned about)
{
    double raw = span / about, power = pow(10, floor(log10(raw))), f = raw / power;
    return power * (f <= 1 ? 1 : f <= 2 ? 2 : f <= 5 ? 5 : 10);
}

static void linear_ticks(axis *a, unsigned about)
{
    double step = nice_step(a->high - a->low, about), first = ceil(a->low / step - 1e-9);
    a->n_ticks = 0;
    for (size_t i = 0; i < TICKS_MAX && (first + (double)i) * step <= a->high + step * 1e-9; i++)
        a->ticks[a->n_ticks++] = (first + (double)i) * step;
}

static void log_ticks(axis *a)
{
    static const double few[] = {1}, many[] = {1, 2, 5};
    int wide = a->high - a->low > 3;
    /* Every so many powers of ten. */
    int each = wide ? (int)fmax(ceil((a->high - a->low) / 10), 1) : 1;
    a->n_ticks = 0;
    for (int p = (int)floor(a->low); p <= a->high + 1e-9; p += each)
        for (size_t k = 0; k < (wide ? 1 : 3) && a->n_ticks < TICKS_MAX; k++) {
            double v = (wide ? few[k] : many[k]) * pow(10, p);
            if (log10(v) >= a->low - 1e-9 && log10(v) <= a->high + 1e-9)
                a->ticks[a->n_ticks++] = v;
        }
}

/* Spans low..high; a single value gets some room around it. */
static axis make_axis(double low, double high, int is_log, double from, double to,
                      unsigned ticks)
{
    axis a = {.low = is_log ? log10(low) : low, .high = is_log ? log10(high) : high,
              .from = from, .to = to, .log = is_log};
    if (!(a.high > a.low)) {
        double room = is_log ? 0.5 : a.low == 0 ? 1 : fabs(a.low) * 0.5;
        a.low -= a.low == 0 && !is_log ? 0 : room;
        a.high += room;
    }
    if (a.high - a.low < 1e-12 * fmax(fabs(a.low), fabs(a.high))) {    /* below what doubles see */
        a.low -= 0.5 * fabs(a.low);
        a.high += 0.5 * fabs(a.high);
    }
    if (is_log)
        log_ticks(&a);
    else
        linear_ticks(&a, ticks);
    return a;
}

/* ---- pieces ---- */

static void put_text(ft_buf *out, double x, double y, const char *anchor, const char *more,
                     ft_slice text, size_t max_chars)
{
    ft_buf_add_fmt(out, "<text x=\"%g\" y=\"%g\" text-anchor=\"%s\"%s>", px(x), px(y), anchor,
                   more);
    cli_xml_text(out, text.p, text.n, max_chars);
    ft_buf_add_str(out, "</text>\n");
}

static void put_rule(ft_buf *out, double x1, double y1, double x2, double y2, const char *more)
{
    ft_buf_add_fmt(out, "<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" "
                   "stroke=\"currentColor\"%s/>\n",
                   px(x1), px(y1), px(x2), px(y2), more);
}

static void put_tooltip(ft_buf *out, ft_slice label, const char *value)
{
    ft_buf_add_str(out, "<title>");
    cli_xml_text(out, label.p, label.n, 120);
    ft_buf_add_fmt(out, "%s%s</title>", label.n ? ": " : "", value);
}

static frame begin(ft_buf *out, const cli_chart *c, double height, double left, double right)
{
    frame f = {.out = out, .c = c, .width = c->width ? c->width : 640,
               .height = c->height ? c->height : height};
    f.left = left;
    f.right = fmax(f.width - right, left + 40);
    f.top = c->title ? 36 : 12;
    f.bottom = fmax(f.height - (c->x ? 46 : 28), f.top + 20);
    ft_buf_add_fmt(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
                   "viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" fill=\"currentColor\" "
                   "font-family=\"system-ui,sans-serif\" font-size=\"%g\">\n<title>",
                   f.width, f.height, f.width, f.height, FONT);
    cli_xml_str(out, c->title);
    ft_buf_add_str(out, "</title>\n");
    if (c->desc) {
        ft_buf_add_str(out, "<desc>");
        cli_xml_str(out, c->desc);
        ft_buf_add_str(out, "</desc>\n");
    }
    if (c->title)
        put_text(out, 4, 18, "start", " font-size=\"14\" font-weight=\"600\"",
                 cli_label(c->title), (size_t)(f.width / 7.8));
    if (c->x)
        put_text(out, (f.left + f.right) / 2, f.height - 8, "middle", " opacity=\".75\"",
                 cli_label(c->x), (size_t)(f.width / CHAR_WIDTH));
    if (c->y) {
        double y = (f.top + f.bottom) / 2;
        char turn[64];
        snprintf(turn, sizeof turn, " opacity=\".75\" transform=\"rotate(-90 14 %g)\"", px(y));
        put_text(out, 14, y, "middle", turn, cli_label(c->y),
                 (size_t)((f.bottom - f.top) / CHAR_WIDTH));
    }
    return f;
}

static void end(const frame *f)
{
    ft_buf_add_str(f->out, "</svg>\n");
}

static void put_x_axis(const frame *f, const axis *x)
{
    char number[32];
    for (size_t i = 0; i < x->n_ticks; i++) {
        double p = at(x, x->ticks[i]);
        put_rule(f->out, p, f->top, p, f->bottom, " stroke-opacity=\".13\"");
        put_text(f->out, p, f->bottom + 16, "middle", " opacity=\".75\"",
                 cli_label(cli_short_number(x->ticks[i], number)), 0);
    }
    put_rule(f->out, f->left, f->bottom, f->right, f->bottom, " stroke-opacity=\".5\"");
}

static void put_y_axis(const frame *f, const axis *y)
{
    char number[32];
    for (size_t i = 0; i < y->n_ticks; i++) {
        double p = at(y, y->ticks[i]);
        put_rule(f->out, f->left, p, f->right, p, " stroke-opacity=\".13\"");
        put_text(f->out, f->left - 6, p + 4, "end", " opacity=\".75\"",
                 cli_label(cli_short_number(y->ticks[i], number)), 0);
    }
}

/* ---- rows ---- */

static double number_or_0(double v)
{
    return isfinite(v) ? v : 0;
}

/* Pixels that a label needs at most; bytes from e3 on begin ideographs and the like, which are as
 * wide as high. */
static double label_width(ft_slice label)
{
    double width = 0;
    size_t chars = 0;
    for (size_t i = 0; i < label.n && chars < LABEL_CHARS; i++) {
        uint8_t c = label.p[i];
        if ((c & 0xc0) == 0x80)
            continue;
        width += c >= 0xe3 ? FONT : c >= 'a' && c <= 'z' ? CHAR_WIDTH : DIGIT_WIDTH;
        chars++;
    }
    return width;
}

static double label_room(const cli_bar *bars, size_t n)
{
    double most = 20;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, label_width(bars[i].label));
    return most + 14;
}

static int has_interval(const cli_bar *b)
{
    return isfinite(b->low) && isfinite(b->high) && b->low != b->high;
}

static void rows_range(const cli_bar *bars, size_t n, double *low, double *high)
{
    for (size_t i = 0; i < n; i++) {
        const cli_bar *b = &bars[i];
        if (isfinite(b->value)) {
            *low = fmin(*low, b->value);
            *high = fmax(*high, b->value);
        }
        if (has_interval(b)) {
            *low = fmin(*low, fmin(b->low, b->high));
            *high = fmax(*high, fmax(b->low, b->high));
        }
    }
}

static void put_whiskers(const frame *f, const axis *x, const cli_bar *b, double y)
{
    double l = at(x, b->low), h = at(x, b->high);
    put_rule(f->out, l, y, h, y, " stroke-width=\"1.5\"");
    put_rule(f->out, l, y - 4, l, y + 4, " stroke-width=\"1.5\"");
    put_rule(f->out, h, y - 4, h, y + 4, " stroke-width=\"1.5\"");
}

void cli_svg_bars(ft_buf *out, const cli_chart *c, const cli_bar *bars, size_t n)
{
    double low = 0, high = 0;
    frame f = begin(out, c, 82 + ROW * (double)n, label_room(bars, n) + (c->y ? 20 : 0), 60);
    axis x;
    rows_range(bars, n, &low, &high);
    x = make_axis(low, high, 0, f.left, f.right, 6);
    put_x_axis(&f, &x);
    for (size_t i = 0; i < n; i++) {
        double row = (f.bottom - f.top) / (double)n, y = f.top + row * (double)i;
        double a = at(&x, 0), b = at(&x, number_or_0(bars[i].value));
        double tip = has_interval(&bars[i]) ? fmax(b, at(&x, bars[i].high)) : fmax(a, b);
        char number[32];
        cli_short_number(bars[i].value, number);
        ft_buf_add_fmt(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"1.5\" "
                       "fill=\"%s\">", px(fmin(a, b)), px(y + row * 0.14), px(fabs(b - a)),
                       px(row * 0.72), fills[0]);
        put_tooltip(out, bars[i].label, number);
        ft_buf_add_str(out, "</rect>\n");
        if (has_interval(&bars[i]))
            put_whiskers(&f, &x, &bars[i], y + row / 2);
        put_text(out, f.left - 8, y + row / 2 + 4, "end", "", bars[i].label, LABEL_CHARS);
        put_text(out, tip + 6, y + row / 2 + 4, "start", " opacity=\".75\"", cli_label(number), 0);
    }
    put_rule(out, at(&x, 0), f.top, at(&x, 0), f.bottom, " stroke-opacity=\".5\"");
    end(&f);
}

void cli_svg_intervals(ft_buf *out, const cli_chart *c, const cli_bar *rows, size_t n,
                       double reference)
{
    double low = isfinite(reference) ? reference : INFINITY;
    double high = isfinite(reference) ? reference : -INFINITY, room;
    frame f = begin(out, c, 82 + ROW * (double)n, label_room(rows, n) + (c->y ? 20 : 0), 70);
    axis x;
    rows_range(rows, n, &low, &high);
    room = high > low ? (high - low) * 0.04 : 0;
    x = make_axis(low <= high ? low - room : 0, low <= high ? high + room : 1, 0, f.left,
                  f.right, 6);
    put_x_axis(&f, &x);
    if (isfinite(reference))
        put_rule(out, at(&x, reference), f.top, at(&x, reference), f.bottom,
                 " stroke-width=\"1.5\" stroke-dasharray=\"5 3\"");
    for (size_t i = 0; i < n; i++) {
        double row = (f.bottom - f.top) / (double)n, y = f.top + row * ((double)i + 0.5);
        char number[32];
        put_text(out, f.left - 8, y + 4, "end", "", rows[i].label, LABEL_CHARS);
        if (has_interval(&rows[i]))
            put_whiskers(&f, &x, &rows[i], y);
        if (!isfinite(rows[i].value))
            continue;
        cli_short_number(rows[i].value, number);
        ft_buf_add_fmt(out, "<circle cx=\"%g\" cy=\"%g\" r=\"4.5\" fill=\"%s\">",
                       px(at(&x, rows[i].value)), px(y), fills[0]);
        put_tooltip(out, rows[i].label, number);
        ft_buf_add_str(out, "</circle>\n");
        put_text(out, f.right + 8, y + 4, "start", " opacity=\".75\"", cli_label(number), 0);
    }
    end(&f);
}

/* ---- histograms ---- */

/* The x axis of columns that are equally wide: their edges are named, as many as have room. */
static void put_even_axis(const frame *f, const double *edges, size_t n)
{
    double step = (f->right - f->left) / (double)n;
    size_t every = (size_t)ceil(44 / step);
    char number[32];
    for (size_t i = 0; i <= n; i += every)
        put_text(f->out, f->left + step * (double)i, f->bottom + 16, "middle",
                 " opacity=\".75\"", cli_label(cli_short_number(edges[i], number)), 0);
    put_rule(f->out, f->left, f->bottom, f->right, f->bottom, " stroke-opacity=\".5\"");
}

static void put_column(const frame *f, const axis *y, double l, double r, double count,
                       const char *what)
{
    double top = at(y, number_or_0(count)), gap = r - l > 4 ? 0.5 : 0;
    char number[32];
    ft_buf_add_fmt(f->out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"%s\">",
                   px(l + gap), px(top), px(fmax(r - l - 2 * gap, 0.2)), px(f->bottom - top),
                   fills[0]);
    put_tooltip(f->out, cli_label(what), cli_short_number(count, number));
    ft_buf_add_str(f->out, "</rect>\n");
}

void cli_svg_histogram(ft_buf *out, const cli_chart *c, const double *edges,
                       const double *counts, size_t n)
{
    frame f = begin(out, c, 260, 62, 24);
    double high = 0;
    axis x = {0}, y;
    for (size_t i = 0; i < n; i++)
        high = fmax(high, number_or_0(counts[i]));
    y = make_axis(0, high * 1.04, 0, f.bottom, f.top, 5);
    put_y_axis(&f, &y);
    if (n > 0 && c->scale != CLI_SCALE_EVEN) {
        x = make_axis(edges[0], edges[n], c->scale == CLI_SCALE_LOG, f.left, f.right, 8);
        put_x_axis(&f, &x);
    } else if (n > 0) {
        put_even_axis(&f, edges, n);
    }
    for (size_t i = 0; i < n; i++) {
        double step = (f.right - f.left) / (double)n;
        int even = c->scale == CLI_SCALE_EVEN;
        char from[32], to[32], what[80];
        if (!(number_or_0(counts[i]) > 0))
            continue;
        snprintf(what, sizeof what, "%s to %s", cli_short_number(edges[i], from),
                 cli_short_number(edges[i + 1], to));
        put_column(&f, &y, even ? f.left + step * (double)i : at(&x, edges[i]),
                   even ? f.left + step * (double)(i + 1) : at(&x, edges[i + 1]), counts[i],
                   what);
    }
    end(&f);
}

/* ---- lines ---- */

static int may_draw(const cli_chart *c, double x, double y)
{
    return isfinite(x) && isfinite(y) && (c->scale != CLI_SCALE_LOG || x > 0);
}

static void widen(double range[4], double x, double y)
{
    range[0] = fmin(range[0], x);
    range[1] = fmax(range[1], x);
    range[2] = fmin(range[2], y);
    range[3] = fmax(range[3], y);
}

static int lines_range(const cli_chart *c, const cli_line *lines, size_t n, double range[4])
{
    range[0] = range[2] = INFINITY;
    range[1] = range[3] = -INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < lines[i].n; k++) {
            double x = lines[i].x[k];
            if (may_draw(c, x, lines[i].y[k]))
                widen(range, x, lines[i].y[k]);
            if (lines[i].low && may_draw(c, x, lines[i].low[k]))
                widen(range, x, lines[i].low[k]);
            if (lines[i].high && may_draw(c, x, lines[i].high[k]))
                widen(range, x, lines[i].high[k]);
        }
    return range[0] <= range[1];
}

static void put_band(const frame *f, const axis *x, const axis *y, const cli_line *l,
                     const char *fill)
{
    ft_buf_add_fmt(f->out, "<polygon fill=\"%s\" fill-opacity=\".2\" points=\"", fill);
    for (size_t k = 0; k < l->n; k++)
        if (may_draw(f->c, l->x[k], l->high[k]))
            ft_buf_add_fmt(f->out, "%g,%g ", px(at(x, l->x[k])), px(at(y, l->high[k])));
    for (size_t k = l->n; k-- > 0;)
        if (may_draw(f->c, l->x[k], l->low[k]))
            ft_buf_add_fmt(f->out, "%g,%g ", px(at(x, l->x[k])), px(at(y, l->low[k])));
    ft_buf_add_str(f->out, "\"/>\n");
}

/* A value that cannot be drawn breaks the line; a point by itself becomes a dot. */
static void put_line(const frame *f, const axis *x, const axis *y, const cli_line *l,
                     const char *ink)
{
    size_t k = 0;
    while (k < l->n) {
        size_t from;
        while (k < l->n && !may_draw(f->c, l->x[k], l->y[k]))
            k++;
        for (from = k; k < l->n && may_draw(f->c, l->x[k], l->y[k]);)
            k++;
        if (k == from + 1)
            ft_buf_add_fmt(f->out, "<circle cx=\"%g\" cy=\"%g\" r=\"3\" fill=\"%s\"/>\n",
                           px(at(x, l->x[from])), px(at(y, l->y[from])), ink);
        if (k <= from + 1)
            continue;
        ft_buf_add_fmt(f->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
                       "stroke-linejoin=\"round\" points=\"", ink);
        for (size_t i = from; i < k; i++)
            ft_buf_add_fmt(f->out, "%s%g,%g", i > from ? " " : "", px(at(x, l->x[i])),
                           px(at(y, l->y[i])));
        ft_buf_add_str(f->out, "\"/>\n");
    }
}

static void put_legend(const frame *f, const cli_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double y = f->top + 12 + 18 * (double)i;
        ft_buf_add_fmt(f->out, "<rect x=\"%g\" y=\"%g\" width=\"12\" height=\"12\" rx=\"2\" "
                       "fill=\"%s\"/>\n", px(f->right + 12), px(y - 10), fills[i % FILLS]);
        put_text(f->out, f->right + 30, y, "start", "", cli_label(lines[i].name), 18);
    }
}

void cli_svg_lines(ft_buf *out, const cli_chart *c, const cli_line *lines, size_t n)
{
    double range[4];
    frame f = begin(out, c, 300, 62, n > 1 ? 160 : 24);
    axis x, y;
    if (!lines_range(c, lines, n, range)) {
        put_text(out, (f.left + f.right) / 2, (f.top + f.bottom) / 2, "middle",
                 " opacity=\".75\"", cli_label("no values"), 0);
        end(&f);
        return;
    }
    if (range[2] > 0 && range[2] < range[3] * 0.5)
        range[2] = 0;
    x = make_axis(range[0], range[1], c->scale == CLI_SCALE_LOG, f.left, f.right, 8);
    y = make_axis(range[2], range[3], 0, f.bottom, f.top, 5);
    put_x_axis(&f, &x);
    put_y_axis(&f, &y);
    for (size_t i = 0; i < n; i++) {
        if (lines[i].low && lines[i].high)
            put_band(&f, &x, &y, &lines[i], fills[i % FILLS]);
        put_line(&f, &x, &y, &lines[i], fills[i % FILLS]);
    }
    if (n > 1)
        put_legend(&f, lines, n);
    end(&f);
}
