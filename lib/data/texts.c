#include "data/texts.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

enum { BLOCK_BYTES = 4 << 20 };

/* Where in a JSON input that is not cut at its lines. */
enum place { TOP, LIST_BEGIN, LIST_VALUE, LIST_COMMA };

struct ft_texts {
    ft_unpack *from;
    enum ft_cut how;
    int values;                   /* JSON: cut by brackets, not by lines */
    enum place place;
    ft_buf held;                  /* read and not yet given: [at, held.n) */
    size_t at;
    uint64_t line;                /* of `at` */
    int begun, ended;
    ft_text *texts;
    size_t n, cap;
    ft_err read_error;            /* behind the bytes in held */
    ft_err pending;               /* behind the texts that were found */
};

int ft_texts_new(ft_texts **out, ft_unpack *u, enum ft_cut how, ft_err *e)
{
    ft_texts *t = ft_new(1, sizeof *t, e);
    *out = t;
    if (!t)
        return FT_ERR_NOMEM;
    t->from = u;
    t->how = how;
    t->line = 1;
    return 0;
}

void ft_texts_free(ft_texts **t)
{
    if (!*t)
        return;
    ft_buf_free(&(*t)->held);
    ft_free((*t)->texts);
    ft_free(*t);
    *t = NULL;
}

/* ---- bytes ---- */

/* Reads n bytes more, as far as there are. */
static void read_more(ft_texts *t, size_t n)
{
    size_t got = 0;
    int rc = FT_ERR_NOMEM;
    uint8_t *to = ft_buf_room(&t->held, n);
    if (to)
        rc = ft_unpack_read(t->from, to, n, &got, &t->read_error);
    else
        ft_err_nomem(&t->read_error, n);
    t->held.n += got;
    t->ended = rc == 0 && got < n;
}

static int refuse(ft_texts *t, uint64_t line, const char *why)
{
    return ft_err_set(&t->pending, FT_ERR_DATA, "%s: line %llu: %s", ft_unpack_name(t->from),
                      (unsigned long long)line, why);
}

static void add(ft_texts *t, size_t from, size_t end, uint64_t line)
{
    if (ft_grow(&t->texts, &t->cap, t->n + 1, sizeof *t->texts, &t->pending) < 0)
        return;
    t->texts[t->n++] = (ft_text){t->held.p + from, end - from, line};
}

static int is_blank(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t')
            return 0;
    return 1;
}

