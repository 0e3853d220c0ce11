/* pool.h: a few threads that run jobs.
 *
 * Two ways to use one pool: ft_pool_run, a parallel loop that returns when all tasks are done,
 * and ft_pool_submit/ft_pool_wait for work that overlaps with the caller's (compression). Which
 * thread runs a task is left to chance, so a task must write only its own part of the result.
 * A pool of one thread starts no thread at all and runs everything in the caller.
 *
 *     ft_pool_run(pool, n_rows, normalise_row, &ctx);     // ctx shared, task = row number
 */
#ifndef FT_POOL_H
#define FT_POOL_H

#include "base/err.h"

#include <stddef.h>

typedef struct ft_pool ft_pool;

typedef struct ft_job {            /* the caller's memory, alive until ft_pool_wait returned */
    void (*run)(void *arg);
    void *arg;
    struct ft_job *next;           /* the pool's */
    int state;                     /* the pool's */
} ft_job;

/* Makes a pool in which `threads` threads work, the caller counted (1..256; 0 = one for each
 * processor this process may use). When the system gives fewer threads, the pool has fewer.
 * Owns: the caller, ft_pool_free, with no job outstanding. */
int ft_pool_new(ft_pool **p, unsigned threads, ft_err *e) FT_MUST_CHECK;

/* Returns: the number of threads that work, the caller counted; also the bound of `worker`. */
unsigned ft_pool_threads(const ft_pool *p);

/* Calls fn(ctx, task, worker) for each task in [0, tasks); worker in [0, ft_pool_threads) is a
 * number that no other call running at the time has, for scratch memory. */
void ft_pool_run(ft_pool *p, size_t tasks, void (*fn)(void *ctx, size_t task, unsigned worker),
                 void *ctx);

/* Queues a job; with one thread it is run at once. Threads: one submitting thread a pool. */
void ft_pool_submit(ft_pool *p, ft_job *job);

/* Returns when the job is done; runs it in the caller if no thread has taken it yet. */
void ft_pool_wait(ft_pool *p, ft_job *job);

/* Stops and joins the threads; accepts NULL, sets NULL. */
void ft_pool_free(ft_pool **p);

#endif
