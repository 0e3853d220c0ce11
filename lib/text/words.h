/* words.h: cuts English text into the words that the quality rules of web corpora count.
 *
 * The published rules (Gopher, FineWeb) count words as spaCy's tokenizer for English cuts them:
 * at white space, then punctuation off both ends, then inside at hyphens, slashes and the like;
 * contractions, abbreviations and emoticons are known by name and addresses (www.a.org/b) stay
 * whole. This module makes the same cuts without a model. Runs of white space are no words. Other
 * scripts are cut by the same rules, as spaCy's English does.
 *
 *     ft_words *w = NULL;
 *     if (ft_words_new(&w, e) < 0) …
 *     if (ft_words_split(w, text, n, e) < 0) …
 *     for (size_t i = 0; i < w->n; i++) … text + w->v[i].at, w->v[i].bytes …
 *
 * What it does not do: segment Chinese, Japanese or Thai; fold case. Known differences from spaCy
 * 3.8: units of measure in Arabic script are not taken off numbers, and in addresses the rule that
 * excludes private networks is left out (it changes no cut unless a path follows).
 * Each thread needs an object of its own: it holds a cache of pieces already cut. */
#ifndef FT_WORDS_H
#define FT_WORDS_H

#include "base/err.h"

#include <stdint.h>

enum {
    FT_WORD_ALPHA = 1,       /* holds a letter (general category L)                           */
    FT_WORD_TEXT = 2,        /* holds a character that is no punctuation (ft_char_class)      */
    FT_WORD_END = 4,         /* is one character that ends sentences                          */
    FT_WORD_PUNCT = 8,       /* all characters have general category P                        */
    FT_WORD_STOP = 256       /* << i: is stop word i of the, be, to, of, and, that, have, with */
};

typedef struct ft_word {
    uint64_t hash;           /* of its bytes: words count as equal when this is                  */
    uint32_t at, bytes;      /* where it stands                                                   */
    uint32_t chars;          /* code points                                                       */
    uint32_t flags;
} ft_word;

typedef struct ft_words {
    ft_word *v;              /* of the last text; the object's                                    */
    size_t n, cap;
    uint16_t *classes;       /* of the first FT_CHAR_TABLE characters                             */
    struct ft_words_state *state;
} ft_words;

/* Owns: the caller, ft_words_free (accepts NULL, sets NULL). */
int ft_words_new(ft_words **w, ft_err *e) FT_MUST_CHECK;
void ft_words_free(ft_words **w);

/* Cuts n < 2^32 bytes of text. Bytes that are no UTF-8 count as one character each.
 * Errors: FT_ERR_NOMEM; FT_ERR_DATA when the text is too long. */
int ft_words_split(ft_words *w, const void *text, size_t n, ft_err *e) FT_MUST_CHECK;

/* Returns: how many sentences words [from, to) hold: one begins behind a word that ends sentences
 * and the punctuation that follows it. */
size_t ft_words_sentences(const ft_word *v, size_t n);

/* ---- single characters ---- */

/* Classes of a character. PUNCT and TERMINAL are those of the FineWeb rules, the others serve the
 * cutting. */
enum {
    FT_CHAR_ALPHA = 0x1, FT_CHAR_UNCASED = 0x2, FT_CHAR_ICON = 0x8, FT_CHAR_MARK = 0x10,
    FT_CHAR_QUOTE = 0x20, FT_CHAR_CURRENCY = 0x40, FT_CHAR_PUNCT = 0x80, FT_CHAR_TERMINAL = 0x100,
    FT_CHAR_SENTENCE = 0x200,
    FT_CHAR_LETTER = 0x400, FT_CHAR_SPACE = 0x800, FT_CHAR_CATEGORY_P = 0x1000,
    FT_CHAR_UPPER = 0x2000, FT_CHAR_LOWER = 0x4000, FT_CHAR_DIGIT = 0x8000
};
#define FT_CHAR_TABLE 0x10000u
uint32_t ft_char_class_wide(uint32_t c);        /* for any character, slowly */
static inline uint32_t ft_char_class(const ft_words *w, uint32_t c)
{
    return c < FT_CHAR_TABLE ? w->classes[c] : ft_char_class_wide(c);
}

/* Decodes the character at p, n > 0 bytes remain. Returns: its bytes; garbage is one byte, and *c
 * then 0xdc00 + byte. */
size_t ft_char_at_wide(const uint8_t *p, size_t n, uint32_t *c);
static inline size_t ft_char_at(const uint8_t *p, size_t n, uint32_t *c)
{
    if (p[0] >= 0x80)
        return ft_char_at_wide(p, n, c);
    *c = p[0];
    return 1;
}

/* Returns: code points in n bytes (garbage bytes that continue nothing count as none). */
size_t ft_char_count(const void *p, size_t n);

#endif
