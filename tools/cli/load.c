#include "tools/cli/load.h"

#include "base/mem.h"
#include "model/nf4.h"
#include "tools/cli/cli.h"

#include <string.h>

ft_model *cli_base(const char *form)
{
    ft_model *m = NULL;
    cli_check(ft_model_open(&m, cli_model(), cli_err()));
    if (strcmp(form, "nf4") == 0)
        cli_check(ft_model_to_nf4(m, cli_pool(), cli_err()));
    return m;
}

/* Returns: a token id from the metadata, or -1 when there is none. */
static int64_t token_id(const ft_gguf *g, const char *key)
{
    uint64_t id;
    if (!ft_gguf_kv_find(g, key))
        return -1;
    cli_check(ft_gguf_uint(g, key, &id, cli_err()));
    return id > INT64_MAX ? INT64_MAX : (int64_t)id;
}

static _Noreturn void refuse(const ft_gguf *g)
{
    ft_err_wrap(cli_err(), "%s", ft_gguf_path(g));
    cli_fail();
}

/* The kind of tokenizer must be byte-level BPE, which GGUF calls "gpt2". */
static void check_kind(const ft_gguf *g)
{
    ft_slice kind;
    if (ft_gguf_string(g, "tokenizer.ggml.model", &kind, cli_err()) < 0)
        refuse(g);
    if (!ft_slice_is(kind, "gpt2")) {
        ft_err_set(cli_err(), FT_ERR_DATA, "tokenizer.ggml.model is \"%.*s\"; ft knows \"gpt2\" "
                   "(byte-level BPE)", (int)(kind.n < 64 ? kind.n : 64), (const char *)kind.p);
        refuse(g);
    }
}

ft_tokenizer *cli_tokenizer_of(const ft_gguf *g)
{
    ft_err *e = cli_err();
    ft_tokenizer_spec spec = {0};
    ft_slice *tokens = NULL, *merges = NULL;
    int32_t *types = NULL;
    size_t n_types = 0;
    ft_tokenizer *t = NULL;
    check_kind(g);
    if (ft_gguf_strings(g, "tokenizer.ggml.tokens", &tokens, &spec.n_tokens, e) < 0 ||
        ft_gguf_strings(g, "tokenizer.ggml.merges", &merges, &spec.n_merges, e) < 0 ||
        ft_gguf_string(g, "tokenizer.ggml.pre", &spec.pre, e) < 0)
        refuse(g);
    if (ft_gguf_kv_find(g, "tokenizer.ggml.token_type")) {
        if (ft_gguf_ints(g, "tokenizer.ggml.token_type", &types, &n_types, e) < 0)
            refuse(g);
        if (n_types != spec.n_tokens) {
            ft_err_set(e, FT_ERR_DATA, "tokenizer.ggml.token_type has %zu entries for %zu tokens",
                       n_types, spec.n_tokens);
            refuse(g);
        }
    }
    spec.tokens = tokens;
    spec.merges = merges;
    spec.types = types;
    spec.bos = token_id(g, "tokenizer.ggml.bos_token_id");
    spec.eos = token_id(g, "tokenizer.ggml.eos_token_id");
    if (ft_tokenizer_new(&t, &spec, e) < 0)
        refuse(g);
    ft_free(tokens);
    ft_free(merges);
    ft_free(types);
    if (cli_verbose() && ft_tokenizer_missing_bytes(t))
        cli_note("%s: the vocabulary has no token for %zu of the 256 bytes", ft_gguf_path(g),
                 ft_tokenizer_missing_bytes(t));
    return t;
}

ft_tokenizer *cli_tokenizer(const char *model_path)
{
    ft_gguf *g = NULL;
    ft_tokenizer *t;
    cli_check(ft_gguf_open(&g, model_path, cli_err()));
    t = cli_tokenizer_of(g);
    ft_gguf_free(&g);
    return t;
}

const ft_chat *cli_chat_of(const ft_gguf *g, const char *override_name)
{
    const ft_chat *chat = NULL;
    ft_slice text;
    if (override_name) {
        cli_check(ft_chat_by_name(&chat, override_name, cli_err()));
        return chat;
    }
    if (!ft_gguf_kv_find(g, "tokenizer.chat_template")) {
        ft_err_set(cli_err(), FT_ERR_DATA, "the model carries no chat template; name the one that "
                   "fits by --chat-template smollm2 or --chat-template chatml");
        refuse(g);
    }
    if (ft_gguf_string(g, "tokenizer.chat_template", &text, cli_err()) < 0 ||
        ft_chat_recognise(&chat, text, cli_err()) < 0)
        refuse(g);
    return chat;
}
