/* generate.h: answers a prompt with a decoder. Greedy: always the likeliest token.
 *
 *     ft_generate(d, prompt, n, &stop, 256, answer, &n_answer, e)
 */
#ifndef FT_GENERATE_H
#define FT_GENERATE_H

#include "infer/decoder.h"

typedef struct ft_stop {
    uint32_t ids[4];        /* tokens that end an answer: end of turn, end of text */
    size_t n;
} ft_stop;

enum ft_ending { FT_ENDED,       /* the model gave a stop token            */
                 FT_CUT };       /* max_tokens, or the end of the context  */

/* Resets d, reads the prompt and appends tokens until one of `stop` (which is not stored),
 * max_tokens, or the end of d's context.
 * answer: room for max_tokens ids; *n_answer how many came.
 * Returns: FT_ENDED or FT_CUT, or an error: FT_ERR_DATA when the prompt (n >= 1) does not leave
 * room for one token, and those of ft_decoder_feed. */
int ft_generate(ft_decoder *d, const uint32_t *prompt, size_t n, const ft_stop *stop,
                size_t max_tokens, uint32_t *answer, size_t *n_answer, ft_err *e) FT_MUST_CHECK;

#endif
