/* example_ids.h: from an example to token ids and target mask, as the model wants to be trained on
 * it. Chats are rendered by the model's template; text between two special tokens is tokenised as
 * one string. A token is a target when its first byte belongs to what the model is to produce: a
 * token that begins before the boundary is none, for generation starts behind it.
 *
 *     messages               the assistant's contents and the end-of-turn tokens behind them
 *     prompt + completion    one string; the completion, and the end token added behind it
 *     text                   all of it, and the end token added behind it
 *
 * A turn of the assistant with weight 0 (or "train": false, "loss": false) is no target, nor is any
 * other turn that says so with train_on_all. Tools and tool calls that the template does not render
 * are refused; a tool's answer is a turn like others where the template has the role.
 *
 * The very first token is never a target: nothing stands before it.
 */
#ifndef FT_CLI_EXAMPLE_IDS_H
#define FT_CLI_EXAMPLE_IDS_H

#include "base/buf.h"
#include "base/mp.h"
#include "text/chat.h"
#include "text/tokenizer.h"

typedef struct cli_example {
    const ft_tokenizer *t;     /* not owned                                           */
    const ft_chat *chat;       /* set by the caller before the first chat             */
    int raw;                   /* nothing is added, all tokens are targets            */
    int train_on_all;          /* all tokens are targets, also of other turns         */
    int parse_special;         /* special tokens in the text count as such            */
    int ask;                   /* only what stands before the answer: without an
                                  assistant's last turn, or the completion; the answer's
                                  opening is added, and nothing is a target           */

    ft_ids ids;                /* the result, until the next call                     */
    ft_buf mask;               /* one byte a token: 1 = target                        */
    size_t targets;

    ft_encoder *enc;           /* scratch                                             */
    ft_buf turns, pieces;
    ft_buf unweighed;          /* one byte a turn: 1 = no target, whatever its role   */
    ft_buf text;               /* what stands between two special tokens              */
    size_t target_from;        /* where the target begins in text; SIZE_MAX: nowhere  */
} cli_example;

/* Makes what one thread needs. Owns: the caller, cli_example_free (accepts NULL, sets NULL). */
int cli_example_new(cli_example **x, const ft_tokenizer *t, ft_err *e) FT_MUST_CHECK;
void cli_example_free(cli_example **x);

/* Fills ids, mask and targets from a record of kind text. Errors: FT_ERR_DATA: no known shape, a
 * shape that cannot be trained on, a role or special token that template and model lack. */
int cli_example_encode(cli_example *x, ft_mp record, ft_err *e) FT_MUST_CHECK;

#endif
