#include "tools/cli/content.h"

#include "base/mem.h"
#include "data/example.h"
#include "nn/adapter.h"
#include "stream/rows.h"

#include <stdlib.h>
#include <string.h>

struct cli_content {
    ft_kind kind;
    ft_buf names;                /* digests of the names, to find doubles */
    ft_buf name;                 /* of the tensor that records are coming of */
    uint64_t size, seen;         /* its elements: all, come so far */
};

static int check_config(ft_mp extra, ft_err *e)
{
    ft_adapter_config cfg;
    if (extra.n == 0)
        return ft_err_set(e, FT_ERR_DATA, "adapter without a method in its header");
    return ft_adapter_config_get(extra, &cfg, e);
}

/* Elements of a shape; 0 when it makes no sense. */
static uint64_t elements(ft_mp shape)
{
    ft_mp_iter it = ft_mp_iter_of(shape);
    ft_mp side;
    uint64_t n = ft_mp_type_of(shape) == FT_MP_ARRAY && ft_mp_count(shape) > 0, v;
    while (ft_mp_next(&it, &side))
        if (!ft_mp_uint(side, &v) || __builtin_mul_overflow(n, v, &n))
            return 0;
    return n;
}

static int begin_tensor(cli_content *t, ft_slice name, ft_mp shape, ft_err *e)
{
    ft_digest d = ft_digest_of(name.p, name.n);
    if (t->seen != t->size)
        return ft_err_set(e, FT_ERR_DATA, "the tensor before it lacks its end");
    t->size = elements(shape);
    t->seen = 0;
    if (t->size == 0)
        return ft_err_set(e, FT_ERR_DATA, "field shape makes no sense");
    ft_buf_clear(&t->name);
    ft_buf_add(&t->name, name.p, name.n);
    ft_buf_add(&t->names, d.b, sizeof d.b);
    t->name.failed |= t->names.failed;
    return ft_buf_check(&t->name, e);
}

static int all_finite(ft_slice data)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < data.n; i += 4)    /* the exponent's 7 + 1 bits all set: NaN, infinity */
        bad |= (data.p[i + 3] & 0x7f) == 0x7f && data.p[i + 2] >> 7;
    return !bad;
}

static int check_tensor(cli_content *t, ft_mp record, ft_err *e)
{
    ft_slice name, data;
    ft_mp shape, v;
    uint64_t offset;
    if (!ft_mp_get_str(record, "name", &name) || !ft_mp_get(record, "shape", &shape) ||
        !ft_mp_get_uint(record, "offset", &offset) || !ft_mp_get(record, "data", &v) ||
        !ft_mp_bin(v, &data))
        return ft_err_set(e, FT_ERR_DATA, "lacks one of name, shape, offset, data");
    if (data.n == 0 || data.n % 4 != 0 || data.n > 8 << 20)
        return ft_err_set(e, FT_ERR_DATA, "field data has %zu bytes", data.n);
    if (offset == 0 && begin_tensor(t, name, shape, e) < 0)
        return e->code;
    if (t->name.n != name.n || (name.n && memcmp(t->name.p, name.p, name.n) != 0) ||
        offset != t->seen || elements(shape) != t->size || data.n / 4 > t->size - offset)
        return ft_err_set(e, FT_ERR_DATA, "does not go on where the record before it ended");
    t->seen += data.n / 4;
    /* AdamW's second moment may overflow to infinity without harm. */
    if (t->kind == FT_KIND_CHECKPOINT || all_finite(data))
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "field data holds NaN or infinity");
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(ft_digest));
}

static int end_tensors(cli_content *t, ft_err *e)
{
    size_t n = t->names.n / sizeof(ft_digest);
    if (t->seen != t->size)
        return ft_err_set(e, FT_ERR_DATA, "the last tensor lacks its end");
    if (n == 0)
        return ft_err_set(e, FT_ERR_DATA, "%s without tensors", ft_kind_name(t->kind));
    qsort(t->names.p, n, sizeof(ft_digest), by_bytes);
    for (size_t i = 1; i < n; i++)
        if (by_bytes(t->names.p + (i - 1) * sizeof(ft_digest),
                     t->names.p + i * sizeof(ft_digest)) == 0)
            return ft_err_set(e, FT_ERR_DATA, "a tensor is there twice");
    return 0;
}

int cli_content_begin(cli_content **out, const ft_header *h, ft_err *e)
{
    int rc = h->kind == FT_KIND_ADAPTER ? check_config(h->extra, e) : 0;
    *out = NULL;
    if (rc < 0)
        return rc;
    *out = ft_new(1, sizeof **out, e);
    if (!*out)
        return FT_ERR_NOMEM;
    (*out)->kind = h->kind;
    return 0;
}

int cli_content_add(cli_content *t, ft_mp record, ft_err *e)
{
    enum ft_shape shape;
    ft_segment s;
    ft_row_iter row;
    size_t n;
    int rc;
    switch (t->kind) {
    case FT_KIND_TEXT: return ft_example_shape(record, &shape, e);
    case FT_KIND_TOKENS: return ft_segment_parse(record, &s, e);
    case FT_KIND_ADAPTER:
    case FT_KIND_CHECKPOINT: return check_tensor(t, record, e);
    default:
        rc = ft_row_begin(record, &row, &n, e);
        while (rc == 0)
            rc = ft_row_next(&row, &s, e);
        return rc < 0 ? rc : 0;
    }
}

int cli_content_end(cli_content *t, ft_err *e)
{
    return t->kind == FT_KIND_ADAPTER || t->kind == FT_KIND_CHECKPOINT ? end_tensors(t, e) : 0;
}

void cli_content_free(cli_content **t)
{
    if (!*t)
        return;
    ft_buf_free(&(*t)->names);
    ft_buf_free(&(*t)->name);
    ft_free(*t);
    *t = NULL;
}
