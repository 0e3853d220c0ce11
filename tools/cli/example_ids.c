/* example_ids.c: see example_ids.h. */
#include "tools/cli/example_ids.h"

#include "base/mem.h"
#include "data/example.h"

#include <string.h>

static int add_id(cli_example *w, uint32_t id, int target, ft_err *e)
{
    ft_buf_add_byte(&w->mask, (uint8_t)(target && w->ids.n));   /* the first is never a target */
    return ft_ids_add(&w->ids, id, e);
}

/* Marks the ids from `from` on, which stand for w->text, as targets where that is due; `lost` bytes
 * of it have no id. A token is a target when its first byte is: one that begins before the
 * boundary is what generation would not have to produce. */
static void mark_targets(cli_example *w, size_t from, uint64_t lost)
{
    size_t n_ids = w->ids.n - from, k = 0, at = 0;
    uint8_t *mask = ft_buf_room(&w->mask, n_ids);
    if (!mask)
        return;
    for (; k < n_ids && at < w->target_from && w->target_from != SIZE_MAX; k++) {
        uint32_t id = w->ids.p[from + k];
        size_t n = ft_token_bytes(w->t, id).n, left;
        while (lost && at < w->text.n && !ft_tokenizer_has_byte(w->t, w->text.p[at]))
            at++;
        mask[k] = at >= w->target_from;
        left = w->text.n - at;
        if (!lost || ft_tokenizer_is_special(w->t, id))
            at += n < left ? n : left;
        else
            for (; n && at < w->text.n; at++)
                n -= (size_t)ft_tokenizer_has_byte(w->t, w->text.p[at]);
    }
    memset(mask + k, at >= w->target_from, n_ids - k);
    if (from == 0 && n_ids)
        mask[0] = 0;
    w->mask.n += n_ids;
}

/* Encodes w->text and empties it. */
static int flush_text(cli_example *w, ft_err *e)
{
    size_t from = w->ids.n;
    uint64_t lost = ft_encoder_lost_bytes(w->enc);
    int rc = ft_buf_check(&w->text, e);
    if (rc == 0)
        rc = ft_encode(w->enc, w->text.p, w->text.n, w->parse_special ? FT_ENCODE_SPECIAL : 0,
                       &w->ids, e);
    if (rc == 0)
        mark_targets(w, from, ft_encoder_lost_bytes(w->enc) - lost);
    ft_buf_clear(&w->text);
    w->target_from = SIZE_MAX;
    return rc;
}

static void add_text(cli_example *w, ft_slice s, int target)
{
    if (target && w->target_from == SIZE_MAX)
        w->target_from = w->text.n;
    ft_buf_add(&w->text, s.p, s.n);
}

static int encode_pieces(cli_example *w, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->pieces.n / sizeof(ft_piece); i++) {
        ft_piece piece;
        char name[64] = "";
        int64_t id;
        int target;
        memcpy(&piece, w->pieces.p + i * sizeof piece, sizeof piece);
        target = (w->train_on_all || piece.target) &&
                 !(piece.turn < w->unweighed.n && w->unweighed.p[piece.turn]);
        if (!piece.special) {
            add_text(w, piece.text, target);
            continue;
        }
        if (piece.text.n < sizeof name)
            memcpy(name, piece.text.p, piece.text.n);
        if ((id = ft_tokenizer_special(w->t, name)) < 0)
            return ft_err_set(e, FT_ERR_DATA, "template %s needs the special token %s, which the "
                              "model does not have", ft_chat_name(w->chat), name);
        if ((rc = flush_text(w, e)) == 0)
            rc = add_id(w, (uint32_t)id, target, e);
    }
    return rc < 0 ? rc : flush_text(w, e);
}

/* ---- what turns say beside role and content ---- */

