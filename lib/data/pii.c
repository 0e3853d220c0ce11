#include "data/pii.h"

#include <string.h>

const char *ft_pii_name(enum ft_pii_kind k)
{
    static const char *const names[] = {"email", "ipv4", "ipv6", "phone", "card"};
    return names[k];
}

static int is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(uint8_t c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
}

static int is_alnum(uint8_t c)
{
    return is_digit(c) || is_letter(c);
}

static int is_local(uint8_t c)
{
    return is_digit(c) || (c < 0x80 && is_letter(c)) || (c && strchr("._%+-", c));
}

/* Each of these takes the text behind a boundary. Returns: the bytes of what begins at p, or 0. */

/* local@label.label.tld; `used` is set to what was looked at, so that no run is looked at twice. */
static size_t email_at(const uint8_t *p, size_t n, size_t *used)
{
    size_t i = 0, label = 0, labels = 0, end = 0;
    while (i < n && is_local(p[i]))
        i++;
    *used = i;
    if (i == 0 || i > 64 || i + 4 > n || p[i] != '@' || p[0] == '.' || p[i - 1] == '.')
        return 0;
    for (i++; i <= n; i++) {
        if (i < n && (is_digit(p[i]) || p[i] == '-' || (p[i] < 0x80 && is_letter(p[i])))) {
            label++;
            continue;
        }
        if (label == 0)
            break;
        if (labels > 0 && label >= 2 && !is_digit(p[i - 1]) && p[i - 1] != '-')
            end = i;
        labels++;
        label = 0;
        if (i == n || p[i] != '.')
            break;
    }
    return end;
}

/* Whether the word before p[at] says that numbers with dots are no address. */
static int says_version(const uint8_t *p, size_t at)
{
    static const char *const words[] = {"version", "versions", "ver", "v", "release", "rev",
                                        "revision", "build", "section", "chapter", "firmware",
                                        "sec"};
    size_t end = at, from;
    while (end > 0 && at - end < 3 && strchr(" :=#.", p[end - 1]) && p[end - 1])
        end--;
    for (from = end; from > 0 && end - from < 12 && (p[from - 1] | 0x20) >= 'a' &&
                     (p[from - 1] | 0x20) <= 'z'; from--)
        ;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t k = 0, len = strlen(words[i]);
        while (end - from == len && k < len && (p[from + k] | 0x20) == words[i][k])
            k++;
        if (k == len)
            return 1;
    }
    return 0;
}

static size_t ipv4_at(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        size_t from = i;
        unsigned v = 0;
        while (i < n && i - from < 3 && is_digit(p[i]))
            v = v * 10 + (unsigned)(p[i++] - '0');
        if (i == from || v > 255 || (p[from] == '0' && i - from > 1) || (part == 0 && v == 0))
            return 0;
        if (part < 3 && (i == n || p[i++] != '.'))
            return 0;
    }
    if (i < n && (is_alnum(p[i]) || p[i] == '_'))
        return 0;
    return i + 1 < n && (p[i] == '.' || p[i] == '-') && is_alnum(p[i + 1]) ? 0 : i;
}

