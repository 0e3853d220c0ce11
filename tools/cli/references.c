#include "tools/cli/references.h"

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

typedef struct row {
    ft_digest id;
    uint64_t at;               /* in the spool */
    uint32_t bytes;
    int used;
} row;

struct cli_references {
    char *name;
    ft_spool *spool;
    row *rows;
    size_t n, cap;
    uint32_t *slots;           /* row + 1 by id; a power of two of them */
    size_t n_slots;
    char digest[33];
};

static _Noreturn void fail_row(const cli_references *r, size_t i, const char *why)
{
    ft_buf id = {0}, record = {0};
    uint8_t *p = ft_buf_room(&record, r->rows[i].bytes);
    ft_mp v;
    if (p && ft_spool_read_at(r->spool, r->rows[i].at, p, r->rows[i].bytes, cli_err()) == 0 &&
        ft_mp_get((ft_mp){p, r->rows[i].bytes}, "id", &v))
        ft_json_put(&id, v);
    ft_err_set(cli_err(), FT_ERR_DATA, "%s: id %.*s %s", r->name, (int)(id.n < 100 ? id.n : 100),
               id.p ? (const char *)id.p : "", why);
    cli_fail();
}

static size_t home_of(const cli_references *r, const ft_digest *id)
{
    uint64_t h;
    memcpy(&h, id->b, sizeof h);
    return (size_t)h & (r->n_slots - 1);
}

/* Returns: the slot of the id, or the free one where it would stand. */
static uint32_t *find(const cli_references *r, const ft_digest *id)
{
    size_t at = home_of(r, id);
    while (r->slots[at] && !ft_digest_equal(&r->rows[r->slots[at] - 1].id, id))
        at = (at + 1) & (r->n_slots - 1);
    return &r->slots[at];
}

static void add_row(cli_references *r, ft_mp record, uint64_t number)
{
    ft_mp id;
    if (!ft_mp_get(record, "id", &id)) {
        ft_err_set(cli_err(), FT_ERR_DATA, "record %llu of %s has no field id: references are "
                   "matched by id", (unsigned long long)number, r->name);
        cli_fail();
    }
    if (r->n == UINT32_MAX - 1 ||
        ft_grow(&r->rows, &r->cap, r->n + 1, sizeof *r->rows, cli_err()) < 0)
        cli_fail();
    r->rows[r->n++] = (row){ft_digest_of(id.p, id.n), ft_spool_bytes(r->spool),
                            (uint32_t)record.n, 0};
    cli_check(ft_spool_write(r->spool, record.p, record.n, cli_err()));
}

static void index_rows(cli_references *r)
{
    r->n_slots = 16;
    while (r->n_slots < 2 * r->n)
        r->n_slots *= 2;
    r->slots = ft_new(r->n_slots, sizeof *r->slots, cli_err());
    if (!r->slots)
        cli_fail();
    for (size_t i = 0; i < r->n; i++) {
        uint32_t *s = find(r, &r->rows[i].id);
        if (*s)
            fail_row(r, i, "is there twice: ids must be unique to match by them");
        *s = (uint32_t)i + 1;
    }
}

cli_references *cli_references_read(const char *path)
{
    cli_references *r = ft_new(1, sizeof *r, cli_err());
    ft_digest digest;
    ft_reader *in;
    ft_mp record;
    if (!r || !(r->name = ft_strndup(path, strlen(path), cli_err())))
        cli_fail();
    cli_check(ft_spool_new(&r->spool, cli_err()));
    in = cli_reader(path, FT_KIND_TEXT);
    while (cli_next(in, &record))
        add_row(r, record, ft_reader_records(in));
    digest = ft_reader_digest(in);
    ft_digest_hex(&digest, r->digest);
    ft_reader_free(&in);
    cli_check(ft_spool_rewind(r->spool, cli_err()));
    index_rows(r);
    return r;
}

static int no_reference(const cli_references *r, ft_mp id, ft_err *e)
{
    ft_buf text = {0};
    ft_json_put(&text, id);
    ft_err_set(e, FT_ERR_DATA, "id %.*s has no reference in %s",
               (int)(text.n < 100 ? text.n : 100), text.p ? (const char *)text.p : "", r->name);
    ft_buf_free(&text);
    return FT_ERR_DATA;
}

int cli_references_find(const cli_references *r, ft_mp record, ft_buf *buf, size_t *at, ft_err *e)
{
    ft_digest key;
    uint32_t slot;
    uint8_t *p;
    ft_mp id;
    int rc;
    if (!ft_mp_get(record, "id", &id))
        return ft_err_set(e, FT_ERR_DATA, "no field id: references are matched by id");
    key = ft_digest_of(id.p, id.n);
    slot = *find(r, &key);
    if (slot == 0)
        return no_reference(r, id, e);
    *at = slot - 1;
    ft_buf_clear(buf);
    if ((p = ft_buf_room(buf, r->rows[*at].bytes)) == NULL)
        return ft_buf_check(buf, e);
    rc = ft_spool_read_at(r->spool, r->rows[*at].at, p, r->rows[*at].bytes, e);
    buf->n = r->rows[*at].bytes;
    return rc;
}

void cli_references_use(cli_references *r, size_t at)
{
    if (r->rows[at].used)
        fail_row(r, at, "has two predictions: ids must be unique to match by them");
    r->rows[at].used = 1;
}

const char *cli_references_digest(const cli_references *r)
{
    return r->digest;
}

void cli_references_end(cli_references **r)
{
    for (size_t i = 0; i < (*r)->n; i++)
        if (!(*r)->rows[i].used)
            fail_row(*r, i, "has no prediction");
    ft_spool_free(&(*r)->spool);
    ft_free((*r)->rows);
    ft_free((*r)->slots);
    ft_free((*r)->name);
    ft_free(*r);
    *r = NULL;
}
