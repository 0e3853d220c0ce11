#include "stream/stream_internal.h"

#include <string.h>

void ft_counts_drop(ft_counts *c, const char *reason, uint64_t n)
{
    for (size_t i = 0; i < c->n_reasons; i++)
        if (strcmp(c->dropped[i].reason, reason) == 0) {
            c->dropped[i].n += n;
            return;
        }
    if (n == 0)
        return;
    if (c->n_reasons == FT_DROP_REASONS_MAX) {     /* keep the sum right at any rate */
        c->dropped[FT_DROP_REASONS_MAX - 1].reason = "other";
        c->dropped[FT_DROP_REASONS_MAX - 1].n += n;
        return;
    }
    c->dropped[c->n_reasons].reason = reason;
    c->dropped[c->n_reasons].n = n;
    c->n_reasons++;
}

uint64_t ft_counts_dropped(const ft_counts *c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < c->n_reasons; i++)
        sum += c->dropped[i].n;
    return sum;
}

int ft_counts_hold(const ft_counts *c)
{
    return c->read + c->created == c->written + ft_counts_dropped(c);
}

static void put_uint(ft_buf *b, const char *key, uint64_t v)
{
    ft_mp_put_cstr(b, key);
    ft_mp_put_uint(b, v);
}

static void put_counts(ft_buf *b, const ft_counts *c)
{
    ft_mp_put_cstr(b, "counts");
    ft_mp_put_map(b, 4);
    put_uint(b, "read", c->read);
    put_uint(b, "created", c->created);
    put_uint(b, "written", c->written);
    ft_mp_put_cstr(b, "dropped");
    ft_mp_put_map(b, c->n_reasons);
    for (size_t i = 0; i < c->n_reasons; i++)
        put_uint(b, c->dropped[i].reason, c->dropped[i].n);
}

int ft_trailer_put(ft_buf *b, const ft_totals *t, const ft_counts *c,
                   const ft_certificate_set *certificates, const ft_history *h, ft_err *e)
{
    ft_mp_put_map(b, 5 + (size_t)(certificates->some != 0) + (h != NULL));
    put_uint(b, "records", t->records);
    put_uint(b, "bytes", t->bytes);
    ft_mp_put_cstr(b, "digest");
    ft_mp_put_bin(b, t->digest.b, sizeof t->digest.b);
    ft_mp_put_cstr(b, "header");
    ft_mp_put_bin(b, t->header.b, sizeof t->header.b);
    put_counts(b, c);
    if (certificates->some) {
        ft_mp_put_cstr(b, "certificates");
        ft_certificate_set_put(certificates, b);
    }
    if (!h)
        return ft_buf_check(b, e);
    ft_mp_put_cstr(b, "history");
    return ft_history_put(h, b, e);
}

static int same_count(ft_mp map, const char *key, uint64_t want, ft_err *e)
{
    uint64_t v;
    if (!ft_mp_get_uint(map, key, &v))
        return ft_err_set(e, FT_ERR_DATA, "trailer has no %s", key);
    if (v != want)
        return ft_err_set(e, FT_ERR_DATA, "trailer says %llu %s, but %llu were read",
                          (unsigned long long)v, key, (unsigned long long)want);
    return 0;
}

static int same_digest(ft_mp map, const char *key, const char *what, const ft_digest *want,
                       ft_err *e)
{
    ft_digest d;
    if (ft_digest_get(map, key, &d) != 1)
        return ft_err_set(e, FT_ERR_DATA, "trailer has no %s digest", what);
    if (!ft_digest_equal(&d, want))
        return ft_err_set(e, FT_ERR_DATA, "the %s that came differ from the digest in the trailer",
                          what);
    return 0;
}

/* read + created = written + dropped, in arithmetic that notices when it overflows. */
static int check_counts(ft_mp map, ft_err *e)
{
    ft_mp counts, dropped, item;
    ft_mp_iter it;
    uint64_t in, created, out, n;
    int overflow;
    if (!ft_mp_get(map, "counts", &counts) || !ft_mp_get_uint(counts, "read", &in) ||
        !ft_mp_get_uint(counts, "created", &created) || !ft_mp_get_uint(counts, "written", &out) ||
        !ft_mp_get(counts, "dropped", &dropped) || ft_mp_type_of(dropped) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "trailer lacks its counts");
    overflow = __builtin_add_overflow(in, created, &in);
    it = ft_mp_iter_of(dropped);
    while (ft_mp_next(&it, &item) && ft_mp_next(&it, &item)) {
        if (!ft_mp_uint(item, &n))
            return ft_err_set(e, FT_ERR_DATA, "trailer's drops are not numbers");
        overflow |= __builtin_add_overflow(out, n, &out);
    }
    if (overflow || in != out)
        return ft_err_set(e, FT_ERR_DATA, "trailer's counts do not hold: read + created is not "
                          "written + dropped");
    return 0;
}

int ft_trailer_check(ft_mp map, const ft_totals *t, ft_err *e)
{
    int rc = same_digest(map, "header", "header bytes", &t->header, e);
    if (rc == 0)
        rc = same_count(map, "records", t->records, e);
    if (rc == 0)
        rc = same_count(map, "bytes", t->bytes, e);
    if (rc == 0)
        rc = same_digest(map, "digest", "record bytes", &t->digest, e);
    return rc < 0 ? rc : check_counts(map, e);
}

int ft_trailer_certificates(ft_mp map, const ft_header *h, ft_mp *array, ft_err *e)
{
    if (!ft_mp_get(map, "certificates", array))
        *array = (ft_mp){0};
    else if (ft_certificates_check(*array, e) < 0)
        return ft_err_wrap(e, "trailer");
    if (!ft_certificates_confirm(*array, h->certificates))
        return ft_err_set(e, FT_ERR_DATA, "the trailer does not confirm the certificates that the "
                          "header claims");
    return 0;
}
