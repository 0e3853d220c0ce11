/* dedup_exact.c: the first of equal examples. While the digests fit into --memory, each example is
 * decided when it comes. Then the set grows no more: what it knows is dropped still, everything
 * else is held back, and decided at the end by digests divided on disk. */
#include "base/mem.h"
#include "data/digest_set.h"
#include "data/first_of.h"
#include "data/held.h"
#include "tools/cli/dedup.h"
#include "tools/cli/each_record.h"

#include <string.h>

typedef struct job {
    enum ft_part part;
    unsigned ignore;
    ft_buf (*scratch)[2];        /* one a thread                                */
    ft_digest_set *seen;
    ft_first_of *late;           /* NULL: all digests fit so far                */
    ft_held *held;               /* the examples of late, number by number      */
    ft_writer *out;
} job;

static void make_key(void *ctx, cli_item *it, unsigned worker)
{
    job *j = ctx;
    ft_digest key;
    if (ft_example_key_ignoring(it->record, j->part, j->ignore, j->scratch[worker], &key,
                                &it->err) == 0)
        memcpy(it->tally, &key, sizeof key);     /* errors stay in the item until its turn */
}

static void decide(job *j, ft_mp record, int is_first)
{
    if (!is_first) {
        ft_counts_drop(cli_counts(), "duplicate", 1);
        return;
    }
    cli_check(ft_writer_put(j->out, record.p, record.n, cli_err()));
    cli_counts()->written++;
}

static void take(void *ctx, cli_item *it)
{
    job *j = ctx;
    ft_digest key;
    uint64_t number;
    int is_first = 0;
    memcpy(&key, it->tally, sizeof key);
    cli_counts()->read++;
    if (!j->late && ft_digest_set_is_full(j->seen)) {
        cli_check(ft_first_of_new(&j->late, cli_err()));
        cli_check(ft_held_new(&j->held, cli_err()));
    }
    if (!j->late) {
        cli_check(ft_digest_set_add(j->seen, &key, &number, &is_first, cli_err()));
    } else if (!ft_digest_set_find(j->seen, &key, &number)) {
        cli_check(ft_first_of_add(j->late, &key, cli_err()));
        cli_check(ft_held_add(j->held, it->record, cli_err()));
        return;
    }
    decide(j, it->record, is_first);
}

/* Decides what was held back. */
static void settle(job *j)
{
    ft_mp record;
    cli_check(ft_first_of_resolve(j->late, cli_memory(), cli_err()));
    cli_check(ft_held_rewind(j->held, cli_err()));
    for (uint64_t i = 0; cli_check(ft_held_next(j->held, &record, cli_err())); i++)
        decide(j, record, ft_first_of_is(j->late, i));
    ft_first_of_free(&j->late);
    ft_held_free(&j->held);
}

void cli_dedup_exact(enum ft_part part, unsigned ignore)
{
    job j = {.part = part, .ignore = ignore};
    unsigned threads = ft_pool_threads(cli_pool());
    j.scratch = ft_new(threads, sizeof *j.scratch, cli_err());
    if (!j.scratch)
        cli_fail();
    if (ft_digest_set_new(&j.seen, cli_memory(), cli_err()) < 0) {
        ft_err_wrap(cli_err(), "--memory");
        cli_fail();
    }
    ft_reader *in = cli_reader(cli_input(), FT_KIND_TEXT);
    j.out = cli_writer(cli_output(), cli_header_from(in, FT_KIND_TEXT));
    cli_check(ft_writer_derive(j.out, in, cli_err()));
    cli_each_record(in, &(cli_steps){.work = make_key, .done = take}, &j);
    ft_digest_set_free(&j.seen);
    if (j.late)
        settle(&j);
    cli_finish(&j.out);
    ft_reader_free(&in);
    for (unsigned i = 0; i < threads; i++) {
        ft_buf_free(&j.scratch[i][0]);
        ft_buf_free(&j.scratch[i][1]);
    }
    ft_free(j.scratch);
}
