#include "data/score_table.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/digest_set.h"
#include "data/lines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct column {
    char *name;
    double *value;             /* cap of the table */
} column;

typedef struct row {
    size_t id_at, id_bytes;    /* in ids */
    uint64_t line;
    uint32_t group;
} row;

struct ft_score_table {
    char *name, *group_field;
    size_t n, cap, n_columns;
    column columns[FT_SCORE_COLUMNS_MAX];
    row *rows;
    ft_buf ids;
    ft_digest_set *known;      /* digests of ids: their numbers are those of the rows */
    ft_digest_set *groups;
};

void ft_score_table_free(ft_score_table **out)
{
    ft_score_table *t = *out;
    if (!t)
        return;
    for (size_t k = 0; k < t->n_columns; k++) {
        ft_free(t->columns[k].name);
        ft_free(t->columns[k].value);
    }
    ft_free(t->rows);
    ft_buf_free(&t->ids);
    ft_digest_set_free(&t->known);
    ft_digest_set_free(&t->groups);
    ft_free(t->group_field);
    ft_free(t->name);
    ft_free(t);
    *out = NULL;
}

void ft_score_table_put_id(ft_buf *b, ft_mp id)
{
    size_t start = b->n, n;
    ft_json_put(b, id);
    if (b->failed || b->n - start <= 79)
        return;
    for (n = 76; n > 0 && (b->p[start + n] & 0xc0) == 0x80; n--)
        ;                      /* not inside of a character */
    b->n = start + n;
    ft_buf_add_str(b, "...");
}

const char *ft_score_table_show_id(ft_mp id, char out[80])
{
    ft_buf b = {0};
    ft_score_table_put_id(&b, id);
    snprintf(out, 80, "%.*s", (int)b.n, b.p ? (const char *)b.p : "");
    ft_buf_free(&b);
    return out;
}

/* ---- reading ---- */

