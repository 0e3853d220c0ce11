/* split.c: cuts text into the words that byte pairs are merged in. Two pre-tokenizers:
 *
 * gpt-2   the pattern of GPT-2 (Radford et al. 2019), alternatives in this order:
 *           's 't 're 've 'm 'll 'd
 *           ␣?letters   ␣?numbers   ␣?others        (others: no letter, number or space)
 *           spaces not followed by a non-space      (so a run leaves its last one to the word)
 *           spaces
 * smollm  cuts each number character off first, then the same pattern inside each piece: a piece
 *         ends before a number as a text ends.
 *
 * Letters are general category L, numbers N, spaces the property White_Space. A byte that begins
 * no well-formed UTF-8 sequence counts as one character of the class "other".
 */
#include "text/tokenizer_internal.h"
#include "text/unicode_internal.h"

#include <string.h>
#include <utf8proc.h>

/* Letters and numbers of Unicode 15.1 and 16.0, which the reference knows and an older utf8proc
 * does not; they add to the library's categories, so a newer library changes nothing. */
static const struct { uint32_t first, last; uint8_t class; } added[] = {
    {0x1c89, 0x1c8a, FT_C_LETTER},   {0xa7cb, 0xa7cd, FT_C_LETTER},
    {0xa7da, 0xa7dc, FT_C_LETTER},   {0x105c0, 0x105f3, FT_C_LETTER},
    {0x10d40, 0x10d49, FT_C_NUMBER}, {0x10d4a, 0x10d65, FT_C_LETTER},
    {0x10d6f, 0x10d85, FT_C_LETTER}, {0x10ec2, 0x10ec4, FT_C_LETTER},
    {0x11380, 0x11389, FT_C_LETTER}, {0x1138b, 0x1138b, FT_C_LETTER},
    {0x1138e, 0x1138e, FT_C_LETTER}, {0x11390, 0x113b5, FT_C_LETTER},
    {0x113b7, 0x113b7, FT_C_LETTER}, {0x113d1, 0x113d1, FT_C_LETTER},
    {0x113d3, 0x113d3, FT_C_LETTER}, {0x116d0, 0x116e3, FT_C_NUMBER},
    {0x11bc0, 0x11be0, FT_C_LETTER}, {0x11bf0, 0x11bf9, FT_C_NUMBER},
    {0x13460, 0x143fa, FT_C_LETTER}, {0x16100, 0x1611d, FT_C_LETTER},
    {0x16130, 0x16139, FT_C_NUMBER}, {0x16d40, 0x16d6c, FT_C_LETTER},
    {0x16d70, 0x16d79, FT_C_NUMBER}, {0x18cff, 0x18cff, FT_C_LETTER},
    {0x1ccf0, 0x1ccf9, FT_C_NUMBER}, {0x1e5d0, 0x1e5ed, FT_C_LETTER},
    {0x1e5f0, 0x1e5f0, FT_C_LETTER}, {0x1e5f1, 0x1e5fa, FT_C_NUMBER},
    {0x2ebf0, 0x2ee5d, FT_C_LETTER},
};

/* The reference's digit rule follows Unicode 17, one version ahead of its pattern. */
static const struct { uint32_t first, last; } added_digits[] = {
    {0x11de0, 0x11de9}, {0x16ff4, 0x16ff6},
};

static unsigned class_of(uint32_t c)
{
    if (ft_is_white_space(c))
        return FT_C_SPACE;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return FT_C_LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return FT_C_NUMBER;
    default:
        return FT_C_OTHER;
    }
}

/* Between them no letter, number or space is or will soon be assigned: class 0, "other". */
#define FIRST_PLANES_END 0x40000u
#define LAST_PLANES 0xe0000u

static void set_class(ft_splitter *s, uint32_t c, unsigned class)
{
    unsigned shift = (c & 3) * 2;
    s->packed[c >> 2] = (uint8_t)((s->packed[c >> 2] & ~(3u << shift)) | class << shift);
}

int ft_splitter_init(ft_splitter *s, ft_slice pre, ft_err *e)
{
    memset(s, 0, sizeof *s);
    if (pre.n == 6 && memcmp(pre.p, "smollm", 6) == 0)
        s->lone_digits = 1;
    else if (pre.n != 5 || memcmp(pre.p, "gpt-2", 5) != 0)
        return ft_err_set(e, FT_ERR_DATA,
                          "pre-tokenizer \"%.*s\" is not known; known are: gpt-2, smollm",
                          (int)(pre.n < 64 ? pre.n : 64), (const char *)pre.p);
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c == FIRST_PLANES_END)
            c = LAST_PLANES;
        set_class(s, c, class_of(c));
    }
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        for (uint32_t c = added[i].first; c <= added[i].last; c++)
            set_class(s, c, added[i].class);
    for (size_t i = 0; s->lone_digits && i < sizeof added_digits / sizeof *added_digits; i++)
        for (uint32_t c = added_digits[i].first; c <= added_digits[i].last; c++)
            set_class(s, c, FT_C_NUMBER);
    for (unsigned c = 0; c < 256; c++)
        s->ascii[c] = c < 0x80 ? (uint8_t)class_of(c) : FT_C_WIDE;
    return 0;
}

