#include "data/confident.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLACK 1e-6             /* how far below a threshold still counts as reaching it */
#define THRESHOLD_MIN 2e-6
#define THRESHOLD_ABSENT 2.0   /* of a class without rows: never reached                */
#define TINY 1e-100

typedef struct keyed {         /* sorts by key, equal keys by index */
    double key;
    size_t index;
} keyed;

typedef struct finder {
    const double *p;
    const uint32_t *given;
    size_t n, K;
    size_t *rows_of;           /* rows of each class                                    */
    double *threshold;
    double *joint;             /* K x K: [given][true]                                  */
    double *scratch;           /* max(n, K * K)                                         */
    keyed *order;              /* max(n, K)                                             */
    uint8_t *flagged;          /* n                                                     */
} finder;

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* The sum of v[0..n) in numpy's order, on which the last bit of a threshold depends: halves down
 * to blocks of 128, eight partial sums in a block. */
static double sum_pairwise(const double *v, size_t n)
{
    double r[8], s;
    size_t i;
    if (n > 128) {
        size_t half = n / 2 - n / 2 % 8;
        s = sum_pairwise(v, half);
        return s + sum_pairwise(v + half, n - half);
    }
    if (n < 8) {
        for (s = 0, i = 0; i < n; i++)
            s += v[i];
        return s;
    }
    memcpy(r, v, sizeof r);
    for (i = 8; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            r[k] += v[i + k];
    s = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        s += v[i];
    return s;
}

size_t ft_most_probable(const double *p, size_t K)
{
    size_t best = 0;
    for (size_t k = 1; k < K; k++)
        if (p[k] > p[best])
            best = k;
    return best;
}

static int check_input(const finder *f, ft_err *e)
{
    if (f->K < 2)
        return ft_err_set(e, FT_ERR_USAGE, "%zu classes; at least 2 are needed", f->K);
    for (size_t i = 0; i < f->n; i++) {
        if (f->given[i] >= f->K)
            return ft_err_set(e, FT_ERR_USAGE, "row %zu: class %u of %zu", i, f->given[i], f->K);
        for (size_t k = 0; k < f->K; k++)
            if (!(f->p[i * f->K + k] >= 0 && f->p[i * f->K + k] <= 1))
                return ft_err_set(e, FT_ERR_DATA, "row %zu, class %zu: %g is no probability", i, k,
                                  f->p[i * f->K + k]);
    }
    return 0;
}

static void find_thresholds(finder *f)
{
    for (size_t i = 0; i < f->n; i++)
        f->rows_of[f->given[i]]++;
    for (size_t k = 0; k < f->K; k++) {
        size_t m = 0;
        for (size_t i = 0; i < f->n; i++)
            if (f->given[i] == k)
                f->scratch[m++] = f->p[i * f->K + k];
        f->threshold[k] = m ? sum_pairwise(f->scratch, m) / (double)m : THRESHOLD_ABSENT;
        if (f->threshold[k] < THRESHOLD_MIN)
            f->threshold[k] = THRESHOLD_MIN;
    }
}

/* Counts the confident rows: joint[given][class they are confident in]. */
static void count_joint(finder *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const double *p = f->p + i * f->K;
        size_t bins = 0, guess = 0;
        for (size_t k = f->K; k-- > 0;)
            if (p[k] >= f->threshold[k] - SLACK) {
                guess = k;
                bins++;
            }
        if (bins > 1)
            guess = ft_most_probable(p, f->K);
        if (bins)
            f->joint[f->given[i] * f->K + guess] += 1;
    }
    for (size_t k = 0; k < f->K; k++)
        if (f->joint[k * f->K + k] < 1)
            f->joint[k * f->K + k] = 1;
}

/* Rounds v[0..K) to whole numbers with the same (rounded) sum: those with the largest remainders
 * give way. */
static void round_row(finder *f, double *v)
{
    double *whole = f->scratch, wanted = rint(sum_pairwise(v, f->K)), sum = 0;
    for (size_t k = 0; k < f->K; k++)
        sum += whole[k] = rint(v[k]);
    while (fabs(sum - wanted) > SLACK) {
        double missing = rint(wanted - sum), step = missing < 0 ? -1 : 1;
        size_t changes = fabs(missing) < (double)f->K ? (size_t)fabs(missing) : f->K;
        for (size_t k = 0; k < f->K; k++)
            f->order[k] = (keyed){v[k] - whole[k], k};
        qsort(f->order, f->K, sizeof *f->order, by_key);
        for (size_t c = 0; c < changes; c++)
            whole[f->order[step > 0 ? f->K - 1 - c : c].index] += step;
        for (sum = 0, changes = 0; changes < f->K; changes++)
            sum += whole[changes];
    }
    memcpy(v, whole, f->K * sizeof *v);
}

/* Scales joint so that row k adds up to the rows of class k, and rounds it. */
static void calibrate(finder *f)
{
    size_t K = f->K;
    double total;
    for (size_t k = 0; k < K; k++) {
        double sum = 0;
        for (size_t j = 0; j < K; j++)
            sum += f->joint[k * K + j];
        for (size_t j = 0; j < K; j++)
            f->joint[k * K + j] = f->joint[k * K + j] / sum * (double)f->rows_of[k];
    }
    for (size_t k = 0; k < K; k++)
        for (size_t j = 0; j < K; j++)
            f->scratch[j * K + k] = f->joint[k * K + j];
    total = sum_pairwise(f->scratch, K * K);
    if (total < TINY)
        total = TINY;
    for (size_t i = 0; i < K * K; i++)
        f->joint[i] = f->joint[i] / total * (double)f->n;
    for (size_t k = 0; k < K; k++)
        round_row(f, f->joint + k * K);
}

