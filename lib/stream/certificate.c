#include "stream/certificate.h"

#include "base/mem.h"

#include <string.h>

static int is_nil(ft_mp v)
{
    return ft_mp_type_of(v) == FT_MP_NIL;
}

/* ---- one ---- */

static int check_within(ft_mp array, unsigned depth, ft_err *e);

static int parse(ft_mp v, unsigned depth, ft_certificate *c, ft_err *e)
{
    ft_mp item;
    ft_mp_iter it;
    ft_slice s;
    memset(c, 0, sizeof *c);
    if (ft_mp_type_of(v) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "a certificate is no map");
    if (!ft_mp_get(v, "split", &item) || !ft_mp_bin(item, &s) || s.n != sizeof c->split.b)
        return ft_err_set(e, FT_ERR_DATA, "certificate: split is no digest");
    memcpy(c->split.b, s.p, sizeof c->split.b);
    if (!ft_mp_get_uint(v, "part", &c->part) || !ft_mp_get_uint(v, "parts", &c->parts) ||
        c->part >= c->parts)
        return ft_err_set(e, FT_ERR_DATA, "certificate: part is not below parts");
    if (!ft_mp_get(v, "relations", &c->relations) ||
        ft_mp_type_of(c->relations) != FT_MP_ARRAY || ft_mp_count(c->relations) == 0)
        return ft_err_set(e, FT_ERR_DATA, "certificate: relations are no list");
    it = ft_mp_iter_of(c->relations);
    while (ft_mp_next(&it, &item))
        if (!ft_mp_str(item, &s))
            return ft_err_set(e, FT_ERR_DATA, "certificate: a relation is no string");
    if (!ft_mp_get(v, "common", &c->common))
        c->common = (ft_mp){0};
    else if (ft_mp_type_of(c->common) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "certificate: common is no map");
    if (!ft_mp_get(v, "within", &c->within)) {
        c->within = (ft_mp){0};
        return 0;
    }
    return check_within(c->within, depth + 1, e);
}

/* Depth is bounded so that a reader's stack is, too. */
static int check_within(ft_mp array, unsigned depth, ft_err *e)
{
    ft_mp_iter it;
    ft_mp item;
    ft_certificate c;
    if (ft_mp_type_of(array) != FT_MP_ARRAY || ft_mp_count(array) == 0 ||
        ft_mp_count(array) > FT_CERTIFICATES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "certificate: within is no list of 1 to %d",
                          FT_CERTIFICATES_MAX);
    if (depth > FT_CERTIFICATE_DEPTH_MAX)
        return ft_err_set(e, FT_ERR_DATA, "certificate: within nests deeper than %d",
                          FT_CERTIFICATE_DEPTH_MAX);
    it = ft_mp_iter_of(array);
    while (ft_mp_next(&it, &item))
        if (!is_nil(item) && parse(item, depth, &c, e) < 0)
            return FT_ERR_DATA;
    return 0;
}

int ft_certificate_parse(ft_mp v, ft_certificate *c, ft_err *e)
{
    return parse(v, 0, c, e);
}

/* How often `within` nests in what an array holds. */
static unsigned depth_of(ft_mp array)
{
    ft_mp_iter it = ft_mp_iter_of(array);
    ft_mp item, within;
    unsigned deepest = 0;
    while (ft_mp_next(&it, &item)) {
        unsigned d = !is_nil(item) && ft_mp_get(item, "within", &within) ? 1 + depth_of(within) : 0;
        deepest = d > deepest ? d : deepest;
    }
    return deepest;
}

void ft_certificate_put(ft_buf *b, const ft_certificate *c)
{
    ft_mp_put_map(b, 4 + (size_t)(c->common.n != 0) + (size_t)(c->within.n != 0));
    ft_mp_put_cstr(b, "split");
    ft_mp_put_bin(b, c->split.b, sizeof c->split.b);
    ft_mp_put_cstr(b, "part");
    ft_mp_put_uint(b, c->part);
    ft_mp_put_cstr(b, "parts");
    ft_mp_put_uint(b, c->parts);
    ft_mp_put_cstr(b, "relations");
    ft_mp_put_raw(b, c->relations);
    if (c->common.n) {
        ft_mp_put_cstr(b, "common");
        ft_mp_put_raw(b, c->common);
    }
    if (c->within.n) {
        ft_mp_put_cstr(b, "within");
        if (depth_of(c->within) < FT_CERTIFICATE_DEPTH_MAX) {
            ft_mp_put_raw(b, c->within);
        } else {
            ft_mp_put_array(b, 1);
            ft_mp_put_nil(b);
        }
    }
}

/* ---- many ---- */

