/* renames.h: other names for some fields of a map, as "prompt=question,completion=answer".
 *
 *     ft_renames_parse(&r, "prompt=question", e);
 *     ft_renames_apply(&r, object, &renamed, e);      // {"question": "a"} -> {"prompt": "a"}
 */
#ifndef FT_RENAMES_H
#define FT_RENAMES_H

#include "base/err.h"
#include "base/mp.h"

#define FT_RENAMES_MAX 64

typedef struct ft_renames {
    struct { ft_slice to, from; } list[FT_RENAMES_MAX];
    size_t n;
} ft_renames;

/* The slices point into text. Errors: FT_ERR_USAGE: no list of NEW=OLD, or a name twice. */
int ft_renames_parse(ft_renames *r, const char *text, ft_err *e) FT_MUST_CHECK;

/* Appends the map with the new names; order and other fields stay. Errors: FT_ERR_DATA when an old
 * name is missing, or another field has a new name. */
int ft_renames_apply(const ft_renames *r, ft_mp map, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
