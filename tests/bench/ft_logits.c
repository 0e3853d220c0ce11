/* ft_logits: prints the logits that ft computes for token ids, as llama_logits does.
 *     ft_logits MODEL.gguf ID... > LOGITS     (n_ids x V little-endian floats) */
#include "base/mem.h"
#include "nn/transformer.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    size_t n = argc > 2 ? (size_t)argc - 2 : 0;
    ft_err e = {0};
    ft_model *m = NULL;
    ft_pool *pool = NULL;
    ft_nn *nn = NULL;
    ft_nn_limits limits = {.tokens = n, .seq_tokens = n};
    uint32_t *ids = ft_new(n, sizeof *ids, &e);
    size_t *at = ft_new(n, sizeof *at, &e);
    float *logits = NULL;
    if (n == 0 || !ids || !at)
        return 64;
    for (size_t i = 0; i < n; i++) {
        ids[i] = (uint32_t)strtoul(argv[i + 2], NULL, 10);
        at[i] = i;
    }
    ft_seq seq = {.ids = ids, .T = n, .weight = 1};
    if (ft_model_open(&m, argv[1], &e) < 0 || ft_pool_new(&pool, 0, &e) < 0 ||
        ft_nn_new(&nn, m, NULL, pool, &limits, &e) < 0 ||
        !(logits = ft_new(n, m->V * sizeof *logits, &e)) ||
        ft_nn_logits(nn, &seq, at, n, logits, &e) < 0) {
        fprintf(stderr, "ft_logits: %s\n", e.text);
        return ft_err_exit_status(e.code);
    }
    if (fwrite(logits, sizeof *logits * m->V, n, stdout) != n || fflush(stdout) != 0)
        return 74;
    ft_free(logits);
    ft_nn_free(&nn);
    ft_pool_free(&pool);
    ft_model_free(&m);
    ft_free(ids);
    ft_free(at);
    return 0;
}
