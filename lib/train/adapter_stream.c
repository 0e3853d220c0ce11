#include "train/adapter_stream.h"

#include "base/mem.h"
#include "model/nf4.h"
#include "nn/full.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_FLOATS = 8 << 20 >> 2 };    /* 8 MiB of data in one record */

/* ---- writing ---- */

int ft_adapter_header(const ft_adapter *a, const ft_model *m, ft_header *h, ft_buf *buf, ft_err *e)
{
    ft_buf_clear(buf);
    ft_mp_put_map(buf, ft_adapter_config_entries(&a->cfg) + 3);
    ft_adapter_config_put(buf, &a->cfg);
    ft_mp_put_cstr(buf, "layers");
    ft_mp_put_uint(buf, a->L);
    ft_mp_put_cstr(buf, "base");
    ft_mp_put_bin(buf, m->digest.b, sizeof m->digest.b);
    ft_mp_put_cstr(buf, "transform");
    ft_mp_put_cstr(buf, m->transform);
    h->kind = FT_KIND_ADAPTER;
    h->extra = (ft_mp){buf->p, buf->n};
    return ft_buf_check(buf, e);
}

/* data: the whole tensor in PEFT's order. */
static int write_tensor(const char *name, const ft_slot *s, const float *data, ft_writer *w,
                        ft_buf *b, ft_err *e)
{
    size_t n = s->rows * s->cols;
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(data[i]))
            return ft_err_set(e, FT_ERR_NUMERIC, "%s: a value is not finite", name);
    for (size_t at = 0; at < n && rc == 0; at += RECORD_FLOATS) {
        ft_buf_clear(b);
        ft_mp_put_map(b, 4);
        ft_mp_put_cstr(b, "name");
        ft_mp_put_cstr(b, name);
        ft_mp_put_cstr(b, "shape");
        ft_mp_put_array(b, s->vector ? 1 : 2);
        ft_mp_put_uint(b, s->rows);
        if (!s->vector)
            ft_mp_put_uint(b, s->cols);
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

/* Room for the largest tensor. */
static float *room_for_slots(const ft_adapter *a, ft_err *e)
{
    size_t most = 1;
    for (size_t i = 0; i < a->n_slots; i++) {
        size_t n = a->slots[i].rows * a->slots[i].cols;
        most = n > most ? n : most;
    }
    return ft_new(most, sizeof(float), e);
}

int ft_adapter_write(const ft_adapter *a, const ft_model *m, const float *params, ft_writer *w,
                     ft_err *e)
{
    float *data = room_for_slots(a, e);
    char name[FT_SLOT_NAME];
    ft_buf b = {0};
    int rc = data ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; i < a->n_slots && rc == 0; i++) {
        ft_slot_name(a, &a->slots[i], name);
        ft_slot_to_peft(&a->slots[i], m, params + a->slots[i].at, data);
        rc = write_tensor(name, &a->slots[i], data, w, &b, e);
    }
    ft_buf_free(&b);
    ft_free(data);
    return rc;
}

/* ---- reading ---- */

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

static int parse_config(ft_mp extra, const ft_model *m, ft_adapter_config *cfg, ft_err *e)
{
    uint64_t layers;
    int rc = ft_adapter_config_get(extra, cfg, e);
    if (rc == 0 && (!ft_mp_get_uint(extra, "layers", &layers) || layers != m->L))
        rc = ft_err_set(e, FT_ERR_DATA, "layers: missing, or not the model's %zu", m->L);
    return rc;
}

static int shape_is(ft_mp v, const ft_slot *s)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    ft_mp item;
    uint64_t r = 0, c = 1;
    return ft_mp_type_of(v) == FT_MP_ARRAY && ft_mp_count(v) == (s->vector ? 1 : 2) &&
           ft_mp_next(&it, &item) && ft_mp_uint(item, &r) &&
           (s->vector || (ft_mp_next(&it, &item) && ft_mp_uint(item, &c))) && r == s->rows &&
           c == s->cols;
}

static int bad_shape(const ft_slot *s, ft_err *e)
{
    if (s->vector)
        return ft_err_set(e, FT_ERR_DATA, "shape: not [%zu], which the model asks for", s->rows);
    return ft_err_set(e, FT_ERR_DATA, "shape: not [%zu, %zu], which the model asks for", s->rows,
                      s->cols);
}

