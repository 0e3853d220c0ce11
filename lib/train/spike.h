/* spike.h: when the loss of a step is so far above the losses before it that training has gone
 * wrong.
 *
 * The running mean is the mean of the first FT_SPIKE_STEPS losses; after that each loss moves it
 * by 1 / FT_SPIKE_STEPS of the difference (an exponential mean). A loss is a spike when at least
 * FT_SPIKE_STEPS came before it and it exceeds factor times the mean, which counts as
 * FT_SPIKE_FLOOR when it is lower: a model that knows its examples by heart has losses near zero,
 * and one hard example is many times that.
 */
#ifndef FT_SPIKE_H
#define FT_SPIKE_H

#include <stdint.h>

#define FT_SPIKE_STEPS 20
#define FT_SPIKE_FLOOR 0.1     /* nats a token */

/* Returns: whether a loss behind n others with this running mean is a spike; factor 0: never. */
int ft_spike_is(double factor, double mean, uint64_t n, double loss);

/* Returns: the running mean of n losses and this one. */
double ft_spike_mean(double mean, uint64_t n, double loss);

#endif
