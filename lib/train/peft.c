/* peft.c: from a folder of PEFT to an adapter stream; peft_export.c goes the other way. */
#include "train/peft_internal.h"

#include "base/mem.h"
#include "model/safetensors.h"
#include "train/peft_tensors.h"

#include <math.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

struct ft_peft {
    char *folder;
    ft_peft_config config;
    ft_peft_tensors tensors;
    ft_safetensors *file;
    ft_digest config_digest;
    ft_digest base, tokenizer, template_;    /* zero: not said */
    const char *transform;                   /* of the base: "" or "nf4" */
};

char *ft_peft_path(const char *folder, const char *name, ft_err *e)
{
    ft_buf b = {0};
    ft_buf_add_fmt(&b, "%s/%s", folder, name);
    ft_buf_add_byte(&b, 0);
    if (ft_buf_check(&b, e) == 0)
        return (char *)b.p;
    ft_buf_free(&b);
    return NULL;
}

/* ---- the configuration ---- */

int ft_peft_read_text(const char *path, ft_buf *text, ft_err *e)
{
    ft_in *in = NULL;
    size_t got = 0;
    uint8_t *room = ft_buf_room(text, CONFIG_BYTES_MAX + 1);
    int rc = room ? ft_in_open(&in, path, e) : ft_err_nomem(e, CONFIG_BYTES_MAX);
    if (rc == 0)
        rc = ft_in_read(in, room, CONFIG_BYTES_MAX + 1, &got, e);
    if (rc == 0 && got > CONFIG_BYTES_MAX)
        rc = ft_err_set(e, FT_ERR_DATA, "%s: over 1 MiB, which is no configuration", path);
    text->n += got;
    ft_in_close(&in);
    return rc;
}

static int read_config(ft_peft *p, ft_err *e)
{
    char *path = ft_peft_path(p->folder, FT_PEFT_CONFIG, e);
    ft_buf text = {0};
    int rc = path ? ft_peft_read_text(path, &text, e) : FT_ERR_NOMEM;
    if (rc == 0) {
        p->config_digest = ft_digest_of(text.p, text.n);
        rc = ft_peft_config_parse(&p->config, text.p, text.n, e);
        if (rc < 0)
            ft_err_wrap(e, "%s", path);
    }
    ft_buf_free(&text);
    ft_free(path);
    return rc;
}

/* ---- what ft wrote into the metadata of the tensors' file ---- */

