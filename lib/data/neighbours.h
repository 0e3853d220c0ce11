/* neighbours.h: what label the most similar texts have. For each text the k nearest others by the
 * cosine of their vectors of words and word pairs (feature_store.h), exactly, through an inverted
 * index; ties go to the earlier text. A text without a word in common is no neighbour.
 *
 *     ft_vote *votes = ft_new(rows, sizeof *votes, e);
 *     ft_neighbours_vote(f, given, K, &(ft_neighbour_options){.k = 10}, pool, votes, e);
 *     if (votes[i].found >= 5 && votes[i].disagree >= 0.7 * votes[i].found) …
 *
 * Time grows with the square of the texts, but common words, of up to 64 columns that more than one
 * text in 20 has, are multiplied only for texts that can still be among the nearest. With more than
 * `index_max` texts, neighbours are looked for among so many, drawn by the seed; every text still
 * gets a vote. Cosines are sums of floats: two that differ by less than 1e-6 may change places,
 * those of equal texts are equal.
 *
 * Memory: 8 bytes for each distinct word or pair of each indexed text, 16 bytes a column, 4 bytes
 * an indexed text for each thread and each common column.
 */
#ifndef FT_NEIGHBOURS_H
#define FT_NEIGHBOURS_H

#include "base/pool.h"
#include "data/feature_store.h"

#define FT_NEIGHBOURS_MAX 64

typedef struct ft_neighbour_options {
    unsigned k;                /* 1..FT_NEIGHBOURS_MAX              */
    size_t index_max;          /* 0: all texts are indexed           */
    uint64_t seed;
    uint64_t bytes_max;        /* 0: no bound                        */
} ft_neighbour_options;

typedef struct ft_vote {
    uint32_t found, disagree;  /* neighbours; those with another label               */
    uint32_t winner;           /* the label most have, of equals that of the nearest;
                                  undefined when found is 0                          */
    float similarity;          /* mean cosine of the neighbours                      */
} ft_vote;

/* Fills votes, one a row of f. given: classes below K.
 * Errors: FT_ERR_NOMEM (also over the bound, with the numbers), FT_ERR_IO. */
int ft_neighbours_vote(const ft_features *f, const uint32_t *given, size_t K,
                       const ft_neighbour_options *o, ft_pool *pool, ft_vote *votes,
                       ft_err *e) FT_MUST_CHECK;

#endif
