/* evaluations.h: what is made of the losses that training shows and that evaluations measure: the
 * gap between both, overfitting, and how much of general text has been forgotten. Arithmetic only;
 * all of it is part of a run's state.
 *
 *     ft_evaluations_train(&v, sum of w * nll, sum of w);            each step
 *     ft_evaluations_take(&v, &val_loss or NULL, &forget_loss or NULL);  each evaluation
 *     … v.train_loss, v.rising, ft_evaluations_rise(&v) …
 */
#ifndef FT_EVALUATIONS_H
#define FT_EVALUATIONS_H

#include <stdint.h>

enum { FT_OVERFITTING = 2 };       /* evaluations in a row that say so */

typedef struct ft_evaluations {
    double nll, weight;            /* of training since the last evaluation: sum of w * nll, of w */
    uint64_t count;                /* evaluations so far; 0: the following hold nothing           */
    double train_loss, val_loss;   /* of the last one: nll / weight, 0 without weight; 0 without
                                    * validation                                                  */
    uint64_t rising;               /* evaluations in a row, up to the last, in which the
                                    * validation loss rose while the training loss fell           */
    int forgets;                   /* whether general text is measured: then */
    double forget_start;           /* loss of the base on it */
    double forget_loss;            /* of the last evaluation */
} ft_evaluations;

/* Takes a step's losses in. */
void ft_evaluations_train(ft_evaluations *v, double nll, double weight);

/* Takes what an evaluation measured; either may be NULL. */
void ft_evaluations_take(ft_evaluations *v, const double *val_loss, const double *forget_loss);

/* Returns: nats by which the loss on general text is above the base's; 0 when it is not
 * measured. */
double ft_evaluations_rise(const ft_evaluations *v);

/* Returns: whether no run can have come to these numbers. */
int ft_evaluations_absurd(const ft_evaluations *v);

#endif
