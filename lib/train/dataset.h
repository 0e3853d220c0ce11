/* dataset.h: all rows of a packed stream, read once and verified before the first step, then
 * fetched in any order. Ids and masks lie in a spool ($TMPDIR); in memory there are only 24 bytes
 * for each example and 8 for each row.
 *
 *     ft_dataset_new(&d, model->V, e);
 *     while ((rc = ft_reader_next(in, &record, e)) == 0) ft_dataset_add(d, record, e);
 *     if (rc == FT_EOS) ft_dataset_end(d, e);
 *     ft_dataset_fetch(d, examples, n, &batch, e);
 *
 * An example here is a segment: what a packed row holds several of.
 */
#ifndef FT_DATASET_H
#define FT_DATASET_H

#include "base/err.h"
#include "base/io.h"
#include "base/mp.h"
#include "train/batch.h"

typedef struct ft_dataset_example {
    uint64_t at;                   /* in the spool: the real tokens as little-endian u32, the mask's
                                    * bits, the id: its bytes as msgpack, behind how many (u32) */
    uint32_t T, n_targets;         /* T: the virtual tokens counted; the spool has them not */
    float weight;
} ft_dataset_example;

typedef struct ft_dataset {        /* to be read, not written, by others */
    size_t n_rows, n_examples;
    uint64_t n_tokens, n_targets;  /* n_tokens: the virtual ones counted */
    double weight;                 /* sum over all targets */
    size_t longest;                /* tokens of the longest example */
    size_t widest;                 /* examples in the fullest row */
    ft_dataset_example *examples;
    size_t *row_at;                /* row r holds examples [row_at[r], row_at[r + 1]) */
    size_t V;
    ft_virtual before;             /* what each example begins with; set before the first */
    ft_spool *spool;
    ft_buf scratch;
    size_t examples_cap, rows_cap;
} ft_dataset;

/* V: ids must be below it. Owns: the caller, ft_dataset_free. */
int ft_dataset_new(ft_dataset **d, size_t V, ft_err *e) FT_MUST_CHECK;
void ft_dataset_free(ft_dataset **d);

/* Adds one packed record. Errors: FT_ERR_DATA, FT_ERR_IO, FT_ERR_NOMEM. */
int ft_dataset_add(ft_dataset *d, ft_mp record, ft_err *e) FT_MUST_CHECK;

/* Ends the adding. Errors: FT_ERR_DATA when there is nothing to learn from: no rows, no targets, or
 * no weight on any of them. */
int ft_dataset_end(ft_dataset *d, ft_err *e) FT_MUST_CHECK;

/* Appends the examples with these numbers to b; their keys are their numbers. */
int ft_dataset_fetch(ft_dataset *d, const size_t *examples, size_t n, ft_batch *b,
                     ft_err *e) FT_MUST_CHECK;

/* Puts the id of an example into b as it stands in its record. */
int ft_dataset_id(ft_dataset *d, size_t example, ft_buf *b, ft_err *e) FT_MUST_CHECK;

/* Returns: the number of the row that holds an example. */
size_t ft_dataset_row_of(const ft_dataset *d, size_t example);

/* Returns: bytes of memory that the index takes. */
size_t ft_dataset_bytes(const ft_dataset *d);

#endif
