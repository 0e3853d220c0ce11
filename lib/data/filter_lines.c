/* filter_lines.c: what is measured over lines. The published rules cut lines in three ways: at any
 * line break of Unicode (C4, Gopher quality), at each \n (FineWeb), at runs of \n (Gopher
 * repetition); each is kept. */
#define _GNU_SOURCE
#include "data/filter_text_internal.h"

#include "text/words_internal.h"

#include <string.h>

typedef struct line {
    size_t at, n;
} line;

/* Bytes of the line break at p[i], 0 when there is none. */
static size_t break_at(const uint8_t *p, size_t n, size_t i)
{
    uint8_t c = p[i];
    if (c >= 32 && c < 0x80)
        return 0;
    if (c == '\r')
        return i + 1 < n && p[i + 1] == '\n' ? 2 : 1;
    if (c == '\n' || c == '\v' || c == '\f' || (c >= 0x1c && c <= 0x1e))
        return 1;
    if (c == 0xc2)
        return i + 1 < n && p[i + 1] == 0x85 ? 2 : 0;
    if (c == 0xe2)
        return i + 2 < n && p[i + 1] == 0x80 && (p[i + 2] == 0xa8 || p[i + 2] == 0xa9) ? 3 : 0;
    return 0;
}

/* The next line; a break at the end of the text opens no further one. *at: where it begins. */
static int next_line(const uint8_t *p, size_t n, size_t *at, line *l)
{
    size_t i = *at, len = 0;
    if (i >= n)
        return 0;
    l->at = i;
    for (;; i++) {
        while (i + 8 <= n) {                     /* eight bytes that break nothing */
            uint64_t x;
            memcpy(&x, p + i, 8);
            if ((x = ft_words_unplain(x, 32)) != 0) {
                i += (size_t)__builtin_ctzll(x) / 8;
                break;
            }
            i += 8;
        }
        if (i >= n || (len = break_at(p, n, i)) > 0)
            break;
    }
    l->n = i - l->at;
    *at = i + len;
    return 1;
}

/* Characters of n bytes of the text. */
static size_t chars_in(const ft_text_meter *m, const uint8_t *p, size_t n)
{
    return m->ascii ? n : ft_char_count(p, n);
}

/* Takes white space off both ends. */
static line stripped(const ft_words *w, const uint8_t *p, line l)
{
    if (l.n && p[l.at] > 32 && p[l.at] < 0x80 && p[l.at + l.n - 1] > 32 && p[l.at + l.n - 1] < 0x80)
        return l;
    while (l.n > 0) {
        uint32_t c;
        size_t len = ft_char_at(p + l.at, l.n, &c);
        if (!(ft_char_class(w, c) & FT_CHAR_SPACE))
            break;
        l.at += len;
        l.n -= len;
    }
    while (l.n > 0) {
        uint32_t c;
        size_t k = 1;
        while (k < l.n && k < 4 && (p[l.at + l.n - k] & 0xc0) == 0x80)
            k++;
        ft_char_at(p + l.at + l.n - k, k, &c);
        if (!(ft_char_class(w, c) & FT_CHAR_SPACE))
            break;
        l.n -= k;
    }
    return l;
}

static int begins(const uint8_t *p, line l, const char *with)
{
    size_t k = strlen(with);
    return l.n >= k && memcmp(p + l.at, with, k) == 0;
}

static int ends(const uint8_t *p, line l, const char *with)
{
    size_t k = strlen(with);
    return l.n >= k && memcmp(p + l.at + l.n - k, with, k) == 0;
}

void ft_measure_gopher_lines(ft_text_meter *m, const uint8_t *p, size_t n, double *value)
{
    uint64_t lines = 0, bullets = 0, ellipses = 0;
    size_t at = 0;
    line l;
    while (next_line(p, n, &at, &l)) {
        lines++;
        l = stripped(m->words, p, l);
        bullets += begins(p, l, "-") || begins(p, l, "\u2022");
        ellipses += ends(p, l, "...") || ends(p, l, "\u2026");
    }
    value[FT_RULE_BULLET_LINES] = ft_share((double)bullets, (double)lines);
    value[FT_RULE_ELLIPSIS_LINES] = ft_share((double)ellipses, (double)lines);
}

