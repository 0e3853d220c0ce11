/* language.c: see language.h. The fingerprints are turned around: for each n-gram, which languages
 * have it at which rank. So a guess costs one look-up for each n-gram of the text, and not one for
 * each language and n-gram. N-grams are told apart by 64-bit hashes. */
#define _GNU_SOURCE
#include "text/language.h"

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "text/unicode_internal.h"

#include <string.h>
#include <unistd.h>

#define FOLDER "/usr/share/libexttextcat"
#define RANKS 400                /* n-grams of a fingerprint; and the distance of one that misses */
#define GRAM_CHARS 5
#define GRAM_BYTES_MAX 20
#define LANGUAGES_MAX 1024
#define MARGIN 1.03              /* so near to the best a language is a candidate too */
#define GRAM_START UINT64_C(0x243f6a8885a308d3)

typedef struct place {
    uint16_t language, rank;
} place;

typedef struct gram {
    uint64_t hash;               /* 0: an empty slot */
    uint32_t from, n;            /* in places */
} gram;

typedef struct raw_gram {        /* while reading */
    uint64_t hash;
    place at;
} raw_gram;

struct ft_language {
    char (*name)[8];
    size_t n, name_cap;
    gram *slots;
    size_t mask;
    place *places;
};

static uint64_t extended(uint64_t hash, uint32_t c)
{
    hash = (hash ^ c) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* ---- reading ---- */

typedef struct reading {
    const char *path;
    const uint8_t *p, *end;
    size_t line_number;
    raw_gram *grams;
    size_t n, cap;
} reading;

/* The next line without its end. Returns: 1, 0 at the end. */
static int next_line(reading *r, ft_slice *line)
{
    const uint8_t *cut;
    if (r->p == r->end)
        return 0;
    cut = memchr(r->p, '\n', (size_t)(r->end - r->p));
    line->p = r->p;
    line->n = (size_t)((cut ? cut : r->end) - r->p);
    r->p = cut ? cut + 1 : r->end;
    r->line_number++;
    return 1;
}

static size_t word_length(const uint8_t *p, const uint8_t *end)
{
    size_t n = 0;
    while (p + n < end && p[n] > 32)
        n++;
    return n;
}

/* The hash of an n-gram as it stands in a file; 0 when it is none. */
static uint64_t gram_hash(const uint8_t *p, size_t n)
{
    uint64_t hash = GRAM_START;
    size_t chars = 0;
    if (n == 0 || n > GRAM_BYTES_MAX)
        return 0;
    for (size_t i = 0, len; i < n; i += len, chars++) {
        uint32_t c = p[i];
        len = c < 0x80 ? 1 : ft_utf8_wide(p + i, n - i, &c);
        if (len == 0)
            return 0;
        hash = extended(hash, c);
    }
    return chars <= GRAM_CHARS ? hash | 1 : 0;
}

/* One fingerprint: an n-gram a line, the most frequent first, and behind it what is not needed. */
static int read_fingerprint(reading *r, size_t language, const char *path, ft_err *e)
{
    ft_map m = {0};
    size_t rank = 0;
    ft_slice line;
    int rc = 0;
    if (ft_map_open(&m, path, e) < 0)
        return e->code;
    r->p = m.p;
    r->end = r->p + m.n;
    r->line_number = 0;
    while (rc == 0 && rank < RANKS && next_line(r, &line)) {
        uint64_t hash = gram_hash(line.p, word_length(line.p, line.p + line.n));
        if (!hash)
            rc = ft_err_set(e, FT_ERR_DATA, "%s, line %zu: no n-gram of 1 to %d characters; is the "
                            "package libexttextcat-data whole?", path, r->line_number, GRAM_CHARS);
        else if ((rc = ft_grow(&r->grams, &r->cap, r->n + 1, sizeof *r->grams, e)) == 0)
            r->grams[r->n++] = (raw_gram){hash, {(uint16_t)language, (uint16_t)rank++}};
    }
    ft_map_close(&m);
    return rc;
}

/* A line of fpdb.conf: the name of a file and that of a language; # begins a comment. */
static int read_entry(ft_language *l, reading *conf, reading *grams, const char *folder,
                      ft_slice line, ft_err *e)
{
    const uint8_t *end = memchr(line.p, '#', line.n), *p = line.p, *name;
    char path[512], file[64];
    size_t n, k, subtag = 0;
    end = end ? end : line.p + line.n;
    while (p < end && *p <= 32)
        p++;
    n = word_length(p, end);
    for (name = p + n; name < end && *name <= 32; name++)
        ;
    k = word_length(name, end);
    if (n == 0)
        return 0;
    while (subtag < k && name[subtag] >= 'a' && name[subtag] <= 'z')
        subtag++;
    if (subtag == 0 || subtag >= sizeof *l->name || n >= sizeof file || memchr(p, '/', n) ||
        l->n == LANGUAGES_MAX || strlen(folder) + n + 2 > sizeof path)
        return ft_err_set(e, FT_ERR_DATA, "%s, line %zu: not a file and a language; is the package "
                          "libexttextcat-data whole?", conf->path, conf->line_number);
    memcpy(file, p, n);
    file[n] = '\0';
    stpcpy(stpcpy(stpcpy(path, folder), "/"), file);
    if (ft_grow(&l->name, &l->name_cap, l->n + 1, sizeof *l->name, e) < 0)
        return FT_ERR_NOMEM;
    memset(l->name[l->n], 0, sizeof *l->name);
    memcpy(l->name[l->n], name, subtag);
    return read_fingerprint(grams, l->n++, path, e);
}

/* ---- turning it around ---- */

static gram *slot_of(const ft_language *l, uint64_t hash)
{
    size_t i = (size_t)(hash >> 20) & l->mask;
    while (l->slots[i].hash && l->slots[i].hash != hash)
        i = (i + 1) & l->mask;
    return &l->slots[i];
}

/* An n-gram that a file has twice counts where it comes first. */
static int is_repeated(const place *at, const gram *g, place p)
{
    return g->n > 0 && at[g->from + g->n - 1].language == p.language;
}

static int turn_around(ft_language *l, const reading *r, ft_err *e)
{
    size_t want = 16;
    uint32_t from = 0;
    while (want < 2 * r->n)
        want *= 2;
    l->mask = want - 1;
    if (!(l->slots = ft_new(want, sizeof *l->slots, e)) ||
        !(l->places = ft_new(r->n + 1, sizeof *l->places, e)))
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < r->n; i++) {
        gram *g = slot_of(l, r->grams[i].hash);
        g->hash = r->grams[i].hash;
        g->n++;
    }
    for (size_t i = 0; i <= l->mask; i++) {
        l->slots[i].from = from;
        from += l->slots[i].n;
        l->slots[i].n = 0;
    }
    for (size_t i = 0; i < r->n; i++) {
        gram *g = slot_of(l, r->grams[i].hash);
        if (!is_repeated(l->places, g, r->grams[i].at))
            l->places[g->from + g->n++] = r->grams[i].at;
    }
    return 0;
}

