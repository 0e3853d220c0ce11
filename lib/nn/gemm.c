/* gemm.c: products of activations with frozen weights and with small matrices, cut into tiles.
 *
 * A task makes a tile of columns of the result for a part of the rows. It expands the weights of
 * these columns once, straight from their blocks (to a packed bf16 panel, FT_DEPTH inputs at a
 * time, or to floats for BLAS), multiplies all its rows, and hands the tile on while it is in the
 * cache: what follows a product (a rotation, silu, the residual) happens there. */
#include "nn/nn_internal.h"

#include <assert.h>
#include <string.h>

void nn_put(const struct ft_nn *nn, const float *src, elem *dst, size_t n)
{
    if (nn->bf16)
        nn->kern->to_bf16(src, (uint16_t *)(void *)dst, n);
    else if ((const void *)src != dst && n)
        memcpy(dst, src, n * sizeof *src);
}

void nn_get(const struct ft_nn *nn, const elem *src, float *dst, size_t n)
{
    if (nn->bf16)
        nn->kern->dequant_bf16(src, dst, n);
    else if (n)
        memcpy(dst, src, n * sizeof *dst);
}

/* ---- shapes ---- */

/* For BLAS, the widest multiple of 32 that cuts n into an even number of equal tiles, so that two
 * threads (or four, …) finish together; 128 when there is none. */
static size_t blas_cols(size_t n)
{
    for (size_t w = FT_TILE_COLS_MAX; w >= 64; w -= 32)
        if (n % w == 0 && n / w % 2 == 0)
            return w;
    return 128;
}

