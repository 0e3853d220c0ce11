#include "data/first_of.h"

#include "base/io.h"
#include "base/mem.h"
#include "data/digest_set.h"

#include <string.h>

#define PARTS 16              /* by four bits of the digest a level */
#define LEVELS_MAX 32
#define ENTRIES 1024          /* read at a time */

typedef struct entry {
    ft_digest digest;
    uint64_t number;
} entry;

struct ft_first_of {
    ft_spool *spool;
    uint64_t n, bytes_max;
    uint64_t *first;          /* a bit a digest */
};

int ft_first_of_new(ft_first_of **out, ft_err *e)
{
    ft_first_of *f = ft_new(1, sizeof *f, e);
    *out = NULL;
    if (!f)
        return FT_ERR_NOMEM;
    if (ft_spool_new(&f->spool, e) < 0) {
        ft_free(f);
        return e ? e->code : FT_ERR_CREATE;
    }
    *out = f;
    return 0;
}

int ft_first_of_add(ft_first_of *f, const ft_digest *d, ft_err *e)
{
    entry x = {*d, f->n};
    int rc = ft_spool_write(f->spool, &x, sizeof x, e);
    f->n += rc == 0;
    return rc;
}

/* Calls fn for each entry of a spool until it returns other than 0, which is returned. */
static int each_entry(ft_spool *s, int (*fn)(void *ctx, const entry *x, ft_err *e), void *ctx,
                      ft_err *e)
{
    entry *block = ft_new(ENTRIES, sizeof *block, e);
    size_t got;
    int rc = block ? ft_spool_rewind(s, e) : FT_ERR_NOMEM;
    while (rc == 0) {
        if ((rc = ft_spool_read(s, block, ENTRIES * sizeof *block, &got, e)) < 0 || got == 0)
            break;
        for (size_t i = 0; i < got / sizeof *block && rc == 0; i++)
            rc = fn(ctx, &block[i], e);
    }
    ft_free(block);
    return rc;
}

/* ---- a part that fits ---- */

typedef struct marking {
    ft_first_of *f;
    ft_digest_set *seen;
} marking;

enum { FULL = 1 };

static int mark(void *ctx, const entry *x, ft_err *e)
{
    marking *m = ctx;
    uint64_t at;
    int is_new;
    if (ft_digest_set_is_full(m->seen) && !ft_digest_set_find(m->seen, &x->digest, &at))
        return FULL;
    if (ft_digest_set_add(m->seen, &x->digest, &at, &is_new, e) < 0)
        return FT_ERR_NOMEM;
    if (is_new)
        m->f->first[x->number / 64] |= UINT64_C(1) << x->number % 64;
    return 0;
}

/* ---- one that does not ---- */

typedef struct division {
    ft_spool *parts[PARTS];
    unsigned level;
} division;

static int put_in_part(void *ctx, const entry *x, ft_err *e)
{
    division *d = ctx;
    /* The set takes its slots from the first bytes, so the levels begin with the last ones. */
    unsigned byte = x->digest.b[15 - d->level / 2];
    return ft_spool_write(d->parts[d->level & 1 ? byte >> 4 : byte & 15], x, sizeof *x, e);
}

static int resolve(ft_first_of *f, ft_spool **s, unsigned level, ft_err *e);

static int divide(ft_first_of *f, ft_spool **s, unsigned level, ft_err *e)
{
    division d = {.level = level};
    int rc = 0;
    if (level == LEVELS_MAX)
        return ft_err_set(e, FT_ERR_NOMEM, "a bound of %llu bytes holds no digests",
                          (unsigned long long)f->bytes_max);
    for (size_t i = 0; i < PARTS && rc == 0; i++)
        rc = ft_spool_new(&d.parts[i], e);
    if (rc == 0)
        rc = each_entry(*s, put_in_part, &d, e);
    ft_spool_free(s);
    for (size_t i = 0; i < PARTS; i++) {
        if (rc == 0 && ft_spool_bytes(d.parts[i]) > 0)
            rc = resolve(f, &d.parts[i], level + 1, e);
        ft_spool_free(&d.parts[i]);
    }
    return rc;
}

/* A part that proves too large has had some of its bits set, which are set again to the same. */
static int resolve(ft_first_of *f, ft_spool **s, unsigned level, ft_err *e)
{
    marking m = {f, NULL};
    int rc = ft_digest_set_new(&m.seen, f->bytes_max, e);
    if (rc == 0)
        rc = each_entry(*s, mark, &m, e);
    ft_digest_set_free(&m.seen);
    return rc == FULL ? divide(f, s, level, e) : rc;
}

int ft_first_of_resolve(ft_first_of *f, uint64_t bytes_max, ft_err *e)
{
    f->bytes_max = bytes_max;
    f->first = ft_new(f->n / 64 + 1, sizeof *f->first, e);
    if (!f->first)
        return FT_ERR_NOMEM;
    return resolve(f, &f->spool, 0, e);
}

int ft_first_of_is(const ft_first_of *f, uint64_t number)
{
    return (int)(f->first[number / 64] >> number % 64 & 1);
}

void ft_first_of_free(ft_first_of **f)
{
    if (!*f)
        return;
    ft_spool_free(&(*f)->spool);
    ft_free((*f)->first);
    ft_free(*f);
    *f = NULL;
}
