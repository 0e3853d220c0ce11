/* lines.h: the lines of a side file (scores, reviewed suggestions, templates), one at a time, with
 * the digest of the file. texts.h cuts; here a line is also checked.
 *
 *     ft_lines_new(&lines, in, e);
 *     while ((rc = ft_lines_next(lines, &line, e)) == 0) …   // FT_EOS at the end
 *
 * Blank lines, a byte order mark before the first line and a carriage return before a line's end
 * are skipped; the last line need not be ended. gzip and zstd are unpacked.
 */
#ifndef FT_LINES_H
#define FT_LINES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"

typedef struct ft_lines ft_lines;

/* Owns: the caller, ft_lines_free (accepts NULL); in stays the caller's and must outlive it. */
int ft_lines_new(ft_lines **l, ft_in *in, ft_err *e) FT_MUST_CHECK;
void ft_lines_free(ft_lines **l);

/* Gives the next line without its end, valid until the next call. Returns: 0, FT_EOS, or
 * FT_ERR_DATA (too long, invalid UTF-8, a NUL byte), FT_ERR_IO, FT_ERR_NOMEM; errors name input,
 * line and byte. */
int ft_lines_next(ft_lines *l, ft_slice *line, ft_err *e) FT_MUST_CHECK;

/* Number of the line that was given last, from 1. */
uint64_t ft_lines_number(const ft_lines *l);

/* After FT_EOS: digest of all bytes of the input. */
ft_digest ft_lines_digest(const ft_lines *l);

#endif
