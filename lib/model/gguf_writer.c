#include "model/gguf.h"

#include "base/mem.h"

#include <string.h>

enum { VERSION = 3, DEFAULT_ALIGNMENT = 32 };

typedef struct entry {       /* a key with its value, as it will stand in the file */
    char *key;
    ft_buf bytes;
} entry;

struct ft_gguf_writer {
    entry *entries;
    size_t n_entries, entries_cap;
    ft_buf directory;
    size_t *tensor_bytes;    /* of each announced tensor */
    size_t n_tensors, tensors_cap;
    size_t offset;           /* behind the tensors announced so far, from where data begins */
    size_t alignment;
    ft_out *out;             /* the caller's, from begin on */
    size_t current, written; /* the tensor that is being written, and how much of it was */
};

int ft_gguf_writer_new(ft_gguf_writer **w, ft_err *e)
{
    *w = ft_new(1, sizeof **w, e);
    if (!*w)
        return FT_ERR_NOMEM;
    (*w)->alignment = DEFAULT_ALIGNMENT;
    return 0;
}

void ft_gguf_writer_free(ft_gguf_writer **p)
{
    ft_gguf_writer *w = *p;
    *p = NULL;
    if (!w)
        return;
    for (size_t i = 0; i < w->n_entries; i++) {
        ft_free(w->entries[i].key);
        ft_buf_free(&w->entries[i].bytes);
    }
    ft_free(w->entries);
    ft_buf_free(&w->directory);
    ft_free(w->tensor_bytes);
    ft_free(w);
}

static void add_string(ft_buf *b, const void *s, size_t n)
{
    ft_buf_add_u64(b, n);
    ft_buf_add(b, s, n);
}

/* Starts an entry: its bytes hold key and type. NULL: no memory. */
static ft_buf *new_entry(ft_gguf_writer *w, const void *key, size_t n, uint32_t type, ft_err *e)
{
    entry *x;
    if (ft_grow(&w->entries, &w->entries_cap, w->n_entries + 1, sizeof *w->entries, e) < 0)
        return NULL;
    x = &w->entries[w->n_entries];
    memset(x, 0, sizeof *x);
    x->key = ft_strndup(key, n, e);
    if (!x->key)
        return NULL;
    w->n_entries++;
    add_string(&x->bytes, key, n);
    ft_buf_add_u32(&x->bytes, type);
    return &x->bytes;
}

/* As new_entry, in the place of an entry with the same key if there is one. */
static ft_buf *set_entry(ft_gguf_writer *w, const char *key, uint32_t type, ft_err *e)
{
    for (size_t i = 0; i < w->n_entries; i++)
        if (strcmp(w->entries[i].key, key) == 0) {
            ft_buf *b = &w->entries[i].bytes;
            ft_buf_clear(b);
            add_string(b, key, strlen(key));
            ft_buf_add_u32(b, type);
            return b;
        }
    return new_entry(w, key, strlen(key), type, e);
}

int ft_gguf_writer_copy_kv(ft_gguf_writer *w, const ft_gguf_kv *kv, ft_err *e)
{
    ft_buf *b = new_entry(w, kv->key.p, kv->key.n, (uint32_t)kv->type, e);
    if (!b)
        return FT_ERR_NOMEM;
    if (strcmp(w->entries[w->n_entries - 1].key, "general.alignment") == 0) {
        ft_rd r = ft_rd_of(kv->raw.p, kv->raw.n);
        w->alignment = ft_rd_u32(&r);
    }
    ft_buf_add(b, kv->raw.p, kv->raw.n);
    return ft_buf_check(b, e);
}

int ft_gguf_writer_uint32(ft_gguf_writer *w, const char *key, uint32_t v, ft_err *e)
{
    ft_buf *b = set_entry(w, key, FT_GV_U32, e);
    if (!b)
        return FT_ERR_NOMEM;
    ft_buf_add_u32(b, v);
    return ft_buf_check(b, e);
}

int ft_gguf_writer_string(ft_gguf_writer *w, const char *key, const char *s, size_t n, ft_err *e)
{
    ft_buf *b = set_entry(w, key, FT_GV_STRING, e);
    if (!b)
        return FT_ERR_NOMEM;
    add_string(b, s, n);
    return ft_buf_check(b, e);
}

