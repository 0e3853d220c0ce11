/* loss.c: the head and the cross-entropy, only at targets.
 *
 * The rows before targets are gathered, normalised and taken in groups of whole row tiles that
 * bound the logits in memory; a row tile never holds rows of two segments. The head's weights are
 * expanded in tiles over the vocabulary, once a group for the logits and once for the gradient.
 */
#include "nn/nn_internal.h"

#include <math.h>
#include <string.h>

/* Tiles of one group: rows [row, row + n) of the gathered matrix. */
enum { TILES_MAX = 512 };
struct tiles {
    size_t n;
    size_t row[TILES_MAX], rows[TILES_MAX];
};

struct head {
    struct ft_nn *nn;
    const float *h;            /* [rows x C] normalised rows of the group */
    float *dh;
    float *logits;             /* [rows x V] */
    struct tiles *tiles;
    size_t parts;              /* that the row tiles are cut into: threads may outnumber columns */
    const uint32_t *targets;   /* the id each row is to predict */
    const float *weights;      /* d(loss)/d(nll) of each row, NULL: no gradient */
    float *nll;
};

/* ---- products with the head ---- */

static void logits_task(void *ctx, size_t task, unsigned worker)
{
    const struct head *hd = ctx;
    struct ft_nn *nn = hd->nn;
    const ft_weight *w = &nn->m->head;
    size_t from = task * FT_TILE_VOCAB, C = w->cols;
    size_t n = w->rows - from < FT_TILE_VOCAB ? w->rows - from : FT_TILE_VOCAB;
    float *expanded = scratch_of(nn, worker);
    for (size_t r = 0; r < n; r++)
        ft_weight_part(w, from + r, 0, C, expanded + r * C);
    for (size_t i = 0; i < hd->tiles->n; i++)
        nn_gemm_nt(hd->tiles->rows[i], n, C, 1, hd->h + hd->tiles->row[i] * C, C, expanded, C, 0,
                   hd->logits + hd->tiles->row[i] * w->rows + from, w->rows);
}

static size_t vocab_tiles(const struct ft_nn *nn)
{
    return (nn->m->V + FT_TILE_VOCAB - 1) / FT_TILE_VOCAB;
}

static size_t column_tiles(const struct ft_nn *nn)
{
    return (nn->m->C + nn_tile_width(nn->m->C) - 1) / nn_tile_width(nn->m->C);
}

/* First row tile of a part. */
static size_t part_begin(const struct head *hd, size_t part)
{
    return part * hd->tiles->n / hd->parts;
}

/* dh = dlogits W by column tiles of W; the sum over the vocabulary runs in tile order. */
static void dh_task(void *ctx, size_t task, unsigned worker)
{
    const struct head *hd = ctx;
    struct ft_nn *nn = hd->nn;
    const ft_weight *w = &nn->m->head;
    size_t C = w->cols, width = nn_tile_width(C), from = task / hd->parts * width;
    size_t first = part_begin(hd, task % hd->parts), end = part_begin(hd, task % hd->parts + 1);
    size_t n = C - from < width ? C - from : width;
    float *expanded = scratch_of(nn, worker);
    for (size_t v = 0; v < w->rows; v += FT_TILE_VOCAB) {
        size_t k = w->rows - v < FT_TILE_VOCAB ? w->rows - v : FT_TILE_VOCAB;
        for (size_t r = 0; r < k; r++)
            ft_weight_part(w, v + r, from, n, expanded + r * n);
        for (size_t i = first; i < end; i++)
            nn_gemm_nn(hd->tiles->rows[i], n, k, 1,
                       hd->logits + hd->tiles->row[i] * w->rows + v, w->rows, expanded, n, v > 0,
                       hd->dh + hd->tiles->row[i] * C + from, C);
    }
}

/* nll = logsumexp - logit of the target; dlogits = (softmax - onehot) * weight, in place. */
static void row_task(void *ctx, size_t row, unsigned worker)
{
    const struct head *hd = ctx;
    const ft_kernels *kern = hd->nn->kern;
    size_t V = hd->nn->m->V;
    float *x = hd->logits + row * V;
    float max = kern->max(x, V), lse = max + logf(kern->sum_exp(x, max, V));
    (void)worker;
    hd->nll[row] = lse - x[hd->targets[row]];
    if (!hd->weights)
        return;
    kern->softmax_again(x, 1, lse, V);
    x[hd->targets[row]] -= 1;
    kern->scale(hd->weights[row], x, V);
}

/* ---- gathering ---- */

/* Where the gathered rows come from. */
struct cursor {
    size_t seq, t;             /* next position to look at */
};

/* Fills a group with row tiles from the cursor on; tiles are cut per segment, so where a group
 * ends changes no shape. Returns: rows gathered. */
