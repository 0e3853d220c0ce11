/* repeats.h: which passages of a text stand in it before? By a suffix array over the bytes of many
 * texts one behind the other (libdivsufsort); a passage never reaches from one text into the next.
 *
 * Every run of min_bytes bytes inside a text is looked at. Of equal runs, in their order, the first
 * `keep` that do not overlap each other stay; the bytes of later ones are marked to be cut, but
 * not those that belong to the last one kept. What repeats for longer than min_bytes is found
 * whole, because all the runs in it are.
 *
 *     ft_repeats r = {.text = t, .n = n, .end = ends, .n_ends = k, .min_bytes = 100, .keep = 1};
 *     ft_repeats_find(&r, NULL, NULL, e)    …  ft_repeats_cuts(&r, at, n, &spans, e)  …
 *     ft_repeats_free(&r);
 *
 * Equal runs are neighbours in the suffix array. Whether two neighbours agree in min_bytes bytes is
 * seen by comparing them, so that no array of common lengths is needed. recurring.h does the same
 * for texts that memory does not hold.
 *
 * Memory: 4.25 bytes for each byte of the text, besides it, and 1.3 MB.
 */
#ifndef FT_REPEATS_H
#define FT_REPEATS_H

#include "base/err.h"

#include <stdint.h>

#define FT_REPEATS_BYTES_MAX ((UINT32_C(1) << 31) - 65536)

typedef struct ft_repeat {
    uint64_t at, n;              /* its first place in the text, and bytes            */
    uint64_t count;              /* how often it stands there, overlaps included      */
} ft_repeat;

/* Takes a passage. Returns: 0, or an error that ends the search. */
typedef int (*ft_repeat_fn)(void *ctx, const ft_repeat *passage, ft_err *e);

typedef struct ft_repeats {
    const uint8_t *text;
    size_t n;                    /* at most FT_REPEATS_BYTES_MAX                      */
    const uint32_t *end;         /* where each text ends, rising                      */
    size_t n_ends;
    uint32_t min_bytes;          /* at least 2                                        */
    uint64_t keep;               /* at least 1                                        */
    uint64_t *cut;               /* result: a bit a byte                              */
} ft_repeats;

typedef struct ft_span_list {    /* parts of a text, rising and apart; all zero is empty */
    struct ft_span { size_t from, to; } *span;
    size_t n, cap;
} ft_span_list;

/* Appends [from, to), which begins nowhere before the last one, or makes that one longer. */
int ft_span_list_add(ft_span_list *list, size_t from, size_t to, ft_err *e) FT_MUST_CHECK;
void ft_span_list_free(ft_span_list *list);    /* back to all zero */

/* Fills cut, and calls fn, which may be NULL, for each passage by its first place: longest ones
 * whose runs all have the same count. Errors: FT_ERR_NOMEM, what fn returns. Owns: the caller,
 * ft_repeats_free (text and end stay his). */
int ft_repeats_find(ft_repeats *r, ft_repeat_fn fn, void *ctx, ft_err *e) FT_MUST_CHECK;

/* Fills the list anew with what is to be cut of the n bytes at that place of the text, counted from
 * there. Errors: FT_ERR_NOMEM. */
int ft_repeats_cuts(const ft_repeats *r, size_t at, size_t n, ft_span_list *spans,
                    ft_err *e) FT_MUST_CHECK;

void ft_repeats_free(ft_repeats *r);

/* Moves [*from, *to) of a text of n bytes inwards: to whole characters of UTF-8, or to whole
 * sentences and lines. A sentence ends with one of . ! ? and the ellipsis, closing quotes and
 * brackets behind it, and white space, or with a full-width mark. Returns: whether anything is
 * left of it. */
int ft_cut_align(const uint8_t *text, size_t n, int to_sentences, size_t *from, size_t *to);

#endif
