#include "nn/lapack.h"

#include "nn/blas.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* LAPACK is Fortran: arguments by address, columns first, lengths of texts at the end. */
typedef void eigen_fn(const char *jobz, const char *range, const char *uplo, const int *n,
                      double *a, const int *lda, const double *vl, const double *vu, const int *il,
                      const int *iu, const double *abstol, int *m, double *w, double *z,
                      const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork,
                      const int *liwork, int *info, size_t n_jobz, size_t n_range, size_t n_uplo);
typedef void qr_fn(const int *m, const int *n, double *a, const int *lda, double *tau,
                   double *work, const int *lwork, int *info);
typedef void q_fn(const int *m, const int *n, const int *k, double *a, const int *lda,
                  const double *tau, double *work, const int *lwork, int *info);

static __typeof__(cblas_dgemm) *dgemm;
static __typeof__(cblas_dsyrk) *dsyrk;
static eigen_fn *dsyevr;
static qr_fn *dgeqrf;
static q_fn *dorgqr;

enum { BLOCK = 64 };          /* columns that LAPACK takes at once, at most */

/* ---- products ---- */

void nn_gram(size_t rows, size_t cols, const double *w, double *g)
{
    int tall = cols <= rows;
    size_t n = tall ? cols : rows, k = tall ? rows : cols;
    dsyrk(CblasRowMajor, CblasUpper, tall ? CblasTrans : CblasNoTrans, (int)n, (int)k, 1, w,
          (int)cols, 0, g, (int)n);
}

void nn_dgemm(size_t m, size_t n, size_t k, const double *x, const double *w, int by_rows,
              double *y)
{
    dgemm(CblasRowMajor, CblasNoTrans, by_rows ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k,
          1, x, (int)k, w, (int)(by_rows ? k : n), 0, y, (int)n);
}

/* ---- decompositions ---- */

/* The work of dsyevr, its eigenvalues (n of them), and two lists of ints. */
size_t nn_eigen_work(size_t n)
{
    return (BLOCK + 6) * n + n + 10 * n + 2 * n;
}

int nn_eigen_top(size_t n, size_t k, double *g, double *vectors, double *work, ft_err *e)
{
    int size = (int)n, from = (int)(n - k + 1), found = 0, info = 0;
    int n_work = (int)((BLOCK + 6) * n), n_ints = (int)(10 * n);
    double *values = work + (BLOCK + 6) * n, none = 0;
    int *ints = (int *)(void *)(values + n), *support = (int *)(void *)(values + n + 10 * n);
    dsyevr("V", "I", "L", &size, g, &size, &none, &none, &from, &size, &none, &found, values,
           vectors, &size, support, work, &n_work, ints, &n_ints, &info, 1, 1, 1);
    if (info != 0 || found != (int)k)
        return ft_err_set(e, FT_ERR_NUMERIC, "the singular vectors do not converge (dsyevr: %d)",
                          info);
    for (size_t i = 0; i < k / 2; i++)
        for (size_t j = 0; j < n; j++) {
            double x = vectors[i * n + j];
            vectors[i * n + j] = vectors[(k - 1 - i) * n + j];
            vectors[(k - 1 - i) * n + j] = x;
        }
    return 0;
}

size_t nn_basis_work(size_t k)
{
    return BLOCK * k + k;
}

int nn_basis(size_t k, size_t n, double *q, double *work, ft_err *e)
{
    int rows = (int)n, cols = (int)k, n_work = (int)(BLOCK * k), info = 0;
    double *tau = work + BLOCK * k;
    dgeqrf(&rows, &cols, q, &rows, tau, work, &n_work, &info);
    if (info == 0)
        dorgqr(&rows, &cols, &cols, q, &rows, tau, work, &n_work, &info);
    return info == 0 ? 0 : ft_err_set(e, FT_ERR_NUMERIC, "no orthonormal basis (LAPACK: %d)", info);
}

/* ---- loading ---- */

/* Largest |rows of q by each other - identity|, k x n. */
static double off_basis(size_t k, size_t n, const double *q)
{
    double most = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
            double sum = i == j ? -1 : 0;
            for (size_t c = 0; c < n; c++)
                sum += q[i * n + c] * q[j * n + c];
            most = fmax(most, fabs(sum));
        }
    return most;
}

/* A library that was built wrongly, or for numbers of 64 bits, shows here. */
static int check(ft_err *e)
{
    enum { ROWS = 19, N = 11, K = 3 };
    double w[ROWS * N], g[N * N], v[K * N], wv[K * ROWS], back[K * N], wrong;
    double work[(BLOCK + 19) * N];
    int rc;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++)
        w[i] = (double)((i * 2654435761u >> 7) % 1000) / 500 - 1;
    nn_gram(ROWS, N, w, g);
    if ((rc = nn_eigen_top(N, K, g, v, work, e)) < 0)
        return rc;
    wrong = off_basis(K, N, v);
    nn_dgemm(K, ROWS, N, v, w, 1, wv);
    nn_dgemm(K, N, ROWS, wv, w, 0, back);    /* W^T W v, in the direction of v */
    for (size_t i = 0; i < K; i++) {
        double value = 0;
        for (size_t c = 0; c < N; c++)
            value += back[i * N + c] * v[i * N + c];
        for (size_t c = 0; c < N; c++)
            wrong = fmax(wrong, fabs(back[i * N + c] - value * v[i * N + c]) / value);
    }
    if ((rc = nn_basis(K, N, w, work, e)) < 0)
        return rc;
    wrong = fmax(wrong, off_basis(K, N, w));
    if (!(wrong < 1e-9))
        return ft_err_set(e, FT_ERR_INTERNAL, "the LAPACK library decomposes wrongly on this "
                          "processor (%g); try another OPENBLAS_CORETYPE", wrong);
    return 0;
}

int nn_lapack_load(ft_err *e)
{
    int rc;
    if (dorgqr)
        return 0;
    if ((rc = nn_blas_load(e)) < 0 || (rc = nn_blas_find("cblas_dgemm", &dgemm, e)) < 0 ||
        (rc = nn_blas_find("cblas_dsyrk", &dsyrk, e)) < 0 ||
        (rc = nn_blas_find("dsyevr_", &dsyevr, e)) < 0 ||
        (rc = nn_blas_find("dgeqrf_", &dgeqrf, e)) < 0 ||
        (rc = nn_blas_find("dorgqr_", &dorgqr, e)) < 0)
        return rc;
    rc = check(e);
    if (rc < 0)
        dorgqr = NULL;
    return rc;
}
