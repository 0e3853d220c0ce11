/* generate_answers.h: records to the engine and their answers back in the order they came. As many
 * are answered at a time as the engine takes; an answer that is ready before one that came earlier
 * waits for it, and when too many wait no more records are taken.
 *
 *     cli_answers a = {.tokenizer = t, …, .put = write_it, .ctx = &s};
 *     cli_answers_begin(&a, model, &engine_options);
 *     while (cli_next(in, &record)) cli_answers_add(&a, record, ++number);
 *     cli_answers_finish(&a);
 *
 * All of it ends in cli_fail when it fails.
 */
#ifndef FT_CLI_GENERATE_ANSWERS_H
#define FT_CLI_GENERATE_ANSWERS_H

#include "infer/engine.h"
#include "tools/cli/example_ids.h"
#include "tools/cli/generate_adapters.h"
#include "tools/cli/generate_journal.h"

typedef struct cli_answered {
    ft_mp record;
    ft_slice text;               /* the answer's bytes; they may be no UTF-8      */
    size_t shown;                /* of them, those that `show` has used           */
} cli_answered;

struct cli_waiting;

typedef struct cli_answers {
    /* Set by the caller. */
    const char *source;          /* of the records, for messages                  */
    cli_example *example;        /* with its chat, or an error for the first chat */
    const cli_adapters *adapters;
    const char *const *stops;    /* texts that end an answer                      */
    size_t n_stops;
    size_t max_tokens;
    int drop_long;               /* records whose prompt is too long are dropped  */
    cli_journal *journal;        /* or NULL                                       */
    /* Each answer, in the order of the records. */
    void (*put)(void *ctx, const cli_answered *a);
    /* An answer that grows: bytes that stay. Returns: how many were used. Or NULL. */
    size_t (*show)(void *ctx, const uint8_t *p, size_t n);
    void *ctx;

    uint64_t answers, prompt_tokens, answer_tokens, shared_tokens, cut, dropped;
    uint64_t computed_tokens;    /* of answers, in this run */
    double seconds;              /* that the engine worked  */

    ft_engine *engine;
    struct cli_waiting **waiting;
    size_t n_waiting, waiting_cap, waiting_bytes, most_waiting;
    size_t context;
} cli_answers;

void cli_answers_begin(cli_answers *a, const ft_model *m, ft_engine_options *o);
void cli_answers_add(cli_answers *a, ft_mp record, uint64_t number);
void cli_answers_finish(cli_answers *a);

/* Adds the counts to the last line. */
void cli_answers_report(const cli_answers *a);

#endif
