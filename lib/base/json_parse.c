/* json_parse.c: JSON text to msgpack in one pass, without a tree between. A container's head is one
 * byte until its end is seen; heads of more than 15 elements then grow, which moves what lies
 * behind them, at most once for each level of nesting. */
#include "base/json.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_INLINE = 32, KEYS_COMPARED = 16 };

/* A key of an object that is still open: where it stands in out, and in the text. */
struct key {
    size_t at, n, from;
};

struct level {
    size_t head, count, first_key;
    int is_map;
};

struct parser {
    const uint8_t *start, *p, *end;
    ft_buf *out;
    struct level levels[FT_MP_DEPTH_MAX];
    size_t depth;
    struct key *keys, inline_keys[KEYS_INLINE];
    size_t n_keys, cap_keys;
    const uint8_t *bad;           /* where the error is */
    ft_err *e;
};

static int fail(struct parser *s, const uint8_t *at, const char *why)
{
    s->bad = at;
    return ft_err_set(s->e, FT_ERR_DATA, "%s", why);
}

static int nomem(struct parser *s)
{
    s->out->failed = 1;
    return ft_buf_check(s->out, s->e);
}

static void skip_space(struct parser *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

/* What stands where something else is expected. */
static int unexpected(struct parser *s, const char *expected)
{
    s->bad = s->p;
    if (s->p == s->end)
        return ft_err_set(s->e, FT_ERR_DATA, "ends where %s is expected", expected);
    if (*s->p == 0)
        return ft_err_set(s->e, FT_ERR_DATA, "a NUL byte (is this UTF-16, or no text at all?)");
    if (*s->p > ' ' && *s->p < 0x7f)
        return ft_err_set(s->e, FT_ERR_DATA, "'%c' where %s is expected", *s->p, expected);
    return ft_err_set(s->e, FT_ERR_DATA, "byte 0x%02x where %s is expected", *s->p, expected);
}

/* ---- strings ---- */

#define EACH_BYTE(c) (0x0101010101010101u * (uint64_t)(c))

/* Whether one of eight bytes is a quote, a backslash, a control character or not ASCII. */
static int has_special(const uint8_t *p)
{
    uint64_t w, quote, slash;
    memcpy(&w, p, sizeof w);
    quote = w ^ EACH_BYTE('"');
    slash = w ^ EACH_BYTE('\\');
    return ((w | (w - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (slash - EACH_BYTE(1))) &
            EACH_BYTE(0x80)) != 0;
}

/* Finds the quote that ends the string at s->p, checking its characters; what follows a backslash
 * is left to unescape. Returns: NULL after an error. */
static const uint8_t *find_end(struct parser *s, int *escapes)
{
    const uint8_t *p = s->p, *end = s->end;
    *escapes = 0;
    while (p < end) {
        size_t len;
        if (end - p >= 8 && !has_special(p)) {
            p += 8;
        } else if (*p == '"') {
            return p;
        } else if (*p == '\\') {
            *escapes = 1;
            p += end - p > 1 && p[1] < 0x80 ? 2 : 1;
        } else if (*p < 0x20) {
            fail(s, p, *p ? "a control character in a string"
                          : "a NUL byte (is this UTF-16, or no text at all?)");
            return NULL;
        } else if ((len = ft_utf8_length(p, (size_t)(end - p))) > 0) {
            p += len;
        } else {
            s->bad = p;
            ft_err_set(s->e, FT_ERR_DATA, "invalid UTF-8 (0x%02x)", *p);
            return NULL;
        }
    }
    fail(s, p, "a string is not ended");
    return NULL;
}

/* Returns: the value of four hexadecimal digits, or -1. */
static int hex4(const uint8_t *p, const uint8_t *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int c = p[i], low = c | 0x20;
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

static uint8_t *put_utf8(uint8_t *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (uint8_t)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *to++ = (uint8_t)(0xf0 | c >> 18);
            *to++ = (uint8_t)(0x80 | (c >> 12 & 63));
        }
        *to++ = (uint8_t)(0x80 | (c >> 6 & 63));
    }
    *to++ = (uint8_t)(0x80 | (c & 63));
    return to;
}

/* Reads the escape at *p, which is a backslash, and appends its character. */
static int escape(struct parser *s, const uint8_t **p, const uint8_t *end, uint8_t **to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const uint8_t *at = *p;
    const char *known = end - at > 1 && at[1] ? strchr(names, at[1]) : NULL;
    int c, low;
    if (known) {
        *(*to)++ = (uint8_t)values[known - names];
        *p += 2;
        return 0;
    }
    if (end - at < 2 || at[1] != 'u' || (c = hex4(at + 2, end)) < 0)
        return fail(s, at, "an unknown escape in a string");
    *p += 6;
    if (c >= 0xd800 && c < 0xe000) {
        low = end - *p > 5 && (*p)[0] == '\\' && (*p)[1] == 'u' ? hex4(*p + 2, end) : -1;
        if (c >= 0xdc00 || low < 0xdc00 || low > 0xdfff)
            return fail(s, at, "half of a surrogate pair in a string");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        *p += 6;
    }
    *to = put_utf8(*to, (unsigned)c);
    return 0;
}

/* Writes [p, end), which has escapes, to *to. */
static int unescape(struct parser *s, const uint8_t *p, const uint8_t *end, uint8_t **to)
{
    while (p < end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p);
        memcpy(*to, p, run);
        *to += run;
        p += run;
        if (p < end && escape(s, &p, end, to) < 0)
            return FT_ERR_DATA;
    }
    return 0;
}

