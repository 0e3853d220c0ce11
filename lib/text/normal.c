/* normal.c: see normal.h. ASCII goes eight bytes at a time, most other characters by a table. A
 * span that needs Unicode begins with the last character before it (a mark may compose with it) and
 * ends before the next one of the table, which is a starter and composes with nothing to its left.
 */
#include "text/normal.h"

#include "base/mem.h"
#include "text/unicode_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define SIMPLE_BYTES 4096u     /* that are taken at a time; none becomes twice as long */

/* A decomposed character as one number that sorts by combining class, then place:
 *     class 8 bits | place in the run 35 bits | code point 21 bits                        */
#define PLACE_BITS 35
#define CODE_BITS 21
#define CODE_OF(v) ((int32_t)((v) & ((1u << CODE_BITS) - 1)))

typedef struct normaliser {
    ft_buf *out;
    unsigned ignore;           /* FT_IGNORE_*                                          */
    int is_plain;              /* nothing goes a quicker way                           */
    int started, space;        /* something was written; white space came after it     */
    uint64_t *chars;
    size_t n, cap;
    int32_t *folded;
    size_t n_folded, folded_cap;
} normaliser;

static void put_space(normaliser *z)
{
    z->space = z->started;
}

/* Writes the space that is due before something that is not white. */
static void put_due(normaliser *z)
{
    if (z->space)
        ft_buf_add_byte(z->out, ' ');
    z->space = 0;
    z->started = 1;
}

/* ---- ASCII ---- */

#define EACH(c) ((c) * UINT64_C(0x0101010101010101))
#define HIGH EACH(0x80u)

/* The high bits of those of eight ASCII bytes that lie in [low, high]. */
static uint64_t in_range(uint64_t w, unsigned low, unsigned high)
{
    return (w + EACH(0x80u - low)) & ~(w + EACH(0x7fu - high)) & HIGH;
}

/* Folds eight ASCII bytes, white space becoming spaces, whose high bits go to *white. */
static uint64_t fold_eight(uint64_t w, uint64_t *white)
{
    uint64_t control = in_range(w, '\t', '\r'), mask = (control >> 7) * 0xff;
    *white = control | in_range(w, ' ', ' ');
    return (w & ~mask) | (mask & EACH(0x20u)) | in_range(w, 'A', 'Z') >> 2;
}

/* Folds one ASCII byte behind another that was white or not, to *to. Returns: bytes written. */
static size_t fold_one(uint8_t c, unsigned *was_white, uint8_t *to)
{
    unsigned white = c == ' ' || (c >= '\t' && c <= '\r'), twice = white & *was_white;
    *to = white ? ' ' : c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    *was_white = white;
    return !twice;
}

/* Folds from the first n bytes at p those ASCII characters that no other than ASCII follows, to
 * `to`, which has room for n + 8. Returns: their number; *made: bytes written.
 * The words go by whole ones where no two white bytes meet: most of any text. */
static size_t fold_run(const uint8_t *p, size_t n, unsigned *was_white, uint8_t *to, size_t *made)
{
    size_t i = 0, o = 0;
    while (i + 8 < n && p[i + 8] < 0x80) {
        uint64_t w, white;
        memcpy(&w, p + i, 8);
        if (w & HIGH)
            break;
        w = fold_eight(w, &white);
        if (*was_white && white == HIGH) {
            i += 8;                              /* inside an indentation */
            continue;
        }
        if (white & (white << 8 | (uint64_t)*was_white << 7)) {
            for (size_t k = 0; k < 8; k++)
                o += fold_one(p[i + k], was_white, to + o);
        } else {
            memcpy(to + o, &w, 8);
            o += 8;
            *was_white = (unsigned)(white >> 63);
        }
        i += 8;
    }
    for (; i < n && p[i] < 0x80 && (i + 1 == n || p[i + 1] < 0x80); i++)
        o += fold_one(p[i], was_white, to + o);
    *made = o;
    return i;
}

/* Writes the ASCII at the beginning of n bytes that needs no Unicode. Returns: its length. */
static size_t put_ascii(normaliser *z, const uint8_t *p, size_t n)
{
    unsigned was_white = !z->started || z->space;
    uint8_t *to = ft_buf_room(z->out, n + 9);
    size_t made, used;
    if (!to)
        return n;                                /* the buffer remembers */
    if (z->space)
        *to = ' ';
    used = fold_run(p, n, &was_white, to + z->space, &made);
    made += (size_t)z->space;
    if (made > 0 && was_white)                   /* white space at the end waits */
        made--;
    z->started |= made > 0;
    z->space = z->started && was_white;
    z->out->n += made;
    return used;
}

