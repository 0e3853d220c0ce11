/* peft_export.c: from an adapter stream to a folder of PEFT. */
#include "train/peft_internal.h"

#include "base/folder.h"
#include "base/mem.h"
#include "model/safetensors.h"

#include <math.h>
#include <string.h>

enum { COPY_BYTES = 1 << 16 };

/* A tensor whose values lie in the spool. */
typedef struct stored {
    char *name;
    uint32_t n_dims;
    uint64_t shape[2];
    uint64_t at, elements, came;
} stored;

typedef struct job {
    ft_peft_config config;
    ft_peft_tensors tensors;
    uint64_t layers;               /* as the header says */
    stored *list;
    size_t n, cap;
    ft_spool *spool;
} job;

static void free_job(job *j)
{
    for (size_t i = 0; i < j->n; i++)
        ft_free(j->list[i].name);
    ft_free(j->list);
    ft_peft_tensors_free(&j->tensors);
    ft_spool_free(&j->spool);
}

/* ---- reading the stream ---- */

static int read_header(job *j, ft_mp extra, ft_err *e)
{
    ft_adapter_config cfg;
    if (ft_adapter_config_get(extra, &cfg, e) < 0)
        return e->code;
    if (!ft_mp_get_uint(extra, "layers", &j->layers))
        return ft_err_set(e, FT_ERR_DATA, "layers: missing or not a whole number");
    if (ft_peft_from_adapter(&cfg, extra, &j->config, e) < 0)
        return e->code;
    j->config.layers = j->layers;
    return ft_peft_tensors_begin(&j->tensors, &j->config, NULL, e);
}

static int read_shape(ft_mp record, stored *t, ft_err *e)
{
    ft_mp v, item;
    ft_mp_iter it;
    if (!ft_mp_get(record, "shape", &v) || ft_mp_type_of(v) != FT_MP_ARRAY ||
        ft_mp_count(v) == 0 || ft_mp_count(v) > 2)
        return ft_err_set(e, FT_ERR_DATA, "shape: not an array of one or two numbers");
    t->elements = 1;
    it = ft_mp_iter_of(v);
    while (ft_mp_next(&it, &item)) {
        uint64_t *d = &t->shape[t->n_dims++];
        if (!ft_mp_uint(item, d) || __builtin_mul_overflow(t->elements, *d, &t->elements))
            return ft_err_set(e, FT_ERR_DATA, "shape: not whole numbers, or too large");
    }
    return 0;
}

/* A record that begins a tensor. */
static int begin_tensor(job *j, ft_slice name, ft_mp record, ft_err *e)
{
    stored t = {.at = ft_spool_bytes(j->spool)};
    if (read_shape(record, &t, e) < 0 ||
        ft_peft_tensors_add(&j->tensors, name, t.n_dims, t.shape, e) < 0)
        return e->code;
    if (ft_grow(&j->list, &j->cap, j->n + 1, sizeof *j->list, e) < 0)
        return FT_ERR_NOMEM;
    t.name = ft_strndup((const char *)name.p, name.n, e);
    if (!t.name)
        return FT_ERR_NOMEM;
    j->list[j->n++] = t;
    return 0;
}

/* How much of the last tensor is still to come. */
static uint64_t lacking(const job *j)
{
    return j->n ? j->list[j->n - 1].elements - j->list[j->n - 1].came : 0;
}

static int take_values(job *j, ft_mp record, ft_err *e)
{
    stored *t = &j->list[j->n - 1];
    uint64_t offset;
    ft_slice data;
    ft_mp v;
    if (!ft_mp_get_uint(record, "offset", &offset) || offset != t->came)
        return ft_err_set(e, FT_ERR_DATA, "offset: not %llu, where the tensor goes on",
                          (unsigned long long)t->came);
    if (!ft_mp_get(record, "data", &v) || !ft_mp_bin(v, &data) || data.n == 0 || data.n % 4 ||
        data.n / 4 > lacking(j))
        return ft_err_set(e, FT_ERR_DATA, "data: not a run of 1 to %llu floats",
                          (unsigned long long)lacking(j));
    for (size_t i = 0; i < data.n / 4; i++) {
        float x;
        memcpy(&x, data.p + 4 * i, sizeof x);
        if (!isfinite(x))
            return ft_err_set(e, FT_ERR_DATA, "data: element %llu is not finite",
                              (unsigned long long)(t->came + i));
    }
    t->came += data.n / 4;
    return ft_spool_write(j->spool, data.p, data.n, e);
}

