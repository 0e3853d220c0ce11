/* shots.h: examples put before a question, to show a model what is wanted instead of training it
 * (few-shot prompting: Brown et al. 2020).
 *
 * A conversation gets the shots' turns behind its system turns; prompt and completion get their
 * texts before the prompt, each followed by a blank line:
 *
 *     messages             [system,] shot 1's turns, shot 2's turns, …, the question
 *     prompt, completion   "P1 C1 \n\n P2 C2 \n\n … P" as they are, with no space added
 */
#ifndef FT_SHOTS_H
#define FT_SHOTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

/* Appends the record with n shots (records with an answer) put before its question. A conversation
 * takes shots of both shapes, a prompt only prompts. System turns of shots are left out.
 * Errors: FT_ERR_DATA naming the shot or the shape, FT_ERR_NOMEM. */
int ft_shots_put(ft_mp record, const ft_mp *shots, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

#endif
