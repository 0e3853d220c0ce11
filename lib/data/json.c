#include "data/json.h"

#include "base/mem.h"
#include "data/utf8.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- parsing ---- */

/* Refuses what the parser would let pass: nesting that ft_mp_check refuses (before the recursive
 * parser sees it), and NUL bytes, which it skips behind numbers and words. Brackets in strings do
 * not count; malformed text is left to the parser, which finds the same strings. */
static int check_text(const uint8_t *p, size_t n, ft_err *e)
{
    size_t depth = 0, column = 0;
    int in_string = 0;
    for (size_t i = 0; i < n; i++) {
        column += (p[i] & 0xc0) != 0x80;
        if (p[i] == 0)
            return ft_err_set(e, FT_ERR_DATA, "column %zu: a NUL byte", column);
        if (in_string) {
            if (p[i] == '\\')
                column += i + 1 < n && (p[++i] & 0xc0) != 0x80;
            else
                in_string = p[i] != '"';
        } else if (p[i] == '"') {
            in_string = 1;
        } else if ((p[i] == '[' || p[i] == '{') && ++depth > FT_MP_DEPTH_MAX) {
            return ft_err_set(e, FT_ERR_DATA, "column %zu: nesting over %d levels", column,
                              FT_MP_DEPTH_MAX);
        } else if ((p[i] == ']' || p[i] == '}') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

/* The nesting was checked: at most FT_MP_DEPTH_MAX calls deep. */
static void put_value(ft_buf *out, json_t *v)
{
    const char *key;
    size_t i;
    json_t *item;
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        ft_mp_put_map(out, json_object_size(v));
        json_object_foreach(v, key, item) {
            ft_mp_put_cstr(out, key);
            put_value(out, item);
        }
        break;
    case JSON_ARRAY:
        ft_mp_put_array(out, json_array_size(v));
        json_array_foreach(v, i, item)
            put_value(out, item);
        break;
    case JSON_STRING: ft_mp_put_str(out, json_string_value(v), json_string_length(v)); break;
    case JSON_INTEGER: ft_mp_put_int(out, json_integer_value(v)); break;
    case JSON_REAL: ft_mp_put_float(out, json_real_value(v)); break;
    case JSON_TRUE: ft_mp_put_bool(out, 1); break;
    case JSON_FALSE: ft_mp_put_bool(out, 0); break;
    case JSON_NULL: ft_mp_put_nil(out); break;
    }
}

/* The parser's own memory: bounded, for a line of 16 MiB can hold millions of values of some
 * hundred bytes each; and a failure is remembered, for the parser forgets some of them. */
#define PARSER_BYTES_MAX ((size_t)256 << 20)
static _Thread_local size_t parser_bytes;
static _Thread_local int parser_short;

static void *parser_alloc(size_t n)
{
    void *p = NULL;
    if (n <= PARSER_BYTES_MAX - parser_bytes)
        p = ft_new(n, 1, NULL);
    if (p)
        parser_bytes += n;
    else
        parser_short = 1;
    return p;
}

/* A secret seed keeps an attacker from choosing keys that collide. Left to itself jansson opens
 * /dev/urandom; without entropy the address of a variable must do. */
static void set_up_parser(void)
{
    size_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = (size_t)(uintptr_t)&seed;
    json_object_seed(seed | 1);
    json_set_alloc_funcs(parser_alloc, ft_free);
}

/* The parser quotes its input in messages, which go to terminals: only plain characters. */
static int parse_error(json_error_t *why, ft_err *e)
{
    for (char *p = why->text; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return ft_err_set(e, FT_ERR_DATA, "column %d: %s", why->column > 0 ? why->column : 1,
                      why->text);
}

int ft_json_parse(const void *text, size_t n, ft_buf *out, ft_err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    size_t before = out->n;
    json_error_t why;
    json_t *v;
    if (check_text(text, n, e) < 0)
        return FT_ERR_DATA;
    pthread_once(&once, set_up_parser);
    parser_bytes = 0;
    parser_short = 0;
    v = json_loadb(n ? text : "", n, flags, &why);
    if (!v && !parser_short)
        return parse_error(&why, e);
    if (!parser_short)
        put_value(out, v);
    json_decref(v);
    if (parser_short)
        return ft_err_set(e, FT_ERR_NOMEM, "out of memory in parsing JSON (%zu MiB at most)",
                          PARSER_BYTES_MAX >> 20);
    if (out->failed)
        out->n = before;
    return ft_buf_check(out, e);
}

/* ---- printing ---- */

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

void ft_json_put_string(ft_buf *b, const void *s, size_t n)
{
    const uint8_t *p = s;
    size_t done = 0;      /* bytes before this were appended; plain runs are appended at once */
    ft_buf_add_byte(b, '"');
    for (size_t i = 0; i < n;) {
        size_t len = ft_utf8_length(p + i, n - i);
        int c1 = len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;
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
