/* filter_text.c: what is measured over words and characters; the families of line rules are in
 * filter_lines.c. */
#include "data/filter_text_internal.h"

#include "base/mem.h"

#include <string.h>

int ft_text_meter_new(ft_text_meter **out, ft_err *e)
{
    ft_text_meter *m = ft_new(1, sizeof *m, e);
    *out = m;
    if (!m)
        return FT_ERR_NOMEM;
    if (ft_words_new(&m->words, e) < 0 || ft_words_new(&m->line_words, e) < 0) {
        ft_text_meter_free(out);
        return FT_ERR_NOMEM;
    }
    return 0;
}

void ft_text_meter_free(ft_text_meter **mp)
{
    ft_text_meter *m = *mp;
    if (!m)
        return;
    ft_words_free(&m->words);
    ft_words_free(&m->line_words);
    ft_repeat_free(&m->repeat);
    ft_seen_free(&m->seen);
    ft_buf_free(&m->lower);
    ft_buf_free(&m->line);
    ft_buf_free(&m->line_lower);
    ft_free(m);
    *mp = NULL;
}

const ft_words *ft_text_classes(const ft_text_meter *m)
{
    return m->words;
}

int ft_text_words(ft_text_meter *m, const void *text, size_t n, const ft_words **w, ft_err *e)
{
    *w = m->words;
    return ft_words_split(m->words, text, n, e);
}

/* ---- words ---- */

double ft_share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* Occurrences that do not overlap. */
static size_t occurrences(const uint8_t *p, size_t n, const char *what)
{
    size_t k = strlen(what), count = 0;
    const uint8_t *end = p + n, *at;
    while (p < end && (at = memchr(p, what[0], (size_t)(end - p))) != NULL) {
        if ((size_t)(end - at) >= k && memcmp(at, what, k) == 0) {
            count++;
            p = at + k;
        } else {
            p = at + 1;
        }
    }
    return count;
}

static void count_words(const ft_text_meter *m, const uint8_t *p, size_t n, double *value)
{
    const ft_words *w = m->words;
    uint64_t text_words = 0, text_chars = 0, alpha = 0;
    uint32_t stops = 0;
    double words = (double)w->n;
    for (size_t i = 0; i < w->n; i++) {
        uint32_t flags = w->v[i].flags;
        stops |= flags;
        alpha += (flags & FT_WORD_ALPHA) != 0;
        if (flags & FT_WORD_TEXT) {
            text_words++;
            text_chars += w->v[i].chars;
        }
    }
    value[FT_RULE_WORDS_MIN] = value[FT_RULE_WORDS_MAX] = (double)text_words;
    value[FT_RULE_WORD_LENGTH_MIN] = value[FT_RULE_WORD_LENGTH_MAX] =
        ft_share((double)text_chars, (double)text_words);
    value[FT_RULE_HASHES] = ft_share((double)occurrences(p, n, "#"), words);
    value[FT_RULE_ELLIPSES] =
        ft_share((double)(occurrences(p, n, "...") + occurrences(p, n, "\u2026")), words);
    value[FT_RULE_ALPHA_WORDS] = ft_share((double)alpha, words);
    value[FT_RULE_STOP_WORDS] = (double)__builtin_popcount(stops / FT_WORD_STOP);
}