static int take_record(job *j, ft_mp record, ft_err *e)
{
    ft_slice name;
    int rc = 0;
    if (!ft_mp_get_str(record, "name", &name))
        return ft_err_set(e, FT_ERR_DATA, "name: missing or not a string");
    if (lacking(j) && !ft_slice_is(name, j->list[j->n - 1].name))
        return ft_err_set(e, FT_ERR_DATA, "tensor %s: %llu of its values are missing",
                          j->list[j->n - 1].name, (unsigned long long)lacking(j));
    if (!lacking(j))
        rc = begin_tensor(j, name, record, e);
    if (rc == 0)
        rc = take_values(j, record, e);
    return rc == FT_ERR_DATA ? ft_err_wrap(e, "tensor '%.*s'", (int)(name.n < 100 ? name.n : 100),
                                           (const char *)name.p) : rc;
}

static int read_stream(job *j, ft_reader *in, ft_err *e)
{
    ft_mp record;
    int rc = read_header(j, ft_reader_header(in)->extra, e);
    if (rc < 0)
        return ft_err_wrap(e, "header of %s", ft_reader_name(in));
    rc = ft_spool_new(&j->spool, e);
    while (rc == 0 && (rc = ft_reader_next(in, &record, e)) == 0)
        if ((rc = take_record(j, record, e)) == FT_ERR_DATA)
            ft_err_wrap(e, "record %llu of %s", (unsigned long long)ft_reader_records(in),
                        ft_reader_name(in));
    if (rc != FT_EOS)
        return rc;
    if (lacking(j))
        rc = ft_err_set(e, FT_ERR_DATA, "tensor %s: %llu of its values are missing",
                        j->list[j->n - 1].name, (unsigned long long)lacking(j));
    else
        rc = ft_peft_tensors_end(&j->tensors, e);
    if (rc == 0 && (rc = ft_spool_rewind(j->spool, e)) < 0)
        return rc;
    if (rc == 0 && j->tensors.layers != j->layers)
        rc = ft_err_set(e, FT_ERR_DATA, "layers: %llu, but there are tensors of %zu",
                        (unsigned long long)j->layers, j->tensors.layers);
    return rc < 0 ? ft_err_wrap(e, "%s", ft_reader_name(in)) : 0;
}

/* ---- writing the folder ---- */

static int put_digest(ft_safetensors_writer *w, const char *key, const ft_digest *d, ft_err *e)
{
    char hex[33];
    if (ft_digest_is_zero(d))
        return 0;
    return ft_safetensors_writer_metadata(w, key, ft_digest_hex(d, hex), e);
}

static int put_metadata(ft_safetensors_writer *w, const ft_header *h, ft_err *e)
{
    ft_mp v;
    ft_slice s;
    ft_digest base = {{0}};
    if (ft_mp_get(h->extra, "base", &v) && ft_mp_bin(v, &s) && s.n == sizeof base.b)
        memcpy(base.b, s.p, sizeof base.b);
    if (ft_safetensors_writer_metadata(w, "format", "pt", e) < 0 ||
        put_digest(w, FT_PEFT_BASE, &base, e) < 0 ||
        put_digest(w, FT_PEFT_TEMPLATE, &h->template_, e) < 0 ||
        put_digest(w, FT_PEFT_TOKENIZER, &h->tokenizer, e) < 0)
        return e->code;
    if (!ft_mp_get_str(h->extra, "transform", &s) || s.n == 0)
        return 0;
    if (!ft_slice_is(s, "nf4"))
        return ft_err_set(e, FT_ERR_DATA, "transform: not one that this version knows");
    return ft_safetensors_writer_metadata(w, FT_PEFT_TRANSFORM, "nf4", e);
}

static int copy_tensor(const job *j, const stored *t, ft_safetensors_writer *w, ft_err *e)
{
    uint8_t piece[COPY_BYTES];
    uint64_t bytes = t->elements * 4;
    int rc = 0;
    for (uint64_t at = 0; at < bytes && rc == 0; at += COPY_BYTES) {
        size_t n = bytes - at < COPY_BYTES ? (size_t)(bytes - at) : COPY_BYTES;
        rc = ft_spool_read_at(j->spool, t->at + at, piece, n, e);
        if (rc == 0)
            rc = ft_safetensors_writer_data(w, piece, n, e);
    }
    return rc;
}

