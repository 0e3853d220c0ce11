/* train_checkpoints.h: when ft-train saves, and from where it goes on. All of it ends in cli_fail
 * when it fails: a checkpoint that cannot be written ends the run, and the one before it is still
 * there. Without a path nothing is saved and signals end the program as in other tools.
 *
 *     cli_checkpoints c = {.path = "run1", .every = 50, .resume = 1};
 *     cli_checkpoints_open(&c);                             before any work
 *     … c.run = …; c.in = …;
 *     cli_checkpoints_begin(&c, trainer, &logs);            the trainer is where it goes on
 *     while (ft_trainer_step(trainer, …) == 0)
 *         … logs …, cli_checkpoints_step(&c, trainer, &logs);
 *     cli_checkpoints_end(&c);
 */
#ifndef FT_CLI_TRAIN_CHECKPOINTS_H
#define FT_CLI_TRAIN_CHECKPOINTS_H

#include "stream/stream.h"
#include "tools/cli/train_log.h"
#include "train/checkpoint.h"
#include "train/checkpoint_folder.h"

#include <stdint.h>

typedef struct cli_checkpoints {
    const char *path;                  /* of the folder; NULL: none are kept             */
    uint64_t every;                    /* steps                                          */
    int resume;
    const ft_reader *in;               /* data, read to its end                          */
    const ft_reader *val_in, *forget_in;   /* likewise, or NULL                          */
    const ft_reader *init;             /* the adapter that the run begins with, or NULL  */
    ft_run run;                        /* model, transform, seed and numerics are set by
                                        * the caller                                     */
    ft_checkpoint_folder *folder;
    ft_header header;
} cli_checkpoints;

/* Opens the folder. Without resume, one that holds checkpoints is a usage error. */
void cli_checkpoints_open(cli_checkpoints *c);

/* With resume: puts the trainer and the logs where the newest good checkpoint stands. A damaged one
 * gives a warning, one of another run is refused; where there is none new logs begin. From here
 * on signals ask for a checkpoint. */
void cli_checkpoints_begin(cli_checkpoints *c, ft_trainer *t, cli_train_logs *logs);

/* Saves when it is time to, and removes what that replaces. When a signal asked for it: saves and
 * ends the program with status 75. */
void cli_checkpoints_step(cli_checkpoints *c, const ft_trainer *t, cli_train_logs *logs);

/* Signals end the program again. */
void cli_checkpoints_end(cli_checkpoints *c);

/* Ends a run that cannot go on: adds to the error which checkpoint is the last good one. */
_Noreturn void cli_checkpoints_fail(cli_checkpoints *c);

void cli_checkpoints_free(cli_checkpoints *c);

#endif
