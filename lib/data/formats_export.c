#include "data/formats_internal.h"

#include "base/utf8.h"
#include "data/example.h"

#include <math.h>

static int role_is(ft_mp turn, const char *role)
{
    ft_slice s;
    return ft_mp_get_str(turn, "role", &s) && ft_slice_is(s, role);
}

static ft_mp content_of(ft_mp turn)
{
    ft_mp v = {0};
    (void)ft_mp_get(turn, "content", &v);
    return v;
}

/* ---- what JSON has words for ---- */

/* Strings that are no text, numbers that are none and binary values have no JSON that ft-import
 * would read as the same. The nesting was checked: at most FT_MP_DEPTH_MAX calls deep. */
static int check_value(ft_mp v, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(v);
    int is_map = ft_mp_type_of(v) == FT_MP_MAP, is_key = 1;
    uint64_t u;
    double d;
    ft_slice s;
    ft_mp item;
    switch (ft_mp_type_of(v)) {
    case FT_MP_BIN:
    case FT_MP_EXT: return ft_err_set(e, FT_ERR_DATA, "a binary value has no JSON");
    case FT_MP_STR:
        if (ft_mp_str(v, &s) && ft_utf8_check(s.p, s.n) < s.n)
            return ft_err_set(e, FT_ERR_DATA, "a string that is not UTF-8 has no JSON");
        return 0;
    case FT_MP_UINT:
        if (ft_mp_uint(v, &u) && u > INT64_MAX)
            return ft_err_set(e, FT_ERR_DATA, "a whole number over 2^63-1 would not be read back");
        return 0;
    case FT_MP_FLOAT:
        if (ft_mp_float(v, &d) && !isfinite(d))
            return ft_err_set(e, FT_ERR_DATA, "a number that is not finite has no JSON");
        return 0;
    default: break;
    }
    for (; ft_mp_next(&it, &item); is_key = !is_key) {
        if (is_map && is_key && !ft_mp_str(item, &s))
            return ft_err_set(e, FT_ERR_DATA, "a key that is no string has no JSON");
        if (check_value(item, e) < 0)
            return FT_ERR_DATA;
    }
    return 0;
}

static int check_json(ft_mp record, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(record);
    ft_mp key, value;
    ft_slice s;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (check_value(key, e) < 0)
            return FT_ERR_DATA;
        if (!ft_mp_str(key, &s))
            return ft_err_set(e, FT_ERR_DATA, "a key that is no string has no JSON");
        if (check_value(value, e) < 0)
            return ft_err_wrap(e, "field %.*s", (int)(s.n < 60 ? s.n : 60), (const char *)s.p);
    }
    return 0;
}

/* ---- ShareGPT ---- */

static int export_sharegpt(ft_mp list, struct ft_rewrite *w, ft_err *e)
{
    static const char *const old[] = {"role", "content", NULL};
    static const char *const fresh[] = {"from", "value", NULL};
    static const char *const roles[][2] = {{"user", "human"}, {"assistant", "gpt"},
                                           {"system", "system"}, {"tool", "observation"},
                                           {"function_call", "function_call"}};
    const size_t n_roles = sizeof roles / sizeof *roles;
    static const char *const takes[] = {"messages", NULL};
    static const char *const gives[] = {"conversations", "system", NULL};
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_slice role;
    w->takes = takes;
    w->gives = gives;
    w->n_pairs = 1;
    ft_mp_put_cstr(&w->pairs, "conversations");
    ft_mp_put_array(&w->pairs, (size_t)ft_mp_count(list));
    for (size_t i = 0; ft_mp_next(&it, &turn); i++) {
        size_t r = 0;
        (void)ft_mp_get_str(turn, "role", &role);
        while (r < n_roles && !ft_slice_is(role, roles[r][0]))
            r++;
        if (r == n_roles)
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu]: ShareGPT has no such role", i);
        if (ft_rename_turn(turn, old, fresh, roles[r][1], &w->pairs, e) < 0)
            return ft_err_wrap(e, "messages[%zu]", i);
    }
    return 0;
}

/* ---- Alpaca, and query with response ---- */

