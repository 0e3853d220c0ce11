/* generate_rate: how fast a model generates.
 *
 *     generate_rate MODEL.gguf THREADS decode TOKENS [PROMPT]     one sequence
 *     generate_rate MODEL.gguf THREADS f32|bf16 M [STEPS]         the products of M sequences
 *
 * decode: PROMPT tokens (8) are read, then TOKENS are generated. f32, bf16: all products of the
 * model with M rows, STEPS times, without attention and norms. Prints "tokens/s GB/s" (decode: and
 * tokens/s of reading the prompt), wall clock, or with FT_BENCH_CPU in the environment by the
 * processor time of all threads. GB/s is what the weights take when each step reads them once. */
#define _POSIX_C_SOURCE 200809L
#include "base/mem.h"
#include "infer/kv.h"
#include "infer/pass.h"
#include "infer/products.h"
#include "kernels/kernels.h"

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

static void *take(size_t n)
{
    ft_err e;
    void *p = ft_new_aligned(n, 1, &e);
    must(p ? 0 : FT_ERR_NOMEM, &e);
    return p;
}

enum { CHUNK = 64 };

/* Reads n tokens from position `at` on. Returns: the likeliest next one. */
static uint32_t feed(ft_pass *p, const ft_model *m, const uint32_t *blocks, size_t at,
                     const uint32_t *ids, size_t n)
{
    ft_row rows[CHUNK];
    const float *logits;
    uint32_t best = 0;
    ft_err e;
    for (size_t done = 0, now_n; done < n; done += now_n) {
        now_n = n - done < CHUNK ? n - done : CHUNK;
        for (size_t i = 0; i < now_n; i++)
            rows[i] = (ft_row){ids[done + i], done + i + 1 == n, at + done + i, blocks, NULL};
        must(ft_pass_run(p, rows, now_n, 0, &e), &e);
    }
    logits = ft_pass_logits(p, 0);
    for (uint32_t i = 1; i < m->V; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static double decode(const ft_model *m, ft_pool *pool, size_t tokens, size_t prompt, double *read)
{
    size_t n_blocks = (prompt + tokens) / FT_KV_BLOCK + 1;
    uint32_t *ids = take((prompt + 1) * sizeof *ids), id;
    uint32_t *blocks = take(n_blocks * sizeof *blocks);
    ft_pass *p;
    ft_kv *kv;
    ft_err e;
    double start;
    for (size_t i = 0; i < prompt; i++)
        ids[i] = (uint32_t)(i * 7919 + 13) % (uint32_t)m->V;
    must(ft_kv_new(&kv, m, n_blocks, &e), &e);
    for (size_t i = 0; i < n_blocks; i++)
        must(ft_kv_take(kv, &blocks[i], &e), &e);
    must(ft_pass_new(&p, m, kv, pool, &(ft_pass_limits){CHUNK, 1, prompt + tokens, 0}, &e), &e);
    start = now();
    id = feed(p, m, blocks, 0, ids, prompt);
    *read = (double)prompt / (now() - start);
    start = now();
    for (size_t i = 0; i < tokens; i++)
        id = feed(p, m, blocks, prompt + i, &id, 1);
    return (double)tokens / (now() - start);
}

struct room {
    float *x, *y[3], **scratch;
    uint16_t *rounded;
    size_t M;
    int compute;
};

static void product(const struct room *r, ft_pool *pool, const ft_weight *w, size_t n)
{
    ft_product list[3];
    ft_products run = {list, n, r->M, 0, 0, r->scratch, FT_PRODUCTS_F32};
    if (r->compute)
        run.compute = FT_PRODUCTS_BF16;
    for (size_t i = 0; i < n; i++)
        list[i] = (ft_product){&w[i], r->x, r->y[i], NULL, NULL, NULL, r->rounded};
    ft_products_run(&run, pool);
}

static double products(const ft_model *m, ft_pool *pool, size_t M, int bf16, size_t steps)
{
    size_t widest = m->V > m->F ? m->V : m->F, cols = m->F > m->C ? m->F : m->C;
    struct room r = {.M = M, .compute = bf16};
    double start = 0;
    r.x = take(M * cols * sizeof(float));
    r.rounded = take(M * cols * sizeof(uint16_t));
    r.scratch = take(ft_pool_threads(pool) * sizeof(float *));
    for (int i = 0; i < 3; i++)
        r.y[i] = take(M * (i ? m->F : widest) * sizeof(float));
    for (unsigned i = 0; i < ft_pool_threads(pool); i++)
        r.scratch[i] = take(ft_products_scratch(cols, M) * sizeof(float));
    for (size_t i = 0; i < M * cols; i++)
        r.x[i] = (float)((i * 7919) % 1000) / 500.0f - 1.0f;
    for (size_t s = 0; s <= steps; s++) {
        if (s == 1)
            start = now();
        for (size_t l = 0; l < m->L; l++) {
            const ft_weight *w = m->layers[l].w;
            product(&r, pool, w + FT_Q, 3);
            product(&r, pool, w + FT_O, 1);
            product(&r, pool, w + FT_GATE, 2);
            product(&r, pool, w + FT_DOWN, 1);
        }
        product(&r, pool, &m->head, 1);
    }
    return (double)(M * steps) / (now() - start);
}

int main(int argc, char **argv)
{
    ft_model *m;
    ft_pool *pool;
    ft_err e;
    double rate, read = 0, bytes;
    size_t n, more;
    if (argc < 5)
        return 64;
    must(ft_model_open(&m, argv[1], &e), &e);
    must(ft_pool_new(&pool, (unsigned)atoi(argv[2]), &e), &e);
    n = strtoul(argv[4], NULL, 10);
    more = argc > 5 ? strtoul(argv[5], NULL, 10) : 8;
    bytes = (double)ft_model_weight_bytes(m);
    if (strcmp(argv[3], "decode") == 0) {
        rate = decode(m, pool, n, more, &read);
        printf("%.1f %.1f %.1f\n", rate, rate * bytes / 1e9, read);
    } else {
        rate = products(m, pool, n, strcmp(argv[3], "bf16") == 0, more);
        printf("%.1f %.1f\n", rate, rate / (double)n * bytes / 1e9);
    }
    return 0;
}
