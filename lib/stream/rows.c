#include "stream/rows.h"

#include <math.h>
#include <string.h>

uint32_t ft_segment_id_at(const ft_segment *s, size_t i)
{
    const uint8_t *p = s->ids + 4 * i;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int ft_segment_is_target(const ft_segment *s, size_t i)
{
    return s->mask[i / 8] >> (i % 8) & 1;
}

static int is_scalar(ft_mp v)
{
    enum ft_mp_type t = ft_mp_type_of(v);
    return t != FT_MP_ARRAY && t != FT_MP_MAP && t != FT_MP_EXT;
}

static int bad(ft_err *e, const char *what)
{
    return ft_err_set(e, FT_ERR_DATA, "%s", what);
}

/* Sums in wider and wider fields: the instruction that counts is not in every processor. */
static size_t count_bits(ft_slice s)
{
    size_t sum = 0;
    for (size_t i = 0; i < s.n; i += 8) {
        uint64_t v = 0;
        memcpy(&v, s.p + i, s.n - i < 8 ? s.n - i : 8);
        v -= v >> 1 & 0x5555555555555555u;
        v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
        v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        sum += v * 0x0101010101010101u >> 56;
    }
    return sum;
}

static int parse_tokens(ft_mp map, ft_segment *s, ft_err *e)
{
    ft_mp v;
    ft_slice ids, mask;
    uint64_t length;
    if (!ft_mp_get(map, "ids", &v) || !ft_mp_bin(v, &ids))
        return bad(e, "field ids is missing or not binary");
    if (!ft_mp_get(map, "mask", &v) || !ft_mp_bin(v, &mask))
        return bad(e, "field mask is missing or not binary");
    if (ids.n == 0 || ids.n % 4 != 0)
        return ft_err_set(e, FT_ERR_DATA, "field ids has %zu bytes: not one or more numbers of 4",
                          ids.n);
    s->n_tokens = ids.n / 4;
    if (s->n_tokens > FT_TOKENS_PER_SEGMENT_MAX)
        return ft_err_set(e, FT_ERR_DATA, "field ids has %zu tokens, at most %u are allowed",
                          s->n_tokens, FT_TOKENS_PER_SEGMENT_MAX);
    if (mask.n != (s->n_tokens + 7) / 8)
        return ft_err_set(e, FT_ERR_DATA, "field mask has %zu bytes for %zu tokens", mask.n,
                          s->n_tokens);
    if (mask.p[0] & 1)
        return bad(e, "field mask makes the first token a target, before which nothing stands");
    if (s->n_tokens % 8 && mask.p[mask.n - 1] >> (s->n_tokens % 8))
        return bad(e, "field mask has bits behind the last token");
    if (ft_mp_get(map, "length", &v) && (!ft_mp_uint(v, &length) || length != s->n_tokens))
        return ft_err_set(e, FT_ERR_DATA, "field length is not the %zu of ids", s->n_tokens);
    s->ids = ids.p;
    s->mask = mask.p;
    s->n_targets = count_bits(mask);
    return 0;
}

int ft_segment_parse(ft_mp map, ft_segment *s, ft_err *e)
{
    ft_mp weight;
    int rc;
    memset(s, 0, sizeof *s);
    if (ft_mp_type_of(map) != FT_MP_MAP)
        return bad(e, "a segment that is no map");
    rc = parse_tokens(map, s, e);
    if (rc < 0)
        return rc;
    if (!ft_mp_get(map, "id", &s->id) || !is_scalar(s->id))
        return bad(e, "field id is missing or not a plain value");
    if (!ft_mp_get(map, "group", &s->group))
        s->group = (ft_mp){0};
    else if (!is_scalar(s->group))
        return bad(e, "field group is not a plain value");
    s->weight = 1;
    if (ft_mp_get(map, "weight", &weight) &&
        (!ft_mp_float(weight, &s->weight) || !isfinite(s->weight) || s->weight < 0))
        return bad(e, "field weight is not a number >= 0");
    s->map = map;
    return 0;
}

int ft_row_begin(ft_mp record, ft_row_iter *it, size_t *n_segments, ft_err *e)
{
    ft_mp list;
    if (!ft_mp_get(record, "segments", &list) || ft_mp_type_of(list) != FT_MP_ARRAY ||
        ft_mp_count(list) == 0)
        return bad(e, "field segments is missing, no list, or empty");
    *n_segments = (size_t)ft_mp_count(list);
    *it = (ft_row_iter){ft_mp_iter_of(list), 0};
    return 0;
}

int ft_row_next(ft_row_iter *it, ft_segment *s, ft_err *e)
{
    ft_mp map;
    if (!ft_mp_next(&it->it, &map))
        return FT_EOS;
    it->at++;
    if (ft_segment_parse(map, s, e) < 0)
        return ft_err_wrap(e, "segment %zu", it->at);
    if (!ft_mp_get(map, "length", &map))
        return ft_err_set(e, FT_ERR_DATA, "segment %zu: field length is missing", it->at);
    return 0;
}

/* Appends the fields of a map that this module does not write itself; b = NULL counts only.
 * Returns: their number. */
static size_t carry_fields(ft_buf *b, ft_mp carry)
{
    static const char *const own[] = {"id", "ids", "mask", "length", NULL};
    ft_mp_iter it;
    ft_mp key, value;
    size_t n = 0;
    if (carry.n == 0)
        return 0;
    it = ft_mp_iter_of(carry);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_is_one_of(key, own))
            continue;
        n++;
        if (b) {
            ft_mp_put_raw(b, key);
            ft_mp_put_raw(b, value);
        }
    }
    return n;
}

