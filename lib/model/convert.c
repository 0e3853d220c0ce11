#include "model/convert.h"

#include "base/mem.h"
#include "model/nf4.h"

#include <math.h>
#include <string.h>

/* A task converts TASK weights (a multiple of every block); a slab of tasks is written at once. */
enum { TASK = 1 << 16, SLAB_TASKS = 32 };

typedef struct converter {
    const ft_convert_extra *extra;
    const ft_tensor *t;
    ft_weight w;                 /* what the model computes with in its place */
    ft_type to;
    int changed;                 /* t passes through extra->change */
    float limit;                 /* largest magnitude that `to` can hold */
    size_t from, count;          /* weights of the tensor that this slab covers */
    float *decoded;              /* TASK floats for each worker */
    uint8_t *encoded;            /* the slab */
    size_t bad[SLAB_TASKS];      /* 1 + index in the tensor of a task's first bad weight, or 0 */
} converter;

ft_type ft_convert_type(const ft_model *m, const ft_tensor *t, ft_type want)
{
    size_t layer;
    enum ft_target target;
    if (t->n_dims < 2)
        return t->type;
    if (want == FT_NF4)
        return ft_model_find(m, t, &layer, &target) ? FT_NF4 : t->type;
    if ((want == FT_Q4_0 || want == FT_Q5_0 || want == FT_Q5_1) && t->data == m->head.data)
        want = FT_Q8_0;
    return t->shape[0] % ft_type_info_of((uint32_t)want)->block ? FT_F16 : want;
}

/* Halves reach 65504 and round to infinity from 65520 on; block types scale by one. */
static float limit_of(ft_type to)
{
    switch (to) {
    case FT_F16: return 65519;
    case FT_BF16: return 0x1.fep127f;
    case FT_Q8_0: return 65504.0f * 127;
    case FT_Q4_0: return 65504.0f * 8;
    case FT_Q5_0: return 65504.0f * 16;
    case FT_Q4_1:
    case FT_Q5_1: return 65504;               /* the minimum is a half; the span is 31 steps */
    default: return 0x1.fffffep127f;
    }
}

static size_t bytes_of(ft_type type, size_t n)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)type);
    return n / info->block * info->block_bytes;
}

static void convert_task(void *ctx, size_t task, unsigned worker)
{
    converter *c = ctx;
    float *x = c->decoded + (size_t)worker * TASK;
    size_t at = task * TASK, n = c->count - at < TASK ? c->count - at : TASK;
    ft_weight_range(&c->w, c->from + at, n, x);
    if (c->changed)
        c->extra->change(c->extra->ctx, c->t, c->from + at, x, n);
    c->bad[task] = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(x[i]) <= c->limit)) {
            c->bad[task] = c->from + at + i + 1;
            return;
        }
    ft_quantise(c->to, x, c->encoded + bytes_of(c->to, at), n);
}

static int convert_tensor(converter *c, ft_gguf_writer *w, ft_pool *pool, ft_err *e)
{
    size_t n = c->w.rows * c->w.cols, tasks;
    int rc = 0;
    if (c->to == c->w.type && !c->changed)
        return ft_gguf_writer_data(w, c->w.data, c->to == FT_NF4 ? ft_nf4_bytes(n) : c->t->bytes,
                                   e);
    c->limit = limit_of(c->to);
    for (c->from = 0; rc == 0 && c->from < n; c->from += c->count) {
        c->count = n - c->from < (size_t)TASK * SLAB_TASKS ? n - c->from
                                                           : (size_t)TASK * SLAB_TASKS;
        tasks = (c->count + TASK - 1) / TASK;
        ft_pool_run(pool, tasks, convert_task, c);
        for (size_t i = 0; i < tasks; i++)
            if (c->bad[i])
                return ft_err_set(e, c->changed ? FT_ERR_NUMERIC : FT_ERR_DATA,
                                  "tensor %.*s: weight %zu is NaN, infinite or too large for %s",
                                  (int)c->t->name.n, (const char *)c->t->name.p, c->bad[i] - 1,
                                  ft_type_info_of((uint32_t)c->to)->name);
        rc = ft_gguf_writer_data(w, c->encoded, bytes_of(c->to, c->count), e);
    }
    return rc;
}

/* All keys but those that say of what a file in NF4 was made. */
static int copy_keys(const ft_gguf *g, ft_gguf_writer *w, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ft_gguf_kv_count(g); i++) {
        const ft_gguf_kv *kv = ft_gguf_kv_at(g, i);
        if (kv->key.n < 7 || memcmp(kv->key.p, "ft.nf4.", 7) != 0)
            rc = ft_gguf_writer_copy_kv(w, kv, e);
    }
    return rc;
}

static int announce(const ft_model *m, ft_type want, const ft_convert_extra *extra,
                    ft_gguf_writer *w, ft_err *e)
{
    const ft_gguf *g = m->gguf;
    int rc = copy_keys(g, w, e);
    if (rc == 0)
        rc = ft_gguf_writer_uint32(w, "general.file_type",
                                   ft_type_info_of((uint32_t)want)->file_type, e);
    if (rc == 0 && ft_type_info_of((uint32_t)want)->block > 1 && want != FT_NF4)
        rc = ft_gguf_writer_uint32(w, "general.quantization_version", 2, e);
    if (rc == 0 && want == FT_NF4)
        rc = ft_nf4_put_keys(m, w, e);
    if (rc == 0 && extra->add_keys)
        rc = extra->add_keys(extra->ctx, w, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(g); i++) {
        const ft_tensor *t = ft_gguf_tensor_at(g, i);
        rc = ft_gguf_writer_tensor(w, t->name, ft_convert_type(m, t, want), t->n_dims, t->shape,
                                   e);
    }
    return rc;
}

static int write_all(const ft_model *m, ft_type want, ft_gguf_writer *w, converter *c,
                     ft_out *out, ft_pool *pool, ft_err *e)
{
    int rc = announce(m, want, c->extra, w, e);
    if (rc == 0)
        rc = ft_gguf_writer_begin(w, out, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(m->gguf); i++) {
        c->t = ft_gguf_tensor_at(m->gguf, i);
        c->w = ft_model_weight(m, c->t);
        c->to = ft_convert_type(m, c->t, want);
        c->changed = c->extra->changes && c->extra->changes(c->extra->ctx, c->t);
        rc = convert_tensor(c, w, pool, e);
    }
    return rc < 0 ? rc : ft_gguf_writer_end(w, e);
}

int ft_convert_write(const ft_model *m, ft_type want, const ft_convert_extra *extra, ft_out *out,
                     ft_pool *pool, ft_err *e)
{
    static const ft_convert_extra nothing;
    ft_gguf_writer *w = NULL;
    converter c = {.extra = extra ? extra : &nothing};
    int rc = ft_gguf_writer_new(&w, e);
    if (rc < 0)
        return rc;
    c.decoded = ft_new_aligned(ft_pool_threads(pool), TASK * sizeof *c.decoded, e);
    c.encoded = c.decoded ? ft_new_aligned(SLAB_TASKS, TASK * sizeof(float), e) : NULL;
    rc = c.encoded ? write_all(m, want, w, &c, out, pool, e) : FT_ERR_NOMEM;
    ft_free(c.decoded);
    ft_free(c.encoded);
    ft_gguf_writer_free(&w);
    return rc;
}
