#include "data/formats_internal.h"

#include "data/example.h"

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

/* ---- ShareGPT ---- */

static int export_sharegpt(ft_mp list, struct ft_rewrite *w, ft_err *e)
{
    static const char *const old[] = {"role", "content", NULL};
    static const char *const fresh[] = {"from", "value", NULL};
    static const char *const roles[][2] = {{"user", "human"}, {"assistant", "gpt"},
                                           {"system", "system"}, {"tool", "observation"}};
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
        while (r < 4 && !ft_slice_is(role, roles[r][0]))
            r++;
        if (r == 4)
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu]: ShareGPT has no such role", i);
        if (ft_rename_turn(turn, old, fresh, roles[r][1], &w->pairs, e) < 0)
            return ft_err_wrap(e, "messages[%zu]", i);
    }
    return 0;
}

/* ---- Alpaca ---- */

/* Alpaca holds an optional system turn, then pairs of user and assistant, and no other fields. */
static int check_pairs(ft_mp list, int *has_system, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_slice s;
    size_t n = (size_t)ft_mp_count(list), i = 0;
    *has_system = 0;
    for (; ft_mp_next(&it, &turn); i++) {
        if (ft_mp_count(turn) != 2)
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu] has fields beside role and content, "
                              "which Alpaca cannot hold", i);
        if (i == 0 && role_is(turn, "system")) {
            *has_system = 1;
            if (!ft_mp_str(content_of(turn), &s) || s.n == 0)
                return ft_err_set(e, FT_ERR_DATA, "messages[0]: an empty system turn would be "
                                  "lost in Alpaca");
        } else if (!role_is(turn, (i - (size_t)*has_system) % 2 ? "assistant" : "user")) {
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu]: Alpaca holds turns of user and "
                              "assistant in alternation, after a system turn at most", i);
        }
    }
    if (n == (size_t)*has_system || (n - (size_t)*has_system) % 2)
        return ft_err_set(e, FT_ERR_DATA, "messages: Alpaca needs an answer by the assistant at "
                          "the end");
    return 0;
}

static int export_alpaca(ft_mp list, struct ft_rewrite *w, ft_err *e)
{
    static const char *const takes[] = {"messages", NULL};
    static const char *const gives[] = {"instruction", "input", "output", "system", "history",
                                        NULL};
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp user, assistant;
    int has_system;
    size_t earlier;
    if (check_pairs(list, &has_system, e) < 0)
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
            ft_mp_put_cstr(&w->pairs, "instruction");
        else
            ft_mp_put_array(&w->pairs, 2);
        ft_mp_put_raw(&w->pairs, content_of(user));
        if (last)
            ft_mp_put_cstr(&w->pairs, "output");
        ft_mp_put_raw(&w->pairs, content_of(assistant));
        earlier -= !last;
    }
    return 0;
}

/* ---- all ---- */

static enum ft_shape shape_of_format(enum ft_format f)
{
    switch (f) {
    case FT_FORMAT_PROMPT: return FT_SHAPE_PROMPT;
    case FT_FORMAT_TEXT: return FT_SHAPE_TEXT;
    case FT_FORMAT_PREDICTION: return FT_SHAPE_PREDICTION;
    default: return FT_SHAPE_MESSAGES;
    }
}

int ft_format_export(ft_mp record, enum ft_format f, ft_buf *out, ft_err *e)
{
    static const char *const none[] = {NULL};
    struct ft_rewrite w = {none, none, {0}, 0, 0};
    enum ft_shape shape;
    ft_mp list;
    int rc = ft_example_shape(record, &shape, e);
    if (rc < 0)
        return rc;
    if (shape != shape_of_format(f))
        return ft_err_set(e, FT_ERR_DATA, "a record of shape %s cannot become %s",
                          ft_shape_name(shape), ft_format_name(f));
    if (shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &list)) {
        if (f == FT_FORMAT_SHAREGPT)
            rc = export_sharegpt(list, &w, e);
        else if (f == FT_FORMAT_ALPACA)
            rc = export_alpaca(list, &w, e);
    }
    if (rc == 0)
        rc = ft_rewrite_map(record, &w, out, e);
    ft_buf_free(&w.pairs);
    return rc;
}
