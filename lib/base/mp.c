#include "base/mp.h"

#include <msgpack/pack.h>
#include <string.h>

/* The head of an object: its type, the bytes the head takes, the bytes of payload that follow it
 * directly (strings, numbers) and the number of objects that follow (arrays, maps). */
struct head {
    enum ft_mp_type type;
    unsigned head_bytes;
    uint64_t payload, children;
    uint64_t u;                  /* value of integers, bits of floats, truth */
};

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* Heads with a size or number of `width` bytes behind the first byte. */
static int head_wide(struct head *h, const uint8_t *p, size_t n, enum ft_mp_type type, size_t width)
{
    uint64_t v;
    if (n < 1 + width)
        return -1;
    v = big_endian(p + 1, width);
    h->type = type;
    h->head_bytes = (unsigned)(1 + width);
    switch (type) {
    case FT_MP_STR:
    case FT_MP_BIN: h->payload = v; break;
    case FT_MP_EXT: h->payload = v + 1; break;      /* and the type byte */
    case FT_MP_ARRAY: h->children = v; break;
    case FT_MP_MAP: h->children = 2 * v; break;
    default: h->u = v;
    }
    return 0;
}

static int head_signed(struct head *h, const uint8_t *p, size_t n, size_t width)
{
    if (head_wide(h, p, n, FT_MP_INT, width) < 0)
        return -1;
    if (h->u >> (8 * width - 1) & 1)
        h->u |= width < 8 ? ~(uint64_t)0 << (8 * width) : 0;
    else
        h->type = FT_MP_UINT;
    return 0;
}

static int head_fixed(struct head *h, uint8_t b)
{
    h->head_bytes = 1;
    if (b < 0x80) {
        h->type = FT_MP_UINT;
        h->u = b;
    } else if (b < 0x90) {
        h->type = FT_MP_MAP;
        h->children = 2 * (uint64_t)(b & 15);
    } else if (b < 0xa0) {
        h->type = FT_MP_ARRAY;
        h->children = b & 15;
    } else if (b < 0xc0) {
        h->type = FT_MP_STR;
        h->payload = b & 31;
    } else {
        h->type = FT_MP_INT;
        h->u = ~(uint64_t)0 << 8 | b;
    }
    return 0;
}

/* Reads the head at p. Returns: 0, or -1 when it is cut off, 1 when the byte is reserved. */
static int head_read(struct head *h, const uint8_t *p, size_t n)
{
    memset(h, 0, sizeof *h);
    if (n == 0)
        return -1;
    if (p[0] < 0xc0 || p[0] >= 0xe0)
        return head_fixed(h, p[0]);
    switch (p[0]) {
    case 0xc0: h->type = FT_MP_NIL; h->head_bytes = 1; return 0;
    case 0xc1: return 1;
    case 0xc2:
    case 0xc3: h->type = FT_MP_BOOL; h->head_bytes = 1; h->u = p[0] & 1; return 0;
    case 0xc4: return head_wide(h, p, n, FT_MP_BIN, 1);
    case 0xc5: return head_wide(h, p, n, FT_MP_BIN, 2);
    case 0xc6: return head_wide(h, p, n, FT_MP_BIN, 4);
    case 0xc7: return head_wide(h, p, n, FT_MP_EXT, 1);
    case 0xc8: return head_wide(h, p, n, FT_MP_EXT, 2);
    case 0xc9: return head_wide(h, p, n, FT_MP_EXT, 4);
    case 0xca: return head_wide(h, p, n, FT_MP_FLOAT, 4);
    case 0xcb: return head_wide(h, p, n, FT_MP_FLOAT, 8);
    case 0xcc: return head_wide(h, p, n, FT_MP_UINT, 1);
    case 0xcd: return head_wide(h, p, n, FT_MP_UINT, 2);
    case 0xce: return head_wide(h, p, n, FT_MP_UINT, 4);
    case 0xcf: return head_wide(h, p, n, FT_MP_UINT, 8);
    case 0xd0: return head_signed(h, p, n, 1);
    case 0xd1: return head_signed(h, p, n, 2);
    case 0xd2: return head_signed(h, p, n, 4);
    case 0xd3: return head_signed(h, p, n, 8);
    case 0xd9: return head_wide(h, p, n, FT_MP_STR, 1);
    case 0xda: return head_wide(h, p, n, FT_MP_STR, 2);
    case 0xdb: return head_wide(h, p, n, FT_MP_STR, 4);
    case 0xdc: return head_wide(h, p, n, FT_MP_ARRAY, 2);
    case 0xdd: return head_wide(h, p, n, FT_MP_ARRAY, 4);
    case 0xde: return head_wide(h, p, n, FT_MP_MAP, 2);
    case 0xdf: return head_wide(h, p, n, FT_MP_MAP, 4);
    default:   /* 0xd4..0xd8: fixext of 1, 2, 4, 8, 16 bytes */
        h->type = FT_MP_EXT;
        h->head_bytes = 1;
        h->payload = 1 + ((uint64_t)1 << (p[0] - 0xd4));
        return 0;
    }
}

