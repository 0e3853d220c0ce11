#include "data/recurring.h"

#include "base/mem.h"
#include "data/spool_sort.h"

#include <string.h>

#define MODULUS ((UINT64_C(1) << 61) - 1)
#define WINDOW_MAX 4096u       /* grams of a run: more make no fewer anchors worth the memory */

__extension__ typedef unsigned __int128 u128;

/* A polynomial hash of the last n bytes: each byte + 1 times a power of the base. */
typedef struct rolling {
    uint64_t base;
    uint64_t leaving[256];     /* what to add when this byte leaves */
} rolling;

typedef struct group {         /* of equal runs */
    uint64_t hash;             /* the second one; they have the first in common */
    uint64_t first, count, last, kept;
} group;

struct ft_recurring {
    size_t min_bytes, gram_bytes, window;
    uint64_t keep;
    int passages;
    rolling gram, run, check;
    uint64_t *ring;            /* hashes of the last grams, by their numbers */
    size_t sort_bytes;
    ft_spool_sort *anchors;    /* hash, place                 */
    ft_spool_sort *wanted;     /* place of an anchor          */
    ft_spool_sort *runs;       /* hash, place, second hash    */
    ft_spool_sort *cuts;       /* from, to                    */
    ft_spool_sort *groups;     /* first place, count          */
    const uint64_t *ahead;     /* the next one of wanted, then of cuts; NULL behind the last */
    group *group;
    size_t n_groups, groups_cap;
};

static uint64_t times(uint64_t a, uint64_t b)
{
    u128 p = (u128)a * b;
    uint64_t r = (uint64_t)(p & MODULUS) + (uint64_t)(p >> 61);
    return r >= MODULUS ? r - MODULUS : r;
}

static void set_rolling(rolling *r, uint64_t base, size_t n)
{
    uint64_t power = 1;
    r->base = base;
    for (size_t i = 0; i < n; i++)
        power = times(power, base);
    for (size_t c = 0; c < 256; c++)
        r->leaving[c] = MODULUS - times(power, c + 1);
}

static uint64_t enter(const rolling *r, uint64_t h, uint8_t in)
{
    h = times(h, r->base) + in + 1;
    return h >= MODULUS ? h - MODULUS : h;
}

static uint64_t roll(const rolling *r, uint64_t h, uint8_t in, uint8_t out)
{
    h = times(h, r->base) + in + 1 + r->leaving[out];
    h = (h & MODULUS) + (h >> 61);
    return h >= MODULUS ? h - MODULUS : h;
}

