/* checkpoint.h: a training run in a file, as a stream of kind "checkpoint": what it is a run of,
 * and its state. The stream's trailer proves that the file is whole.
 *
 * The header's `extra` is {run, state}; doc/stream.md has the fields. Records are like an
 * adapter's: {name, shape: [n], offset, data}; names are params, m, v (the moments of AdamW) and,
 * once there was a validation, best. All have one element for each parameter, in the order of
 * ft_adapter's params.
 *
 *     ft_checkpoint_header(&run, &state, &log, &h, &buf, e);  … open a writer with h …
 *     ft_checkpoint_write(&state, writer, e);                 … and finish it
 *
 *     ft_checkpoint_verify(path, pool, &extra, e);    whole?  else: try an older one
 *     ft_checkpoint_fits(extra, &run, e);             of this run?  else: refuse
 *     ft_checkpoint_read(path, pool, &state, &log, e);
 */
#ifndef FT_CHECKPOINT_H
#define FT_CHECKPOINT_H

#include "base/err.h"
#include "base/hash.h"
#include "base/pool.h"
#include "stream/stream.h"
#include "train/trainer.h"

/* What two runs must have in common to give the same bytes. */
typedef struct ft_run {
    ft_digest model;
    const char *transform;     /* of the model's weights; "": none                             */
    ft_digest data;            /* of the packed records                                        */
    ft_digest validation;      /* all zero: none                                               */
    ft_mp options;             /* map of the options that change the payload                   */
    uint64_t seed;
    const char *numerics;      /* ft_numerics_name                                             */
} ft_run;

/* Fills in the kind and the extra of a checkpoint's header; extra is built in *buf, which must live
 * as long as the header is used. log: digest of the log so far, all zero: not kept.
 * Errors: FT_ERR_NUMERIC when a parameter is not finite: from such a state no run should go on. */
int ft_checkpoint_header(const ft_run *run, const ft_train_state *s, const ft_digest *log,
                         ft_header *h, ft_buf *buf, ft_err *e) FT_MUST_CHECK;

/* Writes the records. Errors: those of ft_writer_put. */
int ft_checkpoint_write(const ft_train_state *s, ft_writer *w, ft_err *e) FT_MUST_CHECK;

/* Reads a checkpoint to its verified end and keeps nothing of it but a copy of the header's extra.
 * Errors: FT_ERR_DATA and FT_ERR_TRUNCATED when it is damaged or no checkpoint. */
int ft_checkpoint_verify(const char *path, ft_pool *pool, ft_buf *extra, ft_err *e) FT_MUST_CHECK;

/* Compares. Errors: FT_ERR_DATA naming the first thing that differs, with both values. */
int ft_checkpoint_fits(ft_mp extra, const ft_run *run, ft_err *e) FT_MUST_CHECK;

/* Reads the state of a verified checkpoint that fits. s: n_params and the arrays of a trainer
 * (ft_trainer_state), which are filled; the numbers are set. log: as in ft_checkpoint_header.
 * Errors: as ft_checkpoint_verify; the arrays then hold nothing useful. */
int ft_checkpoint_read(const char *path, ft_pool *pool, ft_train_state *s, ft_digest *log,
                       ft_err *e) FT_MUST_CHECK;

#endif