/* ---- repetition ---- */

/* Pieces of a text that runs of at least `breaks` \n separate, empty ones at the ends too. */
static int repeated_pieces(ft_text_meter *m, const uint8_t *p, line all, size_t breaks,
                           double *share, double *share_chars, ft_err *e)
{
    uint64_t pieces = 0, repeated = 0, chars = 0;
    size_t end = all.at + all.n, from = all.at, most = 1;
    for (const uint8_t *q = p + from; (q = memchr(q, '\n', (size_t)(p + end - q))) != NULL; q++)
        most++;
    if (ft_seen_start(&m->seen, most, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = from; i <= end;) {
        const uint8_t *cut = i < end ? memchr(p + i, '\n', end - i) : NULL;
        size_t to = cut ? (size_t)(cut - p) : end, run = 0;
        while (to + run < end && p[to + run] == '\n')
            run++;
        if (to < end && run < breaks) {
            i = to + run;
            continue;
        }
        if (ft_seen_number(&m->seen, ft_words_hash(p + from, to - from), (uint32_t)pieces) !=
            pieces) {
            repeated++;
            chars += chars_in(m, p + from, to - from);
        }
        pieces++;
        if (to == end)
            break;
        i = from = to + run;
    }
    *share = ft_share((double)repeated, (double)pieces);
    *share_chars = ft_share((double)chars, (double)m->chars);
    return 0;
}

int ft_measure_repeated_lines(ft_text_meter *m, const uint8_t *p, size_t n, double *value,
                              ft_err *e)
{
    line all = {0, n};
    if (repeated_pieces(m, p, stripped(m->words, p, all), 2, &value[FT_RULE_REP_PARAGRAPHS],
                        &value[FT_RULE_REP_PARAGRAPH_CHARS], e) < 0)
        return FT_ERR_NOMEM;
    return repeated_pieces(m, p, all, 1, &value[FT_RULE_REP_LINES],
                           &value[FT_RULE_REP_LINE_CHARS], e);
}

/* ---- FineWeb ---- */

static uint32_t last_class(const ft_words *w, const uint8_t *p, line l)
{
    uint32_t c;
    size_t k = 1;
    while (k < l.n && k < 4 && (p[l.at + l.n - k] & 0xc0) == 0x80)
        k++;
    ft_char_at(p + l.at + l.n - k, k, &c);
    return ft_char_class(w, c);
}

int ft_measure_fineweb(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    uint64_t lines = 0, ended = 0, small = 0, repeated = 0, breaks = 0;
    for (const uint8_t *q = p; (q = memchr(q, '\n', (size_t)(p + n - q))) != NULL; q++)
        breaks++;
    if (ft_seen_start(&m->seen, breaks + 1, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n;) {
        const uint8_t *cut = memchr(p + i, '\n', n - i);
        line l = {i, cut ? (size_t)(cut - p) - i : n - i};
        size_t chars;
        i += l.n + 1;
        if (!ft_text_is_visible(m->words, p + l.at, l.n) && stripped(m->words, p, l).n == 0)
            continue;
        chars = chars_in(m, p + l.at, l.n);
        ended += (last_class(m->words, p, l) & FT_CHAR_TERMINAL) != 0;
        small += chars <= 30;
        if (ft_seen_number(&m->seen, ft_words_hash(p + l.at, l.n), (uint32_t)lines) != lines)
            repeated += chars;
        lines++;
    }
    value[FT_RULE_LINE_ENDS] = ft_share((double)ended, (double)lines);
    value[FT_RULE_SHORT_LINES] = ft_share((double)small, (double)lines);
    value[FT_RULE_DUP_CHARS] = ft_share((double)repeated, (double)(m->chars - breaks));
    value[FT_RULE_NEWLINES] = ft_share((double)breaks, (double)m->words->n);
    return 0;
}

/* ---- C4 ---- */

#define WORD_CHARS_MAX 1000      /* C4 leaves lines with longer words out, */
#define LINE_WORDS_MIN 3         /* and those with fewer words             */

/* Words between white space, up to LINE_WORDS_MIN; *too_long: whether one has too many
 * characters. */
static size_t count_plain_words(const ft_words *w, const uint8_t *p, line l, int *too_long)
{
    size_t words = 0, chars = 0;
    *too_long = 0;
    for (size_t i = 0, len; i < l.n && (words < LINE_WORDS_MIN || l.n > WORD_CHARS_MAX); i += len) {
        uint32_t c;
        len = 1;
        c = p[l.at + i];
        if (c >= 0x80)
            len = ft_char_at(p + l.at + i, l.n - i, &c);
        if (c <= 32 || c >= 0x80 ? ft_char_class(w, c) & FT_CHAR_SPACE : 0) {
            chars = 0;
            continue;
        }
        words += chars == 0;
        *too_long |= ++chars > WORD_CHARS_MAX;
    }
    return words;
}

/* Bytes of the citation mark at p: [12], [], [edit], [citation needed]. */
static size_t citation_at(const uint8_t *p, size_t n)
{
    static const char *const marks[] = {"[edit]", "[citation needed]"};
    size_t i = 1;
    while (i < n && p[i] >= '0' && p[i] <= '9')
        i++;
    if (i < n && p[i] == ']')
        return i + 1;
    for (size_t k = 0; k < 2; k++)
        if (n >= strlen(marks[k]) && memcmp(p, marks[k], strlen(marks[k])) == 0)
            return strlen(marks[k]);
    return 0;
}

/* The line without its citation marks goes to m->line. Returns: whether there were any. */
static int without_citations(ft_text_meter *m, const uint8_t *p, line l)
{
    int found = 0;
    if (!memchr(p + l.at, '[', l.n))
        return 0;
    ft_buf_clear(&m->line);
    for (size_t i = 0; i < l.n;) {
        size_t k = p[l.at + i] == '[' ? citation_at(p + l.at + i, l.n - i) : 0;
        found |= k > 0;
        if (k == 0)
            ft_buf_add_byte(&m->line, p[l.at + i++]);
        i += k;
    }
    return found;
}

static void lower_ascii(ft_buf *b, const uint8_t *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t i = 0;
    uint8_t *to;
    ft_buf_clear(b);
    to = ft_buf_room(b, n);
    if (!to)
        return;
    for (; i + 8 <= n; i += 8) {
        uint64_t x, low;
        memcpy(&x, p + i, 8);
        low = x & ~(ones << 7);        /* the high bits of: over 'A' - 1, and not over 'Z' */
        low = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x7f - 'Z')) & ~x & ones << 7;
        x |= low >> 2;
        memcpy(to + i, &x, 8);
    }
    for (; i < n; i++)
        to[i] = (uint8_t)(p[i] | (p[i] >= 'A' && p[i] <= 'Z' ? 0x20 : 0));
    b->n = n;
}

