/* err.h: how libft reports failure.
 *
 * Every function of libft that can fail returns 0 or a negative code below and takes, as its last
 * argument, an ft_err that receives the same code and one readable line. Callers on the way up add
 * what they know ("record 812 of -") with ft_err_wrap, so that the message a user sees reads from
 * the outside in:  reading record 812 of -: frame 3: checksum mismatch.
 *
 *     if (ft_reader_next(r, &rec, e) < 0)
 *         return ft_err_wrap(e, "joining %s", path);
 *
 * libft never prints, never exits and never uses errno as an interface. The tools turn a code into
 * an exit status with ft_err_exit_status.
 */
#ifndef FT_ERR_H
#define FT_ERR_H

#include <stddef.h>

#define FT_MUST_CHECK __attribute__((warn_unused_result))
#define FT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Exit statuses are those of sysexits.h; doc/ARCHITECTURE.md has the table for users. */
enum {
    FT_OK = 0,
    FT_EOS = 1,                /* end of stream, trailer verified: not an error      */
    FT_ERR_USAGE = -1,         /* 64: the request makes no sense                     */
    FT_ERR_DATA = -2,          /* 65: input corrupt, malformed or refused            */
    FT_ERR_TRUNCATED = -3,     /* 65: input ends before its trailer                  */
    FT_ERR_NOINPUT = -4,       /* 66: no such input                                  */
    FT_ERR_INTERNAL = -5,      /* 70: a self-check failed                            */
    FT_ERR_NUMERIC = -6,       /* 70: NaN, infinity, or a verification over its bound */
    FT_ERR_NOMEM = -7,         /* 71: out of memory, or over the bound that was set  */
    FT_ERR_CREATE = -8,        /* 73: cannot create an output                        */
    FT_ERR_IO = -9,            /* 74: read, write, fsync, close or rename failed     */
    FT_ERR_STOPPED = -10       /* 75: stopped by a signal after a checkpoint         */
};

#define FT_ERR_TEXT_BYTES 512

typedef struct ft_err {
    int code;                      /* FT_OK or FT_ERR_* */
    char text[FT_ERR_TEXT_BYTES];  /* one line, no newline, NUL-terminated */
} ft_err;

/* Records a failure: code and formatted text replace what e held. e may be NULL.
 * Returns: code, so that "return ft_err_set(e, …)" is one statement. */
int ft_err_set(ft_err *e, int code, const char *fmt, ...) FT_PRINTF(3, 4);

/* As ft_err_set, and appends ": " and the text of errno value sys. */
int ft_err_sys(ft_err *e, int code, int sys, const char *fmt, ...) FT_PRINTF(4, 5);

/* Puts "context: " before the text that e already holds; a text that grows too long loses its
 * tail. Returns: the code e holds. */
int ft_err_wrap(ft_err *e, const char *fmt, ...) FT_PRINTF(2, 3);

/* Records that `bytes` bytes could not be had. Returns: FT_ERR_NOMEM. */
int ft_err_nomem(ft_err *e, size_t bytes);

/* Returns: the process exit status (64..75) that stands for a code; 0 for FT_OK and FT_EOS. */
int ft_err_exit_status(int code);

#if defined(__clang_analyzer__) && !defined(FT_ERR_C)
/* The analyser sees one file at a time and must be told that a failure is a negative code. */
static inline int ft_err_negative(int rc)
{
    if (rc >= 0)
        __builtin_unreachable();
    return rc;
}
#define ft_err_set(e, ...) ft_err_negative(ft_err_set(e, __VA_ARGS__))
#define ft_err_sys(e, ...) ft_err_negative(ft_err_sys(e, __VA_ARGS__))
#define ft_err_wrap(e, ...) ft_err_negative(ft_err_wrap(e, __VA_ARGS__))
#define ft_err_nomem(e, n) ft_err_negative(ft_err_nomem(e, n))
#endif

#endif
