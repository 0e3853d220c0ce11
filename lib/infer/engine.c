#include "infer/engine.h"

#include "base/mem.h"
#include "infer/kv.h"
#include "infer/pass.h"
#include "nn/virtual_tokens.h"

#include <string.h>

/* Tokens that two prompts must have in common before one waits for what the other computes. */
enum { WORTH_WAITING = 16 };

typedef struct sequence {
    void *owner;
    const ft_adapter *adapter;
    uint32_t variant;            /* of lora, for the store          */
    uint64_t key;
    uint32_t *ids;               /* prompt, then answer             */
    size_t n_virtual;            /* of the ids, the adapter's before the prompt */
    size_t n_prompt, n, end;     /* ids: of these and the prompt, now, most */
    size_t at;                   /* tokens whose keys and values are in the store */
    uint32_t *blocks;
    size_t n_blocks, promised;   /* taken; most it will take        */
    size_t shared;
    int started;                 /* looked for what it shares       */
    uint64_t parent;             /* name of the last whole published block */
    size_t n_published;          /* whole blocks that have a name   */
    uint32_t next;               /* what was chosen behind its last token  */
    int rc;                      /* of choosing it */
    ft_err err;
} sequence;

struct ft_engine {
    const ft_model *m;
    ft_pool *pool;
    ft_engine_options o;
    ft_kv *kv;
    ft_pass *pass;
    ft_sampler **samplers;       /* one a pool worker */
    unsigned workers;
    size_t blocks, promised;     /* of the store, by the sequences */
    sequence **active;           /* in order of arrival            */
    size_t n_active;
    const ft_adapter **variants;    /* variant i + 1 is variants[i]   */
    size_t n_variants, variants_cap;

    ft_row *rows;                /* of the pass, */
    size_t n_rows;
    enum ft_compute_in in;       /* what it computes in, */
    sequence **chosen;           /* and the sequences whose logits it wants, in order */
    size_t n_chosen;
};

/* ---- memory ---- */

static int packs(const ft_engine_options *o)
{
    return o->prompts == FT_IN_INT8 || o->answers == FT_IN_INT8;
}

static ft_pass_limits limits_of(const ft_engine_options *o)
{
    size_t rows = o->batch > FT_ENGINE_ROWS ? o->batch : FT_ENGINE_ROWS;
    return (ft_pass_limits){rows, o->batch, o->context, o->max_rank, packs(o)};
}

/* What does not grow with the sequences. */
static size_t fixed_bytes(const ft_model *m, unsigned threads, const ft_engine_options *o)
{
    ft_pass_limits limits = limits_of(o);
    return ft_pass_bytes(m, threads, &limits) + threads * ft_sampler_bytes(m->V) +
           o->batch * o->context * sizeof(uint32_t);
}

static size_t blocks_for(size_t tokens)
{
    return (tokens + FT_KV_BLOCK - 1) / FT_KV_BLOCK;
}

size_t ft_engine_least_memory(const ft_model *m, unsigned threads, const ft_engine_options *o,
                              size_t min_tokens)
{
    return fixed_bytes(m, threads, o) + blocks_for(min_tokens) * ft_kv_block_bytes(m);
}

size_t ft_engine_default_memory(const ft_model *m, unsigned threads, const ft_engine_options *o)
{
    size_t one = ft_engine_least_memory(m, threads, o, o->context);
    size_t usual = ((size_t)1 << 30) + (packs(o) ? ft_packed_bytes(m) : 0);
    return one > usual ? one : usual;
}

static int plan(ft_engine *g, size_t min_tokens, ft_err *e)
{
    unsigned threads = ft_pool_threads(g->pool);
    size_t least = ft_engine_least_memory(g->m, threads, &g->o, min_tokens);
    if (g->o.memory < least)
        return ft_err_set(e, FT_ERR_NOMEM, "%zu sequences at a time and keys and values of %zu "
                          "tokens take %zu MB, the bound is %zu MB; allow more with --memory, or "
                          "ask for less with --batch or --max-tokens", g->o.batch, min_tokens,
                          (least + 999999) / 1000000, g->o.memory / 1000000);
    g->blocks = (g->o.memory - fixed_bytes(g->m, threads, &g->o)) / ft_kv_block_bytes(g->m);
    if (g->blocks > (size_t)1 << 31)
        g->blocks = (size_t)1 << 31;
    return 0;
}

