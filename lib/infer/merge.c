#include "infer/merge.h"

#include "base/mem.h"
#include "base/mp.h"

#include <math.h>
#include <string.h>

/* Rows are merged in tiles of about this many weights, and handed to threads in smaller blocks. */
enum { TILE_WEIGHTS = 1 << 20, TASK_ROWS = 16 };

struct merger {
    const ft_model *m;
    const ft_lora *l;
    ft_type type;             /* of matrices */
    /* The tile being made. */
    const ft_tensor *tensor;
    const float *a, *b;       /* the tensor's adapter, or NULL */
    ft_type to;               /* FT_F32 for vectors */
    size_t row, rows, cols;   /* first row, number of rows, weights a row */
    float *weights;           /* rows x cols; TILE_WEIGHTS or one row at most */
    unsigned char *encoded;
    double **sums;            /* one row a worker */
    unsigned workers;
    unsigned char *bad;       /* one flag a row of the tile */
};

/* The file_type numbers that GGUF gives to models of mostly one type. */
static uint32_t file_type_of(ft_type type)
{
    return type == FT_F32 ? 0 : type == FT_F16 ? 1 : 32;
}

static size_t row_bytes(ft_type type, size_t cols)
{
    const ft_type_info *info = ft_type_info_of((uint32_t)type);
    return cols / info->block * info->block_bytes;
}

/* ---- one tile ---- */

/* row of W += scaling * (row of B) A, rounded once. */
static void add_low_rank(const struct merger *g, size_t row, float *w, double *sum)
{
    size_t R = g->l->cfg.rank;
    memset(sum, 0, g->cols * sizeof *sum);
    for (size_t r = 0; r < R; r++) {
        double b = (double)g->b[row * R + r];
        const float *a = g->a + r * g->cols;
        for (size_t c = 0; c < g->cols; c++)
            sum[c] += b * (double)a[c];
    }
    for (size_t c = 0; c < g->cols; c++)
        w[c] = (float)((double)w[c] + (double)g->l->scaling * sum[c]);
}

static int fits(ft_type type, const float *w, size_t n)
{
    /* Half precision ends at 65504; from 65520 on it rounds to infinity. */
    float bound = type == FT_F16 ? 65520.0f : INFINITY;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(w[i]) < bound))
            return 0;
    return 1;
}

static void merge_rows(void *ctx, size_t task, unsigned worker)
{
    struct merger *g = ctx;
    size_t from = task * TASK_ROWS, to = from + TASK_ROWS < g->rows ? from + TASK_ROWS : g->rows;
    size_t in_bytes = row_bytes(g->tensor->type, g->cols), out_bytes = row_bytes(g->to, g->cols);
    for (size_t i = from; i < to; i++) {
        size_t row = g->row + i;
        float *w = g->weights + i * g->cols;
        ft_dequantise(g->tensor->type, (const unsigned char *)g->tensor->data + row * in_bytes, w,
                      g->cols);
        if (g->a)
            add_low_rank(g, row, w, g->sums[worker]);
        g->bad[i] = !fits(g->to, w, g->cols);
        ft_quantise(g->to, w, g->encoded + i * out_bytes, g->cols);
    }
}

static int merge_tile(struct merger *g, ft_gguf_writer *w, ft_pool *pool, ft_err *e)
{
    ft_pool_run(pool, (g->rows + TASK_ROWS - 1) / TASK_ROWS, merge_rows, g);
    for (size_t i = 0; i < g->rows; i++)
        if (g->bad[i])
            return ft_err_set(e, FT_ERR_NUMERIC, "tensor %.*s, row %zu: a merged weight is not "
                              "finite%s", (int)g->tensor->name.n, (const char *)g->tensor->name.p,
                              g->row + i, g->to == FT_F16 ? " in f16 (bf16 and f32 reach further)"
                                                          : "");
    return ft_gguf_writer_data(w, g->encoded, g->rows * row_bytes(g->to, g->cols), e);
}

/* ---- one tensor ---- */

static size_t rows_of(const ft_tensor *t)
{
    size_t rows = 1;
    for (uint32_t i = 1; i < t->n_dims; i++)
        rows *= (size_t)t->shape[i];
    return rows;
}

static size_t tile_rows(size_t cols)
{
    return cols < TILE_WEIGHTS ? TILE_WEIGHTS / cols : 1;
}

/* Sets the adapter of the tensor: the matrix whose weights lie at the same place. */
static void find_adapter(struct merger *g)
{
    g->a = g->b = NULL;
    for (size_t layer = 0; layer < g->m->L; layer++)
        for (int t = 0; t < FT_TARGETS; t++)
            if (g->m->layers[layer].w[t].data == g->tensor->data) {
                g->a = ft_lora_a(g->l, g->l->params, layer, (enum ft_target)t);
                g->b = ft_lora_b(g->l, g->l->params, layer, (enum ft_target)t);
                return;
            }
}