static int compare_bytes(ft_mp a, ft_mp b)
{
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int check_list(ft_mp array, ft_err *e)
{
    if (ft_mp_type_of(array) != FT_MP_ARRAY || ft_mp_count(array) == 0 ||
        ft_mp_count(array) > FT_CERTIFICATES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "certificates are no list of 1 to %d",
                          FT_CERTIFICATES_MAX);
    return 0;
}

int ft_claims_check(ft_mp array, ft_err *e)
{
    ft_certificate c;
    ft_mp_iter it;
    ft_mp item;
    if (check_list(array, e) < 0)
        return FT_ERR_DATA;
    it = ft_mp_iter_of(array);
    while (ft_mp_next(&it, &item))
        if (ft_certificate_parse(item, &c, e) < 0)
            return FT_ERR_DATA;
    return 0;
}

int ft_certificates_check(ft_mp array, ft_err *e)
{
    ft_certificate c;
    ft_mp_iter it;
    ft_mp item, before = {0};
    size_t n = 0;
    if (check_list(array, e) < 0)
        return FT_ERR_DATA;
    it = ft_mp_iter_of(array);
    for (; ft_mp_next(&it, &item); before = item) {
        if (before.n && compare_bytes(before, item) >= 0)
            return ft_err_set(e, FT_ERR_DATA, "certificates are not sorted, each once");
        if (is_nil(item))
            continue;
        if (ft_certificate_parse(item, &c, e) < 0)
            return FT_ERR_DATA;
        n++;
    }
    return n ? 0 : ft_err_set(e, FT_ERR_DATA, "certificates hold nil alone");
}

int ft_certificates_confirm(ft_mp proof, ft_mp claims)
{
    ft_mp_iter it = claims.n ? ft_mp_iter_of(claims) : (ft_mp_iter){0};
    ft_mp claim, item;
    while (ft_mp_next(&it, &claim)) {
        ft_mp_iter in = proof.n ? ft_mp_iter_of(proof) : (ft_mp_iter){0};
        int found = 0;
        while (!found && ft_mp_next(&in, &item))
            found = compare_bytes(claim, item) == 0;
        if (!found)
            return 0;
    }
    return 1;
}

static int add_one(ft_certificate_set *s, ft_mp v, ft_err *e)
{
    size_t at = 0;
    uint8_t *copy;
    while (at < s->n && compare_bytes(s->items[at], v) < 0)
        at++;
    if (at < s->n && compare_bytes(s->items[at], v) == 0)
        return 0;
    if (s->n == FT_CERTIFICATES_MAX - 1)               /* nil may come on top */
        return ft_err_set(e, FT_ERR_DATA, "more than %d certificates of splits come together",
                          FT_CERTIFICATES_MAX - 1);
    if (ft_grow(&s->items, &s->cap, s->n + 1, sizeof *s->items, e) < 0)
        return FT_ERR_NOMEM;
    copy = ft_new(v.n, 1, e);
    if (!copy)
        return FT_ERR_NOMEM;
    memcpy(copy, v.p, v.n);
    memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof *s->items);
    s->items[at] = (ft_mp){copy, v.n};
    s->n++;
    return 0;
}

int ft_certificate_set_add(ft_certificate_set *s, ft_mp array, ft_err *e)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    ft_mp item;
    int rc = 0;
    if (array.n)
        s->some = 1;
    else
        s->none = 1;
    while (rc == 0 && ft_mp_next(&it, &item)) {
        if (is_nil(item))
            s->none = 1;
        else
            rc = add_one(s, item, e);
    }
    return rc;
}

void ft_certificate_set_put(const ft_certificate_set *s, ft_buf *b)
{
    static const uint8_t nil[] = {0xc0};
    const ft_mp none = {nil, 1};
    int due = s->none;
    if (!s->some)
        return;
    ft_mp_put_array(b, s->n + (size_t)due);
    for (size_t i = 0; i < s->n; i++) {
        if (due && compare_bytes(none, s->items[i]) < 0) {
            ft_mp_put_nil(b);
            due = 0;
        }
        ft_mp_put_raw(b, s->items[i]);
    }
    if (due)
        ft_mp_put_nil(b);
}

void ft_certificate_set_free(ft_certificate_set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        void *copy = (void *)(uintptr_t)s->items[i].p;
        ft_free(copy);
    }
    ft_free(s->items);
    memset(s, 0, sizeof *s);
}

/* ---- two ---- */

enum relation { UNKNOWN, APART, LEAK };

static enum relation relate(ft_mp a, ft_mp b);

/* A record of `array` is in one of its elements, none knows which: apart only when all are. */
static enum relation relate_all(ft_mp array, ft_mp b)
{
    ft_mp_iter it = array.n ? ft_mp_iter_of(array) : (ft_mp_iter){0};
    enum relation all = array.n ? APART : UNKNOWN;
    ft_mp item;
    while (ft_mp_next(&it, &item)) {
        enum relation one = is_nil(item) ? UNKNOWN : relate(item, b);
        if (one == LEAK)
            return LEAK;
        if (one == UNKNOWN)
            all = UNKNOWN;
    }
    return all;
}

static enum relation relate(ft_mp a, ft_mp b)
{
    ft_certificate x, y;
    enum relation up, down;
    if (ft_certificate_parse(a, &x, NULL) < 0 || ft_certificate_parse(b, &y, NULL) < 0)
        return UNKNOWN;
    if (ft_digest_equal(&x.split, &y.split))
        return x.part == y.part ? LEAK : APART;
    up = relate_all(x.within, b);
    down = relate_all(y.within, a);
    if (up == APART || down == APART)
        return APART;
    return up == LEAK || down == LEAK ? LEAK : UNKNOWN;
}

enum ft_apart ft_certificates_compare(ft_mp trained, ft_mp data, ft_certificate *found)
{
    ft_mp_iter it, in;
    ft_mp a, b;
    int partly = 0, unrelated = 0;
    if (!trained.n || !data.n)
        return FT_APART_LACKING;
    for (it = ft_mp_iter_of(data); ft_mp_next(&it, &b);) {
        for (in = ft_mp_iter_of(trained); ft_mp_next(&in, &a);) {
            enum relation one = UNKNOWN;
            if (is_nil(a) || is_nil(b))
                partly = 1;
            else if ((one = relate(a, b)) == UNKNOWN)
                unrelated = 1;
            if (one != LEAK)
                continue;
            if (found && ft_certificate_parse(b, found, NULL) < 0)
                memset(found, 0, sizeof *found);
            return FT_APART_LEAK;
        }
    }
    return unrelated ? FT_APART_UNRELATED : partly ? FT_APART_PARTLY : FT_APART;
}
