#include "train/dataset.h"

#include "base/mem.h"

int ft_dataset_new(ft_dataset **out, size_t V, ft_err *e)
{
    ft_dataset *d = ft_new(1, sizeof *d, e);
    *out = NULL;
    if (!d)
        return FT_ERR_NOMEM;
    d->V = V;
    if (ft_grow(&d->row_at, &d->rows_cap, 1, sizeof *d->row_at, e) < 0 ||
        ft_spool_new(&d->spool, e) < 0) {
        ft_dataset_free(&d);
        return e ? e->code : FT_ERR_NOMEM;
    }
    d->row_at[0] = 0;
    *out = d;
    return 0;
}

void ft_dataset_free(ft_dataset **d)
{
    if (!*d)
        return;
    ft_spool_free(&(*d)->spool);
    ft_buf_free(&(*d)->scratch);
    ft_free((*d)->examples);
    ft_free((*d)->row_at);
    ft_free(*d);
    *d = NULL;
}

static size_t mask_bytes(size_t T)
{
    return (T + 7) / 8;
}

static int add_segment(ft_dataset *d, const ft_segment *s, ft_err *e)
{
    ft_dataset_example x = {ft_spool_bytes(d->spool), (uint32_t)(s->n_tokens + d->before.n),
                            (uint32_t)s->n_targets, (float)s->weight};
    uint32_t id_bytes = (uint32_t)s->id.n;
    int rc = ft_segment_check(s, d->V, e);
    if (rc < 0 ||
        (rc = ft_grow(&d->examples, &d->examples_cap, d->n_examples + 1, sizeof x, e)) < 0 ||
        (rc = ft_spool_write(d->spool, s->ids, s->n_tokens * 4, e)) < 0 ||
        (rc = ft_spool_write(d->spool, s->mask, mask_bytes(s->n_tokens), e)) < 0 ||
        (rc = ft_spool_write(d->spool, &id_bytes, sizeof id_bytes, e)) < 0 ||
        (rc = ft_spool_write(d->spool, s->id.p, s->id.n, e)) < 0)
        return rc;
    d->examples[d->n_examples++] = x;
    d->n_tokens += x.T;
    d->n_targets += s->n_targets;
    d->weight += (double)x.weight * (double)s->n_targets;
    if (d->longest < x.T)
        d->longest = x.T;
    return 0;
}

int ft_dataset_add(ft_dataset *d, ft_mp record, ft_err *e)
{
    ft_row_iter it;
    ft_segment s;
    size_t n_segments, before = d->n_examples;
    int rc = ft_row_begin(record, &it, &n_segments, e);
    if (rc == 0)
        rc = ft_grow(&d->row_at, &d->rows_cap, d->n_rows + 2, sizeof *d->row_at, e);
    while (rc == 0 && (rc = ft_row_next(&it, &s, e)) == 0)
        if ((rc = add_segment(d, &s, e)) < 0)
            ft_err_wrap(e, "segment %zu", d->n_examples - before);
    if (rc < 0)
        return rc;
    if (d->n_examples == before)
        return 0;                         /* a row without segments is none */
    if (d->widest < d->n_examples - before)
        d->widest = d->n_examples - before;
    d->row_at[++d->n_rows] = d->n_examples;
    return 0;
}

int ft_dataset_end(ft_dataset *d, ft_err *e)
{
    if (d->n_examples == 0)
        return ft_err_set(e, FT_ERR_DATA, "no examples: the stream is empty");
    if (d->n_targets == 0)
        return ft_err_set(e, FT_ERR_DATA, "no targets in any of %zu examples", d->n_examples);
    if (!(d->weight > 0))
        return ft_err_set(e, FT_ERR_DATA, "all %zu examples have weight 0", d->n_examples);
    return ft_spool_rewind(d->spool, e);
}

int ft_dataset_fetch(ft_dataset *d, const size_t *examples, size_t n, ft_batch *b, ft_err *e)
{
    b->before = d->before;
    for (size_t i = 0; i < n; i++) {
        const ft_dataset_example *x = &d->examples[examples[i]];
        size_t T = x->T - d->before.n, bytes = T * 4 + mask_bytes(T);
        ft_segment s = {.n_tokens = T, .n_targets = x->n_targets, .weight = (double)x->weight};
        int rc;
        ft_buf_clear(&d->scratch);
        s.ids = ft_buf_room(&d->scratch, bytes);
        if ((rc = ft_buf_check(&d->scratch, e)) < 0 ||
            (rc = ft_spool_read_at(d->spool, x->at, d->scratch.p, bytes, e)) < 0)
            return rc;
        s.mask = s.ids + T * 4;
        if ((rc = ft_batch_add(b, &s, examples[i], e)) < 0)
            return rc;
    }
    return 0;
}

int ft_dataset_id(ft_dataset *d, size_t example, ft_buf *b, ft_err *e)
{
    const ft_dataset_example *x = &d->examples[example];
    size_t T = x->T - d->before.n;
    uint64_t at = x->at + (uint64_t)T * 4 + mask_bytes(T);
    uint32_t n;
    uint8_t *room;
    int rc = ft_spool_read_at(d->spool, at, &n, sizeof n, e);
    if (rc < 0)
        return rc;
    ft_buf_clear(b);
    room = ft_buf_room(b, n);
    if ((rc = ft_buf_check(b, e)) < 0)
        return rc;
    b->n += n;
    return ft_spool_read_at(d->spool, at + sizeof n, room, n, e);
}

size_t ft_dataset_row_of(const ft_dataset *d, size_t example)
{
    size_t low = 0, high = d->n_rows;    /* row_at[low] <= example < row_at[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (d->row_at[middle] <= example)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t ft_dataset_bytes(const ft_dataset *d)
{
    return d->examples_cap * sizeof *d->examples + d->rows_cap * sizeof *d->row_at;
}