static int measure_runs(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    double chars = (double)m->chars;
    size_t longest = 4;
    (void)p;
    (void)n;
    for (size_t k = 5; k <= 10; k++)
        if (m->wanted & FT_RULE_BIT(FT_RULE_REP_DUP_5 + k - 5))
            longest = k;
    if (ft_repeat_measure(&m->repeat, m->words->v, m->words->n, longest, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t k = 2; k <= 4; k++)
        value[FT_RULE_REP_TOP_2 + k - 2] = ft_share((double)m->repeat.top[k], chars);
    for (size_t k = 5; k <= longest; k++)
        value[FT_RULE_REP_DUP_5 + k - 5] = ft_share((double)m->repeat.dup[k], chars);
    return 0;
}

/* ---- characters ---- */

size_t ft_text_url(const uint8_t *p, size_t n)
{
    static const char *const starts[] = {"http://", "https://", "www."};
    for (size_t i = 0; i < 3; i++) {
        size_t k = strlen(starts[i]);
        if (n <= k || memcmp(p, starts[i], k) != 0)
            continue;
        while (k < n && p[k] > 32 && !strchr("<>\"'`", p[k]))
            k++;
        return k > strlen(starts[i]) ? k : 0;
    }
    return 0;
}

static void count_chars(ft_text_meter *m, const uint8_t *p, size_t n, double *value)
{
    uint64_t chars = 0, symbols = 0, digits = 0, spaces = 0, urls = 0, alnum = 0;
    size_t url_end = 0;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c, class;
        len = ft_char_at(p + i, n - i, &c);
        class = ft_char_class(m->words, c);
        if (i >= url_end && (c == 'h' || c == 'w'))
            url_end = i + ft_text_url(p + i, n - i);
        chars++;
        urls += i < url_end;
        digits += (class & FT_CHAR_DIGIT) != 0;
        spaces += (class & FT_CHAR_SPACE) != 0;
        alnum += (class & (FT_CHAR_DIGIT | FT_CHAR_LETTER)) != 0;
    }
    symbols = chars - spaces - alnum;
    value[FT_RULE_SYMBOLS] = ft_share((double)symbols, (double)(chars - spaces));
    value[FT_RULE_DIGITS] = ft_share((double)digits, (double)chars);
    value[FT_RULE_SPACES] = ft_share((double)spaces, (double)chars);
    value[FT_RULE_URLS] = ft_share((double)urls, (double)chars);
    value[FT_RULE_CODE_ALNUM] = ft_share((double)alnum, (double)chars);
}

/* Whether the two characters at p are one character of UTF-8 that was read as Latin-1 or
 * Windows-1252: a lead (Ã or Â, U+00C2/C3) before U+0080..00BF, or â before € or U+0080. */
static int is_misread(uint32_t c, uint32_t next)
{
    if (c == 0xc2 || c == 0xc3)
        return next >= 0x80 && next <= 0xbf;
    return c == 0xe2 && (next == 0x20ac || next == 0x80);
}

uint64_t ft_text_garbled(const void *text, size_t n)
{
    const uint8_t *p = text;
    uint64_t bad = 0;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c, next;
        len = 1;
        if (p[i] < 0x80)
            continue;
        len = ft_char_at(p + i, n - i, &c);
        if (c == 0xfffd || (c >= 0x80 && c <= 0x9f && c != 0x85) || (c >= 0xdc00 && c <= 0xdcff)) {
            bad++;
        } else if (i + len < n && p[i + len] >= 0x80) {
            ft_char_at(p + i + len, n - i - len, &next);
            bad += (uint64_t)is_misread(c, next);
        }
    }
    return bad;
}

int ft_text_is_visible(const ft_words *classes, const void *text, size_t n)
{
    const uint8_t *p = text;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c;
        len = ft_char_at(p + i, n - i, &c);
        if (!(ft_char_class(classes, c) & FT_CHAR_SPACE) && c != 0x200b && c != 0xfeff)
            return 1;
    }
    return 0;
}

/* ---- all ---- */

#define BITS(from, to) ((FT_RULE_BIT((to) - (from) + 1) - 1) << (from))

static int is_ascii(const uint8_t *p, size_t n)
{
    uint64_t all = 0, x;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&x, p + i, 8);
        all |= x;
    }
    for (; i < n; i++)
        all |= (uint64_t)p[i] << 56;
    return (all & 0x8080808080808080u) == 0;
}

