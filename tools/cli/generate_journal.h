/* generate_journal.h: answers that are not lost when the run is killed (ft-generate --resume).
 *
 * The file: "ft-generate journal 1\n", a digest (16 bytes) of all that answers depend on besides
 * their records, then an entry for each answered record, in the order of the input: length of the
 * body (u32), XXH3-64 of the body (u64), and the body, a msgpack map {number, record: digest,
 * answer, prompt_tokens, answer_tokens, cut}. An entry that is cut short, as a kill or a lost
 * power line leaves it, ends the journal; it and what follows is cut off.
 *
 *     j = cli_journal_open(path, &settings);
 *     for each record: if (!cli_journal_find(j, number, &digest, &a)) cli_journal_add(j, &new);
 *     cli_journal_close(&j);
 *
 * All of it ends in cli_fail when it fails.
 */
#ifndef FT_CLI_GENERATE_JOURNAL_H
#define FT_CLI_GENERATE_JOURNAL_H

#include "base/buf.h"
#include "base/hash.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "tools/cli/generate_adapters.h"

#include <stdint.h>

typedef struct cli_journal cli_journal;

typedef struct cli_journal_answer {
    uint64_t number;               /* of the record in its stream, from 1 */
    ft_digest record;
    ft_slice text;
    uint64_t prompt_tokens, answer_tokens;
    int cut;
} cli_journal_answer;

/* A digest of all that answers depend on besides their records: options, seed, model, tokenizer,
 * template, adapters, kernels and version. */
ft_digest cli_journal_settings(const ft_model *m, const ft_tokenizer *t, const cli_adapters *a);

/* Opens or creates a journal. settings: what it must have been made with; refused otherwise. */
cli_journal *cli_journal_open(const char *path, const ft_digest *settings);

/* Gives the answer of a record, valid until the journal is closed; asked with rising numbers.
 * Returns: whether there is one. Fails when it answers another record. */
int cli_journal_find(cli_journal *j, uint64_t number, const ft_digest *record,
                     cli_journal_answer *a);

/* Appends an answer; what is appended before a kill is found again. */
void cli_journal_add(cli_journal *j, const cli_journal_answer *a);

uint64_t cli_journal_found(const cli_journal *j);

/* Makes all of it durable; the file stays. Accepts NULL, sets NULL. Fails when the journal has
 * answers to records that did not come. */
void cli_journal_close(cli_journal **j);

#endif
