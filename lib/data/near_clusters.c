#include "data/near_clusters.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 };
#define NOBODY UINT32_MAX

/* What one thread needs. */
typedef struct worker {
    ft_shingles own, other;
    uint32_t own_row, other_row;           /* whose they are */
    uint32_t *rows;                        /* candidates */
    size_t n, cap;
    ft_near_counts counts;
    ft_err err;
} worker;

/* What is known of a row of the block. */
typedef struct state {
    ft_near_decision d;                    /* d.kept == NOBODY: stays so far */
    ft_buf alike;                          /* rows (uint32_t) to be joined with it */
    int cut;                               /* there were more candidates */
} state;

struct ft_near_clusters {
    ft_near_rule rule;
    uint32_t *links;
    ft_near_sets *sets;
    uint32_t *parent;
    uint8_t *stays;
    size_t rows, from, to;                 /* the block */
    uint32_t *entry;                       /* of the block: last row of the band before it, + 1 */
    state *states;
    worker *workers;                       /* one for each thread */
    unsigned threads;
    ft_near_counts counts;
};

/* ---- components ---- */

static uint32_t find(const ft_near_clusters *c, uint32_t row)
{
    while (c->parent[row] != row)
        row = c->parent[row];
    return row;
}

uint32_t ft_near_clusters_root(ft_near_clusters *c, uint32_t row)
{
    while (c->parent[row] != row) {
        c->parent[row] = c->parent[c->parent[row]];
        row = c->parent[row];
    }
    return row;
}

/* The larger root hangs under the smaller: the root is the first row. */
static void join(ft_near_clusters *c, uint32_t a, uint32_t b)
{
    a = ft_near_clusters_root(c, a);
    b = ft_near_clusters_root(c, b);
    if (a < b)
        c->parent[b] = a;
    else
        c->parent[a] = b;
}

/* ---- candidates ---- */

static uint32_t *links_of(const ft_near_clusters *c, size_t row)
{
    return c->links + row * c->rule.bands;
}

static int add_row(worker *w, uint32_t row)
{
    if (w->n == w->cap && ft_grow(&w->rows, &w->cap, w->n + 1, sizeof *w->rows, &w->err) < 0)
        return FT_ERR_NOMEM;
    w->rows[w->n++] = row;
    return 0;
}

/* The nearest kept row up to a decided one in a band, + 1; 0: none. */
static uint32_t kept_up_to(const ft_near_clusters *c, uint32_t link, size_t band)
{
    return link == 0 || c->stays[link - 1] ? link : links_of(c, link - 1)[band];
}

/* Adds the kept rows of a band from `link` back to row `low`. Returns: whether there were too many
 * for the rule, or an error. */
static int add_band(const ft_near_clusters *c, worker *w, uint32_t link, size_t band, size_t low)
{
    for (size_t n = 0; link > low; n++, link = links_of(c, link - 1)[band]) {
        if (n == c->rule.most)
            return 1;
        if (add_row(w, link - 1) < 0)
            return FT_ERR_NOMEM;
    }
    return 0;
}

