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
#include "train/evaluations.h"
#include "train/train_plan.h"

#include <stdint.h>

typedef struct ft_train_report {
    uint64_t step;             /* just done, counted from 1                                   */
    double loss;               /* sum of w * nll over its targets / sum of w, nats a token,
                                * before the update                                           */
    double lr, grad_norm;      /* the norm before clipping                                    */
    uint64_t tokens;           /* of this step, targets or not                                */
    double seconds;            /* of this step without validation                             */
    uint64_t epoch;            /* counted from 1                                              */
    double kl;                 /* sum of w * KL(base || adapted) over its targets / sum of w; 0
                                * where cfg.kl is                                             */
    int evaluated;             /* whether an evaluation followed: then                         */
    double train_loss;         /* mean loss of training since the one before, weighted as losses
                                * are                                                          */
    int validated;             /* whether val_loss holds: the loss after the update            */
    double val_loss;
    int overfitting;           /* the validation loss has risen while that of training fell, now
                                * for FT_OVERFITTING evaluations in a row                      */
    int forgets;               /* whether these hold: the loss on general text after the update,
                                * and by how much it is above the base's                       */
    double forget_loss, forget_rise;
} ft_train_report;

/* All that a run has become after some steps: with the same data and configuration it goes on from
 * here to the same bytes. Random numbers come from counters and the place in the data follows from
 * the step, so neither has a state of its own; the optimiser's count of updates is the step. */
typedef struct ft_train_state {
    uint64_t step;             /* steps done                                                  */
    double loss;               /* of the last one                                             */
    double mean;               /* running mean of the losses (spike.h)                        */
    uint64_t best_step;        /* of the lowest validation loss; 0: none yet                   */
    double best_loss;          /* infinity: none yet. Without validation data the loss on
                                * cfg.forget                                                  */
    uint64_t stale;            /* validations since then                                      */
    size_t n_params;           /* elements of each of the following                           */
    float *params;             /* the adapter's                                               */
    float *m, *v;              /* AdamW's moments                                             */
    float *best;               /* parameters of best_step; NULL without validation data and
                                * cfg.max_forget                                              */
    ft_evaluations seen;
} ft_train_state;

typedef struct ft_trainer ft_trainer;

/* What a step made of one of its examples. */
typedef struct ft_example_loss {
    size_t example;            /* its number in the data                                      */
    double loss;               /* mean nats a target before the update; NaN without targets    */
    uint32_t targets;
} ft_example_loss;

/* Takes all memory. model, l, train, val (NULL: none) and pool must outlive the trainer; l->params
 * are what training starts from and are changed by each step. Owns: the caller. */
int ft_trainer_new(ft_trainer **t, const ft_model *m, ft_adapter *l, ft_dataset *train,
                   ft_dataset *val, const ft_train_config *cfg, ft_pool *pool,
                   ft_err *e) FT_MUST_CHECK;
void ft_trainer_free(ft_trainer **t);

uint64_t ft_trainer_steps(const ft_trainer *t);    /* that the whole run will have */

/* Before the first step: measures the base's loss on cfg.forget, into forget_loss of a report of
 * step 0. Nothing is done (report->forgets is 0) without cfg.forget, and when a state was
 * restored. */
int ft_trainer_begin(ft_trainer *t, ft_train_report *report, ft_err *e) FT_MUST_CHECK;

/* Does the next step, and the evaluation when one is due and there is something to measure: every
 * val_every steps and after the last. With cfg.forget, ft_trainer_begin must have been called.
 * Returns: 0, FT_EOS when training is over, or an error. Errors: FT_ERR_NUMERIC naming the step
 * and the record when a loss or gradient is not finite, or the loss is a spike (the parameters are
 * then those before the step); FT_ERR_IO of the spool. */
int ft_trainer_step(ft_trainer *t, ft_train_report *report, ft_err *e) FT_MUST_CHECK;

/* Returns: the n examples of the last step in the order of the data, valid until the next. */
const ft_example_loss *ft_trainer_examples(const ft_trainer *t, size_t *n);

int ft_trainer_is_over(const ft_trainer *t);       /* whether no step will follow */
int ft_trainer_anchored(const ft_trainer *t);      /* whether reports have kl: cfg.kl > 0 */
int ft_trainer_has_forgotten(const ft_trainer *t); /* over because of cfg.max_forget */
int ft_trainer_is_early(const ft_trainer *t);      /* over for want of improvement, cfg.patience */

/* Returns: the state after the last step; its arrays are the trainer's own. To go back to a saved
 * state, fill the arrays and numbers of what this returns and give it to ft_trainer_restore.
 * Valid until the next step, or the trainer or lora is freed. */
ft_train_state ft_trainer_state(const ft_trainer *t);
/* Errors: FT_ERR_DATA for numbers that no run of this configuration can have. */
int ft_trainer_restore(ft_trainer *t, const ft_train_state *s, ft_err *e) FT_MUST_CHECK;

/* Returns: the parameters with the lowest validation loss so far, of the earlier step when equal;
 * without validation the present ones. With cfg.max_forget only those of evaluations within it
 * count; without validation the last of them, at first those that training began with. Valid until
 * the trainer or the lora is freed. */
const float *ft_trainer_params(const ft_trainer *t);
uint64_t ft_trainer_best_step(const ft_trainer *t);
double ft_trainer_best_loss(const ft_trainer *t);  /* of validation; infinity before the first */

#endif
