/* words_internal.h: between words.c (cutting), words_affix.c (what comes off and where to cut) and
 * words_special.c (what is known by name). */
#ifndef FT_WORDS_INTERNAL_H
#define FT_WORDS_INTERNAL_H

#include "text/words.h"

#define WORDS_PARTS_MAX 4

/* A piece known by name: into which parts it falls. 0 parts: not known. */
typedef struct special {
    uint64_t hash;
    uint8_t bytes, n;
    uint8_t part[WORDS_PARTS_MAX];    /* their bytes */
    uint8_t has_affix;                /* would be cut if it were not known: see merge_specials */
    char text[30];
} special;

typedef struct specials {
    special *slots;                   /* open addressing, a power of two */
    size_t mask, longest;
    uint32_t lengths[256];            /* bit n: one of n bytes begins with this byte */
} specials;

int ft_specials_new(specials *s, ft_err *e) FT_MUST_CHECK;
const special *ft_specials_find(const specials *s, const uint8_t *p, size_t n);

typedef struct ft_words_range {
    uint32_t from, to, bits;
} ft_words_range;
extern const ft_words_range ft_words_ranges[];
extern const size_t ft_words_n_ranges;

/* Bytes of what comes off the front or the end of a piece; 0: nothing. */
size_t ft_words_prefix(const ft_words *w, const uint8_t *p, size_t n);
size_t ft_words_suffix(const ft_words *w, const uint8_t *p, size_t n);

/* The next place to cut inside, at or behind `from`. Returns: its bytes and *at, or 0. */
size_t ft_words_infix(const ft_words *w, const uint8_t *p, size_t n, size_t from, size_t *at);

int ft_words_is_address(const ft_words *w, const uint8_t *p, size_t n);

#endif
