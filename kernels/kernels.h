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

enum { FT_HADAMARD = 64,           /* inputs that are mixed before they become bytes     */
       FT_PANEL = 64,              /* most columns of a packed panel                  */
       FT_TILE_QUERIES = 64,       /* queries of a tile of attention, a panel of them */
       FT_GROUP = 16 };            /* rows of weights that lie together in a group    */

/* Columns that a panel of n columns has in memory. */
#define FT_PANEL_WIDTH(n) (((n) + 15) & ~(size_t)15)

/* Which of 64 bytes are what, byte i in bit i. */
typedef struct ft_ascii_masks {
    uint64_t letter, digit;    /* A-Z a-z; 0-9                                               */
    uint64_t space, blank;     /* tab, line feed, 0b, 0c, carriage return or blank; blank    */
    uint64_t quote, wide;      /* apostrophe; 80 and above                                   */
} ft_ascii_masks;

/* Thirty-two numbers as bytes with sign: q = x * (127 / max|x|) to nearest, ties to even, of which
 * x is about q * scale, scale = max|x| / 127. (What is no number or very small: see below,
 * "products in bytes".) sum and first: of all q, and of the first sixteen; offset = scale * sum. */
typedef struct ft_block_s8 {
    float scale, offset;
    int32_t sum, first;
    int8_t q[32];
} ft_block_s8;

/* Rows of weights in groups of FT_GROUP, k columns in blocks of 32 (K: super-blocks of 256). A
 * group is its codes, block after block; then the scales, block after block; then what
 * super-blocks have; then bytes up to a multiple of 64. Each is FT_GROUP numbers, one of each row,
 * and rows that are missing at the end have zeros.
 *
 *   codes, bytes:    for t = 0..7, row by row: codes 4t..4t+3 of the block
 *   codes, nibbles:  for t = 0..3, row by row: four bytes, in their low halves the codes 4t..4t+3,
 *                    in the high ones 16+4t..16+4t+3
 *
 *   FT_NIBBLES      w = d (c - 8)          scales: half d                      Q4_0
 *   FT_NIBBLES_MIN  w = d c + m            half d; half m                      Q4_1
 *   FT_BYTES        w = d (c - 128)        half d                              Q8_0, Q5_0
 *   FT_BYTES_MIN    w = d (c - 128) + m    half d; half m                      Q5_1
 *   FT_NIBBLES_K    w = D s c - M t        bytes s, t; super half D; half M    Q4_K
 *   FT_BYTES_K      w = D s (c - 128) - M t                                    Q5_K
 *   FT_BYTES_K16    w = D s (c - 128)      bytes with sign: s of codes 0..15, s of codes 16..31;
 *                                          super half D                        Q6_K        */
enum ft_groups { FT_NIBBLES, FT_NIBBLES_MIN, FT_BYTES, FT_BYTES_MIN, FT_NIBBLES_K, FT_BYTES_K,
                 FT_BYTES_K16 };

/* Rows of x (m of them, ldx elements apart) with rows of weights in blocks: y[i*ldy + j]. */
typedef void ft_dot_blocks(const float *x, size_t ldx, size_t m, const void *w, size_t n, size_t k,
                           float *y, size_t ldy);