static size_t gather(struct ft_nn *nn, struct cursor *at, struct tiles *tiles, size_t *token,
                     uint32_t *target, size_t *seq)
{
    size_t rows = 0;
    tiles->n = 0;
    while (at->seq < nn->n_seqs && tiles->n < TILES_MAX) {
        const ft_seq *s = &nn->seqs[at->seq];
        size_t n = 0, t = at->t;
        for (; t < s->T && n < FT_TILE_HEAD_ROWS && rows + n < nn->head_rows; t++)
            if (s->target[t]) {
                token[rows + n] = nn->first[at->seq] + t - 1;
                target[rows + n] = s->ids[t];
                seq[rows + n] = at->seq;
                n++;
            }
        /* A tile that only the group's bound cut short is left for the next group. */
        if (t < s->T && n < FT_TILE_HEAD_ROWS)
            break;
        if (n) {
            tiles->row[tiles->n] = rows;
            tiles->rows[tiles->n++] = n;
            rows += n;
        }
        *at = t < s->T ? (struct cursor){at->seq, t} : (struct cursor){at->seq + 1, 1};
    }
    return rows;
}

struct norm_rows {
    struct ft_nn *nn;
    const size_t *token;
    float *inv;
    float *dx;
};

static void norm_task(void *ctx, size_t row, unsigned worker)
{
    const struct norm_rows *r = ctx;
    struct ft_nn *nn = r->nn;
    size_t C = nn->m->C;
    (void)worker;
    r->inv[row] = nn->kern->rmsnorm(nn->x_out + r->token[row] * C, nn->m->final_norm,
                                    nn->m->rms_eps, nn->head_h + row * C, C);
}

static void norm_back_task(void *ctx, size_t row, unsigned worker)
{
    const struct norm_rows *r = ctx;
    struct ft_nn *nn = r->nn;
    size_t C = nn->m->C, token = r->token[row];
    (void)worker;
    nn->kern->rmsnorm_back(nn->head_dh + row * C, nn->x_out + token * C, nn->m->final_norm,
                           r->inv[row], r->dx + token * C, C);
}

/* ---- the loss ---- */

enum { GROUP_ROWS_MAX = 512 };   /* bound of head_rows, see memory.c */

static int one_group(struct ft_nn *nn, struct cursor *at, double *nll, float *token_nll,
                     size_t *done, float *dx, ft_err *e)
{
    struct tiles tiles;
    size_t token[GROUP_ROWS_MAX], seq[GROUP_ROWS_MAX], rows;
    uint32_t target[GROUP_ROWS_MAX];
    float weight[GROUP_ROWS_MAX], inv[GROUP_ROWS_MAX], loss[GROUP_ROWS_MAX];
    struct norm_rows norm = {nn, token, inv, dx};
    struct head hd = {nn, nn->head_h, nn->head_dh, nn->logits, &tiles, 1, target,
                      dx ? weight : NULL, loss};
    rows = gather(nn, at, &tiles, token, target, seq);
    for (size_t r = 0; dx && r < rows; r++)
        weight[r] = (float)((double)nn->seqs[seq[r]].weight / nn->step->norm);
    ft_pool_run(nn->pool, rows, norm_task, &norm);
    ft_pool_run(nn->pool, vocab_tiles(nn), logits_task, &hd);
    ft_pool_run(nn->pool, rows, row_task, &hd);
    for (size_t r = 0; r < rows; r++) {
        if (!isfinite(loss[r]))
            return ft_err_set(e, FT_ERR_NUMERIC, "the loss of example %llu is not finite (token "
                              "%zu of %zu)", (unsigned long long)nn->seqs[seq[r]].key,
                              token[r] + 1 - nn->first[seq[r]], nn->seqs[seq[r]].T);
        nll[seq[r]] += (double)loss[r];
        if (token_nll)
            token_nll[*done] = loss[r];
        ++*done;
    }
    if (dx) {
        hd.parts = (nn->threads + column_tiles(nn) - 1) / column_tiles(nn);
        hd.parts = hd.parts < tiles.n ? hd.parts : tiles.n;
        ft_pool_run(nn->pool, column_tiles(nn) * hd.parts, dh_task, &hd);
        ft_pool_run(nn->pool, rows, norm_back_task, &norm);
    }
    return 0;
}

int nn_loss_head(struct ft_nn *nn, double *nll, float *token_nll, float *dx, ft_err *e)
{
    struct cursor at = {0, 1};
    size_t done = 0;
    for (size_t s = 0; s < nn->n_seqs; s++)
        nll[s] = 0;
    if (dx)
        memset(dx, 0, nn->N * nn->m->C * sizeof *dx);
    while (at.seq < nn->n_seqs) {
        int rc = one_group(nn, &at, nll, token_nll, &done, dx, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void nn_logits_rows(struct ft_nn *nn, const size_t *at, size_t n, float *out)
{
    for (size_t from = 0; from < n; from += FT_TILE_HEAD_ROWS) {
        size_t rows = n - from < FT_TILE_HEAD_ROWS ? n - from : FT_TILE_HEAD_ROWS;
        float inv[FT_TILE_HEAD_ROWS];
        struct tiles tiles = {1, {0}, {rows}};
        struct norm_rows norm = {nn, at + from, inv, NULL};
        struct head hd = {nn, nn->head_h, NULL, out + from * nn->m->V, &tiles, 1, NULL, NULL, NULL};
        ft_pool_run(nn->pool, rows, norm_task, &norm);
        ft_pool_run(nn->pool, vocab_tiles(nn), logits_task, &hd);
    }
}
