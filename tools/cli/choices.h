/* choices.h: ft-eval --choices: multiple choice, and labels by likelihood. An example is an
 * ordinary one, prompt and completion or messages, with a list of strings beside it; the model
 * says which of them it holds most likely in the place of the answer, and the answer says which
 * is right.
 *
 *     {"prompt": "2 + 2 =", "completion": " 4", "choices": [" 3", " 4", " 5"]}
 *
 * The likelihood of a choice is that of its tokens and of the end token behind it, as ft-tokenize
 * makes targets of an answer; of a chat only the last turn counts. All of it ends in cli_fail
 * when it fails.
 */
#ifndef FT_CLI_CHOICES_H
#define FT_CLI_CHOICES_H

#include "base/io.h"
#include "stream/stream.h"
#include "tools/cli/evaluate.h"

typedef struct cli_choices {
    const char *field, *cluster;
    uint64_t draws;                /* for intervals; 0: none */
    ft_out *scores;                /* NULL, or JSON lines {"id", "choice", "answer", "nll"} */
    int allow_leak;
} cli_choices;

/* Reads `in`, of kind text, to its verified end and prints accuracy, accuracy_per_byte (of the
 * choice whose likelihood is the greatest for its length), ece and brier of the probabilities
 * that the choices have among themselves, with intervals. nn is freed. */
void cli_choices_run(const cli_choices *o, ft_reader *in, cli_nn *nn, const ft_tokenizer *tok);

#endif
