#include "data/classifier.h"

#include "base/mem.h"
#include "base/rng.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

#define RATE 0.8
#define SETTLED 1e-3f          /* errors below it are no step */
enum { LANES = 8 };            /* classes that are computed together */

typedef struct cross {
    const ft_features *f;
    const uint32_t *given;
    const uint8_t *fold;
    size_t rows, columns, K, width;    /* width: K rounded up to LANES */
    const ft_cross_options *o;
    const ft_kernels *k;
    double *p;
    unsigned first;                    /* fold of task 0               */
    ft_err err[FT_FOLDS_MAX];
} cross;

typedef struct model {
    float *weight;             /* columns x width, then the bias's row */
    float *squares;            /* columns, then the bias's             */
    float *z;                  /* width: logits, probabilities, errors */
    uint32_t *order;
    ft_feature_row x;
} model;

static void model_free(model *m)
{
    ft_free(m->weight);
    ft_free(m->squares);
    ft_free(m->z);
    ft_free(m->order);
    ft_feature_row_free(&m->x);
}

static int model_new(model *m, const cross *c, ft_err *e)
{
    size_t row = c->width * sizeof *m->weight;
    m->weight = ft_new_aligned(c->columns + 1, row, e);
    m->squares = ft_new(c->columns + 1, sizeof *m->squares, e);
    m->z = ft_new(c->width, sizeof *m->z, e);
    m->order = ft_new(c->rows, sizeof *m->order, e);
    if (!m->weight || !m->squares || !m->z || !m->order)
        return FT_ERR_NOMEM;
    memset(m->weight, 0, (c->columns + 1) * row);
    return 0;
}

static float *bias_of(const model *m, const cross *c)
{
    return m->weight + c->columns * c->width;
}

/* z = softmax(W x + b) over K classes. */
static void predict(model *m, const cross *c)
{
    memcpy(m->z, bias_of(m, c), c->width * sizeof *m->z);
    c->k->sparse_rows(m->weight, c->width, m->x.column, m->x.value, m->x.n, m->z);
    (void)c->k->softmax(m->z, 1, c->K);
}

/* Leaves in z the errors that matter. Returns: the sum of their squares. */
static float find_errors(model *m, const cross *c, uint32_t given)
{
    float squares = 0;
    m->z[given] -= 1;
    for (size_t k = 0; k < c->width; k++) {
        if (k >= c->K || fabsf(m->z[k]) < SETTLED)
            m->z[k] = 0;
        squares += m->z[k] * m->z[k];
    }
    return squares;
}

/* The step for a column whose value is x, and its sum of squares. */
static float step_of(float x, float squares, float rate, float *sum)
{
    *sum += x * x * squares;
    return *sum > 0 ? -rate * x / sqrtf(*sum) : 0;
}

/* One step on the text in x, whose probabilities are in z. Uses up the values of x. */
static void learn(model *m, const cross *c, uint32_t given, float rate)
{
    float squares = find_errors(m, c, given);
    if (squares <= 0)
        return;
    for (size_t i = 0; i < m->x.n; i++)
        m->x.value[i] = step_of(m->x.value[i], squares, rate, &m->squares[m->x.column[i]]);
    c->k->sparse_rows_back(m->weight, c->width, m->x.column, m->x.value, m->x.n, m->z);
    c->k->axpy(step_of(1, squares, rate, &m->squares[c->columns]), m->z, bias_of(m, c), c->width);
}

/* Puts the rows outside the fold into order, shuffled. Returns: their number. */
static size_t shuffle(model *m, const cross *c, unsigned fold, uint32_t epoch)
{
    size_t n = 0;
    for (size_t i = 0; i < c->rows; i++)
        if (c->fold[i] != fold)
            m->order[n++] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        uint64_t at = (uint64_t)fold << 32 | i;
        size_t k = (size_t)ft_rng_below(c->o->seed, FT_RNG_DATA, epoch, at, i);
        uint32_t row = m->order[k];
        m->order[k] = m->order[i - 1];
        m->order[i - 1] = row;
    }
    return n;
}

