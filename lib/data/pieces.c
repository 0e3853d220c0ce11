#include "data/pieces.h"

#include "base/mem.h"
#include "data/example.h"

#include <stdlib.h>

static int add(ft_piece_list *list, enum ft_piece_kind kind, ft_mp v, ft_err *e)
{
    ft_slice s;
    int rc;
    if (!ft_mp_str(v, &s))
        return 0;
    if ((rc = ft_grow(&list->piece, &list->cap, list->n + 1, sizeof *list->piece, e)) < 0)
        return rc;
    list->piece[list->n++] = (ft_piece){kind, s, s.p};
    return 0;
}

static int add_field(ft_mp record, const char *field, enum ft_piece_kind kind,
                     ft_piece_list *list, ft_err *e)
{
    ft_mp v, item;
    ft_mp_iter it;
    int rc = 0;
    if (!ft_mp_get(record, field, &v))
        return 0;
    if (ft_mp_type_of(v) != FT_MP_ARRAY)
        return add(list, kind, v, e);
    it = ft_mp_iter_of(v);
    while (rc == 0 && ft_mp_next(&it, &item))
        rc = add(list, kind, item, e);
    return rc;
}

static int add_turns(ft_mp record, ft_piece_list *list, ft_err *e)
{
    ft_mp turns, turn, content;
    ft_slice role;
    ft_mp_iter it;
    int rc = 0;
    (void)ft_mp_get(record, "messages", &turns);
    it = ft_mp_iter_of(turns);
    while (rc == 0 && ft_mp_next(&it, &turn)) {
        (void)ft_mp_get_str(turn, "role", &role);
        (void)ft_mp_get(turn, "content", &content);
        rc = add(list, ft_slice_is(role, "user")        ? FT_PIECE_PROMPT
                       : ft_slice_is(role, "assistant") ? FT_PIECE_RESPONSE
                                                        : FT_PIECE_OTHER, content, e);
    }
    return rc;
}

static int add_fields(ft_mp record, enum ft_shape shape, ft_piece_list *list, ft_err *e)
{
    int rc;
    if (shape == FT_SHAPE_TEXT)
        return add_field(record, "text", FT_PIECE_TEXT, list, e);
    if ((rc = add_field(record, "prompt", FT_PIECE_PROMPT, list, e)) < 0)
        return rc;
    if (shape == FT_SHAPE_PROMPT)
        return add_field(record, "completion", FT_PIECE_RESPONSE, list, e);
    if ((rc = add_field(record, "prediction", FT_PIECE_RESPONSE, list, e)) < 0)
        return rc;
    return add_field(record, "reference", FT_PIECE_REFERENCE, list, e);
}

static int by_place(const void *a, const void *b)
{
    const ft_piece *x = a, *y = b;
    return x->place < y->place ? -1 : x->place > y->place;
}

int ft_pieces_of(ft_mp record, ft_piece_list *list, ft_err *e)
{
    enum ft_shape shape;
    int rc = ft_example_shape(record, &shape, e);
    list->n = 0;
    if (rc < 0)
        return rc;
    if (shape == FT_SHAPE_MESSAGES)
        return add_turns(record, list, e);
    if ((rc = add_fields(record, shape, list, e)) == 0 && list->n > 1)
        qsort(list->piece, list->n, sizeof *list->piece, by_place);
    return rc;
}

/* Writes v with the texts of the list, whose pieces from *at on are yet to come. A checked object
 * is nested FT_MP_DEPTH_MAX deep at most. */
static void put(ft_mp v, const ft_piece_list *list, size_t *at, ft_buf *out)
{
    enum ft_mp_type type = ft_mp_type_of(v);
    ft_mp_iter it;
    ft_mp item;
    ft_slice s;
    if (ft_mp_str(v, &s)) {
        while (*at < list->n && list->piece[*at].place < s.p)
            (*at)++;
        if (*at < list->n && list->piece[*at].place == s.p) {
            ft_slice text = list->piece[*at].text;
            ft_mp_put_str(out, (const char *)text.p, text.n);
            return;
        }
        ft_mp_put_raw(out, v);
        return;
    }
    if (type != FT_MP_MAP && type != FT_MP_ARRAY) {
        ft_mp_put_raw(out, v);
        return;
    }
    if (type == FT_MP_MAP)
        ft_mp_put_map(out, (size_t)ft_mp_count(v));
    else
        ft_mp_put_array(out, (size_t)ft_mp_count(v));
    it = ft_mp_iter_of(v);
    while (ft_mp_next(&it, &item))
        put(item, list, at, out);
}

void ft_pieces_put(ft_mp record, const ft_piece_list *list, ft_buf *out)
{
    size_t at = 0;
    put(record, list, &at, out);
}

void ft_pieces_free(ft_piece_list *list)
{
    ft_free(list->piece);
    *list = (ft_piece_list){0};
}

void ft_record_put_with(ft_mp record, const char *field, ft_mp value, ft_buf *out)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, v;
    ft_slice s;
    size_t kept = 0;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &v))
        kept += !(ft_mp_str(key, &s) && ft_slice_is(s, field));
    ft_mp_put_map(out, kept + 1);
    it = ft_mp_iter_of(record);
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &v)) {
        if (ft_mp_str(key, &s) && ft_slice_is(s, field))
            continue;
        ft_mp_put_raw(out, key);
        ft_mp_put_raw(out, v);
    }
    ft_mp_put_cstr(out, field);
    ft_mp_put_raw(out, value);
}
