#include "tools/cli/label_conflicts.h"

#include "base/json.h"
#include "base/mem.h"
#include "data/digest_set.h"
#include "data/example.h"
#include "data/plain_words.h"
#include "text/normal.h"
#include "tools/cli/cli.h"

#include <stdlib.h>
#include <string.h>

enum { COMPARED = 64 };
#define F1_MIN 0.5

typedef struct answer {        /* a record's, in the order they came */
    uint64_t row, at;          /* at: its head in the spool          */
    uint32_t prompt;
} answer;

typedef struct head {          /* in the spool: behind it the id, both beginnings, the words */
    uint32_t id, question, excerpt;
    uint64_t words;            /* bytes */
} head;

typedef struct loaded {
    head h;
    ft_buf bytes;
} loaded;

struct label_conflicts {
    ft_digest_set *prompts;
    ft_spool *spool;
    answer *answers;
    size_t n, cap;
    ft_buf scratch[2], canonical, bytes;
    loaded kept[COMPARED], now;
    ft_buf line;
};

label_conflicts *label_conflicts_new(void)
{
    label_conflicts *c = ft_new(1, sizeof *c, cli_err());
    if (!c)
        cli_fail();
    cli_check(ft_digest_set_new(&c->prompts, cli_memory(), cli_err()));
    cli_check(ft_spool_new(&c->spool, cli_err()));
    return c;
}

void label_conflicts_free(label_conflicts **p)
{
    label_conflicts *c = *p;
    if (!c)
        return;
    ft_digest_set_free(&c->prompts);
    ft_spool_free(&c->spool);
    ft_free(c->answers);
    for (size_t i = 0; i < COMPARED; i++)
        ft_buf_free(&c->kept[i].bytes);
    ft_buf_free(&c->now.bytes);
    ft_buf_free(&c->scratch[0]);
    ft_buf_free(&c->scratch[1]);
    ft_buf_free(&c->canonical);
    ft_buf_free(&c->bytes);
    ft_buf_free(&c->line);
    ft_free(c);
    *p = NULL;
}

/* ---- keeping ---- */

/* Fills c->bytes with id, beginnings and words. */
static int gather(label_conflicts *c, ft_mp record, ft_slice id, head *h, ft_err *e)
{
    ft_buf *text = &c->scratch[0], *b = &c->bytes;
    int rc;
    h->id = (uint32_t)id.n;
    ft_buf_clear(b);
    ft_buf_add(b, id.p, id.n);
    ft_buf_clear(text);
    if ((rc = ft_example_part(record, FT_PART_PROMPT, text, e)) < 0)
        return rc;
    label_put_excerpt(b, (ft_slice){text->p, text->n});
    h->question = (uint32_t)(b->n - h->id);
    ft_buf_clear(text);
    ft_buf_clear(&c->canonical);
    if ((rc = ft_example_part(record, FT_PART_RESPONSE, text, e)) < 0)
        return rc;
    label_put_excerpt(b, (ft_slice){text->p, text->n});
    h->excerpt = (uint32_t)(b->n - h->id - h->question);
    for (size_t i = 0; i < text->n; i++)
        if (text->p[i] == 0xff)
            text->p[i] = '\n';
    while (b->n % sizeof(uint64_t))             /* words are read in place */
        ft_buf_add_byte(b, 0);
    h->words = b->n;
    if ((rc = ft_normalise(text->p, text->n, &c->canonical, e)) < 0 ||
        (rc = ft_words_sorted((ft_slice){c->canonical.p, c->canonical.n}, b, e)) < 0)
        return rc;
    h->words = b->n - h->words;
    return ft_buf_check(b, e);
}

void label_conflicts_add(label_conflicts *c, const cli_item *it, ft_slice id)
{
    head h = {0};
    ft_digest prompt;
    uint64_t number;
    int is_new;
    if (ft_example_key(it->record, FT_PART_PROMPT, c->scratch, &prompt, cli_err()) < 0 ||
        gather(c, it->record, id, &h, cli_err()) < 0) {
        ft_err_wrap(cli_err(), "record %llu", (unsigned long long)it->number);
        cli_fail();
    }
    if (ft_digest_set_add(c->prompts, &prompt, &number, &is_new, cli_err()) < 0) {
        if (cli_memory())
            ft_err_wrap(cli_err(), "--memory");
        cli_fail();
    }
    cli_check(ft_grow(&c->answers, &c->cap, c->n + 1, sizeof *c->answers, cli_err()));
    c->answers[c->n++] = (answer){it->number, ft_spool_bytes(c->spool), (uint32_t)number};
    cli_check(ft_spool_write(c->spool, &h, sizeof h, cli_err()));
    cli_check(ft_spool_write(c->spool, c->bytes.p, c->bytes.n, cli_err()));
}

