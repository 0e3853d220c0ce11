#include "model/gguf.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct ft_gguf {
    char *path;
    ft_map map;                      /* all zero when the bytes are the caller's           */
    const uint8_t *start;            /* first byte of the file                             */
    size_t alignment;
    size_t n_kv, n_tensors;
    ft_gguf_kv *kv;                  /* in file order                                      */
    ft_tensor *tensors;
    const ft_slice **kv_by_name;     /* sorted; each points at the first member of a kv or */
    const ft_slice **tensor_by_name; /* of a tensor, its name                              */
};

enum { DEFAULT_ALIGNMENT = 32, ALIGNMENT_MAX = 1 << 20,
       KV_BYTES_MIN = 8 + 1 + 4 + 1,             /* length, name, type, value              */
       TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8, /* length, name, dims, shape, type, offset */
       FT_GGUF_KEY_MAX = 65535 };

/* ---- values ---- */

static const struct value_type {
    const char *name;
    size_t bytes;                    /* 0: not of fixed size */
} value_types[] = {{"u8", 1}, {"i8", 1}, {"u16", 2}, {"i16", 2}, {"u32", 4}, {"i32", 4},
                   {"f32", 4}, {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8},
                   {"f64", 8}};

static int read_value_type(ft_rd *r, enum ft_gguf_value_type *type, ft_err *e)
{
    uint32_t t = ft_rd_u32(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "the file ends in its type");
    if (t >= sizeof value_types / sizeof value_types[0])
        return ft_err_set(e, FT_ERR_DATA, "value type %u is unknown", t);
    *type = (enum ft_gguf_value_type)t;
    return 0;
}

static int read_string(ft_rd *r, ft_slice *s, ft_err *e)
{
    uint64_t n = ft_rd_u64(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "the file ends in the length of a string");
    if (n > ft_rd_left(r))
        return ft_err_set(e, FT_ERR_DATA, "string length %llu, but %zu bytes remain",
                          (unsigned long long)n, ft_rd_left(r));
    s->n = (size_t)n;
    s->p = ft_rd_bytes(r, n);
    return 0;
}

/* Names become part of messages and look-ups, so only what prints is taken. */
static int read_name(ft_rd *r, ft_slice *s, size_t max, ft_err *e)
{
    if (read_string(r, s, e) < 0)
        return e->code;
    if (s->n == 0 || s->n > max)
        return ft_err_set(e, FT_ERR_DATA, "name of %zu bytes (1 to %zu are allowed)", s->n, max);
    for (size_t i = 0; i < s->n; i++)
        if (s->p[i] <= ' ' || s->p[i] > '~')
            return ft_err_set(e, FT_ERR_DATA, "byte 0x%02x in the name", s->p[i]);
    return 0;
}

static int read_plain(ft_rd *r, enum ft_gguf_value_type type, uint64_t count, ft_err *e)
{
    size_t size = value_types[type].bytes;
    const uint8_t *p;
    if (count > ft_rd_left(r) / size)
        return ft_err_set(e, FT_ERR_DATA, "count %llu of %s, but %zu bytes remain",
                          (unsigned long long)count, value_types[type].name, ft_rd_left(r));
    p = ft_rd_bytes(r, count * size);
    for (size_t i = 0; type == FT_GV_BOOL && i < count; i++)
        if (p[i] > 1)
            return ft_err_set(e, FT_ERR_DATA, "bool of value %u", p[i]);
    return 0;
}

static int read_array(ft_rd *r, ft_gguf_kv *kv, ft_err *e)
{
    ft_slice s;
    if (read_value_type(r, &kv->item, e) < 0)
        return ft_err_wrap(e, "array items");
    kv->count = ft_rd_u64(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "the file ends in the count of an array");
    if (kv->item == FT_GV_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "an array of arrays, which ft does not read");
    if (kv->item != FT_GV_STRING)
        return read_plain(r, kv->item, kv->count, e);
    if (kv->count > ft_rd_left(r) / 8)
        return ft_err_set(e, FT_ERR_DATA, "count %llu of strings, but %zu bytes remain",
                          (unsigned long long)kv->count, ft_rd_left(r));
    for (uint64_t i = 0; i < kv->count; i++)
        if (read_string(r, &s, e) < 0)
            return ft_err_wrap(e, "item %llu", (unsigned long long)i);
    return 0;
}