static int is_hex(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static size_t ipv6_at(const uint8_t *p, size_t n)
{
    size_t i = 0, groups = 0, digits = 0, gaps = 0;
    while (i < n && groups < 8) {
        size_t from = i;
        while (i < n && i - from < 4 && is_hex(p[i]))
            digits += is_digit(p[i++]) ? 1 : 0;
        groups += i > from;
        if (i + 1 < n && p[i] == ':' && p[i + 1] == ':' && gaps == 0) {
            gaps++;
            i += 2;
        } else if (i > from && i + 1 < n && p[i] == ':' && is_hex(p[i + 1]) && groups < 8) {
            i++;
        } else {
            break;
        }
    }
    if (digits == 0 || groups < 3 || (groups == 8) == (gaps > 0) ||
        (i < n && (is_alnum(p[i]) || p[i] == ':')))
        return 0;
    return i;
}

/* Digits with single separators between them, at most 24 bytes of it. Gives the digits and how
 * long the groups are. Returns: the bytes up to the last digit. */
typedef struct number {
    char digit[24];
    size_t digits, group[12], groups, bytes;
} number;

static number number_at(const uint8_t *p, size_t n, const char *separators)
{
    number d = {0};
    size_t i = 0, in_group = 0;
    for (; i < n && d.digits < sizeof d.digit && d.groups < 11; i++) {
        if (is_digit(p[i])) {
            d.digit[d.digits++] = (char)p[i];
            in_group++;
            d.bytes = i + 1;
        } else if (in_group > 0 && i + 1 < n && p[i] && strchr(separators, p[i]) &&
                   is_digit(p[i + 1])) {
            d.group[d.groups++] = in_group;
            in_group = 0;
        } else {
            break;
        }
    }
    d.group[d.groups++] = in_group;
    return d;
}

/* Whether what follows a number shows that it goes on. */
static int goes_on(const uint8_t *p, size_t n, size_t end)
{
    if (end >= n)
        return 0;
    if (is_alnum(p[end]) || p[end] == '_' || p[end] == '%')
        return 1;
    return end + 1 < n && strchr(".,-/:", p[end]) && p[end] && is_digit(p[end + 1]);
}

static size_t card_at(const uint8_t *p, size_t n)
{
    number d = number_at(p, n, " -");
    unsigned sum = 0, different = 0;
    if (d.digits < 13 || d.digits > 19 || d.digit[0] < '2' || d.digit[0] > '6' ||
        goes_on(p, n, d.bytes))
        return 0;
    for (size_t i = 0; d.groups > 1 && i < d.groups; i++)
        if (d.group[i] < 2)
            return 0;
    for (size_t i = 0; i < d.digits; i++) {
        unsigned v = (unsigned)(d.digit[d.digits - 1 - i] - '0');
        different |= d.digit[i] != d.digit[0];
        v = i % 2 ? 2 * v : v;
        sum += v > 9 ? v - 9 : v;
    }
    return different && sum % 10 == 0 ? d.bytes : 0;
}

/* +49 30 1234567, +1 (212) 555-0123, +33-1-23-45-67-89 */
static size_t international_at(const uint8_t *p, size_t n)
{
    size_t digits = 0, end = 0;
    if (n < 9 || p[0] != '+' || !is_digit(p[1]) || p[1] == '0')
        return 0;
    for (size_t i = 1; i < n && i < 28; i++) {
        if (is_digit(p[i])) {
            digits++;
            end = i + 1;
        } else if (!p[i] || !strchr(" -./()", p[i]) ||
                   (i > 1 && p[i] == p[i - 1])) {
            break;
        }
    }
    return digits >= 8 && digits <= 15 && !goes_on(p, n, end) ? end : 0;
}

/* (212) 555-0123 and 212-555-0123, 212.555.0123; the first two groups begin with 2-9. */
static size_t american_at(const uint8_t *p, size_t n)
{
    size_t open = p[0] == '(' ? 1 : 0, at = open;
    number d = number_at(p + at, n - at, "-.");
    if (open) {
        if (d.groups != 1 || d.digits != 3 || at + 4 >= n || p[at + 3] != ')')
            return 0;
        at += 4;
        if (p[at] == ' ' || p[at] == '-')
            at++;
        if (at >= n)
            return 0;
        d = number_at(p + at, n - at, "-. ");
        return d.groups == 2 && d.group[0] == 3 && d.group[1] == 4 && d.digit[0] >= '2' &&
                       p[1] >= '2' && !goes_on(p, n, at + d.bytes) ? at + d.bytes : 0;
    }
    if (d.groups != 3 || d.group[0] != 3 || d.group[1] != 3 || d.group[2] != 4 ||
        d.digit[0] < '2' || d.digit[3] < '2' || p[3] != p[7] || goes_on(p, n, d.bytes))
        return 0;
    return d.bytes;
}

/* 030 1234567, 0171/1234567, 01 23 45 67 89, 020 7946 0958 */
static size_t national_at(const uint8_t *p, size_t n)
{
    number d = number_at(p, n, " -/");
    if (d.digits < 9 || d.digits > 11 || d.groups < 2 || d.digit[0] != '0' || d.digit[1] == '0' ||
        goes_on(p, n, d.bytes))
        return 0;
    for (size_t i = 0; i < d.groups; i++)
        if (d.group[i] < 2)
            return 0;
    return d.bytes;
}

static size_t number_hit(const uint8_t *p, size_t n, size_t at, enum ft_pii_kind *kind)
{
    const uint8_t *q = p + at;
    size_t left = n - at, k;
    if (is_digit(*q) && (k = card_at(q, left)) > 0) {
        *kind = FT_PII_CARD;
        return k;
    }
    if (is_digit(*q) && (k = ipv4_at(q, left)) > 0) {
        *kind = FT_PII_IPV4;
        return says_version(p, at) ? 0 : k;
    }
    *kind = FT_PII_PHONE;
    if (*q == '+')
        return international_at(q, left);
    if (*q == '(' || is_digit(*q))
        if ((k = american_at(q, left)) > 0)
            return k;
    return *q == '0' ? national_at(q, left) : 0;
}

int ft_pii_find(const uint8_t *p, size_t n, size_t from, ft_pii_hit *hit)
{
    size_t no_mail = 0, used;
    for (size_t i = from; i < n; i++) {
        uint8_t before = i > 0 ? p[i - 1] : ' ';
        *hit = (ft_pii_hit){.at = i};
        if (p[i] <= ' ')
            continue;
        if (i >= no_mail && is_local(p[i]) && !(before < 0x80 && is_local(before))) {
            hit->kind = FT_PII_EMAIL;
            if ((hit->n = email_at(p + i, n - i, &used)) > 0)
                return 1;
            no_mail = i + used;
        }
        if (is_alnum(before) || before == '_' || before == '+')
            continue;
        if ((is_hex(p[i]) || p[i] == ':') && before != ':') {
            hit->kind = FT_PII_IPV6;
            if ((hit->n = ipv6_at(p + i, n - i)) > 0)
                return 1;
        }
        if (!is_digit(p[i]) && p[i] != '+' && p[i] != '(')
            continue;
        if (before && strchr(".,-/$#", before) && i > 1 && is_alnum(p[i - 2]))
            continue;                          /* the middle of a longer number or name */
        if ((hit->n = number_hit(p, n, i, &hit->kind)) > 0)
            return 1;
        while (is_digit(p[i]) && i + 1 < n && is_digit(p[i + 1]))
            i++;
    }
    return 0;
}

/* ---- records ---- */

static const char *const masks[] = {"<EMAIL>", "<IPV4>", "<IPV6>", "<PHONE>", "<CARD>"};

uint64_t ft_pii_mask(ft_slice s, uint64_t found[FT_PII_KINDS], ft_buf *out)
{
    ft_pii_hit hit;
    uint64_t hits = 0;
    size_t at = 0;
    for (; ft_pii_find(s.p, s.n, at, &hit); at = hit.at + hit.n) {
        hits++;
        found[hit.kind]++;
        if (out) {
            ft_buf_add(out, s.p + at, hit.at - at);
            ft_buf_add_str(out, masks[hit.kind]);
        }
    }
    if (out)
        ft_buf_add(out, s.p + at, s.n - at);
    return hits;
}

static uint64_t mask_string(ft_slice s, uint64_t *found, ft_buf *text, ft_buf *out)
{
    uint64_t hits;
    ft_buf_clear(text);
    hits = ft_pii_mask(s, found, out ? text : NULL);
    if (out) {
        out->failed |= text->failed;
        ft_mp_put_str(out, (const char *)text->p, text->n);
    }
    return hits;
}

/* A string, or a list of strings, or something else that stays. */
static uint64_t mask_value(ft_mp v, uint64_t *found, ft_buf *text, ft_buf *out)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    uint64_t hits = 0;
    ft_slice s;
    ft_mp item;
    if (ft_mp_str(v, &s) && s.n > 0)
        return mask_string(s, found, text, out);
    if (ft_mp_type_of(v) != FT_MP_ARRAY) {
        if (out)
            ft_mp_put_raw(out, v);
        return 0;
    }
    if (out)
        ft_mp_put_array(out, ft_mp_count(v));
    while (ft_mp_next(&it, &item)) {
        if (ft_mp_str(item, &s) && s.n > 0)
            hits += mask_string(s, found, text, out);
        else if (out)
            ft_mp_put_raw(out, item);
    }
    return hits;
}

