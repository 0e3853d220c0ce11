/* words.c: see words.h. Pieces between white space repeat all the time, so a cache remembers how
 * short ones were cut; it changes nothing but the speed. */
#include "text/words_internal.h"

#include "base/mem.h"
#include "text/unicode_internal.h"

#include <string.h>
#include <utf8proc.h>

#define CACHE_SLOTS 16384        /* a power of two */
#define CACHED_BYTES 16
#define CACHED_PARTS 2

typedef struct cached {          /* one line of the processor's cache */
    _Alignas(64) uint64_t text[2];     /* filled up with zeros */
    uint64_t hash[CACHED_PARTS];
    uint16_t flags[CACHED_PARTS];
    uint8_t bytes, n, at, size[CACHED_PARTS], chars[CACHED_PARTS];      /* at: of the second part */
} cached;

struct ft_words_state {
    specials specials;
    cached *cache;
    struct { size_t at, bytes; } *suffixes;   /* of the piece at hand, outermost first */
    size_t n_suffixes, suffix_cap;
};

/* ---- characters ---- */

size_t ft_char_at_wide(const uint8_t *p, size_t n, uint32_t *c)
{
    size_t len = ft_utf8_wide(p, n, c);
    if (len == 0) {
        *c = 0xdc00u + p[0];
        return 1;
    }
    return len;
}

size_t ft_char_count(const void *text, size_t n)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint8_t *p = text;
    size_t k = n, i = 0;
    for (; i + 8 <= n; i += 8) {       /* without the bytes 10xxxxxx that continue a character */
        uint64_t x;
        memcpy(&x, p + i, 8);
        if (x & ones << 7)
            k -= (size_t)(((x >> 7 & ~x >> 6 & ones) * ones) >> 56);
    }
    for (; i < n; i++)
        k -= (p[i] & 0xc0) == 0x80;
    return k;
}

static uint32_t range_bits(uint32_t c)
{
    size_t from = 0, to = ft_words_n_ranges;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (ft_words_ranges[mid].to < c)
            from = mid + 1;
        else
            to = mid;
    }
    return from < ft_words_n_ranges && ft_words_ranges[from].from <= c ? ft_words_ranges[from].bits
                                                                       : 0;
}

uint32_t ft_char_class_wide(uint32_t c)
{
    uint32_t bits = range_bits(c);
    utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
    if (ft_is_white_space(c) || (c >= 0x1c && c <= 0x1f))
        bits |= FT_CHAR_SPACE;
    if (cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO)
        bits |= FT_CHAR_LETTER;
    if (cat >= UTF8PROC_CATEGORY_PC && cat <= UTF8PROC_CATEGORY_PO)
        bits |= FT_CHAR_CATEGORY_P;
    if (cat == UTF8PROC_CATEGORY_ND)
        bits |= FT_CHAR_DIGIT;
    if (bits & FT_CHAR_ALPHA) {
        if (bits & FT_CHAR_UNCASED || cat == UTF8PROC_CATEGORY_LU)
            bits |= FT_CHAR_UPPER;
        if (bits & FT_CHAR_UNCASED || cat == UTF8PROC_CATEGORY_LL)
            bits |= FT_CHAR_LOWER;
    }
    return bits;
}

/* ---- an object ---- */

static void mark_affixed(ft_words *w)
{
    specials *s = &w->state->specials;
    for (size_t i = 0; i <= s->mask; i++) {
        special *v = &s->slots[i];
        const uint8_t *p = (const uint8_t *)v->text;
        size_t at;
        if (v->n)
            v->has_affix = ft_words_prefix(w, p, v->bytes) || ft_words_suffix(w, p, v->bytes) ||
                           ft_words_infix(w, p, v->bytes, 0, &at);
    }
}

