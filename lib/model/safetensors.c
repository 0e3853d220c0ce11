/* safetensors.c: reading; writing is in safetensors_writer.c. */
#include "model/safetensors.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, PIECE = 1024 };

struct ft_safetensors {
    ft_map map;                      /* all zero over bytes of somebody else */
    ft_slice whole;
    ft_buf header;                   /* as msgpack; names and metadata lie in it */
    ft_mp metadata;                  /* p is NULL when there is none */
    ft_safetensor *tensors;
    const ft_safetensor **by_name;
    size_t n;
};

/* As one entry of the header says it. */
typedef struct entry {
    ft_safetensor t;
    uint64_t begin, end;
} entry;

static const struct {
    const char *name;
    ft_type type;
} types[] = {{"F32", FT_F32}, {"F16", FT_F16}, {"BF16", FT_BF16}};

const char *ft_safetensor_type_name(ft_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return types[i].name;
    return "?";
}

/* ---- one entry ---- */

static int check_name(ft_slice name, ft_err *e)
{
    if (name.n == 0 || name.n > FT_SAFETENSOR_NAME_MAX)
        return ft_err_set(e, FT_ERR_DATA, "a tensor's name of %zu bytes (1 to %d are allowed)",
                          name.n, FT_SAFETENSOR_NAME_MAX);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] > '~')
            return ft_err_set(e, FT_ERR_DATA, "a tensor's name: byte 0x%02x in it", name.p[i]);
    return 0;
}

static int read_type(ft_mp v, ft_type *type, ft_err *e)
{
    ft_slice s;
    int plain = 1;
    if (!ft_mp_str(v, &s))
        return ft_err_set(e, FT_ERR_DATA, "dtype: missing or not a string");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ft_slice_is(s, types[i].name)) {
            *type = types[i].type;
            return 0;
        }
    for (size_t i = 0; i < s.n; i++)
        plain &= s.p[i] > ' ' && s.p[i] <= '~';
    return ft_err_set(e, FT_ERR_DATA, "dtype: \"%.*s\" is not one that ft reads (F32, F16, BF16)",
                      plain && s.n < 20 ? (int)s.n : 3, plain ? (const char *)s.p : "???");
}

static int read_shape(ft_mp v, ft_safetensor *t, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp item;
    size_t elements = 1;
    if (ft_mp_type_of(v) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "shape: not an array");
    if (ft_mp_count(v) > FT_SAFETENSOR_DIMS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "shape: %llu dimensions (up to %d are allowed)",
                          (unsigned long long)ft_mp_count(v), FT_SAFETENSOR_DIMS_MAX);
    while (ft_mp_next(&it, &item)) {
        uint64_t d;
        if (!ft_mp_uint(item, &d))
            return ft_err_set(e, FT_ERR_DATA, "shape: item %u is not a whole number of 0 or more",
                              t->n_dims);
        t->shape[t->n_dims++] = d;
        if (__builtin_mul_overflow(elements, d, &elements))
            return ft_err_set(e, FT_ERR_DATA, "shape: its product overflows");
    }
    t->elements = elements;
    if (__builtin_mul_overflow(elements, ft_type_info_of((uint32_t)t->type)->block_bytes,
                               &t->bytes))
        return ft_err_set(e, FT_ERR_DATA, "shape: its bytes overflow");
    return 0;
}

/* data_bytes: those behind the header. */
static int read_offsets(ft_mp v, entry *x, size_t data_bytes, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp begin, end;
    if (ft_mp_type_of(v) != FT_MP_ARRAY || ft_mp_count(v) != 2 || !ft_mp_next(&it, &begin) ||
        !ft_mp_next(&it, &end) || !ft_mp_uint(begin, &x->begin) || !ft_mp_uint(end, &x->end))
        return ft_err_set(e, FT_ERR_DATA, "data_offsets: not two whole numbers of 0 or more");
    if (x->end < x->begin)
        return ft_err_set(e, FT_ERR_DATA, "data_offsets: it ends at %llu, before it begins",
                          (unsigned long long)x->end);
    if (x->end > data_bytes)
        return ft_err_set(e, FT_ERR_DATA, "data_offsets: it ends at %llu, but %zu bytes follow the "
                          "header", (unsigned long long)x->end, data_bytes);
    if (x->end - x->begin != x->t.bytes)
        return ft_err_set(e, FT_ERR_DATA, "data_offsets: %llu bytes, but its shape has %zu",
                          (unsigned long long)(x->end - x->begin), x->t.bytes);
    return 0;
}

