/* folder.h: a folder in which a program keeps files of its own, one program at a time.
 *
 *     ft_folder_open(&f, "run1", e);                    // made when it is missing
 *     while ((rc = ft_folder_next(f, &name, e)) == 0) … ft_folder_remove(f, name, e) …
 *     ft_folder_free(&f);
 */
#ifndef FT_FOLDER_H
#define FT_FOLDER_H

#include "base/err.h"

typedef struct ft_folder ft_folder;

/* Opens a folder, makes it when only the last part of the path is missing, and locks it until
 * ft_folder_free or the end of the process. Owns: the caller.
 * Errors: FT_ERR_CREATE (also when another process holds the lock), FT_ERR_NOMEM. */
int ft_folder_open(ft_folder **f, const char *path, ft_err *e) FT_MUST_CHECK;
void ft_folder_free(ft_folder **f);

/* Gives the names in the folder in no order; behind the last one it begins anew. A name is valid
 * until the next call. Returns: 0, FT_EOS behind the last name, or FT_ERR_IO. */
int ft_folder_next(ft_folder *f, const char **name, ft_err *e) FT_MUST_CHECK;

/* Removes a file; one that is not there is removed already. Errors: FT_ERR_IO. */
int ft_folder_remove(ft_folder *f, const char *name, ft_err *e) FT_MUST_CHECK;

const char *ft_folder_path(const ft_folder *f);

#endif