static ft_type type_in_file(const struct merger *g, const ft_tensor *t)
{
    return t->n_dims >= 2 ? g->type : FT_F32;
}

static int merge_tensor(struct merger *g, const ft_tensor *t, ft_gguf_writer *w, ft_pool *pool,
                        ft_err *e)
{
    size_t rows = rows_of(t);
    g->tensor = t;
    g->to = type_in_file(g, t);
    g->cols = (size_t)t->shape[0];
    find_adapter(g);
    for (g->row = 0; g->row < rows; g->row += g->rows) {
        g->rows = rows - g->row < tile_rows(g->cols) ? rows - g->row : tile_rows(g->cols);
        int rc = merge_tile(g, w, pool, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- the file ---- */

static int merger_take(struct merger *g, unsigned workers, ft_err *e)
{
    size_t weights = TILE_WEIGHTS, cols = 0, rows = 1;
    for (size_t i = 0; i < ft_gguf_tensor_count(g->m->gguf); i++) {
        size_t c = (size_t)ft_gguf_tensor_at(g->m->gguf, i)->shape[0];
        cols = c > cols ? c : cols;
        rows = c > 0 && tile_rows(c) > rows ? tile_rows(c) : rows;
    }
    weights = cols > weights ? cols : weights;
    g->weights = ft_new_aligned(weights, sizeof *g->weights, e);
    g->encoded = ft_new_aligned(weights, sizeof(float), e);
    g->bad = ft_new(rows, 1, e);
    g->sums = ft_new(workers, sizeof *g->sums, e);
    if (!g->weights || !g->encoded || !g->bad || !g->sums)
        return FT_ERR_NOMEM;
    for (g->workers = 0; g->workers < workers; g->workers++) {
        g->sums[g->workers] = ft_new_aligned(cols, sizeof **g->sums, e);
        if (!g->sums[g->workers])
            return FT_ERR_NOMEM;
    }
    return 0;
}

static void merger_free(struct merger *g)
{
    for (unsigned i = 0; i < g->workers; i++)
        ft_free(g->sums[i]);
    ft_free(g->sums);
    ft_free(g->weights);
    ft_free(g->encoded);
    ft_free(g->bad);
}

static int announce_keys(const struct merger *g, const ft_merge_options *o, ft_gguf_writer *w,
                         ft_err *e)
{
    static const char *const replaced[] = {"general.file_type", "ft.base_digest", "ft.history"};
    char digest[33];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ft_gguf_kv_count(g->m->gguf); i++) {
        const ft_gguf_kv *kv = ft_gguf_kv_at(g->m->gguf, i);
        int copy = 1;
        for (size_t k = 0; k < sizeof replaced / sizeof *replaced; k++)
            copy = copy && !ft_slice_is(kv->key, replaced[k]);
        if (copy)
            rc = ft_gguf_writer_copy_kv(w, kv, e);
    }
    if (rc == 0)
        rc = ft_gguf_writer_uint32(w, "general.file_type", file_type_of(g->type), e);
    if (rc == 0)
        rc = ft_gguf_writer_string(w, "ft.base_digest", ft_digest_hex(&g->m->digest, digest),
                                   sizeof digest - 1, e);
    if (rc == 0 && o->history.n)
        rc = ft_gguf_writer_string(w, "ft.history", (const char *)o->history.p, o->history.n, e);
    return rc;
}

static int write_all(struct merger *g, const ft_merge_options *o, ft_gguf_writer *w, ft_out *out,
                     ft_pool *pool, ft_err *e)
{
    const ft_gguf *in = g->m->gguf;
    int rc = announce_keys(g, o, w, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(in); i++) {
        const ft_tensor *t = ft_gguf_tensor_at(in, i);
        rc = ft_gguf_writer_tensor(w, t->name, type_in_file(g, t), t->n_dims, t->shape, e);
    }
    if (rc == 0)
        rc = ft_gguf_writer_begin(w, out, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(in); i++)
        rc = merge_tensor(g, ft_gguf_tensor_at(in, i), w, pool, e);
    return rc == 0 ? ft_gguf_writer_end(w, e) : rc;
}

int ft_merge_write(const ft_model *m, const ft_lora *l, const ft_merge_options *o, ft_out *out,
                   ft_pool *pool, ft_err *e)
{
    struct merger g = {.m = m, .l = l, .type = o->type};
    ft_gguf_writer *w = NULL;
    int rc;
    if (o->type != FT_F32 && o->type != FT_F16 && o->type != FT_BF16)
        return ft_err_set(e, FT_ERR_USAGE, "a merged model is f32, f16 or bf16; ft-quant makes the "
                          "other types from it");
    rc = merger_take(&g, ft_pool_threads(pool), e);
    if (rc == 0)
        rc = ft_gguf_writer_new(&w, e);
    if (rc == 0)
        rc = write_all(&g, o, w, out, pool, e);
    ft_gguf_writer_free(&w);
    merger_free(&g);
    return rc;
}