typedef void ft_dot_blocks_bf16(const uint16_t *x, size_t ldx, size_t m, const void *w, size_t n,
                                size_t k, float *y, size_t ldy);

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
    /* The same over rows of w that are still in their blocks, one behind the other; k is a multiple
     * of 32 (of 256 for the K types). The bits are those of dot_rows over the rows that dequant_…
     * makes of them, so a caller may decode first where many rows of x share the work. NULL in a
     * family where nothing is gained over that; NULL for all other types. */
    ft_dot_blocks *dot_f16, *dot_bf16, *dot_q8_0, *dot_q4_0, *dot_q4_1, *dot_q4_k, *dot_q6_k;
    /* dot_rows with both sides in bf16. Sums are floats: lane l of sixteen adds the products of
     * elements 32 t + 2 l and 32 t + 2 l + 1 for all t, then lanes are folded as in dot_rows. */
    void (*dot_rows_bf16)(const uint16_t *x, size_t ldx, size_t m, const uint16_t *w, size_t n,
                          size_t k, float *y, size_t ldy);
    /* That over blocks: the bits are those of dot_rows_bf16 over to_bf16 of what is decoded. */
    ft_dot_blocks_bf16 *dot_f16_bf16, *dot_bf16_bf16, *dot_q8_0_bf16, *dot_q4_0_bf16,
        *dot_q4_1_bf16, *dot_q4_k_bf16, *dot_q6_k_bf16;
    /* x in blocks of bytes; n is a multiple of 32. All families give the same bits. */
    void (*to_blocks_s8)(const float *x, ft_block_s8 *to, size_t n);
    /* y[i*ldy + j] = product of row i of x (k/32 blocks, rows ldx blocks apart, m of them) and row
     * j of w (groups one behind the other, n rows). Sums of products of a block's codes (with their
     * sign) and bytes are whole numbers and exact. y begins as 0; for each block, in their order,
     * with sums, products and scales in floats: y = fma(sum, d * x.scale, y), then y = fma(m,
     * x.offset, y) for the types with a minimum (K: d = D s, m = -(M t)); K16: fma for the first
     * sixteen codes, then for the others. All families give the same bits. */
    void (*dot_groups)(enum ft_groups type, const ft_block_s8 *x, size_t ldx, size_t m,
                       const void *w, size_t n, size_t k, float *y, size_t ldy);
    /* Attention's sum: y [m x n] += P V; row i of P is k numbers, ldp apart, V k rows of n, which
     * lie one behind the other. Element by element in the order of k, as axpy would add them: the
     * same bits. */
    void (*add_rows)(const float *p, size_t ldp, size_t m, const float *v, size_t k, size_t n,
                     float *y);
    void (*axpy)(float a, const float *x, float *y, size_t n);     /* y += a * x */
    void (*scale)(float a, float *x, size_t n);                    /* x *= a     */
    double (*sum_squares)(const float *x, size_t n);
    /* Sparse rows times a table w of rows of `width` floats, a multiple of 8: z += the sum of
     * x[i] w[row[i]] over i < n; and its gradient, w[row[i]] += x[i] z for i < n, one after the
     * other. z and w do not overlap. */
    void (*sparse_rows)(const float *w, size_t width, const uint32_t *row, const float *x, size_t n,
                        float *z);
    void (*sparse_rows_back)(float *w, size_t width, const uint32_t *row, const float *x, size_t n,
                             const float *z);

    /* ---- products of rows with a packed panel ----
     *
     * C [m x n] = A B, or C += A B when add is set, for n <= FT_PANEL. A: m rows of k elements,
     * lda elements apart. B [k x n] is packed in a panel of FT_PANEL_WIDTH(n) columns, the missing
     * ones zero: in floats row after row; in bf16 by pairs of rows, (k + 1) / 2 pairs, and in a
     * pair column after column:
     *
     *     b[0][0] b[1][0] | b[0][1] b[1][1] | … | b[2][0] b[3][0] | …
     *
     * For bf16 k is even (a caller with an odd k has a zero at the end of each row of A). Sums are
     * floats. The bits of an element depend on its row of A and its column of B only. */
    void (*gemm_f32)(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                     float *c, size_t ldc, int add);
    void (*gemm_bf16)(size_t m, size_t n, size_t k, const void *a, size_t lda, const void *panel,
                      float *c, size_t ldc, int add);
    /* pack_rows: column j of the panel is row j of src (n rows of k elements, lds apart).
     * pack_cols: column j of the panel is column j of src (k rows of n elements, lds apart). */
    void (*pack_rows_f32)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    void (*pack_cols_f32)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    void (*pack_rows_bf16)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    void (*pack_cols_bf16)(const void *src, size_t lds, size_t n, size_t k, void *panel);
    /* To nearest, ties to even; NaN stays NaN. A denormal may become zero of its sign: the
     * instructions of the wide families (these products' and attention's too) take it for that. */
    void (*to_bf16)(const float *src, uint16_t *dst, size_t n);

    /* ---- the same products in bytes, each row of A and each column of B with a scale ----
     *
     * A number x is q * scale, scale = max|x| / 127 over its row or column, q = x * (127 / max|x|)
     * to nearest, ties to even. Numbers whose max|x| is below 2^-100 count as zeros: their scale is
     * 0. A NaN or an infinity makes the scale NaN and every q 0, so that it reaches all of C that
     * depends on it. All families give the same bits.
     *
     * A row of A holds q + 128, bytes without sign, as vpdpbusd wants; a panel holds q, by groups
     * of four rows, (k + 3) / 4 groups, in a group column after column, what is missing zero:
     *
     *     b[0][0] b[1][0] b[2][0] b[3][0] | b[0][1] b[1][1] b[2][1] b[3][1] | …
     *
     * offset[j] = 128 times the sum of column j of q, which the products of the 128s add up to. */
    /* Mixes each whole block of FT_HADAMARD elements by the orthonormal Hadamard matrix in its
     * natural order, in place; what is left over stays. A product does not change when both its
     * sides are mixed along k, and an outlier is spread over its block before one scale has to
     * serve all of it (Ashkboos et al. 2024). rows: along k of [rows x n], ld apart. */
    void (*hadamard)(float *x, size_t n);
    void (*hadamard_rows)(float *x, size_t ld, size_t rows, size_t n);
    float (*quantise_row_s8)(const float *x, uint8_t *q, size_t n);    /* returns the scale */
    /* As pack_rows and pack_cols above, of floats; n scales, n offsets. */
    void (*pack_rows_s8)(const float *src, size_t lds, size_t n, size_t k, void *panel,
                         float *scale, int32_t *offset);
    void (*pack_cols_s8)(const float *src, size_t lds, size_t n, size_t k, void *panel,
                         float *scale, int32_t *offset);
    /* C [m x n] (+)= ((float)(sum of products - offset[j]) * a_scale[i]) * scale[j]. k is a
     * multiple of 4 (a caller with another k has any bytes at the end of each row of A) and at most
     * 65536, up to which the sum is exact. lda in bytes. */
    void (*gemm_s8)(size_t m, size_t n, size_t k, const uint8_t *a, size_t lda,
                    const float *a_scale, const void *panel, const float *scale,
                    const int32_t *offset, float *c, size_t ldc, int add);

    /* ---- attention, one tile of scores at a time, keys by queries ----
     *
     * s: [keys x FT_TILE_QUERIES] products of keys and queries. Query q sees the first limit[q]
     * keys of the tile (none when <= 0; more than there are is all); what s holds where it does not
     * see does not matter.
     *
     * Forward (online softmax: Milakov and Gimelshein 2018): max and sum hold each query's running
     * maximum of s*scale and sum of exp(s*scale - max), at first -inf and 0, and are brought up to
     * date (a query without any key keeps those). panel: exp(s*scale - max), 0 where not seen,
     * packed as a panel of FT_TILE_QUERIES columns. factor: what earlier outputs must be multiplied
     * with. Returns: whether a factor is not 1. */
    int (*softmax_tile_f32)(const float *s, size_t keys, float scale, const int32_t *limit,
                            float *max, float *sum, float *factor, void *panel);
    int (*softmax_tile_bf16)(const float *s, size_t keys, float scale, const int32_t *limit,
                             float *max, float *sum, float *factor, void *panel);
    /* Backward (Dao et al. 2022, algorithm 4): p = exp(s*scale - lse), ds = p (dp - delta) scale,
     * 0 where not seen; both as rows of FT_TILE_QUERIES, ds as a panel too. */
    void (*softmax_tile_back_f32)(const float *s, const float *dp, size_t keys, float scale,
                                  const int32_t *limit, const float *lse, const float *delta,
                                  void *p_rows, void *ds_rows, void *ds_panel);
    void (*softmax_tile_back_bf16)(const float *s, const float *dp, size_t keys, float scale,
                                   const int32_t *limit, const float *lse, const float *delta,
                                   void *p_rows, void *ds_rows, void *ds_panel);

    /* One AdamW step (Loshchilov and Hutter 2019, algorithm 2) over n parameters:
     * m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
     * w -= lr * (m/c1 / (sqrt(v/c2) + eps) + decay * w), c1 = 1-b1^t, c2 = 1-b2^t. */
    void (*adamw)(float *w, float *m, float *v, const float *g, size_t n, float lr, float beta1,
                  float beta2, float c1, float c2, float eps, float decay);

    /* min[j] becomes the least of min[j] and the bits 32 to 63 of a[j]*h[i] + b[j] (modulo 2^64)
     * over all i < n, for j < k: MinHash (Broder 1997) by multiply-shift (Dietzfelbinger et al.
     * 1997). All families give the same bits. */
    void (*minhash)(const uint64_t *h, size_t n, const uint64_t *a, const uint64_t *b,
                    uint32_t *min, size_t k);

    /* Sorts the 64 bytes at p. All families give the same bits. */
    void (*ascii_masks)(const uint8_t *p, ft_ascii_masks *m);
} ft_kernels;

/* The table for this machine, chosen before main. Never NULL. Threads: any. */
const ft_kernels *ft_kernels_get(void);

/* The table of a family by name, or NULL when this processor lacks it (or no such family). */
const ft_kernels *ft_kernels_family(const char *name);

#endif
