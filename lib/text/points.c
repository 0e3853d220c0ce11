#include "text/points.h"

#include "base/mem.h"
#include "text/unicode_internal.h"

#include <utf8proc.h>

static const uint32_t last_point = 0x10ffff;

int ft_points_set(ft_points *t, const void *text, size_t n, ft_err *e)
{
    const uint8_t *p = text;
    size_t k = 0;
    int rc = n > t->cap ? ft_grow(&t->c, &t->cap, n, sizeof *t->c, e) : 0;
    t->n = 0;
    if (rc < 0)
        return rc;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t c = p[i];
        len = 1;
        if (c >= 0x80 && (len = ft_utf8_wide(p + i, n - i, &c)) == 0) {
            c = FT_POINT_INVALID + p[i];
            len = 1;
        }
        t->c[k++] = c;
    }
    t->n = k;
    return 0;
}

unsigned ft_point_class(uint32_t c)
{
    static const uint8_t of[] = {
        [UTF8PROC_CATEGORY_LU] = FT_POINT_LETTER, [UTF8PROC_CATEGORY_LL] = FT_POINT_LETTER,
        [UTF8PROC_CATEGORY_LT] = FT_POINT_LETTER, [UTF8PROC_CATEGORY_LM] = FT_POINT_LETTER,
        [UTF8PROC_CATEGORY_LO] = FT_POINT_LETTER, [UTF8PROC_CATEGORY_MN] = FT_POINT_MARK,
        [UTF8PROC_CATEGORY_MC] = FT_POINT_MARK, [UTF8PROC_CATEGORY_ME] = FT_POINT_MARK,
        [UTF8PROC_CATEGORY_ND] = FT_POINT_NUMBER, [UTF8PROC_CATEGORY_NL] = FT_POINT_NUMBER,
        [UTF8PROC_CATEGORY_NO] = FT_POINT_NUMBER, [UTF8PROC_CATEGORY_PC] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PD] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PS] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PE] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PI] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PF] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_PO] = FT_POINT_PUNCTUATION,
        [UTF8PROC_CATEGORY_SM] = FT_POINT_SYMBOL, [UTF8PROC_CATEGORY_SC] = FT_POINT_SYMBOL,
        [UTF8PROC_CATEGORY_SK] = FT_POINT_SYMBOL, [UTF8PROC_CATEGORY_SO] = FT_POINT_SYMBOL};
    unsigned category, space = ft_point_is_space(c) ? FT_POINT_SPACE : 0;
    if (c > last_point)
        return 0;
    category = (unsigned)utf8proc_category((utf8proc_int32_t)c);
    return space | (category < sizeof of ? of[category] : 0u);
}

/* ---- lower case ---- */

/* The property Cased, but for characters that are also Case_Ignorable, which are skipped before
 * anybody asks. */
static int is_cased(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: return 1;
    default:
        return c == 0xaa || c == 0xba || (c >= 0x2160 && c <= 0x217f) ||
               (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
               (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
    }
}

/* Case_Ignorable: Mn, Me, Cf, Lm, Sk, and Word_Break MidLetter, MidNumLet, Single_Quote. */
static int is_case_ignorable(uint32_t c)
{
    static const uint16_t inner[] = {0x27, 0x2e, 0x3a, 0xb7, 0x387, 0x55f, 0x5f4, 0x2018, 0x2019,
                                     0x2024, 0x2027, 0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e,
                                     0xff1a};
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (c == inner[i])
            return 1;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_SK: return 1;
    default: return 0;
    }
}

/* Whether the sigma at i ends a word. Points before i may be lower case already: that changes
 * neither property. */
static int is_final_sigma(const ft_points *t, size_t i)
{
    size_t k = i;
    while (k > 0 && t->c[k - 1] <= last_point && is_case_ignorable(t->c[k - 1]))
        k--;
    if (k == 0 || t->c[k - 1] > last_point || !is_cased(t->c[k - 1]))
        return 0;
    for (k = i + 1; k < t->n && t->c[k] <= last_point && is_case_ignorable(t->c[k]); k++)
        ;
    return k == t->n || t->c[k] > last_point || !is_cased(t->c[k]);
}

int ft_points_lower(ft_points *t, ft_err *e)
{
    size_t dotted = 0;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t c = t->c[i];
        if (c < 0x80)
            t->c[i] = c >= 'A' && c <= 'Z' ? c + 32 : c;
        else if (c == 0x3a3)
            t->c[i] = is_final_sigma(t, i) ? 0x3c2 : 0x3c3;
        else if (c == 0x130)
            dotted++;
        else if (c <= last_point)
            t->c[i] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    }
    if (dotted == 0)
        return 0;
    if (t->n + dotted > t->cap &&
        ft_grow(&t->c, &t->cap, t->n + dotted, sizeof *t->c, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = t->n; i-- > 0;) {
        uint32_t c = t->c[i];
        if (c == 0x130)
            t->c[i + dotted--] = 0x307;
        t->c[i + dotted] = c == 0x130 ? 'i' : c;
        t->n += c == 0x130;
    }
    return 0;
}

void ft_point_put(ft_buf *b, uint32_t c)
{
    uint8_t utf8[4];
    if (c < 0x80)
        ft_buf_add_byte(b, (uint8_t)c);
    else if (c > last_point)
        ft_buf_add_byte(b, (uint8_t)(c - FT_POINT_INVALID));
    else
        ft_buf_add(b, utf8, (size_t)utf8proc_encode_char((utf8proc_int32_t)c, utf8));
}

int ft_lower(const void *text, size_t n, ft_points *scratch, ft_buf *out, ft_err *e)
{
    const uint8_t *p = text;
    uint8_t high = 0, *to;
    int rc;
    for (size_t i = 0; i < n; i++)
        high |= p[i];
    if (high < 0x80) {
        if ((to = ft_buf_room(out, n)) == NULL)
            return ft_buf_check(out, e);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)(p[i] + (p[i] >= 'A' && p[i] <= 'Z' ? 32 : 0));
        out->n += n;
        return 0;
    }
    if ((rc = ft_points_set(scratch, text, n, e)) < 0 || (rc = ft_points_lower(scratch, e)) < 0)
        return rc;
    for (size_t i = 0; i < scratch->n; i++)
        ft_point_put(out, scratch->c[i]);
    return ft_buf_check(out, e);
}

void ft_points_free(ft_points *t)
{
    ft_free(t->c);
    *t = (ft_points){0};
}

/* ---- words ---- */

size_t ft_rstrip(const uint8_t *p, size_t n)
{
    for (;;) {
        if (n >= 1 && ft_space_at(p + n - 1, 1))
            n -= 1;
        else if (n >= 2 && ft_space_at(p + n - 2, 2) == 2)
            n -= 2;
        else if (n >= 3 && ft_space_at(p + n - 3, 3) == 3)
            n -= 3;
        else
            return n;
    }
}

int ft_next_word(const uint8_t *p, size_t n, size_t *at, ft_slice *word)
{
    size_t i = *at, skip;
    while ((skip = ft_space_at(p + i, n - i)) > 0)
        i += skip;
    word->p = p + i;
    while (i < n && ft_space_at(p + i, n - i) == 0)
        i++;
    word->n = (size_t)(p + i - word->p);
    *at = i;
    return word->n > 0;
}
