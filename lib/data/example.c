#include "data/example.h"

#include "text/normal.h"

#include <string.h>

static const uint8_t separator = 0xff;

const char *ft_shape_name(enum ft_shape s)
{
    static const char *const names[] = {"messages", "prompt", "text", "prediction"};
    return names[s];
}

/* ---- checking ---- */

static int not_a(ft_err *e, const char *field, const char *wanted, ft_mp got)
{
    return ft_err_set(e, FT_ERR_DATA, "field %s is not %s but %s", field, wanted,
                      ft_mp_type_name(ft_mp_type_of(got)));
}

static int need_string(ft_mp record, const char *field, const char *beside, ft_err *e)
{
    ft_mp v;
    ft_slice s;
    if (!ft_mp_get(record, field, &v))
        return ft_err_set(e, FT_ERR_DATA, "field %s is missing beside %s", field, beside);
    return ft_mp_str(v, &s) ? 0 : not_a(e, field, "a string", v);
}

static int check_turn(ft_mp turn, size_t i, ft_err *e)
{
    static const char *const fields[] = {"role", "content"};
    ft_mp v;
    ft_slice s;
    if (ft_mp_type_of(turn) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu] is not a map", i);
    for (size_t k = 0; k < 2; k++) {
        if (!ft_mp_get(turn, fields[k], &v))
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu] has no %s", i, fields[k]);
        if (!ft_mp_str(v, &s))
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu].%s is not a string but %s", i,
                              fields[k], ft_mp_type_name(ft_mp_type_of(v)));
    }
    return 0;
}

static int check_messages(ft_mp list, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    if (ft_mp_type_of(list) != FT_MP_ARRAY)
        return not_a(e, "messages", "a list", list);
    if (ft_mp_count(list) == 0)
        return ft_err_set(e, FT_ERR_DATA, "field messages is empty");
    for (size_t i = 0; ft_mp_next(&it, &turn); i++)
        if (check_turn(turn, i, e) < 0)
            return FT_ERR_DATA;
    return 0;
}

static int check_prediction(ft_mp record, ft_err *e)
{
    ft_mp v, item;
    ft_slice s;
    ft_mp_iter it;
    if (need_string(record, "prediction", "reference", e) < 0)
        return FT_ERR_DATA;
    if (!ft_mp_get(record, "reference", &v))
        return ft_err_set(e, FT_ERR_DATA, "field reference is missing beside prediction");
    if (ft_mp_str(v, &s))
        return 0;
    if (ft_mp_type_of(v) != FT_MP_ARRAY || ft_mp_count(v) == 0)
        return not_a(e, "reference", "a string or a list of strings that is not empty", v);
    it = ft_mp_iter_of(v);
    while (ft_mp_next(&it, &item))
        if (!ft_mp_str(item, &s))
            return not_a(e, "reference[]", "a string", item);
    return 0;
}

int ft_example_shape(ft_mp record, enum ft_shape *shape, ft_err *e)
{
    ft_mp v;
    if (ft_mp_type_of(record) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "an example is a map, this is %s",
                          ft_mp_type_name(ft_mp_type_of(record)));
    if (ft_mp_get(record, "messages", &v)) {
        *shape = FT_SHAPE_MESSAGES;
        return check_messages(v, e);
    }
    /* An answered prompt has its completion in reference. */
    if (ft_mp_get(record, "prompt", &v) && (ft_mp_get(record, "completion", &v) ||
                                            !ft_mp_get(record, "prediction", &v))) {
        *shape = FT_SHAPE_PROMPT;
        return need_string(record, "prompt", "completion", e) < 0
                   ? FT_ERR_DATA : need_string(record, "completion", "prompt", e);
    }
    if (ft_mp_get(record, "text", &v)) {
        *shape = FT_SHAPE_TEXT;
        return need_string(record, "text", "id", e);
    }
    if (ft_mp_get(record, "prediction", &v)) {
        *shape = FT_SHAPE_PREDICTION;
        return check_prediction(record, e);
    }
    return ft_err_set(e, FT_ERR_DATA,
                      "no field messages, prompt, text or prediction: not an example");
}

/* ---- parts ---- */

static void add_field(ft_mp record, const char *field, ft_buf *out)
{
    ft_slice s;
    if (ft_mp_get_str(record, field, &s))
        ft_buf_add(out, s.p, s.n);
}

