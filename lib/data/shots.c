#include "data/shots.h"

#include "data/example.h"
#include "data/set_field.h"

static int is_system(ft_mp turn)
{
    ft_slice role;
    return ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "system");
}

static void put_turn(ft_buf *b, const char *role, ft_mp content)
{
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "role");
    ft_mp_put_cstr(b, role);
    ft_mp_put_cstr(b, "content");
    ft_mp_put_raw(b, content);
}

/* Appends the turns of one shot. Returns: how many, or an error. */
static int put_shot_turns(ft_mp shot, ft_buf *b, ft_err *e)
{
    enum ft_shape shape;
    ft_mp list, turn, prompt, completion;
    int n = 0;
    if (ft_example_shape(shot, &shape, e) < 0)
        return FT_ERR_DATA;
    if (shape == FT_SHAPE_PROMPT && ft_mp_get(shot, "prompt", &prompt) &&
        ft_mp_get(shot, "completion", &completion)) {
        put_turn(b, "user", prompt);
        put_turn(b, "assistant", completion);
        return 2;
    }
    if (shape != FT_SHAPE_MESSAGES || !ft_mp_get(shot, "messages", &list))
        return ft_err_set(e, FT_ERR_DATA, "a %s has no question and answer to show",
                          ft_shape_name(shape));
    for (ft_mp_iter it = ft_mp_iter_of(list); ft_mp_next(&it, &turn);)
        if (!is_system(turn)) {
            ft_mp_put_raw(b, turn);
            n++;
        }
    return n;
}

/* The list of turns with the shots behind its system turns, in *list. */
static int put_in_turns(ft_mp turns, const ft_mp *shots, size_t n, ft_buf *list, ft_err *e)
{
    ft_buf body = {0};
    ft_mp turn;
    size_t count = 0;
    int at_start = 1, rc = 0;
    for (ft_mp_iter it = ft_mp_iter_of(turns); rc >= 0;) {
        int more = ft_mp_next(&it, &turn);
        if (at_start && (!more || !is_system(turn))) {
            for (size_t i = 0; i < n && (rc = put_shot_turns(shots[i], &body, e)) >= 0; i++)
                count += (size_t)rc;
            at_start = 0;
        }
        if (!more || rc < 0)
            break;
        ft_mp_put_raw(&body, turn);
        count++;
    }
    ft_mp_put_array(list, count);
    ft_buf_add(list, body.p, body.n);
    list->failed |= body.failed;
    ft_buf_free(&body);
    return rc < 0 ? rc : ft_buf_check(list, e);
}

/* The prompt with the shots' texts before it, in *text. */
static int put_in_prompt(ft_slice prompt, const ft_mp *shots, size_t n, ft_buf *text, ft_err *e)
{
    ft_slice p, c;
    ft_buf all = {0};
    int rc;
    for (size_t i = 0; i < n; i++) {
        if (!ft_mp_get_str(shots[i], "prompt", &p) || !ft_mp_get_str(shots[i], "completion", &c)) {
            ft_buf_free(&all);
            return ft_err_set(e, FT_ERR_DATA, "a prompt can only be shown prompts and "
                              "completions; make conversations of both");
        }
        ft_buf_add(&all, p.p, p.n);
        ft_buf_add(&all, c.p, c.n);
        ft_buf_add(&all, "\n\n", 2);
    }
    ft_buf_add(&all, prompt.p, prompt.n);
    rc = ft_buf_check(&all, e);
    if (rc == 0)
        ft_mp_put_str(text, (const char *)all.p, all.n);
    ft_buf_free(&all);
    return rc < 0 ? rc : ft_buf_check(text, e);
}

int ft_shots_put(ft_mp record, const ft_mp *shots, size_t n, ft_buf *out, ft_err *e)
{
    enum ft_shape shape;
    ft_buf value = {0};
    ft_slice prompt;
    ft_mp list;
    int rc = ft_example_shape(record, &shape, e);
    if (rc < 0)
        return rc;
    if (shape == FT_SHAPE_MESSAGES && ft_mp_get(record, "messages", &list))
        rc = put_in_turns(list, shots, n, &value, e);
    else if (shape == FT_SHAPE_PROMPT && ft_mp_get_str(record, "prompt", &prompt))
        rc = put_in_prompt(prompt, shots, n, &value, e);
    else
        rc = ft_err_set(e, FT_ERR_DATA, "a %s asks nothing", ft_shape_name(shape));
    if (rc == 0) {
        ft_set_field(record, shape == FT_SHAPE_MESSAGES ? "messages" : "prompt",
                     (ft_mp){value.p, value.n}, out);
        rc = ft_buf_check(out, e);
    }
    ft_buf_free(&value);
    return rc;
}
