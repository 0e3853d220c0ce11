/* tokenizer_internal.h: what the three parts of the tokenizer share. tokenizer.c loads and checks
 * the vocabulary, split.c cuts a text into words, bpe.c merges the bytes of one word, encode.c
 * puts them together.
 */
#ifndef FT_TOKENIZER_INTERNAL_H
#define FT_TOKENIZER_INTERNAL_H

#include "kernels/kernels.h"
#include "text/tokenizer.h"

#define FT_NO_TOKEN UINT32_MAX

/* ---- split.c ---- */

/* What the pre-tokenizers distinguish. FT_C_WIDE: not ASCII, decode and look in the table. */
enum { FT_C_OTHER, FT_C_LETTER, FT_C_NUMBER, FT_C_SPACE, FT_C_WIDE };

typedef struct ft_splitter {
    int lone_digits;           /* "smollm": every number character is a word of its own        */
    uint8_t ascii[256];        /* class by first byte                                          */
    uint8_t packed[0x110000 / 4];   /* class by code point, two bits each, lowest first        */
} ft_splitter;

/* Fills s for a pre-tokenizer by name. Errors: FT_ERR_DATA with the names that are known. */
int ft_splitter_init(ft_splitter *s, ft_slice pre, ft_err *e) FT_MUST_CHECK;

/* Returns: the length of the first word of n > 0 bytes, at least 1. */
size_t ft_split_next(const ft_splitter *s, const uint8_t *p, size_t n);

/* The same for many words at once. p: n > 0 bytes of text that begin with a word and end with the
 * text; 64 bytes can be read there even when n is less. Returns: a set of words' ends, the lowest
 * being the first word's, without a gap: bit i says that a word ends before p[i]. Words of ASCII
 * that end within these 64 bytes are found this way, others are for ft_split_next: 0 = none. */
uint64_t ft_split_ends(const ft_splitter *s, const ft_kernels *k, const uint8_t *p, size_t n);

/* ---- tokenizer.c ---- */

typedef struct ft_merge {      /* a slot of a hash table with open addressing                  */
    uint32_t left, right;      /* left = FT_NO_TOKEN: free                                     */
    uint32_t rank, result;
} ft_merge;

typedef struct ft_special {    /* a token that is found by its text, not made by merges        */
    ft_slice text;
    uint32_t id;
    int control;               /* type 3: only where FT_ENCODE_SPECIAL allows it               */
} ft_special;

struct ft_tokenizer {
    size_t n_tokens;
    uint8_t *text;             /* all strings, one after another: as in the file, then decoded */
    ft_slice *names;           /* as in the file: byte-level alphabet                          */
    ft_slice *bytes;           /* decoded                                                      */
    uint8_t *types;
    uint32_t *name_slots;      /* hash table over names: ids, FT_NO_TOKEN = free               */
    size_t name_mask;
    uint32_t byte_id[256];     /* token of a single byte, FT_NO_TOKEN: none                    */
    ft_merge *merges;
    size_t merge_mask;
    uint64_t *merge_seen;      /* bits by ft_pair_hash: 0 = no such merge; small, so near      */
    size_t seen_mask;
    ft_special *specials;      /* longest text first                                           */
    size_t n_specials;
    int has_user;              /* whether one of them is no control token                      */
    uint8_t special_first[256];/* whether a special token begins with this byte                */
    int64_t bos, eos;
    ft_digest digest;
    ft_splitter splitter;
};

static inline uint64_t ft_pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

/* Returns: the merge of two neighbours, or NULL. */
static inline const ft_merge *ft_merge_find(const ft_tokenizer *t, uint32_t left, uint32_t right)
{
    uint64_t h = ft_pair_hash(left, right), seen = h >> 16 & t->seen_mask;
    size_t i = (size_t)h & t->merge_mask;
    if (!(t->merge_seen[seen / 64] >> seen % 64 & 1))
        return NULL;
    for (;; i = (i + 1) & t->merge_mask) {
        const ft_merge *m = &t->merges[i];
        if (m->left == left && m->right == right)
            return m;
        if (m->left == FT_NO_TOKEN)
            return NULL;
    }
}

/* ---- bpe.c ---- */

typedef struct ft_bpe ft_bpe;  /* scratch for long words */
int ft_bpe_new(ft_bpe **b, const ft_tokenizer *t, ft_err *e) FT_MUST_CHECK;
void ft_bpe_free(ft_bpe **b);

/* Appends the ids of one word; adds the bytes without a token to *lost. */
int ft_bpe_word(ft_bpe *b, const uint8_t *p, size_t n, ft_ids *ids, uint64_t *lost,
                ft_err *e) FT_MUST_CHECK;
uint64_t ft_bpe_steps(const ft_bpe *b);

#endif
