/* nf4_model.c: whole models in NF4: turning one into it, and how a file says that it is in it. */
#include "model/nf4.h"

#include "base/mem.h"

#include <string.h>

static const char source_key[] = "ft.nf4.source", digest_key[] = "ft.nf4.digest";

/* ---- in memory ---- */

static int convert(ft_model *m, size_t layer, enum ft_target t, ft_pool *pool, ft_err *e)
{
    ft_layer *l = &m->layers[layer];
    ft_weight *w = &l->w[t];
    const ft_tensor *from = l->tensor[t];
    size_t D = t == FT_Q || t == FT_K ? m->D : 0;
    int rc;
    if (w->cols % 32)
        return ft_err_set(e, FT_ERR_DATA, "rows of %zu weights are no multiple of 32, which nf4 "
                          "asks for", w->cols);
    l->own[t] = ft_new_aligned(1, ft_nf4_bytes(w->rows * w->cols), e);
    if (!l->own[t])
        return FT_ERR_NOMEM;
    rc = ft_nf4_encode(w, D, l->own[t], pool, e);
    *w = (ft_weight){.type = FT_NF4, .rows = w->rows, .cols = w->cols, .data = l->own[t],
                     .head_rows = D};
    ft_gguf_forget(m->gguf, from->data, from->bytes);
    return rc;
}

static int convert_all(ft_model *m, ft_pool *pool, ft_err *e)
{
    for (size_t l = 0; l < m->L; l++)
        for (int t = 0; t < FT_TARGETS; t++) {
            const ft_slice *name = &m->layers[l].tensor[t]->name;
            int rc = convert(m, l, (enum ft_target)t, pool, e);
            if (rc < 0)
                return ft_err_wrap(e, "%s: tensor %.*s", ft_gguf_path(m->gguf), (int)name->n,
                                   (const char *)name->p);
        }
    return 0;
}

int ft_model_to_nf4(ft_model *m, ft_pool *pool, ft_err *e)
{
    ft_pool *own = NULL;
    int rc = 0;
    if (strcmp(m->transform, "nf4") == 0)
        return 0;
    if (!pool)
        rc = ft_pool_new(&own, 1, e);
    if (rc == 0)
        rc = convert_all(m, pool ? pool : own, e);
    if (rc == 0)
        m->transform = "nf4";
    ft_pool_free(&own);
    return rc;
}

/* ---- in a file ---- */

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_digest(const ft_gguf *g, const char *key, ft_digest *d, ft_err *e)
{
    ft_slice s;
    int rc = ft_gguf_string(g, key, &s, e), good;
    if (rc < 0)
        return rc;
    good = s.n == 2 * sizeof d->b;
    for (size_t i = 0; good && i < sizeof d->b; i++) {
        int high = hex_digit(s.p[2 * i]), low = hex_digit(s.p[2 * i + 1]);
        good = high >= 0 && low >= 0;
        d->b[i] = (uint8_t)(high * 16 + low);
    }
    return good ? 0 : ft_err_set(e, FT_ERR_DATA, "%s: key %s: not a digest of %zu hexadecimal "
                                 "digits", ft_gguf_path(g), key, 2 * sizeof d->b);
}

static int has_nf4_tensor(const ft_gguf *g)
{
    for (size_t i = 0; i < ft_gguf_tensor_count(g); i++)
        if (ft_gguf_tensor_at(g, i)->type == FT_NF4)
            return 1;
    return 0;
}

int ft_nf4_file(const ft_gguf *g, const ft_digest *own, ft_digest *source, ft_err *e)
{
    ft_digest from, written;
    int rc;
    if (!has_nf4_tensor(g)) {
        if (!ft_gguf_kv_find(g, source_key))
            return 0;
        return ft_err_set(e, FT_ERR_DATA, "%s: key %s: but no tensor is in nf4", ft_gguf_path(g),
                          source_key);
    }
    rc = read_digest(g, source_key, &from, e);
    if (rc == 0)
        rc = read_digest(g, digest_key, &written, e);
    if (rc < 0)
        return rc;
    if (!ft_digest_equal(own, &written))
        return ft_err_set(e, FT_ERR_DATA, "%s: key %s: the tensors are not those that it names: "
                          "the file was altered", ft_gguf_path(g), digest_key);
    *source = from;
    return 1;
}

static void as_in_memory(const void *ctx, const ft_tensor *in_file, ft_tensor *t)
{
    ft_weight w = ft_model_weight(ctx, in_file);
    if (w.type != FT_NF4)
        return;
    t->type = w.type;
    t->data = w.data;
    t->bytes = ft_nf4_bytes(w.rows * w.cols);
}

int ft_nf4_put_keys(const ft_model *m, ft_gguf_writer *w, ft_err *e)
{
    ft_digest own = ft_gguf_digest_as(m->gguf, as_in_memory, m);
    char hex[33];
    int rc = ft_gguf_writer_string(w, source_key, ft_digest_hex(&m->digest, hex), 32, e);
    return rc < 0 ? rc : ft_gguf_writer_string(w, digest_key, ft_digest_hex(&own, hex), 32, e);
}
