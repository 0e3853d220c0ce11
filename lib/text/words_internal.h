/* words_internal.h: between words.c (cutting), words_affix.c (what comes off and where to cut) and
 * words_special.c (what is known by name). */
#ifndef FT_WORDS_INTERNAL_H
#define FT_WORDS_INTERNAL_H

#include "text/words.h"

#include <string.h>

#define WORDS_PARTS_MAX 4

/* 64 bits of a word, for tables in memory alone: the value may change from version to version. */
static inline uint64_t ft_words_hash(const uint8_t *p, size_t n)
{
    uint64_t h = n * 0x9e3779b97f4a7c15u, a = 0, b = 0;
    for (; n > 16; p += 8, n -= 8) {
        memcpy(&a, p, 8);
        h = (h ^ a) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 31;
    }
    if (n >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t c, d;
        memcpy(&c, p, 4);
        memcpy(&d, p + n - 4, 4);
        a = c;
        b = d;
    } else if (n > 0) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1];
    }
    h = (h ^ a) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 29 ^ b) * 0x94d049bb133111ebu;
    return h ^ h >> 32;
}

/* For eight bytes of text, from the lowest: the high bit of each that is under `low` (1..128) or
 * over 7f; right up to the first that is set. */
static inline uint64_t ft_words_unplain(uint64_t x, uint8_t low)
{
    const uint64_t ones = 0x0101010101010101u;
    return ((x - ones * low) | x) & (ones << 7);
}

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
    uint64_t ends[64];                /* bit of specials_end: one has these ends     */
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