/* ---- comparing ---- */

static int by_prompt(const void *a, const void *b)
{
    const answer *x = a, *y = b;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static size_t words_at(const head *h)
{
    size_t before = (size_t)h->id + h->question + h->excerpt;
    return (before + sizeof(uint64_t) - 1) / sizeof(uint64_t) * sizeof(uint64_t);
}

static void load(label_conflicts *c, const answer *a, loaded *l)
{
    size_t n;
    cli_check(ft_spool_read_at(c->spool, a->at, &l->h, sizeof l->h, cli_err()));
    n = words_at(&l->h) + (size_t)l->h.words;
    ft_buf_clear(&l->bytes);
    ft_buf_room(&l->bytes, n);
    cli_check(ft_buf_check(&l->bytes, cli_err()));
    cli_check(ft_spool_read_at(c->spool, a->at + sizeof l->h, l->bytes.p, n, cli_err()));
}

static double f1_of(const loaded *a, const loaded *b)
{
    const void *x = a->bytes.p + words_at(&a->h), *y = b->bytes.p + words_at(&b->h);
    return ft_words_f1(x, (size_t)a->h.words / sizeof(uint64_t), y,
                       (size_t)b->h.words / sizeof(uint64_t));
}

static void suggest(label_conflicts *c, label_suggestions *out, const answer *a,
                    const answer *other, const loaded *l, double f1)
{
    const loaded *x = &c->now;
    const uint8_t *p = x->bytes.p;
    ft_buf with = {0};
    ft_buf_add_str(&with, ",\"with\":{\"id\":");
    ft_buf_add(&with, l->bytes.p, l->h.id);
    ft_buf_add_fmt(&with, ",\"row\":%llu,\"answer\":", (unsigned long long)other->row);
    ft_json_put_string(&with, l->bytes.p + l->h.id + l->h.question, l->h.excerpt);
    ft_buf_add(&with, "}", 2);
    cli_check(ft_buf_check(&with, cli_err()));
    label_line_begin(&c->line, (ft_slice){p, x->h.id}, a->row, "answer");
    ft_json_put_string(&c->line, p + x->h.id + x->h.question, x->h.excerpt);
    ft_buf_add_str(&c->line, ",\"suggested\":null");
    label_line_end(&c->line, f1, LABEL_CONFLICT, (const char *)with.p,
                   (ft_slice){p + x->h.id, x->h.question});
    label_suggestions_add(out, LABEL_CONFLICT, f1, a->row, &c->line);
    ft_buf_free(&with);
}

/* The answers to one prompt. */
static void compare(label_conflicts *c, label_suggestions *out, const answer *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t worst = 0, before = i < COMPARED ? i : COMPARED;
        double least = 2;
        load(c, &a[i], &c->now);
        for (size_t k = 0; k < before; k++) {
            double f1 = f1_of(&c->now, &c->kept[k]);
            if (f1 < least) {
                least = f1;
                worst = k;
            }
        }
        if (least < F1_MIN)
            suggest(c, out, &a[i], &a[worst], &c->kept[worst], least);
        if (i < COMPARED) {
            loaded now = c->now;
            c->now = c->kept[i];
            c->kept[i] = now;
        }
    }
}

void label_conflicts_judge(label_conflicts *c, label_suggestions *out)
{
    cli_check(ft_spool_rewind(c->spool, cli_err()));
    if (c->n)
        qsort(c->answers, c->n, sizeof *c->answers, by_prompt);
    for (size_t i = 0, end; i < c->n; i = end) {
        for (end = i + 1; end < c->n && c->answers[end].prompt == c->answers[i].prompt;)
            end++;
        if (end - i > 1)
            compare(c, out, c->answers + i, end - i);
    }
    cli_result_count("prompts", ft_digest_set_count(c->prompts));
}
