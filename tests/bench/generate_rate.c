/* generate_rate: how fast a model generates.
 *
 *     generate_rate MODEL.gguf THREADS f32|bf16|int8 SEQUENCES PROMPT TOKENS
 *
 * Each sequence reads PROMPT tokens, then all generate TOKENS, the likeliest, at the same time:
 * whole passes, with attention, the head and the choice of the token. Prints "generated/s GB/s
 * read/s", by the clock, or with FT_BENCH_CPU in the environment by the processor time of all
 * threads. GB/s is what the weights take when each step reads them once. */
#define _POSIX_C_SOURCE 200809L
#include "base/mem.h"
#include "infer/kv.h"
#include "infer/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(getenv("FT_BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(int rc, const ft_err *e)
{
    if (rc == 0)
        return;
    fprintf(stderr, "generate_rate: %s\n", e->text);
    exit(ft_err_exit_status(e->code));
}

static void *take(size_t count, size_t size)
{
    ft_err e;
    void *p = ft_new(count, size, &e);
    must(p ? 0 : FT_ERR_NOMEM, &e);
    return p;
}

enum { CHUNK = 64 };

typedef struct run {
    const ft_model *m;
    ft_pool *pool;
    ft_pass *pass;
    ft_kv *kv;
    enum ft_compute_in in;
    size_t n, prompt, tokens, n_blocks;
    uint32_t *blocks;              /* n x n_blocks */
    uint32_t *next;                /* n            */
} run;

static void choose(void *ctx, size_t i, unsigned worker)
{
    const run *r = ctx;
    const float *logits = ft_pass_logits(r->pass, i);
    float most = ft_kernels_get()->max(logits, r->m->V);
    (void)worker;
    r->next[i] = 0;
    while (r->next[i] + 1 < r->m->V && logits[r->next[i]] < most)
        r->next[i]++;
}

static void prepare(run *r, size_t threads)
{
    size_t rows = r->n > CHUNK ? r->n : CHUNK;
    ft_pass_limits limits = {.rows = rows, .wanted = r->n, .context = r->prompt + r->tokens + 1,
                             .int8 = r->in == FT_IN_INT8};
    ft_err e;
    r->n_blocks = limits.context / FT_KV_BLOCK + 1;
    r->blocks = take(r->n * r->n_blocks, sizeof *r->blocks);
    r->next = take(r->n, sizeof *r->next);
    must(ft_pool_new(&r->pool, (unsigned)threads, &e), &e);
    must(ft_kv_new(&r->kv, r->m, r->n * r->n_blocks, &e), &e);
    for (size_t i = 0; i < r->n * r->n_blocks; i++)
        must(ft_kv_take(r->kv, &r->blocks[i], &e), &e);
    must(ft_pass_new(&r->pass, r->m, r->kv, r->pool, &limits, &e), &e);
}

static void read_prompt(run *r, size_t sequence)
{
    ft_row rows[CHUNK];
    ft_err e;
    for (size_t at = 0, n; at < r->prompt; at += n) {
        n = r->prompt - at < CHUNK ? r->prompt - at : CHUNK;
        for (size_t i = 0; i < n; i++)
            rows[i] = (ft_row){(uint32_t)((at + i) * 7919 + sequence) % (uint32_t)r->m->V,
                               at + i + 1 == r->prompt, at + i,
                               r->blocks + sequence * r->n_blocks, NULL};
        must(ft_pass_run(r->pass, rows, n, r->in, &e), &e);
    }
    choose(r, 0, 0);
    r->next[sequence] = r->next[0];
}

static void generate(run *r)
{
    ft_row *rows = take(r->n, sizeof *rows);
    ft_err e;
    for (size_t t = 0; t < r->tokens; t++) {
        for (size_t i = 0; i < r->n; i++)
            rows[i] = (ft_row){r->next[i], 1, r->prompt + t, r->blocks + i * r->n_blocks, NULL};
        must(ft_pass_run(r->pass, rows, r->n, r->in, &e), &e);
        ft_pool_run(r->pool, r->n, choose, r);
    }
    ft_free(rows);
}

int main(int argc, char **argv)
{
    run r = {0};
    ft_model *m;
    ft_err e;
    double start, read, made, bytes;
    if (argc != 7)
        return 64;
    must(ft_model_open(&m, argv[1], &e), &e);
    bytes = (double)ft_model_weight_bytes(m);
    r.m = m;
    r.in = strcmp(argv[3], "int8") == 0   ? FT_IN_INT8
           : strcmp(argv[3], "bf16") == 0 ? FT_IN_BF16
                                          : FT_IN_F32;
    r.n = strtoul(argv[4], NULL, 10);
    r.prompt = strtoul(argv[5], NULL, 10);
    r.tokens = strtoul(argv[6], NULL, 10);
    prepare(&r, strtoul(argv[2], NULL, 10));
    read_prompt(&r, 0);                          /* the file is in memory now */
    start = now();
    for (size_t i = r.n; i-- > 0;)
        read_prompt(&r, i);
    read = now() - start;
    start = now();
    generate(&r);
    made = now() - start;
    printf("%.1f %.1f %.1f\n", (double)(r.n * r.tokens) / made,
           (double)r.tokens / made * bytes / 1e9, (double)(r.n * r.prompt) / read);
    return 0;
}
