#include "tools/cli/generate_record.h"

#include "tools/cli/cli.h"

/* What was answered before: the assistant's last turn, or the completion. n = 0: nothing was.
 * *messages: how many of the turns stay. */
static ft_mp earlier_answer(ft_mp record, uint64_t *messages)
{
    ft_mp list, turn = {0}, content = {0};
    ft_slice role;
    if (!ft_mp_get(record, "messages", &list)) {
        (void)ft_mp_get(record, "completion", &content);
        return content;
    }
    for (ft_mp_iter it = ft_mp_iter_of(list); ft_mp_next(&it, &turn);)
        ;
    *messages = ft_mp_count(list);
    if (ft_mp_get_str(turn, "role", &role) && ft_slice_is(role, "assistant") &&
        ft_mp_get(turn, "content", &content))
        *messages -= 1;
    return content;
}

static void put_messages(ft_buf *b, ft_mp list, uint64_t n)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp turn;
    ft_mp_put_array(b, (size_t)n);
    for (; n > 0 && ft_mp_next(&it, &turn); n--)
        ft_mp_put_raw(b, turn);
}

void cli_answered_record(ft_buf *b, ft_mp record, ft_slice answer)
{
    ft_buf kept = {0};
    uint64_t messages = 0;
    size_t fields = 0;
    ft_mp key, value, reference = earlier_answer(record, &messages);
    for (ft_mp_iter it = ft_mp_iter_of(record); ft_mp_next(&it, &key) && ft_mp_next(&it, &value);) {
        ft_slice name = {0};
        int is_name = ft_mp_str(key, &name);
        if (is_name && (ft_slice_is(name, "prediction") || ft_slice_is(name, "completion") ||
                        (reference.n && ft_slice_is(name, "reference"))))
            continue;
        ft_mp_put_raw(&kept, key);
        if (is_name && ft_slice_is(name, "messages"))
            put_messages(&kept, value, messages);
        else
            ft_mp_put_raw(&kept, value);
        fields++;
    }
    ft_buf_clear(b);
    ft_mp_put_map(b, fields + 1 + (reference.n != 0));
    ft_buf_add(b, kept.p, kept.n);
    if (reference.n) {
        ft_mp_put_cstr(b, "reference");
        ft_mp_put_raw(b, reference);
    }
    ft_mp_put_cstr(b, "prediction");
    ft_mp_put_str(b, (const char *)answer.p, answer.n);
    b->failed |= kept.failed;
    ft_buf_free(&kept);
    cli_check(ft_buf_check(b, cli_err()));
}

void cli_prompt_record(ft_buf *b, const char *text)
{
    ft_buf_clear(b);
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "id");
    ft_mp_put_uint(b, 1);
    ft_mp_put_cstr(b, "messages");
    ft_mp_put_array(b, 1);
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "role");
    ft_mp_put_cstr(b, "user");
    ft_mp_put_cstr(b, "content");
    ft_mp_put_cstr(b, text);
    cli_check(ft_buf_check(b, cli_err()));
}