static size_t head_bytes(size_t n)
{
    return n < 32 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5;
}

static void put_head(uint8_t *p, size_t n)
{
    size_t width = head_bytes(n) - 1;
    p[0] = width == 0 ? (uint8_t)(0xa0 | n) : width == 1 ? 0xd9 : width == 2 ? 0xda : 0xdb;
    for (size_t i = 0; i < width; i++)
        p[1 + i] = (uint8_t)(n >> 8 * (width - 1 - i));
}

/* Reads the string whose quote is at s->p; *k: where its bytes are in out. */
static int string(struct parser *s, struct key *k)
{
    int escapes;
    const uint8_t *from = ++s->p, *end = find_end(s, &escapes);
    size_t n, head;
    uint8_t *at, *to;
    if (!end)
        return FT_ERR_DATA;
    n = (size_t)(end - from);
    head = head_bytes(n);
    if (n > UINT32_MAX || !(at = ft_buf_room(s->out, head + n)))
        return nomem(s);
    to = at + head;
    if (escapes) {
        if (unescape(s, from, end, &to) < 0)
            return FT_ERR_DATA;
        n = (size_t)(to - at) - head;
        if (head_bytes(n) < head) {
            memmove(at + head_bytes(n), at + head, n);
            head = head_bytes(n);
        }
    } else {
        memcpy(to, from, n);
    }
    put_head(at, n);
    *k = (struct key){s->out->n + head, n, (size_t)(end - s->start)};
    s->out->n += head + n;
    s->p = end + 1;
    return 0;
}

/* ---- keys ---- */

static int compare(const struct parser *s, const struct key *a, const struct key *b)
{
    int c;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    c = a->n ? memcmp(s->out->p + a->at, s->out->p + b->at, a->n) : 0;
    return c ? c : a->from < b->from ? -1 : a->from > b->from;
}

static int same_key(const struct parser *s, const struct key *a, const struct key *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(s->out->p + a->at, s->out->p + b->at, a->n) == 0);
}

static void sift(const struct parser *s, struct key *k, size_t at, size_t n)
{
    struct key moved = k[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && compare(s, &k[child], &k[child + 1]) < 0)
            child++;
        if (compare(s, &moved, &k[child]) >= 0)
            break;
        k[at] = k[child];
    }
    k[at] = moved;
}

/* Looks for equal keys in a large object by sorting them, in place and in bounded time. */
static int check_keys(struct parser *s, struct key *k, size_t n)
{
    const uint8_t *first = NULL;
    for (size_t i = n / 2; i-- > 0;)
        sift(s, k, i, n);
    for (size_t i = n; i-- > 1;) {
        struct key top = k[0];
        k[0] = k[i];
        k[i] = top;
        sift(s, k, 0, i);
    }
    for (size_t i = 1; i < n; i++)
        if (same_key(s, &k[i - 1], &k[i]) && (!first || s->start + k[i].from < first))
            first = s->start + k[i].from;
    return first ? fail(s, first, "duplicate object key") : 0;
}

static int add_key(struct parser *s, const struct key *k)
{
    const struct level *l = &s->levels[s->depth - 1];
    size_t seen = s->n_keys - l->first_key;
    for (size_t i = 0; seen < KEYS_COMPARED && i < seen; i++)
        if (same_key(s, &s->keys[l->first_key + i], k))
            return fail(s, s->start + k->from, "duplicate object key");
    if (s->n_keys == s->cap_keys) {
        struct key *old = s->keys == s->inline_keys ? NULL : s->keys, *grown = old;
        size_t cap = old ? s->cap_keys : 0;
        int rc = ft_grow(&grown, &cap, 2 * s->cap_keys, sizeof *grown, s->e);
        if (rc < 0)
            return rc;
        if (!old)
            memcpy(grown, s->inline_keys, sizeof s->inline_keys);
        s->keys = grown;
        s->cap_keys = cap;
    }
    s->keys[s->n_keys++] = *k;
    return 0;
}

