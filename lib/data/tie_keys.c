#include "data/tie_keys.h"

#include <string.h>

int ft_group_key(ft_mp value, const char *salt, ft_digest *key, ft_err *e)
{
    ft_buf b = {0};
    uint64_t u;
    int64_t i;
    double f;
    int rc;
    ft_buf_add_byte(&b, 0xff);                  /* no prompt's text looks like this */
    ft_buf_add_str(&b, salt);
    ft_buf_add_byte(&b, 0xff);
    switch (ft_mp_type_of(value)) {
    case FT_MP_NIL: ft_buf_free(&b); return 0;
    case FT_MP_ARRAY:
    case FT_MP_MAP:
    case FT_MP_EXT:
        ft_buf_free(&b);
        return ft_err_set(e, FT_ERR_DATA, "a group is a plain value, this is %s",
                          ft_mp_type_name(ft_mp_type_of(value)));
    case FT_MP_UINT: (void)ft_mp_uint(value, &u); ft_mp_put_uint(&b, u); break;
    case FT_MP_INT: (void)ft_mp_int(value, &i); ft_mp_put_int(&b, i); break;
    case FT_MP_FLOAT: (void)ft_mp_float(value, &f); ft_mp_put_float(&b, f); break;
    case FT_MP_STR: {
        ft_slice s = {0};
        (void)ft_mp_str(value, &s);
        ft_mp_put_str(&b, (const char *)s.p, s.n);
        break;
    }
    case FT_MP_BOOL:
    case FT_MP_BIN: ft_mp_put_raw(&b, value);
    }
    rc = ft_buf_check(&b, e);
    if (rc == 0)
        *key = ft_digest_of(b.p, b.n);
    ft_buf_free(&b);
    return rc < 0 ? rc : 1;
}

static void salted(ft_digest *d, const char *salt)
{
    uint8_t b[64];
    size_t n = 0;
    for (; salt[n]; n++)
        b[n] = (uint8_t)salt[n];
    memcpy(b + n, d->b, sizeof d->b);
    *d = ft_digest_of(b, n + sizeof d->b);
}

static int is_of_nothing(const ft_digest *d)
{
    ft_digest nothing = ft_digest_of("", 0);
    return ft_digest_equal(d, &nothing);
}

static int text_keys(ft_mp record, ft_buf scratch[2], ft_tie_keys *k, ft_err *e)
{
    enum ft_shape shape;
    ft_digest both[2];
    ft_mp v;
    int has_prompt, rc = ft_example_shape(record, &shape, e);
    if (rc < 0)
        return rc;
    has_prompt = shape != FT_SHAPE_PREDICTION || ft_mp_get(record, "prompt", &v);
    memset(both, 0, sizeof both);
    if (has_prompt &&
        (rc = ft_example_key(record, FT_PART_PROMPT, scratch, &both[0], e)) < 0)
        return rc;
    if ((rc = ft_example_key(record, FT_PART_RESPONSE, scratch, &both[1], e)) < 0)
        return rc;
    k->row = ft_digest_of(both, sizeof both);
    k->key[FT_TIE_PROMPT] = both[0];
    k->has[FT_TIE_PROMPT] = 1;
    if (!has_prompt || is_of_nothing(&both[0])) {
        rc = ft_example_key(record, FT_PART_ALL, scratch, &k->key[FT_TIE_PROMPT], e);
        salted(&k->key[FT_TIE_PROMPT], "\xff" "all" "\xff");
    }
    k->key[FT_TIE_RESPONSE] = both[1];
    salted(&k->key[FT_TIE_RESPONSE], "\xff" "response" "\xff");
    k->has[FT_TIE_RESPONSE] = shape != FT_SHAPE_TEXT && !is_of_nothing(&both[1]);
    return rc;
}

static int field_key(ft_mp record, const char *field, const char *salt, ft_tie_keys *k, size_t at,
                     ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(record, field, &v))
        return 0;
    k->has[at] = ft_group_key(v, salt, &k->key[at], e);
    return k->has[at] < 0 ? ft_err_wrap(e, "field %s", field) : 0;
}

int ft_tie_keys_of(ft_mp record, const char *const *groups, size_t n_groups, ft_buf scratch[2],
                   ft_tie_keys *k, ft_err *e)
{
    int rc;
    memset(k, 0, sizeof *k);
    rc = text_keys(record, scratch, k, e);
    if (rc == 0)
        rc = field_key(record, "cluster", "cluster", k, FT_TIE_CLUSTER, e);
    for (size_t i = 0; rc == 0 && i < n_groups; i++) {
        ft_buf salt = {0};
        ft_buf_add_str(&salt, "group");
        if (i > 0)
            ft_buf_add_fmt(&salt, ":%s", groups[i]);
        ft_buf_add_byte(&salt, 0);
        rc = ft_buf_check(&salt, e);
        if (rc == 0)
            rc = field_key(record, groups[i], (const char *)salt.p, k, FT_TIE_GROUP + i, e);
        ft_buf_free(&salt);
    }
    return rc;
}