static int hex_digit(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_digest(const ft_peft *p, const char *key, ft_digest *d, ft_err *e)
{
    ft_slice s;
    if (!ft_safetensors_metadata(p->file, key, &s))
        return 0;
    for (size_t i = 0; i < sizeof d->b; i++) {
        int high = s.n == 2 * sizeof d->b ? hex_digit(s.p[2 * i]) : -1;
        int low = high >= 0 ? hex_digit(s.p[2 * i + 1]) : -1;
        if (low < 0)
            return ft_err_set(e, FT_ERR_DATA, "__metadata__: %s: not 32 hexadecimal digits", key);
        d->b[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int read_metadata(ft_peft *p, ft_err *e)
{
    ft_slice s;
    p->transform = "";
    if (read_digest(p, FT_PEFT_BASE, &p->base, e) < 0 ||
        read_digest(p, FT_PEFT_TOKENIZER, &p->tokenizer, e) < 0 ||
        read_digest(p, FT_PEFT_TEMPLATE, &p->template_, e) < 0)
        return e->code;
    if (!ft_safetensors_metadata(p->file, FT_PEFT_TRANSFORM, &s))
        return 0;
    if (!ft_slice_is(s, "nf4"))
        return ft_err_set(e, FT_ERR_DATA, "__metadata__: %s: not nf4", FT_PEFT_TRANSFORM);
    p->transform = "nf4";
    return 0;
}

/* The model that it is to be bound to: is it the one that it names? */
static int bind(ft_peft *p, const ft_model *m, ft_err *e)
{
    char ours[33], theirs[33];
    if (!ft_digest_is_zero(&p->base) && !ft_digest_equal(&p->base, &m->digest))
        return ft_err_set(e, FT_ERR_DATA, "the adapter belongs to another base model: it names %s, "
                          "%s has %s", ft_digest_hex(&p->base, theirs), ft_gguf_path(m->gguf),
                          ft_digest_hex(&m->digest, ours));
    if (ft_digest_is_zero(&p->base))
        p->transform = m->transform;
    p->base = m->digest;
    return 0;
}

/* ---- the tensors ---- */

static int check_tensors(ft_peft *p, ft_err *e)
{
    for (size_t i = 0; i < ft_safetensors_count(p->file); i++) {
        const ft_safetensor *t = ft_safetensors_at(p->file, i);
        if (ft_peft_tensors_add(&p->tensors, t->name, t->n_dims, t->shape, e) < 0)
            return ft_err_wrap(e, "tensor %.*s", (int)t->name.n, (const char *)t->name.p);
    }
    return ft_peft_tensors_end(&p->tensors, e);
}

static int read_file(ft_peft *p, const ft_model *m, ft_err *e)
{
    char *path = ft_peft_path(p->folder, FT_PEFT_FILE, e);
    int rc = path ? ft_safetensors_open(&p->file, path, e) : FT_ERR_NOMEM;
    if (rc == 0 && (rc = read_metadata(p, e)) == 0 && m)
        rc = bind(p, m, e);
    if (rc == 0)
        rc = check_tensors(p, e);
    if (rc < 0 && p->file && path)
        ft_err_wrap(e, "%s", path);
    ft_free(path);
    return rc;
}

int ft_peft_open(ft_peft **out, const char *folder, const ft_model *m, ft_err *e)
{
    ft_peft *p = ft_new(1, sizeof *p, e);
    int rc = p ? 0 : FT_ERR_NOMEM;
    *out = p;
    if (rc == 0 && !(p->folder = ft_strndup(folder, strlen(folder), e)))
        rc = FT_ERR_NOMEM;
    if (rc == 0)
        rc = read_config(p, e);
    if (rc == 0 && (rc = ft_peft_tensors_begin(&p->tensors, &p->config, m, e)) < 0)
        ft_err_wrap(e, "%s/%s", folder, FT_PEFT_CONFIG);
    if (rc == 0)
        rc = read_file(p, m, e);
    if (rc < 0)
        ft_peft_free(out);
    return rc;
}

void ft_peft_free(ft_peft **out)
{
    ft_peft *p = *out;
    *out = NULL;
    if (!p)
        return;
    ft_peft_config_free(&p->config);
    ft_peft_tensors_free(&p->tensors);
    ft_safetensors_free(&p->file);
    ft_free(p->folder);
    ft_free(p);
}

ft_digest ft_peft_config_digest(const ft_peft *p)
{
    return p->config_digest;
}

ft_digest ft_peft_file_digest(const ft_peft *p)
{
    return ft_safetensors_digest(p->file);
}

size_t ft_peft_count(const ft_peft *p)
{
    return ft_safetensors_count(p->file);
}

int ft_peft_is_bound(const ft_peft *p)
{
    return !ft_digest_is_zero(&p->base);
}

const char *ft_peft_remark(const ft_peft *p)
{
    return p->config.dora && p->config.dropout > 0
               ? "lora_dropout is left out: with DoRA ft trains without" : NULL;
}

/* ---- the stream ---- */

int ft_peft_header(const ft_peft *p, ft_header *h, ft_buf *buf, ft_err *e)
{
    const ft_peft_config *c = &p->config;
    ft_adapter_config cfg;
    int bound = ft_peft_is_bound(p);
    if (ft_peft_to_adapter(c, &p->tensors, &cfg, e) < 0)
        return ft_err_wrap(e, "%s/%s", p->folder, FT_PEFT_CONFIG);
    ft_buf_clear(buf);
    ft_mp_put_map(buf, ft_adapter_config_entries(&cfg) + 2 + (size_t)bound +
                           (c->base_name.n > 0) + (c->revision.n > 0));
    ft_adapter_config_put(buf, &cfg);
    ft_mp_put_cstr(buf, "layers");
    ft_mp_put_uint(buf, p->tensors.layers);
    if (bound) {
        ft_mp_put_cstr(buf, "base");
        ft_mp_put_bin(buf, p->base.b, sizeof p->base.b);
    }
    ft_mp_put_cstr(buf, "transform");
    ft_mp_put_cstr(buf, p->transform);
    if (c->base_name.n) {
        ft_mp_put_cstr(buf, "base_name");
        ft_mp_put_str(buf, (const char *)c->base_name.p, c->base_name.n);
    }
    if (c->revision.n) {
        ft_mp_put_cstr(buf, "revision");
        ft_mp_put_str(buf, (const char *)c->revision.p, c->revision.n);
    }
    h->kind = FT_KIND_ADAPTER;
    h->extra = (ft_mp){buf->p, buf->n};
    h->tokenizer = p->tokenizer;
    h->template_ = p->template_;
    return ft_buf_check(buf, e);
}

static int copy_tensor(const ft_safetensor *t, float *piece, ft_writer *w, ft_buf *b, ft_err *e)
{
    for (size_t at = 0; at < t->elements; at += FT_PEFT_PIECE) {
        size_t n = t->elements - at < FT_PEFT_PIECE ? t->elements - at : FT_PEFT_PIECE;
        int rc;
        ft_safetensor_floats(t, at, n, piece);
        for (size_t i = 0; i < n; i++)
            if (!isfinite(piece[i]))
                return ft_err_set(e, FT_ERR_DATA, "element %zu is not finite", at + i);
        ft_buf_clear(b);
        ft_mp_put_map(b, 4);
        ft_mp_put_cstr(b, "name");
        ft_mp_put_str(b, (const char *)t->name.p, t->name.n);
        ft_mp_put_cstr(b, "shape");
        ft_mp_put_array(b, t->n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++)
            ft_mp_put_uint(b, t->shape[d]);
        ft_mp_put_cstr(b, "offset");
        ft_mp_put_uint(b, at);
        ft_mp_put_cstr(b, "data");
        ft_mp_put_bin(b, piece, n * sizeof *piece);
        rc = ft_buf_check(b, e);
        if (rc == 0)
            rc = ft_writer_put(w, b->p, b->n, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int ft_peft_copy(const ft_peft *p, ft_writer *w, ft_err *e)
{
    char name[FT_PEFT_NAME_BYTES];
    float *piece = ft_new(FT_PEFT_PIECE, sizeof *piece, e);
    ft_buf b = {0};
    int rc = piece ? 0 : FT_ERR_NOMEM;
    for (size_t i = 0; rc == 0 && ft_peft_tensors_at(&p->tensors, i, name); i++) {
        rc = copy_tensor(ft_safetensors_find(p->file, name), piece, w, &b, e);
        if (rc < 0)
            ft_err_wrap(e, "%s/%s: tensor %s", p->folder, FT_PEFT_FILE, name);
    }
    ft_buf_free(&b);
    ft_free(piece);
    return rc;
}
