/* dora.h: weight-decomposed adapters (Liu et al. 2024, section 3.2): rows of W' = W + s B A get the
 * length m, which is learned apart from their direction:
 *
 *   y_i = m_i / ||W'_i|| (W' x)_i
 *
 * Backward takes the length ||W'_i|| for a constant (section 4.3 of the paper), as PEFT does. Here
 * is only what follows from the parameters, m / ||W'||; gain.h hands it out. A row of zeros stays
 * one. Part of lib/nn.
 */
#ifndef FT_DORA_H
#define FT_DORA_H

#include "base/pool.h"
#include "nn/adapter.h"

struct ft_dora;

/* For an adapter whose slots are laid out. Errors: FT_ERR_NOMEM. Owns: the caller, ft_dora_free
 * (accepts NULL, sets NULL). */
int ft_dora_new(struct ft_dora **d, const ft_adapter *a, const ft_model *m,
                ft_err *e) FT_MUST_CHECK;
void ft_dora_free(struct ft_dora **d);

/* Sets the magnitudes in params to the lengths that rows of W + s B A have. */
void ft_dora_init(ft_adapter *a, const ft_model *m);

/* See ft_adapter_refresh. */
void ft_dora_refresh(const ft_adapter *a, const ft_model *m, ft_pool *pool, int streamed);

/* m / ||W'|| and 1 / ||W'|| of each row, or NULL for a matrix that is not adapted. */
const float *ft_dora_gain(const ft_adapter *a, size_t layer, enum ft_target t);
const float *ft_dora_inverse(const ft_adapter *a, size_t layer, enum ft_target t);

/* Bytes of an adapter's factors. */
size_t ft_dora_bytes(const ft_adapter *a);

#endif
