/* kernels_internal.h: the members of the kernel families, named ft_k_<op>_<isa>. Only dispatch.c
 * and tests/kernels include it; everybody else calls through the table of kernels.h, where the
 * contract of each op stands. */
#ifndef FT_KERNELS_INTERNAL_H
#define FT_KERNELS_INTERNAL_H

#include "kernels/kernels.h"

/* What the processor and the operating system support, as groups that ft uses together. */
struct ft_cpu {
    int avx2;      /* AVX2, FMA, F16C; the system saves ymm                         */
    int avx512;    /* and AVX-512 F, BW, VL, DQ, VNNI, BF16; the system saves zmm    */
};
struct ft_cpu ft_cpu_detect(void);

/* Declares one op for one instruction set with the type it has in the table. */
#define FT_K(op, isa) extern __typeof__(*((ft_kernels *)0)->op) ft_k_##op##_##isa

FT_K(dequant_f16, ref);
FT_K(dequant_bf16, ref);
FT_K(dequant_q8_0, ref);
FT_K(dequant_q4_0, ref);
FT_K(dequant_q4_1, ref);
FT_K(dequant_q5_0, ref);
FT_K(dequant_q5_1, ref);
FT_K(dequant_q4_k, ref);
FT_K(dequant_q5_k, ref);
FT_K(dequant_q6_k, ref);
FT_K(dequant_nf4, ref);
FT_K(dequant_f16, avx2);
FT_K(dequant_bf16, avx2);
FT_K(dequant_q8_0, avx2);
FT_K(dequant_q4_0, avx2);
FT_K(dequant_q4_1, avx2);
FT_K(dequant_q5_0, avx2);
FT_K(dequant_q5_1, avx2);
FT_K(dequant_q4_k, avx2);
FT_K(dequant_q5_k, avx2);
FT_K(dequant_q6_k, avx2);
FT_K(dequant_nf4, avx2);
FT_K(dequant_f16, avx512);
FT_K(dequant_bf16, avx512);
FT_K(dequant_q8_0, avx512);
FT_K(dequant_q4_0, avx512);
FT_K(dequant_q4_1, avx512);
FT_K(dequant_q5_0, avx512);
FT_K(dequant_q5_1, avx512);
FT_K(dequant_q4_k, avx512);
FT_K(dequant_q5_k, avx512);
FT_K(dequant_q6_k, avx512);
FT_K(dequant_nf4, avx512);

FT_K(rmsnorm, ref);
FT_K(rmsnorm_back, ref);
FT_K(rope, ref);
FT_K(rope_back, ref);
FT_K(rope, avx2);
FT_K(rope_back, avx2);
FT_K(swiglu, ref);
FT_K(swiglu_back, ref);
FT_K(softmax, ref);
FT_K(softmax_again, ref);
FT_K(max, ref);
FT_K(sum_exp, ref);
FT_K(dot, ref);
FT_K(dot_rows, ref);
FT_K(dot_rows, avx2);
FT_K(dot_rows, avx512);
FT_K(dot_f16, avx512);
FT_K(dot_f16_bf16, avx512);
FT_K(dot_bf16, avx512);
FT_K(dot_bf16_bf16, avx512);
FT_K(dot_q8_0, avx512);
FT_K(dot_q8_0_bf16, avx512);
FT_K(dot_q4_0, avx512);
FT_K(dot_q4_0_bf16, avx512);
FT_K(dot_q4_1, avx512);
FT_K(dot_q4_1_bf16, avx512);
FT_K(dot_q4_k, avx512);
FT_K(dot_q4_k_bf16, avx512);
FT_K(dot_q6_k, avx512);
FT_K(dot_q6_k_bf16, avx512);
FT_K(dot_rows_bf16, ref);
FT_K(dot_rows_bf16, avx2);
FT_K(dot_rows_bf16, avx512);
FT_K(add_rows, ref);
FT_K(add_rows, avx2);
FT_K(add_rows, avx512);
FT_K(axpy, ref);
FT_K(scale, ref);
FT_K(swiglu, avx2);
FT_K(swiglu_back, avx2);
FT_K(softmax, avx2);
FT_K(softmax_again, avx2);
FT_K(max, avx2);
FT_K(sum_exp, avx2);
FT_K(swiglu, avx512);
FT_K(swiglu_back, avx512);
FT_K(softmax, avx512);
FT_K(softmax_again, avx512);
FT_K(max, avx512);
FT_K(sum_exp, avx512);
FT_K(sum_squares, ref);
FT_K(adamw, ref);
FT_K(rmsnorm, avx2);
FT_K(rmsnorm_back, avx2);
FT_K(dot, avx2);
FT_K(axpy, avx2);
FT_K(scale, avx2);
FT_K(sum_squares, avx2);
FT_K(adamw, avx2);

FT_K(minhash, ref);
FT_K(minhash, avx2);
FT_K(minhash, avx512);

FT_K(hadamard, ref);
FT_K(hadamard_rows, ref);
FT_K(hadamard, avx512);
FT_K(hadamard_rows, avx512);
FT_K(gemm_f32, ref);
FT_K(gemm_bf16, ref);
FT_K(pack_rows_f32, ref);
FT_K(pack_cols_f32, ref);
FT_K(pack_rows_bf16, ref);
FT_K(pack_cols_bf16, ref);
FT_K(to_bf16, ref);
FT_K(softmax_tile_f32, ref);
FT_K(softmax_tile_bf16, ref);
FT_K(softmax_tile_back_f32, ref);
FT_K(softmax_tile_back_bf16, ref);
FT_K(gemm_f32, avx2);
FT_K(gemm_bf16, avx2);
FT_K(pack_rows_f32, avx2);
FT_K(pack_cols_f32, avx2);
FT_K(pack_rows_bf16, avx2);
FT_K(pack_cols_bf16, avx2);
FT_K(to_bf16, avx2);
FT_K(softmax_tile_f32, avx2);
FT_K(softmax_tile_bf16, avx2);
FT_K(softmax_tile_back_f32, avx2);
FT_K(softmax_tile_back_bf16, avx2);
FT_K(gemm_f32, avx512);
FT_K(gemm_bf16, avx512);
FT_K(pack_rows_bf16, avx512);
FT_K(to_bf16, avx512);
FT_K(softmax_tile_f32, avx512);
FT_K(softmax_tile_bf16, avx512);
FT_K(softmax_tile_back_f32, avx512);
FT_K(softmax_tile_back_bf16, avx512);

FT_K(quantise_row_s8, ref);
FT_K(pack_rows_s8, ref);
FT_K(pack_cols_s8, ref);
FT_K(gemm_s8, ref);
FT_K(quantise_row_s8, avx2);
FT_K(pack_rows_s8, avx2);
FT_K(pack_cols_s8, avx2);
FT_K(gemm_s8, avx2);
FT_K(quantise_row_s8, avx512);
FT_K(pack_rows_s8, avx512);
FT_K(pack_cols_s8, avx512);
FT_K(gemm_s8, avx512);

FT_K(to_blocks_s8, ref);
FT_K(to_blocks_s8, avx2);
FT_K(to_blocks_s8, avx512);
FT_K(dot_groups, ref);
FT_K(dot_groups, avx2);
FT_K(dot_groups, avx512);

FT_K(sparse_rows, ref);
FT_K(sparse_rows_back, ref);
FT_K(sparse_rows, avx2);
FT_K(sparse_rows_back, avx2);

FT_K(ascii_masks, ref);
FT_K(ascii_masks, avx2);
FT_K(ascii_masks, avx512);

#endif
