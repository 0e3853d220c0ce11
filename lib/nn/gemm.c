/* gemm.c: products of activations with frozen weights and with small matrices, cut into tiles.
 *
 * A task makes a tile of columns of the result for a part of the rows. It expands the weights of
 * these columns once, straight from their blocks (to a packed bf16 panel, FT_DEPTH inputs at a
 * time, or to floats for BLAS), multiplies all its rows, and hands the tile on while it is in the
 * cache: what follows a product (a rotation, silu, the residual) happens there. */
#include "nn/nn_internal.h"

#include <assert.h>
#include <math.h>
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

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

enum { TERMS_MAX = 12 };       /* of all outputs of a product */

/* One thread's scratch. */
struct scratch {
    float *tile[2], *spare, *masked;
    float *row;                /* a row of weights, or the part of one */
    uint16_t *staged;          /* what is packed, in bf16 */
    float *floats;             /* what is packed to bytes, FT_DEPTH_S8 inputs of it */
    void *panel;               /* packed; for BLAS, the expanded weights */
    float *scale;              /* of packed bytes: FT_PANEL for each FT_DEPTH_S8 inputs */
    int32_t *offset;
};

static size_t part_rows(int bf16)
{
    return bf16 ? FT_PART_ROWS : FT_TILE_ROWS;
}

/* Cuts a thread's scratch into its parts. Returns: floats that it has. */
static size_t cut_scratch(float *base, int bf16, struct scratch *s)
{
    size_t cols = bf16 ? FT_PANEL : FT_TILE_COLS_MAX, tile = part_rows(bf16) * cols;
    size_t block = (bf16 ? FT_BLOCK_ROWS : FT_TILE_ROWS) * cols, at = 0;
    size_t row = bf16 ? FT_DEPTH : 0, staged = bf16 ? FT_DEPTH * FT_PANEL / 2 : 0;
    size_t panel = bf16 ? FT_RESIDENT * FT_PANEL / 2 : cols * FT_RESIDENT;
    size_t scales = bf16 ? (FT_RESIDENT / FT_DEPTH_S8 + TERMS_MAX) * FT_PANEL : 0;
    s->tile[0] = base + at, at += tile;
    s->tile[1] = base + at, at += tile;
    s->spare = base + at, at += 6 * cols;
    s->masked = base + at, at += block;
    s->row = base + at, at += row;
    s->staged = (uint16_t *)(void *)(base + at), at += staged;
    s->floats = base + at, at += bf16 ? FT_DEPTH_S8 * FT_PANEL : 0;
    s->panel = base + at, at += panel;
    s->scale = base + at, at += scales;
    s->offset = (int32_t *)(void *)(base + at), at += scales;
    return at;
}

size_t nn_product_scratch(int bf16)
{
    static float nowhere;
    struct scratch s;
    return cut_scratch(&nowhere, bf16, &s);
}

/* ---- the right side of a product ---- */

