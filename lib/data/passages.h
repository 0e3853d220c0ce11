/* passages.h: which of many repeated passages to show: those that take most bytes, and of variants
 * of one passage only the first. All of them are sorted, on disk if need be (spool_sort.h); the
 * caller fetches the text of one after the other and asks whether it differs from those shown.
 *
 *     ft_passages_add(p, &passage, e)                      for each, by its first place
 *     ft_passages_start(p, e)
 *     while (shown < top && (rc = ft_passages_next(p, &passage, e)) == 1) {
 *         … its text …
 *         if ((rc = ft_passages_show(p, text, n, e)) == 1) …
 *     }
 *
 * Order: by (count - 1) * n, falling; then by first place. Two passages are variants when of the
 * different runs of FT_PASSAGE_GRAM bytes in the one that has fewer the other has at least half:
 * then one contains the other, or they overlap for the most part. Of long ones the first
 * FT_PASSAGE_BYTES_MAX bytes are looked at.
 *
 * Memory: a quarter of the bound for the sorting, the others for the runs of what is shown, 16 to
 * 48 bytes each; and 150 KB.
 */
#ifndef FT_PASSAGES_H
#define FT_PASSAGES_H

#include "data/repeats.h"

#define FT_PASSAGE_GRAM 16
#define FT_PASSAGE_BYTES_MAX 4096

typedef struct ft_passages ft_passages;

/* Owns: the caller, ft_passages_free (accepts NULL, sets NULL). */
int ft_passages_new(ft_passages **p, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

int ft_passages_add(ft_passages *p, const ft_repeat *passage, ft_err *e) FT_MUST_CHECK;
int ft_passages_start(ft_passages *p, ft_err *e) FT_MUST_CHECK;
/* Returns: 1, 0 behind the last, or an error. */
int ft_passages_next(ft_passages *p, ft_repeat *passage, ft_err *e) FT_MUST_CHECK;

/* Takes up a text as shown unless it is a variant of one. Returns: whether it was taken, or
 * FT_ERR_NOMEM, also when what is shown takes more than the bound. */
int ft_passages_show(ft_passages *p, const uint8_t *text, size_t n, ft_err *e) FT_MUST_CHECK;

void ft_passages_free(ft_passages **p);

#endif
