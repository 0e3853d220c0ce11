#include "train/spike.h"

int ft_spike_is(double factor, double mean, uint64_t n, double loss)
{
    if (!(factor > 0) || n < FT_SPIKE_STEPS)
        return 0;
    return !(loss <= factor * (mean > FT_SPIKE_FLOOR ? mean : FT_SPIKE_FLOOR));
}

double ft_spike_mean(double mean, uint64_t n, double loss)
{
    return mean + (loss - mean) / (double)(n < FT_SPIKE_STEPS ? n + 1 : FT_SPIKE_STEPS);
}