static int read_entry(ft_mp v, entry *x, size_t data_bytes, ft_err *e)
{
    static const char *const known[] = {"dtype", "shape", "data_offsets", NULL};
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp key, value, field;
    if (ft_mp_type_of(v) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not an object");
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (!ft_mp_is_one_of(key, known))
            return ft_err_set(e, FT_ERR_DATA, "a field besides dtype, shape and data_offsets");
    if (!ft_mp_get(v, "dtype", &field))
        return ft_err_set(e, FT_ERR_DATA, "dtype: missing");
    if (read_type(field, &x->t.type, e) < 0)
        return e->code;
    if (!ft_mp_get(v, "shape", &field))
        return ft_err_set(e, FT_ERR_DATA, "shape: missing");
    if (read_shape(field, &x->t, e) < 0)
        return e->code;
    if (!ft_mp_get(v, "data_offsets", &field))
        return ft_err_set(e, FT_ERR_DATA, "data_offsets: missing");
    return read_offsets(field, x, data_bytes, e);
}

/* ---- the header ---- */

static int check_metadata(ft_mp v, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp key, value;
    ft_slice s;
    if (ft_mp_type_of(v) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "__metadata__: not an object");
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (!ft_mp_str(value, &s))
            return ft_err_set(e, FT_ERR_DATA, "__metadata__: a value that is not a string");
    return 0;
}

/* Reads length and JSON. *data: where the tensors' bytes begin. */
static int parse_header(ft_safetensors *s, const uint8_t *p, size_t n, size_t *data, ft_err *e)
{
    ft_rd r = ft_rd_of(p, n);
    uint64_t bytes = ft_rd_u64(&r);
    size_t end, where;
    if (r.failed)
        return ft_err_set(e, FT_ERR_DATA, "header length at byte 0: the file has %zu bytes", n);
    if (bytes > ft_rd_left(&r))
        return ft_err_set(e, FT_ERR_DATA, "header length at byte 0: %llu, but %zu bytes remain: "
                          "cut off, or not a safetensors file", (unsigned long long)bytes,
                          ft_rd_left(&r));
    if (bytes > FT_SAFETENSORS_HEADER_MAX)
        return ft_err_set(e, FT_ERR_DATA, "header length at byte 0: %llu is over ft's limit of %d",
                          (unsigned long long)bytes, FT_SAFETENSORS_HEADER_MAX);
    p += LENGTH_BYTES;
    if (bytes < 2 || p[0] != '{')
        return ft_err_set(e, FT_ERR_DATA, "header at byte %d: it does not begin with '{'",
                          LENGTH_BYTES);
    for (end = (size_t)bytes; p[end - 1] == ' ';)
        end--;
    if (p[end - 1] != '}')
        return ft_err_set(e, FT_ERR_DATA, "header: it ends neither with '}' nor with spaces behind "
                          "one, at byte %zu", LENGTH_BYTES + end - 1);
    if (ft_json_parse_at(p, end, &s->header, &where, e) < 0)
        return e->code == FT_ERR_DATA ? ft_err_wrap(e, "header at byte %zu", LENGTH_BYTES + where)
                                      : e->code;
    *data = LENGTH_BYTES + (size_t)bytes;
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return (x->t.name.p > y->t.name.p) - (x->t.name.p < y->t.name.p);
}

static int read_entries(ft_safetensors *s, entry *list, size_t data_bytes, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of((ft_mp){s->header.p, s->header.n});
    ft_mp key, value;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        entry *x = &list[s->n];
        if (!ft_mp_str(key, &x->t.name))
            return ft_err_set(e, FT_ERR_DATA, "a key that is not a string");
        if (ft_slice_is(x->t.name, "__metadata__")) {
            s->metadata = value;
            if (check_metadata(value, e) < 0)
                return e->code;
            continue;
        }
        if (check_name(x->t.name, e) < 0)
            return e->code;
        if (read_entry(value, x, data_bytes, e) < 0)
            return ft_err_wrap(e, "tensor %.*s", (int)x->t.name.n, (const char *)x->t.name.p);
        s->n++;
    }
    return 0;
}

