/* train_memory.h: the plan of a training run as ft-train prints it, and the bound it has to
 * meet. */
#ifndef FT_TRAIN_MEMORY_H
#define FT_TRAIN_MEMORY_H

#include "train/train_plan.h"

/* Returns: the bytes that training may take: --memory, or without that what the machine has; 0: no
 * bound. */
uint64_t cli_memory_bound(void);

/* Fails (71) with the numbers when the plan does not fit its bound. */
void cli_plan_check(const ft_train_plan *p, uint64_t bound);

/* Prints the plan on standard output. seconds: the time to expect. */
void cli_plan_print(const ft_train_plan *p, double seconds);

#endif
