#define _POSIX_C_SOURCE 200809L
#include "tools/cli/generate_answers.h"

#include "base/mem.h"
#include "infer/stop_text.h"
#include "tools/cli/cli.h"
#include "tools/cli/generate_text.h"

#include <string.h>
#include <time.h>

enum { WAITING_BYTES = 64 << 20 };

/* A record that was taken and not yet put out. */
typedef struct cli_waiting {
    cli_answers *all;
    ft_buf record;
    uint64_t number;
    ft_digest digest;
    ft_stop_text answer;
    size_t shown;
    size_t prompt_tokens, answer_tokens, shared;
    int cut, done, is_journaled;
} cli_waiting;

static _Noreturn void fail_at(const cli_answers *a, uint64_t number)
{
    ft_err_wrap(cli_err(), "%s: record %llu", a->source, (unsigned long long)number);
    cli_fail();
}

/* ---- what the engine calls ---- */

static int on_token(void *owner, uint32_t id)
{
    cli_waiting *w = owner;
    const ft_tokenizer *t = w->all->example->t;
    ft_slice bytes = ft_token_bytes(t, id);
    int ended = 0;
    if (!ft_tokenizer_is_special(t, id))
        ended = ft_stop_text_add(&w->answer, bytes.p, bytes.n);
    cli_check(ft_buf_check(&w->answer.text, cli_err()));
    if (w->all->show)
        w->shown += w->all->show(w->all->ctx, w->answer.text.p + w->shown,
                                 ft_stop_text_sure(&w->answer) - w->shown);
    w->all->computed_tokens++;
    cli_progress("answers", (double)w->all->computed_tokens, 0, "tok");
    return ended;
}

static void on_done(void *owner, const ft_answer *a)
{
    cli_waiting *w = owner;
    w->answer_tokens = a->n;
    w->shared = a->shared;
    w->cut = a->ending == FT_CUT;
    w->done = 1;
}

/* ---- in order ---- */

static void free_waiting(cli_waiting *w)
{
    ft_buf_free(&w->record);
    ft_buf_free(&w->answer.text);
    ft_free(w);
}

/* An answer is journaled as text, so it is the same text when it is read back. */
static void journal(cli_answers *a, const cli_waiting *w)
{
    ft_buf text = {0};
    cli_text_put(&text, w->answer.text.p, w->answer.text.n, CLI_TEXT_LAST);
    cli_check(ft_buf_check(&text, cli_err()));
    cli_journal_add(a->journal, &(cli_journal_answer){
        w->number, w->digest, {text.p, text.n}, w->prompt_tokens, w->answer_tokens, w->cut});
    ft_buf_free(&text);
}

static void put_out(cli_answers *a, cli_waiting *w)
{
    if (a->journal && !w->is_journaled)
        journal(a, w);
    a->answers++;
    a->prompt_tokens += w->prompt_tokens;
    a->answer_tokens += w->answer_tokens;
    a->shared_tokens += w->shared;
    a->cut += (uint64_t)w->cut;
    a->put(a->ctx, &(cli_answered){{w->record.p, w->record.n},
                                   {w->answer.text.p, w->answer.text.n}, w->shown});
}

