/* svg_text.c: what may stand in a page: escaped text, numbers, the page's frame. */
#include "tools/cli/svg.h"

#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char page_style[] =
    ":root{color-scheme:light dark;--ink:#1d2129;--paper:#fff;--soft:#5c6470;--rule:#d9dde3}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e6ea;--paper:#16181d;--soft:#a0a7b3;"
    "--rule:#363b45}}"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid "
    "var(--rule)}p.note{color:var(--soft);font-size:.9rem}"
    "table{border-collapse:collapse;margin:.8rem 0;font-size:.92rem}"
    "th,td{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid var(--rule);"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "svg{max-width:100%;height:auto;display:block;margin:1rem 0}"
    "@media print{body{margin:0;max-width:none}svg,table{break-inside:avoid}}";

ft_slice cli_label(const char *text)
{
    return (ft_slice){(const uint8_t *)text, text ? strlen(text) : 0};
}

/* Whether a page may hold the character: XML 1.0's Char without the controls, and without what
 * makes a line read otherwise than it is written. */
static int may_stand(uint32_t c)
{
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff)
        return 0;
    return !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069);
}

static uint32_t character(const uint8_t *p, size_t bytes)
{
    uint32_t c = bytes == 1 ? p[0] : p[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++)
        c = c << 6 | (p[i] & 0x3fu);
    return c;
}

static void put_char(ft_buf *out, const uint8_t *p, size_t n)
{
    switch (p[0]) {
    case '&': ft_buf_add_str(out, "&amp;"); break;
    case '<': ft_buf_add_str(out, "&lt;"); break;
    case '>': ft_buf_add_str(out, "&gt;"); break;
    case '"': ft_buf_add_str(out, "&quot;"); break;
    case '\'': ft_buf_add_str(out, "&#39;"); break;
    case '\n': case '\r': case '\t': ft_buf_add_byte(out, ' '); break;
    default: ft_buf_add(out, p, n);
    }
}

void cli_xml_text(ft_buf *out, const void *text, size_t n, size_t max_chars)
{
    const uint8_t *p = text;
    size_t chars = 0;
    while (n > 0) {
        size_t used = ft_utf8_length(p, n);
        uint32_t c = used ? character(p, used) : 0;
        if (max_chars && ++chars > max_chars) {
            ft_buf_add_str(out, "\u2026");
            return;
        }
        if (used > 0 && (may_stand(c) || c == '\n' || c == '\r' || c == '\t'))
            put_char(out, p, used);
        else
            ft_buf_add_str(out, "\ufffd");
        used += used == 0;
        p += used;
        n -= used;
    }
}

void cli_xml_str(ft_buf *out, const char *text)
{
    if (text)
        cli_xml_text(out, text, strlen(text), 0);
}

void cli_page_begin(ft_buf *out, const char *title)
{
    ft_buf_add_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                        "<meta name=\"viewport\" content=\"width=device-width, "
                        "initial-scale=1\"/>\n<title>");
    cli_xml_str(out, title);
    ft_buf_add_fmt(out, "</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", page_style);
    cli_xml_str(out, title);
    ft_buf_add_str(out, "</h1>\n");
}

void cli_page_end(ft_buf *out)
{
    ft_buf_add_str(out, "</body>\n</html>\n");
}

const char *cli_short_number(double v, char text[32])
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    double a = fabs(v);
    size_t u = 0;
    if (!isfinite(v)) {
        snprintf(text, 32, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return text;
    }
    if (a >= 9999.5)
        while (a >= 999.95 && u < 4) {
            a /= 1000;
            v /= 1000;
            u++;
        }
    snprintf(text, 32, "%.4g%s", v == 0 ? 0.0 : v, units[u]);
    return text;
}