static int train(model *m, const cross *c, unsigned fold, ft_err *e)
{
    float rate = (float)(c->o->rate > 0 ? c->o->rate : RATE);
    for (uint32_t epoch = 0; epoch < c->o->epochs; epoch++) {
        size_t n = shuffle(m, c, fold, epoch);
        for (size_t i = 0; i < n; i++) {
            int rc = ft_features_read(c->f, m->order[i], FT_FEATURES_ALL, &m->x, e);
            if (rc < 0)
                return rc;
            predict(m, c);
            learn(m, c, c->given[m->order[i]], rate);
        }
    }
    return 0;
}

static int judge(model *m, const cross *c, unsigned fold, ft_err *e)
{
    for (size_t i = 0; i < c->rows; i++) {
        int rc;
        if (c->fold[i] != fold)
            continue;
        if ((rc = ft_features_read(c->f, i, FT_FEATURES_ALL, &m->x, e)) < 0)
            return rc;
        predict(m, c);
        for (size_t k = 0; k < c->K; k++) {
            if (!(m->z[k] >= 0 && m->z[k] <= 1))
                return ft_err_set(e, FT_ERR_NUMERIC, "text %zu: a probability of %g", i + 1,
                                  (double)m->z[k]);
            c->p[i * c->K + k] = (double)m->z[k];
        }
    }
    return 0;
}

static void run_fold(void *ctx, size_t task, unsigned worker)
{
    cross *c = ctx;
    unsigned fold = c->first + (unsigned)task;
    model m = {0};
    ft_err *e = &c->err[fold];
    (void)worker;
    if (model_new(&m, c, e) == 0 && train(&m, c, fold, e) == 0)
        (void)judge(&m, c, fold, e);        /* errors are looked for when all folds are done */
    model_free(&m);
}

/* Returns: folds to give to the pool at a time, at least 1, or an error. No more than there are
 * threads have memory at once. */
static int folds_at_a_time(const cross *c, ft_pool *pool, ft_err *e)
{
    uint64_t each, room;
    unsigned threads = ft_pool_threads(pool);
    if (__builtin_mul_overflow((uint64_t)c->columns + 1, (c->width + 1) * sizeof(float), &each) ||
        __builtin_add_overflow(each, (uint64_t)c->rows * sizeof(uint32_t), &each))
        return ft_err_nomem(e, SIZE_MAX);
    if (c->o->bytes_max == 0)
        return (int)c->o->folds;
    room = c->o->bytes_max / each;
    if (room == 0)
        return ft_err_set(e, FT_ERR_NOMEM, "the classifier of one fold takes %llu bytes (%zu "
                          "n-grams, %zu classes), over the bound of %llu",
                          (unsigned long long)each, c->columns, c->K,
                          (unsigned long long)c->o->bytes_max);
    return room < threads ? (int)room : (int)c->o->folds;
}

int ft_cross_probabilities(const ft_features *f, const uint32_t *given, const uint8_t *fold,
                           size_t K, const ft_cross_options *o, ft_pool *pool, double *p,
                           ft_err *e)
{
    cross c = {.f = f, .given = given, .fold = fold, .rows = ft_features_rows(f),
               .columns = ft_features_columns(f), .K = K, .o = o,
               .k = ft_kernels_get(), .p = p,
               .width = (K + LANES - 1) / LANES * LANES};
    size_t same = 0;
    int at_a_time;
    for (size_t i = 0; i < c.rows; i++)
        same += fold[i] == fold[0];
    if (c.rows && same == c.rows)
        return ft_err_set(e, FT_ERR_DATA, "all %zu rows are in one fold: they have the same "
                          "group, cluster or prompt", c.rows);
    if ((at_a_time = folds_at_a_time(&c, pool, e)) < 0)
        return at_a_time;
    for (c.first = 0; c.first < o->folds; c.first += (unsigned)at_a_time) {
        unsigned n = o->folds - c.first;
        n = n < (unsigned)at_a_time ? n : (unsigned)at_a_time;
        ft_pool_run(pool, n, run_fold, &c);
    }
    for (unsigned i = 0; i < o->folds; i++)
        if (c.err[i].code < 0) {
            if (e)
                *e = c.err[i];
            return c.err[i].code;
        }
    return 0;
}
