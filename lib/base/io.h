/* io.h: the one place where bytes enter and leave: loops over EINTR, EAGAIN and short transfers,
 * checked closes, atomic replacement of files, spools.
 *
 * An output to a path appears under its name only when ft_out_commit succeeded; until then, and
 * after a failure or kill, what stood there before still stands. The bytes go to PATH.ft-tmp,
 * which is locked while it is written; a stale one that a killed run left is taken over by the
 * next run. Devices, pipes and "-" (standard output) are written directly.
 *
 *     ft_out *out = NULL;
 *     if (ft_out_open(&out, path, e) < 0) return e->code;
 *     if (ft_out_write(out, p, n, e) < 0 || …) { ft_out_abandon(&out); return e->code; }
 *     return ft_out_commit(&out, e);
 */
#ifndef FT_IO_H
#define FT_IO_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ft_in ft_in;
typedef struct ft_out ft_out;
typedef struct ft_spool ft_spool;

/* Call first in main: a standard descriptor that is closed is held by a descriptor on which the
 * expected operation fails, so that no file opened later becomes "standard output". */
void ft_io_guard_standard(void);

/* Opens a path, or standard input for "-". Owns: the caller, ft_in_close.
 * Errors: FT_ERR_NOINPUT. */
int ft_in_open(ft_in **in, const char *path, ft_err *e) FT_MUST_CHECK;

/* Reads until n bytes came or the input ended. Returns: 0 with *got <= n (less only at the end),
 * or FT_ERR_IO. */
int ft_in_read(ft_in *in, void *p, size_t n, size_t *got, ft_err *e) FT_MUST_CHECK;

/* As ft_in_read, but returns with what one read() gave: *got = 0 only at the end. */
int ft_in_read_some(ft_in *in, void *p, size_t n, size_t *got, ft_err *e) FT_MUST_CHECK;

const char *ft_in_name(const ft_in *in);  /* the path, or "-" */
int ft_in_is_tty(const ft_in *in);
uint64_t ft_in_size(const ft_in *in);     /* bytes of a regular file, else 0 (for progress) */
void ft_in_close(ft_in **in);             /* accepts NULL, sets NULL */

/* Opens an output: a path, or standard output for "-". Buffered. Owns: the caller, until
 * ft_out_commit or ft_out_abandon. Errors: FT_ERR_CREATE. */
int ft_out_open(ft_out **out, const char *path, ft_err *e) FT_MUST_CHECK;
/* Opens a file that is written in place and visible while it grows, as a log is: no temporary, and
 * what was written stays when the program fails. Errors: FT_ERR_CREATE. */
int ft_out_open_log(ft_out **out, const char *path, ft_err *e) FT_MUST_CHECK;
/* The same for a log that goes on behind its first `keep` bytes: what stands behind them is cut
 * off. Errors: FT_ERR_CREATE. */
int ft_out_open_log_at(ft_out **out, const char *path, uint64_t keep, ft_err *e) FT_MUST_CHECK;
int ft_out_write(ft_out *out, const void *p, size_t n, ft_err *e) FT_MUST_CHECK;
int ft_out_flush(ft_out *out, ft_err *e) FT_MUST_CHECK;
/* Flushes, and waits until the disk has it; pipes and devices have nothing to wait for. */
int ft_out_sync(ft_out *out, ft_err *e) FT_MUST_CHECK;

uint64_t ft_out_bytes(const ft_out *out); /* written so far */
int ft_out_is_tty(const ft_out *out);
int ft_out_is_file(const ft_out *out);    /* a regular file that will be replaced atomically */

/* Returns: where a file's bytes are until ft_out_commit, for reading back what was flushed; NULL
 * when it is no file. */
const char *ft_out_path(const ft_out *out);

/* Flushes, syncs, renames, syncs the folder, closes; each step checked. Frees *out either way
 * (NULL). Errors: FT_ERR_IO; the old file is then still there. */
int ft_out_commit(ft_out **out, ft_err *e) FT_MUST_CHECK;

/* Closes and removes what was written so far; accepts NULL, sets NULL. */
void ft_out_abandon(ft_out **out);

/* Removes all unfinished temporary files; async-signal-safe, for signal handlers. */
void ft_io_remove_temporaries(void);

/* Makes new, renamed and removed names beside `path` durable. Errors: FT_ERR_IO. */
int ft_io_sync_folder_of(const char *path, ft_err *e) FT_MUST_CHECK;

/* An unnamed temporary file in $TMPDIR (or /tmp): written once, then read from the start as often
 * as wanted; gone with the process. Errors: FT_ERR_CREATE, FT_ERR_IO. */
int ft_spool_new(ft_spool **s, ft_err *e) FT_MUST_CHECK;
int ft_spool_write(ft_spool *s, const void *p, size_t n, ft_err *e) FT_MUST_CHECK;
int ft_spool_rewind(ft_spool *s, ft_err *e) FT_MUST_CHECK;    /* flushes; reading starts at 0 */
int ft_spool_read(ft_spool *s, void *p, size_t n, size_t *got, ft_err *e) FT_MUST_CHECK;
/* Reads exactly n bytes at an offset, independent of the reading position. */
int ft_spool_read_at(ft_spool *s, uint64_t offset, void *p, size_t n, ft_err *e) FT_MUST_CHECK;
uint64_t ft_spool_bytes(const ft_spool *s);
void ft_spool_free(ft_spool **s);

/* A file mapped read-only. The size is fixed at opening; when the file shrinks while it is
 * mapped, touching the lost part raises SIGBUS, which the tools turn into exit 65. */
typedef struct ft_map {
    const uint8_t *p;
    size_t n;
} ft_map;

/* Errors: FT_ERR_NOINPUT (missing, not a regular file), FT_ERR_IO. */
int ft_map_open(ft_map *m, const char *path, ft_err *e) FT_MUST_CHECK;
/* Takes n bytes at p, which lie in the map, out of memory until they are read again; whole pages
 * only, and bytes that lie elsewhere not at all. */
void ft_map_forget(const ft_map *m, const void *p, size_t n);
/* Has n bytes at p, which lie in the map, read in the background. */
void ft_map_want(const ft_map *m, const void *p, size_t n);
void ft_map_close(ft_map *m);             /* accepts an all-zero map */

#endif
