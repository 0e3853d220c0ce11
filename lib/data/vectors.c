#include "data/vectors.h"

#include "base/io.h"
#include "base/mem.h"
#include "data/spread.h"
#include "kernels/kernels.h"

#include <string.h>

#define BLOCK_BYTES (4u << 20)

struct ft_vectors {
    ft_spool *spool;
    size_t d, n;
};

int ft_vectors_new(ft_vectors **v, size_t d, ft_err *e)
{
    int rc;
    if (!(*v = ft_new(1, sizeof **v, e)))
        return FT_ERR_NOMEM;
    (*v)->d = d;
    if ((rc = ft_spool_new(&(*v)->spool, e)) < 0)
        ft_vectors_free(v);
    return rc;
}

void ft_vectors_free(ft_vectors **v)
{
    if (!*v)
        return;
    ft_spool_free(&(*v)->spool);
    ft_free(*v);
    *v = NULL;
}

int ft_vectors_add(ft_vectors *v, float *x, size_t n, ft_err *e)
{
    int rc;
    if (n > UINT32_MAX - v->n)
        return ft_err_set(e, FT_ERR_DATA, "more than %u vectors", UINT32_MAX);
    ft_points_normalise(x, n, v->d);
    if ((rc = ft_spool_write(v->spool, x, n * v->d * sizeof *x, e)) < 0)
        return rc;
    v->n += n;
    return 0;
}

int ft_vectors_end(ft_vectors *v, ft_err *e)
{
    return ft_spool_rewind(v->spool, e);
}

size_t ft_vectors_count(const ft_vectors *v)
{
    return v->n;
}

/* ---- the search ---- */

typedef struct search {
    const ft_kernels *kernels;
    size_t d, k, first, rows;      /* of the block: its first vector's number, how many */
    const float *q, *block;
    float *scores;                 /* [threads x rows of a block]    */
    size_t scores_each;
    float *near;                   /* [m x k] cosines beside best    */
    uint32_t *best, *found;
} search;

/* Puts a vector where it belongs among a question's nearest. Blocks and their rows come in order,
 * so one of an equal cosine belongs behind those that are there. */
static void insert(search *s, size_t i, float cosine, uint32_t number)
{
    float *near = s->near + i * s->k;
    uint32_t *best = s->best + i * s->k;
    size_t at = s->found[i];
    if (at == s->k && !(cosine > near[at - 1]))
        return;
    if (at < s->k)
        s->found[i]++;
    else
        at--;
    for (; at > 0 && cosine > near[at - 1]; at--) {
        near[at] = near[at - 1];
        best[at] = best[at - 1];
    }
    near[at] = cosine;
    best[at] = number;
}

static void ask_block(void *ctx, size_t i, unsigned worker)
{
    search *s = ctx;
    float *scores = s->scores + worker * s->scores_each;
    s->kernels->dot_rows(s->q + i * s->d, s->d, 1, s->block, s->rows, s->d, scores, s->rows);
    for (size_t r = 0; r < s->rows; r++)
        if (scores[r] > 0)
            insert(s, i, scores[r], (uint32_t)(s->first + r));
}

static int run_search(const ft_vectors *v, search *s, size_t m, ft_pool *pool, float *block,
                      ft_err *e)
{
    size_t row_bytes = v->d * sizeof *block;
    int rc = 0;
    s->block = block;
    for (s->first = 0; rc == 0 && s->first < v->n; s->first += s->rows) {
        s->rows = v->n - s->first < s->scores_each ? v->n - s->first : s->scores_each;
        rc = ft_spool_read_at(v->spool, (uint64_t)s->first * row_bytes, block, s->rows * row_bytes,
                              e);
        if (rc == 0)
            ft_pool_run(pool, m, ask_block, s);
    }
    return rc;
}

int ft_vectors_nearest(ft_vectors *v, float *q, size_t m, size_t k, ft_pool *pool, uint32_t *best,
                       uint32_t *found, ft_err *e)
{
    size_t rows = BLOCK_BYTES / (v->d * sizeof *q);
    search s = {.kernels = ft_kernels_get(), .d = v->d, .k = k, .q = q, .best = best,
                .found = found};
    float *block;
    int rc = FT_ERR_NOMEM;
    memset(found, 0, m * sizeof *found);
    if (m == 0 || k == 0 || v->n == 0)
        return 0;
    s.scores_each = rows > v->n ? v->n : rows ? rows : 1;
    ft_points_normalise(q, m, v->d);
    block = ft_new_aligned(s.scores_each, v->d * sizeof *block, e);
    s.scores = ft_new(ft_pool_threads(pool), s.scores_each * sizeof *s.scores, e);
    s.near = ft_new(m, k * sizeof *s.near, e);
    if (block && s.scores && s.near)
        rc = run_search(v, &s, m, pool, block, e);
    ft_free(block);
    ft_free(s.scores);
    ft_free(s.near);
    return rc;
}
