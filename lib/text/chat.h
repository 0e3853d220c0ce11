/* chat.h: chat templates as a fixed list. A model file carries its template as a program in a
 * template language; ft never runs it, but recognises it by its text and renders it by code that
 * was proved byte-equal to it. An unknown one is refused; the user may then name one of ours.
 */
#ifndef FT_CHAT_H
#define FT_CHAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

typedef struct ft_chat ft_chat;       /* a template: static, never freed */

/* Recognises the template text a model carries. Errors: FT_ERR_DATA; the message names
 * --chat-template and the known names. */
int ft_chat_recognise(const ft_chat **c, ft_slice template_text, ft_err *e) FT_MUST_CHECK;

/* By name ("chatml", "smollm2"). Errors: FT_ERR_USAGE with the known names. */
int ft_chat_by_name(const ft_chat **c, const char *name, ft_err *e) FT_MUST_CHECK;
const char *ft_chat_name(const ft_chat *c);
ft_digest ft_chat_digest(const ft_chat *c);

/* A rendered chat is a list of pieces. Special pieces are control tokens by their text; the
 * others are text that is tokenised as one string between two special tokens: neighbouring
 * text pieces are to be joined before tokenising (target or not is then decided by byte). */
typedef struct ft_piece {
    ft_slice text;
    int special;        /* a control token such as <|im_end|>                               */
    int target;         /* the model is to produce it: assistant's content and end of turn  */
    size_t turn;        /* index of the message it came from                                */
} ft_piece;

typedef struct ft_turn {
    ft_slice role, content;
} ft_turn;

/* Renders n turns. add_prompt: end with the opening of an assistant turn, for generation.
 * pieces: an ft_buf that receives ft_piece elements; slices point into turns or static text.
 * Errors: FT_ERR_DATA for a role the template does not know, naming the turn. */
int ft_chat_render(const ft_chat *c, const ft_turn *turns, size_t n, int add_prompt,
                   ft_buf *pieces, ft_err *e) FT_MUST_CHECK;

#endif
