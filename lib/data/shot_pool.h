/* shot_pool.h: the examples that ft-shots chooses from: their records in a spool, the key of each
 * one's question in memory.
 *
 *     ft_shot_pool_new(&p, bytes_max, e);
 *     for each record: ft_shot_pool_add(p, record, &asks, e);      // numbered 0, 1, 2, …
 *     ft_shot_pool_end(p, e);
 *     n = ft_shot_pool_choose(p, order, n, &asks, k, chosen);
 *     ft_shot_pool_read(p, chosen[i], &bytes, e);
 *
 * Which ones are near a question is decided elsewhere (bm25.h, vectors.h). Memory: 24 bytes a
 * record.
 */
#ifndef FT_SHOT_POOL_H
#define FT_SHOT_POOL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mp.h"

typedef struct ft_shot_pool ft_shot_pool;

/* bytes_max: what the table of the records may take; 0: no bound. Owns: the caller,
 * ft_shot_pool_free (accepts NULL, sets NULL). */
int ft_shot_pool_new(ft_shot_pool **p, uint64_t bytes_max, ft_err *e) FT_MUST_CHECK;
void ft_shot_pool_free(ft_shot_pool **p);

/* Adds a record whose question has this key (ft_example_key of FT_PART_PROMPT). Errors:
 * FT_ERR_NOMEM, with the numbers when the bound would be passed; FT_ERR_IO. */
int ft_shot_pool_add(ft_shot_pool *p, ft_mp record, const ft_digest *asks, ft_err *e) FT_MUST_CHECK;
int ft_shot_pool_end(ft_shot_pool *p, ft_err *e) FT_MUST_CHECK;     /* once, before reading */
size_t ft_shot_pool_count(const ft_shot_pool *p);

/* Draws min(k, count) different numbers by the seed. Returns: how many. */
size_t ft_shot_pool_draw(const ft_shot_pool *p, uint64_t seed, size_t k, uint32_t *numbers);

/* From n numbers, the best first, leaves out those that ask the same as the question, takes the
 * first k of the rest and turns them round: the best stands last. Returns: how many. */
size_t ft_shot_pool_choose(const ft_shot_pool *p, const uint32_t *numbers, size_t n,
                           const ft_digest *asks, size_t k, uint32_t *chosen);

/* Gives a record's bytes in `to`, cleared first. Threads: any, each with its own buffer. */
int ft_shot_pool_read(const ft_shot_pool *p, uint32_t number, ft_buf *to, ft_err *e) FT_MUST_CHECK;

#endif
