#include "data/near_links.h"

#include "base/io.h"
#include "base/mem.h"

#include <string.h>

/* Keys of a part, about, and of a read. */
enum { PART_KEYS = 8192, PARTS_MAX = 4096, READ_KEYS = 8192 };

struct ft_near_columns {
    ft_spool **spools;
    size_t bands, rows;
};

/* The last row of each key: open addressing by the low bits, grown at half full. */
typedef struct last_rows {
    uint64_t *keys;            /* 0: free */
    uint32_t *rows;
    size_t slots, used, keys_cap, rows_cap;
} last_rows;

/* One column on its way. */
typedef struct column {
    ft_spool *spool;
    size_t rows, bands, band;
    unsigned shift;            /* a key's part is key >> shift */
    size_t parts;
    size_t *starts;            /* where each part of the group starts among the entries; cursor */
    size_t *counts;
    uint64_t *keys, *read;
    uint32_t *ids;
    size_t from;               /* first part of the group */
    uint32_t *links;
    last_rows *tables;         /* one for each thread */
    ft_err *errors;            /* one for each thread */
} column;

/* ---- tables ---- */

static size_t slot_of(const last_rows *t, uint64_t key)
{
    size_t mask = t->slots - 1, i = key & mask;
    while (t->keys[i] != 0 && t->keys[i] != key)
        i = (i + 1) & mask;
    return i;
}

static int clear(last_rows *t, size_t slots, ft_err *e)
{
    if (ft_grow(&t->keys, &t->keys_cap, slots, sizeof *t->keys, e) < 0 ||
        ft_grow(&t->rows, &t->rows_cap, slots, sizeof *t->rows, e) < 0)
        return FT_ERR_NOMEM;
    memset(t->keys, 0, slots * sizeof *t->keys);
    t->slots = slots;
    t->used = 0;
    return 0;
}

static int enlarge(last_rows *t, ft_err *e)
{
    last_rows larger = {0};
    if (clear(&larger, t->slots * 2, e) < 0) {
        ft_free(larger.keys);
        ft_free(larger.rows);
        return FT_ERR_NOMEM;
    }
    for (size_t i = 0; i < t->slots; i++)
        if (t->keys[i]) {
            size_t to = slot_of(&larger, t->keys[i]);
            larger.keys[to] = t->keys[i];
            larger.rows[to] = t->rows[i];
        }
    larger.used = t->used;
    ft_free(t->keys);
    ft_free(t->rows);
    *t = larger;
    return 0;
}

static int link_row(column *c, last_rows *t, uint64_t key, uint32_t row, ft_err *e)
{
    size_t i = slot_of(t, key);
    if (t->keys[i]) {
        c->links[(size_t)row * c->bands + c->band] = t->rows[i] + 1;
        t->rows[i] = row;
        return 0;
    }
    t->keys[i] = key;
    t->rows[i] = row;
    return ++t->used * 2 > t->slots ? enlarge(t, e) : 0;
}

/* ---- one column ---- */

/* Calls fn for the keys of the column, in the order of rows; those without a key left out. */
static int each_key(column *c, int (*fn)(column *c, uint64_t key, uint32_t row, ft_err *e),
                    ft_err *e)
{
    for (size_t at = 0; at < c->rows;) {
        size_t n = c->rows - at < READ_KEYS ? c->rows - at : READ_KEYS;
        if (ft_spool_read_at(c->spool, at * sizeof *c->read, c->read, n * sizeof *c->read, e) < 0)
            return e ? e->code : FT_ERR_IO;
        for (size_t i = 0; i < n; i++)
            if (c->read[i] && fn(c, c->read[i], (uint32_t)(at + i), e) < 0)
                return e ? e->code : FT_ERR_NOMEM;
        at += n;
    }
    return 0;
}

static size_t part_of(const column *c, uint64_t key)
{
    return c->parts > 1 ? (size_t)(key >> c->shift) : 0;
}

static int count_key(column *c, uint64_t key, uint32_t row, ft_err *e)
{
    (void)row;
    (void)e;
    c->counts[part_of(c, key)]++;
    return 0;
}

/* A part of the group has its start set; all others SIZE_MAX. */
static int place_key(column *c, uint64_t key, uint32_t row, ft_err *e)
{
    size_t *start = &c->starts[part_of(c, key)];
    (void)e;
    if (*start == SIZE_MAX)
        return 0;
    c->keys[*start] = key;
    c->ids[*start] = row;
    ++*start;
    return 0;
}

/* A part that is too large to be held: straight from the column. */
static int link_key(column *c, uint64_t key, uint32_t row, ft_err *e)
{
    return part_of(c, key) == c->from ? link_row(c, &c->tables[0], key, row, e) : 0;
}

/* Where a part ended up: its cursor stands behind it. */
static void link_part(void *ctx, size_t task, unsigned worker)
{
    column *c = ctx;
    size_t part = c->from + task, end = c->starts[part], slots = 16;
    last_rows *t = &c->tables[worker];
    ft_err *e = &c->errors[worker];
    while (slots < 2 * c->counts[part] + 2 && slots < (size_t)4 * PART_KEYS)
        slots *= 2;
    if (e->code < 0 || clear(t, slots, e) < 0)
        return;
    for (size_t i = end - c->counts[part]; i < end; i++)
        if (link_row(c, t, c->keys[i], c->ids[i], e) < 0)
            return;
}

