/* each_record.h: the loop of a filter whose records can be worked on apart from each other: on all
 * threads, handed over in the order they came, so that the result does not depend on the threads.
 *
 *     static void work(void *ctx, cli_item *it, unsigned worker)    on any thread
 *     { if (ft_thing(it->record, &it->out, &it->err) == 0) it->tally[0] = 1; }
 *     static void done(void *ctx, cli_item *it)                     in order, in the caller
 *     { cli_check(ft_writer_put(out, it->out.p, it->out.n, cli_err())); … }
 *     cli_each_record(in, &(cli_steps){.work = work, .done = done}, ctx);
 *
 * Memory: batches of 4 MiB of records (one longer record is a batch by itself) and what `out` gets.
 */
#ifndef FT_CLI_EACH_RECORD_H
#define FT_CLI_EACH_RECORD_H

#include "data/held.h"
#include "tools/cli/cli.h"

typedef struct cli_item {
    ft_mp record;            /* a copy; valid until done returned                       */
    uint64_t number;         /* in the input, from 1                                    */
    ft_buf out;              /* empty when work begins; for what it makes               */
    uint64_t tally[4];       /* zero when work begins; for what done is to count        */
    ft_err err;              /* set by work: the program fails when its turn comes; set by
                              * gathered: there is no work either                        */
} cli_item;

typedef struct cli_steps {
    void (*read)(void *ctx, const cli_item *it);      /* in order, before work; may be NULL    */
    void (*work)(void *ctx, cli_item *it, unsigned worker);    /* worker < threads of the pool */
    void (*done)(void *ctx, cli_item *it);            /* in order                              */
    void (*gathered)(void *ctx, cli_item *items, size_t n);    /* a batch, between read and work, in
                                                       * the caller, who may use the pool; or
                                                       * NULL                                  */
} cli_steps;

/* Runs the steps over all records up to the verified end of `in`. Ends in cli_fail, naming record
 * and stream, when a record's err is set. */
void cli_each_record(ft_reader *in, const cli_steps *steps, void *ctx);

/* The same over records of `in` that were held, the first of which has that number there. */
void cli_each_held(ft_held *held, uint64_t first, const ft_reader *in, const cli_steps *steps,
                   void *ctx);

#endif
