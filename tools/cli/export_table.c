#include "tools/cli/export_table.h"

#include "base/json.h"
#include "data/csv.h"

#include <string.h>

static int shown(ft_slice s)
{
    return (int)(s.n < 60 ? s.n : 60);
}

static int is_string(ft_mp v)
{
    return ft_mp_type_of(v) == FT_MP_STR;
}

/* A name that ft-import takes for a column. */
static int check_name(ft_mp key, ft_slice *name, ft_err *e)
{
    if (!ft_mp_str(key, name) || name->n == 0 || memchr(name->p, 0, name->n))
        return ft_err_set(e, FT_ERR_DATA, "a field without a name cannot be a column");
    return 0;
}

int cli_table_begin(cli_table *t, ft_mp record, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, value;
    ft_slice name;
    ft_mp_put_raw(&t->first, record);
    if (ft_mp_count(record) > FT_CSV_COLUMNS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "over %d fields", FT_CSV_COLUMNS_MAX);
    for (int first = 1; ft_mp_next(&it, &key) && ft_mp_next(&it, &value); first = 0) {
        if (check_name(key, &name, e) < 0)
            return FT_ERR_DATA;
        if (!first)
            ft_buf_add_byte(out, t->separator);
        ft_csv_put(out, name, t->separator);
    }
    return ft_buf_check(&t->first, e);
}

static int get(ft_mp record, ft_slice name, ft_mp *value)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key;
    ft_slice s;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, value))
        if (ft_mp_str(key, &s) && s.n == name.n && memcmp(s.p, name.p, s.n) == 0)
            return 1;
    return 0;
}

static int put_cell(const cli_table *t, ft_slice name, ft_mp value, ft_buf *out, ft_err *e)
{
    ft_slice s;
    ft_buf json = {0};
    if (!ft_mp_str(value, &s)) {
        ft_json_put(&json, value);
        s = (ft_slice){json.p, json.n};
    } else if (memchr(s.p, 0, s.n)) {
        return ft_err_set(e, FT_ERR_DATA, "field %.*s has a NUL character, which a table cannot "
                          "hold", shown(name), (const char *)name.p);
    }
    ft_csv_put(out, s, t->separator);
    out->failed |= json.failed;
    ft_buf_free(&json);
    return 0;
}

/* Names a field that the columns have no place for. */
static int surplus(const cli_table *t, ft_mp record, ft_err *e)
{
    ft_mp first = {t->first.p, t->first.n}, key, value, other;
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_slice name = {0};
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (ft_mp_str(key, &name) && !get(first, name, &other))
            break;
    return ft_err_set(e, FT_ERR_DATA, "field %.*s is no column: the first record has not got it",
                      shown(name), (const char *)name.p);
}

int cli_table_row(const cli_table *t, ft_mp record, ft_buf *out, ft_err *e)
{
    ft_mp first = {t->first.p, t->first.n}, key, kind, value;
    ft_mp_iter it = ft_mp_iter_of(first);
    ft_slice name;
    for (int begun = 0; ft_mp_next(&it, &key) && ft_mp_next(&it, &kind); begun = 1) {
        if (!ft_mp_str(key, &name) || !get(record, name, &value))
            return ft_err_set(e, FT_ERR_DATA, "field %.*s is missing, and a table cannot say so",
                              shown(name), (const char *)name.p);
        if (is_string(value) != is_string(kind))
            return ft_err_set(e, FT_ERR_DATA, "field %.*s is a string in some records and not in "
                              "others, which a table cannot tell", shown(name),
                              (const char *)name.p);
        if (begun)
            ft_buf_add_byte(out, t->separator);
        if (put_cell(t, name, value, out, e) < 0)
            return FT_ERR_DATA;
    }
    return ft_mp_count(record) > ft_mp_count(first) ? surplus(t, record, e) : 0;
}

void cli_table_json_columns(const cli_table *t, ft_buf *out)
{
    ft_mp_iter it = ft_mp_iter_of((ft_mp){t->first.p, t->first.n});
    ft_mp key, value;
    ft_slice name;
    size_t before = out->n;
    while (t->first.n && ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        if (ft_mp_str(key, &name) && !is_string(value)) {
            if (out->n > before)
                ft_buf_add_byte(out, ',');
            ft_buf_add(out, name.p, name.n);
        }
}

void cli_table_free(cli_table *t)
{
    ft_buf_free(&t->first);
}
