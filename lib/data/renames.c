#include "data/renames.h"

#include <string.h>

static int same(ft_slice a, ft_slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int shown(ft_slice s)
{
    return (int)(s.n < 60 ? s.n : 60);
}

int ft_renames_parse(ft_renames *r, const char *text, ft_err *e)
{
    r->n = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ","), k = strcspn(p, "=,");
        ft_slice to = {(const uint8_t *)p, k}, from = {(const uint8_t *)p + k + 1, n - k - 1};
        if (k == 0 || n < k + 2 || r->n == FT_RENAMES_MAX || p[n + (p[n] == ',') - 1] == 0)
            return ft_err_set(e, FT_ERR_USAGE, "\"%s\" is no list of new=old names", text);
        for (size_t i = 0; i < r->n; i++)
            if (same(r->list[i].to, to) || same(r->list[i].from, from))
                return ft_err_set(e, FT_ERR_USAGE, "\"%s\" has a name twice", text);
        r->list[r->n].to = to;
        r->list[r->n++].from = from;
        p += n + (p[n] == ',');
    }
    return r->n ? 0 : ft_err_set(e, FT_ERR_USAGE, "\"%s\" is no list of new=old names", text);
}

/* Returns: the new name of a field. NULL: another field is to have this one's. */
static const ft_slice *name_of(const ft_renames *r, const ft_slice *key, size_t *found)
{
    const ft_slice *name = key;
    for (size_t i = 0; i < r->n; i++)
        if (same(r->list[i].from, *key)) {
            ++*found;
            return &r->list[i].to;
        } else if (same(r->list[i].to, *key)) {
            name = NULL;
        }
    return name;
}

static int missing(const ft_renames *r, ft_mp map, ft_err *e)
{
    for (size_t i = 0; i < r->n; i++) {
        ft_slice from = r->list[i].from, s;
        ft_mp_iter it = ft_mp_iter_of(map);
        ft_mp key, value;
        int there = 0;
        while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
            there |= ft_mp_str(key, &s) && same(s, from);
        if (!there)
            return ft_err_set(e, FT_ERR_DATA, "field %.*s, which is to become %.*s, is missing",
                              shown(from), (const char *)from.p, shown(r->list[i].to),
                              (const char *)r->list[i].to.p);
    }
    return 0;
}

int ft_renames_apply(const ft_renames *r, ft_mp map, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, value;
    size_t found = 0;
    if (ft_mp_type_of(map) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not an object but %s",
                          ft_mp_type_name(ft_mp_type_of(map)));
    ft_mp_put_map(out, (size_t)ft_mp_count(map));
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        ft_slice s = {0};
        const ft_slice *name = ft_mp_str(key, &s) ? name_of(r, &s, &found) : &s;
        if (!name)
            return ft_err_set(e, FT_ERR_DATA, "field %.*s is there already and would be lost",
                              shown(s), (const char *)s.p);
        ft_mp_put_str(out, (const char *)name->p, name->n);
        ft_mp_put_raw(out, value);
    }
    return found < r->n ? missing(r, map, e) : ft_buf_check(out, e);
}