static uint64_t count_lines(const uint8_t *p, size_t n)
{
    uint64_t lines = 0;
    for (const uint8_t *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        lines++;
    return lines;
}

/* ---- lines ---- */

/* Finds the end of the line that begins at `from`. Returns: 0 when it is not in held; else *end is
 * where the line ends and *next where the next one begins. */
static int find_line(const ft_texts *t, size_t from, size_t *end, size_t *next)
{
    const uint8_t *p = from < t->held.n ? memchr(t->held.p + from, '\n', t->held.n - from) : NULL;
    if (!p && (!t->ended || from == t->held.n))
        return 0;
    *end = p ? (size_t)(p - t->held.p) : t->held.n;
    *next = *end + (p != NULL);
    if (*end > from && t->held.p[*end - 1] == '\r')
        --*end;
    return 1;
}

static void cut_lines(ft_texts *t)
{
    size_t end, next;
    while (t->pending.code == 0 && find_line(t, t->at, &end, &next)) {
        if (!is_blank(t->held.p + t->at, end - t->at))
            add(t, t->at, end, t->line);
        t->at = next;
        t->line++;
    }
}

static void cut_paragraphs(ft_texts *t)
{
    size_t from = t->at, at = t->at, last = 0, end, next;
    uint64_t began = t->line, line = t->line;
    while (t->pending.code == 0) {
        int there = find_line(t, at, &end, &next);
        if (there && !is_blank(t->held.p + at, end - at)) {
            if (!last) {
                from = at;
                began = line;
            }
            last = end;
        } else if (last && (there || t->ended)) {
            add(t, from, last, began);
            last = 0;
        }
        if (!there)
            break;
        at = next;
        line++;
        if (!last) {
            t->at = at;
            t->line = line;
        }
    }
    if (t->ended)
        t->at = t->held.n;
}

/* The line ends of a CSV record are those before which there are as many opening quotes as closing
 * ones. A stray quote shifts that, but not before the record that its parser will refuse, and one
 * that is not ended is refused by it as well. */
static void cut_csv(ft_texts *t)
{
    while (t->pending.code == 0 && t->at < t->held.n) {
        const uint8_t *p = t->held.p + t->at, *all = t->held.p + t->held.n;
        uint64_t lines = 1;
        size_t end;
        int inside = 0;
        for (; p < all && (inside || *p != '\n'); p++) {
            inside ^= *p == '"';
            lines += *p == '\n';
        }
        if (p == all && !t->ended)
            return;
        end = (size_t)(p - t->held.p);
        if (end > t->at && t->held.p[end - 1] == '\r')
            end--;
        if (end > t->at)
            add(t, t->at, end, t->line);
        t->at = (size_t)(p - t->held.p) + (p < all);
        t->line += lines;
    }
}

/* ---- JSON by its brackets ---- */

static const uint8_t *skip_white(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

/* Steps over a string whose quote is at p. Returns: behind its end, NULL when it has none. */
static const uint8_t *skip_string(const uint8_t *p, const uint8_t *end)
{
    for (p++; p < end; p++) {
        uint64_t w, quote, slash;
        const uint64_t each = 0x0101010101010101u;
        while (end - p >= 8) {
            memcpy(&w, p, sizeof w);
            quote = w ^ each * '"';
            slash = w ^ each * '\\';
            if ((((quote - each) & ~quote) | ((slash - each) & ~slash)) & each * 0x80)
                break;
            p += 8;
        }
        if (p == end)
            break;
        if (*p == '"')
            return p + 1;
        p += *p == '\\' && end - p > 1;
    }
    return NULL;
}

/* Finds the end of the value at p. Returns: NULL when it is not in the text; *depth: the deepest
 * nesting. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end, size_t *deepest)
{
    size_t depth = 0;
    *deepest = 0;
    while (p < end) {
        if (*p == '"') {
            p = skip_string(p, end);
            if (!p || depth == 0)
                return p;
            continue;
        }
        if (*p == '{' || *p == '[') {
            if (++depth > *deepest)
                *deepest = depth;
            if (depth > FT_TEXTS_DEPTH_MAX)
                return p;
        } else if (*p == '}' || *p == ']') {
            if (depth <= 1)
                return depth ? p + 1 : p;
            depth--;
        } else if (depth == 0 && (*p == ',' || skip_white(p, p + 1) > p)) {
            return p;
        }
        p++;
    }
    return NULL;
}

/* What stands at p, inside a list or at the top. Returns: 1 when it was stepped over, 0 when it is
 * a value, or an error. */
static int step(ft_texts *t, uint8_t c)
{
    if (t->place == TOP) {
        if (c != '[')
            return 0;
        t->place = LIST_BEGIN;
    } else if (c == ']') {
        if (t->place == LIST_COMMA)
            return refuse(t, t->line, "a comma before the end of the list");
        t->place = TOP;
    } else if (t->place == LIST_VALUE) {
        if (c != ',')
            return refuse(t, t->line, "neither a comma nor the end of the list behind an example");
        t->place = LIST_COMMA;
    } else if (c == ',') {
        return refuse(t, t->line, "a comma where an example is expected");
    } else {
        return 0;
    }
    t->at++;
    return 1;
}

static void take_value(ft_texts *t, const uint8_t *end)
{
    size_t to = (size_t)(end - t->held.p);
    add(t, t->at, to, t->line);
    t->line += count_lines(t->held.p + t->at, to - t->at);
    t->at = to;
    t->place = t->place == TOP ? TOP : LIST_VALUE;
}

static void cut_values(ft_texts *t)
{
    while (t->pending.code == 0) {
        const uint8_t *p = t->held.p + t->at, *all = t->held.p + t->held.n, *end;
        const uint8_t *from = skip_white(p, all);
        size_t deepest;
        t->line += count_lines(p, (size_t)(from - p));
        t->at += (size_t)(from - p);
        if (from == all) {
            if (t->ended && t->place != TOP)
                refuse(t, t->line, "the list is not ended");
            return;
        }
        if (step(t, *from) != 0)
            continue;
        end = skip_value(from, all, &deepest);
        if (deepest > FT_TEXTS_DEPTH_MAX)
            refuse(t, t->line + count_lines(from, (size_t)(end - from)),
                   "nesting over 64 levels");
        else if (end || t->ended)
            take_value(t, !end ? all : end > from ? end : from + 1);
        else
            return;
    }
}

/* Whether JSON is to be cut by its brackets: it is a list, or its first line is no whole object. */
static int is_values(const ft_texts *t)
{
    const uint8_t *all = t->held.p + t->held.n, *p = skip_white(t->held.p + t->at, all), *line;
    size_t deepest;
    if (p == all || *p != '{')
        return p < all && *p == '[';
    line = memchr(p, '\n', (size_t)(all - p));
    return line && !skip_value(p, line, &deepest);
}

/* ---- all ---- */

static void cut(ft_texts *t)
{
    if (t->how == FT_CUT_CSV)
        cut_csv(t);
    else if (t->how == FT_CUT_PARAGRAPHS)
        cut_paragraphs(t);
    else if (t->values)
        cut_values(t);
    else
        cut_lines(t);
}

static void begin(ft_texts *t)
{
    t->begun = 1;
    if (t->held.n >= 3 && memcmp(t->held.p, "\xef\xbb\xbf", 3) == 0)
        t->at = 3;
    t->values = t->how == FT_CUT_JSON && is_values(t);
}

/* Forgets what was given; what remains moves to the front. */
static void forget(ft_texts *t)
{
    t->n = 0;
    if (t->at == 0)
        return;
    memmove(t->held.p, t->held.p + t->at, t->held.n - t->at);
    t->held.n -= t->at;
    t->at = 0;
}

static int longest(const ft_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->texts[i].n > FT_TEXT_BYTES_MAX)
            return (int)i;
    return -1;
}

/* Cuts texts that are too long, and what stands behind them, off the list. */
static void check_length(ft_texts *t)
{
    int i = longest(t);
    uint64_t line = i >= 0 ? t->texts[i].line : t->line;
    if (i < 0 && (t->pending.code < 0 || t->held.n - t->at <= FT_TEXT_BYTES_MAX))
        return;
    if (i >= 0)
        t->n = (size_t)i;
    refuse(t, line, "longer than 16 MiB");
}

int ft_texts_next(ft_texts *t, const ft_text **texts, size_t *n, ft_err *e)
{
    size_t want = BLOCK_BYTES;
    forget(t);
    while (t->n == 0 && t->pending.code == 0 && !(t->ended && t->at == t->held.n && t->begun)) {
        forget(t);
        if (!t->ended)
            read_more(t, want);
        if (!t->begun)
            begin(t);
        cut(t);
        check_length(t);
        if (t->pending.code == 0)
            t->pending = t->read_error;
        want = t->held.n - t->at > BLOCK_BYTES / 2 ? t->held.n - t->at : BLOCK_BYTES;
    }
    *texts = t->texts;
    *n = t->n;
    if (t->n > 0)
        return 0;
    return t->pending.code < 0 ? ft_err_set(e, t->pending.code, "%s", t->pending.text) : FT_EOS;
}
