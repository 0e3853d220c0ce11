#include "train/adapter.h"

#include "base/mem.h"
#include "model/nf4.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_FLOATS = 8 << 20 >> 2 };    /* 8 MiB of data in one record */

static const char prefix[] = "base_model.model.model.layers.";

/* ---- tensors of an adapter ---- */

/* One A or B: its place in the parameter block and its shape. */
typedef struct tensor {
    size_t layer;
    enum ft_target target;
    int is_b;
    size_t rows, cols, at;
} tensor;

static const char *block_of(enum ft_target t)
{
    return t < FT_GATE ? "self_attn" : "mlp";
}

/* Returns: whether the matrix is adapted; then *x is complete. */
static int tensor_of(const ft_lora *l, const ft_model *m, size_t layer, enum ft_target t, int is_b,
                     tensor *x)
{
    size_t i = layer * FT_TARGETS + (size_t)t;
    const ft_weight *w = &m->layers[layer].w[t];
    *x = (tensor){layer, t, is_b, is_b ? w->rows : l->cfg.rank, is_b ? l->cfg.rank : w->cols,
                  is_b ? l->b_at[i] : l->a_at[i]};
    return x->at != SIZE_MAX;
}

/* Heads whose rows GGUF holds in another order than PEFT; 0: the same order. */
static size_t permuted_heads(const tensor *x, const ft_model *m)
{
    if (!x->is_b)
        return 0;
    return x->target == FT_Q ? m->H : x->target == FT_K ? m->H_kv : 0;
}

/* ---- writing ---- */

static void put_targets(ft_buf *b, unsigned bits)
{
    ft_mp_put_array(b, (size_t)__builtin_popcount(bits));
    for (int t = 0; t < FT_TARGETS; t++)
        if (bits & 1u << t)
            ft_mp_put_cstr(b, ft_target_peft_name((enum ft_target)t));
}

int ft_adapter_header(const ft_lora *l, const ft_model *m, ft_header *h, ft_buf *buf, ft_err *e)
{
    ft_buf_clear(buf);
    ft_mp_put_map(buf, 8);
    ft_mp_put_cstr(buf, "method");
    ft_mp_put_cstr(buf, "lora");
    ft_mp_put_cstr(buf, "rank");
    ft_mp_put_uint(buf, l->cfg.rank);
    ft_mp_put_cstr(buf, "alpha");
    ft_mp_put_float(buf, (double)l->cfg.alpha);
    ft_mp_put_cstr(buf, "dropout");
    ft_mp_put_float(buf, (double)l->cfg.dropout);
    ft_mp_put_cstr(buf, "targets");
    put_targets(buf, l->cfg.targets);
    ft_mp_put_cstr(buf, "layers");
    ft_mp_put_uint(buf, l->L);
    ft_mp_put_cstr(buf, "base");
    ft_mp_put_bin(buf, m->digest.b, sizeof m->digest.b);
    ft_mp_put_cstr(buf, "transform");
    ft_mp_put_cstr(buf, m->transform);
    h->kind = FT_KIND_ADAPTER;
    h->extra = (ft_mp){buf->p, buf->n};
    return ft_buf_check(buf, e);
}

/* data: the whole tensor in PEFT's order. */
static int write_tensor(const tensor *x, const float *data, ft_writer *w, ft_buf *b, ft_err *e)
{
    char name[128];
    size_t n = x->rows * x->cols;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(data[i]))
            rc = FT_ERR_NUMERIC;
    snprintf(name, sizeof name, "%s%zu.%s.%s.lora_%c.weight", prefix, x->layer,
             block_of(x->target), ft_target_peft_name(x->target), x->is_b ? 'B' : 'A');
    if (rc < 0)
        return ft_err_set(e, rc, "%s: a value is not finite", name);
    for (size_t at = 0; at < n && rc == 0; at += RECORD_FLOATS) {
        ft_buf_clear(b);
        ft_mp_put_map(b, 4);
        ft_mp_put_cstr(b, "name");
        ft_mp_put_cstr(b, name);
        ft_mp_put_cstr(b, "shape");
        ft_mp_put_array(b, 2);
        ft_mp_put_uint(b, x->rows);
        ft_mp_put_uint(b, x->cols);
        ft_mp_put_cstr(b, "offset");
        ft_mp_put_uint(b, at);
        ft_mp_put_cstr(b, "data");
        ft_mp_put_bin(b, data + at, (n - at < RECORD_FLOATS ? n - at : RECORD_FLOATS) * 4);
        rc = ft_buf_check(b, e);
        if (rc == 0)
            rc = ft_writer_put(w, b->p, b->n, e);
    }
    return rc < 0 ? ft_err_wrap(e, "%s", name) : 0;
}

