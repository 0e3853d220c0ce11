/* gain.h: what a method multiplies the outputs or inputs of a matrix with, a factor for each, in
 * the model's order of rows. Training, generation and merging read them here and know no methods.
 *
 *     ft_adapter_refresh(adapter, model, pool, 0);         // where params may have changed
 *     g = ft_adapter_out_gain(adapter, layer, FT_K);
 *     for (i = 0; g && i < rows; i++) y[i] *= g[i];
 */
#ifndef FT_GAIN_H
#define FT_GAIN_H

#include "base/pool.h"
#include "nn/adapter.h"

/* Computes anew what follows from params and the base, unless that was done for these very params
 * (by their digest) before. streamed: weights of a layer are not wanted in memory afterwards. One
 * caller at a time for an adapter. */
void ft_adapter_refresh(const ft_adapter *a, const ft_model *m, ft_pool *pool, int streamed);

/* Factors of a matrix's outputs [rows], of what the adapter adds to them as well; NULL: none.
 * Valid for the params that the last ft_adapter_refresh saw. */
const float *ft_adapter_out_gain(const ft_adapter *a, size_t layer, enum ft_target t);

/* Factors of a matrix's inputs [cols]; NULL: none. Only down has any. */
const float *ft_adapter_in_gain(const ft_adapter *a, size_t layer, enum ft_target t);

#endif
