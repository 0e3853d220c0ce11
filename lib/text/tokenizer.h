/* tokenizer.h: byte-level BPE as models carry it: vocabulary, merges and the name of a
 * pre-tokenizer. Ids equal those of Hugging Face `tokenizers` for the same model.
 *
 * Time is linear in the text for ordinary words (a cache of words) and n log n in the length of
 * one word, whatever the input: a megabyte of one letter is fine. Nothing recurses.
 *
 *     ft_tokenizer_new(&t, &spec, e);
 *     ft_encoder_new(&enc, t, e);                       // one per thread: holds cache and scratch
 *     ft_encode(enc, text, n, FT_ENCODE_PLAIN, &ids, e) // appends to ids
 */
#ifndef FT_TOKENIZER_H
#define FT_TOKENIZER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

#include <stdint.h>

/* What a model file says, as slices that must outlive only the call to ft_tokenizer_new. */
typedef struct ft_tokenizer_spec {
    const ft_slice *tokens;       /* n_tokens strings in the byte-level alphabet, id = index    */
    const int32_t *types;         /* n_tokens: 1 normal, 3 control, 4 user-defined, 6 byte; NULL */
    size_t n_tokens;
    const ft_slice *merges;       /* n_merges strings "left right", best first                  */
    size_t n_merges;
    ft_slice pre;                 /* "smollm", "gpt-2"                                          */
    int64_t bos, eos;             /* ids, -1: none                                              */
} ft_tokenizer_spec;

typedef struct ft_tokenizer ft_tokenizer;   /* immutable: threads may share it */

/* Checks and indexes the vocabulary. Errors: FT_ERR_DATA with the offending entry: duplicate
 * token, merge whose halves or result are no tokens, id out of range, unknown `pre` (the message
 * lists the known names). Owns: the caller. */
int ft_tokenizer_new(ft_tokenizer **t, const ft_tokenizer_spec *spec, ft_err *e) FT_MUST_CHECK;
void ft_tokenizer_free(ft_tokenizer **t);

size_t ft_tokenizer_size(const ft_tokenizer *t);       /* ids are below this */
int64_t ft_tokenizer_eos(const ft_tokenizer *t);
int ft_tokenizer_is_special(const ft_tokenizer *t, uint32_t id);  /* types 3 and 4 */
int ft_tokenizer_has_byte(const ft_tokenizer *t, uint8_t byte);   /* 0: the byte gets lost */
size_t ft_tokenizer_missing_bytes(const ft_tokenizer *t);         /* how many of 256 get lost */

/* Finds the id of a special token by its text. Returns: the id or -1. */
int64_t ft_tokenizer_special(const ft_tokenizer *t, const char *text);

/* Digest over vocabulary, types, merges, pre, bos and eos: two models with the same digest give
 * the same ids. */
ft_digest ft_tokenizer_digest(const ft_tokenizer *t);

typedef struct ft_encoder ft_encoder;                  /* one per thread */
int ft_encoder_new(ft_encoder **enc, const ft_tokenizer *t, ft_err *e) FT_MUST_CHECK;
void ft_encoder_free(ft_encoder **enc);

typedef struct ft_ids {     /* growable; all zero is empty */
    uint32_t *p;
    size_t n, cap;
} ft_ids;
void ft_ids_free(ft_ids *ids);
int ft_ids_add(ft_ids *ids, uint32_t id, ft_err *e) FT_MUST_CHECK;

enum { FT_ENCODE_PLAIN = 0,
       FT_ENCODE_SPECIAL = 1 };   /* special tokens in the text become their ids */

/* Appends the ids of n bytes of text. Each byte that begins no well-formed UTF-8 sequence counts
 * as one character that is neither letter, number nor space; so any bytes can be encoded.
 * Bytes for which the vocabulary has no token vanish, as in the reference, and are counted.
 * User-defined tokens (type 4) are found in any text, as in the reference; control tokens only
 * with FT_ENCODE_SPECIAL, the longest at each place. Errors: FT_ERR_NOMEM; FT_ERR_DATA for a
 * word of 4 GiB. */
int ft_encode(ft_encoder *enc, const void *text, size_t n, int flags, ft_ids *ids,
              ft_err *e) FT_MUST_CHECK;
uint64_t ft_encoder_lost_bytes(const ft_encoder *enc);

/* Pairs looked at and heap moves made so far: what the time grows with, for tests. */
uint64_t ft_encoder_steps(const ft_encoder *enc);

/* Returns: the bytes that an id stands for (a special token: its text). id < size. */
ft_slice ft_token_bytes(const ft_tokenizer *t, uint32_t id);

#endif