/* Room for one more row, in all columns. */
static int grow(ft_score_table *t, ft_err *e)
{
    size_t cap = t->cap;
    if (t->n < t->cap)
        return 0;
    if (ft_grow(&t->rows, &cap, t->n + 1, sizeof *t->rows, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t k = 0; k < t->n_columns; k++) {
        size_t same = t->cap;
        if (ft_grow(&t->columns[k].value, &same, t->n + 1, sizeof(double), e) < 0)
            return FT_ERR_NOMEM;
    }
    t->cap = cap;
    return 0;
}

/* Finds a column, or adds it with NaN in all rows so far. */
static int column_of(ft_score_table *t, ft_slice name, size_t *k, ft_err *e)
{
    column *c;
    for (*k = 0; *k < t->n_columns; ++*k)
        if (ft_slice_is(name, t->columns[*k].name))
            return 0;
    if (t->n_columns == FT_SCORE_COLUMNS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "more than %d fields hold numbers: leave out those that "
                          "are no scores", FT_SCORE_COLUMNS_MAX);
    c = &t->columns[*k];
    if (!(c->name = ft_strndup((const char *)name.p, name.n, e)))
        return FT_ERR_NOMEM;
    if (!(c->value = ft_new(t->cap, sizeof *c->value, e))) {
        ft_free(c->name);
        return FT_ERR_NOMEM;
    }
    for (size_t i = 0; i < t->cap; i++)
        c->value[i] = NAN;
    t->n_columns++;
    return 0;
}

static int add_id(ft_score_table *t, ft_mp record, ft_err *e)
{
    ft_mp id;
    ft_digest d;
    enum ft_mp_type type;
    char shown[80];
    uint64_t number;
    int is_new;
    if (!ft_mp_get(record, "id", &id))
        return ft_err_set(e, FT_ERR_DATA, "no field id: scores are joined by it");
    type = ft_mp_type_of(id);
    if (type != FT_MP_STR && type != FT_MP_UINT && type != FT_MP_INT)
        return ft_err_set(e, FT_ERR_DATA, "id: not a string or a whole number");
    d = ft_digest_of(id.p, id.n);
    if (ft_digest_set_add(t->known, &d, &number, &is_new, e) < 0)
        return FT_ERR_NOMEM;
    if (!is_new)
        return ft_err_set(e, FT_ERR_DATA, "id %s stands already in line %llu: each id may have one "
                          "line", ft_score_table_show_id(id, shown),
                          (unsigned long long)t->rows[number].line);
    t->rows[t->n].id_at = t->ids.n;
    t->rows[t->n].id_bytes = id.n;
    ft_buf_add(&t->ids, id.p, id.n);
    return ft_buf_check(&t->ids, e);
}

static int add_group(ft_score_table *t, ft_mp v, ft_err *e)
{
    enum ft_mp_type type = ft_mp_type_of(v);
    ft_digest d = ft_digest_of(v.p, v.n);
    uint64_t number;
    int is_new;
    if (type == FT_MP_NIL)
        return 0;
    if (type != FT_MP_STR && type != FT_MP_UINT && type != FT_MP_INT && type != FT_MP_FLOAT)
        return ft_err_set(e, FT_ERR_DATA, "the group is not a string or a number");
    if (ft_digest_set_add(t->groups, &d, &number, &is_new, e) < 0)
        return FT_ERR_NOMEM;
    if (number >= FT_NO_GROUP)
        return ft_err_set(e, FT_ERR_DATA, "too many groups");
    t->rows[t->n].group = (uint32_t)number;
    return 0;
}

static int add_value(ft_score_table *t, ft_slice name, ft_mp key, ft_mp v, ft_err *e)
{
    char shown[80];
    double x = 0;
    int truth, rc;
    size_t k;
    if (ft_mp_bool(v, &truth))
        x = truth;
    else if (!ft_mp_float(v, &x))
        return 0;
    if (!(fabs(x) <= FT_SCORE_MAX))
        return ft_err_set(e, FT_ERR_DATA, "%s: %g is no usable score (beyond %g)",
                          ft_score_table_show_id(key, shown), x, FT_SCORE_MAX);
    if ((rc = column_of(t, name, &k, e)) == 0)
        t->columns[k].value[t->n] = x;
    return rc;
}

static int add_row(ft_score_table *t, ft_mp record, uint64_t line, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, v;
    int rc;
    if (ft_mp_type_of(record) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not a JSON object");
    if ((rc = grow(t, e)) < 0)
        return rc;
    t->rows[t->n] = (row){.line = line, .group = FT_NO_GROUP};
    for (size_t k = 0; k < t->n_columns; k++)
        t->columns[k].value[t->n] = NAN;
    rc = add_id(t, record, e);
    while (rc == 0 && ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        ft_slice name;
        if (!ft_mp_str(key, &name) || ft_slice_is(name, "id"))
            continue;
        rc = ft_slice_is(name, t->group_field) ? add_group(t, v, e)
                                               : add_value(t, name, key, v, e);
    }
    t->n += rc == 0;
    return rc;
}

/* NaN is what other programs write for a score that failed; the parser would only say "token". */
static int parse_line(ft_slice line, ft_buf *record, ft_err *e)
{
    static const char *const words[] = {"NaN", "Infinity"};
    int rc = ft_json_parse(line.p, line.n, record, e);
    for (size_t w = 0; rc == FT_ERR_DATA && w < sizeof words / sizeof *words; w++)
        for (size_t i = 0, n = strlen(words[w]); i + n <= line.n; i++)
            if (memcmp(line.p + i, words[w], n) == 0)
                return ft_err_wrap(e, "%s is no JSON and no score (null leaves an example out of a "
                                   "metric)", words[w]);
    return rc;
}

static int read_lines(ft_score_table *t, ft_lines *lines, ft_err *e)
{
    ft_buf record = {0};
    ft_slice line;
    int rc;
    while ((rc = ft_lines_next(lines, &line, e)) == 0) {
        ft_buf_clear(&record);
        if ((rc = parse_line(line, &record, e)) < 0 ||
            (rc = add_row(t, (ft_mp){record.p, record.n}, ft_lines_number(lines), e)) < 0) {
            ft_err_wrap(e, "%s: line %llu", t->name, (unsigned long long)ft_lines_number(lines));
            break;
        }
    }
    ft_buf_free(&record);
    return rc == FT_EOS ? 0 : rc;
}

int ft_score_table_read(ft_score_table **out, ft_in *in, const char *group, ft_err *e)
{
    ft_score_table *t = ft_new(1, sizeof *t, e);
    ft_lines *lines = NULL;
    const char *name = ft_in_name(in);
    int rc = FT_ERR_NOMEM;
    *out = NULL;
    if (t && (t->name = ft_strndup(name, strlen(name), e)) &&
        (t->group_field = ft_strndup(group, strlen(group), e)) &&
        ft_digest_set_new(&t->known, 0, e) == 0 && ft_digest_set_new(&t->groups, 0, e) == 0 &&
        ft_lines_new(&lines, in, e) == 0)
        rc = read_lines(t, lines, e);
    ft_lines_free(&lines);
    if (rc == 0)
        *out = t;
    else
        ft_score_table_free(&t);
    return rc;
}

/* ---- what is in it ---- */

const char *ft_score_table_name(const ft_score_table *t)
{
    return t->name;
}

size_t ft_score_table_rows(const ft_score_table *t)
{
    return t->n;
}

size_t ft_score_table_columns(const ft_score_table *t)
{
    return t->n_columns;
}

const char *ft_score_table_column_name(const ft_score_table *t, size_t k)
{
    return t->columns[k].name;
}

size_t ft_score_table_column(const ft_score_table *t, const char *name)
{
    size_t k = 0;
    while (k < t->n_columns && strcmp(t->columns[k].name, name) != 0)
        k++;
    return k;
}

const double *ft_score_table_values(const ft_score_table *t, size_t k)
{
    return t->columns[k].value;
}

ft_mp ft_score_table_id(const ft_score_table *t, size_t i)
{
    return (ft_mp){t->ids.p + t->rows[i].id_at, t->rows[i].id_bytes};
}

uint64_t ft_score_table_line(const ft_score_table *t, size_t i)
{
    return t->rows[i].line;
}

uint32_t ft_score_table_group(const ft_score_table *t, size_t i)
{
    return t->rows[i].group;
}

size_t ft_score_table_groups(const ft_score_table *t)
{
    return (size_t)ft_digest_set_count(t->groups);
}

/* ---- joining ---- */

/* The first id of `from` that `in` has not. */
static int find_missing(const ft_score_table *from, const ft_score_table *in, ft_err *e)
{
    char shown[80];
    for (size_t i = 0; i < from->n; i++) {
        ft_mp id = ft_score_table_id(from, i);
        ft_digest d = ft_digest_of(id.p, id.n);
        uint64_t number;
        if (!ft_digest_set_find(in->known, &d, &number))
            return ft_err_set(e, FT_ERR_DATA, "%s: line %llu: id %s is not in %s: score both "
                              "systems on the same examples", from->name,
                              (unsigned long long)from->rows[i].line,
                              ft_score_table_show_id(id, shown), in->name);
    }
    return 0;
}

/* Files without any group are taken to be silent about it. */
static int check_groups(const ft_score_table *a, size_t i, const ft_score_table *b, size_t k,
                        ft_err *e)
{
    uint32_t of_a = a->rows[i].group, of_b = b->rows[k].group;
    char shown[80];
    if (!ft_digest_set_count(a->groups) || !ft_digest_set_count(b->groups))
        return 0;
    if ((of_a == FT_NO_GROUP) == (of_b == FT_NO_GROUP) &&
        (of_a == FT_NO_GROUP || ft_digest_equal(ft_digest_set_at(a->groups, of_a),
                                                ft_digest_set_at(b->groups, of_b))))
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "%s: line %llu: id %s is in another %s than in %s", b->name,
                      (unsigned long long)b->rows[k].line,
                      ft_score_table_show_id(ft_score_table_id(b, k), shown), b->group_field,
                      a->name);
}

int ft_score_table_join(const ft_score_table *base, const ft_score_table *other, size_t *row_of,
                        ft_err *e)
{
    int rc = find_missing(base, other, e);
    if (rc == 0 && other->n != base->n)
        rc = find_missing(other, base, e);
    for (size_t i = 0; rc == 0 && i < base->n; i++) {
        ft_mp id = ft_score_table_id(base, i);
        ft_digest d = ft_digest_of(id.p, id.n);
        uint64_t number = 0;
        (void)ft_digest_set_find(other->known, &d, &number);
        row_of[i] = (size_t)number;
        rc = check_groups(base, i, other, row_of[i], e);
    }
    return rc;
}
