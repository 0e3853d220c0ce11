#include "data/lexical.h"

#include "base/mem.h"
#include "data/multiset.h"

#include <math.h>
#include <string.h>

#define SET_SLOTS (1u << 15)         /* more than three times the words of a window */
#define LAST_SLOTS (1u << 12)

typedef struct window_set {          /* different n-grams of a window of 10,000 words */
    uint64_t *slots;                 /* 0: free */
    uint64_t total, distinct;
} window_set;

typedef struct last_seen {           /* of a word: where it stood last; 0: a free slot */
    uint64_t word, place;            /* places count from 1 */
} last_seen;

struct ft_lexical {
    ft_multiset *grams[FT_LEXICAL_ORDERS];
    uint64_t texts, words;
    window_set window[FT_LEXICAL_DISTINCT];
    size_t in_window;
    uint64_t windows;
    double window_sum[FT_LEXICAL_DISTINCT];
    uint64_t ring[FT_MATTR_WINDOW];  /* the last words, by place modulo 500 */
    last_seen *last;
    size_t last_used;
    uint64_t types;                  /* different words in the ring */
    uint64_t types_sum, types_windows;
};

int ft_lexical_new(ft_lexical **out, uint64_t bytes_max, ft_err *e)
{
    ft_lexical *l = ft_new(1, sizeof *l, e);
    int rc = l ? 0 : FT_ERR_NOMEM;
    *out = l;
    for (size_t i = 0; rc == 0 && i < FT_LEXICAL_ORDERS; i++)
        rc = ft_multiset_new(&l->grams[i], bytes_max / FT_LEXICAL_ORDERS, e);
    for (size_t i = 0; rc == 0 && i < FT_LEXICAL_DISTINCT; i++)
        if (!(l->window[i].slots = ft_new(SET_SLOTS, sizeof(uint64_t), e)))
            rc = FT_ERR_NOMEM;
    if (rc == 0 && !(l->last = ft_new(LAST_SLOTS, sizeof *l->last, e)))
        rc = FT_ERR_NOMEM;
    if (rc < 0)
        ft_lexical_free(out);
    return rc;
}

void ft_lexical_free(ft_lexical **lp)
{
    ft_lexical *l = *lp;
    if (!l)
        return;
    for (size_t i = 0; i < FT_LEXICAL_ORDERS; i++)
        ft_multiset_free(&l->grams[i]);
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++)
        ft_free(l->window[i].slots);
    ft_free(l->last);
    ft_free(l);
    *lp = NULL;
}

/* A bijection that spreads all bits, so that a sum behind it depends on the order (the finaliser
 * of SplitMix64, Steele et al. 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* ---- windows of 10,000 words ---- */

static void set_add(window_set *s, uint64_t key)
{
    size_t i = (size_t)(mix(key) % SET_SLOTS);
    key += key == 0;
    s->total++;
    while (s->slots[i] && s->slots[i] != key)
        i = (i + 1) % SET_SLOTS;
    s->distinct += s->slots[i] == 0;
    s->slots[i] = key;
}

/* key[n]: the n + 1-gram that ends at this word, of those that begin in the text. */
static void window_add(ft_lexical *l, const uint64_t *key, size_t in_text)
{
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++)
        if (in_text >= i && l->in_window >= i)
            set_add(&l->window[i], key[i]);
    if (++l->in_window < FT_LEXICAL_WINDOW)
        return;
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++) {
        window_set *s = &l->window[i];
        if (s->total)
            l->window_sum[i] += (double)s->distinct / (double)s->total;
        memset(s->slots, 0, SET_SLOTS * sizeof *s->slots);
        s->total = s->distinct = 0;
    }
    l->in_window = 0;
    l->windows++;
}

/* ---- moving windows of 500 words ---- */

static last_seen *find_last(ft_lexical *l, uint64_t word)
{
    size_t i = (size_t)(mix(word) % LAST_SLOTS);
    while (l->last[i].place && l->last[i].word != word)
        i = (i + 1) % LAST_SLOTS;
    return &l->last[i];
}

/* Words that have left the window fill the table up: begin it anew with those in the window. */
static void renew_last(ft_lexical *l, uint64_t newest)
{
    memset(l->last, 0, LAST_SLOTS * sizeof *l->last);
    l->last_used = 0;
    for (uint64_t p = newest > FT_MATTR_WINDOW ? newest - FT_MATTR_WINDOW + 1 : 1; p <= newest;
         p++) {
        last_seen *s = find_last(l, l->ring[p % FT_MATTR_WINDOW]);
        l->last_used += s->place == 0;
        *s = (last_seen){l->ring[p % FT_MATTR_WINDOW], p};
    }
}