static uint64_t mask_map(ft_mp map, const char *const *fields, uint64_t *found, ft_buf *text,
                         ft_buf *out)
{
    ft_mp_iter it = ft_mp_iter_of(map), turns;
    uint64_t hits = 0;
    ft_mp key, v, turn;
    ft_slice name;
    static const char *const in_turn[] = {"content", NULL};
    if (out)
        ft_mp_put_map(out, ft_mp_count(map));
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        if (out)
            ft_mp_put_raw(out, key);
        if (ft_mp_is_one_of(key, fields)) {
            hits += mask_value(v, found, text, out);
        } else if (fields != in_turn && ft_mp_str(key, &name) && ft_slice_is(name, "messages") &&
                   ft_mp_type_of(v) == FT_MP_ARRAY) {
            if (out)
                ft_mp_put_array(out, ft_mp_count(v));
            for (turns = ft_mp_iter_of(v); ft_mp_next(&turns, &turn);)
                hits += mask_map(turn, in_turn, found, text, out);
        } else if (out) {
            ft_mp_put_raw(out, v);
        }
    }
    return hits;
}

uint64_t ft_pii_record(ft_mp record, uint64_t found[FT_PII_KINDS], ft_buf *out)
{
    static const char *const fields[] = {"prompt", "completion", "text", "prediction", "reference",
                                         NULL};
    ft_buf text = {0};
    uint64_t hits = mask_map(record, fields, found, &text, out);
    ft_buf_free(&text);
    return hits;
}