/* In the order of their bytes the tensors must follow on each other, up to the end. */
static int place(ft_safetensors *s, entry *list, const uint8_t *data, size_t data_bytes, ft_err *e)
{
    uint64_t at = 0;
    if (s->n > 1)
        qsort(list, s->n, sizeof *list, compare_places);
    for (size_t i = 0; i < s->n; i++) {
        entry *x = &list[i];
        if (x->begin != at)
            return ft_err_set(e, FT_ERR_DATA, "tensor %.*s: data_offsets: it begins at %llu, but "
                              "%llu is where the tensor before it ends", (int)x->t.name.n,
                              (const char *)x->t.name.p, (unsigned long long)x->begin,
                              (unsigned long long)at);
        x->t.data = data + x->begin;
        at = x->end;
        s->tensors[i] = x->t;
    }
    if (at != data_bytes)
        return ft_err_set(e, FT_ERR_DATA, "data: %llu bytes follow the last tensor",
                          (unsigned long long)(data_bytes - at));
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const ft_slice *x = &(*(const ft_safetensor *const *)a)->name;
    const ft_slice *y = &(*(const ft_safetensor *const *)b)->name;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static int read_all(ft_safetensors *s, const uint8_t *p, size_t n, ft_err *e)
{
    size_t data = 0, count;
    entry *list = NULL;
    int rc = parse_header(s, p, n, &data, e);
    if (rc < 0)
        return rc;
    count = (size_t)ft_mp_count((ft_mp){s->header.p, s->header.n});
    if (count > FT_SAFETENSORS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "header: %zu tensors are over ft's limit of %d", count,
                          FT_SAFETENSORS_MAX);
    list = ft_new(count, sizeof *list, e);
    s->tensors = list ? ft_new(count, sizeof *s->tensors, e) : NULL;
    s->by_name = s->tensors ? ft_new(count, sizeof *s->by_name, e) : NULL;
    rc = s->by_name ? read_entries(s, list, n - data, e) : FT_ERR_NOMEM;
    if (rc == 0)
        rc = place(s, list, p + data, n - data, e);
    ft_free(list);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s->n; i++)
        s->by_name[i] = &s->tensors[i];
    if (s->n > 1)
        qsort(s->by_name, s->n, sizeof *s->by_name, compare_names);
    return 0;
}

/* ---- opening and asking ---- */

int ft_safetensors_open_bytes(ft_safetensors **s, const char *name, const void *p, size_t n,
                              ft_err *e)
{
    int rc;
    *s = ft_new(1, sizeof **s, e);
    if (!*s)
        return FT_ERR_NOMEM;
    (*s)->whole = (ft_slice){p, n};
    rc = read_all(*s, p, n, e);
    if (rc == 0)
        return 0;
    ft_safetensors_free(s);
    return ft_err_wrap(e, "%s", name);
}

int ft_safetensors_open(ft_safetensors **s, const char *path, ft_err *e)
{
    ft_map map = {0};
    int rc = ft_map_open(&map, path, e);
    *s = NULL;
    if (rc == 0 && (rc = ft_safetensors_open_bytes(s, path, map.p, map.n, e)) < 0)
        ft_map_close(&map);
    if (rc == 0)
        (*s)->map = map;
    return rc;
}

void ft_safetensors_free(ft_safetensors **p)
{
    ft_safetensors *s = *p;
    *p = NULL;
    if (!s)
        return;
    ft_map_close(&s->map);
    ft_buf_free(&s->header);
    ft_free(s->tensors);
    ft_free(s->by_name);
    ft_free(s);
}

ft_digest ft_safetensors_digest(const ft_safetensors *s)
{
    return ft_digest_of(s->whole.p, s->whole.n);
}

size_t ft_safetensors_count(const ft_safetensors *s)
{
    return s->n;
}

const ft_safetensor *ft_safetensors_at(const ft_safetensors *s, size_t i)
{
    return &s->tensors[i];
}

const ft_safetensor *ft_safetensors_find(const ft_safetensors *s, const char *name)
{
    const ft_safetensor key = {.name = {(const uint8_t *)name, strlen(name)}}, *p = &key;
    const ft_safetensor **hit = s->n ? bsearch(&p, s->by_name, s->n, sizeof *s->by_name,
                                               compare_names) : NULL;
    return hit ? *hit : NULL;
}

int ft_safetensors_metadata(const ft_safetensors *s, const char *key, ft_slice *value)
{
    return s->metadata.p && ft_mp_get_str(s->metadata, key, value);
}

void ft_safetensor_floats(const ft_safetensor *t, size_t from, size_t n, float *out)
{
    uint16_t piece[PIECE];      /* aligned, as the file's halves need not be */
    const uint8_t *p = t->data;
    if (t->type == FT_F32) {
        if (n)
            memcpy(out, p + from * 4, n * 4);
        return;
    }
    for (size_t at = 0; at < n; at += PIECE) {
        size_t now = n - at < PIECE ? n - at : PIECE;
        memcpy(piece, p + (from + at) * 2, now * 2);
        ft_dequantise(t->type, piece, out + at, now);
    }
}