/* Links the parts from c->from up to the first that does not fit. Returns: how many, or an
 * error. */
static long link_group(column *c, ft_pool *pool, size_t entries, ft_err *e)
{
    size_t to = c->from, sum = 0;
    for (size_t i = 0; i < c->parts; i++)
        c->starts[i] = SIZE_MAX;
    for (; to < c->parts && c->counts[to] <= entries - sum; to++) {
        c->starts[to] = sum;
        sum += c->counts[to];
    }
    if (to == c->from) {
        if (clear(&c->tables[0], 16, e) < 0 || each_key(c, link_key, e) < 0)
            return e ? e->code : FT_ERR_NOMEM;
        return 1;
    }
    if (each_key(c, place_key, e) < 0)
        return e ? e->code : FT_ERR_IO;
    ft_pool_run(pool, to - c->from, link_part, c);
    for (unsigned i = 0; i < ft_pool_threads(pool); i++)
        if (c->errors[i].code < 0)
            return ft_err_set(e, c->errors[i].code, "%s", c->errors[i].text);
    return (long)(to - c->from);
}

static int link_column(column *c, ft_pool *pool, size_t entries, ft_err *e)
{
    memset(c->counts, 0, c->parts * sizeof *c->counts);
    if (ft_spool_rewind(c->spool, e) < 0 || each_key(c, count_key, e) < 0)
        return e ? e->code : FT_ERR_IO;
    for (c->from = 0; c->from < c->parts;) {
        long done = link_group(c, pool, entries, e);
        if (done < 0)
            return (int)done;
        c->from += (size_t)done;
    }
    return 0;
}

/* ---- all of them ---- */

static int make_room(column *c, size_t entries, unsigned threads, ft_err *e)
{
    c->shift = 64;
    for (c->parts = 1; c->parts < PARTS_MAX && c->rows / c->parts > PART_KEYS; c->parts *= 2)
        c->shift--;
    c->starts = ft_new(c->parts, sizeof *c->starts, e);
    c->counts = c->starts ? ft_new(c->parts, sizeof *c->counts, e) : NULL;
    c->read = c->counts ? ft_new(READ_KEYS, sizeof *c->read, e) : NULL;
    c->keys = c->read ? ft_new(entries, sizeof *c->keys, e) : NULL;
    c->ids = c->keys ? ft_new(entries, sizeof *c->ids, e) : NULL;
    c->tables = c->ids ? ft_new(threads, sizeof *c->tables, e) : NULL;
    c->errors = c->tables ? ft_new(threads, sizeof *c->errors, e) : NULL;
    return c->errors ? 0 : FT_ERR_NOMEM;
}

static void free_room(column *c, unsigned threads)
{
    for (unsigned i = 0; c->tables && i < threads; i++) {
        ft_free(c->tables[i].keys);
        ft_free(c->tables[i].rows);
    }
    ft_free(c->tables);
    ft_free(c->errors);
    ft_free(c->ids);
    ft_free(c->keys);
    ft_free(c->read);
    ft_free(c->counts);
    ft_free(c->starts);
}

int ft_near_columns_link(ft_near_columns *s, ft_pool *pool, size_t entries, uint32_t **links,
                         ft_err *e)
{
    column c = {.rows = s->rows, .bands = s->bands};
    unsigned threads = ft_pool_threads(pool);
    int rc;
    entries = entries < s->rows ? entries : s->rows;
    entries = entries ? entries : 1;
    *links = ft_new(s->rows * s->bands, sizeof **links, e);
    c.links = *links;
    rc = *links ? make_room(&c, entries, threads, e) : FT_ERR_NOMEM;
    for (; rc == 0 && c.band < s->bands; c.band++) {
        c.spool = s->spools[c.band];
        rc = link_column(&c, pool, entries, e);
        ft_spool_free(&s->spools[c.band]);
    }
    free_room(&c, threads);
    if (rc < 0) {
        ft_free(*links);
        *links = NULL;
    }
    return rc;
}

int ft_near_columns_new(ft_near_columns **out, size_t bands, ft_err *e)
{
    ft_near_columns *c = ft_new(1, sizeof *c, e);
    int rc = 0;
    *out = c;
    if (!c)
        return FT_ERR_NOMEM;
    c->spools = ft_new(bands, sizeof *c->spools, e);
    for (; c->spools && rc == 0 && c->bands < bands; c->bands++)
        rc = ft_spool_new(&c->spools[c->bands], e);
    if (!c->spools)
        rc = FT_ERR_NOMEM;
    if (rc < 0)
        ft_near_columns_free(out);
    return rc;
}

void ft_near_columns_free(ft_near_columns **cp)
{
    ft_near_columns *c = *cp;
    if (!c)
        return;
    for (size_t i = 0; c->spools && i < c->bands; i++)
        if (c->spools[i])
            ft_spool_free(&c->spools[i]);
    ft_free(c->spools);
    ft_free(c);
    *cp = NULL;
}

int ft_near_columns_add(ft_near_columns *c, const uint64_t *keys, ft_err *e)
{
    c->rows++;
    for (size_t i = 0; i < c->bands; i++) {
        int rc = ft_spool_write(c->spools[i], &keys[i], sizeof keys[i], e);
        if (rc < 0)
            return rc;
    }
    return 0;
}
