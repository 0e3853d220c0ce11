#include "data/csv.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

struct column {
    size_t at, n;                /* the name in names */
    int json;
};

struct ft_csv {
    uint8_t separator;
    ft_buf names;
    struct column *columns;
    size_t n, cap;
};

/* Where a record is being read. */
struct cursor {
    const uint8_t *start, *p, *end;
    uint8_t separator;
    int more;                    /* another field follows */
};

static int fail(const struct cursor *c, const uint8_t *at, size_t *where, ft_err *e,
                const char *why)
{
    *where = (size_t)(at - c->start);
    return ft_err_set(e, FT_ERR_DATA, "%s", why);
}

static int check_text(const struct cursor *c, size_t *where, ft_err *e)
{
    size_t n = (size_t)(c->end - c->start), valid = ft_utf8_check(c->start, n);
    const uint8_t *nul = memchr(c->start, 0, valid);
    if (nul)
        return fail(c, nul, where, e, "a NUL byte (is this UTF-16, or no text at all?)");
    *where = valid;
    return valid == n ? 0 : ft_err_set(e, FT_ERR_DATA, "invalid UTF-8 (0x%02x)", c->start[valid]);
}

/* Reads a field in quotes. */
static int quoted(struct cursor *c, ft_buf *out, size_t *where, ft_err *e)
{
    const uint8_t *begin = c->p++;
    for (;;) {
        const uint8_t *quote = c->p < c->end ? memchr(c->p, '"', (size_t)(c->end - c->p)) : NULL;
        if (!quote)
            return fail(c, begin, where, e, "a quoted field is not ended");
        ft_buf_add(out, c->p, (size_t)(quote - c->p));
        c->p = quote + 1;
        if (c->p == c->end || *c->p != '"')
            break;
        ft_buf_add_byte(out, '"');
        c->p++;
    }
    if (c->p < c->end && *c->p != c->separator)
        return fail(c, c->p, where, e, "neither a separator nor the end behind a quoted field");
    return 0;
}

/* Reads the next field into out, which is emptied first. */
static int field(struct cursor *c, ft_buf *out, size_t *where, ft_err *e)
{
    const uint8_t *from = c->p;
    int rc = 0;
    ft_buf_clear(out);
    if (c->p < c->end && *c->p == '"') {
        rc = quoted(c, out, where, e);
    } else {
        for (; c->p < c->end && *c->p != c->separator; c->p++) {
            if (*c->p == '"')
                return fail(c, c->p, where, e, "a quote in a field that is not in quotes");
            if (*c->p == '\r')
                return fail(c, c->p, where, e, "a carriage return in a field that is not in "
                                               "quotes");
        }
        ft_buf_add(out, from, (size_t)(c->p - from));
    }
    c->more = c->p < c->end;
    c->p += c->more;
    return rc < 0 ? rc : ft_buf_check(out, e);
}

/* ---- the header ---- */

static int name_is(const ft_csv *c, size_t i, ft_slice s)
{
    return c->columns[i].n == s.n && memcmp(c->names.p + c->columns[i].at, s.p, s.n) == 0;
}

static int add_column(ft_csv *c, ft_slice name, ft_err *e)
{
    int shown = (int)(name.n < 60 ? name.n : 60);
    if (name.n == 0)
        return ft_err_set(e, FT_ERR_DATA, "column %zu has no name", c->n + 1);
    if (c->n == FT_CSV_COLUMNS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "over %d columns", FT_CSV_COLUMNS_MAX);
    for (size_t i = 0; i < c->n; i++)
        if (name_is(c, i, name))
            return ft_err_set(e, FT_ERR_DATA, "two columns have the name %.*s", shown,
                              (const char *)name.p);
    if (ft_grow(&c->columns, &c->cap, c->n + 1, sizeof *c->columns, e) < 0)
        return FT_ERR_NOMEM;
    c->columns[c->n++] = (struct column){c->names.n, name.n, 0};
    ft_buf_add(&c->names, name.p, name.n);
    return ft_buf_check(&c->names, e);
}

static int mark_json(ft_csv *c, const char *list, ft_err *e)
{
    while (list && *list) {
        size_t n = strcspn(list, ","), i = 0;
        while (i < c->n && !name_is(c, i, (ft_slice){(const uint8_t *)list, n}))
            i++;
        if (i == c->n)
            return ft_err_set(e, FT_ERR_DATA, "no column has the name %.*s, which is to hold "
                              "JSON", (int)(n < 60 ? n : 60), list);
        c->columns[i].json = 1;
        list += n + (list[n] == ',');
    }
    return 0;
}