int ft_mp_check(const void *bytes, size_t n, size_t *used, ft_err *e)
{
    const uint8_t *p = bytes;
    size_t at = 0, depth = 0;
    uint64_t left[FT_MP_DEPTH_MAX + 1];   /* objects still to come at each level */
    uint64_t owed = 1;                    /* their sum: each has at least one byte */
    left[0] = 1;
    for (;;) {
        struct head h;
        int rc;
        while (left[depth] == 0) {
            if (depth == 0) {
                *used = at;
                return 0;
            }
            depth--;
        }
        left[depth]--;
        owed--;
        rc = head_read(&h, p + at, n - at);
        if (rc < 0)
            return ft_err_set(e, FT_ERR_DATA, "msgpack object is cut off at byte %zu", at);
        if (rc > 0)
            return ft_err_set(e, FT_ERR_DATA, "msgpack byte 0xc1 at %zu has no meaning", at);
        at += h.head_bytes;
        if (h.payload > n - at || h.children > n - at - h.payload ||
            h.children + owed > n - at - h.payload)
            return ft_err_set(e, FT_ERR_DATA, "msgpack %s before byte %zu claims more than the "
                              "%zu bytes that remain", ft_mp_type_name(h.type), at, n - at);
        at += h.payload;
        if (h.children == 0)
            continue;
        if (++depth > FT_MP_DEPTH_MAX)
            return ft_err_set(e, FT_ERR_DATA, "msgpack nesting over %d at byte %zu",
                              FT_MP_DEPTH_MAX, at);
        left[depth] = h.children;
        owed += h.children;
    }
}

const char *ft_mp_type_name(enum ft_mp_type t)
{
    static const char *const names[] = {"nil", "boolean", "integer", "integer", "number",
                                        "string", "binary", "array", "map", "extension"};
    return names[t];
}

/* The head of checked bytes: cannot fail. */
static struct head head_of(ft_mp v)
{
    struct head h;
    (void)head_read(&h, v.p, v.n);
    return h;
}

enum ft_mp_type ft_mp_type_of(ft_mp v)
{
    return head_of(v).type;
}

int ft_mp_bool(ft_mp v, int *out)
{
    struct head h = head_of(v);
    if (h.type != FT_MP_BOOL)
        return 0;
    *out = (int)h.u;
    return 1;
}

int ft_mp_uint(ft_mp v, uint64_t *out)
{
    struct head h = head_of(v);
    if (h.type != FT_MP_UINT)
        return 0;
    *out = h.u;
    return 1;
}

int ft_mp_int(ft_mp v, int64_t *out)
{
    struct head h = head_of(v);
    if (h.type != FT_MP_INT && (h.type != FT_MP_UINT || h.u > INT64_MAX))
        return 0;
    *out = (int64_t)h.u;
    return 1;
}

int ft_mp_float(ft_mp v, double *out)
{
    struct head h = head_of(v);
    if (h.type == FT_MP_UINT) {
        *out = (double)h.u;
    } else if (h.type == FT_MP_INT) {
        *out = (double)(int64_t)h.u;
    } else if (h.type == FT_MP_FLOAT && h.head_bytes == 5) {
        uint32_t bits = (uint32_t)h.u;
        float f;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
    } else if (h.type == FT_MP_FLOAT) {
        memcpy(out, &h.u, sizeof *out);
    } else {
        return 0;
    }
    return 1;
}

static int payload_of(ft_mp v, enum ft_mp_type want, ft_slice *out)
{
    struct head h = head_of(v);
    if (h.type != want)
        return 0;
    *out = (ft_slice){v.p + h.head_bytes, (size_t)h.payload};
    return 1;
}

int ft_mp_str(ft_mp v, ft_slice *out)
{
    return payload_of(v, FT_MP_STR, out);
}

int ft_mp_bin(ft_mp v, ft_slice *out)
{
    return payload_of(v, FT_MP_BIN, out);
}

ft_mp_iter ft_mp_iter_of(ft_mp v)
{
    struct head h = head_of(v);
    return (ft_mp_iter){v.p + h.head_bytes, v.p + v.n, h.children};
}

/* Returns: the length of the checked object at p when it is one of those that records are made of
 * mostly (short strings, small numbers, text, binary), else 0. */
