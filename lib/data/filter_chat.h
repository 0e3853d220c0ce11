/* filter_chat.h: the values of all rules for one record, of any shape. Rules about one text look at
 * the text, or in a record with a prompt at the answer (the assistant's turns, the completion, the
 * prediction); the chat rules look at prompts and answers, turn by turn.
 *
 *     ft_filter_meter m = {.text = …, .language = NULL or a handle};
 *     if (ft_filter_measure(&m, record, wanted, value, e) < 0) …
 */
#ifndef FT_FILTER_CHAT_H
#define FT_FILTER_CHAT_H

#include "base/buf.h"
#include "base/mp.h"
#include "data/example.h"
#include "data/filter_text.h"
#include "text/language.h"

typedef struct ft_filter_meter {
    ft_text_meter *text;
    const ft_language *language; /* the caller's; for FT_RULE_LANGUAGE_DIFFERS and `guess` */
    int want_guess;
    const ft_rules *until;       /* NULL: measure all; else stop when the first that fires is
                                  * known                                                  */
    uint64_t done;               /* the rules whose values were set                        */
    ft_buf subject;              /* the text that was looked at last                       */
    ft_guess guess;              /* language of the subject when want_guess                */
} ft_filter_meter;

/* Sets value[i] for the rules of `wanted`, and m->subject to the text that the text rules judge;
 * with m->until for those of m->done, and the guess only when none of them fires.
 * Errors: FT_ERR_DATA as ft_example_shape. */
int ft_filter_measure(ft_filter_meter *m, ft_mp record, uint64_t wanted, double *value,
                      ft_err *e) FT_MUST_CHECK;
void ft_filter_meter_free(ft_filter_meter *m);

/* ---- the parts, for tests ---- */

/* Returns: 0; 1: a fence, bracket or quote stays open; 2: over 20 words of prose, no end mark. */
int ft_chat_truncated(const ft_words *classes, const uint8_t *p, size_t n);
uint64_t ft_chat_refusals(const uint8_t *p, size_t n);
/* Placeholders {{name}} of an answer to a prompt without any (texts about templates have them in
 * both), and answers that are "undefined", "null", "none", "nan" or "n/a" where the prompt does not
 * say this word. */
uint64_t ft_chat_residue(ft_slice prompt, ft_slice answer);

/* Returns: 0, or the number of the first turn out of order; turns + 1: the answer is missing.
 * system|developer? (user assistant)+, where tool turns may follow an assistant's tool_calls. */
uint64_t ft_chat_role_error(ft_mp messages);

#endif