/* ---- Unicode ---- */

/* What a folded character counts as. */
static uint32_t stand_in(const normaliser *z, uint32_t c)
{
    if (!(z->ignore & (FT_IGNORE_PUNCTUATION | FT_IGNORE_DIGITS)))
        return c;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_ND:
        return z->ignore & FT_IGNORE_DIGITS ? '0' : c;
    case UTF8PROC_CATEGORY_PC: case UTF8PROC_CATEGORY_PD: case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE: case UTF8PROC_CATEGORY_PI: case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: case UTF8PROC_CATEGORY_SM: case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK: case UTF8PROC_CATEGORY_SO:
        return z->ignore & FT_IGNORE_PUNCTUATION ? ' ' : c;
    default:
        return c;
    }
}

static void put_char(normaliser *z, uint32_t c)
{
    uint8_t utf8[4];
    c = stand_in(z, c);
    if (ft_is_white_space(c) && (z->ignore & FT_IGNORE_SPACE)) {
        put_space(z);
        return;
    }
    put_due(z);
    ft_buf_add(z->out, utf8, (size_t)utf8proc_encode_char((utf8proc_int32_t)c, utf8));
}

/* One ASCII character of an unusual form. */
static void put_one(normaliser *z, uint8_t c)
{
    int upper = c >= 'A' && c <= 'Z' && (z->ignore & FT_IGNORE_CASE);
    put_char(z, upper ? c + 32u : c);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    x = *(const uint64_t *)a;
    y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Canonical order: each run of characters whose class is not 0, stably by class. */
static void order(normaliser *z)
{
    for (size_t i = 0, end; i < z->n; i = end) {
        end = i + 1;
        if (z->chars[i] >> (PLACE_BITS + CODE_BITS) == 0)
            continue;
        while (end < z->n && z->chars[end] >> (PLACE_BITS + CODE_BITS) != 0)
            end++;
        if (end - i == 1)
            continue;
        for (size_t k = i; k < end; k++)
            z->chars[k] |= (uint64_t)(k - i) << CODE_BITS;
        qsort(z->chars + i, end - i, sizeof *z->chars, by_value);
    }
}

/* Appends the canonical decomposition of one character to chars. */
static int add_decomposed(normaliser *z, uint32_t c, ft_err *e)
{
    int32_t part[8];
    int boundary = 0, rc;
    utf8proc_ssize_t k = utf8proc_decompose_char((int32_t)c, part, 8, UTF8PROC_DECOMPOSE,
                                                 &boundary);
    if (k < 0 || k > 8)
        return ft_err_set(e, FT_ERR_INTERNAL, "U+%04X does not decompose", c);
    if ((rc = ft_grow(&z->chars, &z->cap, z->n + 8, sizeof *z->chars, e)) < 0)
        return rc;
    for (utf8proc_ssize_t i = 0; i < k; i++) {
        uint64_t class = (uint64_t)utf8proc_get_property(part[i])->combining_class;
        z->chars[z->n++] = class << (PLACE_BITS + CODE_BITS) | (uint32_t)part[i];
    }
    return 0;
}

/* Folds all of chars, or takes them as they are. They stay in canonical order: what folds is a
 * starter and folds to starters, or is U+0345, of the highest class, which becomes a starter. */
static int fold(normaliser *z, ft_err *e)
{
    int flags = UTF8PROC_DECOMPOSE | (z->ignore & FT_IGNORE_CASE ? UTF8PROC_CASEFOLD : 0);
    z->n_folded = 0;
    for (size_t i = 0; i < z->n; i++) {
        int32_t part[8];
        int boundary = 0, rc;
        utf8proc_ssize_t k = utf8proc_decompose_char(CODE_OF(z->chars[i]), part, 8,
                                                     (utf8proc_option_t)flags, &boundary);
        if (k < 0 || k > 8)
            return ft_err_set(e, FT_ERR_INTERNAL, "U+%04X does not fold",
                              (unsigned)CODE_OF(z->chars[i]));
        if ((rc = ft_grow(&z->folded, &z->folded_cap, z->n_folded + 8, sizeof *z->folded, e)) < 0)
            return rc;
        for (utf8proc_ssize_t j = 0; j < k; j++)
            if (!(z->ignore & FT_IGNORE_MARKS) ||
                utf8proc_category(part[j]) != UTF8PROC_CATEGORY_MN)
                z->folded[z->n_folded++] = part[j];
    }
    return 0;
}

/* Writes what has gathered in chars, and empties it. */
static int flush(normaliser *z, ft_err *e)
{
    utf8proc_ssize_t n;
    int rc;
    if (z->n == 0)
        return 0;
    order(z);
    if ((rc = fold(z, e)) < 0)
        return rc;
    n = utf8proc_normalize_utf32(z->folded, (utf8proc_ssize_t)z->n_folded,
                                 UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n < 0)
        return ft_err_set(e, FT_ERR_INTERNAL, "text does not compose");
    for (utf8proc_ssize_t i = 0; i < n; i++)
        put_char(z, (uint32_t)z->folded[i]);
    z->n = 0;
    return 0;
}

/* ---- characters that need no neighbours ---- */

/* A simple character is one that becomes one character, whatever stands around it, or a space. It
 * is not looked at together with what comes before it, as no mark and no vowel or final of Hangul
 * is, which may compose with that; and it is simple only where a simple one follows.
 * simple[c]: what c becomes; 0: it is not simple. Filled by blocks of 256 when one of them comes,
 * by what the whole makes of each; threads that fill one at a time write the same. */
static _Atomic uint16_t simple[0x10000];
static _Atomic uint8_t is_filled[0x100];

static int normalise(normaliser *z, const uint8_t *p, size_t n, ft_err *e);

/* What a character becomes by itself when it has the form of a simple one, else 0. */
static uint16_t simplify(normaliser *z, uint32_t c)
{
    uint8_t utf8[4];
    uint32_t d = 0;
    size_t n = (size_t)utf8proc_encode_char((utf8proc_int32_t)c, utf8);
    utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)c);
    if (n == 0 || kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
        kind == UTF8PROC_CATEGORY_ME || (c >= 0x1100 && c < 0x1200))
        return 0;
    if (ft_is_white_space(c))
        return ' ';
    ft_buf_clear(z->out);
    z->started = z->space = 0;
    z->n = 0;
    if (normalise(z, utf8, n, NULL) < 0 || z->out->n == 0 || z->out->failed)
        return 0;
    if (z->out->n == 1)
        return z->out->p[0];
    if (ft_utf8_wide(z->out->p, z->out->n, &d) != z->out->n || d > 0xffff)
        return 0;
    kind = utf8proc_category((utf8proc_int32_t)d);
    return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
           kind == UTF8PROC_CATEGORY_ME || (d >= 0x1100 && d < 0x1200) ? 0 : (uint16_t)d;
}

