#include "tools/cli/stats_digest.h"

#include "base/hash.h"
#include "base/mem.h"
#include "data/plain_words.h"
#include "text/language.h"
#include "text/normal.h"
#include "tools/cli/example_ids.h"

#include <string.h>

#define BEGINNING_WORDS 3

struct stats_worker {
    ft_words *classes;
    ft_language *language;
    cli_example *example;
    ft_buf raw, canonical, beginnings, scratch[2];
};

typedef struct stats_worker stats_worker;

void stats_workers_new(stats_data *s)
{
    s->workers = ft_new(ft_pool_threads(cli_pool()), sizeof *s->workers, cli_err());
    if (!s->workers)
        cli_fail();
    for (unsigned i = 0; i < ft_pool_threads(cli_pool()); i++) {
        stats_worker *w = &s->workers[i];
        cli_check(ft_words_new(&w->classes, cli_err()));
        if (!s->o.no_languages && !s->no_languages &&
            ft_language_new(&w->language, cli_err()) < 0) {
            if (cli_err()->code != FT_ERR_NOINPUT)
                cli_fail();
            s->no_languages = 1;
        }
        if (s->o.tokenizer)
            cli_check(cli_example_new(&w->example, s->o.tokenizer, cli_err()));
    }
}

void stats_workers_free(stats_data *s)
{
    for (unsigned i = 0; i < ft_pool_threads(cli_pool()); i++) {
        stats_worker *w = &s->workers[i];
        ft_words_free(&w->classes);
        ft_language_free(&w->language);
        cli_example_free(&w->example);
        ft_buf_free(&w->raw);
        ft_buf_free(&w->canonical);
        ft_buf_free(&w->beginnings);
        ft_buf_free(&w->scratch[0]);
        ft_buf_free(&w->scratch[1]);
    }
    ft_free(s->workers);
}

/* ---- one row ---- */

/* Which parts a row has: a text is an answer to nothing, a prediction may stand alone. */
static int has_part(ft_mp record, enum ft_shape shape, size_t part)
{
    ft_mp v;
    if (part == STATS_ANSWER)
        return 1;
    return shape != FT_SHAPE_TEXT && (shape != FT_SHAPE_PREDICTION ||
                                      ft_mp_get(record, "prompt", &v));
}

/* Adds the words of the part in w->raw to out; its beginning to w->beginnings. */
static int digest_part(stats_worker *w, stats_digest *g, size_t part, ft_buf *out, ft_err *e)
{
    ft_slice word, text;
    size_t at = 0, from = 0, to = 0, before = w->beginnings.n;
    int rc;
    ft_buf_clear(&w->canonical);
    if ((rc = ft_normalise(w->raw.p, w->raw.n, &w->canonical, e)) < 0)
        return rc;
    text = (ft_slice){w->canonical.p, w->canonical.n};
    g->chars[part] = ft_char_count(w->raw.p, w->raw.n);
    while (text.n && ft_word_next(text, &at, &word)) {
        uint64_t hash = ft_hash64(word.p, word.n, 0);
        ft_buf_add(out, &hash, sizeof hash);
        if (g->words[part] == 0)
            from = (size_t)(word.p - text.p);
        if (g->words[part]++ < BEGINNING_WORDS)
            to = (size_t)(word.p - text.p) + word.n;
    }
    if (to > from)
        ft_buf_add(&w->beginnings, text.p + from, to - from);
    g->beginning[part] = (uint32_t)(w->beginnings.n - before);
    return 0;
}

static void guess_language(stats_worker *w, stats_digest *g)
{
    ft_guess guess = {0};
    if (w->language && w->raw.n && !g->language[0])
        guess = ft_language_guess(w->language, w->classes, w->raw.p, w->raw.n);
    if (guess.n)
        memcpy(g->language, guess.name[0], sizeof g->language);
}