static int write_tensors(const job *j, const ft_header *h, ft_out *out, ft_err *e)
{
    ft_safetensors_writer *w = NULL;
    size_t i;
    int rc = ft_safetensors_writer_new(&w, e);
    if (rc == 0)
        rc = put_metadata(w, h, e);
    for (i = 0; i < j->n && rc == 0; i++) {
        const stored *t = &j->list[i];
        ft_slice name = {(const uint8_t *)t->name, strlen(t->name)};
        rc = ft_safetensors_writer_tensor(w, name, FT_F32, t->n_dims, t->shape, e);
    }
    if (rc == 0)
        rc = ft_safetensors_writer_begin(w, out, e);
    while (rc == 0 && ft_safetensors_writer_due(w, &i))
        rc = copy_tensor(j, &j->list[i], w, e);
    ft_safetensors_writer_free(&w);
    return rc;
}

/* The folder may hold this adapter already, an older state of it perhaps, but not another one. */
static int check_old(const char *path, const ft_buf *config, ft_err *e)
{
    ft_buf old = {0};
    int rc = ft_peft_read_text(path, &old, e);
    if (rc == FT_ERR_NOINPUT)
        rc = 0;
    else if (rc == FT_ERR_DATA || (rc == 0 && (old.n != config->n ||
                                               memcmp(old.p, config->p, old.n) != 0)))
        rc = ft_err_set(e, FT_ERR_CREATE, "%s is there, and of another adapter: remove it, or name "
                        "another folder", path);
    ft_buf_free(&old);
    return rc;
}

/* The configuration comes last: without it PEFT takes nothing for an adapter. */
static int write_files(const job *j, const ft_header *h, const char *config_path,
                       const char *file_path, const ft_buf *config, ft_err *e)
{
    ft_out *file = NULL, *out = NULL;
    int rc = check_old(config_path, config, e);
    if (rc == 0)
        rc = ft_out_open(&file, file_path, e);
    if (rc == 0)
        rc = write_tensors(j, h, file, e);
    if (rc == 0)
        rc = ft_out_open(&out, config_path, e);
    if (rc == 0)
        rc = ft_out_write(out, config->p, config->n, e);
    if (rc == 0)
        rc = ft_out_flush(out, e);
    if (rc == 0)
        rc = ft_out_commit(&file, e);
    if (rc == 0)
        rc = ft_out_commit(&out, e);
    ft_out_abandon(&file);
    ft_out_abandon(&out);
    return rc;
}

static int write_folder(job *j, const ft_header *h, const char *folder, ft_err *e)
{
    ft_folder *f = NULL;
    ft_buf config = {0};
    char *config_path = ft_peft_path(folder, FT_PEFT_CONFIG, e);
    char *file_path = config_path ? ft_peft_path(folder, FT_PEFT_FILE, e) : NULL;
    int rc = file_path ? 0 : FT_ERR_NOMEM;
    if (rc == 0) {
        j->config.token_dim = ft_peft_token_dim(&j->tensors);
        ft_peft_config_put(&j->config, j->tensors.targets, j->tensors.feedforward, &config);
        rc = ft_buf_check(&config, e);
    }
    if (rc == 0)
        rc = ft_folder_open(&f, folder, e);
    if (rc == 0)
        rc = write_files(j, h, config_path, file_path, &config, e);
    ft_folder_free(&f);
    ft_buf_free(&config);
    ft_free(file_path);
    ft_free(config_path);
    return rc;
}

int ft_peft_export(ft_reader *in, const char *folder, const char *base_name, size_t *tensors,
                   ft_err *e)
{
    job j = {0};
    int rc = read_stream(&j, in, e);
    if (rc == 0 && base_name)
        j.config.base_name = (ft_slice){(const uint8_t *)base_name, strlen(base_name)};
    if (rc == 0)
        rc = write_folder(&j, ft_reader_header(in), folder, e);
    *tensors = j.n;
    free_job(&j);
    return rc;
}
