#define _POSIX_C_SOURCE 200809L
#include "nn/blas.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <cblas.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static __typeof__(cblas_sgemm) *sgemm;
static void *library;

void nn_gemm_nt(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy)
{
    sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, alpha, x, (int)ldx, w,
          (int)ldw, beta, y, (int)ldy);
}

void nn_gemm_nn(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy)
{
    sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha, x, (int)ldx, w,
          (int)ldw, beta, y, (int)ldy);
}

void nn_gemm_tn(size_t m, size_t n, size_t k, float alpha, const float *x, size_t ldx,
                const float *w, size_t ldw, float beta, float *y, size_t ldy)
{
    sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha, x, (int)ldx, w,
          (int)ldw, beta, y, (int)ldy);
}

/* Some BLAS builds have computed wrong products on some processors: ask once, on shapes with odd
 * edges, against plain sums. */
static int check_products(ft_err *e)
{
    enum { M = 37, N = 41, K = 67 };
    float x[M * K], w[N * K], y[M * N];
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 1000) / 500 - 1;
    for (size_t i = 0; i < sizeof w / sizeof w[0]; i++)
        w[i] = (float)((i * 2246822519u >> 9) % 1000) / 500 - 1;
    nn_gemm_nt(M, N, K, 1, x, K, w, K, 0, y, N);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += (double)x[i * K + k] * (double)w[j * K + k];
            if (!(fabs(sum - (double)y[i * N + j]) <= 1e-4))
                return ft_err_set(e, FT_ERR_INTERNAL, "the BLAS library multiplies wrongly on this "
                                  "processor (%zu, %zu: %g instead of %g); try another "
                                  "OPENBLAS_CORETYPE", i, j, (double)y[i * N + j], sum);
        }
    return 0;
}

/* What OpenBLAS reads at loading: its kernel set, without which it would compute other bits, and
 * that it need not start threads. */
static int advise(ft_err *e)
{
    const char *family = ft_kernels_get()->name;
    const char *core = strcmp(family, "avx512") == 0 ? "SkylakeX"
                       : strcmp(family, "avx2") == 0 ? "Haswell" : "Nehalem";
    if (setenv("OPENBLAS_CORETYPE", core, 0) < 0 || setenv("OPENBLAS_NUM_THREADS", "1", 1) < 0)
        return ft_err_nomem(e, sizeof "OPENBLAS_CORETYPE=SkylakeX");
    return 0;
}

/* Whether the loader ran out of memory, of which it tells only in words. */
static int is_nomem(const char *why)
{
    static const char *const words[] = {"out of memory", "cannot allocate", "cannot create",
                                        "cannot extend"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(why, words[i]))
            return 1;
    return strstr(why, strerror(ENOMEM)) != NULL;
}

static int loading_failed(ft_err *e)
{
    const char *why = dlerror();
    if (!why || is_nomem(why))
        return ft_err_set(e, FT_ERR_NOMEM, "out of memory while loading libopenblas.so.0");
    return ft_err_set(e, FT_ERR_INTERNAL, "cannot load libopenblas.so.0 (Debian package "
                      "libopenblas0): %s", why);
}

/* OpenBLAS maps its work space when it is loaded, and ends the process when it cannot. */
static int have_room(ft_err *e)
{
    enum { WORK_SPACE = 64 << 20 };
    void *p = ft_new_aligned(WORK_SPACE, 1, e);
    ft_free(p);
    return p ? 0 : FT_ERR_NOMEM;
}

int nn_blas_find(const char *name, void *function, ft_err *e)
{
    void *found = library ? dlsym(library, name) : NULL;
    if (!found)
        return ft_err_set(e, FT_ERR_INTERNAL, "libopenblas.so.0 has no %s: it was built without "
                          "LAPACK (Debian's package libopenblas0 has it)", name);
    memcpy(function, &found, sizeof found);
    return 0;
}

int nn_blas_load(ft_err *e)
{
    void *found;
    if (sgemm)
        return 0;
    if (have_room(e) < 0 || advise(e) < 0)
        return FT_ERR_NOMEM;
    library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    found = library ? dlsym(library, "cblas_sgemm") : NULL;
    if (!found)
        return loading_failed(e);
    memcpy(&sgemm, &found, sizeof sgemm);
    return check_products(e);
}
