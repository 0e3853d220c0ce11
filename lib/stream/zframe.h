/* zframe.h: finds where a zstd frame ends without decompressing it (RFC 8878, section 3.1.1), and
 * refuses, from its first bytes, each frame that a stream may not hold: skippable, without content
 * size or checksum, with a dictionary, with a window over 8 MiB, or larger than the caller's bound.
 * So the reader hands whole frames to its threads and never sizes memory by an unchecked number.
 */
#ifndef FT_ZFRAME_H
#define FT_ZFRAME_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_ZFRAME_HEAD_MAX 18   /* magic 4, descriptor 1, window 1, dictionary 4, size 8 */

typedef struct ft_zframe {
    uint64_t content;      /* decompressed bytes, as the frame header claims (checked bound) */
    size_t head_bytes;     /* of the frame header, magic included                            */
    size_t bytes;          /* compressed bytes accounted for so far                          */
    size_t bytes_max;      /* more than this no honest encoder writes for `content`          */
} ft_zframe;

/* Reads the frame header at p. n: bytes at hand; all of the header is there when
 * n >= FT_ZFRAME_HEAD_MAX. Returns: 0; FT_ERR_TRUNCATED when n is too small for this header;
 * FT_ERR_DATA when the frame is refused. */
int ft_zframe_begin(ft_zframe *z, const uint8_t *p, size_t n, uint64_t content_max,
                    ft_err *e) FT_MUST_CHECK;

/* Accounts for the block whose three header bytes are at p. *more: bytes that follow them before
 * the next block header, or, when *last, before the end of the frame (its checksum included).
 * Errors: FT_ERR_DATA. */
int ft_zframe_block(ft_zframe *z, const uint8_t p[3], size_t *more, int *last,
                    ft_err *e) FT_MUST_CHECK;

#endif