/* Appends the head of a bin of n bytes and its zeroed content. Returns: where that begins, or
 * NULL when memory is out (b->failed). */
static uint8_t *put_room(ft_buf *b, size_t n)
{
    uint8_t head[5] = {0xc6, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                       (uint8_t)n};
    uint8_t *p;
    if (n < 256) {
        head[0] = 0xc4;
        head[1] = (uint8_t)n;
    } else if (n < 65536) {
        head[0] = 0xc5;
        head[1] = (uint8_t)(n >> 8);
        head[2] = (uint8_t)n;
    }
    ft_buf_add(b, head, n < 256 ? 2 : n < 65536 ? 3 : 5);
    p = ft_buf_room(b, n);
    if (!p)
        return NULL;
    memset(p, 0, n);
    b->n += n;
    return p;
}

/* One bit a token, in zeroed bytes. The first token is never a target. */
static void put_mask(uint8_t *p, const uint8_t *mask, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        unsigned bits = 0;
        for (unsigned j = 0; j < 8; j++)
            bits |= (unsigned)(mask[i + j] != 0) << j;
        p[i / 8] = (uint8_t)bits;
    }
    for (; i < n; i++)
        p[i / 8] = (uint8_t)(p[i / 8] | (mask[i] != 0) << i % 8);
    if (n)
        p[0] &= 0xfe;
}

void ft_tokens_put(ft_buf *b, ft_mp carry, ft_mp id, const uint32_t *ids, const uint8_t *mask,
                   size_t n_tokens)
{
    uint8_t *p;
    ft_mp_put_map(b, 3 + carry_fields(NULL, carry));
    ft_mp_put_cstr(b, "id");
    ft_mp_put_raw(b, id);
    ft_mp_put_cstr(b, "ids");
    p = put_room(b, 4 * n_tokens);
    for (size_t i = 0; p && i < n_tokens; i++) {
        p[4 * i] = (uint8_t)ids[i];
        p[4 * i + 1] = (uint8_t)(ids[i] >> 8);
        p[4 * i + 2] = (uint8_t)(ids[i] >> 16);
        p[4 * i + 3] = (uint8_t)(ids[i] >> 24);
    }
    ft_mp_put_cstr(b, "mask");
    p = put_room(b, (n_tokens + 7) / 8);
    if (p)
        put_mask(p, mask, n_tokens);
    (void)carry_fields(b, carry);
}

void ft_segment_put(ft_buf *b, const ft_segment *s, size_t from, size_t to, size_t context)
{
    size_t n = to - from;
    uint8_t *p;
    ft_mp_put_map(b, 4 + carry_fields(NULL, s->map));
    ft_mp_put_cstr(b, "id");
    ft_mp_put_raw(b, s->id);
    ft_mp_put_cstr(b, "length");
    ft_mp_put_uint(b, n);
    ft_mp_put_cstr(b, "ids");
    ft_mp_put_bin(b, s->ids + 4 * from, 4 * n);
    ft_mp_put_cstr(b, "mask");
    p = put_room(b, (n + 7) / 8);
    for (size_t i = context ? context : 1; p && i < n; i++)
        if (ft_segment_is_target(s, from + i))
            p[i / 8] = (uint8_t)(p[i / 8] | 1 << i % 8);
    (void)carry_fields(b, s->map);
}
