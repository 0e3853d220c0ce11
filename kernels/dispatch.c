/* dispatch.c: fills the kernel tables. Each family begins as a copy of the one below it and
 * replaces what it does better, so an op without a wide form simply stays the reference. */
#include "kernels/kernels_internal.h"

#include <stdlib.h>
#include <string.h>

static const ft_kernels ref = {
    .name = "ref",
    .dequant_f16 = ft_k_dequant_f16_ref, .dequant_bf16 = ft_k_dequant_bf16_ref,
    .dequant_q8_0 = ft_k_dequant_q8_0_ref, .dequant_q4_0 = ft_k_dequant_q4_0_ref,
    .dequant_q4_1 = ft_k_dequant_q4_1_ref,
    .dequant_q5_0 = ft_k_dequant_q5_0_ref, .dequant_q5_1 = ft_k_dequant_q5_1_ref,
    .dequant_q4_k = ft_k_dequant_q4_k_ref, .dequant_q5_k = ft_k_dequant_q5_k_ref,
    .dequant_q6_k = ft_k_dequant_q6_k_ref, .dequant_nf4 = ft_k_dequant_nf4_ref,
    .rmsnorm = ft_k_rmsnorm_ref, .rmsnorm_back = ft_k_rmsnorm_back_ref,
    .rope = ft_k_rope_ref, .rope_back = ft_k_rope_back_ref,
    .swiglu = ft_k_swiglu_ref, .swiglu_back = ft_k_swiglu_back_ref,
    .softmax = ft_k_softmax_ref, .softmax_again = ft_k_softmax_again_ref,
    .max = ft_k_max_ref, .sum_exp = ft_k_sum_exp_ref,
    .dot = ft_k_dot_ref, .dot_rows = ft_k_dot_rows_ref,
    .dot_rows_bf16 = ft_k_dot_rows_bf16_ref, .add_rows = ft_k_add_rows_ref,
    .to_blocks_s8 = ft_k_to_blocks_s8_ref, .dot_groups = ft_k_dot_groups_ref,
    .axpy = ft_k_axpy_ref, .scale = ft_k_scale_ref,
    .sum_squares = ft_k_sum_squares_ref, .adamw = ft_k_adamw_ref,
    .hadamard = ft_k_hadamard_ref,
    .hadamard_rows = ft_k_hadamard_rows_ref,
    .gemm_f32 = ft_k_gemm_f32_ref,
    .gemm_bf16 = ft_k_gemm_bf16_ref,
    .pack_rows_f32 = ft_k_pack_rows_f32_ref,
    .pack_cols_f32 = ft_k_pack_cols_f32_ref,
    .pack_rows_bf16 = ft_k_pack_rows_bf16_ref,
    .pack_cols_bf16 = ft_k_pack_cols_bf16_ref,
    .to_bf16 = ft_k_to_bf16_ref,
    .quantise_row_s8 = ft_k_quantise_row_s8_ref, .gemm_s8 = ft_k_gemm_s8_ref,
    .pack_rows_s8 = ft_k_pack_rows_s8_ref, .pack_cols_s8 = ft_k_pack_cols_s8_ref,
    .softmax_tile_f32 = ft_k_softmax_tile_f32_ref,
    .softmax_tile_bf16 = ft_k_softmax_tile_bf16_ref,
    .softmax_tile_back_f32 = ft_k_softmax_tile_back_f32_ref,
    .softmax_tile_back_bf16 = ft_k_softmax_tile_back_bf16_ref,
    .sparse_rows = ft_k_sparse_rows_ref, .sparse_rows_back = ft_k_sparse_rows_back_ref,
    .minhash = ft_k_minhash_ref,
    .ascii_masks = ft_k_ascii_masks_ref,
};