static int take_all(ft_engine *g, ft_err *e)
{
    ft_pass_limits limits = limits_of(&g->o);
    int rc;
    if ((rc = ft_pass_new(&g->pass, g->m, g->kv, g->pool, &limits, e)) < 0)
        return rc;
    g->workers = ft_pool_threads(g->pool);
    g->samplers = ft_new(g->workers, sizeof(ft_sampler *), e);
    g->active = ft_new(g->o.batch, sizeof(sequence *), e);
    g->chosen = ft_new(g->o.batch, sizeof(sequence *), e);
    g->rows = ft_new(limits.rows, sizeof *g->rows, e);
    if (!g->samplers || !g->active || !g->chosen || !g->rows)
        return FT_ERR_NOMEM;
    for (unsigned i = 0; rc == 0 && i < g->workers; i++)
        rc = ft_sampler_new(&g->samplers[i], g->m->V, e);
    return rc;
}

int ft_engine_new(ft_engine **out, const ft_model *m, ft_pool *pool, const ft_engine_options *o,
                  size_t min_tokens, ft_err *e)
{
    ft_engine *g = *out = ft_new(1, sizeof *g, e);
    int rc;
    if (!g)
        return FT_ERR_NOMEM;
    g->m = m;
    g->pool = pool;
    g->o = *o;
    if (!g->o.memory)
        g->o.memory = ft_engine_default_memory(m, ft_pool_threads(pool), o);
    if (min_tokens > o->context)
        min_tokens = o->context;
    if ((rc = plan(g, min_tokens, e)) < 0 || (rc = ft_kv_new(&g->kv, m, g->blocks, e)) < 0 ||
        (rc = take_all(g, e)) < 0)
        ft_engine_free(out);
    return rc;
}

static void free_sequence(sequence **out)
{
    sequence *s = *out;
    if (!s)
        return;
    ft_free(s->ids);
    ft_free(s->blocks);
    ft_free(s);
    *out = NULL;
}

void ft_engine_free(ft_engine **out)
{
    ft_engine *g = *out;
    if (!g)
        return;
    for (size_t i = 0; i < g->n_active; i++)
        free_sequence(&g->active[i]);
    for (unsigned i = 0; g->samplers && i < g->workers; i++)
        ft_sampler_free(&g->samplers[i]);
    ft_pass_free(&g->pass);
    ft_kv_free(&g->kv);
    ft_free(g->samplers);
    ft_free(g->active);
    ft_free(g->chosen);
    ft_free(g->rows);
    ft_free(g->variants);
    ft_free(g);
    *out = NULL;
}

/* ---- requests ---- */

/* A number for each adapter, 0 for none. */
static int variant_of(ft_engine *g, const ft_adapter *l, uint32_t *variant, ft_err *e)
{
    size_t i = 0;
    while (i < g->n_variants && g->variants[i] != l)
        i++;
    *variant = l ? (uint32_t)i + 1 : 0;
    if (!l || i < g->n_variants)
        return 0;
    if (ft_grow(&g->variants, &g->variants_cap, i + 1, sizeof *g->variants, e) < 0)
        return FT_ERR_NOMEM;
    g->variants[g->n_variants++] = l;
    return 0;
}

static ft_virtual before_of(const ft_engine *g, const ft_request *r)
{
    return ft_virtual_of(r->adapter, g->m);
}

static int check(const ft_engine *g, const ft_request *r, ft_err *e)
{
    if (r->n < 1)
        return ft_err_set(e, FT_ERR_DATA, "the prompt is empty");
    if (r->n >= g->o.context || before_of(g, r).n >= g->o.context - r->n)
        return ft_err_set(e, FT_ERR_DATA, "the prompt has %zu tokens and leaves no room for an "
                          "answer in a context of %zu%s", r->n, g->o.context,
                          before_of(g, r).n ? ", which the adapter's virtual tokens share" : "");
    for (size_t i = 0; i < r->n; i++)
        if (r->prompt[i] >= g->m->V)
            return ft_err_set(e, FT_ERR_DATA, "token %zu has id %u, the model has %zu", i,
                              r->prompt[i], g->m->V);
    return 0;
}

/* The last token of an answer is not read, so it may stand behind the end of the context. */
static size_t end_of(const ft_engine *g, const ft_request *r)
{
    size_t n = before_of(g, r).n + r->n, room = g->o.context - n + 1;
    return n + (r->max_tokens < room ? r->max_tokens : room);
}

static int new_sequence(ft_engine *g, const ft_request *r, sequence **out, ft_err *e)
{
    ft_virtual before = before_of(g, r);
    sequence *s = *out = ft_new(1, sizeof *s, e);
    if (!s)
        return FT_ERR_NOMEM;
    s->end = end_of(g, r);
    s->promised = blocks_for(s->end - 1);
    s->ids = ft_new(s->end, sizeof *s->ids, e);
    s->blocks = ft_new(s->promised, sizeof *s->blocks, e);
    if (!s->ids || !s->blocks || variant_of(g, r->adapter, &s->variant, e) < 0) {
        free_sequence(out);
        return FT_ERR_NOMEM;
    }
    for (size_t i = 0; i < before.n; i++)
        s->ids[i] = before.first + (uint32_t)i;
    memcpy(s->ids + before.n, r->prompt, r->n * sizeof *s->ids);
    s->n_virtual = before.n;
    s->n = s->n_prompt = before.n + r->n;
    s->adapter = r->adapter;
    s->key = r->key;
    s->owner = r->owner;
    return 0;
}