static void put_out_ready(cli_answers *a)
{
    size_t n = 0;
    for (; n < a->n_waiting && a->waiting[n]->done; n++) {
        put_out(a, a->waiting[n]);
        a->waiting_bytes -= a->waiting[n]->record.n;
        free_waiting(a->waiting[n]);
    }
    a->n_waiting -= n;
    if (n > 0)
        memmove(a->waiting, a->waiting + n, a->n_waiting * sizeof(cli_waiting *));
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void step(cli_answers *a)
{
    double from = now();
    void *failed;
    if (ft_engine_step(a->engine, &failed, cli_err()) < 0) {
        if (failed)
            fail_at(a, ((cli_waiting *)failed)->number);
        cli_fail();
    }
    a->seconds += now() - from;
    put_out_ready(a);
}

/* ---- records in ---- */

void cli_answers_begin(cli_answers *a, const ft_model *m, ft_engine_options *o)
{
    o->token = on_token;
    o->done = on_done;
    a->context = o->context;
    a->most_waiting = 16 * o->batch;
    cli_check(ft_engine_new(&a->engine, m, cli_pool(), o, a->max_tokens + 1, cli_err()));
}

static cli_waiting *new_waiting(cli_answers *a, ft_mp record, uint64_t number)
{
    cli_waiting *w = ft_new(1, sizeof *w, cli_err());
    if (!w)
        cli_fail();
    w->all = a;
    w->number = number;
    w->answer = (ft_stop_text){a->stops, a->n_stops, {0}, 0};
    ft_buf_add(&w->record, record.p, record.n);
    cli_check(ft_buf_check(&w->record, cli_err()));
    cli_check(ft_grow(&a->waiting, &a->waiting_cap, a->n_waiting + 1, sizeof *a->waiting,
                      cli_err()));
    return w;
}

/* The id, so that a record is answered alike wherever it stands; without one its number. */
static uint64_t key_of(ft_mp record, uint64_t number)
{
    ft_mp id;
    return ft_mp_get(record, "id", &id) ? ft_hash64(id.p, id.n, 1)
                                        : ft_hash64(&number, sizeof number, 2);
}

static int find_journaled(cli_answers *a, cli_waiting *w)
{
    cli_journal_answer old;
    if (!a->journal)
        return 0;
    w->digest = ft_digest_of(w->record.p, w->record.n);
    if (!cli_journal_find(a->journal, w->number, &w->digest, &old))
        return 0;
    ft_buf_add(&w->answer.text, old.text.p, old.text.n);
    cli_check(ft_buf_check(&w->answer.text, cli_err()));
    w->prompt_tokens = (size_t)old.prompt_tokens;
    w->answer_tokens = (size_t)old.answer_tokens;
    w->cut = old.cut;
    w->done = w->is_journaled = 1;
    return 1;
}

/* Gives the record to the engine, working until it has room. Returns: 0 when it was dropped. */
static int ask(cli_answers *a, cli_waiting *w, ft_mp record)
{
    ft_request r = {.key = key_of(record, w->number), .max_tokens = a->max_tokens, .owner = w};
    int rc = cli_example_encode(a->example, record, cli_err());
    if (rc == 0)
        rc = cli_adapters_find(a->adapters, record, &r.adapter, cli_err());
    if (rc < 0)
        fail_at(a, w->number);
    r.prompt = a->example->ids.p;
    r.n = w->prompt_tokens = a->example->ids.n;
    if (a->drop_long && r.n >= a->context)
        return 0;
    while ((rc = ft_engine_add(a->engine, &r, cli_err())) == 0)
        step(a);
    if (rc < 0)
        fail_at(a, w->number);
    return 1;
}

void cli_answers_add(cli_answers *a, ft_mp record, uint64_t number)
{
    cli_waiting *w = new_waiting(a, record, number);
    if (!find_journaled(a, w) && !ask(a, w, (ft_mp){w->record.p, w->record.n})) {
        a->dropped++;
        free_waiting(w);
        return;
    }
    a->waiting[a->n_waiting++] = w;
    a->waiting_bytes += w->record.n;
    put_out_ready(a);
    while (a->n_waiting >= a->most_waiting || a->waiting_bytes > WAITING_BYTES)
        step(a);
}

void cli_answers_finish(cli_answers *a)
{
    while (ft_engine_active(a->engine) > 0)
        step(a);
    put_out_ready(a);
    ft_engine_free(&a->engine);
    ft_free(a->waiting);
}

void cli_answers_report(const cli_answers *a)
{
    cli_result_count("answers", a->answers);
    cli_result_count("prompt_tokens", a->prompt_tokens);
    cli_result_count("answer_tokens", a->answer_tokens);
    cli_result_count("shared_tokens", a->shared_tokens);
    cli_result_count("cut", a->cut);
    if (a->seconds > 0)
        cli_result_real("tokens_per_s", (double)a->computed_tokens / a->seconds);
}