struct pairs {
    const char *name, *question, *answer;
};

static const struct pairs *pairs_of(enum ft_format f)
{
    static const struct pairs alpaca = {"Alpaca", "instruction", "output"};
    static const struct pairs query = {"query and response", "query", "response"};
    return f == FT_FORMAT_ALPACA ? &alpaca : &query;
}

/* These hold an optional system turn, then pairs of user and assistant, and no other fields. */
static int check_pairs(ft_mp list, const struct pairs *p, int *has_system, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_slice s;
    size_t n = (size_t)ft_mp_count(list), i = 0;
    *has_system = 0;
    for (; ft_mp_next(&it, &turn); i++) {
        if (ft_mp_count(turn) != 2)
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu] has fields beside role and content, "
                              "which %s cannot hold", i, p->name);
        if (i == 0 && role_is(turn, "system")) {
            *has_system = 1;
            if (!ft_mp_str(content_of(turn), &s) || s.n == 0)
                return ft_err_set(e, FT_ERR_DATA, "messages[0]: an empty system turn would be "
                                  "lost in %s", p->name);
        } else if (!role_is(turn, (i - (size_t)*has_system) % 2 ? "assistant" : "user")) {
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu]: %s holds turns of user and "
                              "assistant in alternation, after a system turn at most", i, p->name);
        }
    }
    if (n == (size_t)*has_system || (n - (size_t)*has_system) % 2)
        return ft_err_set(e, FT_ERR_DATA, "messages: %s needs an answer by the assistant at "
                          "the end", p->name);
    return 0;
}

static int export_pairs(ft_mp list, const struct pairs *p, struct ft_rewrite *w, ft_err *e)
{
    static const char *const takes[] = {"messages", NULL};
    static const char *const gives[] = {"instruction", "input", "output", "system", "history",
                                        "query", "response", NULL};
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp user, assistant;
    int has_system;
    size_t earlier;
    if (check_pairs(list, p, &has_system, e) < 0)
        return FT_ERR_DATA;
    earlier = ((size_t)ft_mp_count(list) - (size_t)has_system) / 2 - 1;
    w->takes = takes;
    w->gives = gives;
    w->n_pairs = 2 + (size_t)has_system + (earlier > 0);
    if (has_system && ft_mp_next(&it, &user)) {
        ft_mp_put_cstr(&w->pairs, "system");
        ft_mp_put_raw(&w->pairs, content_of(user));
    }
    if (earlier) {
        ft_mp_put_cstr(&w->pairs, "history");
        ft_mp_put_array(&w->pairs, earlier);
    }
    while (ft_mp_next(&it, &user) && ft_mp_next(&it, &assistant)) {
        int last = earlier == 0;
        if (last)
            ft_mp_put_cstr(&w->pairs, p->question);
        else
            ft_mp_put_array(&w->pairs, 2);
        ft_mp_put_raw(&w->pairs, content_of(user));
        if (last)
            ft_mp_put_cstr(&w->pairs, p->answer);
        ft_mp_put_raw(&w->pairs, content_of(assistant));
        earlier -= !last;
    }
    return 0;
}

/* OpenAI's messages call tools by a field, not by a role. */
static int check_roles(ft_mp list, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    for (size_t i = 0; ft_mp_next(&it, &turn); i++)
        if (role_is(turn, "function_call"))
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu].role: messages have no role "
                              "function_call; --to sharegpt and --to record keep it", i);
    return 0;
}

/* ---- one question, one answer ---- */

/* Turns a messages record into prompt and completion. */
static int export_prompt(ft_mp list, struct ft_rewrite *w, ft_err *e)
{
    static const char *const takes[] = {"messages", NULL};
    static const char *const gives[] = {"prompt", "completion", NULL};
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn[2];
    if (ft_mp_count(list) != 2 || !ft_mp_next(&it, &turn[0]) || !ft_mp_next(&it, &turn[1]) ||
        ft_mp_count(turn[0]) != 2 || ft_mp_count(turn[1]) != 2 || !role_is(turn[0], "user") ||
        !role_is(turn[1], "assistant"))
        return ft_err_set(e, FT_ERR_DATA, "messages: prompt and completion hold one turn of the "
                          "user and one of the assistant, and no other fields of them");
    w->takes = takes;
    w->gives = gives;
    w->n_pairs = 2;
    for (size_t i = 0; i < 2; i++) {
        ft_mp_put_cstr(&w->pairs, gives[i]);
        ft_mp_put_raw(&w->pairs, content_of(turn[i]));
    }
    return 0;
}

