#include "tools/cli/train_virtual.h"

#include "nn/virtual_tokens.h"
#include "tools/cli/cli.h"

#include <string.h>

static void ids_of_text(const ft_tokenizer *tok, const char *text, ft_ids *ids)
{
    ft_encoder *enc = NULL;
    cli_check(ft_encoder_new(&enc, tok, cli_err()));
    cli_check(ft_encode(enc, text, strlen(text), FT_ENCODE_SPECIAL, ids, cli_err()));
    ft_encoder_free(&enc);
    if (ids->n == 0)
        cli_usage_error("--init-text: '%s' has no tokens in this model's vocabulary", text);
}

/* Example after example, until there are enough. */
static void ids_of_data(ft_dataset *d, size_t wanted, ft_ids *ids)
{
    ft_batch b = {0};
    for (size_t i = 0; i < d->n_examples && ids->n < wanted; i++) {
        const ft_seq *s;
        ft_batch_clear(&b);
        cli_check(ft_dataset_fetch(d, &i, 1, &b, cli_err()));
        s = ft_batch_seqs(&b);
        for (size_t t = d->before.n; t < s->T && ids->n < wanted; t++)
            cli_check(ft_ids_add(ids, s->ids[t], cli_err()));
    }
    ft_batch_free(&b);
}

void cli_virtual_begin(ft_adapter *a, const ft_model *m, const ft_tokenizer *tok,
                       const char *text, ft_dataset *train)
{
    size_t n = ft_virtual_of(a, m).n;
    ft_ids ids = {0};
    if (!n)
        return;
    if (text)
        ids_of_text(tok, text, &ids);
    else
        ids_of_data(train, n, &ids);
    cli_check(ft_virtual_begin(a, m, ids.p, ids.n, cli_pool(), cli_err()));
    ft_ids_free(&ids);
}
