/* call_rows.c: what a call computes: its sequences as units, and their tokens as rows. */
#include "nn/nn_internal.h"

#include "base/mem.h"
#include "nn/virtual_tokens.h"

/* ---- checks ---- */

static int check_seq(const struct ft_nn *nn, const ft_seq *s, size_t P, size_t tokens, ft_err *e)
{
    size_t most = nn->in_prefixes ? nn->limits.prefix_tokens : nn->limits.tokens;
    ft_virtual before = ft_virtual_of(nn->adapter, nn->m);
    if (s->T < 1 || s->T + P > nn->limits.seq_tokens || s->T > most - tokens)
        return ft_err_set(e, FT_ERR_USAGE, "a call of more tokens than planned (%zu in a "
                          "sequence, %zu in all)", s->T + P, tokens + s->T);
    for (size_t t = 0; t < s->T; t++) {
        if (P + t < before.n && (s->ids[t] != before.first + P + t ||
                                 (s->target && s->target[t])))
            return ft_err_set(e, FT_ERR_DATA, "example %llu does not begin with the %zu virtual "
                              "tokens of its adapter", (unsigned long long)s->key, before.n);
        if (P + t >= before.n && s->ids[t] >= nn->m->V)
            return ft_err_set(e, FT_ERR_DATA, "example %llu: id %u is outside the vocabulary of "
                              "%zu", (unsigned long long)s->key, s->ids[t], nn->m->V);
    }
    return 0;
}

/* ---- room ---- */

static void free_set(struct rowset *set)
{
    ft_free(set->first);
    ft_free(set->position);
    ft_free(set->unit);
    ft_free(set->source);
    ft_free(set->block);
    *set = (struct rowset){0};
}

static int grow_set(struct rowset *set, size_t rows, size_t units, int mapped, ft_err *e)
{
    free_set(set);
    if (!(set->first = ft_new(units + 1, sizeof *set->first, e)) ||
        !(set->position = ft_new(rows, sizeof *set->position, e)) ||
        !(set->unit = ft_new(rows, sizeof *set->unit, e)) ||
        !(set->block = ft_new(rows + 1, sizeof *set->block, e)))
        return FT_ERR_NOMEM;
    if (mapped && !(set->source = ft_new(rows, sizeof *set->source, e)))
        return FT_ERR_NOMEM;
    return 0;
}

/* Sets have room for as many units as rows, so one bound serves both. */
static int make_room(struct ft_nn *nn, size_t n, size_t rows, ft_err *e)
{
    size_t need = rows > n ? rows : n;
    if (ft_grow(&nn->units, &nn->units_cap, n + 1, sizeof *nn->units, e) < 0)
        return FT_ERR_NOMEM;
    if (need <= nn->set_cap)
        return 0;
    nn->set_cap = 0;
    if (grow_set(&nn->all, need, need, 0, e) < 0 || grow_set(&nn->chosen, need, need, 1, e) < 0)
        return FT_ERR_NOMEM;
    nn->set_cap = need;
    return 0;
}

void nn_rows_free(struct ft_nn *nn)
{
    free_set(&nn->all);
    free_set(&nn->chosen);
    ft_free(nn->units);
    ft_free(nn->prefixes);
}

/* ---- layout ---- */

static void add_row(struct rowset *set, size_t unit, size_t position, size_t source)
{
    set->position[set->n] = (uint32_t)position;
    set->unit[set->n] = (uint32_t)unit;
    if (set->source)
        set->source[set->n] = (uint32_t)source;
    set->n++;
}

/* Rows of one unit for BLAS and for dropout, which look at the segment; else any rows. */
static void cut_blocks(const struct ft_nn *nn, struct rowset *set)
{
    size_t most = nn->bf16 ? FT_BLOCK_ROWS : FT_TILE_ROWS;
    int apart = !nn->bf16;
    set->n_blocks = 0;
    set->block[0] = set->at;
    for (size_t i = 0, begin = 0; i < set->n; i++) {
        int last = i + 1 == set->n || (apart && set->unit[i + 1] != set->unit[i]);
        if (last || i + 1 - begin == most) {
            begin = i + 1;
            set->block[++set->n_blocks] = set->at + begin;
        }
    }
}

static void lay_out(struct ft_nn *nn)
{
    size_t at = nn->in_prefixes ? 0 : nn->prefix_tokens, keys = 0, pairs = 0;
    nn->all.at = nn->chosen.at = at;
    nn->all.n = nn->chosen.n = 0;
    for (size_t u = 0; u < nn->n_units; u++) {
        struct unit *x = &nn->units[u];
        nn->all.first[u] = at + nn->all.n;
        nn->chosen.first[u] = at + nn->chosen.n;
        x->keys_at = keys;
        x->pairs_at = pairs;
        keys += x->P + x->T;
        pairs += (x->P + x->T + 1) & ~(size_t)1;
        for (size_t t = 0; t < x->T; t++) {
            if (t + 1 < x->T && x->seq->target && x->seq->target[t + 1])
                add_row(&nn->chosen, u, x->P + t, at + nn->all.n);
            add_row(&nn->all, u, x->P + t, 0);
        }
    }
    nn->all.first[nn->n_units] = at + nn->all.n;
    nn->chosen.first[nn->n_units] = at + nn->chosen.n;
    cut_blocks(nn, &nn->all);
    cut_blocks(nn, &nn->chosen);
}

void nn_rows_choose(struct ft_nn *nn, const size_t *at, size_t n)
{
    nn->chosen.n = 0;
    for (size_t i = 0; i < n; i++)
        add_row(&nn->chosen, 0, nn->units[0].P + at[i], nn->all.at + at[i]);
    nn->chosen.first[1] = nn->chosen.at + n;
    cut_blocks(nn, &nn->chosen);
}

void nn_rows_again(struct ft_nn *nn)
{
    nn->n_units = nn->n_prefixes;
    for (size_t p = 0; p < nn->n_prefixes; p++)
        nn->units[p] = nn->prefixes[p];
    lay_out(nn);
}

int nn_rows_begin(struct ft_nn *nn, const ft_seq *seqs, size_t n, ft_err *e)
{
    size_t tokens = 0, prefix_keys = 0;
    for (size_t s = 0; s < n; s++) {
        size_t P = seqs[s].prefix ? nn->prefixes[seqs[s].prefix - 1].T : 0;
        int rc = check_seq(nn, &seqs[s], P, tokens, e);
        if (rc < 0)
            return rc;
        tokens += seqs[s].T;
        prefix_keys += P;
    }
    if (prefix_keys > nn->limits.tokens)
        return ft_err_set(e, FT_ERR_USAGE, "more tokens of prefixes than planned");
    if (make_room(nn, n, tokens, e) < 0)
        return FT_ERR_NOMEM;
    nn->n_units = n;
    for (size_t s = 0; s < n; s++) {
        nn->units[s] = (struct unit){.seq = &seqs[s], .T = seqs[s].T};
        if (seqs[s].prefix) {
            nn->units[s].P = nn->prefixes[seqs[s].prefix - 1].T;
            nn->units[s].prefix_at = nn->prefixes[seqs[s].prefix - 1].prefix_at;
        }
    }
    lay_out(nn);
    return 0;
}
