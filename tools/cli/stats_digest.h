/* stats_digest.h: what ft-stats takes from one row, on any thread: lengths, hashes of its words,
 * tokens, keys, the language. stats_read.c adds it up in the order of the rows.
 */
#ifndef FT_CLI_STATS_DIGEST_H
#define FT_CLI_STATS_DIGEST_H

#include "tools/cli/each_record.h"
#include "tools/cli/stats_read.h"

/* What a row gives, made on any thread. Behind it in the buffer: the words' hashes, prompt then
 * answer, and the beginnings; or the reason why it has no tokens. */
typedef struct stats_digest {
    uint64_t chars[2], words[2], tokens[2];
    uint64_t key, prompt_key;
    uint8_t has[2], has_prompt_key, tokenised, shape;
    char language[8];                  /* "": not known */
    uint32_t beginning[2], reason;     /* bytes         */
} stats_digest;

/* Makes what the threads need, in s->workers; notes when there are no languages. */
void stats_workers_new(stats_data *s);
void stats_workers_free(stats_data *s);

/* The step of cli_each_record: leaves a stats_digest and what is behind it in it->out. ctx: the
 * stats_data, which it only reads. */
void stats_digest_work(void *ctx, cli_item *it, unsigned worker);

#endif
