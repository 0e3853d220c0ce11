#include "infer/merge.h"

#include "model/convert.h"
#include "nn/full.h"

#include <string.h>

/* Weights whose B A is summed at once, in double. */
enum { SPAN = 256 };

struct merger {
    const ft_model *m;
    const ft_adapter *l;
    const ft_merge_options *options;
};

/* Finds A and B of a tensor. */
static int adapter_of(const struct merger *g, const ft_tensor *t, const float **a,
                      const float **b)
{
    size_t layer;
    enum ft_target target;
    if (!ft_model_find(g->m, t, &layer, &target))
        return 0;
    *a = ft_lora_a(g->l, g->l->params, layer, target);
    *b = ft_lora_b(g->l, g->l->params, layer, target);
    return *a != NULL;
}

static int is_adapted(const void *ctx, const ft_tensor *t)
{
    const struct merger *g = ctx;
    const float *a, *b;
    if (g->l->cfg.method == FT_METHOD_FULL)
        return ft_full_tensor(g->l, g->m, t) != NULL;
    return adapter_of(ctx, t, &a, &b);
}

/* w += scaling * b A for n <= SPAN columns of one row; a: A at the first of them. The sum is
 * rounded once. */
static void add_low_rank(const ft_adapter *l, const float *a, size_t lda, const float *b, float *w,
                         size_t n)
{
    double sum[SPAN] = {0};
    for (size_t r = 0; r < l->cfg.rank; r++)
        for (size_t c = 0; c < n; c++)
            sum[c] += (double)b[r] * (double)a[r * lda + c];
    for (size_t c = 0; c < n; c++)
        w[c] = (float)((double)w[c] + (double)l->scaling * sum[c]);
}

static void merge_weights(const void *ctx, const ft_tensor *t, size_t from, float *w, size_t n)
{
    const struct merger *g = ctx;
    size_t cols = (size_t)t->shape[0], end = from + n;
    const float *a, *b;
    if (g->l->cfg.method == FT_METHOD_FULL)
        memcpy(w, ft_full_tensor(g->l, g->m, t) + from, n * sizeof *w);
    if (!adapter_of(g, t, &a, &b))
        return;
    while (from < end) {
        size_t row = from / cols, col = from % cols, span = cols - col;
        span = span < SPAN ? span : SPAN;
        span = span < end - from ? span : end - from;
        add_low_rank(g->l, a + col, cols, b + row * g->l->cfg.rank, w, span);
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
        return ft_err_set(e, FT_ERR_DATA, "an adapter of method %s cannot be merged: %s; give it "
                          "to ft-generate or ft-eval as it is (-a)", ft_method_name(l->cfg.method),
                          ft_method_not_merged(l->cfg.method));
    if (o->type != FT_F32 && o->type != FT_F16 && o->type != FT_BF16)
        return ft_err_set(e, FT_ERR_USAGE, "a merged model is f32, f16 or bf16; ft-quant makes the "
                          "other types from it");
    return ft_convert_write(m, o->type, &extra, out, pool, e);
}
