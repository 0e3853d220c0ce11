#include "train/batch.h"

#include "base/mem.h"

#include <float.h>

int ft_segment_check(const ft_segment *s, size_t V, ft_err *e)
{
    if (!(s->weight <= (double)FLT_MAX))
        return ft_err_set(e, FT_ERR_DATA, "weight %g is too large", s->weight);
    for (size_t i = 0; i < s->n_tokens; i++) {
        uint32_t id = ft_segment_id_at(s, i);
        if (id >= V)
            return ft_err_set(e, FT_ERR_DATA, "token %zu: id %u, but the model's vocabulary has "
                              "%zu entries", i, id, V);
    }
    return 0;
}

int ft_batch_add(ft_batch *b, const ft_segment *s, uint64_t key, ft_err *e)
{
    size_t n = b->before.n, T = n + s->n_tokens, at = b->tokens;
    if (ft_grow(&b->seqs, &b->seqs_cap, b->n + 1, sizeof *b->seqs, e) < 0 ||
        ft_grow(&b->nll, &b->nll_cap, b->n + 1, sizeof *b->nll, e) < 0 ||
        ft_grow(&b->ids, &b->ids_cap, b->tokens + T, sizeof *b->ids, e) < 0 ||
        ft_grow(&b->targets, &b->targets_cap, b->tokens + T, 1, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        b->ids[at + i] = b->before.first + (uint32_t)i;
        b->targets[at + i] = 0;
    }
    for (size_t i = 0; i < s->n_tokens; i++) {
        b->ids[at + n + i] = ft_segment_id_at(s, i);
        b->targets[at + n + i] = (uint8_t)ft_segment_is_target(s, i);
    }
    b->seqs[b->n] = (ft_seq){.T = T, .weight = (float)s->weight, .key = key};
    b->nll[b->n++] = 0;
    b->tokens += T;
    return 0;
}

const ft_seq *ft_batch_seqs(ft_batch *b)
{
    size_t at = 0;
    for (size_t i = 0; i < b->n; i++) {
        b->seqs[i].ids = b->ids + at;
        b->seqs[i].target = b->targets + at;
        at += b->seqs[i].T;
    }
    return b->seqs;
}

void ft_batch_clear(ft_batch *b)
{
    b->n = b->tokens = 0;
}

void ft_batch_free(ft_batch *b)
{
    ft_free(b->nll);
    ft_free(b->seqs);
    ft_free(b->ids);
    ft_free(b->targets);
    *b = (ft_batch){0};
}