int ft_csv_new(ft_csv **out, const void *text, size_t n, uint8_t separator,
               const char *json_columns, size_t *where, ft_err *e)
{
    struct cursor at = {text, text, (const uint8_t *)text + n, separator, 1};
    ft_csv *c = ft_new(1, sizeof *c, e);
    ft_buf name = {0};
    int rc;
    *out = NULL;
    *where = 0;
    if (!c)
        return FT_ERR_NOMEM;
    c->separator = separator;
    rc = check_text(&at, where, e);
    while (rc == 0 && at.more) {
        size_t from = (size_t)(at.p - at.start);
        if ((rc = field(&at, &name, where, e)) == 0 &&
            (rc = add_column(c, (ft_slice){name.p, name.n}, e)) < 0)
            *where = from;
    }
    ft_buf_free(&name);
    if (rc == 0)
        rc = mark_json(c, json_columns, e);
    if (rc < 0)
        ft_csv_free(&c);
    *out = c;
    return rc;
}

void ft_csv_free(ft_csv **c)
{
    if (!*c)
        return;
    ft_buf_free(&(*c)->names);
    ft_free((*c)->columns);
    ft_free(*c);
    *c = NULL;
}

/* ---- records ---- */

static int put_value(const struct column *column, const ft_buf *value, ft_buf *out, ft_err *e)
{
    if (column->json)
        return ft_json_parse(value->p, value->n, out, e);
    ft_mp_put_str(out, (const char *)value->p, value->n);
    return 0;
}

static int put_fields(const ft_csv *c, struct cursor *at, ft_buf *value, ft_buf *out,
                      size_t *where, ft_err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct column *column = &c->columns[i];
        size_t from = (size_t)(at->p - at->start);
        int shown = (int)(column->n < 60 ? column->n : 60);
        const char *name = (const char *)c->names.p + column->at;
        if (!at->more) {
            *where = from;
            return ft_err_set(e, FT_ERR_DATA, "%zu fields, the header has %zu", i, c->n);
        }
        if (field(at, value, where, e) < 0)
            return ft_err_wrap(e, "column %.*s", shown, name);
        ft_mp_put_str(out, name, column->n);
        if (put_value(column, value, out, e) < 0) {
            *where = from;
            return ft_err_wrap(e, "column %.*s: its JSON", shown, name);
        }
    }
    *where = (size_t)(at->p - at->start);
    return at->more ? ft_err_set(e, FT_ERR_DATA, "over %zu fields, which the header has", c->n) : 0;
}

int ft_csv_record(const ft_csv *c, const void *text, size_t n, ft_buf *out, size_t *where,
                  ft_err *e)
{
    struct cursor at = {text, text, (const uint8_t *)text + n, c->separator, 1};
    ft_buf value = {0};
    int rc = check_text(&at, where, e);
    if (rc < 0)
        return rc;
    ft_mp_put_map(out, c->n);
    rc = put_fields(c, &at, &value, out, where, e);
    ft_buf_free(&value);
    return rc < 0 ? rc : ft_buf_check(out, e);
}

uint8_t ft_csv_guess(const void *text, size_t n)
{
    static const uint8_t known[] = {',', ';', '\t', '|'};
    const uint8_t *p = text;
    size_t seen[4] = {0}, best = 0;
    int inside = 0;
    for (size_t i = 0; i < n; i++) {
        inside ^= p[i] == '"';
        for (size_t k = 0; k < 4; k++)
            seen[k] += !inside && p[i] == known[k];
    }
    for (size_t k = 1; k < 4; k++)
        if (seen[k] > seen[best])
            best = k;
    return known[best];
}

void ft_csv_put(ft_buf *out, ft_slice s, uint8_t separator)
{
    int plain = s.n > 0;
    for (size_t i = 0; plain && i < s.n; i++)
        plain = s.p[i] != separator && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    if (plain) {
        ft_buf_add(out, s.p, s.n);
        return;
    }
    ft_buf_add_byte(out, '"');
    for (size_t i = 0; i < s.n;) {
        const uint8_t *quote = memchr(s.p + i, '"', s.n - i);
        size_t run = quote ? (size_t)(quote - s.p) + 1 - i : s.n - i;
        ft_buf_add(out, s.p + i, run);
        if (quote)
            ft_buf_add_byte(out, '"');
        i += run;
    }
    ft_buf_add_byte(out, '"');
}
