/* unpack.h: an input's bytes, decompressed when they are gzip or zstd, with the digest of what was
 * read. What it is is told by its first bytes, never by a name. Several members or frames behind
 * each other are one input, as `cat a.gz b.gz` makes them.
 *
 *     ft_unpack_new(&u, in, e);
 *     do rc = ft_unpack_read(u, to, n, &got, e); while (rc == 0 && got == n);
 *
 * Decompression is streaming: a small input that unpacks to a huge one costs time, not memory.
 * What ft cannot read at all (Parquet, UTF-16) is refused with a way to convert it.
 */
#ifndef FT_UNPACK_H
#define FT_UNPACK_H

#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"

/* The window that a zstd frame may ask for: 128 MiB, as the zstd program allows by itself. */
#define FT_UNPACK_WINDOW_LOG_MAX 27

typedef struct ft_unpack ft_unpack;

/* Owns: the caller, ft_unpack_free (accepts NULL); in stays the caller's and must outlive it. */
int ft_unpack_new(ft_unpack **u, ft_in *in, ft_err *e) FT_MUST_CHECK;
void ft_unpack_free(ft_unpack **u);

/* Reads until n bytes came or the input ended. Returns: 0 with *got <= n, less only at the end;
 * FT_ERR_DATA (damaged, or none of ours), FT_ERR_TRUNCATED, FT_ERR_IO, FT_ERR_NOMEM, naming the
 * input; then *got bytes came before the error. */
int ft_unpack_read(ft_unpack *u, void *p, size_t n, size_t *got, ft_err *e) FT_MUST_CHECK;

const char *ft_unpack_name(const ft_unpack *u);     /* of the input */
uint64_t ft_unpack_bytes(const ft_unpack *u);       /* read from the input, for progress */

/* At the end: digest of the input's bytes as they were read. */
ft_digest ft_unpack_digest(const ft_unpack *u);

#endif
