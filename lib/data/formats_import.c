#include "data/formats_internal.h"

#include "data/example.h"

#include <string.h>

static const char *const names[] = {"auto", "messages", "sharegpt", "alpaca", "prompt", "query",
                                    "text", "prediction"};
static const char *const no_fields[] = {NULL};
static const char *const messages_field[] = {"messages", NULL};

int ft_format_by_name(const char *name, enum ft_format *f)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *f = (enum ft_format)i;
            return 1;
        }
    return 0;
}

const char *ft_format_name(enum ft_format f)
{
    return names[f];
}

/* ---- rewriting ---- */

static int count_fields(ft_mp map, const struct ft_rewrite *w, size_t *n, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, value;
    ft_slice s;
    int has_id = 0;
    *n = w->n_pairs;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_is_one_of(key, w->takes))
            continue;
        if (w->n_pairs && ft_mp_is_one_of(key, w->gives) && ft_mp_str(key, &s))
            return ft_err_set(e, FT_ERR_DATA, "field %.*s is there already and would be lost",
                              (int)s.n, (const char *)s.p);
        has_id |= ft_mp_str(key, &s) && ft_slice_is(s, "id");
        ++*n;
    }
    *n += w->number && !has_id;
    return 0;
}

int ft_rewrite_map(ft_mp map, const struct ft_rewrite *w, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(map);
    ft_mp key, value;
    size_t n;
    int given = 0;
    if (ft_buf_check(&w->pairs, e) < 0)
        return FT_ERR_NOMEM;
    if (count_fields(map, w, &n, e) < 0)
        return FT_ERR_DATA;
    ft_mp_put_map(out, n);
    if (w->number && !ft_mp_get(map, "id", &value)) {
        ft_mp_put_cstr(out, "id");
        ft_mp_put_uint(out, w->number);
    }
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (!ft_mp_is_one_of(key, w->takes)) {
            ft_mp_put_raw(out, key);
            ft_mp_put_raw(out, value);
        } else if (!given) {
            ft_buf_add(out, w->pairs.p, w->pairs.n);
            given = 1;
        }
    }
    return ft_buf_check(out, e);
}

int ft_rename_turn(ft_mp turn, const char *const old[2], const char *const fresh[2],
                   const char *role, ft_buf *out, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(turn);
    ft_mp key, value;
    ft_slice s;
    ft_mp_put_map(out, (size_t)ft_mp_count(turn));
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value)) {
        if (ft_mp_str(key, &s) && ft_slice_is(s, old[0])) {
            ft_mp_put_cstr(out, fresh[0]);
            ft_mp_put_cstr(out, role);
        } else if (ft_mp_str(key, &s) && ft_slice_is(s, old[1])) {
            ft_mp_put_cstr(out, fresh[1]);
            ft_mp_put_raw(out, value);
        } else if (ft_mp_is_one_of(key, fresh)) {
            return ft_err_set(e, FT_ERR_DATA, "has %s beside %s: one would be lost",
                              ft_slice_is(s, fresh[0]) ? fresh[0] : fresh[1], old[0]);
        } else {
            ft_mp_put_raw(out, key);
            ft_mp_put_raw(out, value);
        }
    }
    return 0;
}

/* ---- turns ---- */

static void put_turn(ft_buf *b, const char *role, ft_slice content)
{
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "role");
    ft_mp_put_cstr(b, role);
    ft_mp_put_cstr(b, "content");
    ft_mp_put_str(b, (const char *)content.p, content.n);
}

/* Gets an optional string. Returns: 0 with an empty slice when the field is missing or null. */
static int get_optional(ft_mp map, const char *field, ft_slice *s, ft_err *e)
{
    ft_mp v;
    *s = (ft_slice){0};
    if (!ft_mp_get(map, field, &v) || ft_mp_type_of(v) == FT_MP_NIL || ft_mp_str(v, s))
        return 0;
    return ft_err_set(e, FT_ERR_DATA, "field %s is not a string but %s", field,
                      ft_mp_type_name(ft_mp_type_of(v)));
}