static int digest_parts(stats_worker *w, ft_mp record, stats_digest *g, ft_buf *out, ft_err *e)
{
    static const enum ft_part parts[] = {FT_PART_PROMPT, FT_PART_RESPONSE};
    ft_buf_clear(&w->beginnings);
    for (size_t i = 0; i < 2; i++) {
        int rc;
        ft_buf_clear(&w->raw);
        if (!has_part(record, (enum ft_shape)g->shape, i))
            continue;
        g->has[i] = 1;
        if ((rc = ft_example_part(record, parts[i], &w->raw, e)) < 0 ||
            (rc = digest_part(w, g, i, out, e)) < 0)
            return rc;
        if (i == STATS_ANSWER)         /* the answer's language, else the prompt's */
            guess_language(w, g);
    }
    ft_buf_clear(&w->raw);
    if (g->has[STATS_PROMPT] && !g->language[0]) {
        int rc = ft_example_part(record, FT_PART_PROMPT, &w->raw, e);
        if (rc < 0)
            return rc;
        guess_language(w, g);
    }
    return 0;
}

static int digest_keys(stats_worker *w, ft_mp record, stats_digest *g, ft_err *e)
{
    ft_digest key;
    int rc = ft_example_key(record, FT_PART_ALL, w->scratch, &key, e);
    if (rc < 0)
        return rc;
    memcpy(&g->key, key.b, sizeof g->key);
    if (!g->has[STATS_PROMPT] && g->shape != FT_SHAPE_TEXT)
        return 0;
    g->has_prompt_key = 1;
    if ((rc = ft_example_key(record, FT_PART_PROMPT, w->scratch, &key, e)) == 0)
        memcpy(&g->prompt_key, key.b, sizeof g->prompt_key);
    return rc;
}

/* A row that cannot be trained on has no tokens; why is kept. Anything else is an error. */
static int digest_tokens(stats_data *s, stats_worker *w, ft_mp record, stats_digest *g, ft_err *e)
{
    cli_example *x = w->example;
    int rc;
    if (!x)
        return 0;
    if (g->shape == FT_SHAPE_MESSAGES && !s->chat)
        return ft_err_set(e, FT_ERR_DATA, "the model carries no chat template for this chat; name "
                          "one by --chat-template");
    x->chat = s->chat;
    rc = cli_example_encode(x, record, e);
    if (rc == FT_ERR_DATA) {
        g->reason = (uint32_t)strlen(e->text);
        return 0;
    }
    g->tokenised = rc == 0;
    g->tokens[STATS_ANSWER] = x->targets;
    g->tokens[STATS_PROMPT] = x->ids.n - (rc == 0 ? x->targets : x->ids.n);
    return rc;
}

static int digest_row(stats_data *s, stats_worker *w, cli_item *it)
{
    stats_digest g = {0};
    enum ft_shape shape;
    ft_err why = {0};
    int rc = ft_example_shape(it->record, &shape, &it->err);
    ft_buf_add(&it->out, &g, sizeof g);
    g.shape = (uint8_t)shape;
    if (rc < 0 || (rc = digest_parts(w, it->record, &g, &it->out, &it->err)) < 0 ||
        (rc = digest_keys(w, it->record, &g, &it->err)) < 0)
        return rc;
    if ((rc = digest_tokens(s, w, it->record, &g, &why)) < 0) {
        it->err = why;
        return rc;
    }
    ft_buf_add(&it->out, w->beginnings.p, w->beginnings.n);
    ft_buf_add(&it->out, why.text, g.reason);
    if ((rc = ft_buf_check(&it->out, &it->err)) == 0 &&
        (rc = ft_buf_check(&w->beginnings, &it->err)) == 0)
        memcpy(it->out.p, &g, sizeof g);
    return rc;
}

void stats_digest_work(void *ctx, cli_item *it, unsigned worker)
{
    stats_data *s = ctx;
    int rc = digest_row(s, &s->workers[worker], it);
    if (rc < 0 && it->err.code == 0)
        it->err.code = rc;
}
