/* words_affix.c: what comes off the ends of a piece, where it is cut inside, and what stays whole.
 * Pieces hold no white space. */
#include "text/words_internal.h"

#include <string.h>

static uint32_t class_at(const ft_words *w, const uint8_t *p, size_t n, size_t *len)
{
    uint32_t c;
    *len = ft_char_at(p, n, &c);
    return ft_char_class(w, c);
}

/* The character that ends before `at`. Returns: where it begins, and its class. */
static size_t before(const ft_words *w, const uint8_t *p, size_t at, uint32_t *class, uint32_t *c)
{
    size_t from = at - 1, len;
    while (from > 0 && at - from < 4 && (p[from] & 0xc0) == 0x80)
        from--;
    len = ft_char_at(p + from, at - from, c);
    if (from + len != at) {                      /* garbage: the last byte alone */
        from = at - 1;
        *c = 0xdc00u + p[from];
    }
    *class = ft_char_class(w, *c);
    return from;
}

static int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int is_dash(uint32_t c)
{
    return c == 0x2013 || c == 0x2014;
}

size_t ft_words_prefix(const ft_words *w, const uint8_t *p, size_t n)
{
    uint32_t c, class;
    size_t len = ft_char_at(p, n, &c), dots = 0;
    if (c == '.') {
        while (dots < n && p[dots] == '.')
            dots++;
        return dots > 1 ? dots : 0;
    }
    class = ft_char_class(w, c);
    if (class & (FT_CHAR_MARK | FT_CHAR_QUOTE | FT_CHAR_CURRENCY | FT_CHAR_ICON))
        return len;
    if (c == 0xa7 || c == '%' || c == '=' || is_dash(c))
        return len;
    if (c == '+')
        return n > 1 && is_digit(p[1]) ? 0 : 1;
    if ((c == 'C' || c == 'A') && n > 1 && p[1] == '$')
        return 2;
    return n > 2 && memcmp(p, "US$", 3) == 0 ? 3 : 0;
}

static int is_unit(const uint8_t *p, size_t n)
{
    static const char units[] =
        " km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ "
        "ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB tb "
        "TB T G M K % км "
        "км² км³ м м² м³ дм дм² "
        "дм³ см см² см³ мм мм² мм³ нм кг г мг "
        "м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб "
        "Гб ГБ гб Тб ТБ тб ";
    char wanted[16];
    if (n == 0 || n > sizeof wanted - 3)
        return 0;
    wanted[0] = ' ';
    memcpy(wanted + 1, p, n);
    wanted[n + 1] = ' ';
    wanted[n + 2] = '\0';
    return strstr(units, wanted) != NULL;
}

/* A unit behind a digit. Returns: its bytes. */
static size_t unit_suffix(const uint8_t *p, size_t n)
{
    for (size_t bytes = n - 1 < 7 ? n - 1 : 7; bytes > 0; bytes--)
        if (is_digit(p[n - bytes - 1]) && is_unit(p + n - bytes, bytes))
            return bytes;
    return 0;
}

/* Whether a full stop at the end of a piece comes off. */
static int stop_comes_off(const ft_words *w, const uint8_t *p, size_t at)
{
    uint32_t class, c, class2, c2;
    size_t from;
    if (at == 0)
        return 0;
    from = before(w, p, at, &class, &c);
    if (class & (FT_CHAR_LOWER | FT_CHAR_QUOTE | FT_CHAR_MARK))
        return 1;
    if (c < 0x80 ? is_digit((uint8_t)c) || strchr("%-+|", (int)c) != NULL : c == 0xb2)
        return 1;
    if (from == 0)
        return 0;
    before(w, p, from, &class2, &c2);
    return (class & FT_CHAR_UPPER && class2 & FT_CHAR_UPPER) ||
           (c2 == 0xb0 && c < 0x80 && c && strchr("FfCcKk", (int)c));
}

size_t ft_words_suffix(const ft_words *w, const uint8_t *p, size_t n)
{
    uint32_t class, c, c2;
    size_t from, dots = 0, unit, from2;
    if (n == 0)
        return 0;
    while (dots < n && p[n - 1 - dots] == '.')
        dots++;
    if (dots > 1)
        return dots;
    if (dots == 1)
        return (size_t)stop_comes_off(w, p, n - 1);
    from = before(w, p, n, &class, &c);
    if ((c == 's' || c == 'S') && from > 0) {
        from2 = before(w, p, from, &class, &c2);
        if (c2 == '\'' || c2 == 0x2019)
            return n - from2;
        class = ft_char_class(w, c);
    }
    if (n > 1 && (unit = unit_suffix(p, n)) > 0)
        return unit;
    if (c == 0x2026 && from > 0 && before(w, p, from, &class, &c2) + 3 == from && c2 == 0x2026)
        return 6;
    class = ft_char_class(w, c);
    if (class & (FT_CHAR_MARK | FT_CHAR_QUOTE | FT_CHAR_ICON) || is_dash(c))
        return n - from;
    if ((c == '+' || class & FT_CHAR_CURRENCY) && from > 0 && is_digit(p[from - 1]))
        return n - from;
    return 0;
}

/* Bytes of a hyphen (or two or three) at p[at] that a letter follows; 0 otherwise. */
static size_t hyphen(const ft_words *w, const uint8_t *p, size_t n, size_t at)
{
    size_t run = 0, len, next;
    uint32_t c;
    len = ft_char_at(p + at, n - at, &c);
    if (c != '-' && c != '~' && !is_dash(c))
        return 0;
    for (run = 1; at + run * len <= n; run++) {
        size_t most = c == '-' ? 3 : c == 0x2014 ? 2 : 1;
        if (run > most || memcmp(p + at, p + at + (run - 1) * len, len) != 0)
            return 0;
        if (at + run * len < n &&
            class_at(w, p + at + run * len, n - at - run * len, &next) & FT_CHAR_ALPHA)
            return run * len;
    }
    return 0;
}

