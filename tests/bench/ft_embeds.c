/* ft_embeds: writes the embeddings of lines of token ids on standard input, and says on standard
 * error how many tokens a second that was, the best of three.
 *     ft_embeds MODEL.gguf f32|bf16|int8|auto THREADS < IDS > VECTORS
 * VECTORS are C little-endian floats a line.
 * At most 4096 lines of at most 1024 ids. */
#define _GNU_SOURCE
#include "base/mem.h"
#include "nn/embed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LINES = 4096, LONGEST = 1024 };

static uint32_t ids[LINES * LONGEST];
static ft_seq seqs[LINES];

static size_t read_lines(size_t *n)
{
    static char line[LONGEST * 12];
    size_t used = 0;
    while (*n < LINES && fgets(line, sizeof line, stdin)) {
        ft_seq *s = &seqs[(*n)++];
        char *p = line, *end;
        s->ids = ids + used;
        for (; s->T < LONGEST; s->T++, p = end) {
            unsigned long id = strtoul(p, &end, 10);
            if (end == p)
                break;
            ids[used++] = (uint32_t)id;
        }
    }
    return used;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    ft_err e = {0};
    ft_model *m = NULL;
    ft_pool *pool = NULL;
    ft_nn *nn = NULL;
    ft_nn_limits limits = {.tokens = FT_EMBED_TOKENS, .seq_tokens = LONGEST, .targets = 1,
                           .whole_last_layer = 1};
    size_t n = 0, tokens = read_lines(&n);
    float *out = NULL;
    double best = 0;
    if (argc != 4 || n == 0)
        return 64;
    limits.compute = ft_compute_by_name(argv[2]);
    if (ft_model_open(&m, argv[1], &e) < 0 ||
        ft_pool_new(&pool, (unsigned)strtoul(argv[3], NULL, 10), &e) < 0 ||
        ft_nn_new(&nn, m, NULL, pool, &limits, &e) < 0 ||
        !(out = ft_new(n, m->C * sizeof *out, &e)))
        goto failed;
    for (int run = 0; run < 3; run++) {
        double from = seconds(), rate;
        if (ft_embed(nn, seqs, n, out, &e) < 0)
            goto failed;
        rate = (double)tokens / (seconds() - from);
        best = rate > best ? rate : best;
    }
    fprintf(stderr, "%.0f\n", best);
    if (fwrite(out, sizeof *out * m->C, n, stdout) != n || fflush(stdout) != 0)
        return 74;
    ft_free(out);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_model_free(&m);
    return 0;
failed:
    fprintf(stderr, "ft_embeds: %s\n", e.text);
    return ft_err_exit_status(e.code);
}