static int has(const uint8_t *p, size_t n, const char *what)
{
    return n && memmem(p, n, what, strlen(what)) != NULL;
}

static int is_policy(const uint8_t *p, size_t n)
{
    return has(p, n, "terms of use") || has(p, n, "privacy policy") || has(p, n, "cookie policy") ||
           has(p, n, "uses cookies") || has(p, n, "use of cookies") || has(p, n, "use cookies");
}

/* What the text holds at all, so that its lines need not be searched for it. */
typedef struct phrases {
    int lorem, javascript, policy;
} phrases;

/* Sentences of an unchanged line: its words are among those of the text, from *next on. */
static size_t sentences_of(const ft_words *w, line l, size_t *next)
{
    size_t from, to;
    while (*next < w->n && w->v[*next].at < l.at)
        ++*next;
    for (from = to = *next; to < w->n && w->v[to].at < l.at + l.n; to++)
        ;
    *next = to;
    return ft_words_sentences(w->v + from, to - from);
}

/* One stripped line. Adds to counts what it has. */
static int c4_line(ft_text_meter *m, const uint8_t *p, line l, const phrases *seen, size_t *next,
                   double *value, ft_err *e)
{
    int too_long, changed;
    size_t words = count_plain_words(m->words, p, l, &too_long);
    const uint8_t *q = p, *low;
    line now = l;
    if (too_long)
        return 0;
    changed = without_citations(m, p, l);
    if (changed) {
        q = m->line.p;
        now = (line){0, m->line.n};
    }
    if (now.n == 0 || !strchr(".?!\"'", q[now.at + now.n - 1]) || q[now.at + now.n - 1] == 0 ||
        ends(q, now, "...") || words < LINE_WORDS_MIN)
        return 0;
    if (changed)
        lower_ascii(&m->line_lower, q, now.n);
    low = changed ? m->line_lower.p : m->lower.p ? m->lower.p + now.at : NULL;
    if (!low)
        return ft_buf_check(changed ? &m->line_lower : &m->lower, e);
    if (seen->lorem && has(low, now.n, "lorem ipsum")) {
        value[FT_RULE_C4_LOREM]++;
        return 0;
    }
    if (seen->javascript && has(low, now.n, "javascript"))
        return 0;
    if (memchr(q + now.at, '{', now.n)) {
        value[FT_RULE_C4_CURLY]++;
        return 0;
    }
    if (seen->policy && is_policy(low, now.n))
        return 0;
    if (!changed) {
        value[FT_RULE_C4_SENTENCES] += (double)sentences_of(m->words, l, next);
        return 0;
    }
    if (ft_words_split(m->line_words, q, now.n, e) < 0)
        return e ? e->code : FT_ERR_NOMEM;
    value[FT_RULE_C4_SENTENCES] += (double)ft_words_sentences(m->line_words->v, m->line_words->n);
    return 0;
}

