#include "train/evaluations.h"

#include <math.h>

void ft_evaluations_train(ft_evaluations *v, double nll, double weight)
{
    v->nll += nll;
    v->weight += weight;
}

void ft_evaluations_take(ft_evaluations *v, const double *val_loss, const double *forget_loss)
{
    double train_loss = v->weight > 0 ? v->nll / v->weight : 0;
    double val = val_loss ? *val_loss : 0;
    int worse = v->count > 0 && val > v->val_loss && train_loss < v->train_loss;
    v->rising = worse ? v->rising + 1 : 0;
    v->train_loss = train_loss;
    v->val_loss = val;
    v->nll = v->weight = 0;
    v->count++;
    if (forget_loss)
        v->forget_loss = *forget_loss;
}

double ft_evaluations_rise(const ft_evaluations *v)
{
    return v->forgets ? v->forget_loss - v->forget_start : 0;
}

int ft_evaluations_absurd(const ft_evaluations *v)
{
    return !isfinite(v->nll) || !isfinite(v->weight) || v->weight < 0 ||
           !isfinite(v->train_loss) || !isfinite(v->val_loss) || v->rising > v->count ||
           !isfinite(v->forget_start) || !isfinite(v->forget_loss);
}
