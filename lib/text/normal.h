/* normal.h: the canonical form of a text, under which two texts count as the same. Case and
 * canonically equivalent spellings go by Unicode's canonical caseless matching (The Unicode
 * Standard, definition D145: full case folding of the NFD), written composed (NFC); then each run
 * of white space becomes one space, and none at the ends. Bytes that are no valid UTF-8 are kept
 * as they are, so that different garbage stays different.
 *
 *     NFC(fold(NFD(text))), white space collapsed
 *
 * Other forms leave out less or more:
 *
 *     ft_normalise_ignoring(p, n, FT_IGNORE_USUAL | FT_IGNORE_DIGITS, &form, e)
 */
#ifndef FT_NORMAL_H
#define FT_NORMAL_H

#include "base/buf.h"
#include "base/err.h"

enum {
    FT_IGNORE_CASE = 1,
    FT_IGNORE_SPACE = 2,          /* collapse white space                                      */
    FT_IGNORE_PUNCTUATION = 4,    /* punctuation and symbols (categories P*, S*) become spaces  */
    FT_IGNORE_DIGITS = 8,         /* decimal digits (Nd) become 0                               */
    FT_IGNORE_MARKS = 16,         /* nonspacing marks (Mn) go, after decomposition              */
    FT_IGNORE_USUAL = FT_IGNORE_CASE | FT_IGNORE_SPACE
};

/* Appends the canonical form of n bytes to out. ASCII goes at over 1 GB/s, characters that are
 * marks or have any behind them much slower than others. */
int ft_normalise(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* The same without any of the quicker ways, which are tested against it. */
int ft_normalise_plainly(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* The same with other differences left out. With 0 the form is the NFC. */
int ft_normalise_ignoring(const void *text, size_t n, unsigned ignore, ft_buf *out,
                          ft_err *e) FT_MUST_CHECK;

/* Reads a list such as "case,space,digits"; "none" is 0. Errors: FT_ERR_USAGE. */
int ft_ignore_parse(const char *list, unsigned *ignore, ft_err *e) FT_MUST_CHECK;

#endif
