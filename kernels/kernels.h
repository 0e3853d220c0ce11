/* kernels.h: the numeric leaves. No allocation, no I/O, no threads, no errors: a kernel gets
 * pointers and sizes that its caller has checked. Each op exists as op_ref.c in plain C, which is
 * the specification, and where it pays as op_avx2.c and op_avx512.c; dispatch.c fills this table
 * once, by CPUID, or as FT_CPU=ref|avx2|avx512 says.
 *
 * Any one member of a family gives the same bits for the same input, whatever the thread; two
 * families may differ in the last bits. Pointers need not be aligned. Lengths may be anything,
 * 0 included. Output never overlaps input unless said.
 */
#ifndef FT_KERNELS_H
#define FT_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ft_kernels {
    const char *name;                       /* "ref", "avx2", "avx512" */

    /* Dequantise n weights (a multiple of the block) to float. Layouts as in quant.h. */
    void (*dequant_f16)(const void *src, float *dst, size_t n);
    void (*dequant_bf16)(const void *src, float *dst, size_t n);
    void (*dequant_q8_0)(const void *src, float *dst, size_t n);
    void (*dequant_q4_0)(const void *src, float *dst, size_t n);
    void (*dequant_q4_1)(const void *src, float *dst, size_t n);
    void (*dequant_q5_0)(const void *src, float *dst, size_t n);
    void (*dequant_q5_1)(const void *src, float *dst, size_t n);
    /* Super-blocks of 256, in parts: src is the first byte of a super-block; weights [from,
     * from + n) counted from there, both multiples of 32, are decoded and nothing else is read
     * but the scales over them. */
    void (*dequant_q4_k)(const void *src, size_t from, float *dst, size_t n);
    void (*dequant_q5_k)(const void *src, size_t from, float *dst, size_t n);
    void (*dequant_q6_k)(const void *src, size_t from, float *dst, size_t n);
    /* NF4: codes points at the first byte of a block of 64, scale[i] belongs to block i from
     * there; from and n as above. */
    void (*dequant_nf4)(const void *codes, const float *scale, size_t from, float *dst, size_t n);

    /* y = x / sqrt(mean(x^2) + eps) * w; returns 1/sqrt(mean + eps), which backward wants.
     * (Zhang and Sennrich 2019, eq. 4.) */
    float (*rmsnorm)(const float *x, const float *w, float eps, float *y, size_t n);
    /* dx += dL/dx given dL/dy, x, w and the inverse rms of forward. */
    void (*rmsnorm_back)(const float *dy, const float *x, const float *w, float inv_rms,
                         float *dx, size_t n);

    /* Rotates pairs (x[2i], x[2i+1]) by an angle whose cosine and sine are cos_sin[2i],
     * cos_sin[2i+1]; in place; n elements of one head. back: by the opposite angle. (Su et al.
     * 2021, eq. 34, with the interleaved pairs that GGUF's row order has.) */
    void (*rope)(float *x, const float *cos_sin, size_t n);
    void (*rope_back)(float *x, const float *cos_sin, size_t n);

    /* y = silu(gate) * up, silu(g) = g / (1 + exp(-g)). (Shazeer 2020, SwiGLU.) */
    void (*swiglu)(const float *gate, const float *up, float *y, size_t n);
    /* Overwrites dgate and dup given dy. */
    void (*swiglu_back)(const float *dy, const float *gate, const float *up, float *dgate,
                        float *dup, size_t n);

    /* In place: x[i] = exp(x[i]*scale - max) / sum; returns log(sum) + max, of x*scale.
     * scale > 0. */
    float (*softmax)(float *x, float scale, size_t n);
    /* x[i] = exp(x[i]*scale - lse): recomputes a softmax row from its log-sum-exp. */
    void (*softmax_again)(float *x, float scale, float lse, size_t n);

    /* The largest element; -inf for n = 0. */
    float (*max)(const float *x, size_t n);
    /* Sum of exp(x[i] - shift). */
    float (*sum_exp)(const float *x, float shift, size_t n);

    float (*dot)(const float *a, const float *b, size_t n);
    /* y[i*ldy + j] = dot of row i of x (rows ldx apart, m of them) and row j of w (rows k apart, n
     * of them), both of k elements. The bits of an element depend on its two rows only, not on m,
     * n or where it stands. */
    void (*dot_rows)(const float *x, size_t ldx, size_t m, const float *w, size_t n, size_t k,
                     float *y, size_t ldy);
    void (*axpy)(float a, const float *x, float *y, size_t n);     /* y += a * x */
    void (*scale)(float a, float *x, size_t n);                    /* x *= a     */
    double (*sum_squares)(const float *x, size_t n);

    /* One AdamW step (Loshchilov and Hutter 2019, algorithm 2) over n parameters:
     * m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
     * w -= lr * (m/c1 / (sqrt(v/c2) + eps) + decay * w), c1 = 1-b1^t, c2 = 1-b2^t. */
    void (*adamw)(float *w, float *m, float *v, const float *g, size_t n, float lr, float beta1,
                  float beta2, float c1, float c2, float eps, float decay);
} ft_kernels;

/* The table for this machine, chosen before main. Never NULL. Threads: any. */
const ft_kernels *ft_kernels_get(void);

/* The table of a family by name, or NULL when this processor lacks it (or no such family). */
const ft_kernels *ft_kernels_family(const char *name);

#endif