static int read_value(ft_rd *r, ft_gguf_kv *kv, ft_err *e)
{
    ft_slice s;
    if (read_value_type(r, &kv->type, e) < 0)
        return e->code;
    kv->raw.p = r->p;
    if (kv->type == FT_GV_ARRAY ? read_array(r, kv, e)
        : kv->type == FT_GV_STRING ? read_string(r, &s, e) : read_plain(r, kv->type, 1, e))
        return e->code;
    kv->raw.n = (size_t)(r->p - kv->raw.p);
    return 0;
}

/* ---- header, keys, directory ---- */

static int read_count(ft_rd *r, const char *what, size_t min_bytes, size_t max, size_t *out,
                      ft_err *e)
{
    size_t at = ft_rd_at(r);
    uint64_t n = ft_rd_u64(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "%s count at byte %zu: the file ends", what, at);
    if (n > max)
        return ft_err_set(e, FT_ERR_DATA, "%s count at byte %zu: %llu is over ft's limit of %zu",
                          what, at, (unsigned long long)n, max);
    if (n > ft_rd_left(r) / min_bytes)
        return ft_err_set(e, FT_ERR_DATA, "%s count at byte %zu: %llu, but %zu bytes remain",
                          what, at, (unsigned long long)n, ft_rd_left(r));
    *out = (size_t)n;
    return 0;
}

static int read_header(ft_gguf *g, ft_rd *r, ft_err *e)
{
    const uint8_t *magic = ft_rd_bytes(r, 4);
    uint32_t version;
    if (!magic || memcmp(magic, "GGUF", 4) != 0)
        return ft_err_set(e, FT_ERR_DATA, "magic at byte 0: this is not a GGUF file");
    version = ft_rd_u32(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "version at byte 4: the file ends");
    if (version == 0x02000000 || version == 0x03000000)
        return ft_err_set(e, FT_ERR_DATA, "version at byte 4: a big-endian file; convert it to "
                          "little-endian first");
    if (version != 2 && version != 3)
        return ft_err_set(e, FT_ERR_DATA, "version at byte 4: %u, but ft reads 2 and 3", version);
    if (read_count(r, "tensor", TENSOR_BYTES_MIN, FT_GGUF_TENSORS_MAX, &g->n_tensors, e) < 0)
        return e->code;
    return read_count(r, "key", KV_BYTES_MIN, FT_GGUF_KEYS_MAX, &g->n_kv, e);
}

static int read_keys(ft_gguf *g, ft_rd *r, ft_err *e)
{
    g->kv = ft_new(g->n_kv, sizeof *g->kv, e);
    if (!g->kv)
        return e->code;
    for (size_t i = 0; i < g->n_kv; i++) {
        ft_gguf_kv *kv = &g->kv[i];
        size_t at = ft_rd_at(r);
        if (read_name(r, &kv->key, FT_GGUF_KEY_MAX, e) < 0)
            return ft_err_wrap(e, "key %zu at byte %zu", i, at);
        if (read_value(r, kv, e) < 0)
            return ft_err_wrap(e, "key %.*s at byte %zu", (int)kv->key.n,
                               (const char *)kv->key.p, at);
    }
    return 0;
}

static int align_up(size_t n, size_t alignment, size_t *out)
{
    if (__builtin_add_overflow(n, alignment - 1, out))
        return -1;
    *out &= ~(alignment - 1);
    return 0;
}

static int size_of_tensor(ft_tensor *t, const ft_type_info *info, ft_err *e)
{
    if (t->shape[0] % info->block)
        return ft_err_set(e, FT_ERR_DATA, "rows of %llu weights are no multiple of %s's block of "
                          "%zu", (unsigned long long)t->shape[0], info->name, info->block);
    if (ft_type_bytes(info, t->shape, t->n_dims, &t->bytes) < 0)
        return ft_err_set(e, FT_ERR_DATA, "its shape overflows");
    return 0;
}