static inline size_t common_length(const uint8_t *p)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xa0 && p[0] < 0xc0)
        return 1 + (p[0] & 31u);
    if (p[0] == 0xd9 || p[0] == 0xc4)
        return 2 + (size_t)p[1];
    if (p[0] == 0xda || p[0] == 0xc5)
        return 3 + ((size_t)p[1] << 8 | p[2]);
    return 0;
}

int ft_mp_next(ft_mp_iter *it, ft_mp *item)
{
    const uint8_t *p = it->p;
    uint64_t todo = 1;
    size_t n;
    if (it->left == 0)
        return 0;
    it->left--;
    n = common_length(p);
    p += n;
    todo -= n > 0;
    while (todo > 0) {
        struct head h;
        todo--;
        if (*p < 0x80 || *p >= 0xe0) {                /* most objects are short: a small number */
            p++;
        } else if (*p >= 0xa0 && *p < 0xc0) {         /* or a short string */
            p += 1 + (*p & 31);
        } else {
            (void)head_read(&h, p, (size_t)(it->end - p));
            p += h.head_bytes + h.payload;
            todo += h.children;
        }
    }
    *item = (ft_mp){it->p, (size_t)(p - it->p)};
    it->p = p;
    return 1;
}

uint64_t ft_mp_count(ft_mp v)
{
    struct head h = head_of(v);
    return h.type == FT_MP_MAP ? h.children / 2 : h.children;
}

int ft_mp_get(ft_mp map, const char *key, ft_mp *value)
{
    struct head h = head_of(map);
    ft_mp_iter it = {map.p + h.head_bytes, map.p + map.n, h.children};
    size_t n = strlen(key);
    ft_mp k, v;
    ft_slice s;
    if (h.type != FT_MP_MAP)
        return 0;
    while (ft_mp_next(&it, &k) && ft_mp_next(&it, &v)) {
        if (n && (k.n <= n || k.p[k.n - 1] != (uint8_t)key[n - 1]))
            continue;                      /* soon seen: too short, or another last byte */
        if (ft_mp_str(k, &s) && ft_slice_is(s, key)) {
            *value = v;
            return 1;
        }
    }
    return 0;
}

int ft_mp_get_str(ft_mp map, const char *key, ft_slice *out)
{
    ft_mp v;
    return ft_mp_get(map, key, &v) && ft_mp_str(v, out);
}

int ft_mp_get_uint(ft_mp map, const char *key, uint64_t *out)
{
    ft_mp v;
    return ft_mp_get(map, key, &v) && ft_mp_uint(v, out);
}

int ft_mp_get_float(ft_mp map, const char *key, double *out)
{
    ft_mp v;
    return ft_mp_get(map, key, &v) && ft_mp_float(v, out);
}

int ft_slice_is(ft_slice s, const char *text)
{
    return strlen(text) == s.n && (s.n == 0 || memcmp(s.p, text, s.n) == 0);
}

int ft_mp_is_one_of(ft_mp key, const char *const *names)
{
    ft_slice s;
    if (ft_mp_str(key, &s))
        for (; *names; names++)
            if (ft_slice_is(s, *names))
                return 1;
    return 0;
}

static int append(void *buf, const char *p, size_t n)
{
    ft_buf_add(buf, p, n);
    return 0;
}

#define PACKER(b) &(msgpack_packer){(b), append}

void ft_mp_put_nil(ft_buf *b)
{
    msgpack_pack_nil(PACKER(b));
}

void ft_mp_put_bool(ft_buf *b, int v)
{
    if (v)
        msgpack_pack_true(PACKER(b));
    else
        msgpack_pack_false(PACKER(b));
}

void ft_mp_put_uint(ft_buf *b, uint64_t v)
{
    msgpack_pack_uint64(PACKER(b), v);
}

void ft_mp_put_int(ft_buf *b, int64_t v)
{
    msgpack_pack_int64(PACKER(b), v);
}

void ft_mp_put_float(ft_buf *b, double v)
{
    msgpack_pack_double(PACKER(b), v);
}

void ft_mp_put_str(ft_buf *b, const char *p, size_t n)
{
    msgpack_pack_str(PACKER(b), n);
    ft_buf_add(b, p, n);
}

void ft_mp_put_cstr(ft_buf *b, const char *s)
{
    ft_mp_put_str(b, s, strlen(s));
}

void ft_mp_put_bin(ft_buf *b, const void *p, size_t n)
{
    msgpack_pack_bin(PACKER(b), n);
    ft_buf_add(b, p, n);
}

void ft_mp_put_array(ft_buf *b, size_t n)
{
    msgpack_pack_array(PACKER(b), n);
}

void ft_mp_put_map(ft_buf *b, size_t n)
{
    msgpack_pack_map(PACKER(b), n);
}

void ft_mp_put_raw(ft_buf *b, ft_mp v)
{
    ft_buf_add(b, v.p, v.n);
}
