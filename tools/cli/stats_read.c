#include "tools/cli/stats_read.h"

#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tools/cli/load.h"
#include "tools/cli/stats_digest.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY ((uint64_t)1 << 30)
#define MULTISETS 18                   /* that share a quarter of the memory; the lexical ones
                                        * have another one */
#define SAMPLE_STEP 0x7374

/* ---- making ---- */

static void new_multiset(ft_multiset **m, uint64_t bytes)
{
    cli_check(ft_multiset_new(m, bytes, cli_err()));
}

static void make_part(stats_part *p, uint64_t memory, int whole)
{
    new_multiset(&p->tokens, memory / 4 / MULTISETS);
    if (whole)
        return;
    new_multiset(&p->chars, memory / 4 / MULTISETS);
    new_multiset(&p->words, memory / 4 / MULTISETS);
    cli_check(ft_lexical_new(&p->lexical, memory / 8, cli_err()));
    cli_check(ft_compressed_new(&p->compressed, memory / 16, cli_err()));
    cli_check(ft_tally_new(&p->beginnings, cli_err()));
}

static void find_chat(stats_data *s)
{
    ft_slice text;
    if (!s->o.gguf)
        return;
    if (s->o.template_name)
        s->chat = cli_chat_of(s->o.gguf, s->o.template_name);
    else if (!ft_gguf_kv_find(s->o.gguf, "tokenizer.chat_template") ||
             ft_gguf_string(s->o.gguf, "tokenizer.chat_template", &text, cli_err()) < 0 ||
             ft_chat_recognise(&s->chat, text, cli_err()) < 0)
        s->chat = NULL;                /* an error only when a chat comes */
}

stats_data *stats_data_new(const stats_options *o)
{
    static const char *const names[STATS_FIELDS] = {"source", "group", "label", "cluster", "aug",
                                                    "language", "role", "tags"};
    stats_data *s = ft_new(1, sizeof *s, cli_err());
    uint64_t memory = o->memory ? o->memory : DEFAULT_MEMORY;
    if (!s)
        cli_fail();
    s->o = *o;
    s->sampled.max = s->prompts.max = o->sample;
    for (size_t i = 0; i < STATS_PARTS; i++)
        make_part(&s->part[i], memory, i == STATS_WHOLE);
    for (size_t i = 0; i < STATS_FIELDS; i++) {
        s->field[i].name = names[i];
        new_multiset(&s->field[i].values, memory / 4 / MULTISETS);
        cli_check(ft_tally_new(&s->field[i].names, cli_err()));
    }
    new_multiset(&s->keys, memory / 4 / MULTISETS);
    new_multiset(&s->prompt_keys, memory / 4 / MULTISETS);
    find_chat(s);
    stats_workers_new(s);
    return s;
}

static void free_sample(stats_sample *p)
{
    for (size_t i = 0; i < p->n; i++)
        ft_free(p->v[i].text);
    ft_free(p->v);
}

void stats_data_free(stats_data **sp)
{
    stats_data *s = *sp;
    if (!s)
        return;
    stats_workers_free(s);
    for (size_t i = 0; i < STATS_PARTS; i++) {
        ft_multiset_free(&s->part[i].chars);
        ft_multiset_free(&s->part[i].words);
        ft_multiset_free(&s->part[i].tokens);
        ft_lexical_free(&s->part[i].lexical);
        ft_compressed_free(&s->part[i].compressed);
        ft_tally_free(&s->part[i].beginnings);
    }
    for (size_t i = 0; i < STATS_FIELDS; i++) {
        ft_multiset_free(&s->field[i].values);
        ft_tally_free(&s->field[i].names);
    }
    ft_multiset_free(&s->keys);
    ft_multiset_free(&s->prompt_keys);
    free_sample(&s->sampled);
    free_sample(&s->prompts);
    ft_buf_free(&s->scratch[0]);
    ft_buf_free(&s->scratch[1]);
    ft_free(s);
    *sp = NULL;
}

/* ---- adding up, in order ---- */

static void count_name(stats_field *f, ft_slice name)
{
    cli_check(ft_tally_add(f->names, name, cli_err()));
    cli_check(ft_multiset_add(f->values, ft_hash64(name.p, name.n, 0), 0, cli_err()));
    f->rows++;
}

void stats_put_name(ft_buf *out, ft_mp value)
{
    ft_slice s;
    if (ft_mp_str(value, &s))
        ft_buf_add(out, s.p, s.n);
    else
        ft_json_put(out, value);
}

