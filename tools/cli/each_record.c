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
} batch;

/* Reads the next batch. Returns: whether there is one. */
static int read_batch(batch *b, ft_reader *in)
{
    ft_mp record;
    const uint8_t *p;
    ft_buf_clear(&b->bytes);
    for (b->n = 0; b->n < BATCH_RECORDS && b->bytes.n < BATCH_BYTES; b->n++) {
        cli_item *it = &b->items[b->n];
        if (!cli_next(in, &record))
            break;
        ft_buf_clear(&it->out);
        *it = (cli_item){.record = record, .number = ft_reader_records(in), .out = it->out};
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
    b->steps->work(b->ctx, &b->items[task], worker);
}

static void hand_over(batch *b, const ft_reader *in)
{
    for (size_t i = 0; i < b->n; i++) {
        cli_item *it = &b->items[i];
        if (it->err.code < 0) {
            *cli_err() = it->err;
            ft_err_wrap(cli_err(), "record %llu of %s", (unsigned long long)it->number,
                        ft_reader_name(in));
            cli_fail();
        }
        b->steps->done(b->ctx, it);
        if (it->out.cap > BATCH_BYTES)
            ft_buf_free(&it->out);
    }
}

void cli_each_record(ft_reader *in, const cli_steps *steps, void *ctx)
{
    batch b = {.steps = steps, .ctx = ctx};
    b.items = ft_new(BATCH_RECORDS, sizeof *b.items, cli_err());
    if (!b.items)
        cli_fail();
    while (read_batch(&b, in)) {
        ft_pool_run(cli_pool(), b.n, work, &b);
        hand_over(&b, in);
    }
    for (size_t i = 0; i < BATCH_RECORDS; i++)
        ft_buf_free(&b.items[i].out);
    ft_buf_free(&b.bytes);
    ft_free(b.items);
}
