#include "data/neighbours.h"

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64,             /* texts a task asks for */
       COMMON_MAX = 64 };     /* columns that are dense */
#define NO_PLACE UINT32_MAX
#define ROUNDING 1e-5f         /* over the error of a sum of products of lengths up to 1 */

/* A common word says little and stands in very many texts, so a question goes two ways. Sums over
 * the postings of the rare columns bound a cosine from below; the lengths of the common parts bound
 * what these can add (Cauchy and Schwarz). Only texts that can still be among the nearest have
 * their common parts multiplied, which lie in rows of `common` floats. */

typedef struct posting {
    uint32_t place;            /* among the indexed texts */
    float value;
} posting;

typedef struct worker {
    float *score;              /* one an indexed text; all zero between questions */
    float *dense;              /* the question's common part; all zero likewise   */
    ft_feature_row x;
    ft_err err;
} worker;

typedef struct index_of {
    const ft_features *f;
    const uint32_t *given;
    const ft_neighbour_options *o;
    ft_vote *votes;
    const ft_kernels *k;
    size_t rows, n, columns;   /* n: indexed texts; columns: of words              */
    uint32_t *count;           /* indexed texts that have a column                 */
    uint32_t *place;           /* of a common column in a dense row, else NO_PLACE */
    size_t common;
    float *dense, *length;     /* common parts of indexed texts, and their lengths */
    uint32_t *row;             /* of each indexed text, ascending */
    uint64_t *begin;           /* of each column's postings; one more at the end */
    posting *postings;
    worker *workers;
} index_of;

/* ---- which texts are indexed ---- */

typedef struct drawn {
    uint64_t key;
    uint32_t row;
} drawn;

static int by_key(const void *a, const void *b)
{
    const drawn *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int draw_rows(index_of *x, ft_err *e)
{
    drawn *all;
    x->row = ft_new(x->n, sizeof *x->row, e);
    if (!x->row)
        return FT_ERR_NOMEM;
    if (x->n == x->rows) {
        for (size_t i = 0; i < x->n; i++)
            x->row[i] = (uint32_t)i;
        return 0;
    }
    if (!(all = ft_new(x->rows, sizeof *all, e)))
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < x->rows; i++)
        all[i] = (drawn){ft_rng_u64(x->o->seed, FT_RNG_DATA, UINT32_MAX, i), (uint32_t)i};
    qsort(all, x->rows, sizeof *all, by_key);
    for (size_t i = 0; i < x->n; i++)
        x->row[i] = all[i].row;
    ft_free(all);
    qsort(x->row, x->n, sizeof *x->row, by_number);
    return 0;
}

/* ---- the index ---- */

static int check_bound(const index_of *x, unsigned threads, ft_err *e)
{
    uint64_t bytes = x->begin[x->columns] * sizeof(posting) + 16 * (uint64_t)x->columns +
                     4 * (uint64_t)x->n * (threads + 2 + x->common);
    if (x->o->bytes_max == 0 || bytes <= x->o->bytes_max)
        return 0;
    return ft_err_set(e, FT_ERR_NOMEM, "the index of neighbours takes %llu bytes for %zu texts, "
                      "over the bound of %llu", (unsigned long long)bytes, x->n,
                      (unsigned long long)x->o->bytes_max);
}

/* Columns are numbered by falling frequency in all texts: the first ones are the common ones. */
static void choose_common(index_of *x)
{
    for (size_t c = 0; c < x->columns; c++) {
        int common = x->common < COMMON_MAX && x->count[c] > x->n / 20;
        x->place[c] = common ? (uint32_t)x->common++ : NO_PLACE;
        x->begin[c + 1] = x->begin[c] + (common ? 0 : x->count[c]);
    }
}

static void fill_row(index_of *x, size_t i, const ft_feature_row *v)
{
    float *dense = x->dense + i * x->common;
    for (size_t k = 0; k < v->n; k++) {
        uint32_t c = v->column[k];
        if (x->place[c] != NO_PLACE)
            dense[x->place[c]] = v->value[k];
        else
            x->postings[x->begin[c]++] = (posting){(uint32_t)i, v->value[k]};
    }
    x->length[i] = (float)sqrt(x->k->sum_squares(dense, x->common));
}