/* Binds one record: checks it against the tensor it names and how much of that came so far, and
 * copies the values, still in PEFT's order. */
static int bind_data(ft_mp record, const ft_slot *s, ft_adapter *a, size_t *came, ft_err *e)
{
    size_t n = s->rows * s->cols, count;
    float *to = a->params + s->at + *came;
    uint64_t offset;
    ft_slice data;
    ft_mp v;
    if (!ft_mp_get(record, "shape", &v) || !shape_is(v, s))
        return bad_shape(s, e);
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

/* Tensors usually come in order, so the search begins behind the one before. */
static int bind_record(ft_mp record, ft_adapter *a, size_t *came, size_t *last, ft_err *e)
{
    char ours[FT_SLOT_NAME];
    ft_slice name;
    if (!ft_mp_get_str(record, "name", &name))
        return ft_err_set(e, FT_ERR_DATA, "name: missing or not a string");
    for (size_t k = 0; k < a->n_slots; k++) {
        size_t i = (*last + k) % a->n_slots;
        ft_slot_name(a, &a->slots[i], ours);
        if (!ft_slice_is(name, ours))
            continue;
        *last = i;
        if (bind_data(record, &a->slots[i], a, &came[i], e) == 0)
            return 0;
        return ft_err_wrap(e, "tensor '%s'", ours);
    }
    return ft_err_set(e, FT_ERR_DATA, "tensor '%.*s': no such tensor in this adapter and model",
                      (int)(name.n < 100 ? name.n : 100), (const char *)name.p);
}

/* All of every tensor came? Then rows go from PEFT's order to the model's. */
static int bind_end(ft_adapter *a, const ft_model *m, const size_t *came, ft_err *e)
{
    float *theirs = room_for_slots(a, e);
    int rc = theirs ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; i < a->n_slots && rc == 0; i++) {
        const ft_slot *s = &a->slots[i];
        size_t n = s->rows * s->cols;
        char name[FT_SLOT_NAME];
        if (came[i] != n) {
            ft_slot_name(a, s, name);
            rc = ft_err_set(e, FT_ERR_DATA, "%s: %zu of %zu values came", name, came[i], n);
        } else {
            memcpy(theirs, a->params + s->at, n * sizeof *theirs);
            ft_slot_from_peft(s, m, theirs, a->params + s->at);
        }
    }
    ft_free(theirs);
    return rc;
}

static int bind(ft_adapter *a, const ft_model *m, ft_reader *in, ft_err *e)
{
    size_t *came = ft_new(a->n_slots, sizeof *came, e), last = 0;
    ft_mp record;
    int rc = came ? 0 : FT_ERR_NOMEM;
    while (rc == 0 && (rc = ft_reader_next(in, &record, e)) == 0)
        if ((rc = bind_record(record, a, came, &last, e)) < 0)
            ft_err_wrap(e, "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
    if (rc == FT_EOS && (rc = bind_end(a, m, came, e)) < 0)
        ft_err_wrap(e, "%s", ft_reader_name(in));
    ft_free(came);
    return rc;
}

/* In a file, what does not fit is damage and not a wrong option. */
static int make_adapter(ft_adapter **a, const ft_model *m, const ft_adapter_config *cfg, ft_err *e)
{
    int rc = ft_adapter_new(a, m, cfg, 0, e);
    if (rc == FT_ERR_USAGE)
        e->code = rc = FT_ERR_DATA;
    return rc;
}

int ft_adapter_read(ft_adapter **a, ft_model *m, const char *path, ft_pool *pool,
                    ft_reader **reader, const char **warning, ft_err *e)
{
    ft_in *file = NULL;
    ft_reader *in = NULL;
    ft_adapter_config cfg;
    const char *remark = NULL;
    int rc = ft_in_open(&file, path, e);
    *a = NULL;
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
            rc = make_adapter(a, m, &cfg, e);
        if (rc != 0)
            ft_err_wrap(e, "header of %s", path);
        else
            rc = bind(*a, m, in, e);
        if (rc == 0 && cfg.method == FT_METHOD_FULL)
            ft_full_take_over(*a, m);
    }
    if (rc < 0)
        ft_adapter_free(a);
    else if (warning)
        *warning = remark;
    if (rc == 0 && reader)
        *reader = in;
    else
        ft_reader_free(&in);
    return rc;
}