static void count_fields(stats_data *s, ft_mp record)
{
    ft_mp v, key;
    for (size_t i = STATS_SOURCE; i <= STATS_AUG; i++) {
        ft_buf_clear(&s->scratch[0]);
        if (!ft_mp_get(record, s->field[i].name, &v) || ft_mp_type_of(v) == FT_MP_NIL)
            continue;
        stats_put_name(&s->scratch[0], v);
        cli_check(ft_buf_check(&s->scratch[0], cli_err()));
        count_name(&s->field[i], (ft_slice){s->scratch[0].p, s->scratch[0].n});
    }
    s->dirty += ft_mp_get(record, "dirty", &v) && ft_mp_type_of(v) != FT_MP_NIL;
    if (ft_mp_get(record, "tags", &v) && ft_mp_type_of(v) == FT_MP_MAP)
        for (ft_mp_iter it = ft_mp_iter_of(v); ft_mp_next(&it, &key) && ft_mp_next(&it, &v);) {
            ft_buf_clear(&s->scratch[0]);
            stats_put_name(&s->scratch[0], key);
            cli_check(ft_buf_check(&s->scratch[0], cli_err()));
            count_name(&s->field[STATS_TAG], (ft_slice){s->scratch[0].p, s->scratch[0].n});
        }
}

static void count_turns(stats_data *s, ft_mp record)
{
    ft_mp list, turn;
    ft_slice role;
    uint64_t n = 0;
    (void)ft_mp_get(record, "messages", &list);
    for (ft_mp_iter it = ft_mp_iter_of(list); ft_mp_next(&it, &turn); n++)
        if (ft_mp_get_str(turn, "role", &role))
            count_name(&s->field[STATS_ROLE], role);
    s->turns += n;
    s->turn_rows[n < STATS_TURNS_MAX ? n : STATS_TURNS_MAX]++;
}

static void count_part(stats_data *s, size_t i, const stats_digest *g, const uint64_t *words,
                       ft_slice beginning, ft_mp record)
{
    stats_part *p = &s->part[i];
    ft_buf *raw = &s->scratch[0];
    size_t n = (size_t)g->words[i];
    p->rows++;
    p->empty += n == 0;
    p->chars_sum += g->chars[i];
    p->words_sum += n;
    cli_check(ft_multiset_add(p->chars, g->chars[i], 0, cli_err()));
    cli_check(ft_multiset_add(p->words, n, 0, cli_err()));
    cli_check(ft_lexical_add(p->lexical, words, n, cli_err()));
    if (n)
        cli_check(ft_tally_add(p->beginnings, beginning, cli_err()));
    ft_buf_clear(raw);
    cli_check(ft_example_part(record, i == STATS_PROMPT ? FT_PART_PROMPT : FT_PART_RESPONSE, raw,
                              cli_err()));
    cli_check(ft_compressed_add(p->compressed, (ft_slice){raw->p, raw->n}, cli_err()));
}

static void count_tokens(stats_data *s, const stats_digest *g, const char *why)
{
    uint64_t all = g->tokens[0] + g->tokens[1];
    if (!g->tokenised) {
        if (s->untokenised++ == 0) {
            size_t n = g->reason < sizeof s->why_untokenised ? g->reason
                                                             : sizeof s->why_untokenised - 1;
            memcpy(s->why_untokenised, why, n);
        }
        return;
    }
    for (size_t i = 0; i < STATS_PARTS; i++) {
        uint64_t n = i == STATS_WHOLE ? all : g->tokens[i];
        cli_check(ft_multiset_add(s->part[i].tokens, n, 0, cli_err()));
        s->part[i].tokens_sum += n;
    }
    s->over_length += all > s->o.length;
}

/* ---- samples ---- */