/* Whether a field is there and holds something: lists also come as their JSON text. */
static int holds_something(ft_mp map, const char *field)
{
    ft_mp v;
    ft_slice s;
    enum ft_mp_type t;
    if (!ft_mp_get(map, field, &v) || (t = ft_mp_type_of(v)) == FT_MP_NIL)
        return 0;
    if (ft_mp_str(v, &s))
        return s.n > 0 && !ft_slice_is(s, "[]");
    return (t != FT_MP_ARRAY && t != FT_MP_MAP) || ft_mp_count(v) > 0;
}

/* The model would be trained on calls, or without tools, that nobody sees. */
static int check_tools(const cli_example *w, ft_mp record, ft_mp message, size_t i, ft_err *e)
{
    static const char *const fields[] = {"tool_calls", "function_call"};
    if (i == 0 && holds_something(record, "tools"))
        return ft_err_set(e, FT_ERR_DATA, "field tools would be lost: template %s does not render "
                          "it; write the tools into a system turn and remove the field",
                          ft_chat_name(w->chat));
    for (size_t k = 0; k < 2; k++)
        if (holds_something(message, fields[k]))
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu].%s would be lost: template %s does "
                              "not render it; write the call into the content and remove the "
                              "field", i, fields[k], ft_chat_name(w->chat));
    return 0;
}

/* Reads one word about training: 1 or true, 0 or false. */
static int read_word(ft_mp v, size_t i, const char *field, int *word, ft_err *e)
{
    double d;
    if (ft_mp_bool(v, word))
        return 0;
    if (!ft_mp_float(v, &d) || !(d == 0.0 || d == 1.0))
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu].%s is neither 0, 1, true nor false: a "
                          "turn is trained on or not; weight of the record can be any number", i,
                          field);
    *word = d == 1.0;
    return 0;
}

/* What a turn says of being trained on: nothing (-1), no (0) or yes (1). */
static int read_weight(ft_mp message, size_t i, int *weight, ft_err *e)
{
    static const char *const fields[] = {"weight", "train", "loss"};
    ft_mp v;
    *weight = -1;
    for (size_t k = 0; k < 3; k++) {
        int word;
        if (!ft_mp_get(message, fields[k], &v) || ft_mp_type_of(v) == FT_MP_NIL)
            continue;
        if (read_word(v, i, fields[k], &word, e) < 0)
            return FT_ERR_DATA;
        if (*weight >= 0 && *weight != word)
            return ft_err_set(e, FT_ERR_DATA, "messages[%zu].%s contradicts another of weight, "
                              "train and loss", i, fields[k]);
        *weight = word;
    }
    return 0;
}

static int weigh(cli_example *w, ft_mp message, size_t i, int is_answer, ft_err *e)
{
    int weight, rc = read_weight(message, i, &weight, e);
    if (rc == 0 && weight == 1 && !is_answer && !w->train_on_all)
        return ft_err_set(e, FT_ERR_DATA, "messages[%zu] is to be trained on, but only the "
                          "assistant's turns are; see --train-on all", i);
    ft_buf_add_byte(&w->unweighed, weight == 0);
    return rc;
}