/* Inputs [k0, k0 + k) of columns [col, col + n) of a source, made ready to be multiplied with. */
struct side {
    const void *p;             /* packed panel; panels of bytes one behind the other; a matrix */
    size_t ld;                 /* of a matrix for BLAS */
    float alpha;
    const float *scale;        /* of bytes: FT_PANEL for each panel */
    const int32_t *offset;
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

/* Packs at most FT_DEPTH inputs in bf16. */
static void pack_part(const struct ft_nn *nn, const struct source *b, size_t col, size_t n,
                      size_t k0, size_t k, const struct scratch *s, void *panel)
{
    size_t lines = b->by_rows ? n : k, length = b->by_rows ? k : n;
    size_t row = b->by_rows ? col : k0, from = b->by_rows ? k0 : col;
    for (size_t r = 0; r < lines; r++)
        nn->kern->to_bf16(line(nn, b, row + r, from, length, s->row), s->staged + r * length,
                          length);
    (b->by_rows ? nn->type->pack_rows : nn->type->pack_cols)(s->staged, length, n, k, panel);
}

static struct side packed(const struct ft_nn *nn, const struct source *b, size_t col, size_t n,
                          size_t k0, size_t k, const struct scratch *s, uint16_t *panel)
{
    for (size_t at = 0; at < k; at += FT_DEPTH)
        pack_part(nn, b, col, n, k0 + at, smaller(k - at, FT_DEPTH), s,
                  panel + at * FT_PANEL_WIDTH(n));
    return (struct side){.p = panel, .alpha = 1};
}

/* Bytes of weights, with scales and offsets from set `set` on. */
static struct side in_bytes(const struct ft_nn *nn, const struct source *b, size_t col, size_t n,
                            size_t k0, size_t k, const struct scratch *s, int8_t *panel,
                            size_t set)
{
    struct side side = {.p = panel, .scale = s->scale + set * FT_PANEL,
                        .offset = s->offset + set * FT_PANEL};
    for (size_t at = 0; at < k; at += FT_DEPTH_S8) {
        size_t part = smaller(k - at, FT_DEPTH_S8), place = (set + at / FT_DEPTH_S8) * FT_PANEL;
        size_t lines = b->by_rows ? n : part, length = b->by_rows ? part : n;
        size_t row = b->by_rows ? col : k0 + at, from = b->by_rows ? k0 + at : col;
        for (size_t r = 0; r < lines; r++)
            ft_weight_part(b->w, row + r, from, length, s->floats + r * length);
        for (size_t r = 0; b->by_rows && r < lines; r++)
            nn->kern->hadamard(s->floats + r * length, length);
        if (!b->by_rows)
            nn->kern->hadamard_rows(s->floats, length, lines, length);
        (b->by_rows ? nn->kern->pack_rows_s8 : nn->kern->pack_cols_s8)(
            s->floats, length, n, part, panel + at * FT_PANEL_WIDTH(n), s->scale + place,
            s->offset + place);
    }
    return side;
}

static struct side expanded(const struct source *b, size_t col, size_t n, size_t k0, size_t k,
                            float *to)
{
    size_t lines = b->by_rows ? n : k, length = b->by_rows ? k : n;
    size_t row = b->by_rows ? col : k0, from = b->by_rows ? k0 : col;
    if (!b->w)
        return (struct side){.p = b->m + row * b->ld + from, .ld = b->ld, .alpha = b->alpha};
    for (size_t r = 0; r < lines; r++)
        ft_weight_part(b->w, row + r, from, length, to + r * length);
    return (struct side){.p = to, .ld = length, .alpha = 1};
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
static int is_bytes(const struct ft_nn *nn, const struct term *x)
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
    int resident;              /* make_resident serves all products */
    size_t n_parts;            /* that the rows are cut into */
};

/* Parts have equally many blocks. */
static size_t part_begin(const struct work *w, size_t part)
{
    return w->rows->n_blocks * part / w->n_parts;
}

/* As many as keep the rows of a part within the room of a tile. */
static size_t least_parts(const struct work *w)
{
    size_t n = w->rows->n_blocks, blocks = FT_PART_ROWS / FT_BLOCK_ROWS;
    if (w->resident)
        return 1;
    return w->nn->bf16 ? (n + blocks - 1) / blocks : n;
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

static void quantise_row(const struct work *w, size_t row, float *x)
{
    const struct ft_nn *nn = w->nn;
    for (size_t i = 0; i < w->n_bytes; i++) {
        const struct bytes *b = &w->bytes[i];
        nn_get(nn, elem_at(nn, b->a, row * b->lda), x, b->lda);
        nn->kern->hadamard(x, b->lda);
        for (size_t k = 0; k < b->lda; k += FT_DEPTH_S8)
            b->scale[k / FT_DEPTH_S8 * nn->rows_cap + row] = nn->kern->quantise_row_s8(
                x + k, b->q + row * b->ld + k, smaller(b->lda - k, FT_DEPTH_S8));
    }
}

static void quantise_task(void *ctx, size_t block, unsigned worker)
{
    const struct work *w = ctx;
    for (size_t row = w->rows->block[block]; row < w->rows->block[block + 1]; row++)
        quantise_row(w, row, scratch_of(w->nn, worker));
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
                if (!is_bytes(nn, x) || bytes_of(w, x))
                    continue;
                assert(w->n_bytes < BYTES_MAX);
                w->bytes[w->n_bytes++] = (struct bytes){x->a, x->lda, ld, q, scale};
                q += nn->rows_cap * ld;
                scale += nn->rows_cap * ((ld + FT_DEPTH_S8 - 1) / FT_DEPTH_S8);
            }
    if (w->n_bytes)
        ft_pool_run(nn->pool, w->rows->n_blocks, quantise_task, w);
}

/* What is taken of a thread's panel: inputs of FT_RESIDENT, and sets of scales. */
struct taken {
    size_t inputs, sets;
};

/* Makes inputs [k0, k0 + k) of a term ready, behind what is taken. */
static struct side prepare(const struct work *w, const struct term *x, size_t col, size_t n,
                           size_t k0, size_t k, const struct scratch *s, struct taken taken)
{
    size_t used = taken.inputs;
    elem *panel = (elem *)s->panel + used * FT_PANEL * sizeof(uint16_t);
    if (is_bytes(w->nn, x))
        return in_bytes(w->nn, &x->b, col, n, k0, k, s, (int8_t *)panel, taken.sets);
    if (w->nn->bf16)
        return packed(w->nn, &x->b, col, n, k0, k, s, (uint16_t *)(void *)panel);
    return expanded(&x->b, col, n, k0, k, (float *)s->panel + used * FT_TILE_COLS_MAX);
}

/* Bytes: each FT_DEPTH_S8 inputs have their scales. */
static void multiply_bytes(const struct work *w, const struct term *x, size_t row, size_t rows,
                           size_t n, size_t k0, size_t k, const struct side *b, float *c, int add)
{
    const struct ft_nn *nn = w->nn;
    const struct bytes *a = bytes_of(w, x);
    for (size_t at = 0; at < k; at += FT_DEPTH_S8) {
        size_t part = smaller(k - at, FT_DEPTH_S8), place = at / FT_DEPTH_S8;
        size_t block = k0 / FT_DEPTH_S8 + place;
        nn->kern->gemm_s8(rows, n, (part + 3) & ~(size_t)3, a->q + row * a->ld + k0 + at, a->ld,
                          a->scale + block * nn->rows_cap + row,
                          (const int8_t *)b->p + at * FT_PANEL_WIDTH(n),
                          b->scale + place * FT_PANEL, b->offset + place * FT_PANEL, c, n,
                          add || at > 0);
    }
}

/* c (+)= inputs [k0, k0 + k) of a term for the rows of one block. */
static void add_part(const struct work *w, const struct product *p, const struct term *x, size_t b,
                     size_t col, size_t n, size_t k0, size_t k, const struct side *side,
                     const struct scratch *s, float *c, int add)
{
    size_t row = w->rows->block[b], rows = w->rows->block[b + 1] - row;
    if (is_bytes(w->nn, x)) {
        multiply_bytes(w, x, row, rows, n, k0, k, side, c, add);
        return;
    }
    multiply(w->nn, rows, n, k, elem_at(w->nn, x->a, row * x->lda + k0), x->lda, side,
             x->b.by_rows, x->mask ? s->masked : c, n, !x->mask && add);
    if (x->mask)
        add_masked(w, p, x, row, rows, col, n, s->masked, c);
}

static void finish(const struct work *w, const struct product *p, size_t b, size_t col, size_t n,
                   const struct scratch *s, size_t at)
{
    size_t row = w->rows->block[b];
    struct tile t = {row, w->rows->block[b + 1] - row, col, n, n, {s->tile[0] + at,
                     s->tile[1] + at}, s->spare};
    for (size_t o = 0; o < p->n_out; o++)
        for (size_t r = 0; p->out[o].gain && r < t.rows; r++)
            for (size_t j = 0; j < n; j++)
                t.y[o][r * n + j] *= p->out[o].gain[col + j];
    p->finish(w->nn, p->ctx, &t);
}

/* Room that a panel of k inputs takes, so that the next one is aligned. */
static size_t panel_depth(size_t k)
{
    return (k + 15) & ~(size_t)15;
}

/* Inputs of all terms: whether their panels fit beside each other. */
static size_t resident_depth(const struct product *p)
{
    size_t sum = 0;
    for (size_t o = 0; o < p->n_out; o++)
        for (size_t i = 0; i < p->out[o].n_terms; i++)
            sum += panel_depth(p->out[o].term[i].k);
    return sum;
}

/* All weights of the tile's columns are packed at once, and each block of rows goes through
 * them. */
static void make_resident(const struct work *w, const struct product *p, size_t col, size_t n,
                          size_t b0, size_t b1, const struct scratch *s)
{
    struct side side[2][TERMS_MAX / 2] = {0};
    struct taken taken = {0, 0};
    for (size_t o = 0; o < p->n_out; o++)
        for (size_t i = 0; i < p->out[o].n_terms; i++) {
            const struct term *x = &p->out[o].term[i];
            side[o][i] = prepare(w, x, col, n, 0, x->k, s, taken);
            taken.inputs += panel_depth(x->k);
            taken.sets += (x->k + FT_DEPTH_S8 - 1) / FT_DEPTH_S8;
        }
    for (size_t b = b0; b < b1; b++) {
        for (size_t o = 0; o < p->n_out; o++)
            for (size_t i = 0; i < p->out[o].n_terms; i++)
                add_part(w, p, &p->out[o].term[i], b, col, n, 0, p->out[o].term[i].k, &side[o][i],
                         s, s->tile[o], i > 0);
        finish(w, p, b, col, n, s, 0);
    }
}

/* FT_DEPTH inputs at a time, for all rows of the part before the next. */
static void make_streamed(const struct work *w, const struct product *p, size_t col, size_t n,
                          size_t b0, size_t b1, const struct scratch *s)
{
    size_t first = w->rows->block[b0];
    for (size_t o = 0; o < p->n_out; o++)
        for (size_t i = 0; i < p->out[o].n_terms; i++) {
            const struct term *x = &p->out[o].term[i];
            for (size_t k0 = 0; k0 < x->k; k0 += FT_DEPTH) {
                size_t k = smaller(x->k - k0, FT_DEPTH);
                struct side side = prepare(w, x, col, n, k0, k, s, (struct taken){0, 0});
                for (size_t b = b0; b < b1; b++)
                    add_part(w, p, x, b, col, n, k0, k, &side, s,
                             s->tile[o] + (w->rows->block[b] - first) * n, i > 0 || k0 > 0);
            }
        }
    for (size_t b = b0; b < b1; b++)
        finish(w, p, b, col, n, s, (w->rows->block[b] - first) * n);
}

static void make_tile(const struct work *w, const struct product *p, size_t tile, size_t b0,
                      size_t b1, unsigned worker)
{
    size_t width = nn_tile_cols(w->nn, p->cols), col = tile * width;
    size_t n = smaller(p->cols - col, width);
    struct scratch s;
    (void)cut_scratch(scratch_of(w->nn, worker), w->nn->bf16, &s);
    if (w->resident)
        make_resident(w, p, col, n, b0, b1, &s);
    else
        make_streamed(w, p, col, n, b0, b1, &s);
}

static void product_task(void *ctx, size_t task, unsigned worker)
{
    const struct work *w = ctx;
    size_t part = task % w->n_parts, tile = task / w->n_parts, product = 0;
    for (; tile >= tiles_of(w, product); product++)
        tile -= tiles_of(w, product);
    make_tile(w, &w->p[product], tile, part_begin(w, part), part_begin(w, part + 1), worker);
}

/* Into how many parts to cut the rows: many make the threads end together, and each packs the
 * weights again, which takes as long as multiplying some PACKING rows with them. */
static size_t best_parts(size_t tiles, const struct rowset *rows, unsigned threads)
{
    enum { PACKING = 24, MOST = 64 };
    size_t best = 1;
    double least = INFINITY;
    for (size_t parts = 1; parts <= MOST && parts <= rows->n_blocks; parts++) {
        size_t turns = (tiles * parts + threads - 1) / threads;
        double time = (double)turns * ((double)rows->n / (double)parts + PACKING);
        if (time < least) {
            least = time;
            best = parts;
        }
    }
    return best;
}

void nn_products(struct ft_nn *nn, const struct rowset *rows, const struct product *p, size_t n)
{
    struct work w = {.nn = nn, .rows = rows, .p = p, .n = n, .resident = 1};
    size_t tiles = 0;
    for (size_t i = 0; i < n; i++) {
        tiles += tiles_of(&w, i);
        w.resident &= resident_depth(&p[i]) <= FT_RESIDENT;
    }
    if (tiles == 0 || rows->n_blocks == 0)
        return;
    quantise_operands(&w);
    w.n_parts = larger(best_parts(tiles, rows, nn->threads), least_parts(&w));
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
        struct side side = {.p = right, .ld = ldb, .alpha = 1};
        if (nn->bf16) {
            nn->type->pack_cols(right, ldb, n, part, s.panel);
            side.p = s.panel;
        }
        multiply(nn, m, n, part, elem_at(nn, a, k0), lda, &side, 0, c, ldc, 1);
    }
}
