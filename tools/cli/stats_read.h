/* stats_read.h: what ft-stats gathers from the records: all figures of a report come out of here.
 *
 *     stats_data *s = stats_data_new(&options);
 *     stats_read(s, in);                                   for each input
 *
 * Memory: half of the bound for counted keys (which spill), an eighth for the texts to compress,
 * and the samples: at most two times twice --sample texts of 16 KiB. All of it ends in cli_fail
 * when it
 * fails.
 */
#ifndef FT_CLI_STATS_READ_H
#define FT_CLI_STATS_READ_H

#include "data/compressed.h"
#include "data/example.h"
#include "data/lexical.h"
#include "data/multiset.h"
#include "data/tally.h"
#include "model/gguf.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "tools/cli/cli.h"

#define STATS_SAMPLE_BYTES 16384       /* of a sampled text */
#define STATS_TURNS_MAX 64

typedef struct stats_options {
    const ft_gguf *gguf;               /* NULL: no model       */
    const ft_tokenizer *tokenizer;
    const char *template_name;         /* or NULL              */
    enum ft_part part;                 /* of the sample        */
    size_t sample;                     /* rows to sample       */
    int prompts;                       /* also sample prompts  */
    int no_languages;                  /* do not guess them    */
    uint64_t seed, memory;
    uint64_t length;                   /* tokens; 0: not given */
} stats_options;

/* A part of the rows: prompts, answers, or whole rows (tokens alone). */
typedef struct stats_part {
    uint64_t rows, empty;              /* that have it; of these without a word */
    ft_multiset *chars, *words, *tokens;
    uint64_t chars_sum, words_sum, tokens_sum;
    ft_lexical *lexical;
    ft_compressed *compressed;
    ft_tally *beginnings;
} stats_part;

/* A field whose values are counted. */
typedef struct stats_field {
    const char *name;                  /* of the field                         */
    ft_multiset *values;               /* hashes of the values                 */
    ft_tally *names;
    uint64_t rows;                     /* that have it                         */
} stats_field;

enum { STATS_SOURCE, STATS_GROUP, STATS_LABEL, STATS_CLUSTER, STATS_AUG, STATS_LANGUAGE,
       STATS_ROLE, STATS_TAG, STATS_FIELDS };

typedef struct stats_sampled {
    uint64_t priority, row;
    uint8_t *text;
    size_t n;
} stats_sampled;

/* The rows of least priority; equal priorities are one. */
typedef struct stats_sample {
    stats_sampled *v;
    size_t n, cap, max;
} stats_sample;

enum { STATS_PROMPT, STATS_ANSWER, STATS_WHOLE, STATS_PARTS };

typedef struct stats_data {
    stats_options o;
    uint64_t rows, shapes[4], dirty;
    uint64_t turns, turn_rows[STATS_TURNS_MAX + 1];       /* rows by their number of turns */
    uint64_t over_length, untokenised;
    char why_untokenised[256];         /* of the first such row */
    int no_languages;                  /* no fingerprints on this machine */
    stats_part part[STATS_PARTS];
    stats_field field[STATS_FIELDS];
    ft_multiset *keys, *prompt_keys;   /* digests of rows and of prompts */
    stats_sample sampled, prompts;
    struct stats_worker *workers;
    const ft_chat *chat;
    ft_buf scratch[2];
} stats_data;

stats_data *stats_data_new(const stats_options *o);
void stats_data_free(stats_data **s);

/* Reads a stream of kind text to its verified end. */
void stats_read(stats_data *s, ft_reader *in);

/* Ends reading: brings the samples into the order of the rows. */
void stats_read_end(stats_data *s);

/* Appends the value of a field as a name: strings as they are, the rest as JSON. */
void stats_put_name(ft_buf *out, ft_mp value);

#endif