/* Spreads a hash, one to one, so that the least one is any one. */
static uint64_t spread(uint64_t h)
{
    h = (h ^ h >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

int ft_recurring_new(ft_recurring **out, uint32_t min_bytes, uint64_t keep, int passages,
                     uint64_t bytes_max, ft_err *e)
{
    ft_recurring *x = ft_new(1, sizeof *x, e);
    *out = x;
    if (!x)
        return FT_ERR_NOMEM;
    x->min_bytes = min_bytes;
    x->window = min_bytes / 2 + 1 < WINDOW_MAX ? min_bytes / 2 + 1 : WINDOW_MAX;
    x->gram_bytes = min_bytes - x->window + 1;
    x->keep = keep;
    x->passages = passages;
    x->sort_bytes = (size_t)(bytes_max / 4);     /* at most three work at a time, and buffers */
    set_rolling(&x->gram, UINT64_C(0x0d1cf5b7a3e94c21), x->gram_bytes);
    set_rolling(&x->run, UINT64_C(0x17f3a9d2c46b8e05), min_bytes);
    set_rolling(&x->check, UINT64_C(0x0b5e8f1976d2a34d), min_bytes);
    x->ring = ft_new(x->window, sizeof *x->ring, e);
    if (!x->ring)
        return FT_ERR_NOMEM;
    return ft_spool_sort_new(&x->anchors, 2, x->sort_bytes, e);
}

/* ---- anchors ---- */

typedef struct walk {          /* over the grams of a text */
    const uint8_t *text;
    size_t next, slot;         /* number of the next gram, and where in the ring it goes */
    uint64_t hash;
    uint64_t least;            /* spread, of the anchor */
    size_t anchor;             /* its number            */
} walk;

static walk begin_walk(const ft_recurring *x, const uint8_t *text)
{
    walk w = {.text = text, .least = UINT64_MAX};
    for (size_t i = 0; i < x->gram_bytes; i++)
        w.hash = enter(&x->gram, w.hash, text[i]);
    return w;
}

/* Looks for the anchor among the last `window` grams, of which the newest is in `slot`. */
static void find_anchor(const ft_recurring *x, walk *w)
{
    w->least = UINT64_MAX;
    for (size_t i = 0, at = w->slot; i < x->window; i++) {
        if (x->ring[at] < w->least) {            /* from the last one on backwards */
            w->least = x->ring[at];
            w->anchor = w->next - i;
        }
        at = at ? at - 1 : x->window - 1;
    }
}

/* Goes over one gram. */
static void step(ft_recurring *x, walk *w)
{
    uint64_t h;
    if (w->next > 0)
        w->hash = roll(&x->gram, w->hash, w->text[w->next + x->gram_bytes - 1],
                       w->text[w->next - 1]);
    h = spread(w->hash);
    x->ring[w->slot] = h;
    if (h <= w->least) {
        w->least = h;
        w->anchor = w->next;
    } else if (w->anchor + x->window <= w->next) {
        find_anchor(x, w);
    }
    w->next++;
    w->slot = w->slot + 1 == x->window ? 0 : w->slot + 1;
}

int ft_recurring_look(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place, ft_err *e)
{
    size_t grams, last = SIZE_MAX;
    walk w;
    int rc = 0;
    if (n < x->min_bytes)
        return 0;
    w = begin_walk(x, text);
    grams = n - x->gram_bytes + 1;
    while (w.next < x->window - 1)
        step(x, &w);
    while (rc == 0 && w.next < grams) {
        step(x, &w);
        if (w.anchor != last)
            rc = ft_spool_sort_add(x->anchors, (uint64_t[]){w.least, place + w.anchor}, e);
        last = w.anchor;
    }
    return rc;
}

/* Moves ahead to the next entry. */
static int look_ahead(ft_recurring *x, ft_spool_sort *s, ft_err *e)
{
    int rc = ft_spool_sort_next(s, &x->ahead, e);
    if (rc <= 0)
        x->ahead = NULL;
    return rc < 0 ? rc : 0;
}

int ft_recurring_choose(ft_recurring *x, ft_err *e)
{
    const uint64_t *a;
    uint64_t hash = 0, first = 0, n = 0;
    int rc = ft_spool_sort_new(&x->wanted, 1, x->sort_bytes, e);
    if (rc == 0)
        rc = ft_spool_sort_start(x->anchors, e);
    while (rc == 0 && (rc = ft_spool_sort_next(x->anchors, &a, e)) == 1) {
        uint64_t place = a[1];
        n = n && a[0] == hash ? n + 1 : 1;
        hash = a[0];
        rc = 0;
        if (n == 1)
            first = place;
        if (n == 2)
            rc = ft_spool_sort_add(x->wanted, &first, e);
        if (n >= 2 && rc == 0)
            rc = ft_spool_sort_add(x->wanted, &place, e);
    }
    ft_spool_sort_free(&x->anchors);
    if (rc == 0)
        rc = ft_spool_sort_start(x->wanted, e);
    if (rc == 0)
        rc = look_ahead(x, x->wanted, e);
    return rc < 0 ? rc : ft_spool_sort_new(&x->runs, 3, x->sort_bytes, e);
}

/* ---- runs ---- */

int ft_recurring_collect(ft_recurring *x, const uint8_t *text, size_t n, uint64_t place, ft_err *e)
{
    size_t L = x->min_bytes;
    uint64_t h = 0, check = 0;
    walk w;
    int rc = 0;
    if (n < L || !x->ahead || *x->ahead >= place + n)
        return 0;
    w = begin_walk(x, text);
    while (w.next < x->window - 1)
        step(x, &w);
    for (size_t i = 0; i < L; i++) {
        h = enter(&x->run, h, text[i]);
        check = enter(&x->check, check, text[i]);
    }
    for (size_t i = 0; rc == 0; i++) {
        step(x, &w);
        while (rc == 0 && x->ahead && *x->ahead < place + w.anchor)
            rc = look_ahead(x, x->wanted, e);
        if (rc == 0 && x->ahead && *x->ahead == place + w.anchor)
            rc = ft_spool_sort_add(x->runs, (uint64_t[]){h, place + i, check}, e);
        if (i + L == n)
            break;
        h = roll(&x->run, h, text[i + L], text[i]);
        check = roll(&x->check, check, text[i + L], text[i]);
    }
    /* Those of other texts' overlapping grams are behind this one. */
    while (rc == 0 && x->ahead && *x->ahead < place + n)
        rc = look_ahead(x, x->wanted, e);
    return rc;
}

/* Writes down the groups there are, and begins anew. */
static int end_groups(ft_recurring *x, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; x->passages && i < x->n_groups && rc == 0; i++)
        if (x->group[i].count > 1)
            rc = ft_spool_sort_add(x->groups, (uint64_t[]){x->group[i].first, x->group[i].count},
                                   e);
    x->n_groups = 0;
    return rc;
}

/* The group of that second hash, which may be new. */
static group *group_of(ft_recurring *x, uint64_t hash, uint64_t place, ft_err *e)
{
    for (size_t i = 0; i < x->n_groups; i++)
        if (x->group[i].hash == hash)
            return &x->group[i];
    if (ft_grow(&x->group, &x->groups_cap, x->n_groups + 1, sizeof *x->group, e) < 0)
        return NULL;
    x->group[x->n_groups] = (group){.hash = hash, .first = place};
    return &x->group[x->n_groups++];
}

/* Judges the next run of the group. */
static int judge(ft_recurring *x, group *g, uint64_t place, ft_err *e)
{
    uint64_t from = place;
    g->count++;
    if (g->kept < x->keep) {
        if (g->kept == 0 || place >= g->last + x->min_bytes) {
            g->last = place;
            g->kept++;
        }
        return 0;
    }
    if (from < g->last + x->min_bytes)
        from = g->last + x->min_bytes;
    if (from >= place + x->min_bytes)
        return 0;
    return ft_spool_sort_add(x->cuts, (uint64_t[]){from, place + x->min_bytes}, e);
}

int ft_recurring_judge(ft_recurring *x, ft_err *e)
{
    const uint64_t *r;
    uint64_t hash = 0;
    int rc;
    ft_spool_sort_free(&x->wanted);
    if ((rc = ft_spool_sort_new(&x->cuts, 2, x->sort_bytes, e)) == 0 &&
        (rc = ft_spool_sort_new(&x->groups, 2, x->sort_bytes, e)) == 0)
        rc = ft_spool_sort_start(x->runs, e);
    while (rc == 0 && (rc = ft_spool_sort_next(x->runs, &r, e)) == 1) {
        group *g;
        rc = r[0] != hash ? end_groups(x, e) : 0;
        hash = r[0];
        if (rc == 0) {
            g = group_of(x, r[2], r[1], e);
            rc = g ? judge(x, g, r[1], e) : FT_ERR_NOMEM;
        }
    }
    if (rc == 0)
        rc = end_groups(x, e);
    ft_spool_sort_free(&x->runs);
    if (rc == 0 && (rc = ft_spool_sort_start(x->cuts, e)) == 0)
        rc = look_ahead(x, x->cuts, e);
    return rc;
}

/* ---- results ---- */

int ft_recurring_cuts(ft_recurring *x, size_t n, uint64_t place, ft_span_list *list, ft_err *e)
{
    int rc = 0;
    list->n = 0;
    while (rc == 0 && x->ahead && x->ahead[0] < place + n) {
        size_t from = (size_t)(x->ahead[0] - place), to = (size_t)(x->ahead[1] - place);
        if ((rc = ft_span_list_add(list, from, to, e)) == 0)
            rc = look_ahead(x, x->cuts, e);
    }
    return rc;
}

int ft_recurring_passages(ft_recurring *x, ft_repeat_fn fn, void *ctx, ft_err *e)
{
    const uint64_t *g;
    ft_repeat p = {0};
    int rc = ft_spool_sort_start(x->groups, e);
    while (rc == 0 && (rc = ft_spool_sort_next(x->groups, &g, e)) == 1) {
        rc = 0;
        if (p.count == g[1] && g[0] == p.at + p.n - x->min_bytes + 1) {
            p.n++;
            continue;
        }
        if (p.count)
            rc = fn(ctx, &p, e);
        p = (ft_repeat){g[0], x->min_bytes, g[1]};
    }
    return rc == 0 && p.count ? fn(ctx, &p, e) : rc;
}

void ft_recurring_free(ft_recurring **x)
{
    if (!*x)
        return;
    ft_spool_sort_free(&(*x)->anchors);
    ft_spool_sort_free(&(*x)->wanted);
    ft_spool_sort_free(&(*x)->runs);
    ft_spool_sort_free(&(*x)->cuts);
    ft_spool_sort_free(&(*x)->groups);
    ft_free((*x)->ring);
    ft_free((*x)->group);
    ft_free(*x);
    *x = NULL;
}
