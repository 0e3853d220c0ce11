/* lapack.h: decompositions in double precision by the LAPACK inside OpenBLAS, one thread each; may
 * be called from many threads. Matrices are row-major, without gaps between rows.
 *
 *     nn_lapack_load(e);                              // once, from the main thread
 *     nn_gram(rows, cols, w, g);
 *     nn_eigen_top(n, k, g, vectors, work, e);
 */
#ifndef FT_LAPACK_H
#define FT_LAPACK_H

#include "base/err.h"

#include <stddef.h>

/* Loads OpenBLAS (blas.h) and finds the functions; checks them once a process on a fixed matrix.
 * Errors: those of nn_blas_load and nn_blas_find, FT_ERR_INTERNAL for a wrong result. */
int nn_lapack_load(ft_err *e) FT_MUST_CHECK;

/* Half (what nn_eigen_top reads) of W^T W when cols <= rows, else of W W^T: g [n x n], n the
 * smaller side of w [rows x cols]. */
void nn_gram(size_t rows, size_t cols, const double *w, double *g);

/* Y [m x n] = X [m x k] W [k x n], or with by_rows X W^T, W [n x k]. */
void nn_dgemm(size_t m, size_t n, size_t k, const double *x, const double *w, int by_rows,
              double *y);

/* Eigenvectors of the k largest eigenvalues of a symmetric g [n x n], which is destroyed, the
 * largest first: vectors [k x n], orthonormal. work: nn_eigen_work(n) doubles.
 * Errors: FT_ERR_NUMERIC. */
size_t nn_eigen_work(size_t n);
int nn_eigen_top(size_t n, size_t k, double *g, double *vectors, double *work,
                 ft_err *e) FT_MUST_CHECK;

/* Makes the rows of q [k x n], k <= n, an orthonormal basis, row after row, of the space of its
 * rows so far (Gram-Schmidt's, by Householder reflections). work: nn_basis_work(k) doubles.
 * Errors: FT_ERR_NUMERIC. */
size_t nn_basis_work(size_t k);
int nn_basis(size_t k, size_t n, double *q, double *work, ft_err *e) FT_MUST_CHECK;

#endif