/* Floats of the largest tensor whose rows change their order. */
static size_t permuted_floats(const ft_lora *l, const ft_model *m)
{
    size_t H = m->H > m->H_kv ? m->H : m->H_kv;
    return H * m->D * l->cfg.rank;
}

int ft_adapter_write(const ft_lora *l, const ft_model *m, const float *params, ft_writer *w,
                     ft_err *e)
{
    float *moved = ft_new(permuted_floats(l, m), sizeof *moved, e);
    ft_buf b = {0};
    int rc = moved ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; i < l->L * FT_TARGETS * 2 && rc == 0; i++) {
        tensor x;
        size_t heads;
        const float *data;
        if (!tensor_of(l, m, i / 2 / FT_TARGETS, (enum ft_target)(i / 2 % FT_TARGETS), i & 1, &x))
            continue;
        heads = permuted_heads(&x, m);
        data = params + x.at;
        if (heads) {
            ft_rows_to_peft(data, moved, heads, m->D, x.cols);
            data = moved;
        }
        rc = write_tensor(&x, data, w, &b, e);
    }
    ft_buf_free(&b);
    ft_free(moved);
    return rc;
}

/* ---- reading ---- */

static int parse_targets(ft_mp list, unsigned *bits, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp item;
    ft_slice name;
    *bits = 0;
    if (ft_mp_type_of(list) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "targets: not an array");
    while (ft_mp_next(&it, &item)) {
        int t = 0;
        if (!ft_mp_str(item, &name))
            return ft_err_set(e, FT_ERR_DATA, "targets: not a string");
        while (t < FT_TARGETS && !ft_slice_is(name, ft_target_peft_name((enum ft_target)t)))
            t++;
        if (t == FT_TARGETS)
            return ft_err_set(e, FT_ERR_DATA, "targets: unknown matrix '%.*s'",
                              (int)(name.n < 40 ? name.n : 40), (const char *)name.p);
        if (*bits & 1u << t)
            return ft_err_set(e, FT_ERR_DATA, "targets: %s twice",
                              ft_target_peft_name((enum ft_target)t));
        *bits |= 1u << t;
    }
    return *bits ? 0 : ft_err_set(e, FT_ERR_DATA, "targets: none");
}

static int check_digest(ft_mp base, const ft_model *m, ft_err *e)
{
    ft_slice bytes;
    ft_digest d;
    char ours[33], theirs[33];
    if (!ft_mp_bin(base, &bytes) || bytes.n != sizeof d.b)
        return ft_err_set(e, FT_ERR_DATA, "base: not a digest of %zu bytes", sizeof d.b);
    memcpy(d.b, bytes.p, sizeof d.b);
    if (!ft_digest_equal(&d, &m->digest))
        return ft_err_set(e, FT_ERR_DATA, "the adapter belongs to another base model: it names %s, "
                          "%s has %s", ft_digest_hex(&d, theirs), ft_gguf_path(m->gguf),
                          ft_digest_hex(&m->digest, ours));
    return 0;
}

/* Is this the model that the adapter was trained on, or (*to_nf4) what that was made of? */
static int check_base(ft_mp extra, const ft_model *m, int *to_nf4, const char **warning, ft_err *e)
{
    ft_mp base, v;
    ft_slice transform = {0};
    int bound = ft_mp_get(extra, "base", &base), rc = bound ? check_digest(base, m, e) : 0;
    *warning = bound ? NULL : "the adapter does not say which base model it belongs to; "
                              "only its shapes were checked";
    if (rc < 0)
        return rc;
    if (ft_mp_get(extra, "transform", &v) &&
        (!ft_mp_str(v, &transform) || (transform.n && !ft_slice_is(transform, "nf4"))))
        return ft_err_set(e, FT_ERR_DATA, "transform: the adapter wants its base transformed in a "
                          "way that this version does not know");
    *to_nf4 = transform.n > 0;
    if (!*to_nf4 && bound && *m->transform)
        return ft_err_set(e, FT_ERR_DATA, "the adapter was trained on the base as it was, but %s "
                          "holds it in %s: give the model that it was made of",
                          ft_gguf_path(m->gguf), m->transform);
    return 0;
}

