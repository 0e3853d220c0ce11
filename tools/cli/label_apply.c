#include "tools/cli/label_apply.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/example.h"
#include "data/lines.h"
#include "stream/stream.h"
#include "tools/cli/cli.h"
#include "tools/cli/label_suggest.h"

#include <stdlib.h>
#include <string.h>

typedef struct change {
    uint64_t row, line;
    size_t at, n;              /* the line's map in lines      */
    int drop;
} change;

struct label_review {
    const char *path;
    ft_digest digest;
    ft_buf lines;              /* accepted lines, as msgpack   */
    change *changes;           /* by row                       */
    size_t n, cap, next;
    uint64_t corrected, dropped, rejected, unreviewed;
    ft_buf out, json, other, field;
};

static _Noreturn void fail_at(const label_review *r, uint64_t line)
{
    ft_err_wrap(cli_err(), "line %llu of %s", (unsigned long long)line, r->path);
    cli_fail();
}

static _Noreturn void refuse(const label_review *r, uint64_t line, const char *why)
{
    ft_err_set(cli_err(), FT_ERR_DATA, "%s", why);
    fail_at(r, line);
}

static ft_mp map_of(const label_review *r, const change *c)
{
    return (ft_mp){r->lines.p + c->at, c->n};
}

/* Whether a line drops its record; refuses what says nothing. */
static int is_drop(const label_review *r, ft_mp map, uint64_t line)
{
    ft_slice action = {0}, field = {0};
    ft_mp v;
    if (ft_mp_get(map, "action", &v) && ft_mp_type_of(v) != FT_MP_NIL) {
        if (!ft_mp_str(v, &action) || !(ft_slice_is(action, "drop") ||
                                        ft_slice_is(action, "label")))
            refuse(r, line, "field action is neither \"label\" nor \"drop\"");
        if (ft_slice_is(action, "drop"))
            return 1;
    }
    if (!ft_mp_get_str(map, "field", &field) || ft_slice_is(field, "answer"))
        refuse(r, line, "accepted, but an answer can only be dropped: set action to \"drop\", or "
               "accept to false");
    if (!ft_mp_get(map, "suggested", &v) || ft_mp_type_of(v) == FT_MP_NIL)
        refuse(r, line, "accepted, but there is nothing suggested: fill in suggested, or set "
               "action to \"drop\"");
    if (ft_mp_type_of(v) == FT_MP_MAP || ft_mp_type_of(v) == FT_MP_ARRAY)
        refuse(r, line, "field suggested is no plain value");
    return 0;
}

/* Takes a line that was parsed to the end of r->lines; keeps it when it is accepted. */
static void take_line(label_review *r, size_t at, uint64_t line)
{
    ft_mp map = {r->lines.p + at, r->lines.n - at}, v;
    change c = {.line = line, .at = at, .n = map.n};
    ft_slice field;
    int accept;
    if (ft_mp_type_of(map) != FT_MP_MAP || !ft_mp_get_uint(map, "row", &c.row) || c.row == 0 ||
        !ft_mp_get(map, "id", &v) || !ft_mp_get_str(map, "field", &field) ||
        !ft_mp_get(map, "given", &v))
        refuse(r, line, "is no suggestion: {\"id\", \"row\", \"field\", \"given\", …}");
    r->lines.n = at;
    if (!ft_mp_get(map, "accept", &v) || ft_mp_type_of(v) == FT_MP_NIL) {
        r->unreviewed++;
        return;
    }
    if (!ft_mp_bool(v, &accept))
        refuse(r, line, "field accept is neither true nor false");
    if (!accept) {
        r->rejected++;
        return;
    }
    c.drop = is_drop(r, map, line);
    cli_check(ft_grow(&r->changes, &r->cap, r->n + 1, sizeof *r->changes, cli_err()));
    r->changes[r->n++] = c;
    r->lines.n = at + c.n;
    if (cli_memory() && r->lines.n > cli_memory()) {
        ft_err_set(cli_err(), FT_ERR_NOMEM, "--memory: the accepted lines take over %llu bytes",
                   (unsigned long long)cli_memory());
        cli_fail();
    }
}