int ft_words_new(ft_words **out, ft_err *e)
{
    ft_words *w = ft_new(1, sizeof *w, e);
    *out = w;
    if (!w)
        return FT_ERR_NOMEM;
    w->state = ft_new(1, sizeof *w->state, e);
    if (!w->state || ft_specials_new(&w->state->specials, e) < 0 ||
        !(w->state->cache = ft_new_aligned(CACHE_SLOTS, sizeof(cached), e)) ||
        !(w->classes = ft_new(FT_CHAR_TABLE, sizeof(uint16_t), e))) {
        ft_words_free(out);
        return FT_ERR_NOMEM;
    }
    memset(w->state->cache, 0, CACHE_SLOTS * sizeof(cached));
    for (uint32_t c = 0; c < FT_CHAR_TABLE; c++)
        w->classes[c] = (uint16_t)ft_char_class_wide(c);
    mark_affixed(w);
    return 0;
}

void ft_words_free(ft_words **wp)
{
    ft_words *w = *wp;
    if (!w)
        return;
    if (w->state) {
        ft_free(w->state->specials.slots);
        ft_free(w->state->cache);
        ft_free(w->state->suffixes);
        ft_free(w->state);
    }
    ft_free(w->classes);
    ft_free(w->v);
    ft_free(w);
    *wp = NULL;
}

/* ---- cutting ---- */

static uint32_t stop_word(const uint8_t *p, size_t n)
{
    static const char words[8][5] = {"the", "be", "to", "of", "and", "that", "have", "with"};
    if (n < 2 || n > 4)
        return 0;
    for (uint32_t i = 0; i < 8; i++)
        if (strlen(words[i]) == n && memcmp(p, words[i], n) == 0)
            return (uint32_t)FT_WORD_STOP << i;
    return 0;
}