/* Reads all indexed texts: to count their columns, then to fill the index. */
static int scan(index_of *x, int fill, ft_err *e)
{
    ft_feature_row v = {0};
    int rc = 0;
    for (size_t i = 0; i < x->n && rc == 0; i++) {
        if ((rc = ft_features_read(x->f, x->row[i], FT_FEATURES_WORDS, &v, e)) < 0)
            break;
        if (fill)
            fill_row(x, i, &v);
        for (size_t k = 0; k < v.n && !fill; k++)
            x->count[v.column[k]]++;
    }
    ft_feature_row_free(&v);
    return rc;
}

static int build(index_of *x, unsigned threads, ft_err *e)
{
    int rc;
    x->begin = ft_new(x->columns + 1, sizeof *x->begin, e);
    x->count = ft_new(x->columns, sizeof *x->count, e);
    x->place = ft_new(x->columns, sizeof *x->place, e);
    if (!x->begin || !x->count || !x->place)
        return FT_ERR_NOMEM;
    if ((rc = scan(x, 0, e)) < 0)
        return rc;
    choose_common(x);
    if ((rc = check_bound(x, threads, e)) < 0)
        return rc;
    x->postings = ft_new((size_t)x->begin[x->columns], sizeof *x->postings, e);
    x->dense = ft_new(x->n, x->common * sizeof *x->dense, e);
    x->length = ft_new(x->n, sizeof *x->length, e);
    if (!x->postings || !x->dense || !x->length)
        return FT_ERR_NOMEM;
    if ((rc = scan(x, 1, e)) < 0)
        return rc;
    /* Filling moved each beginning to its end, which is the next one's beginning. */
    memmove(x->begin + 1, x->begin, x->columns * sizeof *x->begin);
    x->begin[0] = 0;
    return 0;
}

/* ---- a question ---- */

typedef struct nearest {
    size_t n;
    float score[FT_NEIGHBOURS_MAX];
    uint32_t label[FT_NEIGHBOURS_MAX];
} nearest;

/* Keeps the k best, of equal ones the earlier. */
static void offer(nearest *b, size_t k, float score, uint32_t label)
{
    size_t at = b->n;
    if (b->n == k && !(score > b->score[k - 1]))
        return;
    if (b->n < k)
        b->n++;
    else
        at--;
    for (; at > 0 && score > b->score[at - 1]; at--) {
        b->score[at] = b->score[at - 1];
        b->label[at] = b->label[at - 1];
    }
    b->score[at] = score;
    b->label[at] = label;
}

static ft_vote count_votes(const nearest *b, uint32_t given)
{
    ft_vote v = {.found = (uint32_t)b->n};
    size_t most = 0;
    float sum = 0;
    for (size_t i = 0; i < b->n; i++) {
        size_t same = 0;
        for (size_t k = 0; k < b->n; k++)
            same += b->label[k] == b->label[i];
        if (same > most) {
            most = same;
            v.winner = b->label[i];
        }
        v.disagree += b->label[i] != given;
        sum += b->score[i];
    }
    v.similarity = b->n ? sum / (float)b->n : 0;
    return v;
}

/* Adds the products of the rare columns to the scores, and leaves the common ones in w->dense.
 * Returns: the length of the common part. */
static float ask_rare(const index_of *x, worker *w)
{
    for (size_t i = 0; i < w->x.n; i++) {
        uint32_t c = w->x.column[i];
        const posting *p = x->postings + x->begin[c], *end = x->postings + x->begin[c + 1];
        if (x->place[c] != NO_PLACE)
            w->dense[x->place[c]] = w->x.value[i];
        for (; p < end; p++)
            w->score[p->place] += w->x.value[i] * p->value;
    }
    return (float)sqrt(x->k->sum_squares(w->dense, x->common));
}