static void fill_block(uint32_t block)
{
    ft_buf out = {0};
    normaliser z = {.out = &out, .ignore = FT_IGNORE_USUAL, .is_plain = 1};
    for (uint32_t c = block << 8; c < (block + 1) << 8; c++)
        atomic_store_explicit(&simple[c], simplify(&z, c), memory_order_relaxed);
    atomic_store_explicit(&is_filled[block], 1, memory_order_release);
    ft_free(z.chars);
    ft_free(z.folded);
    ft_buf_free(&out);
}

/* What the character at p becomes if it is simple, else 0; *len: its bytes. */
static uint32_t simple_at(const uint8_t *p, size_t n, size_t *len)
{
    uint32_t c = p[0];
    *len = 1;
    if (c >= 0xf0)
        return 0;
    if (c >= 0x80 && (*len = ft_utf8_wide(p, n, &c)) == 0)
        return 0;
    if (!atomic_load_explicit(&is_filled[c >> 8], memory_order_acquire))
        fill_block(c >> 8);
    return atomic_load_explicit(&simple[c], memory_order_relaxed);
}

/* Writes c to `to`, which has room for three bytes. Returns: bytes written. */
static size_t put_utf8(uint32_t c, uint8_t *to)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xc0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    to[0] = (uint8_t)(0xe0 | c >> 12);
    to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    to[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
}

static int is_ascii_eight(const uint8_t *p, size_t n)
{
    uint64_t w;
    if (n < 8)
        return 0;
    memcpy(&w, p, 8);
    return (w & HIGH) == 0;
}