/* A class keeps at least one row as it is: where the joint leaves none, its other counts give way
 * evenly. */
static void keep_one(finder *f)
{
    for (size_t k = 0; k < f->K; k++) {
        double *row = f->joint + k * f->K, raised = row[k] < 1 ? 1 - row[k] : 0;
        size_t others = 0;
        for (size_t j = 0; j < f->K; j++)
            others += row[j] != 0;
        others = others > 2 ? others - 1 : 1;
        for (size_t j = 0; j < f->K; j++)
            row[j] = j == k ? row[j] + raised
                            : floor(fmax(row[j] - raised / (double)others, 0));
    }
}

/* Flags the joint[k][j] rows of class k with the largest p_j - p_k. */
static void flag_pair(finder *f, size_t k, size_t j)
{
    size_t m = 0, wanted = (size_t)f->joint[k * f->K + j];
    for (size_t i = 0; i < f->n; i++)
        if (f->given[i] == k) {
            const double *p = f->p + i * f->K;
            f->order[m++] = (keyed){-(p[j] - p[k]), i};
        }
    qsort(f->order, m, sizeof *f->order, by_key);
    for (size_t i = 0; i < m && i < wanted; i++)
        f->flagged[f->order[i].index] = 1;
}

static void flag_all(finder *f)
{
    for (size_t k = 0; k < f->K; k++)
        for (size_t j = 0; j < f->K; j++)
            if (j != k && f->rows_of[k] > 1 && f->joint[k * f->K + j] > 0)
                flag_pair(f, k, j);
}

/* Whether no class is more probable than the given one (by over SLACK; of equal ones the first
 * counts). */
static int predicts_given(const double *p, size_t given, size_t K)
{
    for (size_t k = 0; k < K; k++)
        if (k != given && (p[k] > p[given] + SLACK || (k < given && p[k] == p[given] + SLACK)))
            return 0;
    return 1;
}

static double quality(const double *p, size_t given, size_t K, enum ft_rank rank)
{
    double other = -1;
    for (size_t k = 0; k < K; k++)
        if (k != given && p[k] > other)
            other = p[k];
    return rank == FT_RANK_SELF ? p[given] : (p[given] - other + 1) / 2;
}

static int collect(finder *f, enum ft_rank rank, ft_confident *found, ft_err *e)
{
    size_t m = 0;
    for (size_t i = 0; i < f->n; i++) {
        const double *p = f->p + i * f->K;
        if (f->flagged[i] && !predicts_given(p, f->given[i], f->K))
            f->order[m++] = (keyed){quality(p, f->given[i], f->K, rank), i};
    }
    qsort(f->order, m, sizeof *f->order, by_key);
    found->rows = ft_new(m, sizeof *found->rows, e);
    found->scores = ft_new(m, sizeof *found->scores, e);
    if (!found->rows || !found->scores) {
        ft_confident_free(found);
        return FT_ERR_NOMEM;
    }
    found->n = m;
    for (size_t i = 0; i < m; i++) {
        found->rows[i] = f->order[i].index;
        found->scores[i] = f->order[i].key;
    }
    return 0;
}

static int make_room(finder *f, ft_err *e)
{
    size_t cells;
    if (__builtin_mul_overflow(f->K, f->K, &cells))
        return ft_err_nomem(e, SIZE_MAX);
    f->rows_of = ft_new(f->K, sizeof *f->rows_of, e);
    f->threshold = ft_new(f->K, sizeof *f->threshold, e);
    f->joint = ft_new(cells, sizeof *f->joint, e);
    f->scratch = ft_new(f->n > cells ? f->n : cells, sizeof *f->scratch, e);
    f->order = ft_new(f->n > f->K ? f->n : f->K, sizeof *f->order, e);
    f->flagged = ft_new(f->n, 1, e);
    return f->rows_of && f->threshold && f->joint && f->scratch && f->order && f->flagged
               ? 0 : FT_ERR_NOMEM;
}

int ft_confident_find(const double *p, const uint32_t *given, size_t n, size_t K,
                      enum ft_rank rank, ft_confident *found, ft_err *e)
{
    finder f = {.p = p, .given = given, .n = n, .K = K};
    int rc;
    *found = (ft_confident){0};
    if ((rc = check_input(&f, e)) == 0 && (rc = make_room(&f, e)) == 0) {
        find_thresholds(&f);
        count_joint(&f);
        calibrate(&f);
        keep_one(&f);
        flag_all(&f);
        rc = collect(&f, rank, found, e);
    }
    ft_free(f.rows_of);
    ft_free(f.threshold);
    ft_free(f.joint);
    ft_free(f.scratch);
    ft_free(f.order);
    ft_free(f.flagged);
    return rc;
}

void ft_confident_free(ft_confident *found)
{
    ft_free(found->rows);
    ft_free(found->scores);
    *found = (ft_confident){0};
}
