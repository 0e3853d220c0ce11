/* normal.h: the canonical form of a text, under which two texts count as the same: Unicode NFC,
 * then lower case (full case folding), then runs of white space to one space and none at the
 * ends. Invalid UTF-8 bytes are kept as they are, so that different garbage stays different. */
#ifndef FT_NORMAL_H
#define FT_NORMAL_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the canonical form of n bytes to out. */
int ft_normalise(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