/* Writes the simple characters at the beginning of n bytes but for a last one before one that is
 * not, and not far into ASCII. Returns: their length, or an error. */
static ptrdiff_t put_simple(normaliser *z, const uint8_t *p, size_t n, ft_err *e)
{
    size_t i = 0, len, next_len = 0, most = n < SIMPLE_BYTES ? n : SIMPLE_BYTES;
    uint32_t c = simple_at(p, n, &len), next = 1;
    uint8_t *to;
    int rc;
    if (c == 0 || (len < n && (next = simple_at(p + len, n - len, &next_len)) == 0))
        return 0;
    if ((rc = flush(z, e)) < 0)
        return rc;
    if (!(to = ft_buf_room(z->out, 2 * most + 8)))
        return (ptrdiff_t)n;                     /* the buffer remembers */
    while (next != 0) {
        if (c == ' ') {
            z->space = z->started;
        } else {
            *to = ' ';
            to += z->space;
            z->space = 0;
            z->started = 1;
            to += put_utf8(c, to);
        }
        i += len;
        if (i >= most || is_ascii_eight(p + i, n - i))
            break;
        c = next;
        len = next_len;
        next = i + len < n ? simple_at(p + i + len, n - i - len, &next_len) : 1;
    }
    z->out->n = (size_t)(to - z->out->p);
    return (ptrdiff_t)i;
}

static int normalise(normaliser *z, const uint8_t *p, size_t n, ft_err *e)
{
    int rc, is_quick = z->ignore == FT_IGNORE_USUAL && !z->is_plain;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = p[i];
        len = 1;
        if (is_quick && (c >= 0x80 || (i + 1 < n && p[i + 1] >= 0x80))) {
            ptrdiff_t done = put_simple(z, p + i, n - i, e);
            if (done < 0)
                return (int)done;
            len = (size_t)done;
            if (len > 0)
                continue;
            len = 1;
        }
        if (c < 0x80) {
            if ((rc = flush(z, e)) < 0)
                return rc;
            if (i + 1 == n || p[i + 1] < 0x80) {
                if (is_quick)
                    len = put_ascii(z, p + i, n - i);
                else
                    put_one(z, p[i]);
                continue;
            }
        } else if ((len = ft_utf8_wide(p + i, n - i, &c)) == 0) {
            len = 1;
            if ((rc = flush(z, e)) < 0)
                return rc;
            put_due(z);
            ft_buf_add_byte(z->out, p[i]);
            continue;
        }
        if ((rc = add_decomposed(z, c, e)) < 0)
            return rc;
    }
    return flush(z, e);
}

int ft_normalise_ignoring(const void *text, size_t n, unsigned ignore, ft_buf *out, ft_err *e)
{
    normaliser z = {.out = out, .ignore = ignore};
    int rc = normalise(&z, text, n, e);
    ft_free(z.chars);
    ft_free(z.folded);
    return rc < 0 ? rc : ft_buf_check(out, e);
}

int ft_normalise_plainly(const void *text, size_t n, ft_buf *out, ft_err *e)
{
    normaliser z = {.out = out, .ignore = FT_IGNORE_USUAL, .is_plain = 1};
    int rc = normalise(&z, text, n, e);
    ft_free(z.chars);
    ft_free(z.folded);
    return rc < 0 ? rc : ft_buf_check(out, e);
}

int ft_normalise(const void *text, size_t n, ft_buf *out, ft_err *e)
{
    return ft_normalise_ignoring(text, n, FT_IGNORE_USUAL, out, e);
}

int ft_ignore_parse(const char *list, unsigned *ignore, ft_err *e)
{
    static const char *const names[] = {"case", "space", "punctuation", "digits", "marks"};
    *ignore = 0;
    if (strcmp(list, "none") == 0)
        return 0;
    for (const char *p = list, *end;; p = end + 1) {
        size_t n, k = 0;
        end = p + strcspn(p, ",");
        n = (size_t)(end - p);
        while (k < 5 && (strlen(names[k]) != n || memcmp(names[k], p, n) != 0))
            k++;
        if (k == 5)
            return ft_err_set(e, FT_ERR_USAGE, "\"%.*s\" is not one of case, space, punctuation, "
                              "digits, marks", (int)(n < 40 ? n : 40), p);
        *ignore |= 1u << k;
        if (*end == 0)
            return 0;
    }
}
