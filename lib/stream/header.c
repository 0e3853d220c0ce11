#include "stream/stream_internal.h"

#include <string.h>

static const char *const kind_names[] = {"any", "text", "tokens", "packed", "adapter",
                                         "checkpoint"};

const char *ft_kind_name(ft_kind k)
{
    return kind_names[k];
}

size_t ft_record_bytes_max(ft_kind kind)
{
    return kind == FT_KIND_TEXT ? FT_TEXT_RECORD_BYTES_MAX : FT_RECORD_BYTES_MAX;
}

static void put_digest(ft_buf *b, const char *key, const ft_digest *d)
{
    if (ft_digest_is_zero(d))
        return;
    ft_mp_put_cstr(b, key);
    ft_mp_put_bin(b, d->b, sizeof d->b);
}

static void put_entry(ft_buf *b, const ft_header *h)
{
    ft_mp_put_cstr(b, "entry");
    ft_mp_put_map(b, h->has_seed ? 4 : 3);
    ft_mp_put_cstr(b, "tool");
    ft_mp_put_cstr(b, h->tool);
    ft_mp_put_cstr(b, "version");
    ft_mp_put_cstr(b, FT_VERSION);
    ft_mp_put_cstr(b, "options");
    if (h->options.n)
        ft_mp_put_raw(b, h->options);
    else
        ft_mp_put_map(b, 0);
    if (h->has_seed) {
        ft_mp_put_cstr(b, "seed");
        ft_mp_put_uint(b, h->seed);
    }
}

void ft_header_put(ft_buf *b, const ft_header *h)
{
    size_t pairs = 3;
    pairs += h->tool != NULL;
    pairs += !ft_digest_is_zero(&h->tokenizer);
    pairs += !ft_digest_is_zero(&h->template_);
    pairs += h->extra.n != 0;
    pairs += h->certificates.n != 0;
    ft_mp_put_map(b, pairs);
    ft_mp_put_cstr(b, "magic");
    ft_mp_put_cstr(b, FT_STREAM_MAGIC);
    ft_mp_put_cstr(b, "version");
    ft_mp_put_uint(b, FT_STREAM_VERSION);
    ft_mp_put_cstr(b, "kind");
    ft_mp_put_cstr(b, ft_kind_name(h->kind));
    if (h->tool)
        put_entry(b, h);
    put_digest(b, "tokenizer", &h->tokenizer);
    put_digest(b, "template", &h->template_);
    if (h->extra.n) {
        ft_mp_put_cstr(b, "extra");
        ft_mp_put_raw(b, h->extra);
    }
    if (h->certificates.n) {
        ft_mp_put_cstr(b, "certificates");
        ft_mp_put_raw(b, h->certificates);
    }
}

int ft_digest_get(ft_mp map, const char *key, ft_digest *d)
{
    ft_mp v;
    ft_slice s;
    if (!ft_mp_get(map, key, &v))
        return 0;
    if (!ft_mp_bin(v, &s) || s.n != sizeof d->b)
        return -1;
    memcpy(d->b, s.p, sizeof d->b);
    return 1;
}

/* Reads an optional map under a key. Returns: whether it is absent or a map. */
static int get_map(ft_mp map, const char *key, ft_mp *out)
{
    return !ft_mp_get(map, key, out) ? (*out = (ft_mp){0}, 1)
                                     : ft_mp_type_of(*out) == FT_MP_MAP;
}

static int parse_kind(ft_mp map, ft_kind *kind, ft_err *e)
{
    ft_slice s;
    if (!ft_mp_get_str(map, "kind", &s))
        return ft_err_set(e, FT_ERR_DATA, "header has no kind");
    for (int k = FT_KIND_TEXT; k <= FT_KIND_CHECKPOINT; k++)
        if (ft_slice_is(s, kind_names[k])) {
            *kind = (ft_kind)k;
            return 0;
        }
    return ft_err_set(e, FT_ERR_DATA, "header names a kind that this program does not know");
}

static int parse_entry(ft_mp map, ft_header *h, ft_slice *tool, ft_slice *version, ft_err *e)
{
    ft_mp entry, seed;
    *tool = *version = (ft_slice){0};
    if (!ft_mp_get(map, "entry", &entry))
        return 0;
    if (!ft_mp_get_str(entry, "tool", tool) || !ft_mp_get_str(entry, "version", version) ||
        tool->n == 0)
        return ft_err_set(e, FT_ERR_DATA, "header's entry lacks tool or version");
    if (!get_map(entry, "options", &h->options) || h->options.n == 0)
        return ft_err_set(e, FT_ERR_DATA, "header's entry lacks its map of options");
    h->has_seed = ft_mp_get(entry, "seed", &seed);
    if (h->has_seed && !ft_mp_uint(seed, &h->seed))
        return ft_err_set(e, FT_ERR_DATA, "header's seed is no whole number");
    return 0;
}

int ft_header_parse(ft_mp map, ft_header *h, ft_slice *tool, ft_slice *version, ft_err *e)
{
    ft_slice magic;
    uint64_t format;
    int rc;
    memset(h, 0, sizeof *h);
    if (!ft_mp_get_str(map, "magic", &magic) || !ft_slice_is(magic, FT_STREAM_MAGIC))
        return ft_err_set(e, FT_ERR_DATA, "not an ft stream (no magic in the header)");
    if (!ft_mp_get_uint(map, "version", &format) || format == 0)
        return ft_err_set(e, FT_ERR_DATA, "header has no format version");
    if (format > FT_STREAM_VERSION)
        return ft_err_set(e, FT_ERR_DATA, "format version %llu is newer than this program "
                          "(it reads version %d): use a newer ft", (unsigned long long)format,
                          FT_STREAM_VERSION);
    rc = parse_kind(map, &h->kind, e);
    if (rc == 0)
        rc = parse_entry(map, h, tool, version, e);
    if (rc < 0)
        return rc;
    if (ft_digest_get(map, "tokenizer", &h->tokenizer) < 0 ||
        ft_digest_get(map, "template", &h->template_) < 0)
        return ft_err_set(e, FT_ERR_DATA, "header's tokenizer or template is no digest");
    if (!get_map(map, "extra", &h->extra))
        return ft_err_set(e, FT_ERR_DATA, "header's extra is no map");
    if (!ft_mp_get(map, "certificates", &h->certificates))
        h->certificates = (ft_mp){0};
    else if (ft_claims_check(h->certificates, e) < 0)
        return ft_err_wrap(e, "header");
    return 0;
}
