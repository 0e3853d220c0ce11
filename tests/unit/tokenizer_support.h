/* tokenizer_support.h: for the tests of lib/text: tokenizers from model files. */
#ifndef TOKENIZER_SUPPORT_H
#define TOKENIZER_SUPPORT_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "model/gguf.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOY_PATH "tests/golden/toy.gguf"

static inline ft_slice slice_of(const char *s)
{
    return (ft_slice){(const uint8_t *)s, strlen(s)};
}

/* The tokenizer of a model, with the pre-tokenizer `pre` instead of its own. */
static inline ft_tokenizer *tokenizer_from(const char *path, const char *pre)
{
    ft_err e = {0};
    ft_gguf *g = NULL;
    ft_slice *tokens = NULL, *merges = NULL;
    int32_t *types = NULL;
    size_t n_types;
    uint64_t bos, eos;
    ft_tokenizer_spec spec = {.pre = slice_of(pre)};
    ft_tokenizer *t = NULL;
    assert_int_equal(ft_gguf_open(&g, path, &e), 0);
    assert_int_equal(
        ft_gguf_strings(g, "tokenizer.ggml.tokens", &tokens, &spec.n_tokens, &e), 0);
    assert_int_equal(
        ft_gguf_strings(g, "tokenizer.ggml.merges", &merges, &spec.n_merges, &e), 0);
    assert_int_equal(ft_gguf_ints(g, "tokenizer.ggml.token_type", &types, &n_types, &e), 0);
    assert_int_equal(ft_gguf_uint(g, "tokenizer.ggml.bos_token_id", &bos, &e), 0);
    assert_int_equal(ft_gguf_uint(g, "tokenizer.ggml.eos_token_id", &eos, &e), 0);
    spec.tokens = tokens;
    spec.merges = merges;
    spec.types = types;
    spec.bos = (int64_t)bos;
    spec.eos = (int64_t)eos;
    assert_int_equal(ft_tokenizer_new(&t, &spec, &e), 0);
    ft_free(tokens);
    ft_free(merges);
    ft_free(types);
    ft_gguf_free(&g);
    return t;
}

#endif
