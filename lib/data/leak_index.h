/* leak_index.h: do evaluation items stand in training examples? Only the evaluation side is
 * indexed: each run of n words (text/word_list.h) by its hash, with item and place; examples are
 * then looked through one by one, on any number of threads.
 *
 *     ft_leak_index_new(&x, &rule, bytes_max, e)
 *     ft_leak_index_add(x, &words, keys, n_keys, e)     for each item; they are numbered from 0
 *     ft_leak_index_finish(x, e)
 *     ft_leak_find(x, &words, &scratch, e)              for each example: scratch.match[…]
 *
 * The rule: of an item of at least n words, the longest passage of words that the example has too
 * (span) and the share of the item's words that lie in any run of n words found in the example
 * (share, wherever these runs stand). It leaks when span >= span_min and (share >= share_min or
 * span >= span_sure). An item of fewer words leaks when a key of it, made by the caller from the
 * whole item and its answer, is a key of the example.
 *
 * Runs of n words found in more than `often` examples are boilerplate: ft_leak_seen counts
 * examples, ft_leak_ignore_often leaves such runs out from then on.
 *
 * What it does not do: of a run that one item repeats more than 64 times only the first 64 places
 * are known, and of one example at most 4 million hits are looked at.
 *
 * Memory: 20 bytes a word of the items and 3 to 6 bytes for what finds them quickly.
 * Threads: ft_leak_find may run on many at a time, each with its own scratch, none of the others.
 */
#ifndef FT_LEAK_INDEX_H
#define FT_LEAK_INDEX_H

#include "base/err.h"
#include "base/hash.h"
#include "text/word_list.h"

#include <stdint.h>

#define FT_LEAK_WORDS_MAX 64

typedef struct ft_leak_rule {
    uint32_t n;                  /* words of a run, 1..FT_LEAK_WORDS_MAX */
    uint32_t span_min, span_sure;
    double share_min;
} ft_leak_rule;

typedef struct ft_leak_match {
    uint32_t item;
    uint32_t span;               /* words; of a short item all its words                     */
    uint32_t from;               /* word of the example at which the first longest span begins */
    double share;
    int is_short;                /* by key; from is 0                                        */
} ft_leak_match;

typedef struct ft_leak_hit {
    uint32_t item, at, row, run; /* a run's place in the item and in the example; its number  */
} ft_leak_hit;

typedef struct ft_leak_scratch { /* all zero is valid */
    ft_leak_hit *hit;
    size_t n_hits, hit_cap;
    ft_leak_match *match;        /* the result, by item */
    size_t n_matches, match_cap;
} ft_leak_scratch;

typedef struct ft_leak_index ft_leak_index;

/* bytes_max: 0 for no bound. Owns: the caller, ft_leak_index_free (accepts NULL, sets NULL). */
int ft_leak_index_new(ft_leak_index **x, const ft_leak_rule *rule, uint64_t bytes_max,
                      ft_err *e) FT_MUST_CHECK;

/* Adds an item; keys count only when it has fewer than n words. Errors: FT_ERR_NOMEM, also with
 * the numbers when the bound would be passed. */
int ft_leak_index_add(ft_leak_index *x, const ft_word_list *words, const ft_digest *keys,
                      size_t n_keys, ft_err *e) FT_MUST_CHECK;
int ft_leak_index_finish(ft_leak_index *x, ft_err *e) FT_MUST_CHECK;

uint32_t ft_leak_index_items(const ft_leak_index *x);
int ft_leak_index_has_short(const ft_leak_index *x);       /* whether keys are of any use */

/* Finds the runs of the example that are in the index (hit), then what leaks (match). keys: of the
 * example, for short items. */
int ft_leak_find(const ft_leak_index *x, const ft_word_list *words, const ft_digest *keys,
                 size_t n_keys, ft_leak_scratch *s, ft_err *e) FT_MUST_CHECK;
/* Finds only which runs of the example are in the index, each place once (hit, of the first item
 * that has the run), and the short items (match): for counting, when runs may be in many items. */
int ft_leak_find_runs(const ft_leak_index *x, const ft_word_list *words, const ft_digest *keys,
                      size_t n_keys, ft_leak_scratch *s, ft_err *e) FT_MUST_CHECK;
void ft_leak_scratch_free(ft_leak_scratch *s);

/* Counts an example for the runs hit in it: after ft_leak_find or ft_leak_find_runs, by the
 * numbers of hits, each once. */
void ft_leak_seen(ft_leak_index *x, const uint32_t *runs, size_t n);

/* From now on leaves out runs seen in more than `often` examples. Returns: how many these are. */
uint64_t ft_leak_ignore_often(ft_leak_index *x, uint64_t often);

void ft_leak_index_free(ft_leak_index **x);

#endif