size_t nn_tile_cols(const struct ft_nn *nn, size_t n)
{
    return nn->bf16 ? FT_PANEL : blas_cols(n);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One thread's scratch. */
struct scratch {
    float *tile[2], *spare, *masked;
    float *row;                /* a row of weights, or the part of one */
    uint16_t *staged;          /* what is packed, in bf16 */
    float *floats;             /* what is packed to bytes, FT_DEPTH_S8 inputs of it */
    void *panel;               /* packed; for BLAS, the expanded weights */
};

static size_t part_rows(int bf16)
{
    return bf16 ? FT_PART_ROWS : FT_TILE_ROWS;
}

/* Cuts a thread's scratch into its parts; base NULL: only counts. Returns: floats. */
static size_t cut_scratch(float *base, int bf16, struct scratch *s)
{
    size_t cols = bf16 ? FT_PANEL : FT_TILE_COLS_MAX, tile = part_rows(bf16) * cols;
    size_t block = (bf16 ? FT_BLOCK_ROWS : FT_TILE_ROWS) * cols, at = 0;
    size_t row = bf16 ? FT_DEPTH : 0, staged = bf16 ? FT_DEPTH * FT_PANEL / 2 : 0;
    s->tile[0] = base + at, at += tile;
    s->tile[1] = base + at, at += tile;
    s->spare = base + at, at += 6 * cols;
    s->masked = base + at, at += block;
    s->row = base + at, at += row;
    s->staged = (uint16_t *)(void *)(base + at), at += staged;
    s->floats = base + at, at += bf16 ? FT_DEPTH_S8 * FT_PANEL : 0;
    s->panel = base + at, at += bf16 ? staged : cols * FT_DEPTH;
    return at;
}

size_t nn_product_scratch(int bf16)
{
    static float nowhere;
    struct scratch s;
    return cut_scratch(&nowhere, bf16, &s);
}

/* ---- the right side of a product ---- */

/* k0 .. k0 + k of columns [col, col + n) as a panel, or for BLAS as a plain matrix. */
struct side {
    const void *p;
    size_t ld;
    float alpha;
};

/* A line of the source in floats: weights or m, row r, columns [from, from + n). */
static const float *line(const struct ft_nn *nn, const struct source *b, size_t r, size_t from,
                         size_t n, float *out)
{
    if (b->w) {
        ft_weight_part(b->w, r, from, n, out);
        return out;
    }
    if (b->alpha == 1)
        return b->m + r * b->ld + from;
    memcpy(out, b->m + r * b->ld + from, n * sizeof *out);
    nn->kern->scale(b->alpha, out, n);
    return out;
}

static struct side packed(const struct ft_nn *nn, const struct source *b, size_t col, size_t n,
                          size_t k0, size_t k, const struct scratch *s)
{
    size_t lines = b->by_rows ? n : k, length = b->by_rows ? k : n;
    size_t row = b->by_rows ? col : k0, from = b->by_rows ? k0 : col;
    for (size_t r = 0; r < lines; r++)
        nn->kern->to_bf16(line(nn, b, row + r, from, length, s->row), s->staged + r * length,
                          length);
    (b->by_rows ? nn->type->pack_rows : nn->type->pack_cols)(s->staged, length, n, k, s->panel);
    return (struct side){s->panel, 0, 1};
}

static struct side expanded(const struct source *b, size_t col, size_t n, size_t k0, size_t k,
                            const struct scratch *s)
{
    size_t lines = b->by_rows ? n : k, length = b->by_rows ? k : n;
    size_t row = b->by_rows ? col : k0, from = b->by_rows ? k0 : col;
    float *to = s->panel;
    if (!b->w)
        return (struct side){b->m + row * b->ld + from, b->ld, b->alpha};
    for (size_t r = 0; r < lines; r++)
        ft_weight_part(b->w, row + r, from, length, to + r * length);
    return (struct side){to, length, 1};
}

static void multiply(const struct ft_nn *nn, size_t m, size_t n, size_t k, const elem *a,
                     size_t lda, const struct side *b, int by_rows, float *c, size_t ldc, int add)
{
    const float *x = (const float *)(const void *)a;
    if (nn->bf16)
        nn->type->gemm(m, n, nn_depth(nn, k), a, lda, b->p, c, ldc, add);
    else if (by_rows)
        nn_gemm_nt(m, n, k, b->alpha, x, lda, b->p, b->ld, (float)add, c, ldc);
    else
        nn_gemm_nn(m, n, k, b->alpha, x, lda, b->p, b->ld, (float)add, c, ldc);
}

/* ---- int8 ---- */

/* Operands in bytes, as many as the terms of a product have. FT_DEPTH_S8 inputs of a row share a
 * scale, so that a channel of outliers costs only these their precision. */
struct bytes {
    const elem *a;
    size_t lda, ld;            /* elements of a, bytes of q between rows */
    uint8_t *q;
    float *scale;              /* [inputs / FT_DEPTH_S8 x rows] */
};

enum { BYTES_MAX = 3 };

/* The head stays in bf16: its gradient is one large number and many small ones. */
static int in_bytes(const struct ft_nn *nn, const struct term *x)
{
    return nn->int8 && x->b.w && x->b.w != &nn->m->head;
}

/* ---- products ---- */

struct work {
    struct ft_nn *nn;
    const struct rowset *rows;
    const struct product *p;
    size_t n;
    struct bytes bytes[BYTES_MAX];
    size_t n_bytes;
    size_t part;               /* a part ends at the last block below so many rows */
    size_t n_parts;
};

/* The blocks of a part: at least one, then as many as stay within part rows. */
static size_t part_end(const struct rowset *rows, size_t begin, size_t part)
{
    size_t end = begin + 1;
    while (end < rows->n_blocks && rows->block[end + 1] - rows->block[begin] <= part)
        end++;
    return end;
}

static size_t tiles_of(const struct work *w, size_t product)
{
    size_t cols = nn_tile_cols(w->nn, w->p[product].cols);
    return (w->p[product].cols + cols - 1) / cols;
}

/* Through the mask of dropout: rows of the block in y, added to the tile. */
static void add_masked(const struct work *w, const struct product *p, const struct term *x,
                       size_t row, size_t rows, size_t col, size_t n, float *y, float *tile)
{
    struct ft_nn *nn = w->nn;
    for (size_t r = 0; r < rows; r++) {
        size_t i = row + r - w->rows->at;
        nn_dropout(nn, nn->units[w->rows->unit[i]].seq, w->rows->position[i], p->layer,
                   (enum ft_target)(x->mask - 1), y + r * n, col, n, p->cols, y + r * n);
        nn->kern->axpy(1, y + r * n, tile + r * n, n);
    }
}

static const struct bytes *bytes_of(const struct work *w, const struct term *x)
{
    size_t i = 0;
    while (i < w->n_bytes && w->bytes[i].a != x->a)
        i++;
    return i < w->n_bytes ? &w->bytes[i] : NULL;
}

static void quantise_task(void *ctx, size_t row, unsigned worker)
{
    const struct work *w = ctx;
    struct ft_nn *nn = w->nn;
    float *x = scratch_of(nn, worker);
    row += w->rows->at;
    for (size_t i = 0; i < w->n_bytes; i++) {
        const struct bytes *b = &w->bytes[i];
        nn_get(nn, elem_at(nn, b->a, row * b->lda), x, b->lda);
        for (size_t k = 0; k < b->lda; k += FT_DEPTH_S8)
            b->scale[k / FT_DEPTH_S8 * nn->rows_cap + row] = nn->kern->quantise_row_s8(
                x + k, b->q + row * b->ld + k, smaller(b->lda - k, FT_DEPTH_S8));
    }
}

/* Each operand that meets weights, once, whatever the number of products it is in. */
static void quantise_operands(struct work *w)
{
    struct ft_nn *nn = w->nn;
    uint8_t *q = nn->bytes;
    float *scale = nn->bytes_scale;
    for (size_t i = 0; i < w->n; i++)
        for (size_t o = 0; o < w->p[i].n_out; o++)
            for (size_t t = 0; t < w->p[i].out[o].n_terms; t++) {
                const struct term *x = &w->p[i].out[o].term[t];
                size_t ld = (x->k + 3) & ~(size_t)3;
                if (!in_bytes(nn, x) || bytes_of(w, x))
                    continue;
                assert(w->n_bytes < BYTES_MAX);
                w->bytes[w->n_bytes++] = (struct bytes){x->a, x->lda, ld, q, scale};
                q += nn->rows_cap * ld;
                scale += nn->rows_cap * ((ld + FT_DEPTH_S8 - 1) / FT_DEPTH_S8);
            }
    if (w->n_bytes)
        ft_pool_run(nn->pool, w->rows->n, quantise_task, w);
}

static void add_term_in_bytes(const struct work *w, const struct term *x, size_t b0, size_t b1,
                              size_t col, size_t n, const struct scratch *s, float *tile, int add)
{
    struct ft_nn *nn = w->nn;
    const struct bytes *a = bytes_of(w, x);
    size_t first = w->rows->block[b0];
    float scale[FT_PANEL];
    int32_t offset[FT_PANEL];
    for (size_t k0 = 0; k0 < x->k; k0 += FT_DEPTH_S8) {
        size_t k = smaller(x->k - k0, FT_DEPTH_S8);
        size_t lines = x->b.by_rows ? n : k, length = x->b.by_rows ? k : n;
        size_t row = x->b.by_rows ? col : k0, from = x->b.by_rows ? k0 : col;
        for (size_t r = 0; r < lines; r++)
            ft_weight_part(x->b.w, row + r, from, length, s->floats + r * length);
        (x->b.by_rows ? nn->kern->pack_rows_s8 : nn->kern->pack_cols_s8)(
            s->floats, length, n, k, s->panel, scale, offset);
        for (size_t b = b0; b < b1; b++) {
            size_t at = w->rows->block[b], rows = w->rows->block[b + 1] - at;
            nn->kern->gemm_s8(rows, n, (k + 3) & ~(size_t)3, a->q + at * a->ld + k0, a->ld,
                              a->scale + k0 / FT_DEPTH_S8 * nn->rows_cap + at, s->panel, scale, offset, tile + (at - first) * n, n,
                              add || k0 > 0);
        }
    }
}

/* Adds one term to the tile of blocks [b0, b1). */
static void add_term(const struct work *w, const struct product *p, const struct term *x, size_t b0,
                     size_t b1, size_t col, size_t n, const struct scratch *s, float *tile, int add)
{
    struct ft_nn *nn = w->nn;
    size_t first = w->rows->block[b0];
    if (in_bytes(nn, x)) {
        add_term_in_bytes(w, x, b0, b1, col, n, s, tile, add);
        return;
    }
    for (size_t k0 = 0; k0 < x->k; k0 += FT_DEPTH) {
        size_t k = smaller(x->k - k0, FT_DEPTH);
        struct side side = nn->bf16 ? packed(nn, &x->b, col, n, k0, k, s)
                                    : expanded(&x->b, col, n, k0, k, s);
        for (size_t b = b0; b < b1; b++) {
            size_t row = w->rows->block[b], rows = w->rows->block[b + 1] - row;
            const elem *a = elem_at(nn, x->a, row * x->lda + k0);
            float *c = tile + (row - first) * n;
            multiply(nn, rows, n, k, a, x->lda, &side, x->b.by_rows, x->mask ? s->masked : c, n,
                     !x->mask && (add || k0 > 0));
            if (x->mask)
                add_masked(w, p, x, row, rows, col, n, s->masked, c);
        }
    }
}

static void make_tile(const struct work *w, const struct product *p, size_t tile, size_t b0,
                      size_t b1, unsigned worker)
{
    struct ft_nn *nn = w->nn;
    size_t width = nn_tile_cols(nn, p->cols), col = tile * width;
    size_t n = smaller(p->cols - col, width), first = w->rows->block[b0];
    struct scratch s;
    (void)cut_scratch(scratch_of(nn, worker), nn->bf16, &s);
    for (size_t o = 0; o < p->n_out; o++)
        for (size_t i = 0; i < p->out[o].n_terms; i++)
            add_term(w, p, &p->out[o].term[i], b0, b1, col, n, &s, s.tile[o], i > 0);
    for (size_t b = b0; b < b1; b++) {
        size_t row = w->rows->block[b], at = (row - first) * n;
        struct tile t = {row, w->rows->block[b + 1] - row, col, n, n,
                         {s.tile[0] + at, s.tile[1] + at}, s.spare};
        p->finish(nn, p->ctx, &t);
    }
}

static void product_task(void *ctx, size_t task, unsigned worker)
{
    const struct work *w = ctx;
    size_t part = task % w->n_parts, tile = task / w->n_parts, product = 0, b0 = 0;
    for (; tile >= tiles_of(w, product); product++)
        tile -= tiles_of(w, product);
    for (; part > 0; part--)
        b0 = part_end(w->rows, b0, w->part);
    make_tile(w, &w->p[product], tile, b0, part_end(w->rows, b0, w->part), worker);
}

void nn_products(struct ft_nn *nn, const struct rowset *rows, const struct product *p, size_t n)
{
    enum { TASKS = 12 };       /* for each thread, so that all end together */
    struct work w = {.nn = nn, .rows = rows, .p = p, .n = n, .part = part_rows(nn->bf16)};
    size_t tiles = 0, parts;
    for (size_t i = 0; i < n; i++)
        tiles += tiles_of(&w, i);
    if (tiles == 0 || rows->n_blocks == 0)
        return;
    quantise_operands(&w);
    parts = (nn->threads > 1 ? TASKS * nn->threads : 1) / tiles + 1;
    w.part = smaller(w.part, (rows->n + parts - 1) / parts);
    for (size_t b = 0; b < rows->n_blocks; b = part_end(rows, b, w.part))
        w.n_parts++;
    ft_pool_run(nn->pool, tiles * w.n_parts, product_task, &w);
}

void nn_add_over_tokens(struct ft_nn *nn, size_t m, size_t n, size_t k, const elem *a, size_t lda,
                        const elem *b, size_t ldb, float *c, size_t ldc, float *scratch)
{
    struct scratch s;
    (void)cut_scratch(scratch, nn->bf16, &s);
    for (size_t k0 = 0; k0 < k; k0 += FT_DEPTH) {
        size_t part = smaller(k - k0, FT_DEPTH);
        const elem *right = elem_at(nn, b, k0 * ldb);
        struct side side = {right, ldb, 1};
        if (nn->bf16) {
            nn->type->pack_cols(right, ldb, n, part, s.panel);
            side.p = s.panel;
        }
        multiply(nn, m, n, part, elem_at(nn, a, k0), lda, &side, 0, c, ldc, 1);
    }
}
