/* trainer.h: the training loop, one optimiser step a call.
 *
 *     ft_trainer_new(&t, model, lora, train, val, &cfg, pool, e);
 *     while ((rc = ft_trainer_step(t, &report, e)) == 0)
 *         … report.step, report.loss …
 *     if (rc == FT_EOS) … ft_trainer_params(t) …
 *
 * Same rows, same configuration: same bytes of parameters and the same numbers in the reports
 * (seconds aside), whatever the threads and cfg.micro. This module prints nothing and writes no
 * files.
 */
#ifndef FT_TRAINER_H
#define FT_TRAINER_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"
#include "train/dataset.h"
#include "train/train_plan.h"

#include <stdint.h>

typedef struct ft_train_report {
    uint64_t step;             /* just done, counted from 1                                   */
    double loss;               /* sum of w * nll over its targets / sum of w, nats a token,
                                * before the update                                           */
    double lr, grad_norm;      /* the norm before clipping                                    */
    uint64_t tokens;           /* of this step, targets or not                                */
    double seconds;            /* of this step without validation                             */
    int validated;             /* whether val_loss holds: the loss after the update            */
    double val_loss;
} ft_train_report;

/* All that a run has become after some steps: with the same data and configuration it goes on from
 * here to the same bytes. Random numbers come from counters and the place in the data follows from
 * the step, so neither has a state of its own; the optimiser's count of updates is the step. */
typedef struct ft_train_state {
    uint64_t step;             /* steps done                                                  */
    double loss;               /* of the last one                                             */
    double mean;               /* running mean of the losses (spike.h)                        */
    uint64_t best_step;        /* of the lowest validation loss; 0: none yet                   */
    double best_loss;          /* infinity: none yet                                          */
    uint64_t stale;            /* validations since then                                      */
    size_t n_params;           /* elements of each of the following                           */
    float *params;             /* the adapter's                                               */
    float *m, *v;              /* AdamW's moments                                             */
    float *best;               /* parameters of best_step; NULL without validation data        */
} ft_train_state;

typedef struct ft_trainer ft_trainer;

/* Takes all memory. model, l, train, val (NULL: none) and pool must outlive the trainer; l->params
 * are what training starts from and are changed by each step. Owns: the caller. */
int ft_trainer_new(ft_trainer **t, const ft_model *m, ft_adapter *l, ft_dataset *train,
                   ft_dataset *val, const ft_train_config *cfg, ft_pool *pool,
                   ft_err *e) FT_MUST_CHECK;
void ft_trainer_free(ft_trainer **t);

uint64_t ft_trainer_steps(const ft_trainer *t);    /* that the whole run will have */

/* Does the next step, and the validation when one is due: every val_every steps and after the last.
 * Returns: 0, FT_EOS when training is over, or an error. Errors: FT_ERR_NUMERIC naming the step
 * and the record when a loss or gradient is not finite, or the loss is a spike (the parameters are
 * then those before the step); FT_ERR_IO of the spool. */
int ft_trainer_step(ft_trainer *t, ft_train_report *report, ft_err *e) FT_MUST_CHECK;

int ft_trainer_is_over(const ft_trainer *t);       /* whether no step will follow */
int ft_trainer_is_early(const ft_trainer *t);      /* over for want of improvement, cfg.patience */

/* Returns: the state after the last step; its arrays are the trainer's own. To go back to a saved
 * state, fill the arrays and numbers of what this returns and give it to ft_trainer_restore.
 * Valid until the next step, or the trainer or lora is freed. */
ft_train_state ft_trainer_state(const ft_trainer *t);
/* Errors: FT_ERR_DATA for numbers that no run of this configuration can have. */
int ft_trainer_restore(ft_trainer *t, const ft_train_state *s, ft_err *e) FT_MUST_CHECK;

/* Returns: the parameters with the lowest validation loss so far, of the earlier step when equal;
 * without validation the present ones. Valid until the trainer or the lora is freed. */
const float *ft_trainer_params(const ft_trainer *t);
uint64_t ft_trainer_best_step(const ft_trainer *t);
double ft_trainer_best_loss(const ft_trainer *t);  /* of validation; infinity before the first */

#endif