/* expected: the offset behind the tensors before this one; moves behind this one. */
static int read_tensor(ft_gguf *g, ft_rd *r, ft_tensor *t, size_t *expected, ft_err *e)
{
    const ft_type_info *info;
    uint32_t type;
    uint64_t offset;
    size_t end;
    t->n_dims = ft_rd_u32(r);
    if (!r->failed && (t->n_dims == 0 || t->n_dims > FT_DIMS_MAX))
        return ft_err_set(e, FT_ERR_DATA, "%u dimensions (1 to %d are allowed)", t->n_dims,
                          FT_DIMS_MAX);
    for (uint32_t d = 0; d < FT_DIMS_MAX; d++)
        t->shape[d] = d < t->n_dims ? ft_rd_u64(r) : 1;
    type = ft_rd_u32(r);
    offset = ft_rd_u64(r);
    if (r->failed)
        return ft_err_set(e, FT_ERR_DATA, "the file ends in its entry");
    for (uint32_t d = 0; d < t->n_dims; d++)
        if (t->shape[d] == 0)
            return ft_err_set(e, FT_ERR_DATA, "dimension %u is 0", d);
    info = ft_type_info_of(type);
    if (!info)
        return ft_err_set(e, FT_ERR_DATA, "type %u is not one that ft reads (f32, f16, bf16, "
                          "q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k, nf4)", type);
    t->type = info->type;
    if (size_of_tensor(t, info, e) < 0)
        return e->code;
    if (offset != *expected)
        return ft_err_set(e, FT_ERR_DATA, "offset %llu, but %zu is where the tensor before it ends",
                          (unsigned long long)offset, *expected);
    if (t->bytes > ft_rd_left(r))
        return ft_err_set(e, FT_ERR_DATA, "data of %zu bytes, but %zu bytes remain", t->bytes,
                          ft_rd_left(r));
    if (__builtin_add_overflow((size_t)offset, t->bytes, &end) ||
        align_up(end, g->alignment, expected) < 0)
        return ft_err_set(e, FT_ERR_DATA, "its size overflows");
    return 0;
}

static int read_directory(ft_gguf *g, ft_rd *r, ft_err *e)
{
    size_t offset = 0, data_at;
    g->tensors = ft_new(g->n_tensors, sizeof *g->tensors, e);
    if (!g->tensors)
        return e->code;
    for (size_t i = 0; i < g->n_tensors; i++) {
        ft_tensor *t = &g->tensors[i];
        size_t at = ft_rd_at(r);
        if (read_name(r, &t->name, FT_GGUF_NAME_MAX, e) < 0)
            return ft_err_wrap(e, "tensor %zu at byte %zu", i, at);
        if (read_tensor(g, r, t, &offset, e) < 0)
            return ft_err_wrap(e, "tensor %.*s at byte %zu", (int)t->name.n,
                               (const char *)t->name.p, at);
    }
    if (g->n_tensors == 0)
        return 0;
    if (align_up(ft_rd_at(r), g->alignment, &data_at) < 0 ||
        !ft_rd_bytes(r, data_at - ft_rd_at(r)))
        return ft_err_set(e, FT_ERR_DATA, "data at byte %zu: the file ends before it",
                          ft_rd_at(r));
    return 0;
}

