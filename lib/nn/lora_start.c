#include "nn/lora_start.h"

#include "base/mem.h"
#include "nn/lapack.h"

#include <math.h>
#include <string.h>

enum ft_lora_start ft_lora_start_by_name(const char *name)
{
    return strcmp(name, "default") == 0 ? FT_LORA_DEFAULT
           : strcmp(name, "pissa") == 0 ? FT_LORA_PISSA : FT_LORA_OLORA;
}

int ft_lora_start_new(ft_adapter **a, const ft_model *m, const ft_adapter_config *cfg,
                      uint64_t seed, ft_err *e)
{
    ft_adapter_config c = *cfg;
    int rc;
    *a = NULL;
    for (int t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        size_t most = (w->rows < w->cols ? w->rows : w->cols) / 2;
        if ((c.targets >> t & 1) && c.rank > most)
            return ft_err_set(e, FT_ERR_USAGE, "LoRA rank %zu does not fit %s, which is %zu x %zu: "
                              "with these initial values the adapter has twice the rank, so 1 to "
                              "%zu", c.rank, ft_target_name(t), w->rows, w->cols, most);
    }
    c.rank *= 2;
    c.alpha *= c.rslora ? sqrtf(2) : 2;    /* the same scaling */
    if (!(c.alpha > 0))
        return ft_err_set(e, FT_ERR_USAGE, "LoRA alpha must be over 0 with these initial values");
    rc = ft_adapter_new(a, m, &c, seed, e);
    if (rc == 0)
        (*a)->frozen = cfg->rank;
    return rc;
}

/* Doubles that one matrix takes. */
struct sizes {
    size_t w, square, vectors, others, work;
};

static struct sizes sizes_of(size_t rows, size_t cols, size_t R)
{
    size_t n = rows < cols ? rows : cols, work = nn_eigen_work(n), basis = nn_basis_work(R);
    return (struct sizes){rows * cols, n * n, R * (rows > cols ? rows : cols),
                          R * (rows > cols ? rows : cols), work > basis ? work : basis};
}

static size_t doubles_of(struct sizes s)
{
    return s.w + s.square + s.vectors + s.others + s.work;
}

static size_t lane_doubles(const ft_adapter *a, const ft_model *m)
{
    size_t most = 1;
    for (int t = 0; t < FT_TARGETS; t++) {
        const ft_weight *w = &m->layers[0].w[t];
        size_t n = doubles_of(sizes_of(w->rows, w->cols, a->frozen));
        if ((a->cfg.targets >> t & 1) && n > most)
            most = n;
    }
    return (most + 7) & ~(size_t)7;
}

size_t ft_lora_start_bytes(const ft_adapter *a, const ft_model *m)
{
    return lane_doubles(a, m) * sizeof(double);
}

/* ---- one matrix ---- */

struct filling {
    ft_adapter *a;
    const ft_model *m;
    enum ft_lora_start how;
    size_t lanes, lane_doubles;
    double *room;
    ft_err *errors;            /* of each lane */
};

/* W [rows x cols] as doubles. */
static int read_matrix(const ft_weight *w, double *out, float *line, ft_err *e)
{
    for (size_t r = 0; r < w->rows; r++) {
        ft_weight_part(w, r, 0, w->cols, line);
        for (size_t c = 0; c < w->cols; c++) {
            if (!isfinite(line[c]))
                return ft_err_set(e, FT_ERR_DATA, "weight %zu of row %zu is not finite", c, r);
            out[r * w->cols + c] = (double)line[c];
        }
    }
    return 0;
}

/* Writes pair r: row [cols] and column [rows] times their factors, in both halves. */
static void put_pair(const ft_adapter *a, size_t r, float *A, float *B, const ft_weight *w,
                     const double *row, double by_row, const double *column, double by_column)
{
    size_t R = a->frozen;
    for (size_t c = 0; c < w->cols; c++)
        A[r * w->cols + c] = A[(R + r) * w->cols + c] = (float)(row[c] * by_row);
    for (size_t i = 0; i < w->rows; i++) {
        B[i * 2 * R + r] = (float)(column[i] * by_column);
        B[i * 2 * R + R + r] = -B[i * 2 * R + r];
    }
}

static double sign_of_largest(const double *v, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (fabs(v[i]) > fabs(v[at]))
            at = i;
    return v[at] < 0 ? -1 : 1;
}

/* The singular vectors on the smaller side of W are the eigenvectors of the smaller of W W^T and
 * W^T W, which in double precision loses nothing that a float could hold; those on the other side
 * are what W makes of them. */