int ft_language_new_from(ft_language **out, const char *folder, ft_err *e)
{
    ft_language *l = ft_new(1, sizeof *l, e);
    reading conf = {0}, grams = {0};
    ft_map m = {0};
    ft_slice line;
    char path[512];
    int rc = 0;
    *out = l;
    if (!l)
        return FT_ERR_NOMEM;
    conf.path = path;
    if (strlen(folder) + 16 > sizeof path)
        rc = ft_err_set(e, FT_ERR_NOINPUT, "%.80s...: too long a name", folder);
    else
        stpcpy(stpcpy(path, folder), "/fpdb.conf");
    if (rc == 0 && access(path, R_OK) != 0)
        rc = ft_err_set(e, FT_ERR_NOINPUT, "no language fingerprints in %s: install "
                        "libexttextcat-data, or use --off chat_language and no --language", folder);
    if (rc == 0)
        rc = ft_map_open(&m, path, e);
    conf.p = m.p;
    conf.end = m.p ? conf.p + m.n : NULL;
    while (rc == 0 && next_line(&conf, &line))
        rc = read_entry(l, &conf, &grams, folder, line, e);
    if (rc == 0)
        rc = turn_around(l, &grams, e);
    ft_map_close(&m);
    ft_free(grams.grams);
    if (rc < 0)
        ft_language_free(out);
    return rc;
}

int ft_language_new(ft_language **l, ft_err *e)
{
    return ft_language_new_from(l, FOLDER, e);
}

void ft_language_free(ft_language **lp)
{
    ft_language *l = *lp;
    if (!l)
        return;
    ft_free(l->name);
    ft_free(l->slots);
    ft_free(l->places);
    ft_free(l);
    *lp = NULL;
}

/* ---- the n-grams of a text ---- */

enum { CHARS_MAX = FT_LANGUAGE_LOOK_BYTES + 2, GRAMS_MAX = CHARS_MAX * GRAM_CHARS,
       SLOTS = 8192 };           /* over 1.5 times GRAMS_MAX */

typedef struct counting {
    uint16_t slots[SLOTS];       /* number of an n-gram + 1 */
    uint64_t hash[GRAMS_MAX];    /* by first occurrence     */
    uint16_t count[GRAMS_MAX];
    size_t n;
} counting;

/* The characters of a text, with one _ for each run of white space, digits or NULs and one at each
 * end, as the fingerprints were made. Returns: how many; 0: garbage or too few letters. */
