/* groups.h: where the parts of a group of weights lie; what they mean stands in kernels.h. */
#ifndef FT_GROUPS_H
#define FT_GROUPS_H

#include "kernels/kernels.h"

static inline int ft_groups_in_nibbles(enum ft_groups g)
{
    return g == FT_NIBBLES || g == FT_NIBBLES_MIN || g == FT_NIBBLES_K;
}

/* Whether 256 weights of a row share what their blocks' scales are multiplied with. */
static inline int ft_groups_are_k(enum ft_groups g)
{
    return g >= FT_NIBBLES_K;
}

/* What is added to a code to make it one without sign. */
static inline int ft_groups_bias(enum ft_groups g)
{
    return g == FT_NIBBLES ? 8 : ft_groups_in_nibbles(g) ? 0 : 128;
}

/* Bytes of the codes, and of the scales, of a block of 32 columns; of what a super-block adds. */
static inline size_t ft_groups_code_bytes(enum ft_groups g)
{
    return ft_groups_in_nibbles(g) ? (size_t)16 * FT_GROUP : (size_t)32 * FT_GROUP;
}

static inline size_t ft_groups_scale_bytes(enum ft_groups g)
{
    return g == FT_NIBBLES_MIN || g == FT_BYTES_MIN ? (size_t)4 * FT_GROUP : (size_t)2 * FT_GROUP;
}

static inline size_t ft_groups_super_bytes(enum ft_groups g)
{
    return g == FT_BYTES_K16 ? (size_t)2 * FT_GROUP : ft_groups_are_k(g) ? (size_t)4 * FT_GROUP : 0;
}

/* The parts of a group of k columns, in their order. */
static inline size_t ft_groups_scales_at(enum ft_groups g, size_t k)
{
    return k / 32 * ft_groups_code_bytes(g);
}

static inline size_t ft_groups_supers_at(enum ft_groups g, size_t k)
{
    return ft_groups_scales_at(g, k) + k / 32 * ft_groups_scale_bytes(g);
}

static inline size_t ft_groups_bytes(enum ft_groups g, size_t k)
{
    return (ft_groups_supers_at(g, k) + k / 256 * ft_groups_super_bytes(g) + 63) & ~(size_t)63;
}

#endif
