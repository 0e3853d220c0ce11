#include "data/near_sets.h"

#include "base/io.h"
#include "base/mem.h"

#include <string.h>

enum { HELD_MAX = 1 << 20 };   /* hashes */

struct ft_near_sets {
    ft_spool *spool;
    uint64_t *end;             /* hashes before and of each row, from end[0] = 0 */
    size_t rows, cap;
    uint64_t *held;            /* the sets of rows [from, to) */
    size_t from, to, held_cap;
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
    ft_free((*s)->held);
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

int ft_near_sets_hold(ft_near_sets *s, size_t from, size_t to, ft_err *e)
{
    uint64_t n = s->end[to] - s->end[from];
    int rc;
    s->from = s->to = 0;
    if (n > HELD_MAX)
        return 0;
    if (n > s->held_cap && ft_grow(&s->held, &s->held_cap, (size_t)n, sizeof *s->held, e) < 0)
        return FT_ERR_NOMEM;
    rc = ft_spool_read_at(s->spool, s->end[from] * sizeof *s->held, s->held,
                          (size_t)n * sizeof *s->held, e);
    if (rc == 0) {
        s->from = from;
        s->to = to;
    }
    return rc;
}

int ft_near_sets_read(ft_near_sets *s, size_t row, ft_shingles *into, ft_err *e)
{
    size_t n = ft_near_sets_size(s, row);
    if (ft_shingles_room(into, n, e) < 0)
        return FT_ERR_NOMEM;
    into->n = n;
    if (n && row >= s->from && row < s->to) {
        memcpy(into->h, s->held + (s->end[row] - s->end[s->from]), n * sizeof *into->h);
        return 0;
    }
    return ft_spool_read_at(s->spool, s->end[row] * sizeof *into->h, into->h, n * sizeof *into->h,
                            e);
}