int ft_engine_add(ft_engine *g, const ft_request *r, ft_err *e)
{
    size_t need;
    int rc = check(g, r, e);
    if (rc < 0)
        return rc;
    need = blocks_for(end_of(g, r) - 1);
    if (need > g->blocks)
        return ft_err_set(e, FT_ERR_NOMEM, "a prompt of %zu tokens with its answer may take %zu MB "
                          "of keys and values, %zu MB are left for them; allow more with --memory, "
                          "or ask for less with --max-tokens", r->n,
                          (need * ft_kv_block_bytes(g->m) + 999999) / 1000000,
                          g->blocks * ft_kv_block_bytes(g->m) / 1000000);
    if (g->n_active == g->o.batch || need > g->blocks - g->promised)
        return 0;
    if ((rc = new_sequence(g, r, &g->active[g->n_active], e)) < 0)
        return rc;
    g->promised += g->active[g->n_active++]->promised;
    return 1;
}

size_t ft_engine_active(const ft_engine *g)
{
    return g->n_active;
}

/* ---- sharing ---- */

/* Blocks are let go from the end, so that beginnings, which more prompts have, stay longest. */
static void let_go(ft_engine *g, sequence *s)
{
    while (s->n_blocks > 0)
        ft_kv_drop(g->kv, s->blocks[--s->n_blocks]);
    g->promised -= s->promised;
}

/* Takes over what published blocks hold of the prompt. The last token is always computed, as
 * logits are wanted after it. */
static int share(ft_engine *g, sequence *s, ft_err *e)
{
    size_t most = s->n_prompt - 1;
    while (s->at < most) {
        size_t common, n = most - s->at < FT_KV_BLOCK ? most - s->at : FT_KV_BLOCK;
        uint32_t found, own;
        /* Taking one first: it may be the one that would have been found. */
        if (ft_kv_take(g->kv, &own, e) < 0)
            return FT_ERR_NOMEM;
        found = ft_kv_find(g->kv, s->parent, s->variant, s->ids + s->at, n, &common);
        if (found == FT_KV_NONE || common < FT_KV_BLOCK) {
            s->blocks[s->n_blocks++] = own;
            if (found != FT_KV_NONE)
                ft_kv_copy(g->kv, found, own, common);
            s->at += common;
            break;
        }
        ft_kv_hold(g->kv, found);
        ft_kv_drop(g->kv, own);
        s->blocks[s->n_blocks++] = found;
        s->parent = ft_kv_name(g->kv, found);
        s->n_published++;
        s->at += FT_KV_BLOCK;
    }
    s->shared = s->at;
    return 0;
}

/* Makes what was computed of the prompt findable. */
static void publish(ft_engine *g, sequence *s)
{
    size_t known = s->at < s->n_prompt ? s->at : s->n_prompt;
    while (s->n_published * FT_KV_BLOCK < known) {
        size_t from = s->n_published * FT_KV_BLOCK;
        size_t n = known - from < FT_KV_BLOCK ? known - from : FT_KV_BLOCK;
        uint64_t name = ft_kv_publish(g->kv, s->blocks[s->n_published], s->parent, s->variant,
                                      s->ids + from, n);
        if (n < FT_KV_BLOCK)
            break;
        s->parent = name;
        s->n_published++;
    }
}

/* Whether s had better wait until a sequence of this pass has computed what both begin with. */
static int had_better_wait(const ft_engine *g, const sequence *s)
{
    for (size_t i = 0; i < g->n_active && g->active[i] != s; i++) {
        const sequence *other = g->active[i];
        size_t common = 0;
        if (other->at >= other->n_prompt || other->variant != s->variant)
            continue;
        while (common < s->n_prompt && common < other->n_prompt &&
               s->ids[common] == other->ids[common])
            common++;
        if (common >= other->at + WORTH_WAITING)
            return 1;
    }
    return 0;
}

/* ---- a pass ---- */

static int need_block(ft_engine *g, sequence *s, size_t at, ft_err *e)
{
    while (s->n_blocks <= at / FT_KV_BLOCK) {
        if (ft_kv_take(g->kv, &s->blocks[s->n_blocks], e) < 0)
            return FT_ERR_NOMEM;
        s->n_blocks++;
    }
    return 0;
}