static int by_row(const void *a, const void *b)
{
    const change *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int same_value(ft_mp a, ft_mp b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int same_field(const label_review *r, const change *a, const change *b, const char *field)
{
    ft_mp x = {0}, y = {0};
    (void)ft_mp_get(map_of(r, a), field, &x);
    (void)ft_mp_get(map_of(r, b), field, &y);
    return same_value(x, y);
}

/* Lines of several methods may agree on a row; where they do not, it is refused. Lines that drop it
 * need not be of one field; their ids and what is given are checked one by one. */
static void settle_twice(const label_review *r)
{
    for (size_t i = 1; i < r->n; i++) {
        const change *b = &r->changes[i - 1], *c = &r->changes[i];
        if (b->row != c->row || (b->drop && c->drop) ||
            (b->drop == c->drop && same_field(r, b, c, "suggested") &&
             same_field(r, b, c, "field")))
            continue;
        ft_err_set(cli_err(), FT_ERR_DATA, "another change of row %llu than line %llu; accept one",
                   (unsigned long long)c->row, (unsigned long long)b->line);
        fail_at(r, c->line);
    }
}

label_review *label_review_read(const char *path)
{
    label_review *r = ft_new(1, sizeof *r, cli_err());
    ft_in *in = NULL;
    ft_lines *lines = NULL;
    ft_slice text;
    if (!r)
        cli_fail();
    r->path = path;
    cli_check(ft_in_open(&in, path, cli_err()));
    cli_check(ft_lines_new(&lines, in, cli_err()));
    while (cli_check(ft_lines_next(lines, &text, cli_err())) == 0) {
        size_t at = r->lines.n;
        if (ft_json_parse(text.p, text.n, &r->lines, cli_err()) < 0)
            fail_at(r, ft_lines_number(lines));
        take_line(r, at, ft_lines_number(lines));
    }
    r->digest = ft_lines_digest(lines);
    ft_lines_free(&lines);
    ft_in_close(&in);
    if (r->n)
        qsort(r->changes, r->n, sizeof *r->changes, by_row);
    settle_twice(r);
    return r;
}

void label_review_free(label_review **r)
{
    if (!*r)
        return;
    ft_buf_free(&(*r)->lines);
    ft_buf_free(&(*r)->out);
    ft_buf_free(&(*r)->json);
    ft_buf_free(&(*r)->other);
    ft_buf_free(&(*r)->field);
    ft_free((*r)->changes);
    ft_free(*r);
    *r = NULL;
}

ft_digest label_review_digest(const label_review *r)
{
    return r->digest;
}

/* ---- applying ---- */

static int same_bytes(const ft_buf *a, const ft_buf *b)
{
    cli_check(ft_buf_check(a, cli_err()));
    cli_check(ft_buf_check(b, cli_err()));
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void check_id(label_review *r, const change *c, ft_mp record)
{
    ft_mp id;
    ft_buf_clear(&r->json);
    ft_buf_clear(&r->other);
    label_put_id(&r->json, record, c->row);
    (void)ft_mp_get(map_of(r, c), "id", &id);
    ft_json_put(&r->other, id);
    if (!same_bytes(&r->json, &r->other))
        refuse(r, c->line, "the record in this row has another id: the data are not those that "
               "the suggestions were made for");
}

/* Puts what the record has where a line says `given` into r->json, as JSON. */
static void put_current(label_review *r, ft_mp record, ft_slice field)
{
    ft_buf excerpt = {0};
    ft_mp v;
    ft_buf_clear(&r->json);
    if (ft_slice_is(field, "answer")) {
        ft_buf_clear(&r->other);
        cli_check(ft_example_part(record, FT_PART_RESPONSE, &r->other, cli_err()));
        label_put_excerpt(&excerpt, (ft_slice){r->other.p, r->other.n});
        cli_check(ft_buf_check(&excerpt, cli_err()));
        ft_json_put_string(&r->json, excerpt.p, excerpt.n);
        ft_buf_free(&excerpt);
        return;
    }
    ft_buf_clear(&r->field);
    ft_buf_add(&r->field, field.p, field.n);
    ft_buf_add_byte(&r->field, '\0');
    cli_check(ft_buf_check(&r->field, cli_err()));
    if (ft_mp_get(record, (const char *)r->field.p, &v))
        ft_json_put(&r->json, v);
}

static void check_given(label_review *r, const change *c, ft_mp record)
{
    ft_slice field = {0};
    ft_mp given;
    (void)ft_mp_get_str(map_of(r, c), "field", &field);
    put_current(r, record, field);
    (void)ft_mp_get(map_of(r, c), "given", &given);
    ft_buf_clear(&r->other);
    ft_json_put(&r->other, given);
    if (!same_bytes(&r->json, &r->other))
        refuse(r, c->line, "the record in this row has another value than given: the data are not "
               "those that the suggestions were made for");
}

/* Writes the record with the field's new value in its place and the old one as FIELD_before. */
static void correct(label_review *r, ft_mp record, ft_slice field, ft_mp value)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, v, old = {0};
    size_t pairs = (size_t)ft_mp_count(record);
    int done = 0;
    ft_buf_clear(&r->field);
    ft_buf_add(&r->field, field.p, field.n);
    ft_buf_add(&r->field, "_before", 8);
    cli_check(ft_buf_check(&r->field, cli_err()));
    const char *const before[] = {(const char *)r->field.p, NULL};
    ft_buf_clear(&r->out);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &v))
        pairs -= (size_t)ft_mp_is_one_of(key, before);
    ft_mp_put_map(&r->out, pairs + 1);
    for (it = ft_mp_iter_of(record); ft_mp_next(&it, &key) && ft_mp_next(&it, &v);) {
        ft_slice name = {0};
        if (ft_mp_is_one_of(key, before))
            continue;
        ft_mp_put_raw(&r->out, key);
        if (!done && ft_mp_str(key, &name) && name.n == field.n &&
            memcmp(name.p, field.p, name.n) == 0) {
            old = v;
            v = value;
            done = 1;
        }
        ft_mp_put_raw(&r->out, v);
    }
    ft_mp_put_cstr(&r->out, before[0]);
    ft_mp_put_raw(&r->out, old);
    cli_check(ft_buf_check(&r->out, cli_err()));
}

