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
#include "nn/lora.h"
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

typedef struct ft_trainer ft_trainer;

/* Takes all memory. model, l, train, val (NULL: none) and pool must outlive the trainer; l->params
 * are what training starts from and are changed by each step. Owns: the caller. */
int ft_trainer_new(ft_trainer **t, const ft_model *m, ft_lora *l, ft_dataset *train,
                   ft_dataset *val, const ft_train_config *cfg, ft_pool *pool,
                   ft_err *e) FT_MUST_CHECK;
void ft_trainer_free(ft_trainer **t);

uint64_t ft_trainer_steps(const ft_trainer *t);    /* that the whole run will have */

/* Does the next step, and the validation when one is due: every val_every steps and after the last.
 * Returns: 0, FT_EOS when all steps are done, or an error. Errors: FT_ERR_NUMERIC naming the step
 * and the record when a loss or gradient is not finite; FT_ERR_IO of the spool. */
int ft_trainer_step(ft_trainer *t, ft_train_report *report, ft_err *e) FT_MUST_CHECK;

/* Returns: the parameters with the lowest validation loss so far, of the earlier step when equal;
 * without validation the present ones. Valid until the trainer or the lora is freed. */
const float *ft_trainer_params(const ft_trainer *t);
uint64_t ft_trainer_best_step(const ft_trainer *t);
double ft_trainer_best_loss(const ft_trainer *t);  /* of validation; infinity before the first */

#endif
