#include "model/safetensors.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/mp.h"

#include <stdlib.h>
#include <string.h>

typedef struct announced {
    char *name;
    size_t i;                        /* in the order of announcing */
    ft_type type;
    uint32_t n_dims;
    uint64_t shape[FT_SAFETENSOR_DIMS_MAX];
    size_t bytes;
} announced;

struct ft_safetensors_writer {
    ft_buf metadata;                 /* the pairs, as JSON */
    announced *list;                 /* from begin on in the order of the file */
    size_t n, cap;
    ft_out *out;                     /* the caller's, from begin on */
    size_t current, written;         /* the tensor that is due, and how much of it was written */
};

int ft_safetensors_writer_new(ft_safetensors_writer **w, ft_err *e)
{
    *w = ft_new(1, sizeof **w, e);
    return *w ? 0 : FT_ERR_NOMEM;
}

void ft_safetensors_writer_free(ft_safetensors_writer **p)
{
    ft_safetensors_writer *w = *p;
    *p = NULL;
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        ft_free(w->list[i].name);
    ft_free(w->list);
    ft_buf_free(&w->metadata);
    ft_free(w);
}

int ft_safetensors_writer_metadata(ft_safetensors_writer *w, const char *key, const char *value,
                                   ft_err *e)
{
    if (w->metadata.n)
        ft_buf_add_byte(&w->metadata, ',');
    ft_json_put_string(&w->metadata, key, strlen(key));
    ft_buf_add_byte(&w->metadata, ':');
    ft_json_put_string(&w->metadata, value, strlen(value));
    return ft_buf_check(&w->metadata, e);
}

static int check_tensor(ft_slice name, ft_type type, uint32_t n_dims, ft_err *e)
{
    if (name.n == 0 || name.n > FT_SAFETENSOR_NAME_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "a tensor's name of %zu bytes", name.n);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < ' ' || name.p[i] > '~')
            return ft_err_set(e, FT_ERR_USAGE, "a tensor's name: byte 0x%02x in it", name.p[i]);
    if (ft_slice_is(name, "__metadata__"))
        return ft_err_set(e, FT_ERR_USAGE, "no tensor can be named __metadata__");
    if (type != FT_F32 && type != FT_F16 && type != FT_BF16)
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: safetensors files have no type for it",
                          (int)name.n, (const char *)name.p);
    if (n_dims > FT_SAFETENSOR_DIMS_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: %u dimensions", (int)name.n,
                          (const char *)name.p, n_dims);
    return 0;
}

int ft_safetensors_writer_tensor(ft_safetensors_writer *w, ft_slice name, ft_type type,
                                 uint32_t n_dims, const uint64_t *shape, ft_err *e)
{
    announced x = {.i = w->n, .type = type, .n_dims = n_dims};
    int overflow;
    if (check_tensor(name, type, n_dims, e) < 0)
        return e->code;
    x.bytes = ft_type_info_of((uint32_t)type)->block_bytes;
    overflow = w->n == FT_SAFETENSORS_MAX;
    for (uint32_t d = 0; d < n_dims; d++) {
        x.shape[d] = shape[d];
        overflow |= __builtin_mul_overflow(x.bytes, shape[d], &x.bytes);
    }
    if (overflow)
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: its shape overflows, or there are too "
                          "many", (int)name.n, (const char *)name.p);
    if (ft_grow(&w->list, &w->cap, w->n + 1, sizeof *w->list, e) < 0)
        return FT_ERR_NOMEM;
    x.name = ft_strndup((const char *)name.p, name.n, e);
    if (!x.name)
        return FT_ERR_NOMEM;
    w->list[w->n++] = x;
    return 0;
}

static int rank_of(ft_type type)
{
    return type == FT_F32 ? 0 : type == FT_BF16 ? 1 : 2;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const announced *)a)->name, ((const announced *)b)->name);
}

static int compare_places(const void *a, const void *b)
{
    int c = rank_of(((const announced *)a)->type) - rank_of(((const announced *)b)->type);
    return c ? c : compare_names(a, b);
}