static int put_word(ft_words *w, const uint8_t *text, size_t at, size_t n, ft_err *e)
{
    const uint8_t *p = text + at;
    uint32_t all = ~0u, any = 0, plain = 0, c = 0, chars = 0;
    ft_word *v;
    if (n == 0)
        return 0;
    if (w->n == w->cap && ft_grow(&w->v, &w->cap, w->n + 1, sizeof *w->v, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; chars++) {
        uint32_t class;
        i += ft_char_at(p + i, n - i, &c);
        class = ft_char_class(w, c);
        any |= class;
        all &= class;
        plain |= !(class & FT_CHAR_PUNCT);
    }
    v = &w->v[w->n++];
    *v = (ft_word){.hash = ft_words_hash(p, n), .at = (uint32_t)at, .bytes = (uint32_t)n,
                   .chars = chars};
    v->flags = (any & FT_CHAR_LETTER ? FT_WORD_ALPHA : 0) | (plain ? FT_WORD_TEXT : 0) |
               (chars == 1 && all & FT_CHAR_SENTENCE ? FT_WORD_END : 0) |
               (all & FT_CHAR_CATEGORY_P ? FT_WORD_PUNCT : 0) | stop_word(p, n);
    return 0;
}

static int put_special(ft_words *w, const uint8_t *text, size_t at, const special *s, ft_err *e)
{
    for (size_t i = 0; i < s->n; i++) {
        if (put_word(w, text, at, s->part[i], e) < 0)
            return FT_ERR_NOMEM;
        at += s->part[i];
    }
    return 0;
}

/* What remains between prefixes and suffixes. */
static int put_middle(ft_words *w, const uint8_t *text, size_t at, size_t n, ft_err *e)
{
    const specials *all = &w->state->specials;
    const special *s = ft_specials_find(all, text + at, n);
    const uint8_t *p = text + at;
    size_t start = 0, from = 0, cut_at = 0, cut;
    if (s)
        return put_special(w, text, at, s, e);
    if (n == 0 || ft_words_is_address(w, p, n))
        return put_word(w, text, at, n, e);
    while ((cut = ft_words_infix(w, p, n, from, &cut_at)) > 0) {
        from = cut_at + cut;
        if (cut_at == 0)                       /* nothing stands before it: no cut */
            continue;
        if (put_word(w, text, at + start, cut_at - start, e) < 0 ||
            put_word(w, text, at + cut_at, cut, e) < 0)
            return FT_ERR_NOMEM;
        start = from;
    }
    return put_word(w, text, at + start, n - start, e);
}

/* Remembers that `bytes` came off the end at `at`. */
static int push_suffix(ft_words *w, size_t at, size_t bytes, ft_err *e)
{
    struct ft_words_state *z = w->state;
    if (ft_grow(&z->suffixes, &z->suffix_cap, z->n_suffixes + 1, sizeof *z->suffixes, e) < 0)
        return FT_ERR_NOMEM;
    z->suffixes[z->n_suffixes].at = at;
    z->suffixes[z->n_suffixes++].bytes = bytes;
    return 0;
}

/* Takes prefixes and suffixes off in turns until nothing changes or a known piece remains, then
 * puts what is between them, and the suffixes from the inside out. */
static int cut_affixes(ft_words *w, const uint8_t *text, size_t at, size_t n, ft_err *e)
{
    const specials *all = &w->state->specials;
    size_t from = at, to = at + n, last = 0;
    w->state->n_suffixes = 0;
    while (to > from && to - from != last && !ft_specials_find(all, text + from, to - from)) {
        size_t pre, suf;
        last = to - from;
        pre = ft_words_prefix(w, text + from, last);
        suf = ft_words_suffix(w, text + from + pre, last - pre);
        if (pre && ft_specials_find(all, text + from + pre, last - pre))
            suf = 0;
        else if (suf && ft_specials_find(all, text + from, last - suf))
            pre = 0;
        if (put_word(w, text, from, pre, e) < 0 ||
            (suf && push_suffix(w, to - suf, suf, e) < 0))
            return FT_ERR_NOMEM;
        from += pre;
        to -= suf;
    }
    if (put_middle(w, text, from, to - from, e) < 0)
        return FT_ERR_NOMEM;
    while (w->state->n_suffixes > 0) {
        size_t i = --w->state->n_suffixes;
        if (put_word(w, text, w->state->suffixes[i].at, w->state->suffixes[i].bytes, e) < 0)
            return FT_ERR_NOMEM;
    }
    return 0;
}

/* Words [first, w->n) of one piece: neighbours that together are a known piece with affixes (as
 * ":" and ")" in "(see:)" are) become what that piece falls into. Longer runs first. */
static int merge_specials(ft_words *w, const uint8_t *text, size_t first, ft_err *e)
{
    const specials *all = &w->state->specials;
    for (size_t i = first; i + 1 < w->n; i++)
        for (size_t k = w->n - i < 6 ? w->n - i : 6; k > 1; k--) {
            const ft_word *a = &w->v[i], *b = &w->v[i + k - 1];
            size_t at = a->at, n = b->at + b->bytes - at, tail = w->n - i - k, parts;
            const special *s = n <= all->longest ? ft_specials_find(all, text + at, n) : NULL;
            if (!s || !s->has_affix)
                continue;
            parts = s->n;
            if (parts >= k)                  /* cut like this already, as "He" and "'s" are */
                break;
            w->n = i;
            if (put_special(w, text, at, s, e) < 0)
                return FT_ERR_NOMEM;
            memmove(&w->v[i + parts], &w->v[i + k], tail * sizeof *w->v);
            w->n = i + parts + tail;
            break;
        }
    return 0;
}

static int cut_piece(ft_words *w, const uint8_t *text, size_t at, size_t n, ft_err *e)
{
    size_t first = w->n;
    const special *s = ft_specials_find(&w->state->specials, text + at, n);
    if (s)
        return put_special(w, text, at, s, e);
    if (cut_affixes(w, text, at, n, e) < 0)
        return FT_ERR_NOMEM;
    return w->n - first > 1 ? merge_specials(w, text, first, e) : 0;
}

/* ---- the cache ---- */

static void remember(cached *slot, const ft_words *w, size_t first, size_t at)
{
    slot->n = (uint8_t)(w->n - first);
    for (size_t i = 0; i < slot->n; i++) {
        const ft_word *v = &w->v[first + i];
        slot->hash[i] = v->hash;
        slot->flags[i] = (uint16_t)v->flags;
        slot->size[i] = (uint8_t)v->bytes;
        slot->chars[i] = (uint8_t)v->chars;
        slot->at = (uint8_t)(v->at - at);
    }
}

/* The n bytes of a piece, filled up with zeros. Reads 16 bytes at once where the text has them. */
static void load_piece(const uint8_t *p, size_t n, size_t remain, uint64_t to[2])
{
    to[0] = to[1] = 0;
    if (remain < 16) {
        memcpy(to, p, n);
        return;
    }
    memcpy(to, p, 16);
    if (n < 8) {
        to[0] &= (UINT64_C(1) << 8 * n) - 1;
        to[1] = 0;
    } else if (n < 16) {
        to[1] &= (UINT64_C(1) << 8 * (n - 8)) - 1;
    }
}

static cached *slot_of(const ft_words *w, const uint64_t text[2])
{
    uint64_t a = text[0] * 0x9e3779b97f4a7c15u, b = text[1] * 0xc2b2ae3d27d4eb4fu;
    a ^= b ^ (a ^ b) >> 29;
    return &w->state->cache[(a * 0xbf58476d1ce4e5b9u) >> 40 & (CACHE_SLOTS - 1)];
}

static int put_piece(ft_words *w, const uint8_t *text, size_t at, size_t n, size_t remain,
                     ft_err *e)
{
    size_t first = w->n;
    uint64_t piece[2];
    cached *slot;
    if (n > CACHED_BYTES)
        return cut_piece(w, text, at, n, e);
    load_piece(text + at, n, remain, piece);
    slot = slot_of(w, piece);
    if (slot->n && slot->bytes == n && slot->text[0] == piece[0] && slot->text[1] == piece[1]) {
        ft_word *v;
        if (w->n + CACHED_PARTS > w->cap &&
            ft_grow(&w->v, &w->cap, w->n + CACHED_PARTS, sizeof *w->v, e) < 0)
            return FT_ERR_NOMEM;
        v = &w->v[w->n];
        v[0] = (ft_word){slot->hash[0], (uint32_t)at, slot->size[0], slot->chars[0],
                         slot->flags[0]};
        v[1] = (ft_word){slot->hash[1], (uint32_t)at + slot->at, slot->size[1], slot->chars[1],
                         slot->flags[1]};
        w->n += slot->n;
        return 0;
    }
    if (cut_piece(w, text, at, n, e) < 0)
        return FT_ERR_NOMEM;
    if (w->n - first <= CACHED_PARTS) {
        slot->bytes = (uint8_t)n;
        memcpy(slot->text, piece, sizeof piece);
        remember(slot, w, first, at);
    }
    return 0;
}

/* ---- a text ---- */

/* Returns: bytes of white space at p, 0 when there is none. */
static size_t space_at(const ft_words *w, const uint8_t *p, size_t n)
{
    uint32_t c;
    size_t len;
    if (p[0] < 0x80)
        return (p[0] >= 9 && p[0] <= 13) || (p[0] >= 28 && p[0] <= 32);
    if (p[0] != 0xc2 && p[0] != 0xe1 && p[0] != 0xe2 && p[0] != 0xe3)
        return 0;
    len = ft_char_at(p, n, &c);
    return ft_char_class(w, c) & FT_CHAR_SPACE ? len : 0;
}

int ft_words_split(ft_words *w, const void *text, size_t n, ft_err *e)
{
    const uint8_t *p = text;
    size_t from = 0, space;
    uint64_t x;
    w->n = 0;
    if (n > UINT32_MAX)
        return ft_err_set(e, FT_ERR_DATA, "a text of %zu bytes is too long", n);
    for (size_t i = 0; i <= n; i++) {
        for (; i + 8 <= n; i += 8) {
            memcpy(&x, p + i, 8);
            if ((x = ft_words_unplain(x, 33)) != 0) {
                i += (size_t)__builtin_ctzll(x) / 8;
                break;
            }
        }
        if (i < n && p[i] > 32 && p[i] < 0x80)
            continue;
        space = i < n ? space_at(w, p + i, n - i) : 1;
        if (space == 0)
            continue;
        if (i > from && put_piece(w, p, from, i - from, n - from, e) < 0)
            return FT_ERR_NOMEM;
        from = i + space;
        i = from - 1;
    }
    return 0;
}

size_t ft_words_sentences(const ft_word *v, size_t n)
{
    size_t sentences = n > 0;
    int ended = 0;
    for (size_t i = 0; i < n; i++) {
        int ends = (v[i].flags & FT_WORD_END) != 0;
        if (ended && !ends && !(v[i].flags & FT_WORD_PUNCT)) {
            sentences++;
            ended = 0;
        } else if (ends) {
            ended = 1;
        }
    }
    return sentences;
}
