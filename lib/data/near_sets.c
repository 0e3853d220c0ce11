#include "data/near_sets.h"

#include "base/io.h"
#include "base/mem.h"

struct ft_near_sets {
    ft_spool *spool;
    uint64_t *end;             /* hashes before and of each row, from end[0] = 0 */
    size_t rows, cap;
};

int ft_near_sets_new(ft_near_sets **out, ft_err *e)
{
    ft_near_sets *s = ft_new(1, sizeof *s, e);
    int rc = s ? ft_grow(&s->end, &s->cap, 1, sizeof *s->end, e) : FT_ERR_NOMEM;
    *out = s;
    if (rc == 0) {
        s->end[0] = 0;
        rc = ft_spool_new(&s->spool, e);
    }
    if (rc < 0)
        ft_near_sets_free(out);
    return rc;
}

void ft_near_sets_free(ft_near_sets **s)
{
    if (!*s)
        return;
    ft_spool_free(&(*s)->spool);
    ft_free((*s)->end);
    ft_free(*s);
    *s = NULL;
}

int ft_near_sets_add(ft_near_sets *s, const uint64_t *h, size_t n, ft_err *e)
{
    if (ft_grow(&s->end, &s->cap, s->rows + 2, sizeof *s->end, e) < 0)
        return FT_ERR_NOMEM;
    s->end[s->rows + 1] = s->end[s->rows] + n;
    s->rows++;
    return ft_spool_write(s->spool, h, n * sizeof *h, e);
}

int ft_near_sets_done(ft_near_sets *s, ft_err *e)
{
    return ft_spool_rewind(s->spool, e);
}

size_t ft_near_sets_rows(const ft_near_sets *s)
{
    return s->rows;
}

size_t ft_near_sets_size(const ft_near_sets *s, size_t row)
{
    return (size_t)(s->end[row + 1] - s->end[row]);
}

int ft_near_sets_read(ft_near_sets *s, size_t row, ft_shingles *into, ft_err *e)
{
    size_t n = ft_near_sets_size(s, row);
    if (ft_shingles_room(into, n, e) < 0)
        return FT_ERR_NOMEM;
    into->n = n;
    return ft_spool_read_at(s->spool, s->end[row] * sizeof *into->h, into->h, n * sizeof *into->h,
                            e);
}
