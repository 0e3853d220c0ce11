/* augment_internal.h: random numbers and the changes of a text, shared by the augment_*.c files. */
#ifndef FT_AUGMENT_INTERNAL_H
#define FT_AUGMENT_INTERNAL_H

#include "base/mem.h"
#include "base/rng.h"
#include "data/augment_lists.h"

/* The draws of one copy of one row: a pure function of the row's seed and the copy's number. */
typedef struct ft_dice {
    uint64_t seed;
    uint32_t copy;
    uint64_t at;
} ft_dice;

static inline uint64_t ft_dice_below(ft_dice *d, uint64_t n)
{
    return ft_rng_below(d->seed, FT_RNG_DATA, d->copy, d->at++, n);
}

static inline int ft_dice_chance(ft_dice *d, double p)
{
    uint64_t bits = ft_rng_u64(d->seed, FT_RNG_DATA, d->copy, d->at++) >> 11;
    return (double)bits * 0x1p-53 < p;
}

/* Finds what begins at p and is to be filled: {{name}}, whether or not there are values for it, or
 * <name> with values. Returns: its bytes, with *slot its values or NULL; 0: there is none. slots
 * may be NULL. */
size_t ft_augment_placeholder(const uint8_t *p, size_t n, const ft_lists *slots,
                              const ft_list **slot);

/* Appends text with its placeholders filled: with the same value for all places of a name in a
 * copy; with all values of a slot, in turns, in as many copies as it has values. Returns: whether
 * one was filled; *unfilled: placeholders without values. */
int ft_augment_fill(ft_slice text, const ft_lists *slots, uint64_t seed, uint32_t copy,
                    ft_buf *out, uint64_t *unfilled);

/* Appends text with typing mistakes: each letter, and each of .,;:!?'"- , suffers one with
 * probability p. Digits, placeholders and all else stay; what was valid UTF-8 stays it. A text of
 * which nothing would be left stays as it is. */
void ft_augment_noise(ft_slice text, double p, const ft_lists *slots, ft_dice *dice, ft_buf *out);

enum ft_eda { FT_EDA_SWAP, FT_EDA_DELETE, FT_EDA_REPLACE, FT_EDA_INSERT };

typedef struct ft_eda_work {       /* scratch of a thread, all zero at first */
    ft_slice *words, *spare;
    size_t cap, cap_spare;
    ft_buf bytes;
} ft_eda_work;

/* Appends the words of text, one space between them, after one operation of EDA (Wei and Zou, 2019)
 * with strength alpha. Replace and insert need synonyms. *changed: whether it found anything to do.
 * Errors: FT_ERR_NOMEM. */
int ft_augment_eda(ft_slice text, enum ft_eda op, double alpha, const ft_lists *synonyms,
                   ft_dice *dice, ft_eda_work *w, ft_buf *out, int *changed,
                   ft_err *e) FT_MUST_CHECK;
void ft_eda_work_free(ft_eda_work *w);

#endif
