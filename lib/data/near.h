/* near.h: near-duplicates by MinHash and locality-sensitive hashing (Broder 1997; Indyk and Motwani
 * 1998). A row is a set of shingles (text/shingles.h). bands * rows minima of it are taken; two
 * rows are candidates when all the minima of some band are equal, which happens with probability
 * 1 - (1 - J^rows)^bands for a Jaccard index J. Candidates are then compared exactly, so that bands
 * decide what may be missed, never what is wrongly found.
 *
 *     ft_near *f = NULL;
 *     ft_near_new(&f, 0, 14, 8, e) …      ft_near_keys(f, s.h, s.n, scratch, keys)
 *
 * near_sets.h keeps the sets, near_links.h brings equal keys together, near_clusters.h decides.
 */
#ifndef FT_NEAR_H
#define FT_NEAR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FT_NEAR_BANDS_MAX 128
#define FT_NEAR_ROWS_MAX 32
#define FT_NEAR_LIMIT (UINT32_MAX - 1)      /* most rows */

typedef struct ft_near ft_near;             /* the hash functions; never changes: any thread */

/* Makes bands * rows hash functions (a*h + b) >> 32, a odd, from ft_rng_u64(seed, FT_RNG_DATA,
 * 0, 2j) and (…, 2j + 1). Owns: the caller, ft_near_free (accepts NULL, sets NULL). */
int ft_near_new(ft_near **f, uint64_t seed, size_t bands, size_t rows, ft_err *e) FT_MUST_CHECK;
void ft_near_free(ft_near **f);

size_t ft_near_bands(const ft_near *f);
size_t ft_near_minima(const ft_near *f);    /* bands * rows */

/* The key of each band for a set of n > 0 hashes: XXH3-64 of its minima as little-endian 32-bit
 * numbers, with 0 replaced by 1. scratch: ft_near_minima numbers. */
void ft_near_keys(const ft_near *f, const uint64_t *h, size_t n, uint32_t *scratch,
                  uint64_t *keys);

/* Returns: the probability that two rows of Jaccard index j are candidates. */
double ft_near_probability(double j, size_t bands, size_t rows);

#endif
