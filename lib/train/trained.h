/* trained.h: which parameters of an adapter the optimiser changes, and at what rate.
 *
 * LoRA+ (Hayou et al. 2024, section 4): B learns at a fixed multiple of the rate of A, because
 * wide models learn features efficiently only so. Parts of an adapter that are frozen
 * (nn/lora_start.h) are in no part: they are not updated and do not decay.
 */
#ifndef FT_TRAINED_H
#define FT_TRAINED_H

#include "base/err.h"
#include "nn/adapter.h"
#include "train/optim.h"

/* Tells o what to update. lora_plus: rate of B by that of A; 0 and 1: the same. Where that is
 * everything at one rate, o is left as it is. Errors: FT_ERR_NOMEM. */
int ft_trained_parts(const ft_adapter *a, double lora_plus, ft_adamw *o, ft_err *e) FT_MUST_CHECK;

#endif