/* A type leaves with the word that stood last at the place that leaves. */
static void mattr_add(ft_lexical *l, uint64_t word)
{
    uint64_t place = l->words + 1;               /* of this word */
    uint64_t left = place > FT_MATTR_WINDOW ? place - FT_MATTR_WINDOW : 0;
    last_seen *s;
    if (left && find_last(l, l->ring[left % FT_MATTR_WINDOW])->place == left)
        l->types--;
    if (l->last_used > LAST_SLOTS / 2)
        renew_last(l, place - 1);
    s = find_last(l, word);
    l->last_used += s->place == 0;
    l->types += s->place <= left;
    *s = (last_seen){word, place};
    l->ring[place % FT_MATTR_WINDOW] = word;
    if (place >= FT_MATTR_WINDOW) {
        l->types_sum += l->types;
        l->types_windows++;
    }
}

/* ---- texts ---- */

int ft_lexical_add(ft_lexical *l, const uint64_t *words, size_t n, ft_err *e)
{
    uint64_t key[FT_LEXICAL_ORDERS] = {0};
    if (l->texts >= UINT32_MAX - 1)
        return ft_err_set(e, FT_ERR_DATA, "over %u texts: look at them in parts", UINT32_MAX - 1);
    for (size_t t = 0; t < n; t++) {
        for (size_t i = FT_LEXICAL_ORDERS; i-- > 1;)
            key[i] = mix(key[i - 1]) + words[t];
        key[0] = words[t];
        for (size_t i = 0; i < FT_LEXICAL_ORDERS && i <= t; i++) {
            uint32_t row = i + 1 == FT_LEXICAL_ORDERS ? (uint32_t)l->texts : 0;
            int rc = ft_multiset_add(l->grams[i], key[i], row, e);
            if (rc < 0)
                return rc;
        }
        window_add(l, key, t);
        mattr_add(l, words[t]);
        l->words++;
    }
    l->texts++;
    return 0;
}

/* ---- self-repetition ---- */

typedef struct repeats {
    uint64_t *others;                /* by text: texts that have one of its 4-grams, added up */
    uint32_t *rows;                  /* the texts of one 4-gram */
    size_t n, cap;
} repeats;

static void end_gram(repeats *r)
{
    for (size_t i = 0; i < r->n && r->n > 1; i++)
        r->others[r->rows[i]] += r->n - 1;
    r->n = 0;
}

static int walk_grams(ft_multiset *grams, repeats *r, ft_err *e)
{
    ft_counted c;
    uint64_t key = 0;
    int rc = ft_multiset_begin(grams, e);
    while (rc == 0 && (rc = ft_multiset_next(grams, &c, e)) == 0) {
        if (c.key != key)
            end_gram(r);
        key = c.key;
        if ((rc = ft_grow(&r->rows, &r->cap, r->n + 1, sizeof *r->rows, e)) < 0)
            return rc;
        r->rows[r->n++] = c.row;
    }
    end_gram(r);
    return rc < 0 ? rc : 0;
}

static int sum_repetition(ft_lexical *l, ft_lexical_summary *s, ft_err *e)
{
    repeats r = {0};
    double sum = 0;
    int rc;
    if (!(r.others = ft_new((size_t)l->texts, sizeof *r.others, e)))
        return FT_ERR_NOMEM;
    rc = walk_grams(l->grams[FT_LEXICAL_ORDERS - 1], &r, e);
    for (uint64_t i = 0; rc == 0 && i < l->texts; i++) {
        sum += log1p((double)r.others[i]);
        s->repeating_texts += r.others[i] > 0;
    }
    s->self_repetition = l->texts ? sum / (double)l->texts : NAN;
    ft_free(r.others);
    ft_free(r.rows);
    return rc;
}

int ft_lexical_sum(ft_lexical *l, ft_lexical_summary *s, ft_err *e)
{
    *s = (ft_lexical_summary){.texts = l->texts, .words = l->words, .windows = l->windows};
    for (size_t i = 0; i < FT_LEXICAL_ORDERS; i++) {
        ft_multiset_summary m;
        int rc = ft_multiset_sum(l->grams[i], &m, e);
        if (rc < 0)
            return rc;
        s->total[i] = m.total;
        s->distinct[i] = m.distinct;
        s->entropy[i] = m.entropy;
    }
    for (size_t i = 0; i < FT_LEXICAL_DISTINCT; i++)
        s->window_distinct[i] = l->windows ? l->window_sum[i] / (double)l->windows : NAN;
    s->mattr = l->types_windows
                   ? (double)l->types_sum / (double)l->types_windows / FT_MATTR_WINDOW
                   : l->words ? (double)l->types / (double)l->words : NAN;
    return sum_repetition(l, s, e);
}
