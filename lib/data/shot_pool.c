#include "data/shot_pool.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"

struct ft_shot_pool {
    ft_spool *spool;               /* the records, one behind the other */
    uint64_t *at;                  /* where each begins; one more: the end */
    ft_digest *asks;
    size_t n, cap_at, cap_asks;
    uint64_t bytes_max;
};

int ft_shot_pool_new(ft_shot_pool **p, uint64_t bytes_max, ft_err *e)
{
    ft_shot_pool *x = *p = ft_new(1, sizeof *x, e);
    int rc;
    if (!x)
        return FT_ERR_NOMEM;
    x->bytes_max = bytes_max;
    rc = ft_spool_new(&x->spool, e);
    if (rc == 0)
        rc = ft_grow(&x->at, &x->cap_at, 1, sizeof *x->at, e);
    if (rc < 0)
        ft_shot_pool_free(p);
    else
        x->at[0] = 0;
    return rc;
}

void ft_shot_pool_free(ft_shot_pool **p)
{
    if (!*p)
        return;
    ft_spool_free(&(*p)->spool);
    ft_free((*p)->at);
    ft_free((*p)->asks);
    ft_free(*p);
    *p = NULL;
}

int ft_shot_pool_add(ft_shot_pool *p, ft_mp record, const ft_digest *asks, ft_err *e)
{
    uint64_t bytes = (uint64_t)(p->n + 1) * (sizeof *p->at + sizeof *p->asks);
    int rc;
    if (p->n >= UINT32_MAX - 1)
        return ft_err_set(e, FT_ERR_DATA, "more than %u examples to choose from", UINT32_MAX - 1);
    if (p->bytes_max && bytes > p->bytes_max)
        return ft_err_set(e, FT_ERR_NOMEM, "the table of %zu examples takes %llu bytes, over the "
                          "bound of %llu", p->n + 1, (unsigned long long)bytes,
                          (unsigned long long)p->bytes_max);
    if (ft_grow(&p->at, &p->cap_at, p->n + 2, sizeof *p->at, e) < 0 ||
        ft_grow(&p->asks, &p->cap_asks, p->n + 1, sizeof *p->asks, e) < 0)
        return FT_ERR_NOMEM;
    if ((rc = ft_spool_write(p->spool, record.p, record.n, e)) < 0)
        return rc;
    p->asks[p->n] = *asks;
    p->at[++p->n] = ft_spool_bytes(p->spool);
    return 0;
}

int ft_shot_pool_end(ft_shot_pool *p, ft_err *e)
{
    return ft_spool_rewind(p->spool, e);
}

size_t ft_shot_pool_count(const ft_shot_pool *p)
{
    return p->n;
}

size_t ft_shot_pool_draw(const ft_shot_pool *p, uint64_t seed, size_t k, uint32_t *numbers)
{
    size_t n = 0;
    k = k < p->n ? k : p->n;
    for (uint64_t draw = 0; n < k; draw++) {
        uint32_t x = (uint32_t)ft_rng_below(seed, FT_RNG_DATA, 0, draw, p->n);
        size_t i = 0;
        while (i < n && numbers[i] != x)
            i++;
        if (i == n)
            numbers[n++] = x;
    }
    return n;
}

size_t ft_shot_pool_choose(const ft_shot_pool *p, const uint32_t *numbers, size_t n,
                           const ft_digest *asks, size_t k, uint32_t *chosen)
{
    size_t kept = 0;
    for (size_t i = 0; i < n && kept < k; i++)
        if (!ft_digest_equal(&p->asks[numbers[i]], asks))    /* its own answer is no shot */
            chosen[kept++] = numbers[i];
    for (size_t i = 0; i < kept / 2; i++) {
        uint32_t other = chosen[i];
        chosen[i] = chosen[kept - 1 - i];
        chosen[kept - 1 - i] = other;
    }
    return kept;
}

int ft_shot_pool_read(const ft_shot_pool *p, uint32_t number, ft_buf *to, ft_err *e)
{
    size_t n = (size_t)(p->at[number + 1] - p->at[number]);
    ft_buf_clear(to);
    if (!ft_buf_room(to, n))
        return ft_buf_check(to, e);
    to->n = n;
    return ft_spool_read_at(p->spool, p->at[number], to->p, n, e);
}
