#define _GNU_SOURCE    /* memmem */
#include "data/augment_lists.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/mp.h"
#include "data/lines.h"

#include <stdlib.h>
#include <string.h>

struct ft_lists {
    ft_arena *bytes;               /* keys and items               */
    ft_list *lists;                /* sorted by key, once complete */
    ft_slice *items;
    size_t n, cap, n_items, cap_items;
};

void ft_lists_free(ft_lists **out)
{
    ft_lists *l = *out;
    if (!l)
        return;
    ft_arena_free(&l->bytes);
    ft_free(l->lists);
    ft_free(l->items);
    ft_free(l);
    *out = NULL;
}

static int keep(ft_lists *l, ft_slice from, ft_slice *to, ft_err *e)
{
    uint8_t *p = ft_arena_alloc(l->bytes, from.n ? from.n : 1, e);
    if (!p)
        return FT_ERR_NOMEM;
    if (from.n)
        memcpy(p, from.p, from.n);
    *to = (ft_slice){p, from.n};
    return 0;
}

static int add_list(ft_lists *l, ft_slice key, ft_err *e)
{
    int rc = ft_grow(&l->lists, &l->cap, l->n + 1, sizeof *l->lists, e);
    if (rc == 0) {
        l->lists[l->n] = (ft_list){.from = l->n_items};
        rc = keep(l, key, &l->lists[l->n].key, e);
    }
    l->n += rc == 0;
    return rc;
}

static int add_item(ft_lists *l, ft_slice item, ft_err *e)
{
    int rc = ft_grow(&l->items, &l->cap_items, l->n_items + 1, sizeof *l->items, e);
    if (rc == 0)
        rc = keep(l, item, &l->items[l->n_items], e);
    l->n_items += rc == 0;
    l->lists[l->n - 1].n += rc == 0;
    return rc;
}

/* ---- the three forms ---- */

static int add_template(ft_lists *l, ft_slice line, ft_buf *text, ft_err *e)
{
    ft_buf_clear(text);
    for (size_t i = 0; i < line.n; i++) {
        uint8_t next = i + 1 < line.n ? line.p[i + 1] : 0;
        int escaped = line.p[i] == '\\' && (next == 'n' || next == '\\');
        ft_buf_add_byte(text, !escaped ? line.p[i] : next == 'n' ? '\n' : '\\');
        i += (size_t)escaped;
    }
    if (ft_buf_check(text, e) < 0)
        return FT_ERR_NOMEM;
    if (text->n < 8 || !memmem(text->p, text->n, "{prompt}", 8))
        return ft_err_set(e, FT_ERR_DATA, "no {prompt} in this template");
    if (l->n == 0 && add_list(l, (ft_slice){0}, e) < 0)
        return FT_ERR_NOMEM;
    return add_item(l, (ft_slice){text->p, text->n}, e);
}

static int add_synonyms(ft_lists *l, ft_slice line, ft_buf *text, ft_err *e)
{
    const uint8_t *end = line.p + line.n, *at = line.p, *tab;
    int rc = 0, first = 1;
    for (; rc == 0 && at <= end; at = tab + 1) {
        tab = at < end ? memchr(at, '\t', (size_t)(end - at)) : NULL;
        tab = tab ? tab : end;
        if (tab == at)
            return ft_err_set(e, FT_ERR_DATA, "an empty word");
        if (!first) {
            rc = add_item(l, (ft_slice){at, (size_t)(tab - at)}, e);
            continue;
        }
        first = 0;
        ft_buf_clear(text);
        for (const uint8_t *c = at; c < tab; c++)
            ft_buf_add_byte(text, *c >= 'A' && *c <= 'Z' ? (uint8_t)(*c + 32) : *c);
        if ((rc = ft_buf_check(text, e)) == 0)
            rc = add_list(l, (ft_slice){text->p, text->n}, e);
    }
    if (rc == 0 && l->lists[l->n - 1].n == 0)
        return ft_err_set(e, FT_ERR_DATA, "no synonym behind the word; put tabs between them");
    return rc;
}

