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
#include "train/trainer.h"

typedef struct cli_train_log {     /* all zero: no file, the digest of no line */
    ft_out *out;
    ft_digest digest;
    const char *path;              /* of a file whose name may not be on the disk yet, or NULL */
} cli_train_log;

/* Begins a new file. */
void cli_train_log_begin(cli_train_log *log, const char *path);

/* Goes on behind the lines of the first `step` steps, whose digest must be the one given; later
 * lines are cut off. A file that is missing or no regular file gets the later lines only. Refuses
 * (FT_ERR_DATA) a file that does not hold those lines. path: NULL: no file. */
void cli_train_log_go_on(cli_train_log *log, const char *path, uint64_t step,
                         const ft_digest *digest);

/* Appends the lines of a step. */
void cli_train_log_step(cli_train_log *log, const ft_train_report *p);

void cli_train_log_sync(cli_train_log *log);       /* waits until the disk has it */
void cli_train_log_end(cli_train_log *log);

#endif