int ft_gguf_writer_bytes(ft_gguf_writer *w, const char *key, const void *p, size_t n, ft_err *e)
{
    ft_buf *b = set_entry(w, key, FT_GV_ARRAY, e);
    if (!b)
        return FT_ERR_NOMEM;
    ft_buf_add_u32(b, FT_GV_U8);
    ft_buf_add_u64(b, n);
    ft_buf_add(b, p, n);
    return ft_buf_check(b, e);
}

static size_t padding_of(const ft_gguf_writer *w, size_t n)
{
    return (w->alignment - n % w->alignment) % w->alignment;
}

int ft_gguf_writer_tensor(ft_gguf_writer *w, ft_slice name, ft_type type, uint32_t n_dims,
                          const uint64_t *shape, ft_err *e)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)type);
    uint64_t end;
    size_t n;
    if (shape[0] % info->block)
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: rows of %llu weights do not fit %s",
                          (int)name.n, (const char *)name.p, (unsigned long long)shape[0],
                          info->name);
    if (ft_type_bytes(info, shape, n_dims, &n) < 0)
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: its shape overflows", (int)name.n,
                          (const char *)name.p);
    if (__builtin_add_overflow(w->offset, n, &end) ||
        __builtin_add_overflow(end, padding_of(w, end), &end))
        return ft_err_set(e, FT_ERR_USAGE, "tensor %.*s: its offset overflows", (int)name.n,
                          (const char *)name.p);
    if (ft_grow(&w->tensor_bytes, &w->tensors_cap, w->n_tensors + 1, sizeof *w->tensor_bytes,
                e) < 0)
        return FT_ERR_NOMEM;
    w->tensor_bytes[w->n_tensors++] = n;
    add_string(&w->directory, name.p, name.n);
    ft_buf_add_u32(&w->directory, n_dims);
    for (uint32_t d = 0; d < n_dims; d++)
        ft_buf_add_u64(&w->directory, shape[d]);
    ft_buf_add_u32(&w->directory, (uint32_t)type);
    ft_buf_add_u64(&w->directory, w->offset);
    w->offset = (size_t)end;
    return ft_buf_check(&w->directory, e);
}

/* Fills up to the next multiple of the alignment behind n bytes. */
static int pad(ft_gguf_writer *w, size_t n, ft_err *e)
{
    static const uint8_t zeros[256];
    size_t left = padding_of(w, n);
    while (left) {
        size_t k = left < sizeof zeros ? left : sizeof zeros;
        if (ft_out_write(w->out, zeros, k, e) < 0)
            return FT_ERR_IO;
        left -= k;
    }
    return 0;
}

int ft_gguf_writer_begin(ft_gguf_writer *w, ft_out *out, ft_err *e)
{
    ft_buf head = {0};
    int rc;
    size_t n;
    w->out = out;
    ft_buf_add_str(&head, "GGUF");
    ft_buf_add_u32(&head, VERSION);
    ft_buf_add_u64(&head, w->n_tensors);
    ft_buf_add_u64(&head, w->n_entries);
    for (size_t i = 0; i < w->n_entries; i++)
        ft_buf_add(&head, w->entries[i].bytes.p, w->entries[i].bytes.n);
    ft_buf_add(&head, w->directory.p, w->directory.n);
    n = head.n;
    rc = ft_buf_check(&head, e);
    if (rc == 0)
        rc = ft_out_write(out, head.p, head.n, e);
    ft_buf_free(&head);
    return rc < 0 ? rc : pad(w, n, e);
}

int ft_gguf_writer_data(ft_gguf_writer *w, const void *p, size_t n, ft_err *e)
{
    int rc;
    if (w->current == w->n_tensors || n > w->tensor_bytes[w->current] - w->written)
        return ft_err_set(e, FT_ERR_INTERNAL, "more bytes than tensor %zu has", w->current);
    rc = ft_out_write(w->out, p, n, e);
    if (rc < 0)
        return rc;
    w->written += n;
    if (w->written < w->tensor_bytes[w->current])
        return 0;
    w->written = 0;
    return pad(w, w->tensor_bytes[w->current++], e);
}

int ft_gguf_writer_end(ft_gguf_writer *w, ft_err *e)
{
    if (w->current != w->n_tensors)
        return ft_err_set(e, FT_ERR_INTERNAL, "tensors %zu to %zu were not written", w->current,
                          w->n_tensors - 1);
    return 0;
}