static int pissa(const ft_adapter *a, const ft_weight *w, float *A, float *B, double *W, ft_err *e)
{
    struct sizes s = sizes_of(w->rows, w->cols, a->frozen);
    double *g = W + s.w, *small = g + s.square, *large = small + s.vectors;
    double *work = large + s.others;
    size_t R = a->frozen, tall = w->cols <= w->rows, n = tall ? w->cols : w->rows;
    size_t other = tall ? w->rows : w->cols;
    int rc;
    nn_gram(w->rows, w->cols, W, g);
    if ((rc = nn_eigen_top(n, R, g, small, work, e)) < 0)
        return rc;
    nn_dgemm(R, other, n, small, W, (int)tall, large);
    for (size_t r = 0; r < R; r++) {
        const double *v = small + r * n, *x = large + r * other, *row = tall ? v : x;
        double sum = 0, value, f, sign = sign_of_largest(row, w->cols);
        for (size_t i = 0; i < other; i++)
            sum += x[i] * x[i];
        value = sqrt(sum);
        f = sqrt(value / (double)a->scaling) * sign;
        sum = value > 0 ? f / value : 0;
        put_pair(a, r, A, B, w, row, tall ? f : sum, tall ? x : v, tall ? sum : f);
    }
    return 0;
}

static int olora(const ft_adapter *a, const ft_weight *w, float *A, float *B, double *W, ft_err *e)
{
    struct sizes s = sizes_of(w->rows, w->cols, a->frozen);
    double *q = W + s.w + s.square, *r_rows = q + s.vectors, *work = r_rows + s.others;
    size_t R = a->frozen;
    int rc;
    for (size_t r = 0; r < R; r++)
        for (size_t i = 0; i < w->rows; i++)
            q[r * w->rows + i] = W[i * w->cols + r];
    if ((rc = nn_basis(R, w->rows, q, work, e)) < 0)
        return rc;
    nn_dgemm(R, w->cols, w->rows, q, W, 0, r_rows);
    for (size_t r = 0; r < R; r++) {
        double *row = r_rows + r * w->cols, sign = row[r] < 0 ? -1 : 1;
        for (size_t c = 0; c < r; c++)
            row[c] = 0;
        put_pair(a, r, A, B, w, row, sign, q + r * w->rows, sign);
    }
    return 0;
}

/* ---- all of them ---- */

/* A lane takes every so many-th matrix. */
static void fill_lane(void *ctx, size_t lane, unsigned worker)
{
    const struct filling *f = ctx;
    double *W = f->room + lane * f->lane_doubles;
    size_t number = 0;
    int rc = 0;
    (void)worker;
    for (size_t l = 0; l < f->m->L; l++)
        for (int t = 0; t < FT_TARGETS && rc == 0; t++) {
            const ft_weight *w = &f->m->layers[l].w[t];
            float *A = ft_lora_a(f->a, f->a->params, l, (enum ft_target)t);
            float *B = ft_lora_b(f->a, f->a->params, l, (enum ft_target)t);
            struct sizes s = sizes_of(w->rows, w->cols, f->a->frozen);
            if (!A || number++ % f->lanes != lane)
                continue;
            rc = read_matrix(w, W, (float *)(void *)(W + s.w + s.square), &f->errors[lane]);
            if (rc == 0)
                rc = (f->how == FT_LORA_PISSA ? pissa : olora)(f->a, w, A, B, W, &f->errors[lane]);
            if (rc < 0)
                ft_err_wrap(&f->errors[lane], "layer %zu, %s", l, ft_target_name(t));
        }
}

int ft_lora_start_fill(ft_adapter *a, const ft_model *m, enum ft_lora_start how, size_t room,
                       ft_pool *pool, ft_err *e)
{
    struct filling f = {.a = a, .m = m, .how = how, .lane_doubles = lane_doubles(a, m)};
    int rc = nn_lapack_load(e);
    if (rc < 0)
        return rc;
    f.lanes = room / (f.lane_doubles * sizeof(double));
    if (f.lanes > ft_pool_threads(pool))
        f.lanes = ft_pool_threads(pool);
    if (f.lanes < 1)
        f.lanes = 1;
    f.room = ft_new_aligned(f.lanes * f.lane_doubles, sizeof *f.room, e);
    f.errors = f.room ? ft_new(f.lanes, sizeof *f.errors, e) : NULL;
    if (f.errors)
        ft_pool_run(pool, f.lanes, fill_lane, &f);
    else
        rc = FT_ERR_NOMEM;
    for (size_t i = 0; rc == 0 && i < f.lanes; i++)
        if (f.errors[i].code < 0) {
            *e = f.errors[i];
            rc = e->code;
        }
    ft_free(f.room);
    ft_free(f.errors);
    return rc;
}