#if defined(__x86_64__)
static ft_kernels avx2_of(ft_kernels k)
{
    k.name = "avx2";
    k.dequant_f16 = ft_k_dequant_f16_avx2;
    k.dequant_bf16 = ft_k_dequant_bf16_avx2;
    k.dequant_q8_0 = ft_k_dequant_q8_0_avx2;
    k.dequant_q4_0 = ft_k_dequant_q4_0_avx2;
    k.dequant_q4_1 = ft_k_dequant_q4_1_avx2;
    k.dequant_q5_0 = ft_k_dequant_q5_0_avx2;
    k.dequant_q5_1 = ft_k_dequant_q5_1_avx2;
    k.dequant_q4_k = ft_k_dequant_q4_k_avx2;
    k.dequant_q5_k = ft_k_dequant_q5_k_avx2;
    k.dequant_q6_k = ft_k_dequant_q6_k_avx2;
    k.dequant_nf4 = ft_k_dequant_nf4_avx2;
    k.dot_rows = ft_k_dot_rows_avx2;
    k.dot_rows_bf16 = ft_k_dot_rows_bf16_avx2;
    k.add_rows = ft_k_add_rows_avx2;
    k.to_blocks_s8 = ft_k_to_blocks_s8_avx2;
    k.dot_groups = ft_k_dot_groups_avx2;
    k.swiglu = ft_k_swiglu_avx2;
    k.swiglu_back = ft_k_swiglu_back_avx2;
    k.max = ft_k_max_avx2;
    k.sum_exp = ft_k_sum_exp_avx2;
    k.softmax = ft_k_softmax_avx2;
    k.softmax_again = ft_k_softmax_again_avx2;
    k.rmsnorm = ft_k_rmsnorm_avx2;
    k.rope = ft_k_rope_avx2;
    k.rope_back = ft_k_rope_back_avx2;
    k.rmsnorm_back = ft_k_rmsnorm_back_avx2;
    k.dot = ft_k_dot_avx2;
    k.axpy = ft_k_axpy_avx2;
    k.scale = ft_k_scale_avx2;
    k.sum_squares = ft_k_sum_squares_avx2;
    k.adamw = ft_k_adamw_avx2;
    k.gemm_f32 = ft_k_gemm_f32_avx2;
    k.gemm_bf16 = ft_k_gemm_bf16_avx2;
    k.pack_rows_f32 = ft_k_pack_rows_f32_avx2;
    k.pack_cols_f32 = ft_k_pack_cols_f32_avx2;
    k.pack_rows_bf16 = ft_k_pack_rows_bf16_avx2;
    k.pack_cols_bf16 = ft_k_pack_cols_bf16_avx2;
    k.to_bf16 = ft_k_to_bf16_avx2;
    k.quantise_row_s8 = ft_k_quantise_row_s8_avx2;
    k.pack_rows_s8 = ft_k_pack_rows_s8_avx2;
    k.pack_cols_s8 = ft_k_pack_cols_s8_avx2;
    k.gemm_s8 = ft_k_gemm_s8_avx2;
    k.softmax_tile_f32 = ft_k_softmax_tile_f32_avx2;
    k.softmax_tile_bf16 = ft_k_softmax_tile_bf16_avx2;
    k.softmax_tile_back_f32 = ft_k_softmax_tile_back_f32_avx2;
    k.softmax_tile_back_bf16 = ft_k_softmax_tile_back_bf16_avx2;
    k.sparse_rows = ft_k_sparse_rows_avx2;
    k.sparse_rows_back = ft_k_sparse_rows_back_avx2;
    k.minhash = ft_k_minhash_avx2;
    k.ascii_masks = ft_k_ascii_masks_avx2;
    return k;
}