static int by_priority(const void *a, const void *b)
{
    const stats_sampled *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static int by_row(const void *a, const void *b)
{
    const stats_sampled *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Keeps the `max` rows of least priority, and the first of those with the same. */
static void thin_out(stats_sample *p)
{
    size_t n = 0;
    if (p->n)
        qsort(p->v, p->n, sizeof *p->v, by_priority);
    for (size_t i = 0; i < p->n; i++)
        if (n < p->max && (n == 0 || p->v[n - 1].priority != p->v[i].priority))
            p->v[n++] = p->v[i];
        else
            ft_free(p->v[i].text);
    p->n = n;
}

static void sample_row(stats_sample *p, uint64_t priority, uint64_t row, const ft_buf *text)
{
    stats_sampled x = {.priority = priority, .row = row, .n = text->n};
    if (x.n > STATS_SAMPLE_BYTES)
        for (x.n = STATS_SAMPLE_BYTES; x.n > 0 && (text->p[x.n] & 0xc0) == 0x80;)
            x.n--;
    x.text = (uint8_t *)ft_strndup(x.n ? (const char *)text->p : "", x.n, cli_err());
    if (!x.text)
        cli_fail();
    cli_check(ft_grow(&p->v, &p->cap, p->n + 1, sizeof *p->v, cli_err()));
    p->v[p->n++] = x;
    if (p->n >= 2 * p->max + 1024)
        thin_out(p);
}

/* The text of a row to compare: prompt and answer with a line end between, or one of them. */
static void put_sample_text(const stats_data *s, ft_mp record, const stats_digest *g, ft_buf *out)
{
    enum ft_part part = s->o.part;
    ft_buf_clear(out);
    if (part == FT_PART_RESPONSE || !g->has_prompt_key || g->shape == FT_SHAPE_TEXT) {
        cli_check(ft_example_part(record, FT_PART_RESPONSE, out, cli_err()));
        return;
    }
    cli_check(ft_example_part(record, FT_PART_PROMPT, out, cli_err()));
    if (part == FT_PART_PROMPT)
        return;
    ft_buf_add_byte(out, '\n');
    cli_check(ft_example_part(record, FT_PART_RESPONSE, out, cli_err()));
}

static void count_samples(stats_data *s, ft_mp record, const stats_digest *g)
{
    ft_buf *text = &s->scratch[0];
    uint64_t priority = ft_rng_u64(s->o.seed, FT_RNG_DATA, SAMPLE_STEP, s->rows);
    put_sample_text(s, record, g, text);
    sample_row(&s->sampled, priority, s->rows, text);
    if (!s->o.prompts || !g->has_prompt_key)
        return;
    ft_buf_clear(text);
    cli_check(ft_example_part(record, FT_PART_PROMPT, text, cli_err()));
    /* the same prompt has the same priority, so that each counts once */
    priority = ft_rng_u64(s->o.seed, FT_RNG_DATA, SAMPLE_STEP + 1, g->prompt_key);
    sample_row(&s->prompts, priority, s->rows, text);
}

/* ---- the loop ---- */

static void done(void *ctx, cli_item *it)
{
    stats_data *s = ctx;
    stats_digest g;
    const uint8_t *p = it->out.p + sizeof g;
    const uint64_t *words[2];
    ft_slice beginning[2];
    memcpy(&g, it->out.p, sizeof g);
    for (size_t i = 0; i < 2; i++, p += 8 * g.words[i - 1])
        words[i] = (const uint64_t *)(const void *)p;
    for (size_t i = 0; i < 2; i++, p += g.beginning[i - 1])
        beginning[i] = (ft_slice){p, g.beginning[i]};
    s->shapes[g.shape]++;
    cli_check(ft_multiset_add(s->keys, g.key, 0, cli_err()));
    if (g.has_prompt_key)
        cli_check(ft_multiset_add(s->prompt_keys, g.prompt_key, 0, cli_err()));
    for (size_t i = 0; i < 2; i++)
        if (g.has[i])
            count_part(s, i, &g, words[i], beginning[i], it->record);
    if (s->o.tokenizer)
        count_tokens(s, &g, (const char *)p);
    count_fields(s, it->record);
    if (g.shape == FT_SHAPE_MESSAGES)
        count_turns(s, it->record);
    if (g.language[0])
        count_name(&s->field[STATS_LANGUAGE],
                   (ft_slice){(const uint8_t *)g.language, strlen(g.language)});
    count_samples(s, it->record, &g);
    s->rows++;
}

void stats_read(stats_data *s, ft_reader *in)
{
    cli_each_record(in, &(cli_steps){.work = stats_digest_work, .done = done}, s);
}

void stats_read_end(stats_data *s)
{
    stats_sample *samples[] = {&s->sampled, &s->prompts};
    for (size_t i = 0; i < 2; i++) {
        thin_out(samples[i]);
        if (samples[i]->n)
            qsort(samples[i]->v, samples[i]->n, sizeof *samples[i]->v, by_row);
    }
}