static int by_row(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Puts rows[from ..] in order, each once. */
static void order_rows(worker *w, size_t from)
{
    uint32_t *r = w->rows + from;
    size_t n = w->n - from, m = 0;
    if (n > 24)
        qsort(r, n, sizeof *r, by_row);
    else
        for (size_t i = 1; i < n; i++)
            for (size_t j = i; j > 0 && r[j] < r[j - 1]; j--) {
                uint32_t t = r[j];
                r[j] = r[j - 1];
                r[j - 1] = t;
            }
    for (size_t i = 0; i < n; i++)
        if (m == 0 || r[m - 1] != r[i])
            r[m++] = r[i];
    w->n = from + m;
}

/* ---- comparing ---- */

static int load(ft_near_clusters *c, worker *w, uint32_t row, uint32_t other)
{
    if (w->own_row != row) {
        w->own_row = NOBODY;
        if (ft_near_sets_read(c->sets, row, &w->own, &w->err) < 0 ||
            ft_shingles_index(&w->own, &w->err) < 0)
            return w->err.code;
        w->own_row = row;
    }
    if (w->other_row != other) {
        w->other_row = NOBODY;
        if (ft_near_sets_read(c->sets, other, &w->other, &w->err) < 0)
            return w->err.code;
        w->other_row = other;
    }
    return 0;
}

/* Returns: whether the two are alike, with the numbers in d; or an error. */
static int compare(ft_near_clusters *c, worker *w, uint32_t row, uint32_t other,
                   ft_near_decision *d)
{
    size_t a = ft_near_sets_size(c->sets, row), b = ft_near_sets_size(c->sets, other);
    size_t less = a < b ? a : b, more = a < b ? b : a, common;
    int rc;
    w->counts.compared++;
    if ((double)less / (double)more < c->rule.threshold)
        return 0;
    rc = load(c, w, row, other);
    if (rc < 0)
        return rc;
    common = ft_shingles_common(&w->own, w->other.h, w->other.n);
    d->common = (uint32_t)common;
    d->all = (uint32_t)(a + b - common);
    rc = (double)d->common / (double)d->all >= c->rule.threshold;
    w->counts.alike += (uint64_t)rc;
    return rc;
}

static int connected(const ft_near_clusters *c, const state *s, uint32_t row)
{
    uint32_t root = find(c, row), other;
    for (size_t i = 0; i < s->alike.n; i += sizeof other) {
        memcpy(&other, s->alike.p + i, sizeof other);
        if (find(c, other) == root)
            return 1;
    }
    return 0;
}

/* Compares a row with w->rows, of which the first `kept` are kept rows in order. What is connected
 * with the row already need not be looked at, except for the first that it is alike to. */
static int compare_all(ft_near_clusters *c, worker *w, state *s, size_t kept)
{
    for (size_t i = 0; i < w->n; i++) {
        ft_near_decision d = {.row = s->d.row, .kept = w->rows[i]};
        int deciding = i < kept && s->d.kept == NOBODY, rc;
        if (!deciding && connected(c, s, w->rows[i]))
            continue;
        rc = compare(c, w, s->d.row, w->rows[i], &d);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (deciding)
            s->d = d;
        ft_buf_add(&s->alike, &w->rows[i], sizeof w->rows[i]);
    }
    return ft_buf_check(&s->alike, &w->err);
}

/* ---- a block ---- */

/* With the rows before the block: on any thread. */
static void compare_before(void *ctx, size_t task, unsigned number)
{
    ft_near_clusters *c = ctx;
    worker *w = &c->workers[number];
    state *s = &c->states[task];
    const uint32_t *entry = c->entry + task * c->rule.bands;
    const uint32_t *links = links_of(c, c->from + task);
    size_t kept;
    w->n = 0;
    for (size_t b = 0; b < c->rule.bands && w->err.code == 0; b++)
        if (entry[b])
            s->cut |= add_band(c, w, kept_up_to(c, entry[b], b), b, 0) > 0;
    order_rows(w, 0);
    kept = w->n;
    for (size_t b = 0; b < c->rule.bands && w->err.code == 0; b++)
        if (links[b] && links[b] <= c->from && !c->stays[links[b] - 1])
            (void)add_row(w, links[b] - 1);
    order_rows(w, kept);
    if (w->err.code == 0 && w->n)
        (void)compare_all(c, w, s, kept);
}

/* With the rows of the block before it, in order. */
static int compare_within(ft_near_clusters *c, worker *w, state *s)
{
    uint32_t *links = links_of(c, s->d.row);
    size_t kept;
    w->n = 0;
    for (size_t b = 0; b < c->rule.bands && w->err.code == 0; b++)
        if (links[b] > c->from)
            s->cut |= add_band(c, w, kept_up_to(c, links[b], b), b, c->from) > 0;
    if (w->err.code < 0)
        return w->err.code;
    order_rows(w, 0);
    kept = w->n;
    for (size_t b = 0; b < c->rule.bands; b++)
        if (links[b] > c->from && !c->stays[links[b] - 1] && add_row(w, links[b] - 1) < 0)
            return FT_ERR_NOMEM;
    order_rows(w, kept);
    for (size_t b = 0; b < c->rule.bands; b++)
        links[b] = kept_up_to(c, links[b], b);
    return w->n ? compare_all(c, w, s, kept) : 0;
}

static void settle(ft_near_clusters *c, state *s)
{
    uint32_t row = s->d.row, other;
    for (size_t i = 0; i < s->alike.n; i += sizeof other) {
        memcpy(&other, s->alike.p + i, sizeof other);
        join(c, row, other);
    }
    c->counts.cut += (uint64_t)s->cut;
    c->stays[row] = s->d.kept == NOBODY;
    if (c->stays[row])
        s->d = (ft_near_decision){.row = row, .kept = row};
}

/* Clears the states of the block and finds the entries of its rows. */
static void begin_block(ft_near_clusters *c)
{
    size_t bands = c->rule.bands;
    for (size_t row = c->from; row < c->to; row++) {
        uint32_t *entry = c->entry + (row - c->from) * bands;
        const uint32_t *links = links_of(c, row);
        state *s = &c->states[row - c->from];
        for (size_t b = 0; b < bands; b++)
            entry[b] = links[b] > c->from ? c->entry[(links[b] - 1 - c->from) * bands + b]
                                          : links[b];
        s->d = (ft_near_decision){.row = (uint32_t)row, .kept = NOBODY};
        ft_buf_clear(&s->alike);
        s->cut = 0;
        c->parent[row] = (uint32_t)row;
    }
}

static int decide_block(ft_near_clusters *c, ft_pool *pool,
                        int (*decided)(void *ctx, const ft_near_decision *d, ft_err *e), void *ctx,
                        ft_err *e)
{
    int rc = ft_near_sets_hold(c->sets, c->from, c->to, e);
    if (rc < 0)
        return rc;
    begin_block(c);
    ft_pool_run(pool, c->to - c->from, compare_before, c);
    for (unsigned i = 0; i < c->threads; i++)
        if (c->workers[i].err.code < 0)
            return ft_err_set(e, c->workers[i].err.code, "%s", c->workers[i].err.text);
    for (size_t i = 0; i < c->to - c->from; i++) {
        state *s = &c->states[i];
        rc = compare_within(c, &c->workers[0], s);
        if (rc < 0)
            return ft_err_set(e, rc, "%s", c->workers[0].err.text);
        settle(c, s);
        rc = decided(ctx, &s->d, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- all ---- */

static int make_room(ft_near_clusters *c, ft_err *e)
{
    c->parent = ft_new(c->rows, sizeof *c->parent, e);
    c->stays = c->parent ? ft_new(c->rows, sizeof *c->stays, e) : NULL;
    c->entry = c->stays ? ft_new(BLOCK * c->rule.bands, sizeof *c->entry, e) : NULL;
    c->states = c->entry ? ft_new(BLOCK, sizeof *c->states, e) : NULL;
    c->workers = c->states ? ft_new(c->threads, sizeof *c->workers, e) : NULL;
    if (!c->workers)
        return FT_ERR_NOMEM;
    for (unsigned i = 0; i < c->threads; i++)
        c->workers[i].own_row = c->workers[i].other_row = NOBODY;
    return 0;
}

/* Frees what is needed only for deciding, after its counts are added up. */
static void end_deciding(ft_near_clusters *c)
{
    for (unsigned i = 0; c->workers && i < c->threads; i++) {
        worker *w = &c->workers[i];
        c->counts.compared += w->counts.compared;
        c->counts.alike += w->counts.alike;
        ft_shingles_free(&w->own);
        ft_shingles_free(&w->other);
        ft_free(w->rows);
    }
    for (size_t i = 0; c->states && i < BLOCK; i++)
        ft_buf_free(&c->states[i].alike);
    ft_free(c->workers);
    ft_free(c->states);
    ft_free(c->entry);
    ft_free(c->stays);
    c->workers = NULL;
    c->states = NULL;
    c->entry = NULL;
    c->stays = NULL;
}

int ft_near_clusters_decide(ft_near_clusters **out, const ft_near_rule *rule, uint32_t *links,
                            ft_near_sets *sets, ft_pool *pool,
                            int (*decided)(void *ctx, const ft_near_decision *d, ft_err *e),
                            void *ctx, ft_err *e)
{
    ft_near_clusters *c = ft_new(1, sizeof *c, e);
    int rc;
    *out = c;
    if (!c)
        return FT_ERR_NOMEM;
    c->rule = *rule;
    c->links = links;
    c->sets = sets;
    c->rows = ft_near_sets_rows(sets);
    c->threads = ft_pool_threads(pool);
    rc = make_room(c, e);
    for (; rc == 0 && c->from < c->rows; c->from = c->to) {
        c->to = c->rows - c->from < BLOCK ? c->rows : c->from + BLOCK;
        rc = decide_block(c, pool, decided, ctx, e);
    }
    end_deciding(c);
    if (rc < 0)
        ft_near_clusters_free(out);
    return rc;
}

void ft_near_clusters_free(ft_near_clusters **cp)
{
    ft_near_clusters *c = *cp;
    if (!c)
        return;
    ft_free(c->parent);
    ft_free(c);
    *cp = NULL;
}

const ft_near_counts *ft_near_clusters_counts(const ft_near_clusters *c)
{
    return &c->counts;
}
