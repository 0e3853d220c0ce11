#include "data/mix_store.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MIN (64u << 10)
#define WINDOW_BYTES (256u << 10)
#define BUCKETS_MAX 4096
#define HEAD_BYTES 4               /* in the spool: length, record           */
#define ROW_BYTES 12               /* in a bucket: row, length, record       */

struct block {
    uint64_t offset, n;
};

struct bucket {
    ft_buf pending;                /* its last rows                            */
    struct block *blocks;          /* those before, in the second spool        */
    size_t n_blocks, cap;
    uint64_t bytes, rows;
};

struct entry {                     /* a row of the bucket that is being given out */
    uint64_t key, row, offset;
};

struct ft_mix_store {
    ft_spool *spool, *dealt;
    uint64_t memory, rows, bytes;  /* bytes: of the records            */
    uint64_t at;                   /* next byte of the spool           */
    ft_buf window;                 /* bytes of the spool before `at`   */
    size_t used;                   /* of them, given out               */
    uint64_t row;                  /* the next one in order            */

    int shuffled;
    uint64_t seed;
    uint32_t pass;
    struct bucket *buckets;
    size_t n_buckets, bucket;      /* bucket: the next to be sorted    */
    ft_buf sorted;                 /* bytes of the current one         */
    struct entry *entries;
    size_t n_entries, cap_entries, entry;
};

int ft_mix_store_new(ft_mix_store **out, uint64_t memory, ft_err *e)
{
    ft_mix_store *s = ft_new(1, sizeof *s, e);
    *out = s;
    if (!s)
        return FT_ERR_NOMEM;
    s->memory = memory < MEMORY_MIN ? MEMORY_MIN : memory;
    if (ft_spool_new(&s->spool, e) == 0)
        return 0;
    ft_mix_store_free(out);
    return e ? e->code : FT_ERR_CREATE;
}

static void free_buckets(ft_mix_store *s)
{
    for (size_t i = 0; i < s->n_buckets; i++) {
        ft_buf_free(&s->buckets[i].pending);
        ft_free(s->buckets[i].blocks);
    }
    ft_free(s->buckets);
    s->buckets = NULL;
    s->n_buckets = s->bucket = s->n_entries = s->entry = 0;
    ft_spool_free(&s->dealt);
}

void ft_mix_store_free(ft_mix_store **out)
{
    ft_mix_store *s = *out;
    if (!s)
        return;
    free_buckets(s);
    ft_spool_free(&s->spool);
    ft_buf_free(&s->window);
    ft_buf_free(&s->sorted);
    ft_free(s->entries);
    ft_free(s);
    *out = NULL;
}

int ft_mix_store_add(ft_mix_store *s, ft_mp record, ft_err *e)
{
    uint32_t n = (uint32_t)record.n;
    int rc = ft_spool_write(s->spool, &n, sizeof n, e);
    if (rc == 0)
        rc = ft_spool_write(s->spool, record.p, record.n, e);
    s->rows += rc == 0;
    s->bytes += record.n;
    return rc;
}

uint64_t ft_mix_store_rows(const ft_mix_store *s)
{
    return s->rows;
}

/* ---- in order ---- */

/* Makes n unread bytes of the spool lie in the window. */
static int fill(ft_mix_store *s, size_t n, ft_err *e)
{
    size_t have = s->window.n - s->used;
    uint64_t left = ft_spool_bytes(s->spool) - s->at;
    size_t want = n < WINDOW_BYTES ? WINDOW_BYTES : n;
    uint8_t *to;
    if (have >= n)
        return 0;
    if (have)
        memmove(s->window.p, s->window.p + s->used, have);
    s->window.n = have;
    s->used = 0;
    want = want - have < left ? want - have : (size_t)left;
    to = ft_buf_room(&s->window, want);
    if (!to)
        return ft_buf_check(&s->window, e);
    s->window.n += want;
    s->at += want;
    return ft_spool_read_at(s->spool, s->at - want, to, want, e);
}

static int next_in_order(ft_mix_store *s, ft_mp *record, uint64_t *row, ft_err *e)
{
    uint32_t n;
    int rc;
    if (s->row == s->rows)
        return FT_EOS;
    if ((rc = fill(s, HEAD_BYTES, e)) < 0)
        return rc;
    memcpy(&n, s->window.p + s->used, sizeof n);
    if ((rc = fill(s, HEAD_BYTES + (size_t)n, e)) < 0)
        return rc;
    *record = (ft_mp){s->window.p + s->used + HEAD_BYTES, n};
    *row = s->row++;
    s->used += HEAD_BYTES + (size_t)n;
    return 0;
}

static int start_over(ft_mix_store *s, ft_err *e)
{
    free_buckets(s);
    s->at = s->row = 0;
    s->window.n = s->used = 0;
    return ft_spool_rewind(s->spool, e);
}

int ft_mix_store_begin(ft_mix_store *s, ft_err *e)
{
    s->shuffled = 0;
    return start_over(s, e);
}

/* ---- dealing into buckets ---- */

static uint64_t key_of(const ft_mix_store *s, uint64_t row)
{
    return ft_rng_u64(s->seed, FT_RNG_SHUFFLE, s->pass, row);
}

