#include "tools/cli/embed_texts.h"

#include "base/mem.h"
#include "nn/embed.h"
#include "tools/cli/cli.h"

#include <string.h>

struct cli_embedder {
    size_t d, most;                  /* numbers of a vector, tokens of a text */
    ft_nn *nn;
    ft_encoder *encoder;
    ft_ids ids;                      /* of the texts of a call, and which row each of them is */
    ft_seq seqs[CLI_EMBED_TEXTS];
    size_t start[CLI_EMBED_TEXTS], row[CLI_EMBED_TEXTS], n;
    float *vectors;                  /* of a call */
};

size_t cli_embed_tokens(const ft_model *m)
{
    return m->context < CLI_EMBED_TOKENS ? m->context : CLI_EMBED_TOKENS;
}

cli_embedder *cli_embedder_new(const ft_model *m, const ft_tokenizer *t, const char *compute)
{
    ft_nn_limits limits = {.tokens = FT_EMBED_TOKENS, .seq_tokens = cli_embed_tokens(m),
                           .targets = 1, .compute = ft_compute_by_name(compute),
                           .whole_last_layer = 1};
    cli_embedder *x = ft_new(1, sizeof *x, cli_err());
    if (!x || !(x->vectors = ft_new(CLI_EMBED_TEXTS, m->C * sizeof *x->vectors, cli_err())))
        cli_fail();
    x->d = m->C;
    x->most = limits.seq_tokens;
    cli_check(ft_encoder_new(&x->encoder, t, cli_err()));
    cli_check(ft_nn_new(&x->nn, m, NULL, cli_pool(), &limits, cli_err()));
    return x;
}

void cli_embedder_free(cli_embedder **x)
{
    if (!*x)
        return;
    ft_nn_free(&(*x)->nn);
    ft_encoder_free(&(*x)->encoder);
    ft_ids_free(&(*x)->ids);
    ft_free((*x)->vectors);
    ft_free(*x);
    *x = NULL;
}

static void add_text(cli_embedder *x, ft_slice text, size_t row)
{
    size_t from = x->ids.n, n;
    cli_check(ft_encode(x->encoder, text.p, text.n, FT_ENCODE_PLAIN, &x->ids, cli_err()));
    n = x->ids.n - from;
    n = n < x->most ? n : x->most;
    x->ids.n = from + n;
    if (n == 0)
        return;
    x->start[x->n] = from;
    x->row[x->n] = row;
    x->seqs[x->n++] = (ft_seq){.T = n, .weight = 1, .key = row};
}

static void read_call(cli_embedder *x, float *out)
{
    for (size_t i = 0; i < x->n; i++)
        x->seqs[i].ids = x->ids.p + x->start[i];
    cli_check(ft_embed(x->nn, x->seqs, x->n, x->vectors, cli_err()));
    for (size_t i = 0; i < x->n; i++)
        memcpy(out + x->row[i] * x->d, x->vectors + i * x->d, x->d * sizeof *out);
    x->ids.n = x->n = 0;
}

void cli_embed(cli_embedder *x, const ft_slice *texts, size_t n, float *out)
{
    memset(out, 0, n * x->d * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        add_text(x, texts[i], i);
        if (x->n == CLI_EMBED_TEXTS)
            read_call(x, out);
    }
    if (x->n)
        read_call(x, out);
}