/* A cut at p[at], which has a character before and behind it. Returns: bytes of the cut. */
static size_t cut_between(const ft_words *w, const uint8_t *p, size_t n, size_t at, size_t len,
                          uint32_t c)
{
    uint32_t left, right, cl, cr;
    size_t rl;
    before(w, p, at, &left, &cl);
    rl = ft_char_at(p + at + len, n - at - len, &cr);
    (void)rl;
    right = ft_char_class(w, cr);
    if (c < 0x80 && strchr("+-*^", (int)c) && c && cl < 0x80 && is_digit((uint8_t)cl) &&
        cr < 0x80 && (is_digit((uint8_t)cr) || cr == '-'))
        return len;
    if (c == '.')
        return left & (FT_CHAR_LOWER | FT_CHAR_QUOTE) && right & (FT_CHAR_UPPER | FT_CHAR_QUOTE)
                   ? len : 0;
    if (c == ',')
        return left & FT_CHAR_ALPHA && right & FT_CHAR_ALPHA ? len : 0;
    if (!(left & FT_CHAR_ALPHA) && !(cl < 0x80 && is_digit((uint8_t)cl)))
        return 0;
    if (c < 0x80 && c && strchr(":<>=/", (int)c))
        return right & FT_CHAR_ALPHA ? len : 0;
    return hyphen(w, p, n, at);
}

size_t ft_words_infix(const ft_words *w, const uint8_t *p, size_t n, size_t from, size_t *at)
{
    uint32_t c;
    for (size_t i = from, len; i < n; i += len) {
        size_t cut = 0, dots = 0;
        len = 1;
        if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z')
            continue;
        len = ft_char_at(p + i, n - i, &c);
        while (i + dots < n && p[i + dots] == '.')
            dots++;
        if (dots > 1)
            cut = dots;
        else if (c == 0x2026 || (c >= 0x80 && ft_char_class(w, c) & FT_CHAR_ICON))
            cut = len;
        else if (i > 0 && i + len < n)
            cut = cut_between(w, p, n, i, len, c);
        if (cut) {
            *at = i;
            return cut;
        }
    }
    return 0;
}

/* ---- addresses ---- */

static int in_label(uint32_t c)
{
    return (c < 0x80 && (is_digit((uint8_t)c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))) ||
           (c >= 0xa1 && c <= 0xffff && (c < 0xdc00 || c > 0xdcff));
}

/* [:port][/path] up to the end. */
static int is_tail(const uint8_t *p, size_t n)
{
    size_t i = 0;
    if (n && p[0] == ':') {
        for (i = 1; i < n && is_digit(p[i]); i++)
            ;
        if (i < 3 || i > 6)
            return 0;
    }
    return i == n || p[i] == '/' || p[i] == '?' || p[i] == '#';
}

static int is_ipv4(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t digits = 0;
        for (; i < n && is_digit(p[i]) && digits < 3; i++, digits++)
            v = v * 10 + (unsigned)(p[i] - '0');
        if (digits == 0 || v > 255 || (part == 0 && (p[0] == '0' || v > 223)))
            return 0;
        if (part < 3 && (i == n || p[i++] != '.'))
            return 0;
    }
    return is_tail(p + i, n - i);
}

/* label.label.…tld, then a tail. A label has 1 to 64 characters, - and _ inside. */
static int is_host(const ft_words *w, const uint8_t *p, size_t n)
{
    size_t i = 0, len = 0, chars = 0, labels = 0;
    uint32_t c = 0, last = 0;
    int lower = 1;
    for (; i < n; i += len) {
        len = ft_char_at(p + i, n - i, &c);
        if (c == '.') {
            if (chars == 0 || chars > 64 || !in_label(last))
                return 0;
            labels++;
            chars = 0;
            lower = 1;
        } else if (in_label(c) || ((c == '-' || c == '_') && chars > 0)) {
            lower &= (ft_char_class(w, c) & FT_CHAR_LOWER) != 0;
            chars++;
        } else {
            break;
        }
        last = c;
    }
    return labels > 0 && lower && chars >= 2 && chars <= 63 && is_tail(p + i, n - i);
}

static int is_place(const ft_words *w, const uint8_t *p, size_t n)
{
    return n > 3 && (is_ipv4(p, n) || is_host(w, p, n));
}

int ft_words_is_address(const ft_words *w, const uint8_t *p, size_t n)
{
    size_t scheme = 0;
    if (n < 4 || !memchr(p, '.', n - 1))
        return 0;
    if (is_place(w, p, n))
        return 1;
    for (size_t i = 0, len; i + 3 < n; i += len) {         /* [\w+.-]{2,}:// */
        if (i >= 2 && memcmp(p + i, "://", 3) == 0) {
            scheme = i + 3;
            break;
        }
        if (!(class_at(w, p + i, n - i, &len) & (FT_CHAR_LETTER | FT_CHAR_DIGIT)) &&
            (p[i] == 0 || !strchr("+-._", p[i])))
            break;
    }
    if (scheme && is_place(w, p + scheme, n - scheme))
        return 1;
    for (size_t i = scheme + 1; i + 1 < n; i++)
        if (p[i] == '@' && is_place(w, p + i + 1, n - i - 1))
            return 1;
    return 0;
}
