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
        memcpy(&piece, w->pieces.p + i * sizeof piece, sizeof piece);
        if (!piece.special) {
            add_text(w, piece.text, w->train_on_all || piece.target);
            continue;
        }
        if (piece.text.n < sizeof name)
            memcpy(name, piece.text.p, piece.text.n);
        if ((id = ft_tokenizer_special(w->t, name)) < 0)
            return ft_err_set(e, FT_ERR_DATA, "template %s needs the special token %s, which the "
                              "model does not have", ft_chat_name(w->chat), name);
        if ((rc = flush_text(w, e)) == 0)
            rc = add_id(w, (uint32_t)id, w->train_on_all || piece.target, e);
    }
    return rc < 0 ? rc : flush_text(w, e);
}

static int encode_messages(cli_example *w, ft_mp record, ft_err *e)
{
    ft_mp list, message;
    ft_mp_iter it;
    int rc;
    if (w->raw)
        return ft_err_set(e, FT_ERR_DATA, "--raw takes text or prompt and completion, not "
                          "messages");
    if (!ft_mp_get(record, "messages", &list))
        return ft_err_set(e, FT_ERR_INTERNAL, "messages vanished");
    ft_buf_clear(&w->turns);
    ft_buf_clear(&w->pieces);
    for (it = ft_mp_iter_of(list); ft_mp_next(&it, &message);) {
        ft_turn turn;
        if (!ft_mp_get_str(message, "role", &turn.role) ||
            !ft_mp_get_str(message, "content", &turn.content))
            return ft_err_set(e, FT_ERR_INTERNAL, "a message lost its role or content");
        if (w->ask && it.left == 0 && ft_slice_is(turn.role, "assistant"))
            break;
        ft_buf_add(&w->turns, &turn, sizeof turn);
    }
    if ((rc = ft_buf_check(&w->turns, e)) < 0)
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
