/* gguf_values.c: metadata by key and type. Values are read again from the file's bytes through
 * the bounded reader, so a file that changes while it is mapped gives errors, not overruns. */
#include "model/gguf.h"

#include "base/mem.h"

#include <string.h>

static int mismatch(const ft_gguf *g, const char *key, const char *wanted, ft_err *e)
{
    return ft_err_set(e, FT_ERR_DATA, "%s: key %s: its value is not %s", ft_gguf_path(g), key,
                      wanted);
}

static int lookup(const ft_gguf *g, const char *key, const ft_gguf_kv **kv, ft_rd *r, ft_err *e)
{
    *kv = ft_gguf_kv_find(g, key);
    if (!*kv)
        return ft_err_set(e, FT_ERR_DATA, "%s: key %s is missing", ft_gguf_path(g), key);
    *r = ft_rd_of((*kv)->raw.p, (*kv)->raw.n);
    return 0;
}

int ft_gguf_uint(const ft_gguf *g, const char *key, uint64_t *out, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int64_t v = 0;
    int rc = lookup(g, key, &kv, &r, e);
    if (rc < 0)
        return rc;
    switch (kv->type) {
    case FT_GV_U8: v = ft_rd_u8(&r); break;
    case FT_GV_I8: v = (int8_t)ft_rd_u8(&r); break;   /* NOLINT: a number, not a character */
    case FT_GV_U16: v = ft_rd_u16(&r); break;
    case FT_GV_I16: v = (int16_t)ft_rd_u16(&r); break;
    case FT_GV_U32: v = ft_rd_u32(&r); break;
    case FT_GV_I32: v = (int32_t)ft_rd_u32(&r); break;
    case FT_GV_I64: v = (int64_t)ft_rd_u64(&r); break;
    case FT_GV_U64:
        *out = ft_rd_u64(&r);
        return 0;
    default:
        return mismatch(g, key, "a whole number", e);
    }
    if (v < 0)
        return mismatch(g, key, "a number from 0 on", e);
    *out = (uint64_t)v;
    return 0;
}

int ft_gguf_float(const ft_gguf *g, const char *key, double *out, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int rc = lookup(g, key, &kv, &r, e);
    if (rc < 0)
        return rc;
    if (kv->type == FT_GV_F32) {
        uint32_t u = ft_rd_u32(&r);
        float f;
        memcpy(&f, &u, sizeof f);
        *out = (double)f;
    } else if (kv->type == FT_GV_F64) {
        uint64_t u = ft_rd_u64(&r);
        memcpy(out, &u, sizeof *out);
    } else {
        return mismatch(g, key, "a floating-point number", e);
    }
    return 0;
}

int ft_gguf_bool(const ft_gguf *g, const char *key, int *out, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int rc = lookup(g, key, &kv, &r, e);
    if (rc < 0)
        return rc;
    if (kv->type != FT_GV_BOOL)
        return mismatch(g, key, "a bool", e);
    *out = ft_rd_u8(&r) != 0;
    return 0;
}

static int next_string(ft_rd *r, ft_slice *s)
{
    uint64_t n = ft_rd_u64(r);
    s->p = ft_rd_bytes(r, n);
    s->n = s->p ? (size_t)n : 0;
    return !r->failed;
}

int ft_gguf_string(const ft_gguf *g, const char *key, ft_slice *out, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int rc = lookup(g, key, &kv, &r, e);
    if (rc < 0)
        return rc;
    if (kv->type != FT_GV_STRING || !next_string(&r, out))
        return mismatch(g, key, "a string", e);
    return 0;
}

/* Steps over item type and count of an array, which kv holds already checked. */
static int enter_array(const ft_gguf_kv *kv, ft_rd *r)
{
    return kv->type == FT_GV_ARRAY && ft_rd_bytes(r, 4 + 8) != NULL;
}

int ft_gguf_strings(const ft_gguf *g, const char *key, ft_slice **out, size_t *n, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int rc = lookup(g, key, &kv, &r, e);
    *out = NULL;
    *n = 0;
    if (rc < 0)
        return rc;
    if (!enter_array(kv, &r) || kv->item != FT_GV_STRING)
        return mismatch(g, key, "an array of strings", e);
    *out = ft_new((size_t)kv->count, sizeof **out, e);
    if (!*out)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < kv->count; i++)
        if (!next_string(&r, &(*out)[i])) {
            ft_free(*out);
            *out = NULL;
            return mismatch(g, key, "what it was: the file changed while it is read", e);
        }
    *n = (size_t)kv->count;
    return 0;
}

int ft_gguf_ints(const ft_gguf *g, const char *key, int32_t **out, size_t *n, ft_err *e)
{
    const ft_gguf_kv *kv;
    ft_rd r;
    int rc = lookup(g, key, &kv, &r, e);
    *out = NULL;
    *n = 0;
    if (rc < 0)
        return rc;
    if (!enter_array(kv, &r) || (kv->item != FT_GV_I32 && kv->item != FT_GV_U32))
        return mismatch(g, key, "an array of 32-bit numbers", e);
    *out = ft_new((size_t)kv->count, sizeof **out, e);
    if (!*out)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < kv->count; i++) {
        uint32_t v = ft_rd_u32(&r);
        if (kv->item == FT_GV_U32 && v > INT32_MAX) {
            ft_free(*out);
            *out = NULL;
            return mismatch(g, key, "an array of numbers below 2^31", e);
        }
        (*out)[i] = (int32_t)v;
    }
    *n = (size_t)kv->count;
    return 0;
}