/* The k-th best of the scores so far, which no neighbour is below; 0 when fewer are over 0. */
static float least_score(const index_of *x, const worker *w, size_t row)
{
    nearest best = {0};
    for (size_t i = 0; i < x->n; i++)
        if (w->score[i] > best.score[x->o->k - 1] && x->row[i] != row)
            offer(&best, x->o->k, w->score[i], 0);
    return best.n == x->o->k ? best.score[x->o->k - 1] : 0;
}

static int ask(index_of *x, worker *w, size_t row)
{
    nearest best = {0};
    float length, least;
    int rc = ft_features_read(x->f, row, FT_FEATURES_WORDS, &w->x, &w->err);
    if (rc < 0)
        return rc;
    length = ask_rare(x, w);
    least = least_score(x, w, row) - ROUNDING;
    for (size_t i = 0; i < x->n; i++) {
        float score = w->score[i];
        w->score[i] = 0;
        if (score + length * x->length[i] < least || x->row[i] == row)
            continue;
        score += x->k->dot(w->dense, x->dense + i * x->common, x->common);
        if (score > 0)
            offer(&best, x->o->k, score, x->given[x->row[i]]);
        if (best.n == x->o->k && best.score[best.n - 1] - ROUNDING > least)
            least = best.score[best.n - 1] - ROUNDING;
    }
    for (size_t i = 0; i < w->x.n; i++)
        if (x->place[w->x.column[i]] != NO_PLACE)
            w->dense[x->place[w->x.column[i]]] = 0;
    x->votes[row] = count_votes(&best, x->given[row]);
    return 0;
}

static void ask_chunk(void *ctx, size_t task, unsigned number)
{
    index_of *x = ctx;
    worker *w = &x->workers[number];
    size_t end = (task + 1) * CHUNK < x->rows ? (task + 1) * CHUNK : x->rows;
    for (size_t row = task * CHUNK; row < end && w->err.code == 0; row++)
        (void)ask(x, w, row);              /* the error stays with the worker */
}

static int ask_all(index_of *x, ft_pool *pool, ft_err *e)
{
    unsigned threads = ft_pool_threads(pool);
    int rc = 0;
    x->workers = ft_new(threads, sizeof *x->workers, e);
    if (!x->workers)
        return FT_ERR_NOMEM;
    for (unsigned i = 0; i < threads && rc == 0; i++)
        if (!(x->workers[i].score = ft_new(x->n, sizeof(float), e)) ||
            !(x->workers[i].dense = ft_new(x->common, sizeof(float), e)))
            rc = FT_ERR_NOMEM;
    if (rc == 0)
        ft_pool_run(pool, (x->rows + CHUNK - 1) / CHUNK, ask_chunk, x);
    for (unsigned i = 0; i < threads; i++) {
        if (rc == 0 && x->workers[i].err.code < 0)
            rc = ft_err_set(e, x->workers[i].err.code, "%s", x->workers[i].err.text);
        ft_free(x->workers[i].score);
        ft_free(x->workers[i].dense);
        ft_feature_row_free(&x->workers[i].x);
    }
    ft_free(x->workers);
    return rc;
}

int ft_neighbours_vote(const ft_features *f, const uint32_t *given, size_t K,
                       const ft_neighbour_options *o, ft_pool *pool, ft_vote *votes, ft_err *e)
{
    index_of x = {.f = f, .given = given, .o = o, .votes = votes,
                  .rows = ft_features_rows(f), .columns = ft_features_word_columns(f),
                  .k = ft_kernels_get()};
    int rc;
    if (o->k < 1 || o->k > FT_NEIGHBOURS_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "%u neighbours", o->k);
    for (size_t i = 0; i < x.rows; i++)
        if (given[i] >= K)
            return ft_err_set(e, FT_ERR_USAGE, "row %zu: class %u of %zu", i, given[i], K);
    x.n = o->index_max && x.rows > o->index_max ? o->index_max : x.rows;
    if ((rc = draw_rows(&x, e)) == 0 && (rc = build(&x, ft_pool_threads(pool), e)) == 0)
        rc = ask_all(&x, pool, e);
    ft_free(x.row);
    ft_free(x.begin);
    ft_free(x.count);
    ft_free(x.place);
    ft_free(x.postings);
    ft_free(x.dense);
    ft_free(x.length);
    return rc;
}