static int make_buckets(ft_mix_store *s, ft_err *e)
{
    uint64_t all = s->bytes + s->rows * (ROW_BYTES + sizeof(struct entry)), room = s->memory / 2;
    size_t n = 1;
    while (n < BUCKETS_MAX && all / n > room)
        n *= 2;
    if (all / n > room)
        return ft_err_set(e, FT_ERR_NOMEM, "%llu bytes in random order want --memory %llu",
                          (unsigned long long)all, (unsigned long long)(all / n * 2 + 1));
    if (!(s->buckets = ft_new(n, sizeof *s->buckets, e)))
        return FT_ERR_NOMEM;
    s->n_buckets = n;
    return n > 1 ? ft_spool_new(&s->dealt, e) : 0;
}

static int put_away(ft_mix_store *s, struct bucket *b, ft_err *e)
{
    struct block here = {ft_spool_bytes(s->dealt), b->pending.n};
    int rc = ft_grow(&b->blocks, &b->cap, b->n_blocks + 1, sizeof *b->blocks, e);
    if (rc == 0)
        rc = ft_spool_write(s->dealt, b->pending.p, b->pending.n, e);
    if (rc == 0)
        b->blocks[b->n_blocks++] = here;
    if (b->pending.cap > WINDOW_BYTES)
        ft_buf_free(&b->pending);
    ft_buf_clear(&b->pending);
    return rc;
}

static int deal(ft_mix_store *s, ft_err *e)
{
    unsigned shift = 64;
    size_t full = (size_t)(s->memory / 4 / s->n_buckets);
    uint64_t row = 0;
    ft_mp record = {0};
    int rc;
    for (size_t n = s->n_buckets; n > 1; n /= 2)
        shift--;
    while ((rc = next_in_order(s, &record, &row, e)) == 0) {
        struct bucket *b = &s->buckets[shift < 64 ? key_of(s, row) >> shift : 0];
        ft_buf_add_u64(&b->pending, row);
        ft_buf_add_u32(&b->pending, (uint32_t)record.n);
        ft_buf_add(&b->pending, record.p, record.n);
        b->bytes += ROW_BYTES + record.n;
        b->rows++;
        if ((rc = ft_buf_check(&b->pending, e)) < 0)
            return rc;
        if (s->n_buckets > 1 && b->pending.n > full && (rc = put_away(s, b, e)) < 0)
            return rc;
    }
    return rc < 0 ? rc : s->dealt ? ft_spool_rewind(s->dealt, e) : 0;
}

int ft_mix_store_shuffle(ft_mix_store *s, uint64_t seed, uint32_t pass, ft_err *e)
{
    int rc = start_over(s, e);
    s->shuffled = 1;
    s->seed = seed;
    s->pass = pass;
    if (rc == 0)
        rc = make_buckets(s, e);
    return rc == 0 ? deal(s, e) : rc;
}

/* ---- sorting a bucket ---- */

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int gather(ft_mix_store *s, struct bucket *b, ft_err *e)
{
    int rc = 0;
    uint8_t *to;
    if (b->n_blocks == 0) {
        ft_buf whole = b->pending;
        b->pending = s->sorted;
        s->sorted = whole;
        return 0;
    }
    ft_buf_clear(&s->sorted);
    to = ft_buf_room(&s->sorted, (size_t)b->bytes);
    if (!to)
        return ft_buf_check(&s->sorted, e);
    s->sorted.n = (size_t)b->bytes;
    for (size_t i = 0; i < b->n_blocks && rc == 0; to += b->blocks[i++].n)
        rc = ft_spool_read_at(s->dealt, b->blocks[i].offset, to, (size_t)b->blocks[i].n, e);
    if (rc == 0 && b->pending.n)
        memcpy(to, b->pending.p, b->pending.n);
    return rc;
}

static int sort_bucket(ft_mix_store *s, struct bucket *b, ft_err *e)
{
    ft_rd r;
    int rc = gather(s, b, e);
    if (rc == 0)
        rc = ft_grow(&s->entries, &s->cap_entries, (size_t)b->rows, sizeof *s->entries, e);
    if (rc < 0)
        return rc;
    r = ft_rd_of(s->sorted.p, s->sorted.n);
    for (s->n_entries = 0; ft_rd_left(&r) > 0; s->n_entries++) {
        struct entry *x = &s->entries[s->n_entries];
        x->row = ft_rd_u64(&r);
        x->key = key_of(s, x->row);
        x->offset = ft_rd_at(&r);
        (void)ft_rd_bytes(&r, ft_rd_u32(&r));
    }
    if (s->n_entries)
        qsort(s->entries, s->n_entries, sizeof *s->entries, by_key);
    s->entry = 0;
    ft_buf_free(&b->pending);
    return 0;
}

int ft_mix_store_next(ft_mix_store *s, ft_mp *record, uint64_t *row, ft_err *e)
{
    ft_rd r;
    uint32_t n;
    if (!s->shuffled)
        return next_in_order(s, record, row, e);
    while (s->entry == s->n_entries) {
        int rc;
        if (s->bucket == s->n_buckets)
            return FT_EOS;
        if ((rc = sort_bucket(s, &s->buckets[s->bucket++], e)) < 0)
            return rc;
    }
    r = ft_rd_of(s->sorted.p + s->entries[s->entry].offset,
                 s->sorted.n - s->entries[s->entry].offset);
    n = ft_rd_u32(&r);
    *record = (ft_mp){ft_rd_bytes(&r, n), n};
    *row = s->entries[s->entry++].row;
    return 0;
}
