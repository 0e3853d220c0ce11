#include "tools/cli/each_record.h"

#include "base/mem.h"

#define BATCH_BYTES (4u << 20)
#define BATCH_RECORDS 4096

typedef struct batch {
    const cli_steps *steps;
    void *ctx;
    ft_buf bytes;                /* the records, one behind the other */
    cli_item *items;
    size_t n;
    ft_reader *in;               /* where records come from, or */
    ft_held *held;
    uint64_t number;             /* of the last one             */
    const char *name;
} batch;

static int next_record(batch *b, ft_mp *record)
{
    int rc = b->held ? cli_check(ft_held_next(b->held, record, cli_err()))
                     : cli_next(b->in, record);
    if (rc)
        b->number = b->held ? b->number + 1 : ft_reader_records(b->in);
    return rc;
}

/* Reads the next batch. Returns: whether there is one. */
static int read_batch(batch *b)
{
    ft_mp record;
    const uint8_t *p;
    ft_buf_clear(&b->bytes);
    for (b->n = 0; b->n < BATCH_RECORDS && b->bytes.n < BATCH_BYTES; b->n++) {
        cli_item *it = &b->items[b->n];
        if (!next_record(b, &record))
            break;
        ft_buf_clear(&it->out);
        *it = (cli_item){.record = record, .number = b->number, .out = it->out};
        if (b->steps->read)
            b->steps->read(b->ctx, it);
        ft_buf_add(&b->bytes, record.p, record.n);
        cli_check(ft_buf_check(&b->bytes, cli_err()));
    }
    p = b->bytes.p;              /* the buffer moves no more */
    for (size_t i = 0; i < b->n; i++) {
        b->items[i].record.p = p;
        p += b->items[i].record.n;
    }
    return b->n > 0;
}

static void work(void *ctx, size_t task, unsigned worker)
{
    batch *b = ctx;
    if (b->items[task].err.code == 0)
        b->steps->work(b->ctx, &b->items[task], worker);
}

static void hand_over(batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        cli_item *it = &b->items[i];
        if (it->err.code < 0) {
            *cli_err() = it->err;
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)it->number,
                        b->name);
            cli_fail();
        }
        b->steps->done(b->ctx, it);
        if (it->out.cap > BATCH_BYTES)
            ft_buf_free(&it->out);
    }
}

static void run(batch *b)
{
    b->items = ft_new(BATCH_RECORDS, sizeof *b->items, cli_err());
    if (!b->items)
        cli_fail();
    while (read_batch(b)) {
        if (b->steps->gathered)
            b->steps->gathered(b->ctx, b->items, b->n);
        ft_pool_run(cli_pool(), b->n, work, b);
        hand_over(b);
    }
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        ft_buf_free(&b->items[i].out);
    ft_buf_free(&b->bytes);
    ft_free(b->items);
}

void cli_each_record(ft_reader *in, const cli_steps *steps, void *ctx)
{
    batch b = {.steps = steps, .ctx = ctx, .in = in, .name = ft_reader_name(in)};
    run(&b);
}

void cli_each_held(ft_held *held, uint64_t first, const ft_reader *in, const cli_steps *steps,
                   void *ctx)
{
    batch b = {.steps = steps, .ctx = ctx, .held = held, .number = first - 1,
               .name = ft_reader_name(in)};
    run(&b);
}