static int get_string(ft_mp map, const char *field, ft_slice *s, ft_err *e)
{
    ft_mp v;
    if (!ft_mp_get(map, field, &v))
        return ft_err_set(e, FT_ERR_DATA, "field %s is missing", field);
    if (!ft_mp_str(v, s))
        return ft_err_set(e, FT_ERR_DATA, "field %s is not a string but %s", field,
                          ft_mp_type_name(ft_mp_type_of(v)));
    return 0;
}

static void begin_messages(struct ft_rewrite *w, size_t n)
{
    ft_mp_put_cstr(&w->pairs, "messages");
    ft_mp_put_array(&w->pairs, n);
    w->n_pairs = 1;
}

/* ---- ShareGPT ---- */

static const char *role_of(ft_slice from)
{
    static const struct { const char *from, *role; } table[] = {
        {"human", "user"}, {"user", "user"}, {"gpt", "assistant"}, {"assistant", "assistant"},
        {"model", "assistant"}, {"system", "system"}, {"observation", "tool"}, {"tool", "tool"},
        {"function_call", "function_call"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (ft_slice_is(from, table[i].from))
            return table[i].role;
    return NULL;
}

static int import_said(ft_mp turn, size_t i, struct ft_rewrite *w, ft_err *e)
{
    static const char *const old[] = {"from", "value", NULL};
    static const char *const fresh[] = {"role", "content", NULL};
    ft_slice from, value;
    if (ft_mp_type_of(turn) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "conversations[%zu] is not an object", i);
    if (get_string(turn, "from", &from, e) < 0 || get_string(turn, "value", &value, e) < 0)
        return ft_err_wrap(e, "conversations[%zu]", i);
    if (!role_of(from))
        return ft_err_set(e, FT_ERR_DATA, "conversations[%zu].from is not one of human, user, "
                          "gpt, assistant, model, system, function_call, observation, tool", i);
    if (ft_rename_turn(turn, old, fresh, role_of(from), &w->pairs, e) < 0)
        return ft_err_wrap(e, "conversations[%zu]", i);
    return 0;
}

static int import_sharegpt(ft_mp object, struct ft_rewrite *w, ft_err *e)
{
    static const char *const takes[] = {"conversations", "system", NULL};
    ft_mp list, turn;
    ft_mp_iter it;
    ft_slice system;
    if (!ft_mp_get(object, "conversations", &list) || ft_mp_type_of(list) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "field conversations is missing or not a list");
    if (get_optional(object, "system", &system, e) < 0)
        return FT_ERR_DATA;
    w->takes = takes;
    begin_messages(w, (size_t)ft_mp_count(list) + (system.n > 0));
    if (system.n)
        put_turn(&w->pairs, "system", system);
    it = ft_mp_iter_of(list);
    for (size_t i = 0; ft_mp_next(&it, &turn); i++)
        if (import_said(turn, i, w, e) < 0)
            return e ? e->code : FT_ERR_DATA;
    return 0;
}

/* ---- Alpaca ---- */

static int import_history(ft_mp list, struct ft_rewrite *w, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(list);
    ft_mp pair, item;
    for (size_t i = 0; ft_mp_next(&it, &pair); i++) {
        ft_mp_iter two = ft_mp_iter_of(pair);
        ft_slice s;
        if (ft_mp_type_of(pair) != FT_MP_ARRAY || ft_mp_count(pair) != 2)
            return ft_err_set(e, FT_ERR_DATA, "history[%zu] is not a pair of strings", i);
        for (int side = 0; ft_mp_next(&two, &item); side++) {
            if (!ft_mp_str(item, &s))
                return ft_err_set(e, FT_ERR_DATA, "history[%zu] is not a pair of strings", i);
            put_turn(&w->pairs, side ? "assistant" : "user", s);
        }
    }
    return 0;
}

static void put_question(ft_buf *b, ft_slice instruction, ft_slice input)
{
    ft_buf both = {0};
    if (input.n) {
        ft_buf_add(&both, instruction.p, instruction.n);
        ft_buf_add_str(&both, "\n\n");
        ft_buf_add(&both, input.p, input.n);
        instruction = (ft_slice){both.p, both.n};
    }
    put_turn(b, "user", instruction);
    b->failed |= both.failed;
    ft_buf_free(&both);
}

/* What a record of questions and answers has: instruction and input, both optional but one. */
static int get_question(ft_mp object, enum ft_format f, ft_slice *instruction, ft_slice *input,
                        ft_err *e)
{
    if (f == FT_FORMAT_ALPACA)
        return get_string(object, "instruction", instruction, e) < 0
                   ? FT_ERR_DATA : get_optional(object, "input", input, e);
    if (get_optional(object, "instruction", instruction, e) < 0 ||
        get_string(object, "query", input, e) < 0)
        return FT_ERR_DATA;
    if (instruction->n == 0) {
        *instruction = *input;
        *input = (ft_slice){0};
    }
    return 0;
}

/* Alpaca, and the form with query and response. */
static int import_pairs(ft_mp object, enum ft_format f, struct ft_rewrite *w, ft_err *e)
{
    static const char *const alpaca[] = {"instruction", "input", "output", "system", "history",
                                         NULL};
    static const char *const query[] = {"instruction", "query", "response", "system", "history",
                                        NULL};
    ft_slice instruction, input, output, system;
    ft_mp history;
    int has_history = ft_mp_get(object, "history", &history) &&
                      ft_mp_type_of(history) != FT_MP_NIL;
    w->takes = f == FT_FORMAT_ALPACA ? alpaca : query;
    if (get_question(object, f, &instruction, &input, e) < 0 ||
        get_string(object, w->takes[2], &output, e) < 0 ||
        get_optional(object, "system", &system, e) < 0)
        return FT_ERR_DATA;
    if (has_history && ft_mp_type_of(history) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "field history is not a list");
    begin_messages(w, (size_t)(2 * (has_history ? ft_mp_count(history) : 0) + 2) + (system.n > 0));
    if (system.n)
        put_turn(&w->pairs, "system", system);
    if (has_history && import_history(history, w, e) < 0)
        return FT_ERR_DATA;
    put_question(&w->pairs, instruction, input);
    put_turn(&w->pairs, "assistant", output);
    return 0;
}

/* ---- prompt and completion as lists of messages ---- */

static int import_prompt(ft_mp object, struct ft_rewrite *w, struct ft_imported *got, ft_err *e)
{
    static const char *const takes[] = {"prompt", "completion", NULL};
    ft_mp list[2], turn;
    size_t n = 0;
    for (size_t i = 0; i < 2; i++)
        if (!ft_mp_get(object, takes[i], &list[i]))
            return ft_err_set(e, FT_ERR_DATA, "field %s is missing", takes[i]);
    if (ft_mp_type_of(list[0]) != FT_MP_ARRAY || ft_mp_type_of(list[1]) != FT_MP_ARRAY)
        return 0;                       /* strings, or ft_example_shape says what is wrong */
    w->takes = takes;
    begin_messages(w, (size_t)(ft_mp_count(list[0]) + ft_mp_count(list[1])));
    for (size_t i = 0; i < 2; i++) {
        ft_mp_iter it = ft_mp_iter_of(list[i]);
        for (; ft_mp_next(&it, &turn); n++)
            if (ft_message_put(turn, n, i == 0, &w->pairs, &got->joined, e) < 0)
                return FT_ERR_DATA;
    }
    return 0;
}

/* ---- messages ---- */

/* Nothing is done when all contents are strings already. */
static int import_messages(ft_mp object, struct ft_rewrite *w, struct ft_imported *got, ft_err *e)
{
    ft_mp list, turn;
    ft_mp_iter it;
    if (!ft_mp_get(object, "messages", &list) || ft_mp_type_of(list) != FT_MP_ARRAY ||
        ft_messages_are_strings(list))
        return 0;                       /* ft_example_shape says what is wrong */
    w->takes = messages_field;
    begin_messages(w, (size_t)ft_mp_count(list));
    it = ft_mp_iter_of(list);
    for (size_t i = 0; ft_mp_next(&it, &turn); i++)
        if (ft_message_put(turn, i, 0, &w->pairs, &got->joined, e) < 0)
            return FT_ERR_DATA;
    return 0;
}

/* ---- all ---- */

/* Fields that only pass by (the instruction of a prompt, the prompt of an answer) must not decide:
 * first what is there whole, then what is there in part, whose importer names what is missing. */
static int recognise(ft_mp object, enum ft_format *f, ft_err *e)
{
    static const struct { const char *field, *partner; enum ft_format f; } table[] = {
        {"messages", "messages", FT_FORMAT_MESSAGES},
        {"conversations", "conversations", FT_FORMAT_SHAREGPT},
        {"instruction", "output", FT_FORMAT_ALPACA}, {"prompt", "completion", FT_FORMAT_PROMPT},
        {"query", "response", FT_FORMAT_QUERY}, {"text", "text", FT_FORMAT_TEXT},
        {"prediction", "reference", FT_FORMAT_PREDICTION}};
    enum { N = sizeof table / sizeof *table };
    ft_mp_iter it = ft_mp_iter_of(object);
    ft_mp key, value;
    ft_slice s;
    unsigned fields = 0, partners = 0;
    while (ft_mp_next(&it, &key) && ft_mp_next(&it, &value))
        for (size_t i = 0; ft_mp_str(key, &s) && i < N; i++) {
            fields |= (unsigned)ft_slice_is(s, table[i].field) << i;
            partners |= (unsigned)ft_slice_is(s, table[i].partner) << i;
        }
    for (int partly = 0; partly < 2; partly++)
        for (size_t i = 0; i < N; i++)
            if (fields >> i & 1 && (partly || partners >> i & 1)) {
                *f = table[i].f;
                return 0;
            }
    return ft_err_set(e, FT_ERR_DATA, "unknown shape: none of the fields messages, conversations, "
                      "instruction, prompt, query, text, prediction is there (--columns "
                      "prompt=NAME,completion=NAME gives others these names)");
}

/* The readers of a record go by its first shape: a field that passes by must not hide what was
 * imported. */
static int check_shape(ft_mp record, enum ft_format f, int made_messages, ft_err *e)
{
    enum ft_shape shape, wanted = f == FT_FORMAT_TEXT ? FT_SHAPE_TEXT
                                : f == FT_FORMAT_PREDICTION ? FT_SHAPE_PREDICTION
                                : f == FT_FORMAT_PROMPT && !made_messages ? FT_SHAPE_PROMPT
                                                                          : FT_SHAPE_MESSAGES;
    int rc = ft_example_shape(record, &shape, e);
    if (rc == 0 && shape != wanted)
        rc = ft_err_set(e, FT_ERR_DATA, "the fields are those of shape %s, not %s",
                        ft_shape_name(shape), names[f]);
    return rc;
}

static int check_id(ft_mp object, ft_err *e)
{
    ft_mp id;
    enum ft_mp_type t = ft_mp_get(object, "id", &id) ? ft_mp_type_of(id) : FT_MP_NIL;
    if (t == FT_MP_ARRAY || t == FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "field id is neither a string nor a number");
    return 0;
}

int ft_format_import(ft_mp object, enum ft_format f, uint64_t number, ft_buf *out,
                     struct ft_imported *got, ft_err *e)
{
    struct ft_rewrite w = {no_fields, messages_field, {0}, 0, number};
    size_t before = out->n;
    ft_mp record, list;
    int rc = 0;
    if (ft_mp_type_of(object) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not an object but %s",
                          ft_mp_type_name(ft_mp_type_of(object)));
    if (check_id(object, e) < 0 || (f == FT_FORMAT_AUTO && recognise(object, &f, e) < 0))
        return FT_ERR_DATA;
    *got = (struct ft_imported){0};
    if (f == FT_FORMAT_SHAREGPT)
        rc = import_sharegpt(object, &w, e);
    else if (f == FT_FORMAT_ALPACA || f == FT_FORMAT_QUERY)
        rc = import_pairs(object, f, &w, e);
    else if (f == FT_FORMAT_PROMPT)
        rc = import_prompt(object, &w, got, e);
    else if (f == FT_FORMAT_MESSAGES)
        rc = import_messages(object, &w, got, e);
    if (rc == 0)
        rc = ft_rewrite_map(object, &w, out, e);
    ft_buf_free(&w.pairs);
    if (rc < 0)
        return rc;
    record = (ft_mp){out->p + before, out->n - before};
    got->turns = ft_mp_get(record, "messages", &list) ? (size_t)ft_mp_count(list) : 0;
    return check_shape(record, f, w.n_pairs > 0, e);
}
