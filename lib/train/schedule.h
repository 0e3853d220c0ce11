/* schedule.h: the learning rate as a function of the step: linear warm-up from zero, then half a
 * cosine or a line down to zero, or a constant, in the form of transformers'
 * get_{cosine,linear,constant}_schedule_with_warmup.
 *
 *     ft_schedule s = {FT_COSINE, 2e-4, ft_schedule_warmup(0.03, total), total};
 *     lr = ft_schedule_lr(&s, step);        // step counts from 0: the first update of a warm-up
 *                                           // has rate 0, as there
 */
#ifndef FT_SCHEDULE_H
#define FT_SCHEDULE_H

#include <stdint.h>

enum ft_decline { FT_COSINE, FT_LINEAR, FT_CONSTANT };

typedef struct ft_schedule {
    enum ft_decline decline;   /* what follows the warm-up */
    double peak;               /* the rate at the end of the warm-up */
    uint64_t warmup, total;    /* in steps */
} ft_schedule;

/* Turns what a user gives into steps: below 1 it is a share of all steps (rounded up), from 1 on
 * a number of steps. Never more than total. */
uint64_t ft_schedule_warmup(double share_or_steps, uint64_t total);

/* By the names "cosine", "linear", "constant"; another name is taken for the last. */
enum ft_decline ft_decline_by_name(const char *name);

/* Returns: the rate of update number `step`, counted from 0. */
double ft_schedule_lr(const ft_schedule *s, uint64_t step);

#endif
