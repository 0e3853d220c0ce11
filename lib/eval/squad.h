/* squad.h: exact match and F1 of short answers as the evaluation scripts of SQuAD v1.1 and v2.0
 * define them. Texts are lower-cased, ASCII punctuation is deleted, the words a, an, the and
 * white space are reduced; EM compares what is left, F1 its words as multisets. Of several
 * references each measure takes its best.
 *
 *     ft_squad_segment(s, 1, prediction, references, n, &em, &f1, e);    // 0..100 both
 *
 * v2.0 differs where something is empty: an empty side gives 1 when both are empty, else 0; of the
 * references the empty ones are left out, unless all are. In v1.1 no common word is 0 always.
 */
#ifndef FT_SQUAD_H
#define FT_SQUAD_H

#include "base/buf.h"
#include "base/err.h"

typedef struct ft_squad ft_squad;

/* Owns: the caller, ft_squad_free (accepts NULL, sets NULL). Threads: one ft_squad each. */
int ft_squad_new(ft_squad **s, ft_err *e) FT_MUST_CHECK;
void ft_squad_free(ft_squad **s);

/* version: 1 or 2. n_refs > 0. Errors: FT_ERR_NOMEM. */
int ft_squad_segment(ft_squad *s, int version, ft_slice prediction, const ft_slice *refs,
                     size_t n_refs, double *em, double *f1, ft_err *e) FT_MUST_CHECK;

/* Appends the reduced text. */
int ft_squad_reduce(ft_squad *s, ft_slice text, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
