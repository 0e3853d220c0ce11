#include "data/lines.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "data/texts.h"

#include <string.h>

struct ft_lines {
    ft_unpack *unpack;
    ft_texts *cut;
    const ft_text *texts;        /* of the block at hand: lines [at, n) are to come */
    size_t at, n;
    uint64_t number;
};

int ft_lines_new(ft_lines **out, ft_in *in, ft_err *e)
{
    ft_lines *l = ft_new(1, sizeof *l, e);
    int rc = l ? ft_unpack_new(&l->unpack, in, e) : FT_ERR_NOMEM;
    if (rc == 0)
        rc = ft_texts_new(&l->cut, l->unpack, FT_CUT_LINES, e);
    if (rc < 0)
        ft_lines_free(&l);
    *out = l;
    return rc;
}

void ft_lines_free(ft_lines **l)
{
    if (!*l)
        return;
    ft_texts_free(&(*l)->cut);
    ft_unpack_free(&(*l)->unpack);
    ft_free(*l);
    *l = NULL;
}

static int check_line(const ft_lines *l, ft_slice line, ft_err *e)
{
    const uint8_t *nul = line.n ? memchr(line.p, 0, line.n) : NULL;
    size_t valid = ft_utf8_check(line.p, line.n);
    if (nul && (size_t)(nul - line.p) < valid)
        ft_err_set(e, FT_ERR_DATA, "byte %zu: a NUL byte (is this text at all?)",
                   (size_t)(nul - line.p) + 1);
    else if (valid < line.n)
        ft_err_set(e, FT_ERR_DATA, "byte %zu: invalid UTF-8 (0x%02x)", valid + 1, line.p[valid]);
    else
        return 0;
    return ft_err_wrap(e, "%s: line %llu", ft_unpack_name(l->unpack),
                       (unsigned long long)l->number);
}

int ft_lines_next(ft_lines *l, ft_slice *line, ft_err *e)
{
    while (l->at == l->n) {
        int rc = ft_texts_next(l->cut, &l->texts, &l->n, e);
        l->at = 0;
        if (rc != 0) {
            l->n = 0;
            return rc;
        }
    }
    *line = (ft_slice){l->texts[l->at].p, l->texts[l->at].n};
    l->number = l->texts[l->at++].line;
    if (line->n && line->p[line->n - 1] == '\r')
        line->n--;
    return check_line(l, *line, e);
}

uint64_t ft_lines_number(const ft_lines *l)
{
    return l->number;
}

ft_digest ft_lines_digest(const ft_lines *l)
{
    return ft_unpack_digest(l->unpack);
}