int ft_measure_c4(ft_text_meter *m, const uint8_t *p, size_t n, double *value, ft_err *e)
{
    phrases seen;
    size_t at = 0, next = 0;
    int cited;
    line l;
    lower_ascii(&m->lower, p, n);
    if (ft_buf_check(&m->lower, e) < 0)
        return FT_ERR_NOMEM;
    cited = memchr(p, '[', n) != NULL;         /* without marks, phrases may join */
    seen.lorem = cited || has(m->lower.p, n, "lorem ipsum");
    seen.javascript = cited || has(m->lower.p, n, "javascript");
    seen.policy = cited || has(m->lower.p, n, "cookie") || has(m->lower.p, n, "terms of use") ||
                  has(m->lower.p, n, "privacy policy");
    value[FT_RULE_C4_LOREM] = value[FT_RULE_C4_CURLY] = value[FT_RULE_C4_SENTENCES] = 0;
    while (next_line(p, n, &at, &l)) {
        if (c4_line(m, p, stripped(m->words, p, l), &seen, &next, value, e) < 0)
            return e ? e->code : FT_ERR_NOMEM;
    }
    return ft_buf_check(&m->line, e);
}

/* ---- code ---- */

static int is_generated(const uint8_t *p, size_t n)
{
    static const char *const marks[] = {"auto-generated", "autogenerated",
                                        "automatically generated", "generated by",
                                        "do not edit", "code generated"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        for (size_t k = 0, len = strlen(marks[i]); k + len <= n; k++) {
            size_t j = 0;
            while (j < len && (p[k + j] | 0x20) == (marks[i][j] | 0x20))
                j++;
            if (j == len)
                return 1;
        }
    return 0;
}

void ft_measure_code_lines(const uint8_t *p, size_t n, double *value)
{
    uint64_t lines = 0, most = 0, sum = 0, marks = 0;
    size_t at = 0;
    line l;
    while (next_line(p, n, &at, &l)) {
        uint64_t chars = ft_char_count(p + l.at, l.n);
        if (lines++ < 5)
            marks += (uint64_t)is_generated(p + l.at, l.n);
        sum += chars;
        most = chars > most ? chars : most;
    }
    value[FT_RULE_CODE_LINE_MAX] = (double)most;
    value[FT_RULE_CODE_LINE_MEAN] = ft_share((double)sum, (double)lines);
    value[FT_RULE_CODE_GENERATED] = (double)marks;
}
