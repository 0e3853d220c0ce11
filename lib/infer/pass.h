/* pass.h: one pass of the model over rows: tokens of any sequences, prompts and answers mixed.
 *
 * Every product is a dot product along K in one order that depends on nothing but K (products.h),
 * attention sums over a sequence's positions in order, adapters are applied beside the base, row
 * by row. So what is computed for a token is the same bits whatever other rows are in the pass,
 * however its sequence was cut into passes, and for any number of threads. Training's forward
 * (nn/transformer.h) is another path, through BLAS, and agrees to rounding.
 *
 *     ft_pass_new(&p, model, kv, pool, &(ft_pass_limits){.rows = 64, .wanted = 16, …}, e);
 *     ft_pass_run(p, rows, n, FT_IN_F32, e);
 *     id = the largest of ft_pass_logits(p, 0);           // of the first row that wants them
 */
#ifndef FT_PASS_H
#define FT_PASS_H

#include "base/err.h"
#include "base/pool.h"
#include "infer/kv.h"
#include "infer/products.h"
#include "model/model.h"
#include "nn/adapter.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ft_pass ft_pass;

typedef struct ft_pass_limits {
    size_t rows;                 /* most rows of a pass                         */
    size_t wanted;               /* most rows of a pass whose logits are wanted */
    size_t context;              /* tokens of a sequence, 1..model's context    */
    size_t max_rank;             /* of the adapters; 0: there are none          */
    int int8;                    /* passes may compute in bytes (packed.h)      */
} ft_pass_limits;

typedef struct ft_row {
    uint32_t id;                 /* token, < V, or a virtual one of the adapter                 */
    int wanted;                  /* logits after this token                                     */
    size_t at;                   /* its position; those before it are in the store or this pass */
    const uint32_t *blocks;      /* of its sequence: at / FT_KV_BLOCK + 1 of them               */
    const ft_adapter *adapter;   /* NULL: the base alone. Its parameters must stay as they are
                                  * while the pass lives                                        */
} ft_row;

/* model, kv and pool must outlive it. Owns: the caller, ft_pass_free (accepts NULL, sets NULL).
 * Errors: FT_ERR_USAGE for a context that the model has not; FT_ERR_NOMEM.
 * Threads: one at a time; the work is spread over pool. */
int ft_pass_new(ft_pass **p, const ft_model *m, ft_kv *kv, ft_pool *pool,
                const ft_pass_limits *limits, ft_err *e) FT_MUST_CHECK;
void ft_pass_free(ft_pass **p);

/* Bytes that ft_pass_new takes with these limits. */
size_t ft_pass_bytes(const ft_model *m, unsigned threads, const ft_pass_limits *limits);

/* Computes n rows (1..limits.rows) and files their keys and values. Rows of one sequence stand in
 * the order of their positions. in: what products are computed in (products.h).
 * Errors: FT_ERR_NOMEM. */
int ft_pass_run(ft_pass *p, const ft_row *rows, size_t n, enum ft_compute_in in,
                ft_err *e) FT_MUST_CHECK;

/* Returns: V logits after the i-th row that wanted them; the caller may write to them; valid until
 * the next pass. */
float *ft_pass_logits(ft_pass *p, size_t i);

#endif