static inline unsigned class_at(const ft_splitter *s, const uint8_t *p, size_t n, size_t *len)
{
    unsigned class = s->ascii[p[0]];
    uint32_t c;
    *len = 1;
    if (class != FT_C_WIDE)
        return class;
    *len = ft_utf8_wide(p, n, &c);
    if (*len == 0) {
        *len = 1;
        return FT_C_OTHER;
    }
    return (unsigned)s->packed[c >> 2] >> ((c & 3) * 2) & 3u;
}

/* Returns: where the run of one class that has reached p[i] ends. */
static inline size_t run_end(const ft_splitter *s, const uint8_t *p, size_t i, size_t n,
                             unsigned class)
{
    for (size_t len; i < n; i += len) {
        len = 1;
        if (s->ascii[p[i]] == class)
            continue;
        if (s->ascii[p[i]] != FT_C_WIDE || class_at(s, p + i, n - i, &len) != class)
            break;
    }
    return i;
}

/* Returns: the length of 's 't 're 've 'm 'll 'd at the start, or 0. */
static size_t contraction(const uint8_t *p, size_t n)
{
    if (n < 2)
        return 0;
    if (p[1] == 's' || p[1] == 't' || p[1] == 'm' || p[1] == 'd')
        return 2;
    if (n >= 3 && ((p[1] == 'r' && p[2] == 'e') || (p[1] == 'v' && p[2] == 'e') ||
                   (p[1] == 'l' && p[2] == 'l')))
        return 3;
    return 0;
}

/* A run of spaces that begins with p[0]: it leaves its last one to what follows, unless it is
 * the only one or nothing follows. */
static size_t split_spaces(const ft_splitter *s, const uint8_t *p, size_t n)
{
    size_t i = 0, last = 0, len;
    while (i < n && class_at(s, p + i, n - i, &len) == FT_C_SPACE) {
        last = i;
        i += len;
    }
    if (i == n || last == 0)
        return i;
    if (s->lone_digits && class_at(s, p + i, n - i, &len) == FT_C_NUMBER)
        return i;
    return last;
}

size_t ft_split_next(const ft_splitter *s, const uint8_t *p, size_t n)
{
    size_t len, at = 0;
    unsigned class = class_at(s, p, n, &len);
    if (class == FT_C_SPACE) {
        size_t next;
        if (p[0] != ' ' || n == 1)
            return split_spaces(s, p, n);
        class = class_at(s, p + 1, n - 1, &next);
        if (class == FT_C_SPACE || (class == FT_C_NUMBER && s->lone_digits))
            return split_spaces(s, p, n);
        at = 1;
        len = next;
    } else if (p[0] == '\'') {
        size_t short_word = contraction(p, n);
        if (short_word)
            return short_word;
    } else if (class == FT_C_NUMBER && s->lone_digits) {
        return len;
    }
    return run_end(s, p, at + len, n, class);
}

/* Contractions begin at an apostrophe that begins a word. */
static uint64_t cut_contractions(const uint8_t *p, size_t n, uint64_t quotes, uint64_t starts)
{
    for (; quotes; quotes &= quotes - 1) {
        size_t at = (size_t)__builtin_ctzll(quotes), len = contraction(p + at, n - at);
        if (len)
            starts &= ~(2ull << at);
        if (len && at + len < 64)
            starts |= 1ull << (at + len);
    }
    return starts;
}

uint64_t ft_split_ends(const ft_splitter *s, const ft_kernels *k, const uint8_t *p, size_t n)
{
    ft_ascii_masks m;
    size_t known = n < 64 ? n : 64;      /* bytes whose class the masks say */
    int whole = n < 64;                  /* and behind which nothing comes  */
    uint64_t others, space_next, starts, quotes;
    k->ascii_masks(p, &m);
    if (m.wide) {
        size_t first = (size_t)__builtin_ctzll(m.wide);
        if (first < known) {
            known = first;
            whole = 0;
        }
    }
    if (known < 3 && !whole)
        return 0;
    others = ~(m.letter | m.digit | m.space | m.wide);
    starts = (m.letter & ~(m.letter << 1)) | (others & ~(others << 1));
    starts |= m.digit & ~(m.digit << 1);
    starts &= ~(m.blank << 1);
    space_next = m.space >> 1;
    if (s->lone_digits) {
        starts |= m.digit;
        space_next |= m.digit >> 1;
    }
    if (whole && known)
        space_next |= 1ull << (known - 1);
    starts |= m.space & ~(m.space << 1 & space_next);
    quotes = m.quote & ~(others << 1) & ~(m.blank << 1);
    if (known < 64)
        quotes &= (1ull << known) - 1;
    starts = cut_contractions(p, known, quotes, starts) & ~1ull;
    if (whole)
        return (starts & ((1ull << known) - 1)) | 1ull << known;
    return starts & ((1ull << (known - 1)) - 1);
}