/* Gives each tensor its bytes; what is left over may only be the padding of the last one. */
static int place_data(ft_gguf *g, ft_rd *r, ft_err *e)
{
    for (size_t i = 0; i < g->n_tensors; i++) {
        ft_tensor *t = &g->tensors[i];
        size_t at = ft_rd_at(r), padding = (g->alignment - t->bytes % g->alignment) % g->alignment;
        t->data = ft_rd_bytes(r, t->bytes);
        if (!t->data)
            return ft_err_set(e, FT_ERR_DATA, "tensor %.*s: data of %zu bytes at byte %zu, but "
                              "%zu bytes remain", (int)t->name.n, (const char *)t->name.p,
                              t->bytes, at, ft_rd_left(r));
        if (padding > ft_rd_left(r))
            padding = ft_rd_left(r);
        (void)ft_rd_bytes(r, padding);
    }
    if (g->n_tensors && ft_rd_left(r))
        return ft_err_set(e, FT_ERR_DATA, "data at byte %zu: %zu bytes follow the last tensor",
                          ft_rd_at(r), ft_rd_left(r));
    return 0;
}

/* ---- names: sorted once, for look-ups, duplicates and the digest ---- */

static int compare_slices(const ft_slice *a, const ft_slice *b)
{
    int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int compare_names(const void *a, const void *b)
{
    return compare_slices(*(const ft_slice *const *)a, *(const ft_slice *const *)b);
}

/* items: n structs of `size` bytes whose first member is their name. */
static int sort_names(const ft_gguf *g, const char *what, const void *items, size_t n, size_t size,
                      const ft_slice ***sorted, ft_err *e)
{
    const ft_slice **s = ft_new(n, sizeof *s, e);
    *sorted = s;
    if (!s)
        return e->code;
    for (size_t i = 0; i < n; i++)
        s[i] = (const ft_slice *)(const void *)((const char *)items + i * size);
    qsort(s, n, sizeof *s, compare_names);
    for (size_t i = 1; i < n; i++)
        if (compare_slices(s[i - 1], s[i]) == 0) {
            const ft_slice *later = s[i - 1]->p > s[i]->p ? s[i - 1] : s[i];
            return ft_err_set(e, FT_ERR_DATA, "%s %.*s at byte %zu: the name stands twice", what,
                              (int)later->n, (const char *)later->p,
                              (size_t)(later->p - g->start) - 8);
        }
    return 0;
}

static const ft_slice *find(const ft_slice **sorted, size_t n, const char *name)
{
    ft_slice key = {(const uint8_t *)name, strlen(name)};
    const ft_slice *p = &key;
    const ft_slice **hit = n ? bsearch(&p, sorted, n, sizeof *sorted, compare_names) : NULL;
    return hit ? *hit : NULL;
}

/* ---- opening ---- */

static int read_alignment(ft_gguf *g, ft_err *e)
{
    const ft_gguf_kv *kv = ft_gguf_kv_find(g, "general.alignment");
    ft_rd r;
    uint32_t a;
    g->alignment = DEFAULT_ALIGNMENT;
    if (!kv)
        return 0;
    if (kv->type != FT_GV_U32)
        return ft_err_set(e, FT_ERR_DATA, "key general.alignment at byte %zu: type %s, not u32",
                          (size_t)(kv->raw.p - g->start), value_types[kv->type].name);
    r = ft_rd_of(kv->raw.p, kv->raw.n);
    a = ft_rd_u32(&r);
    if (a < 8 || a > ALIGNMENT_MAX || (a & (a - 1)))
        return ft_err_set(e, FT_ERR_DATA, "key general.alignment at byte %zu: %u is no power of "
                          "two from 8 to %d", (size_t)(kv->raw.p - g->start), a, ALIGNMENT_MAX);
    g->alignment = a;
    return 0;
}

static int parse(ft_gguf *g, ft_rd *r, ft_err *e)
{
    if (read_header(g, r, e) < 0 || read_keys(g, r, e) < 0 ||
        sort_names(g, "key", g->kv, g->n_kv, sizeof *g->kv, &g->kv_by_name, e) < 0 ||
        read_alignment(g, e) < 0 || read_directory(g, r, e) < 0 ||
        sort_names(g, "tensor", g->tensors, g->n_tensors, sizeof *g->tensors, &g->tensor_by_name,
                   e) < 0)
        return e->code;
    return place_data(g, r, e);
}

int ft_gguf_open_bytes(ft_gguf **out, const char *name, const void *p, size_t n, ft_err *e)
{
    ft_err own;
    ft_gguf *g = ft_new(1, sizeof *g, e);
    ft_rd r = ft_rd_of(p, n);
    *out = NULL;
    if (!e)
        e = &own;                    /* the parser asks it for the code */
    if (!g)
        return FT_ERR_NOMEM;
    g->start = p;
    g->path = ft_strndup(name, strlen(name), e);
    if (!g->path || parse(g, &r, e) < 0) {
        ft_gguf_free(&g);
        return ft_err_wrap(e, "%s", name);
    }
    *out = g;
    return 0;
}

int ft_gguf_open(ft_gguf **out, const char *path, ft_err *e)
{
    ft_map map;
    int rc;
    *out = NULL;
    rc = ft_map_open(&map, path, e);
    if (rc < 0)
        return rc;
    rc = ft_gguf_open_bytes(out, path, map.p, map.n, e);
    if (rc < 0)
        ft_map_close(&map);
    else
        (*out)->map = map;
    return rc;
}

void ft_gguf_free(ft_gguf **p)
{
    ft_gguf *g = *p;
    *p = NULL;
    if (!g)
        return;
    ft_free(g->path);
    ft_free(g->kv);
    ft_free(g->tensors);
    ft_free(g->kv_by_name);
    ft_free(g->tensor_by_name);
    ft_map_close(&g->map);
    ft_free(g);
}

const char *ft_gguf_path(const ft_gguf *g)
{
    return g->path;
}

size_t ft_gguf_kv_count(const ft_gguf *g)
{
    return g->n_kv;
}

const ft_gguf_kv *ft_gguf_kv_at(const ft_gguf *g, size_t i)
{
    return &g->kv[i];
}

const ft_gguf_kv *ft_gguf_kv_find(const ft_gguf *g, const char *key)
{
    return (const ft_gguf_kv *)(const void *)find(g->kv_by_name, g->n_kv, key);
}

size_t ft_gguf_tensor_count(const ft_gguf *g)
{
    return g->n_tensors;
}

const ft_tensor *ft_gguf_tensor_at(const ft_gguf *g, size_t i)
{
    return &g->tensors[i];
}

const ft_tensor *ft_gguf_tensor_find(const ft_gguf *g, const char *name)
{
    return (const ft_tensor *)(const void *)find(g->tensor_by_name, g->n_tensors, name);
}

/* ---- digest ---- */

static uint8_t *put_le(uint8_t *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *p++ = (uint8_t)(v >> (8 * i));
    return p;
}

ft_digest ft_gguf_digest_as(const ft_gguf *g,
                            void (*as)(const void *ctx, const ft_tensor *in_file, ft_tensor *t),
                            const void *ctx)
{
    ft_digest d = {{0}};
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ft_tensor *in_file = (const ft_tensor *)(const void *)g->tensor_by_name[i];
        ft_tensor t = *in_file;
        if (as)
            as(ctx, in_file, &t);
        ft_digest name = ft_digest_of(t.name.p, t.name.n);
        ft_digest data = ft_digest_of(t.data, t.bytes);
        uint8_t b[84], *p = b;
        memcpy(p, d.b, 16);
        memcpy(p + 16, name.b, 16);
        p = put_le(p + 32, (uint64_t)t.type, 4);
        for (size_t k = 0; k < FT_DIMS_MAX; k++)
            p = put_le(p, t.shape[k], 8);
        memcpy(p, data.b, 16);
        d = ft_digest_of(b, sizeof b);
        ft_gguf_forget(g, t.data, t.bytes);
    }
    return d;
}

ft_digest ft_gguf_digest(const ft_gguf *g)
{
    return ft_gguf_digest_as(g, NULL, NULL);
}

void ft_gguf_forget(const ft_gguf *g, const void *p, size_t n)
{
    ft_map_forget(&g->map, p, n);
}

void ft_gguf_want(const ft_gguf *g, const void *p, size_t n)
{
    ft_map_want(&g->map, p, n);
}