/* Reads a key and the colon behind it. */
static int key(struct parser *s)
{
    struct key k;
    int rc;
    skip_space(s);
    if (s->p == s->end || *s->p != '"')
        return unexpected(s, "a key in quotes");
    if ((rc = string(s, &k)) < 0)
        return rc;
    if (k.n && memchr(s->out->p + k.at, 0, k.n))
        return fail(s, s->start + k.from, "a NUL character in a key");
    if ((rc = add_key(s, &k)) < 0)
        return rc;
    skip_space(s);
    if (s->p == s->end || *s->p != ':')
        return unexpected(s, "':'");
    s->p++;
    return 0;
}

/* ---- numbers and words ---- */

/* A decimal number: sign, digits of the mantissa as far as they fit, and the power of ten. */
struct decimal {
    uint64_t digits;
    size_t n_digits;        /* significant ones; over 19: digits has not all */
    int negative, whole;
    long power;
};

static const uint8_t *digits(const uint8_t *p, const uint8_t *end, struct decimal *d, int fraction)
{
    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (d->n_digits || *p != '0') {
            if (d->n_digits < 19)
                d->digits = 10 * d->digits + (uint64_t)(*p - '0');
            d->n_digits++;
        }
        d->power -= fraction;
    }
    return p;
}

/* Reads a number by JSON's grammar. Returns: whether it is one; *at: its end, or what is wrong. */
static int scan_number(const uint8_t **at, const uint8_t *end, struct decimal *d)
{
    const uint8_t *p = *at, *from;
    d->negative = *p == '-';
    p += d->negative;
    from = p;
    p = p < end && *p == '0' ? p + 1 : digits(p, end, d, 0);
    *at = p;
    if (p == from)
        return 0;
    d->whole = 1;
    if (p < end && *p == '.') {
        d->whole = 0;
        from = p + 1;
        *at = p = digits(from, end, d, 1);
        if (p == from)
            return 0;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        int minus;
        long power = 0;
        d->whole = 0;
        p++;
        minus = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        for (from = p; p < end && *p >= '0' && *p <= '9'; p++)
            power = power < 100000000 ? 10 * power + (*p - '0') : power;
        *at = p;
        if (p == from)
            return 0;
        d->power += minus ? -power : power;
    }
    return 1;
}

/* The nearest double. Up to 2^53 and 10^22 both factors are exact, so one rounding is all there is
 * (Clinger 1990); everything else is the C library's work. */
static int to_double(struct parser *s, const uint8_t *from, size_t n, const struct decimal *d,
                     double *out)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    ft_buf text = {0};
    if (d->n_digits <= 19 && d->digits <= (uint64_t)1 << 53 && d->power >= -22 && d->power <= 22) {
        double v = (double)d->digits;
        v = d->power < 0 ? v / tens[-d->power] : v * tens[d->power];
        *out = d->negative ? -v : v;
        return 0;
    }
    ft_buf_add(&text, from, n);
    ft_buf_add_byte(&text, 0);
    if (text.failed)
        return nomem(s);
    *out = strtod((const char *)text.p, NULL);
    ft_buf_free(&text);
    return isfinite(*out) ? 0 : fail(s, from, "a number that no double can hold");
}

static int number(struct parser *s)
{
    struct decimal d = {0};
    const uint8_t *from = s->p;
    double v = 0;
    int rc;
    if (!scan_number(&s->p, s->end, &d))
        return unexpected(s, "a digit");
    if (d.whole) {
        if (d.n_digits > 19 || d.digits > (uint64_t)INT64_MAX + (uint64_t)d.negative)
            return fail(s, from, "a whole number outside -2^63 to 2^63-1");
        ft_mp_put_int(s->out, (int64_t)(d.negative ? 0 - d.digits : d.digits));
        return 0;
    }
    if ((rc = to_double(s, from, (size_t)(s->p - from), &d, &v)) < 0)
        return rc;
    ft_mp_put_float(s->out, v);
    return 0;
}

static int is_word(struct parser *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return 0;
    s->p += n;
    return 1;
}

static int scalar(struct parser *s)
{
    struct key ignored;
    if (*s->p == '"')
        return string(s, &ignored);
    if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
        return number(s);
    if (is_word(s, "null"))
        ft_mp_put_nil(s->out);
    else if (is_word(s, "true"))
        ft_mp_put_bool(s->out, 1);
    else if (is_word(s, "false"))
        ft_mp_put_bool(s->out, 0);
    else
        return unexpected(s, "a value");
    return 0;
}

