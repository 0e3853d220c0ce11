/* train_plan.h: what a training run will take, before it takes it: how rows become steps and
 * micro-batches, memory by purpose, and the time to expect. */
#ifndef FT_TRAIN_PLAN_H
#define FT_TRAIN_PLAN_H

#include "base/err.h"
#include "base/pool.h"
#include "model/model.h"
#include "nn/adapter.h"
#include "nn/transformer.h"
#include "train/dataset.h"
#include "train/schedule.h"

#include <stddef.h>
#include <stdint.h>

#define FT_MICRO_TOKENS 2048       /* tokens in a micro-batch when the user sets no --micro */

typedef struct ft_train_config {
    double lr;                     /* peak of the schedule                                     */
    enum ft_decline decline;       /* what follows the warm-up                                  */
    double warmup;                 /* share of all steps when < 1, else steps                   */
    double decay, clip;            /* AdamW's decoupled decay; largest gradient norm, 0: any     */
    double lora_plus;              /* B learns at so many times the rate of A (trained.h); 0: 1  */
    uint64_t batch;                /* a step ends at the first row boundary at or after so many
                                    * examples, and at the end of an epoch                      */
    uint64_t micro;                /* examples computed at once; 0: FT_MICRO_TOKENS tokens       */
    uint64_t epochs, seed;
    uint64_t val_every;            /* steps; 0: only at the end                                 */
    uint64_t patience;             /* validations without improvement after which training stops;
                                    * 0: none does                                              */
    double spike;                  /* a loss over so many times the running mean ends training
                                    * with an error (spike.h); 0: none does                     */
    double max_forget;             /* nats by which the loss on `forget` may be above the base's
                                    * before training stops; 0: any                             */
    double neftune;                /* noise on embeddings (ft_nn_step); 0: none                   */
    double kl;                     /* weight of the divergence from the base (ft_nn_step), or 0   */
    ft_dataset *forget;            /* general text whose loss is measured at evaluations, or NULL:
                                    * the caller's, which must outlive the run                    */
    int shuffle;
    int share;                     /* compute common beginnings of a step's examples once
                                    * (prefixes.h); see ft_train_shares                         */
    enum ft_compute compute;
    int whole_last_layer;          /* see ft_nn_limits                                          */
    int free_reductions;           /* see ft_nn_limits; to measure with, never to keep          */

    /* What changes memory and time but no result. A bound is met by smaller micro-batches, then by
     * computing again, then by reading the weights layer after layer; what the user has
     * chosen stays. */
    enum ft_recompute recompute;
    int keep_recompute;            /* it is the user's choice                                   */
    int stream_weights;            /* read weights layer after layer, keep none in memory       */
    uint64_t memory;               /* bytes, 0: no bound                                        */
} ft_train_config;

typedef struct ft_train_plan {     /* bytes, as far as nothing else is said */
    size_t weights;                /* the base, mapped                                          */
    size_t adapter;                /* its parameters; with validation the best too */
    size_t optimiser;              /* gradient and two moments                                  */
    size_t activations, scratch;   /* of the transformer                                        */
    size_t data;                   /* index of the rows, the order of an epoch, ids of a step   */
    size_t other;                  /* programs, libraries, buffers of input and output          */
    size_t peak;                   /* sum of all                                                */
    int fits;                      /* whether peak is within the bound                          */
    ft_nn_limits limits;           /* what the transformer is to be made with                   */
    uint64_t steps, tokens;        /* of the whole run, validation not counted                  */
    uint64_t shared;               /* tokens of these that are not computed, as shared          */
} ft_train_plan;

/* Returns: whether common beginnings are shared: not under dropout and noise, which differ between
 * examples, and not beside a divergence from the base, whose pass knows no beginnings. */
int ft_train_shares(const ft_train_config *cfg, const ft_adapter *l);

/* Returns: where the step that begins at place `from` of an epoch's order ends. */
size_t ft_train_step_end(const ft_dataset *d, const size_t *order, size_t from, uint64_t batch);

/* Fills the order of rows of an epoch, counted from 0. */
void ft_train_order(const ft_dataset *d, const ft_train_config *cfg, uint64_t epoch,
                    size_t *order);

/* Works out the plan; where sequences are to share beginnings, by looking through all steps. val:
 * or NULL. Errors: FT_ERR_NOMEM, FT_ERR_IO; FT_ERR_USAGE when there are over 2^32 - 1 steps. */
int ft_train_plan_for(const ft_model *m, const ft_adapter *l, ft_dataset *train,
                      const ft_dataset *val, const ft_train_config *cfg, unsigned threads,
                      ft_train_plan *plan, ft_err *e) FT_MUST_CHECK;

/* Appends the examples of rows order[from, to) to a list; order NULL: the rows as they stand. */
int ft_train_list(const ft_dataset *d, const size_t *order, size_t from, size_t to, size_t **list,
                  size_t *n, size_t *cap, ft_err *e) FT_MUST_CHECK;

/* Measures the speed of this machine: one forward and backward pass over the first examples, some
 * hundred tokens. seconds receives the time that all tokens of the plan would take so. */
int ft_train_time(const ft_model *m, ft_adapter *l, ft_dataset *train, const ft_train_plan *plan,
                  ft_pool *pool, double *seconds, ft_err *e) FT_MUST_CHECK;

#endif