static int add_slot(ft_lists *l, ft_mp name, ft_mp values, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(values);
    ft_slice key = {0}, s;
    ft_mp v;
    int rc;
    (void)ft_mp_str(name, &key);
    if (key.n == 0)
        return ft_err_set(e, FT_ERR_DATA, "a slot without a name");
    if (ft_mp_type_of(values) != FT_MP_ARRAY || ft_mp_count(values) == 0)
        return ft_err_set(e, FT_ERR_DATA, "slot %zu: not a list of values that is not empty",
                          l->n + 1);
    if ((rc = add_list(l, key, e)) < 0)
        return rc;
    while (ft_mp_next(&it, &v)) {
        if (!ft_mp_str(v, &s))
            return ft_err_set(e, FT_ERR_DATA, "slot %zu: value %zu is not a string but %s", l->n,
                              l->lists[l->n - 1].n + 1, ft_mp_type_name(ft_mp_type_of(v)));
        if ((rc = add_item(l, s, e)) < 0)
            return rc;
    }
    return 0;
}

static int add_slots(ft_lists *l, const ft_buf *text, ft_err *e)
{
    ft_buf object = {0};
    ft_mp_iter it;
    ft_mp name, values;
    int rc = ft_json_parse(text->p, text->n, &object, e);
    if (rc == 0 && ft_mp_type_of((ft_mp){object.p, object.n}) != FT_MP_MAP)
        rc = ft_err_set(e, FT_ERR_DATA, "not a JSON object of lists");
    it = rc == 0 ? ft_mp_iter_of((ft_mp){object.p, object.n}) : (ft_mp_iter){0};
    while (rc == 0 && ft_mp_next(&it, &name) && ft_mp_next(&it, &values))
        rc = add_slot(l, name, values, e);
    ft_buf_free(&object);
    return rc;
}

/* ---- all of it ---- */

static int add_line(ft_lists *l, enum ft_lists_form form, ft_slice line, ft_buf *text, ft_err *e)
{
    if (form == FT_LISTS_SLOTS) {
        ft_buf_add(text, line.p, line.n);
        ft_buf_add_byte(text, ' ');          /* so that columns are characters of the file */
        return text->n > FT_LISTS_BYTES_MAX
                   ? ft_err_set(e, FT_ERR_DATA, "over %zu bytes", FT_LISTS_BYTES_MAX)
                   : ft_buf_check(text, e);
    }
    return form == FT_LISTS_TEMPLATES ? add_template(l, line, text, e)
                                      : add_synonyms(l, line, text, e);
}

static int by_key(const void *a, const void *b)
{
    const ft_list *x = a, *y = b;
    size_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n ? memcmp(x->key.p, y->key.p, n) : 0;
    return order ? order : x->key.n < y->key.n ? -1 : x->key.n > y->key.n;
}

static int complete(ft_lists *l, ft_err *e)
{
    if (l->n == 0)
        return ft_err_set(e, FT_ERR_DATA, "there is nothing in it");
    qsort(l->lists, l->n, sizeof *l->lists, by_key);
    for (size_t i = 1; i < l->n; i++)
        if (by_key(&l->lists[i - 1], &l->lists[i]) == 0)
            return ft_err_set(e, FT_ERR_DATA, "the same word stands first in two lines");
    return 0;
}

int ft_lists_load(ft_lists **out, enum ft_lists_form form, ft_in *in, ft_digest *digest, ft_err *e)
{
    ft_lists *l = ft_new(1, sizeof *l, e);
    ft_lines *lines = NULL;
    ft_buf text = {0};
    ft_slice line;
    int rc = FT_ERR_NOMEM;
    *out = l;
    if (l && (rc = ft_arena_new(&l->bytes, 64 << 10, e)) == 0)
        rc = ft_lines_new(&lines, in, e);
    while (rc == 0 && (rc = ft_lines_next(lines, &line, e)) == 0)
        if ((rc = add_line(l, form, line, &text, e)) < 0)
            ft_err_wrap(e, "%s: line %llu", ft_in_name(in),
                        (unsigned long long)ft_lines_number(lines));
    if (rc == FT_EOS) {
        rc = form == FT_LISTS_SLOTS ? add_slots(l, &text, e) : 0;
        if (rc == 0)
            rc = complete(l, e);
        if (rc < 0)
            ft_err_wrap(e, "%s", ft_in_name(in));
        *digest = ft_lines_digest(lines);
    }
    ft_lines_free(&lines);
    ft_buf_free(&text);
    if (rc < 0)
        ft_lists_free(out);
    return rc;
}

const ft_list *ft_lists_find(const ft_lists *l, const void *key, size_t n)
{
    ft_list wanted = {.key = {key, n}};
    return bsearch(&wanted, l->lists, l->n, sizeof *l->lists, by_key);
}

ft_slice ft_lists_item(const ft_lists *l, const ft_list *list, size_t i)
{
    return l->items[list->from + i];
}