static ft_kernels avx512_of(ft_kernels k)
{
    k.name = "avx512";
    k.dequant_f16 = ft_k_dequant_f16_avx512;
    k.dequant_bf16 = ft_k_dequant_bf16_avx512;
    k.dequant_q8_0 = ft_k_dequant_q8_0_avx512;
    k.dequant_q4_0 = ft_k_dequant_q4_0_avx512;
    k.dequant_q4_1 = ft_k_dequant_q4_1_avx512;
    k.dequant_q5_0 = ft_k_dequant_q5_0_avx512;
    k.dequant_q5_1 = ft_k_dequant_q5_1_avx512;
    k.dequant_q4_k = ft_k_dequant_q4_k_avx512;
    k.dequant_q5_k = ft_k_dequant_q5_k_avx512;
    k.dequant_q6_k = ft_k_dequant_q6_k_avx512;
    k.dequant_nf4 = ft_k_dequant_nf4_avx512;
    k.dot_rows = ft_k_dot_rows_avx512;
    k.dot_rows_bf16 = ft_k_dot_rows_bf16_avx512;
    k.add_rows = ft_k_add_rows_avx512;
    k.to_blocks_s8 = ft_k_to_blocks_s8_avx512;
    k.dot_groups = ft_k_dot_groups_avx512;
    k.dot_f16 = ft_k_dot_f16_avx512;
    k.dot_f16_bf16 = ft_k_dot_f16_bf16_avx512;
    k.dot_bf16 = ft_k_dot_bf16_avx512;
    k.dot_bf16_bf16 = ft_k_dot_bf16_bf16_avx512;
    k.dot_q8_0 = ft_k_dot_q8_0_avx512;
    k.dot_q8_0_bf16 = ft_k_dot_q8_0_bf16_avx512;
    k.dot_q4_0 = ft_k_dot_q4_0_avx512;
    k.dot_q4_0_bf16 = ft_k_dot_q4_0_bf16_avx512;
    k.dot_q4_1 = ft_k_dot_q4_1_avx512;
    k.dot_q4_1_bf16 = ft_k_dot_q4_1_bf16_avx512;
    k.dot_q4_k = ft_k_dot_q4_k_avx512;
    k.dot_q4_k_bf16 = ft_k_dot_q4_k_bf16_avx512;
    k.dot_q6_k = ft_k_dot_q6_k_avx512;
    k.dot_q6_k_bf16 = ft_k_dot_q6_k_bf16_avx512;
    k.swiglu = ft_k_swiglu_avx512;
    k.swiglu_back = ft_k_swiglu_back_avx512;
    k.softmax = ft_k_softmax_avx512;
    k.softmax_again = ft_k_softmax_again_avx512;
    k.max = ft_k_max_avx512;
    k.sum_exp = ft_k_sum_exp_avx512;
    k.hadamard = ft_k_hadamard_avx512;
    k.hadamard_rows = ft_k_hadamard_rows_avx512;
    k.gemm_f32 = ft_k_gemm_f32_avx512;
    k.gemm_bf16 = ft_k_gemm_bf16_avx512;
    k.pack_rows_bf16 = ft_k_pack_rows_bf16_avx512;
    k.to_bf16 = ft_k_to_bf16_avx512;
    k.quantise_row_s8 = ft_k_quantise_row_s8_avx512;
    k.pack_rows_s8 = ft_k_pack_rows_s8_avx512;
    k.pack_cols_s8 = ft_k_pack_cols_s8_avx512;
    k.gemm_s8 = ft_k_gemm_s8_avx512;
    k.softmax_tile_f32 = ft_k_softmax_tile_f32_avx512;
    k.softmax_tile_bf16 = ft_k_softmax_tile_bf16_avx512;
    k.softmax_tile_back_f32 = ft_k_softmax_tile_back_f32_avx512;
    k.softmax_tile_back_bf16 = ft_k_softmax_tile_back_bf16_avx512;
    k.minhash = ft_k_minhash_avx512;
    k.ascii_masks = ft_k_ascii_masks_avx512;
    return k;
}
#endif

static ft_kernels avx2, avx512;
static struct ft_cpu cpu;
static const ft_kernels *chosen = &ref;

/* Runs before main, when no thread of ours exists. */
__attribute__((constructor)) static void choose(void)
{
    const char *asked = getenv("FT_CPU");
    const ft_kernels *k;
    cpu = ft_cpu_detect();
#if defined(__x86_64__)
    avx2 = avx2_of(ref);
    avx512 = avx512_of(avx2);
#endif
    k = asked ? ft_kernels_family(asked) : NULL;
    chosen = k ? k : cpu.avx512 ? &avx512 : cpu.avx2 ? &avx2 : &ref;
}

const ft_kernels *ft_kernels_family(const char *name)
{
    if (strcmp(name, "ref") == 0)
        return &ref;
    if (strcmp(name, "avx2") == 0)
        return cpu.avx2 ? &avx2 : NULL;
    if (strcmp(name, "avx512") == 0)
        return cpu.avx512 ? &avx512 : NULL;
    return NULL;
}

const ft_kernels *ft_kernels_get(void)
{
    return chosen;
}
