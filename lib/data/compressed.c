#include "data/compressed.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL 3
#define WINDOW_LOG 27

struct ft_compressed {
    ft_buf bytes;                /* the texts, each with its newline */
    ft_slice *texts;             /* offsets until they are summed up */
    size_t *at;
    size_t n, cap;
    uint64_t bytes_max;
    int full;
};

int ft_compressed_new(ft_compressed **c, uint64_t bytes_max, ft_err *e)
{
    *c = ft_new(1, sizeof **c, e);
    if (!*c)
        return FT_ERR_NOMEM;
    (*c)->bytes_max = bytes_max;
    return 0;
}

void ft_compressed_free(ft_compressed **cp)
{
    ft_compressed *c = *cp;
    if (!c)
        return;
    ft_buf_free(&c->bytes);
    ft_free(c->texts);
    ft_free(c->at);
    ft_free(c);
    *cp = NULL;
}

int ft_compressed_add(ft_compressed *c, ft_slice text, ft_err *e)
{
    /* 24: what is kept of a text besides its bytes. */
    if (c->full || c->bytes.n + text.n + 1 + 24 * (c->n + 1) > c->bytes_max) {
        c->full = 1;
        return 0;
    }
    if (ft_grow(&c->at, &c->cap, c->n + 1, sizeof *c->at, e) < 0)
        return FT_ERR_NOMEM;
    c->at[c->n++] = c->bytes.n;
    ft_buf_add(&c->bytes, text.p, text.n);
    ft_buf_add_byte(&c->bytes, '\n');
    return ft_buf_check(&c->bytes, e);
}

static int by_bytes(const void *a, const void *b)
{
    const ft_slice *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int failed(size_t rc, ft_err *e)
{
    if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
        return ft_err_nomem(e, (size_t)1 << WINDOW_LOG);
    return ft_err_set(e, FT_ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc));
}

/* Bytes that the texts, in their present order, compress to. */
static int measure(const ft_compressed *c, ZSTD_CCtx *z, uint64_t *bytes, ft_err *e)
{
    uint8_t trash[4096] = {0};
    size_t rc = ZSTD_CCtx_reset(z, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, LEVEL);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, WINDOW_LOG);
    if (!ZSTD_isError(rc))
        rc = ZSTD_CCtx_setPledgedSrcSize(z, c->bytes.n);
    *bytes = 0;
    for (size_t i = 0; !ZSTD_isError(rc) && i < c->n; i++) {
        ZSTD_inBuffer in = {c->texts[i].p, c->texts[i].n, 0};
        int last = i + 1 == c->n;
        do {
            ZSTD_outBuffer out = {trash, sizeof trash, 0};
            rc = ZSTD_compressStream2(z, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
            *bytes += out.pos;
        } while (!ZSTD_isError(rc) && (last ? rc != 0 : in.pos < in.size));
    }
    return ZSTD_isError(rc) ? failed(rc, e) : 0;
}

int ft_compressed_sum(ft_compressed *c, ft_compressed_summary *s, ft_err *e)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    int rc = 0;
    *s = (ft_compressed_summary){.texts = c->n, .bytes = c->bytes.n, .whole = !c->full};
    ft_free(c->texts);
    if (!(c->texts = ft_new(c->n, sizeof *c->texts, e)) || !z)
        rc = z ? FT_ERR_NOMEM : ft_err_nomem(e, 1 << 20);
    for (size_t i = 0; rc == 0 && i < c->n; i++) {
        size_t end = i + 1 < c->n ? c->at[i + 1] : c->bytes.n;
        c->texts[i] = (ft_slice){c->bytes.p + c->at[i], end - c->at[i]};
    }
    if (rc == 0)
        rc = measure(c, z, &s->in_order, e);
    if (rc == 0 && c->n)
        qsort(c->texts, c->n, sizeof *c->texts, by_bytes);
    if (rc == 0)
        rc = measure(c, z, &s->sorted, e);
    ZSTD_freeCCtx(z);
    return rc;
}
