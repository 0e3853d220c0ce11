/* leak_keys.h: the keys by which short evaluation items are found (leak_index.h): whole texts in
 * their canonical form, a question with its answer. An item gives
 *
 *     (question, answer) for each answer it has; question and answer as one text;
 *     (question, nothing) when it has no answer
 *
 * and an example (turn, next answer) for each answer in it, (all questions, all answers) of a chat
 * of several, and (question, nothing) for each question and text.
 */
#ifndef FT_LEAK_KEYS_H
#define FT_LEAK_KEYS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "data/pieces.h"

typedef struct ft_leak_keys {    /* all zero is valid */
    ft_digest *key;
    size_t n, cap;
    ft_buf raw, form;            /* scratch */
} ft_leak_keys;

/* Fill keys anew from the texts of a record. ignore: FT_IGNORE_*. Errors: FT_ERR_NOMEM. */
int ft_leak_keys_of_item(const ft_piece_list *list, unsigned ignore, ft_leak_keys *keys,
                         ft_err *e) FT_MUST_CHECK;
int ft_leak_keys_of_example(const ft_piece_list *list, unsigned ignore, ft_leak_keys *keys,
                            ft_err *e) FT_MUST_CHECK;

void ft_leak_keys_free(ft_leak_keys *keys);

#endif
