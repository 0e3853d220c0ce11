/* normal.h: the canonical form of a text, under which two texts count as the same. Case and
 * canonically equivalent spellings go by Unicode's canonical caseless matching (The Unicode
 * Standard, definition D145: full case folding of the NFD), written composed (NFC); then each run
 * of white space becomes one space, and none at the ends. Bytes that are no valid UTF-8 are kept
 * as they are, so that different garbage stays different.
 *
 *     NFC(fold(NFD(text))), white space collapsed
 */
#ifndef FT_NORMAL_H
#define FT_NORMAL_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the canonical form of n bytes to out. */
int ft_normalise(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