static int measure_plain(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    (void)e;
    value[FT_RULE_EMPTY] = !ft_text_is_visible(m->words, p, n);
    value[FT_RULE_GARBLED] = m->ascii ? 0 : (double)ft_text_garbled(p, n);
    return 0;
}

static int measure_words(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    (void)e;
    count_words(m, p, n, value);
    return 0;
}

static int measure_gopher_lines(ft_text_meter *m, const uint8_t *p, size_t n, double *value,
                                ft_err *e)
{
    (void)e;
    ft_measure_gopher_lines(m, p, n, value);
    return 0;
}

static int measure_chars(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    (void)e;
    count_chars(m, p, n, value);
    return 0;
}

static int measure_code(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    (void)e;
    (void)m;
    ft_measure_code_lines(p, n, value);
    return 0;
}

/* What is measured together, in the order of its first rule. */
static const struct family {
    uint64_t rules;
    int needs_words;
    int (*measure)(ft_text_meter *, const uint8_t *, size_t, double *, ft_err *);
} families[] = {
    {BITS(FT_RULE_EMPTY, FT_RULE_GARBLED), 0, measure_plain},
    {BITS(FT_RULE_C4_LOREM, FT_RULE_C4_SENTENCES), 1, ft_measure_c4},
    {BITS(FT_RULE_WORDS_MIN, FT_RULE_ELLIPSES) | BITS(FT_RULE_ALPHA_WORDS, FT_RULE_STOP_WORDS), 1,
     measure_words},
    {BITS(FT_RULE_BULLET_LINES, FT_RULE_ELLIPSIS_LINES), 0, measure_gopher_lines},
    {BITS(FT_RULE_REP_PARAGRAPHS, FT_RULE_REP_LINE_CHARS), 0, ft_measure_repeated_lines},
    {BITS(FT_RULE_REP_TOP_2, FT_RULE_REP_DUP_10), 1, measure_runs},
    {BITS(FT_RULE_LINE_ENDS, FT_RULE_NEWLINES), 1, ft_measure_fineweb},
    {BITS(FT_RULE_SYMBOLS, FT_RULE_SPACES) | FT_RULE_BIT(FT_RULE_CODE_ALNUM), 0, measure_chars},
    {BITS(FT_RULE_CODE_LINE_MAX, FT_RULE_CODE_LINE_MEAN) | FT_RULE_BIT(FT_RULE_CODE_GENERATED), 0,
     measure_code}};

/* Whether a rule fires and all before it, in the order of the table, are done: families overlap. */
static int is_decided(const ft_rules *until, uint64_t done, uint64_t left, const double *value)
{
    size_t first = ft_rules_first(until, done, value);
    return first < FT_RULES && (left & (FT_RULE_BIT(first) - 1)) == 0;
}

int ft_text_measure_until(ft_text_meter *m, const void *text, size_t n, uint64_t wanted,
                          const ft_rules *until, double *value, uint64_t *done, ft_err *e)
{
    int rc = 0, cut = 0;
    *done = 0;
    m->ascii = is_ascii(text, n);
    m->chars = m->ascii ? n : ft_char_count(text, n);
    m->wanted = wanted;
    for (size_t i = 0; rc == 0 && i < sizeof families / sizeof *families; i++) {
        const struct family *f = &families[i];
        uint64_t asked = f->rules & wanted;
        if (!asked)
            continue;
        if (f->needs_words && !cut++)
            rc = ft_words_split(m->words, text, n, e);
        if (rc == 0)
            rc = f->measure(m, text, n, value, e);
        *done |= asked;
        if (rc == 0 && until && is_decided(until, *done, wanted & ~*done, value))
            break;
    }
    return rc;
}

int ft_text_measure(ft_text_meter *m, const void *text, size_t n, uint64_t wanted, double *value,
                    ft_err *e)
{
    uint64_t done;
    return ft_text_measure_until(m, text, n, wanted, NULL, value, &done, e);
}