/* ---- containers ---- */

static int open_level(struct parser *s)
{
    if (s->depth == FT_MP_DEPTH_MAX) {
        s->bad = s->p;
        return ft_err_set(s->e, FT_ERR_DATA, "nesting over %d levels", FT_MP_DEPTH_MAX);
    }
    s->levels[s->depth++] = (struct level){s->out->n, 0, s->n_keys, *s->p == '{'};
    ft_buf_add_byte(s->out, 0);
    s->p++;
    skip_space(s);
    return 0;
}

static int close_level(struct parser *s)
{
    const struct level *l = &s->levels[--s->depth];
    size_t n = l->count, wide = n < 16 ? 0 : n < 65536 ? 2 : 4;
    uint8_t *head;
    if (l->is_map && n > KEYS_COMPARED && check_keys(s, s->keys + l->first_key, n) < 0)
        return FT_ERR_DATA;
    s->n_keys = l->first_key;
    s->p++;
    if (n > UINT32_MAX || !ft_buf_room(s->out, wide))
        return nomem(s);
    head = s->out->p + l->head;
    if (wide)
        memmove(head + 1 + wide, head + 1, s->out->n - l->head - 1);
    s->out->n += wide;
    head[0] = wide == 0 ? (uint8_t)((l->is_map ? 0x80 : 0x90) | n)
                        : (uint8_t)((l->is_map ? 0xde : 0xdc) + (wide == 4));
    for (size_t i = 0; i < wide; i++)
        head[1 + i] = (uint8_t)(n >> 8 * (wide - 1 - i));
    return 0;
}

/* Behind a value: closes what ends here. Returns: 1 when another value follows, 0 when the whole
 * was read, or an error. */
static int after_value(struct parser *s)
{
    while (s->depth > 0) {
        struct level *l = &s->levels[s->depth - 1];
        uint8_t close = l->is_map ? '}' : ']';
        int rc;
        l->count++;
        skip_space(s);
        if (s->p < s->end && *s->p == ',') {
            s->p++;
            return l->is_map && (rc = key(s)) < 0 ? rc : 1;
        }
        if (s->p == s->end || *s->p != close)
            return unexpected(s, l->is_map ? "',' or '}'" : "',' or ']'");
        if ((rc = close_level(s)) < 0)
            return rc;
    }
    skip_space(s);
    return s->p == s->end ? 0 : unexpected(s, "the end");
}

/* Reads a value up to its end, or to the first of its own values. Returns: 1 when values follow. */
static int begin_value(struct parser *s)
{
    int is_map, rc;
    skip_space(s);
    if (s->p == s->end)
        return unexpected(s, "a value");
    if (*s->p != '{' && *s->p != '[')
        return scalar(s);
    is_map = *s->p == '{';
    if ((rc = open_level(s)) < 0)
        return rc;
    if (s->p < s->end && *s->p == (is_map ? '}' : ']'))
        return close_level(s);
    return is_map && (rc = key(s)) < 0 ? rc : 1;
}

static int parse(struct parser *s)
{
    int rc;
    do {
        while ((rc = begin_value(s)) > 0)
            ;
        if (rc == 0)
            rc = after_value(s);
    } while (rc > 0);
    return rc;
}

int ft_json_parse_at(const void *text, size_t n, ft_buf *out, size_t *where, ft_err *e)
{
    struct parser s = {.start = text, .p = text, .out = out, .cap_keys = KEYS_INLINE, .e = e};
    size_t before = out->n;
    int rc;
    s.end = n ? s.p + n : s.p;
    s.keys = s.inline_keys;
    rc = parse(&s);
    if (s.keys != s.inline_keys)
        ft_free(s.keys);
    if (rc == 0)
        rc = ft_buf_check(out, e);
    if (rc < 0)
        out->n = before;
    *where = s.bad ? (size_t)(s.bad - s.start) : 0;
    return rc;
}

void ft_json_place(const void *text, size_t where, size_t *lines, size_t *column)
{
    const uint8_t *p = text;
    *lines = 0;
    *column = 1;
    for (size_t i = 0; i < where; i++) {
        if (p[i] == '\n') {
            ++*lines;
            *column = 1;
        } else {
            *column += (p[i] & 0xc0) != 0x80;
        }
    }
}

int ft_json_parse(const void *text, size_t n, ft_buf *out, ft_err *e)
{
    size_t where, lines, column;
    int rc = ft_json_parse_at(text, n, out, &where, e);
    if (rc != FT_ERR_DATA)
        return rc;
    ft_json_place(text, where, &lines, &column);
    return ft_err_wrap(e, "column %zu", column);
}