/* Appends a prompt record as one of messages. */
static int prompt_as_messages(ft_mp record, ft_buf *out, ft_err *e)
{
    static const char *const takes[] = {"prompt", "completion", NULL};
    static const char *const gives[] = {"messages", NULL};
    static const char *const roles[] = {"user", "assistant"};
    struct ft_rewrite w = {takes, gives, {0}, 1, 0};
    ft_mp v;
    int rc;
    ft_mp_put_cstr(&w.pairs, "messages");
    ft_mp_put_array(&w.pairs, 2);
    for (size_t i = 0; i < 2; i++) {
        ft_mp_put_map(&w.pairs, 2);
        ft_mp_put_cstr(&w.pairs, "role");
        ft_mp_put_cstr(&w.pairs, roles[i]);
        ft_mp_put_cstr(&w.pairs, "content");
        if (ft_mp_get(record, takes[i], &v))
            ft_mp_put_raw(&w.pairs, v);
    }
    rc = ft_rewrite_map(record, &w, out, e);
    ft_buf_free(&w.pairs);
    return rc;
}

/* ---- all ---- */

static int export_messages(ft_mp record, enum ft_format f, ft_buf *out, ft_err *e)
{
    static const char *const none[] = {NULL};
    struct ft_rewrite w = {none, none, {0}, 0, 0};
    ft_mp list = {0};
    int rc = 0;
    (void)ft_mp_get(record, "messages", &list);
    if (f == FT_FORMAT_SHAREGPT)
        rc = export_sharegpt(list, &w, e);
    else if (f == FT_FORMAT_ALPACA || f == FT_FORMAT_QUERY)
        rc = export_pairs(list, pairs_of(f), &w, e);
    else if (f == FT_FORMAT_MESSAGES)
        rc = check_roles(list, e);
    else if (f == FT_FORMAT_PROMPT)
        rc = export_prompt(list, &w, e);
    if (rc == 0)
        rc = ft_rewrite_map(record, &w, out, e);
    ft_buf_free(&w.pairs);
    return rc;
}

static int copy(ft_mp record, ft_buf *out, ft_err *e)
{
    ft_mp_put_raw(out, record);
    return ft_buf_check(out, e);
}

int ft_format_export(ft_mp record, enum ft_format f, ft_buf *out, ft_err *e)
{
    enum ft_shape shape;
    ft_buf messages = {0};
    int rc = check_json(record, e);
    if (rc < 0 || f == FT_FORMAT_AUTO)
        return rc < 0 ? rc : copy(record, out, e);
    if ((rc = ft_example_shape(record, &shape, e)) < 0)
        return rc;
    if ((f == FT_FORMAT_PROMPT && shape == FT_SHAPE_PROMPT) ||
        (f == FT_FORMAT_TEXT && shape == FT_SHAPE_TEXT) ||
        (f == FT_FORMAT_PREDICTION && shape == FT_SHAPE_PREDICTION))
        return copy(record, out, e);
    if (f == FT_FORMAT_TEXT || f == FT_FORMAT_PREDICTION ||
        (shape != FT_SHAPE_MESSAGES && shape != FT_SHAPE_PROMPT))
        return ft_err_set(e, FT_ERR_DATA, "a record of shape %s cannot become %s",
                          ft_shape_name(shape), ft_format_name(f));
    if (shape == FT_SHAPE_MESSAGES)
        return export_messages(record, f, out, e);
    rc = prompt_as_messages(record, &messages, e);
    if (rc == 0)
        rc = export_messages((ft_mp){messages.p, messages.n}, f, out, e);
    ft_buf_free(&messages);
    return rc;
}