static int encode_messages(cli_example *w, ft_mp record, ft_err *e)
{
    ft_mp list, message;
    ft_mp_iter it;
    size_t i = 0;
    int rc;
    if (w->raw)
        return ft_err_set(e, FT_ERR_DATA, "--raw takes text or prompt and completion, not "
                          "messages");
    if (!ft_mp_get(record, "messages", &list))
        return ft_err_set(e, FT_ERR_INTERNAL, "messages vanished");
    ft_buf_clear(&w->turns);
    ft_buf_clear(&w->pieces);
    ft_buf_clear(&w->unweighed);
    for (it = ft_mp_iter_of(list); ft_mp_next(&it, &message);) {
        ft_turn turn;
        if (!ft_mp_get_str(message, "role", &turn.role) ||
            !ft_mp_get_str(message, "content", &turn.content))
            return ft_err_set(e, FT_ERR_INTERNAL, "a message lost its role or content");
        if (w->ask && it.left == 0 && ft_slice_is(turn.role, "assistant"))
            break;
        if ((rc = check_tools(w, record, message, i, e)) < 0 ||
            (rc = weigh(w, message, i, ft_slice_is(turn.role, "assistant"), e)) < 0)
            return rc;
        i++;
        ft_buf_add(&w->turns, &turn, sizeof turn);
    }
    if ((rc = ft_buf_check(&w->turns, e)) < 0 || (rc = ft_buf_check(&w->unweighed, e)) < 0)
        return rc;
    if (w->ask && w->turns.n == 0)
        return ft_err_set(e, FT_ERR_DATA, "messages hold an answer and no turn before it");
    if ((rc = ft_chat_render(w->chat, (const ft_turn *)(const void *)w->turns.p,
                             w->turns.n / sizeof(ft_turn), w->ask, &w->pieces, e)) < 0)
        return rc;
    return encode_pieces(w, e);
}

/* Text, or prompt and completion: one string, and the model's end token behind it. */
static int encode_plain(cli_example *w, ft_mp record, ft_err *e)
{
    ft_slice prompt = {0}, text = {0};
    int64_t eos = ft_tokenizer_eos(w->t);
    int rc;
    if (w->ask) {
        if (!ft_mp_get_str(record, "prompt", &prompt))
            (void)ft_mp_get_str(record, "text", &prompt);
        add_text(w, prompt, 0);
        return flush_text(w, e);
    }
    if (!ft_mp_get_str(record, "text", &text)) {
        (void)ft_mp_get_str(record, "prompt", &prompt);
        (void)ft_mp_get_str(record, "completion", &text);
    }
    add_text(w, prompt, w->raw || w->train_on_all);
    add_text(w, text, 1);
    if ((rc = flush_text(w, e)) < 0 || w->raw)
        return rc;
    if (eos < 0)
        return ft_err_set(e, FT_ERR_DATA, "the model names no end token (eos); --raw adds none");
    return add_id(w, (uint32_t)eos, 1, e);
}

int cli_example_new(cli_example **out, const ft_tokenizer *t, ft_err *e)
{
    cli_example *w = ft_new(1, sizeof *w, e);
    int rc;
    *out = w;
    if (!w)
        return FT_ERR_NOMEM;
    w->t = t;
    if ((rc = ft_encoder_new(&w->enc, t, e)) < 0)
        cli_example_free(out);
    return rc;
}

void cli_example_free(cli_example **out)
{
    cli_example *w = *out;
    if (!w)
        return;
    ft_encoder_free(&w->enc);
    ft_ids_free(&w->ids);
    ft_buf_free(&w->mask);
    ft_buf_free(&w->turns);
    ft_buf_free(&w->pieces);
    ft_buf_free(&w->unweighed);
    ft_buf_free(&w->text);
    ft_free(w);
    *out = NULL;
}

int cli_example_encode(cli_example *w, ft_mp record, ft_err *e)
{
    enum ft_shape shape;
    int rc;
    w->ids.n = 0;
    ft_buf_clear(&w->mask);
    ft_buf_clear(&w->text);
    w->target_from = SIZE_MAX;
    if ((rc = ft_example_shape(record, &shape, e)) < 0)
        return rc;
    if (shape == FT_SHAPE_PREDICTION && !(w->ask && ft_mp_get(record, "prompt", &(ft_mp){0})))
        return ft_err_set(e, FT_ERR_DATA, "a prediction with its reference is nothing to train "
                          "on");
    rc = shape == FT_SHAPE_MESSAGES ? encode_messages(w, record, e) : encode_plain(w, record, e);
    if (rc < 0 || (rc = ft_buf_check(&w->mask, e)) < 0)
        return rc;
    w->targets = 0;
    for (size_t i = 0; i < w->mask.n; i++)
        w->targets += w->mask.p[i];
    return 0;
}