static int parse_config(ft_mp extra, const ft_model *m, ft_lora_config *cfg, ft_err *e)
{
    ft_slice method;
    ft_mp targets;
    uint64_t rank, layers;
    double alpha, dropout;
    if (!ft_mp_get_str(extra, "method", &method) || !ft_slice_is(method, "lora"))
        return ft_err_set(e, FT_ERR_DATA, "method: this version reads \"lora\" only");
    if (!ft_mp_get_uint(extra, "rank", &rank) || rank < 1)
        return ft_err_set(e, FT_ERR_DATA, "rank: missing or zero");
    if (!ft_mp_get_float(extra, "alpha", &alpha) || !isfinite((float)alpha))
        return ft_err_set(e, FT_ERR_DATA, "alpha: missing or not finite");
    if (!ft_mp_get_float(extra, "dropout", &dropout) || !(dropout >= 0 && dropout < 1))
        return ft_err_set(e, FT_ERR_DATA, "dropout: missing or not in [0, 1)");
    if (!ft_mp_get_uint(extra, "layers", &layers) || layers != m->L)
        return ft_err_set(e, FT_ERR_DATA, "layers: missing, or not the model's %zu", m->L);
    if (!ft_mp_get(extra, "targets", &targets))
        return ft_err_set(e, FT_ERR_DATA, "targets: missing");
    *cfg = (ft_lora_config){.rank = (size_t)rank, .alpha = (float)alpha,
                            .dropout = (float)dropout};
    if (parse_targets(targets, &cfg->targets, e) < 0)
        return FT_ERR_DATA;
    for (int t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        if (cfg->targets & 1u << t && (rank > w->rows || rank > w->cols))
            return ft_err_set(e, FT_ERR_DATA, "rank: %llu, but %s is %zu by %zu",
                              (unsigned long long)rank, ft_target_peft_name((enum ft_target)t),
                              w->rows, w->cols);
    }
    return 0;
}

/* Takes text off the front of s. Returns: whether it stood there. */
static int skip(ft_slice *s, const char *text)
{
    size_t n = strlen(text);
    if (s->n < n || memcmp(s->p, text, n) != 0)
        return 0;
    s->p += n;
    s->n -= n;
    return 1;
}

/* A number below L in plain decimal: no sign, no leading zero. */
static int skip_layer(ft_slice *s, size_t L, size_t *layer)
{
    size_t v = 0, digits = 0;
    while (digits < s->n && s->p[digits] >= '0' && s->p[digits] <= '9' && v < L)
        v = v * 10 + (size_t)(s->p[digits++] - '0');
    if (digits == 0 || v >= L || (digits > 1 && s->p[0] == '0'))
        return 0;
    s->p += digits;
    s->n -= digits;
    *layer = v;
    return 1;
}

static int find_tensor(const ft_lora *l, const ft_model *m, ft_slice name, tensor *x)
{
    size_t layer;
    if (!skip(&name, prefix) || !skip_layer(&name, l->L, &layer) || !skip(&name, "."))
        return 0;
    for (int t = 0; t < FT_TARGETS; t++) {
        ft_slice s = name;
        int is_b;
        if (!skip(&s, block_of((enum ft_target)t)) || !skip(&s, ".") ||
            !skip(&s, ft_target_peft_name((enum ft_target)t)))
            continue;
        is_b = ft_slice_is(s, ".lora_B.weight");
        return (is_b || ft_slice_is(s, ".lora_A.weight")) &&
               tensor_of(l, m, layer, (enum ft_target)t, is_b, x);
    }
    return 0;
}

static int shape_is(ft_mp v, size_t rows, size_t cols)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp item;
    uint64_t r = 0, c = 0;
    return ft_mp_type_of(v) == FT_MP_ARRAY && ft_mp_count(v) == 2 && ft_mp_next(&it, &item) &&
           ft_mp_uint(item, &r) && ft_mp_next(&it, &item) && ft_mp_uint(item, &c) && r == rows &&
           c == cols;
}

/* Binds one record: checks it against the tensor it names and how much of that came so far, and
 * copies the values, still in PEFT's order. */
static int bind_data(ft_mp record, const tensor *x, ft_lora *l, size_t *came, ft_err *e)
{
    size_t n = x->rows * x->cols, count;
    float *to = l->params + x->at + *came;
    uint64_t offset;
    ft_slice data;
    ft_mp v;
    if (!ft_mp_get(record, "shape", &v) || !shape_is(v, x->rows, x->cols))
        return ft_err_set(e, FT_ERR_DATA, "shape: not [%zu, %zu], which the model asks for",
                          x->rows, x->cols);
    if (*came == n)
        return ft_err_set(e, FT_ERR_DATA, "the tensor comes twice");
    if (!ft_mp_get_uint(record, "offset", &offset) || offset != *came)
        return ft_err_set(e, FT_ERR_DATA, "offset: not %zu, where the tensor goes on", *came);
    if (!ft_mp_get(record, "data", &v) || !ft_mp_bin(v, &data) || data.n == 0 || data.n % 4 != 0 ||
        data.n / 4 > n - *came)
        return ft_err_set(e, FT_ERR_DATA, "data: not a run of 1 to %zu floats", n - *came);
    count = data.n / 4;
    memcpy(to, data.p, data.n);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(to[i]))
            return ft_err_set(e, FT_ERR_DATA, "data: element %zu is not finite", *came + i);
    *came += count;
    return 0;
}

