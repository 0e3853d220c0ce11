/* blas.h: single-precision products by OpenBLAS, called from many threads, one thread each.
 *
 * OpenBLAS chooses its kernels when it is loaded, by a list of processors that was written before
 * many of today's; for one it does not know it takes the AVX2 set, at half of what AVX-512 gives.
 * So it is loaded at first use, told which set goes with the family of ft's own kernels (avx512:
 * SkylakeX, avx2: Haswell, ref: Nehalem): one FT_CPU, the same bytes, on any machine. A set named
 * in OPENBLAS_CORETYPE is respected.
 */
#ifndef FT_BLAS_H
#define FT_BLAS_H

#include "base/err.h"

#include <stddef.h>

/* Loads OpenBLAS and checks it on fixed shapes against plain C, once a process; call it before any
 * product, from the main thread. Errors: FT_ERR_NOMEM, FT_ERR_INTERNAL (missing, or
 * multiplies wrongly). */
int nn_blas_load(ft_err *e) FT_MUST_CHECK;

/* Another function of the library, which is loaded: its address is copied to *function, a pointer
 * to a function. Errors: FT_ERR_INTERNAL when the library has none of the name. */
int nn_blas_find(const char *name, void *function, ft_err *e) FT_MUST_CHECK;

/* All matrices row-major, with leading dimensions.
 * Y [m x n] = alpha X [m x k] W^T + beta Y, W [n x k]. */
void nn_gemm_nt(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy);
/* Y [m x n] = alpha X [m x k] W + beta Y, W [k x n]. */
void nn_gemm_nn(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy);
/* Y [m x n] = alpha X^T W + beta Y, X [k x m], W [k x n]. */
void nn_gemm_tn(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy);

#endif
