#include "infer/merge.h"

#include "model/convert.h"
#include "nn/full.h"
#include "nn/gain.h"

#include <string.h>

/* Weights of a row whose B A is summed at once, in double. */
enum { SPAN = 256 };

struct merger {
    const ft_model *m;
    const ft_adapter *l;
    const ft_merge_options *options;
};

/* What becomes of a matrix: out (W + scaling B A) in, each of them NULL where there is none. */
struct change {
    const float *a, *b, *out, *in;
};

static int change_of(const struct merger *g, const ft_tensor *t, struct change *c)
{
    size_t layer;
    enum ft_target target;
    if (!ft_model_find(g->m, t, &layer, &target))
        return 0;
    c->a = ft_lora_a(g->l, g->l->params, layer, target);
    c->b = ft_lora_b(g->l, g->l->params, layer, target);
    c->out = ft_adapter_out_gain(g->l, layer, target);
    c->in = ft_adapter_in_gain(g->l, layer, target);
    return c->a || c->out || c->in;
}

static int is_adapted(const void *ctx, const ft_tensor *t)
{
    const struct merger *g = ctx;
    struct change c;
    if (g->l->cfg.method == FT_METHOD_FULL)
        return ft_full_tensor(g->l, g->m, t) != NULL;
    return change_of(g, t, &c);
}

/* Columns [col, col + n), n <= SPAN, of one row, which is rounded once. */
static void change_span(const ft_adapter *l, const struct change *c, size_t cols, size_t row,
                        size_t col, float *w, size_t n)
{
    double sum[SPAN] = {0}, out = c->out ? (double)c->out[row] : 1;
    size_t R = l->cfg.rank;
    for (size_t r = 0; c->a && r < R; r++)
        for (size_t i = 0; i < n; i++)
            sum[i] += (double)c->b[row * R + r] * (double)c->a[r * cols + col + i];
    for (size_t i = 0; i < n; i++) {
        double in = c->in ? (double)c->in[col + i] : 1;
        w[i] = (float)(out * ((double)w[i] + (double)l->scaling * sum[i]) * in);
    }
}

static void merge_weights(const void *ctx, const ft_tensor *t, size_t from, float *w, size_t n)
{
    const struct merger *g = ctx;
    size_t cols = (size_t)t->shape[0], end = from + n;
    struct change c;
    if (g->l->cfg.method == FT_METHOD_FULL) {
        memcpy(w, ft_full_tensor(g->l, g->m, t) + from, n * sizeof *w);
        return;
    }
    if (!change_of(g, t, &c))
        return;
    while (from < end) {
        size_t row = from / cols, col = from % cols, span = cols - col;
        span = span < SPAN ? span : SPAN;
        span = span < end - from ? span : end - from;
        change_span(g->l, &c, cols, row, col, w, span);
        w += span;
        from += span;
    }
}

static int add_keys(const void *ctx, ft_gguf_writer *w, ft_err *e)
{
    const struct merger *g = ctx;
    ft_slice history = g->options->history, certificates = g->options->certificates;
    char digest[33];
    int rc = ft_gguf_writer_string(w, "ft.base_digest", ft_digest_hex(&g->m->digest, digest),
                                   sizeof digest - 1, e);
    if (rc == 0 && *g->m->transform)
        rc = ft_gguf_writer_string(w, "ft.base_transform", g->m->transform,
                                   strlen(g->m->transform), e);
    if (rc == 0 && history.n)
        rc = ft_gguf_writer_bytes(w, "ft.history", history.p, history.n, e);
    if (rc == 0 && certificates.n)
        rc = ft_gguf_writer_bytes(w, "ft.certificates", certificates.p, certificates.n, e);
    return rc;
}

int ft_merge_write(const ft_model *m, const ft_adapter *l, const ft_merge_options *o, ft_out *out,
                   ft_pool *pool, ft_err *e)
{
    struct merger g = {m, l, o};
    ft_convert_extra extra = {is_adapted, merge_weights, add_keys, &g};
    if (ft_method_not_merged(l->cfg.method))
        return ft_err_set(e, FT_ERR_DATA, "an adapter of method %s cannot be merged: %s; use it as "
                          "it is (-a)", ft_method_name(l->cfg.method),
                          ft_method_not_merged(l->cfg.method));
    if (o->type != FT_F32 && o->type != FT_F16 && o->type != FT_BF16)
        return ft_err_set(e, FT_ERR_USAGE, "a merged model is f32, f16 or bf16; ft-quant makes the "
                          "other types from it");
    ft_adapter_refresh(l, m, pool, 0);
    return ft_convert_write(m, o->type, &extra, out, pool, e);
}