static void add_turns(ft_mp record, enum ft_part part, ft_buf *out)
{
    ft_mp list, turn;
    ft_mp_iter it;
    ft_slice role;
    int first = 1;
    (void)ft_mp_get(record, "messages", &list);
    it = ft_mp_iter_of(list);
    while (ft_mp_next(&it, &turn)) {
        (void)ft_mp_get_str(turn, "role", &role);
        if (part != FT_PART_ALL &&
            !ft_slice_is(role, part == FT_PART_PROMPT ? "user" : "assistant"))
            continue;
        if (part == FT_PART_ALL) {
            ft_buf_add(out, role.p, role.n);
            ft_buf_add_byte(out, separator);
        } else if (!first) {
            ft_buf_add_byte(out, '\n');
        }
        first = 0;
        add_field(turn, "content", out);
        if (part == FT_PART_ALL)
            ft_buf_add_byte(out, separator);
    }
}

static void add_references(ft_mp record, ft_buf *out)
{
    ft_mp list, item;
    ft_mp_iter it;
    ft_slice s;
    add_field(record, "reference", out);
    if (!ft_mp_get(record, "reference", &list) || ft_mp_type_of(list) != FT_MP_ARRAY)
        return;
    it = ft_mp_iter_of(list);
    while (ft_mp_next(&it, &item)) {
        if (ft_mp_str(item, &s))
            ft_buf_add(out, s.p, s.n);
        ft_buf_add_byte(out, separator);
    }
}

int ft_example_part(ft_mp record, enum ft_part part, ft_buf *out, ft_err *e)
{
    enum ft_shape shape;
    if (ft_example_shape(record, &shape, e) < 0)
        return FT_ERR_DATA;
    switch (shape) {
    case FT_SHAPE_MESSAGES: add_turns(record, part, out); break;
    case FT_SHAPE_PROMPT:
        if (part != FT_PART_RESPONSE)
            add_field(record, "prompt", out);
        if (part == FT_PART_ALL)
            ft_buf_add_byte(out, separator);
        if (part != FT_PART_PROMPT)
            add_field(record, "completion", out);
        break;
    case FT_SHAPE_TEXT: add_field(record, "text", out); break;
    case FT_SHAPE_PREDICTION:
        if (part == FT_PART_PROMPT && !ft_mp_get(record, "prompt", &(ft_mp){0}))
            return ft_err_set(e, FT_ERR_DATA,
                              "a record of prediction and reference has no prompt");
        if (part != FT_PART_RESPONSE)
            add_field(record, "prompt", out);
        if (part == FT_PART_PROMPT)
            break;
        add_field(record, "prediction", out);
        if (part == FT_PART_ALL) {
            ft_buf_add_byte(out, separator);
            add_references(record, out);
        }
    }
    return ft_buf_check(out, e);
}

int ft_example_canonical(ft_mp record, enum ft_part part, unsigned ignore, ft_buf scratch[2],
                         ft_err *e)
{
    ft_buf *raw = &scratch[0], *canonical = &scratch[1];
    ft_buf_clear(raw);
    ft_buf_clear(canonical);
    if (ft_example_part(record, part, raw, e) < 0)
        return e ? e->code : FT_ERR_DATA;
    for (size_t at = 0; at <= raw->n;) {
        const uint8_t *from = raw->n ? raw->p + at : raw->p;
        const uint8_t *cut = raw->n > at ? memchr(from, separator, raw->n - at) : NULL;
        size_t n = cut ? (size_t)(cut - from) : raw->n - at;
        int rc = n ? ft_normalise_ignoring(from, n, ignore, canonical, e) : 0;
        if (rc < 0)
            return rc;
        if (cut)
            ft_buf_add_byte(canonical, separator);
        at += n + 1;
    }
    return ft_buf_check(canonical, e);
}

int ft_example_key_ignoring(ft_mp record, enum ft_part part, unsigned ignore, ft_buf scratch[2],
                            ft_digest *key, ft_err *e)
{
    int rc = ft_example_canonical(record, part, ignore, scratch, e);
    if (rc == 0)
        *key = ft_digest_of(scratch[1].p, scratch[1].n);
    return rc;
}

int ft_example_key(ft_mp record, enum ft_part part, ft_buf scratch[2], ft_digest *key, ft_err *e)
{
    return ft_example_key_ignoring(record, part, FT_IGNORE_USUAL, scratch, key, e);
}

/* ---- turns ---- */
