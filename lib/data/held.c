#include "data/held.h"

#include "base/io.h"
#include "base/mem.h"

#include <string.h>

#define BLOCK_BYTES 65536u

struct ft_held {
    ft_spool *spool;
    uint64_t n, left;         /* records; of them not yet given out                */
    uint8_t *block;           /* from the spool; [at, filled) is not yet given out */
    size_t cap, at, filled;
    uint64_t next, place;     /* in the spool: of the next record's length; of the last record */
};

int ft_held_new(ft_held **out, ft_err *e)
{
    ft_held *h = ft_new(1, sizeof *h, e);
    *out = NULL;
    if (!h)
        return FT_ERR_NOMEM;
    if (ft_spool_new(&h->spool, e) < 0) {
        ft_free(h);
        return e ? e->code : FT_ERR_CREATE;
    }
    *out = h;
    return 0;
}

int ft_held_add(ft_held *h, ft_mp record, ft_err *e)
{
    uint32_t n = (uint32_t)record.n;
    int rc = ft_spool_write(h->spool, &n, sizeof n, e);
    if (rc == 0)
        rc = ft_spool_write(h->spool, record.p, record.n, e);
    h->n += rc == 0;
    return rc;
}

uint64_t ft_held_count(const ft_held *h)
{
    return h->n;
}

int ft_held_rewind(ft_held *h, ft_err *e)
{
    h->left = h->n;
    h->at = h->filled = 0;
    h->next = h->place = 0;
    return ft_spool_rewind(h->spool, e);
}

/* Makes n bytes available at block + at. */
static int fill(ft_held *h, size_t n, ft_err *e)
{
    size_t got, want = n > BLOCK_BYTES ? n : BLOCK_BYTES;
    int rc;
    if (h->filled - h->at >= n)
        return 0;
    if (h->filled > h->at)
        memmove(h->block, h->block + h->at, h->filled - h->at);
    h->filled -= h->at;
    h->at = 0;
    if ((rc = ft_grow(&h->block, &h->cap, want, 1, e)) < 0 ||
        (rc = ft_spool_read(h->spool, h->block + h->filled, want - h->filled, &got, e)) < 0)
        return rc;
    h->filled += got;
    return h->filled >= n ? 0 : ft_err_set(e, FT_ERR_INTERNAL, "held records end too early");
}

int ft_held_next(ft_held *h, ft_mp *record, ft_err *e)
{
    uint32_t n;
    int rc;
    if (h->left == 0)
        return 0;
    if ((rc = fill(h, sizeof n, e)) < 0)
        return rc;
    memcpy(&n, h->block + h->at, sizeof n);
    h->at += sizeof n;
    if ((rc = fill(h, n, e)) < 0)
        return rc;
    *record = (ft_mp){h->block + h->at, n};
    h->at += n;
    h->left--;
    h->place = h->next + sizeof n;
    h->next = h->place + n;
    return 1;
}

uint64_t ft_held_place(const ft_held *h)
{
    return h->place;
}

int ft_held_read(ft_held *h, uint64_t place, void *p, size_t n, ft_err *e)
{
    return ft_spool_read_at(h->spool, place, p, n, e);
}

void ft_held_free(ft_held **h)
{
    if (!*h)
        return;
    ft_spool_free(&(*h)->spool);
    ft_free((*h)->block);
    ft_free(*h);
    *h = NULL;
}
