/* mix_input.h: one of the streams that ft-mix takes from, record by record, epoch after epoch. All
 * of it ends in cli_fail when it fails.
 *
 *     cli_mix_open(inputs, paths, n);
 *     cli_mix_store(&inputs[0], unit, memory, …);     only where it is to be read more than once
 *     cli_mix_next(&inputs[0], unit);                 then record, size and examples are the next's
 *     if (inputs[0].ended) cli_mix_again(&inputs[0], unit);
 *     cli_mix_drain(&inputs[0]);                      to the verified end
 */
#ifndef FT_CLI_MIX_INPUT_H
#define FT_CLI_MIX_INPUT_H

#include "data/mix_store.h"
#include "tools/cli/cli.h"

enum cli_mix_unit { CLI_MIX_BYTES, CLI_MIX_TOKENS, CLI_MIX_TARGETS, CLI_MIX_EXAMPLES };

typedef struct cli_mix_input {
    ft_reader *in;
    ft_mix_store *store;               /* NULL: records come straight from the stream       */
    int shuffle;
    uint64_t seed;
    uint64_t rows, units, examples;    /* of all that was read from `in`                     */
    uint64_t epoch;                    /* of the next record, from 0                         */
    ft_mp record;                      /* the next one                                       */
    uint64_t size, n_examples;         /* in units; in examples                              */
    int ended;                         /* there is none: the epoch is over                   */
} cli_mix_input;

/* Opens n streams of one kind, tokenizer and template; others are refused (65). */
void cli_mix_open(cli_mix_input *inputs, const char *const *paths, size_t n);

/* The header of what is made of them: the first one's, with the certificates that any of them
 * claims, which it keeps in `claims`. */
ft_header cli_mix_header(const cli_mix_input *inputs, size_t n, ft_buf *claims);

/* The unit of a name, for a kind; name = NULL: bytes of text or tokens. A unit that the kind has
 * not got is a usage error. */
enum cli_mix_unit cli_mix_unit_of(const char *name, ft_kind kind);
const char *cli_mix_unit_name(enum cli_mix_unit unit);

/* Reads all of the input into a store, and begins its first epoch. */
void cli_mix_store(cli_mix_input *x, enum cli_mix_unit unit, uint64_t memory, int shuffle,
                   uint64_t seed);

/* Fetches the next record of the epoch, or sets ended. */
void cli_mix_next(cli_mix_input *x, enum cli_mix_unit unit);

/* Begins the next epoch (of a stored input) with its first record. */
void cli_mix_again(cli_mix_input *x, enum cli_mix_unit unit);

/* Reads what is left of the stream, only counting it. */
void cli_mix_drain(cli_mix_input *x);

void cli_mix_close(cli_mix_input *x);

#endif
