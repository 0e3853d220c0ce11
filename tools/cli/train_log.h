/* train_log.h: the log of a training run, JSON lines that are there as soon as a step is done, and
 * that a resumed run continues so that the file in the end is that of a run without a break.
 *
 * A digest runs over all lines without their speed, the one number in which two runs of the same
 * work differ: d = XXH3-128(d before, line), zeros at the start. A checkpoint holds it, so that a
 * resumed run notices another run's log under the same name.
 *
 * All of it ends in cli_fail when it fails.
 */
#ifndef FT_CLI_TRAIN_LOG_H
#define FT_CLI_TRAIN_LOG_H

#include "base/hash.h"
#include "base/io.h"
#include "train/checkpoint.h"

typedef struct cli_train_log {     /* all zero: no file, the digest of no line */
    ft_out *out;
    ft_digest digest;
    const char *path;              /* of a file whose name may not be on the disk yet, or NULL */
} cli_train_log;

typedef struct cli_train_logs {
    const char *steps_path, *examples_path;    /* or NULL: not kept */
    cli_train_log steps, examples;
} cli_train_logs;

/* Begins new files. */
void cli_train_logs_begin(cli_train_logs *logs);

/* Goes on behind the lines of the first `step` steps, whose digests must be those given; later
 * lines are cut off. A file that is missing or no regular file gets the later lines only. Refuses
 * (FT_ERR_DATA) a file that does not hold those lines. */
void cli_train_logs_go_on(cli_train_logs *logs, uint64_t step, const ft_log_digests *digests);

/* Appends the lines of a step, or what was measured before the first. train: the data. */
void cli_train_logs_step(cli_train_logs *logs, const ft_train_report *p, const ft_trainer *t,
                         ft_dataset *train);

ft_log_digests cli_train_logs_digests(const cli_train_logs *logs);
void cli_train_logs_sync(cli_train_logs *logs);       /* waits until the disk has them */
void cli_train_logs_end(cli_train_logs *logs);

#endif