int label_review_apply(label_review *r, ft_mp record, uint64_t number, ft_mp *out)
{
    const change *c = r->next < r->n ? &r->changes[r->next] : NULL;
    ft_slice field = {0};
    ft_mp value;
    *out = record;
    if (!c || c->row != number)
        return 1;
    for (; r->next < r->n && r->changes[r->next].row == number; r->next++) {
        check_id(r, &r->changes[r->next], record);
        check_given(r, &r->changes[r->next], record);
    }
    if (c->drop) {
        r->dropped++;
        return 0;
    }
    (void)ft_mp_get_str(map_of(r, c), "field", &field);
    (void)ft_mp_get(map_of(r, c), "suggested", &value);
    correct(r, record, field, value);
    *out = (ft_mp){r->out.p, r->out.n};
    if (r->out.n > FT_TEXT_RECORD_BYTES_MAX)
        refuse(r, c->line, "the corrected record is over 8 MiB");
    r->corrected++;
    return 1;
}

void label_review_end(const label_review *r)
{
    if (r->next < r->n)
        refuse(r, r->changes[r->next].line, "there is no such row: the data are not those that the "
               "suggestions were made for");
    cli_result_count("corrected", r->corrected);
    cli_result_count("rejected", r->rejected);
    cli_result_count("unreviewed", r->unreviewed);
}