static size_t normal_chars(const ft_words *classes, const uint8_t *p, size_t n, uint32_t *chars)
{
    size_t limit = n < FT_LANGUAGE_LOOK_BYTES ? n : FT_LANGUAGE_LOOK_BYTES, letters = 0, k = 1;
    chars[0] = '_';
    for (size_t i = 0, len; i < limit; i += len) {
        uint32_t c;
        len = ft_char_at(p + i, n - i, &c);
        if (c >= 0xdc00 && c <= 0xdcff)
            return 0;
        letters += (ft_char_class(classes, c) & FT_CHAR_LETTER) != 0;
        letters += c >= 0x3040 && c <= 0xd7a3;       /* such a letter says as much as two */
        if (c == 0 || c == ' ' || (c >= 0x09 && c <= 0x0d) || (c >= '0' && c <= '9'))
            c = '_';
        if (c != '_' || chars[k - 1] != '_')
            chars[k++] = c;
    }
    if (chars[k - 1] != '_')
        chars[k++] = '_';
    return letters < FT_LANGUAGE_LETTERS_MIN ? 0 : k;
}

static void count_one(counting *t, uint64_t hash)
{
    size_t i = (size_t)(hash >> 20) % SLOTS;
    for (; t->slots[i]; i = (i + 1) % SLOTS)
        if (t->hash[t->slots[i] - 1] == hash) {
            t->count[t->slots[i] - 1]++;
            return;
        }
    t->hash[t->n] = hash;
    t->count[t->n++] = 1;
    t->slots[i] = (uint16_t)t->n;
}

/* Runs of 1 to 5 characters; _ stands at their ends only. */
static void count_grams(counting *t, const uint32_t *chars, size_t n)
{
    memset(t->slots, 0, sizeof t->slots);
    t->n = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = GRAM_START;
        for (size_t k = 0; k < GRAM_CHARS && i + k < n; k++) {
            hash = extended(hash, chars[i + k]);
            count_one(t, hash | 1);
            if (k > 0 && chars[i + k] == '_')
                break;
        }
    }
}

/* The most frequent ones in order of their count, and of equal ones the first of the text first.
 * Returns: how many went to `best`. */
static size_t rank_grams(const counting *t, uint16_t best[RANKS])
{
    uint16_t at[CHARS_MAX + 1] = {0};    /* by count: the rank where it begins */
    size_t sum = 0, most = 0;
    for (size_t i = 0; i < t->n; i++) {
        at[t->count[i]]++;
        most = t->count[i] > most ? t->count[i] : most;
    }
    for (size_t c = most; c > 0; c--) {
        size_t here = at[c];
        at[c] = (uint16_t)sum;
        sum += here;
    }
    for (size_t i = 0; i < t->n; i++) {
        size_t rank = at[t->count[i]]++;
        if (rank < RANKS)
            best[rank] = (uint16_t)i;
    }
    return sum < RANKS ? sum : RANKS;
}

/* ---- guessing ---- */

static ft_guess candidates(const ft_language *l, const int32_t *distance, double margin)
{
    ft_guess g = {0};
    size_t found[5] = {0};
    int32_t best = INT32_MAX, limit;
    for (size_t i = 0; i < l->n; i++)
        best = distance[i] < best ? distance[i] : best;
    limit = (int32_t)((double)best * margin);
    for (size_t i = 0; i < l->n; i++) {
        size_t k = g.n;
        if (distance[i] >= limit && distance[i] != best)
            continue;
        if (g.n == 5)                    /* as near to this as to that: unknown */
            return (ft_guess){0};
        for (; k > 0 && distance[found[k - 1]] > distance[i]; k--)
            found[k] = found[k - 1];
        found[k] = i;
        g.n++;
    }
    for (size_t i = 0; i < g.n; i++)
        memcpy(g.name[i], l->name[found[i]], sizeof g.name[i]);
    return g;
}

ft_guess ft_language_guess(const ft_language *l, const ft_words *classes, const void *text,
                           size_t n)
{
    return ft_language_guess_within(l, classes, text, n, MARGIN);
}

ft_guess ft_language_guess_within(const ft_language *l, const ft_words *classes, const void *text,
                                  size_t n, double margin)
{
    counting t;
    uint32_t chars[CHARS_MAX];
    uint16_t best[RANKS] = {0};
    int32_t distance[LANGUAGES_MAX];
    size_t ranks, k = normal_chars(classes, text, n, chars);
    if (k == 0 || l->n == 0)
        return (ft_guess){0};
    count_grams(&t, chars, k);
    ranks = rank_grams(&t, best);
    for (size_t i = 0; i < l->n; i++)
        distance[i] = (int32_t)(RANKS * ranks);
    for (size_t r = 0; r < ranks; r++) {
        const gram *g = slot_of(l, t.hash[best[r]]);
        const place *at = l->places + g->from;
        for (uint32_t i = 0; i < g->n; i++) {
            int32_t off = (int32_t)at[i].rank - (int32_t)r;
            distance[at[i].language] -= RANKS - (off < 0 ? -off : off);
        }
    }
    return candidates(l, distance, margin);
}

int ft_guess_has(const ft_guess *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->name[i], name) == 0)
            return 1;
    return 0;
}

int ft_guesses_differ(const ft_guess *a, const ft_guess *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (ft_guess_has(a, b->name[i]))
            return 0;
    return a->n > 0 && b->n > 0;
}
