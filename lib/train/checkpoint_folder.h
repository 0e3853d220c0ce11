/* checkpoint_folder.h: the checkpoints of one run in a folder: the last good one and the one before
 * it. They are called checkpoint-0000000120.ft, by their step; other names in the folder are left
 * alone.
 *
 *     ft_checkpoint_folder_open(&f, "run1", e);
 *     for (size_t i = f->n; i-- > 0;)     newest first
 *         … ft_checkpoint_path(f, f->steps[i]) …    and, where one was taken up,
 *     ft_checkpoint_folder_took(f, step, e);
 *     …
 *     write ft_checkpoint_path(f, step) by atomic replacement, then
 *     ft_checkpoint_folder_saved(f, step, e);       the old ones go only now
 */
#ifndef FT_CHECKPOINT_FOLDER_H
#define FT_CHECKPOINT_FOLDER_H

#include "base/err.h"
#include "base/folder.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_checkpoint_folder {    /* to be read, not written, by others */
    uint64_t *steps;           /* of the checkpoints that are there, ascending; good or not   */
    size_t n;
    uint64_t good;             /* step of the last one that is known to be good; 0: none       */
    size_t cap;
    ft_folder *folder;
    char *path;                /* what ft_checkpoint_path returns */
} ft_checkpoint_folder;

/* Opens the folder (see ft_folder_open), removes the temporary files that a killed run left behind
 * and lists the checkpoints. Owns: the caller, ft_checkpoint_folder_free. */
int ft_checkpoint_folder_open(ft_checkpoint_folder **f, const char *path, ft_err *e) FT_MUST_CHECK;
void ft_checkpoint_folder_free(ft_checkpoint_folder **f);

/* Returns: the path of the checkpoint of a step, valid until the next call. */
const char *ft_checkpoint_path(ft_checkpoint_folder *f, uint64_t step);

/* Says that the checkpoint of this step is good and the run goes on from it: those before the one
 * before it go. Errors: FT_ERR_IO. */
int ft_checkpoint_folder_took(ft_checkpoint_folder *f, uint64_t step, ft_err *e) FT_MUST_CHECK;

/* Says that the checkpoint of this step is on the disk: earlier ones go, but for the last good one
 * before it. Errors: FT_ERR_IO. */
int ft_checkpoint_folder_saved(ft_checkpoint_folder *f, uint64_t step, ft_err *e) FT_MUST_CHECK;

#endif
