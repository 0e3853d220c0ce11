#include "data/lines.h"

#include "base/mem.h"
#include "data/utf8.h"

#include <string.h>

enum { READ_BYTES = 1 << 16 };

struct ft_lines {
    ft_in *in;
    ft_hasher *hasher;
    ft_buf held;            /* bytes read and not yet forgotten */
    size_t at;              /* where the next line begins in it */
    size_t searched;        /* bytes of held in which no line end was found */
    uint64_t number, bytes;
    int ended;
};

int ft_lines_new(ft_lines **out, ft_in *in, ft_err *e)
{
    ft_lines *l = ft_new(1, sizeof *l, e);
    if (!l)
        return FT_ERR_NOMEM;
    l->in = in;
    if (ft_hasher_new(&l->hasher, e) < 0) {
        ft_free(l);
        return FT_ERR_NOMEM;
    }
    *out = l;
    return 0;
}

void ft_lines_free(ft_lines **l)
{
    if (!*l)
        return;
    ft_hasher_free(&(*l)->hasher);
    ft_buf_free(&(*l)->held);
    ft_free(*l);
    *l = NULL;
}

static int read_more(ft_lines *l, ft_err *e)
{
    size_t got;
    uint8_t *to;
    if (l->at > 0) {
        memmove(l->held.p, l->held.p + l->at, l->held.n - l->at);
        l->held.n -= l->at;
        l->searched -= l->at;
        l->at = 0;
    }
    to = ft_buf_room(&l->held, READ_BYTES);
    if (!to)
        return ft_buf_check(&l->held, e);
    if (ft_in_read_some(l->in, to, READ_BYTES, &got, e) < 0)
        return FT_ERR_IO;
    ft_hasher_add(l->hasher, to, got);
    l->held.n += got;
    l->bytes += got;
    l->ended = got == 0;
    return 0;
}

static int where(const ft_lines *l, ft_err *e)
{
    return ft_err_wrap(e, "%s: line %llu", ft_in_name(l->in), (unsigned long long)l->number);
}

static int check_line(const ft_lines *l, ft_slice line, ft_err *e)
{
    const uint8_t *nul = line.n ? memchr(line.p, 0, line.n) : NULL;
    size_t valid = ft_utf8_check(line.p, line.n);
    if (nul && (size_t)(nul - line.p) < valid)
        ft_err_set(e, FT_ERR_DATA, "byte %zu: a NUL byte (is this UTF-16, or no text at all?)",
                   (size_t)(nul - line.p) + 1);
    else if (valid < line.n)
        ft_err_set(e, FT_ERR_DATA, "byte %zu: invalid UTF-8 (0x%02x)", valid + 1, line.p[valid]);
    else
        return 0;
    return where(l, e);
}

static int too_long(const ft_lines *l, ft_err *e)
{
    ft_err_set(e, FT_ERR_DATA, "longer than %zu MiB", FT_LINE_BYTES_MAX >> 20);
    return where(l, e);
}

/* The bytes [at, end) of held are the next line. */
static int give(ft_lines *l, size_t end, ft_slice *line, ft_err *e)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    if (l->number == 1 && end - l->at >= sizeof mark &&
        memcmp(l->held.p + l->at, mark, sizeof mark) == 0)
        l->at += sizeof mark;
    *line = (ft_slice){l->held.p + l->at, end - l->at};
    l->at = l->searched = end < l->held.n ? end + 1 : end;
    if (line->n > FT_LINE_BYTES_MAX)
        return too_long(l, e);
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return check_line(l, *line, e);
}

int ft_lines_next(ft_lines *l, ft_slice *line, ft_err *e)
{
    l->number++;
    for (;;) {
        const uint8_t *end = l->held.n > l->searched
            ? memchr(l->held.p + l->searched, '\n', l->held.n - l->searched) : NULL;
        int rc;
        if (end)
            return give(l, (size_t)(end - l->held.p), line, e);
        l->searched = l->held.n;
        if (l->ended)
            return l->held.n > l->at ? give(l, l->held.n, line, e) : FT_EOS;
        if (l->held.n - l->at > FT_LINE_BYTES_MAX)
            return too_long(l, e);
        rc = read_more(l, e);
        if (rc < 0)
            return rc;
    }
}

uint64_t ft_lines_number(const ft_lines *l)
{
    return l->number;
}

uint64_t ft_lines_bytes(const ft_lines *l)
{
    return l->bytes;
}

int ft_line_is_blank(ft_slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t')
            return 0;
    return 1;
}

ft_digest ft_lines_digest(const ft_lines *l)
{
    return ft_hasher_digest(l->hasher);
}
