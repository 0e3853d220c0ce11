/* formats_messages.c: turns of a chat as OpenAI's interface has them, as turns of a record. */
#include "data/formats_internal.h"

#include <string.h>

int ft_messages_are_strings(ft_mp list)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_slice s;
    while (ft_mp_next(&it, &turn))
        if (!ft_mp_get_str(turn, "content", &s))
            return 0;
    return 1;
}

/* Gets the text of a part, which must have nothing else. */
static int part_text(ft_mp part, size_t turn, size_t k, ft_slice *text, ft_err *e)
{
    ft_slice type;
    if (ft_mp_type_of(part) != FT_MP_MAP || !ft_mp_get_str(part, "type", &type))
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu].content[%zu] is no part with a type",
                          turn, k);
    if (!ft_slice_is(type, "text"))
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu].content[%zu] is of type %.*s: only text "
                          "can be kept", turn, k, (int)(type.n < 40 ? type.n : 40),
                          (const char *)type.p);
    if (!ft_mp_get_str(part, "text", text))
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu].content[%zu].text is missing or no "
                          "string", turn, k);
    if (ft_mp_count(part) != 2)
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu].content[%zu] has fields beside type and "
                          "text, which would be lost", turn, k);
    return 0;
}

static int join_parts(ft_mp list, size_t turn, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp part;
    ft_buf text = {0};
    ft_slice s;
    int rc = 0;
    for (size_t k = 0; rc == 0 && ft_mp_next(&it, &part); k++) {
        rc = part_text(part, turn, k, &s, e);
        if (rc == 0 && k > 0)
            ft_buf_add_byte(&text, '\n');
        if (rc == 0)
            ft_buf_add(&text, s.p, s.n);
    }
    if (rc == 0)
        ft_mp_put_str(out, (const char *)text.p, text.n);
    out->failed |= text.failed;
    ft_buf_free(&text);
    return rc;
}

static int calls_tools(ft_mp turn)
{
    ft_mp calls;
    return ft_mp_get(turn, "tool_calls", &calls) && ft_mp_count(calls) > 0;
}

/* Whether an assistant's turn says itself if it is to be learnt. */
static int says_weight(ft_mp turn)
{
    static const char *const names[] = {"weight", "train", "loss"};
    ft_mp v;
    for (size_t i = 0; i < 3; i++)
        if (ft_mp_get(turn, names[i], &v))
            return 1;
    return 0;
}

int ft_message_put(ft_mp turn, size_t i, int in_prompt, ft_buf *out, size_t *joined, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(turn);
    ft_mp key, value, content;
    ft_slice s, role;
    int has_content, weigh;
    if (ft_mp_type_of(turn) != FT_MP_MAP) {
        ft_mp_put_raw(out, turn);              /* ft_example_shape refuses it */
        return 0;
    }
    has_content = ft_mp_get(turn, "content", &content);
    weigh = in_prompt && ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "assistant") &&
            !says_weight(turn);
    ft_mp_put_map(out, (size_t)(ft_mp_count(turn) + (weigh != 0) +
                                (!has_content && calls_tools(turn))));
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        int is_content = ft_mp_str(key, &s) && ft_slice_is(s, "content");
        ft_mp_put_raw(out, key);
        if (is_content && ft_mp_type_of(value) == FT_MP_NIL && calls_tools(turn)) {
            ft_mp_put_cstr(out, "");
        } else if (is_content && ft_mp_type_of(value) == FT_MP_ARRAY) {
            if (join_parts(value, i, out, e) < 0)
                return FT_ERR_DATA;
            *joined += ft_mp_count(value) > 1;
        } else {
            ft_mp_put_raw(out, value);
        }
    }
    if (!has_content && calls_tools(turn)) {
        ft_mp_put_cstr(out, "content");
        ft_mp_put_cstr(out, "");
    }
    if (weigh) {
        ft_mp_put_cstr(out, "weight");
        ft_mp_put_uint(out, 0);
    }
    return 0;
}
