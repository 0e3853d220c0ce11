/* filter_repeat.h: how much of a text repeats: lines, and runs of words (Gopher, table A1).
 *
 * Runs are numbered level by level: a run of k words is the pair of the two runs of k - 1 words
 * in it, and what occurs once at one level occurs once at the next, so ordinary text is done
 * after three or four levels. Numbers stand for runs exactly; only words are told apart by hash.
 * What it does not do: tell "ab c" from "a bc" wrongly equal, as joining the words would. */
#ifndef FT_FILTER_REPEAT_H
#define FT_FILTER_REPEAT_H

#include "text/words.h"

typedef struct ft_seen_slot {
    uint64_t key;
    uint32_t stamp, value;
} ft_seen_slot;

/* Remembers which keys it saw, and a number for each; emptied at no cost. All zero is valid. */
typedef struct ft_seen {
    ft_seen_slot *slots;
    size_t cap, mask;
    uint32_t stamp;
} ft_seen;

/* Empties it and makes room for n keys. */
int ft_seen_start(ft_seen *s, size_t n, ft_err *e) FT_MUST_CHECK;
/* Returns: the number of the key; it becomes `value` when the key is new. */
static inline uint32_t ft_seen_number(ft_seen *s, uint64_t key, uint32_t value)
{
    uint64_t h = key * 0x9e3779b97f4a7c15u;
    size_t i = (h ^ h >> 32) & s->mask;
    for (; s->slots[i].stamp == s->stamp; i = (i + 1) & s->mask)
        if (s->slots[i].key == key)
            return s->slots[i].value;
    s->slots[i] = (ft_seen_slot){key, s->stamp, value};
    return value;
}
void ft_seen_free(ft_seen *s);

typedef struct ft_repeat {
    uint32_t *slots;         /* base + the number of a run; smaller: empty                       */
    size_t mask, slots_cap;
    uint32_t base;
    uint64_t *key, *keys;    /* of the runs at hand in order; of the numbers                     */
    uint32_t *at, *run;      /* where the runs at hand begin, in order; their numbers            */
    uint32_t *count, *chars; /* how often a number occurs; characters before each word           */
    size_t n, cap;           /* runs at hand; words that there is room for                       */
    uint64_t top[11];        /* [2..4]: characters of the most frequent run times its count */
    uint64_t dup[11];        /* [5..10]: characters in runs that came before, not overlapping */
} ft_repeat;

/* Fills top and dup for runs of up to `longest` (1..10) words. */
int ft_repeat_measure(ft_repeat *r, const ft_word *v, size_t n, size_t longest,
                      ft_err *e) FT_MUST_CHECK;
void ft_repeat_free(ft_repeat *r);

#endif