/* Puts the tensors into the order of the file. */
static int sort_tensors(ft_safetensors_writer *w, ft_err *e)
{
    if (w->n < 2)
        return 0;
    qsort(w->list, w->n, sizeof *w->list, compare_names);
    for (size_t i = 1; i < w->n; i++)
        if (strcmp(w->list[i - 1].name, w->list[i].name) == 0)
            return ft_err_set(e, FT_ERR_USAGE, "tensor %s: announced twice", w->list[i].name);
    qsort(w->list, w->n, sizeof *w->list, compare_places);
    return 0;
}

static int put_entry(ft_buf *b, const announced *x, int first, size_t *at, ft_err *e)
{
    size_t end;
    if (__builtin_add_overflow(*at, x->bytes, &end))
        return ft_err_set(e, FT_ERR_USAGE, "tensor %s: its offset overflows", x->name);
    if (!first)
        ft_buf_add_byte(b, ',');
    ft_json_put_string(b, x->name, strlen(x->name));
    ft_buf_add_fmt(b, ":{\"dtype\":\"%s\",\"shape\":[", ft_safetensor_type_name(x->type));
    for (uint32_t d = 0; d < x->n_dims; d++)
        ft_buf_add_fmt(b, "%s%llu", d ? "," : "", (unsigned long long)x->shape[d]);
    ft_buf_add_fmt(b, "],\"data_offsets\":[%zu,%zu]}", *at, end);
    *at = end;
    return 0;
}

static int put_header(const ft_safetensors_writer *w, ft_buf *b, ft_err *e)
{
    size_t at = 0;
    ft_buf_add_byte(b, '{');
    if (w->metadata.n) {
        ft_buf_add_str(b, "\"__metadata__\":{");
        ft_buf_add(b, w->metadata.p, w->metadata.n);
        ft_buf_add_byte(b, '}');
    }
    for (size_t i = 0; i < w->n; i++)
        if (put_entry(b, &w->list[i], i == 0 && !w->metadata.n, &at, e) < 0)
            return e->code;
    ft_buf_add_byte(b, '}');
    ft_buf_add(b, "       ", (8 - b->n % 8) % 8);
    return ft_buf_check(b, e);
}

/* Nothing is due of a tensor without elements. */
static void skip_empty(ft_safetensors_writer *w)
{
    while (w->current < w->n && w->list[w->current].bytes == 0)
        w->current++;
}

int ft_safetensors_writer_begin(ft_safetensors_writer *w, ft_out *out, ft_err *e)
{
    ft_buf head = {0}, length = {0};
    int rc = sort_tensors(w, e);
    w->out = out;
    if (rc == 0)
        rc = put_header(w, &head, e);
    if (rc == 0) {
        ft_buf_add_u64(&length, head.n);
        rc = ft_buf_check(&length, e);
    }
    if (rc == 0)
        rc = ft_out_write(out, length.p, length.n, e);
    if (rc == 0)
        rc = ft_out_write(out, head.p, head.n, e);
    ft_buf_free(&head);
    ft_buf_free(&length);
    skip_empty(w);
    return rc;
}

int ft_safetensors_writer_due(ft_safetensors_writer *w, size_t *i)
{
    if (w->current == w->n)
        return 0;
    *i = w->list[w->current].i;
    return 1;
}

int ft_safetensors_writer_data(ft_safetensors_writer *w, const void *p, size_t n, ft_err *e)
{
    int rc;
    if (w->current == w->n || n > w->list[w->current].bytes - w->written)
        return ft_err_set(e, FT_ERR_INTERNAL, "more bytes than the tensor that is due has");
    rc = ft_out_write(w->out, p, n, e);
    if (rc < 0)
        return rc;
    w->written += n;
    if (w->written == w->list[w->current].bytes) {
        w->written = 0;
        w->current++;
        skip_empty(w);
    }
    return 0;
}
