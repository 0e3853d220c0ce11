#include "train/schedule.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

uint64_t ft_schedule_warmup(double share_or_steps, uint64_t total)
{
    double steps = share_or_steps < 1 ? ceil((double)total * share_or_steps)
                                      : floor(share_or_steps);
    if (!(steps > 0))
        return 0;
    return steps >= (double)total ? total : (uint64_t)steps;
}

enum ft_decline ft_decline_by_name(const char *name)
{
    return strcmp(name, "cosine") == 0 ? FT_COSINE
           : strcmp(name, "linear") == 0 ? FT_LINEAR : FT_CONSTANT;
}

double ft_schedule_lr(const ft_schedule *s, uint64_t step)
{
    double progress;
    if (step < s->warmup)
        return s->peak * ((double)step / (double)s->warmup);
    if (s->decline == FT_CONSTANT)
        return s->peak;
    if (step >= s->total)
        return 0;
    progress = (double)(step - s->warmup) / (double)(s->total - s->warmup);
    if (s->decline == FT_LINEAR)
        return s->peak * (1.0 - progress);
    return s->peak * (0.5 * (1.0 + cos(pi * progress)));
}
