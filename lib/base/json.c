/* json.c: printing; parsing is in json_parse.c. */
#include "base/json.h"

#include "base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_escaped(ft_buf *b, unsigned c)
{
    static const char letters[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\";
    const char *known = c ? strchr(letters, (int)c) : NULL;
    if (known) {
        ft_buf_add_byte(b, '\\');
        ft_buf_add_byte(b, (uint8_t)names[known - letters]);
    } else {
        ft_buf_add_fmt(b, "\\u%04x", c);
    }
}

/* Whether eight bytes are ASCII that stands for itself in a string. */
static int is_plain(const uint8_t *p)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return ((w | (w - each * 0x20) | ((w ^ each * '"') - each) | ((w ^ each * '\\') - each) |
             ((w ^ each * 0x7f) - each)) & (each * 0x80)) == 0;
}

void ft_json_put_string(ft_buf *b, const void *s, size_t n)
{
    const uint8_t *p = s;
    size_t done = 0;      /* bytes before this were appended; plain runs are appended at once */
    ft_buf_add_byte(b, '"');
    for (size_t i = 0; i < n;) {
        size_t len;
        int c1;
        if (n - i >= 8 && is_plain(p + i)) {
            i += 8;
            continue;
        }
        len = ft_utf8_length(p + i, n - i);
        c1 = len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;
        if (len > 1 ? !c1 : len && p[i] >= ' ' && p[i] != '"' && p[i] != '\\' && p[i] != 0x7f) {
            i += len;
            continue;
        }
        ft_buf_add(b, p + done, i - done);
        if (len == 0)
            ft_buf_add_str(b, "\xef\xbf\xbd");
        else
            put_escaped(b, p[i + len - 1]);   /* c2 80..9f is U+0080..U+009F */
        i += len ? len : 1;
        done = i;
    }
    if (n > done)
        ft_buf_add(b, p + done, n - done);
    ft_buf_add_byte(b, '"');
}

void ft_json_put_double(ft_buf *b, double v)
{
    char text[40];
    /* 15 digits give back any shorter decimal, but for subnormals, which have fewer bits. */
    int digits = fabs(v) < DBL_MIN ? 1 : 15;
    if (!isfinite(v)) {
        ft_buf_add_str(b, "null");
        return;
    }
    do
        snprintf(text, sizeof text, "%.*g", digits, v);
    while (strtod(text, NULL) != v && ++digits <= 17);
    ft_buf_add_str(b, text);
    if (!strpbrk(text, ".e"))
        ft_buf_add_str(b, ".0");
}

static void put_base64(ft_buf *b, ft_slice s)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.n; i += 3) {
        size_t left = s.n - i;
        uint32_t v = (uint32_t)s.p[i] << 16 | (left > 1 ? (uint32_t)s.p[i + 1] << 8 : 0) |
                     (left > 2 ? s.p[i + 2] : 0);
        char four[4] = {digit[v >> 18], digit[v >> 12 & 63], left > 1 ? digit[v >> 6 & 63] : '=',
                        left > 2 ? digit[v & 63] : '='};
        ft_buf_add(b, four, 4);
    }
}

static void put_wrapped(ft_buf *b, const char *name, ft_slice s)
{
    ft_buf_add_fmt(b, "{\"%s\":\"", name);
    put_base64(b, s);
    ft_buf_add_str(b, "\"}");
}

static void put_key(ft_buf *b, ft_mp key)
{
    ft_slice s;
    ft_buf text = {0};
    if (ft_mp_str(key, &s)) {
        ft_json_put_string(b, s.p, s.n);
    } else {
        ft_json_put(&text, key);
        ft_json_put_string(b, text.p, text.n);
        b->failed |= text.failed;
    }
    ft_buf_free(&text);
}

static void put_items(ft_buf *b, ft_mp v, int is_map)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp item;
    int first = 1;
    ft_buf_add_byte(b, is_map ? '{' : '[');
    while (ft_mp_next(&it, &item)) {
        if (!first)
            ft_buf_add_byte(b, ',');
        first = 0;
        if (is_map) {
            put_key(b, item);
            ft_buf_add_byte(b, ':');
            if (!ft_mp_next(&it, &item))
                break;
        }
        ft_json_put(b, item);
    }
    ft_buf_add_byte(b, is_map ? '}' : ']');
}

void ft_json_put(ft_buf *b, ft_mp v)
{
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    int truth = 0;
    ft_slice s = {0};
    switch (ft_mp_type_of(v)) {
    case FT_MP_NIL: ft_buf_add_str(b, "null"); break;
    case FT_MP_BOOL:
        (void)ft_mp_bool(v, &truth);
        ft_buf_add_str(b, truth ? "true" : "false");
        break;
    case FT_MP_UINT:
        (void)ft_mp_uint(v, &u);
        ft_buf_add_fmt(b, "%llu", (unsigned long long)u);
        break;
    case FT_MP_INT:
        (void)ft_mp_int(v, &i);
        ft_buf_add_fmt(b, "%lld", (long long)i);
        break;
    case FT_MP_FLOAT:
        (void)ft_mp_float(v, &d);
        ft_json_put_double(b, d);
        break;
    case FT_MP_STR:
        (void)ft_mp_str(v, &s);
        ft_json_put_string(b, s.p, s.n);
        break;
    case FT_MP_BIN:
        (void)ft_mp_bin(v, &s);
        put_wrapped(b, "$bin", s);
        break;
    case FT_MP_ARRAY: put_items(b, v, 0); break;
    case FT_MP_MAP: put_items(b, v, 1); break;
    case FT_MP_EXT: put_wrapped(b, "$msgpack", v); break;
    }
}
