#define _POSIX_C_SOURCE 200809L
#define FT_ERR_C
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ft_err_set(ft_err *e, int code, const char *fmt, ...)
{
    va_list ap;
    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return code;
}

int ft_err_sys(ft_err *e, int code, int sys, const char *fmt, ...)
{
    va_list ap;
    size_t n;
    char why[128];
    if (!e)
        return code;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    if (strerror_r(sys, why, sizeof why) != 0)
        snprintf(why, sizeof why, "errno %d", sys);
    snprintf(e->text + n, sizeof e->text - n, ": %s", why);
    return code;
}

int ft_err_wrap(ft_err *e, const char *fmt, ...)
{
    va_list ap;
    char old[FT_ERR_TEXT_BYTES];
    size_t n;
    if (!e)
        return FT_ERR_INTERNAL;
    memcpy(old, e->text, sizeof old);
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", old);
    return e->code;
}

int ft_err_nomem(ft_err *e, size_t bytes)
{
    return ft_err_set(e, FT_ERR_NOMEM, "out of memory (%zu bytes asked)", bytes);
}

int ft_err_exit_status(int code)
{
    switch (code) {
    case FT_OK:
    case FT_EOS: return 0;
    case FT_ERR_USAGE: return 64;
    case FT_ERR_DATA:
    case FT_ERR_TRUNCATED: return 65;
    case FT_ERR_NOINPUT: return 66;
    case FT_ERR_NOMEM: return 71;
    case FT_ERR_CREATE: return 73;
    case FT_ERR_IO: return 74;
    case FT_ERR_STOPPED: return 75;
    default: return 70;
    }
}
