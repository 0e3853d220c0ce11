/* recurring.h: which passages of texts stood in them before, by the rule of repeats.h, when the
 * texts are more than memory holds: their bytes are gone through three times, and what must be
 * remembered is sorted on disk. The result is that of repeats.h on all texts at once.
 *
 * Of each run of min_bytes bytes an anchor stands for it: of the shorter runs (grams) in it the one
 * with the least hash, the last such one. Equal runs have equal anchors in equal places, and runs
 * that overlap mostly share theirs, so that there are few anchors (of min_bytes 100 one for each 26
 * bytes). Runs whose anchor comes only once are not looked at again. The others are hashed whole,
 * sorted by their hashes, and each group of equal ones is judged in its order.
 *
 *     ft_recurring_new(&x, 100, 1, 0, 64 << 20, e)
 *     for each text: ft_recurring_look(x, p, n, place, e)            places rise
 *     ft_recurring_choose(x, e)
 *     for each text: ft_recurring_collect(x, p, n, place, e)         the same once more
 *     ft_recurring_judge(x, e)
 *     for each text: ft_recurring_cuts(x, n, place, &spans, e)
 *
 * Equal means equal in two polynomial hashes modulo 2^61 - 1 with different bases, about 120 bits:
 * of unequal runs no pair will agree by chance. Somebody who knows the bases can make one.
 *
 * Memory: the bound and at most 1 MB. On disk: 16 bytes an anchor and 8 for each that repeats; then
 * 24 bytes for each run whose anchor repeats, with 16 for each one that is cut and 16 a group.
 */
#ifndef FT_RECURRING_H
#define FT_RECURRING_H

#include "data/repeats.h"

typedef struct ft_recurring ft_recurring;

/* min_bytes: 16 at least; keep: how many occurrences stay; passages: whether ft_recurring_passages
 * will be asked for. Owns: the caller, ft_recurring_free (accepts NULL, sets NULL). */
int ft_recurring_new(ft_recurring **x, uint32_t min_bytes, uint64_t keep, int passages,
                     uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;

/* First time. place: of the text's first byte; those of a text's other bytes follow it. */
int ft_recurring_look(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place,
                      ft_err *e) FT_MUST_CHECK;
int ft_recurring_choose(ft_recurring *x, ft_err *e) FT_MUST_CHECK;

/* Second time: the same texts at the same places. */
int ft_recurring_collect(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place,
                         ft_err *e) FT_MUST_CHECK;
int ft_recurring_judge(ft_recurring *x, ft_err *e) FT_MUST_CHECK;

/* Third time: fills the list anew with what is to be cut of the text at that place. */
int ft_recurring_cuts(ft_recurring *x, size_t n, uint64_t place, ft_span_list *spans,
                      ft_err *e) FT_MUST_CHECK;

/* After judging: calls fn for each passage, by its first place. */
int ft_recurring_passages(ft_recurring *x, ft_repeat_fn fn, void *ctx, ft_err *e) FT_MUST_CHECK;

void ft_recurring_free(ft_recurring **x);

#endif