static int bind_record(ft_mp record, ft_lora *l, const ft_model *m, size_t *came, ft_err *e)
{
    ft_slice name;
    tensor x;
    size_t i;
    if (!ft_mp_get_str(record, "name", &name))
        return ft_err_set(e, FT_ERR_DATA, "name: missing or not a string");
    if (find_tensor(l, m, name, &x)) {
        i = (x.layer * FT_TARGETS + (size_t)x.target) * 2 + (size_t)x.is_b;
        if (bind_data(record, &x, l, &came[i], e) == 0)
            return 0;
    } else {
        ft_err_set(e, FT_ERR_DATA, "no such matrix in this adapter and model");
    }
    return ft_err_wrap(e, "tensor '%.*s'", (int)(name.n < 100 ? name.n : 100),
                       (const char *)name.p);
}

/* All of every tensor came? Then rows go from PEFT's order to the model's. */
static int bind_end(ft_lora *l, const ft_model *m, const size_t *came, ft_err *e)
{
    float *moved = ft_new(permuted_floats(l, m), sizeof *moved, e);
    int rc = moved ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; i < l->L * FT_TARGETS * 2 && rc == 0; i++) {
        tensor x;
        size_t n, heads;
        if (!tensor_of(l, m, i / 2 / FT_TARGETS, (enum ft_target)(i / 2 % FT_TARGETS), i & 1, &x))
            continue;
        n = x.rows * x.cols;
        heads = permuted_heads(&x, m);
        if (came[i] != n) {
            rc = ft_err_set(e, FT_ERR_DATA, "layer %zu, %s, lora_%c: %zu of %zu values came",
                            x.layer, ft_target_peft_name(x.target), x.is_b ? 'B' : 'A', came[i], n);
        } else if (heads) {
            memcpy(moved, l->params + x.at, n * sizeof *moved);
            ft_rows_from_peft(moved, l->params + x.at, heads, m->D, x.cols);
        }
    }
    ft_free(moved);
    return rc;
}

static int bind(ft_lora *l, const ft_model *m, ft_reader *in, ft_err *e)
{
    size_t *came = ft_new(l->L * FT_TARGETS * 2, sizeof *came, e);
    ft_mp record;
    int rc = came ? 0 : FT_ERR_NOMEM;
    while (rc == 0 && (rc = ft_reader_next(in, &record, e)) == 0)
        if ((rc = bind_record(record, l, m, came, e)) < 0)
            ft_err_wrap(e, "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
    if (rc == FT_EOS && (rc = bind_end(l, m, came, e)) < 0)
        ft_err_wrap(e, "%s", ft_reader_name(in));
    ft_free(came);
    return rc;
}

int ft_adapter_read(ft_lora **l, ft_model *m, const char *path, ft_pool *pool,
                    ft_reader **reader, const char **warning, ft_err *e)
{
    ft_in *file = NULL;
    ft_reader *in = NULL;
    ft_lora_config cfg;
    const char *remark = NULL;
    int rc = ft_in_open(&file, path, e);
    *l = NULL;
    if (rc == 0 && (rc = ft_reader_open(&in, file, FT_KIND_ADAPTER, pool, e)) < 0)
        ft_in_close(&file);
    if (rc == 0) {
        ft_mp extra = ft_reader_header(in)->extra;
        int to_nf4 = 0;
        rc = check_base(extra, m, &to_nf4, &remark, e);
        if (rc == 0)
            rc = parse_config(extra, m, &cfg, e);
        if (rc == 0 && to_nf4)
            rc = ft_model_to_nf4(m, pool, e);
        if (rc == 0)
            rc = ft_lora_new(l, m, &cfg, 0, e);
        if (rc < 0)
            ft_err_wrap(e, "header of %s", path);
        else
            rc = bind(*l, m, in, e);
    }
    if (rc < 0)
        ft_lora_free(l);
    else if (warning)
        *warning = remark;
    if (rc == 0 && reader)
        *reader = in;
    else
        ft_reader_free(&in);
    return rc;
}
