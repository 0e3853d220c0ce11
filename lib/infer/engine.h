/* engine.h: answers many prompts at once with one model.
 *
 * Sequences join and leave at any time (continuous batching): what is left of the prompts is read
 * up to FT_ENGINE_ROWS tokens at a time, then all sequences gain one token a pass. Keys and values
 * stand in a bounded store of blocks (kv.h). A sequence joins only when the store can hold it and
 * all others to their longest ends, so none is ever thrown out. What prompts have in common at
 * their beginnings is computed once.
 *
 * The answer to a request depends on the request and the model: not on the other requests, their
 * order, the batch, the memory, what is shared, or threads (pass.h says why).
 *
 *     ft_engine_new(&g, model, pool, &options, e);
 *     while (more requests || ft_engine_active(g)) {
 *         while (more requests && (rc = ft_engine_add(g, &request, e)) == 1) next request;
 *         ft_engine_step(g, e);                  // calls token and done
 *     }
 */
#ifndef FT_ENGINE_H
#define FT_ENGINE_H

#include "base/err.h"
#include "base/pool.h"
#include "infer/products.h"
#include "infer/sample.h"
#include "model/model.h"
#include "nn/adapter.h"

enum { FT_ENGINE_ROWS = 64 };    /* tokens of prompts that a pass takes. No result depends on it. */

typedef struct ft_engine ft_engine;

enum ft_ending { FT_ENDED,       /* the model gave a stop token, or `token` said so */
                 FT_CUT };       /* max_tokens, or the end of the context           */

typedef struct ft_request {
    const uint32_t *prompt;      /* n >= 1 ids; copied. Virtual tokens of the adapter are put
                                  * before them here                                         */
    size_t n;
    const ft_adapter *adapter;   /* NULL: the base alone                                     */
    uint64_t key;                /* sampling is a function of the seed, this and the token's
                                  * number                                                   */
    size_t max_tokens;           /* >= 1 */
    void *owner;                 /* for the calls below */
} ft_request;

typedef struct ft_answer {
    const uint32_t *ids;         /* without the stop token */
    size_t n;
    enum ft_ending ending;
    size_t shared;               /* tokens of the prompt that were not computed again */
} ft_answer;

typedef struct ft_engine_options {
    size_t batch;                /* most sequences at a time, 1 or more                         */
    size_t context;              /* 1..model's context: most tokens of a sequence               */
    size_t memory;               /* bound of what the engine allocates; 0: its default         */
    size_t max_rank;             /* of the adapters that requests may name; 0: none             */
    int no_share;                /* compute all of each prompt                                  */
    enum ft_compute_in prompts;  /* what tokens of prompts are computed in, */
    enum ft_compute_in answers;  /* and those of answers (see products.h)   */
    ft_sampling sampling;
    uint32_t stop[4];            /* tokens that end an answer: end of turn, end of text         */
    size_t n_stop;
    /* Each token of an answer, in the caller of ft_engine_step. Returns: whether the answer ends
     * with it. May be NULL. */
    int (*token)(void *owner, uint32_t id);
    void (*done)(void *owner, const ft_answer *a);
} ft_engine_options;

/* Bytes that the engine may take when nobody says: 1 GiB and what packed weights take (packed.h),
 * or what one sequence of the whole context takes when that is more. */
size_t ft_engine_default_memory(const ft_model *m, unsigned threads, const ft_engine_options *o);

/* What an engine takes whose store holds one sequence of min_tokens tokens. */
size_t ft_engine_least_memory(const ft_model *m, unsigned threads, const ft_engine_options *o,
                              size_t min_tokens);

/* model, pool and adapters must outlive it. Owns: the caller, ft_engine_free (accepts NULL, sets
 * NULL; what is unanswered is dropped without `done`).
 * Errors: FT_ERR_USAGE for a context that the model has not; FT_ERR_NOMEM, also when `memory` does
 * not suffice for one sequence of `min_tokens` tokens: the message says what would. */
int ft_engine_new(ft_engine **g, const ft_model *m, ft_pool *pool, const ft_engine_options *o,
                  size_t min_tokens, ft_err *e) FT_MUST_CHECK;
void ft_engine_free(ft_engine **g);

/* Returns: 1 when the engine took the request, 0 when it has no room for it now.
 * Errors: FT_ERR_DATA for a prompt that, with the virtual tokens of its adapter, leaves no room for
 * one token in the context, or an id >= V; FT_ERR_NOMEM, also when the request would not fit into
 * `memory` alone. */
int ft_engine_add(ft_engine *g, const ft_request *r, ft_err *e) FT_MUST_CHECK;

size_t ft_engine_active(const ft_engine *g);      /* requests that are not done */

/* One pass over some of the active sequences (at least one). Errors: FT_ERR_NUMERIC when a logit
 * is NaN or infinite, FT_ERR_NOMEM; *failed (may be NULL) receives the owner that it happened to,
 * or NULL. The engine can then only be freed. */
int ft_engine_step(ft_engine *g, void **failed, ft_err *e) FT_MUST_CHECK;

#endif