/* Adds rows for the next n tokens of s; `wanted` after the last of them. */
static int add_rows(ft_engine *g, sequence *s, size_t n, int wanted, ft_err *e)
{
    if (need_block(g, s, s->at + n - 1, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        g->rows[g->n_rows++] = (ft_row){s->ids[s->at + i], wanted && i + 1 == n, s->at + i,
                                        s->blocks, s->adapter};
    if (wanted)
        g->chosen[g->n_chosen++] = s;
    return 0;
}

static int prompt_rows(ft_engine *g, sequence *s, ft_err *e)
{
    size_t n, room = FT_ENGINE_ROWS - g->n_rows;
    if (!s->started && !g->o.no_share) {
        int rc = share(g, s, e);
        if (rc < 0)
            return rc;
    }
    s->started = 1;
    n = s->n_prompt - s->at < room ? s->n_prompt - s->at : room;
    return add_rows(g, s, n, s->at + n == s->n_prompt, e);
}

/* Rows of prompts while there are any, so that the passes behind have a full batch; else the last
 * token of each sequence. */
static int choose_rows(ft_engine *g, ft_err *e)
{
    int rc = 0;
    g->n_rows = g->n_chosen = 0;
    for (size_t i = 0; rc == 0 && i < g->n_active && g->n_rows < FT_ENGINE_ROWS; i++) {
        sequence *s = g->active[i];
        if (s->at < s->n_prompt &&
            (s->started || g->o.no_share || !had_better_wait(g, s)))
            rc = prompt_rows(g, s, e);
    }
    g->in = g->o.prompts;
    if (rc < 0 || g->n_rows)
        return rc;
    g->in = g->o.answers;
    for (size_t i = 0; rc == 0 && i < g->n_active; i++)
        rc = add_rows(g, g->active[i], 1, 1, e);
    return rc;
}

/* Notes what the pass has put into the store. */
static void count_rows(ft_engine *g)
{
    size_t row = 0;
    for (size_t i = 0; i < g->n_active && row < g->n_rows; i++) {
        sequence *s = g->active[i];
        size_t n = 0;
        for (; row < g->n_rows && g->rows[row].blocks == s->blocks; row++)
            n++;
        s->at += n;
        if (n && !g->o.no_share && s->at - n < s->n_prompt)
            publish(g, s);
    }
}

static void choose_token(void *ctx, size_t i, unsigned worker)
{
    ft_engine *g = ctx;
    sequence *s = g->chosen[i];
    s->rc = ft_sample(g->samplers[worker], &g->o.sampling, ft_pass_logits(g->pass, i),
                      s->ids + s->n_virtual, s->n - s->n_virtual, s->key,
                      s->n - s->n_prompt, &s->next, &s->err);
}

static int is_stop(const ft_engine *g, uint32_t id)
{
    for (size_t i = 0; i < g->o.n_stop; i++)
        if (g->o.stop[i] == id)
            return 1;
    return 0;
}

/* Gives a sequence its next token. Returns: whether it ends, and how. */
static int add_token(ft_engine *g, sequence *s, enum ft_ending *ending)
{
    *ending = FT_ENDED;
    if (is_stop(g, s->next))
        return 1;
    s->ids[s->n++] = s->next;
    if (g->o.token && g->o.token(s->owner, s->next))
        return 1;
    *ending = FT_CUT;
    return s->n == s->end;
}

static void finish(ft_engine *g, sequence *s, enum ft_ending ending)
{
    size_t i = 0;
    size_t shared = s->shared > s->n_virtual ? s->shared - s->n_virtual : 0;
    ft_answer a = {s->ids + s->n_prompt, s->n - s->n_prompt, ending, shared};
    let_go(g, s);
    g->o.done(s->owner, &a);
    while (g->active[i] != s)
        i++;
    memmove(g->active + i, g->active + i + 1, (g->n_active - i - 1) * sizeof(sequence *));
    g->n_active--;
    free_sequence(&s);
}

int ft_engine_step(ft_engine *g, void **failed, ft_err *e)
{
    int rc = choose_rows(g, e);
    if (failed)
        *failed = NULL;
    if (rc == 0)
        rc = ft_pass_run(g->pass, g->rows, g->n_rows, g->in, e);
    if (rc < 0)
        return rc;
    count_rows(g);
    ft_pool_run(g->pool, g->n_chosen, choose_token, g);
    for (size_t i = 0; i < g->n_chosen; i++) {
        sequence *s = g->chosen[i];
        enum ft_ending ending;
        if (s->rc < 0) {
            if (failed)
                *failed = s->owner;
            if (e)
                *e = s->err;
            return s->rc;
        }
        if (add_token(g, s, &ending))
            finish(g, s, ending);
    }
    return 0;
}
