/* encode.c: text to ids. Special tokens are cut out first, the text between them is split into
 * words, and each word is merged, or found among the words that were merged before.
 */
#include "base/mem.h"
#include "text/tokenizer_internal.h"

#include <string.h>

/* Two caches map the hash of a word to the one line where it can be; a newcomer takes a place over.
 * Their sizes are fixed, 2 MiB and 384 KiB. Nearly all words are short: a line of the first holds
 * two of them. */
#define SHORT_LINES ((size_t)1 << 15)
#define SHORT_BYTES 16
#define SHORT_IDS 3
#define LONG_LINES ((size_t)1 << 11)
#define LONG_BYTES 128
#define LONG_IDS 15

typedef struct short_word {
    uint64_t key[2];           /* the bytes, zeros behind them; exact together with n_bytes */
    uint32_t id[SHORT_IDS];
    uint16_t n_ids, n_bytes;   /* n_bytes = 0: free                                         */
} short_word;

typedef struct short_line {
    short_word word[2];        /* the newer one first */
} short_line;

typedef struct long_word {
    uint8_t bytes[LONG_BYTES];
    uint32_t id[LONG_IDS];
    uint16_t n_ids, n_bytes;
} long_word;

/* Words are read by loads of 16 bytes and found by masks over 64: text that ends before is copied
 * to where both can be read. */
#define AHEAD_BYTES (64 + SHORT_BYTES)

/* A word of at most SHORT_BYTES on its way to its place in the cache. */
typedef struct lookup {
    uint64_t a, b;             /* the bytes, zeros behind them */
    short_line *line;
    size_t n;
} lookup;

struct ft_encoder {
    const ft_tokenizer *t;
    const ft_kernels *kernels;
    ft_bpe *bpe;
    short_line *short_words;
    long_word *long_words;
    uint64_t lost;
    lookup words[64];          /* scratch of encode_ends */
};

void ft_ids_free(ft_ids *ids)
{
    ft_free(ids->p);
    *ids = (ft_ids){0};
}

int ft_ids_add(ft_ids *ids, uint32_t id, ft_err *e)
{
    if (ids->n == ids->cap && ft_grow(&ids->p, &ids->cap, ids->n + 1, sizeof *ids->p, e) < 0)
        return FT_ERR_NOMEM;
    ids->p[ids->n++] = id;
    return 0;
}

int ft_encoder_new(ft_encoder **out, const ft_tokenizer *t, ft_err *e)
{
    ft_encoder *enc = ft_new(1, sizeof *enc, e);
    *out = NULL;
    if (!enc)
        return FT_ERR_NOMEM;
    enc->t = t;
    enc->kernels = ft_kernels_get();
    if (ft_bpe_new(&enc->bpe, t, e) < 0 ||
        !(enc->short_words = ft_new_aligned(SHORT_LINES, sizeof *enc->short_words, e)) ||
        !(enc->long_words = ft_new(LONG_LINES, sizeof *enc->long_words, e))) {
        ft_encoder_free(&enc);
        return FT_ERR_NOMEM;
    }
    memset(enc->short_words, 0, SHORT_LINES * sizeof *enc->short_words);
    *out = enc;
    return 0;
}

void ft_encoder_free(ft_encoder **enc)
{
    if (!*enc)
        return;
    ft_bpe_free(&(*enc)->bpe);
    ft_free((*enc)->short_words);
    ft_free((*enc)->long_words);
    ft_free(*enc);
    *enc = NULL;
}

uint64_t ft_encoder_lost_bytes(const ft_encoder *enc) { return enc->lost; }
uint64_t ft_encoder_steps(const ft_encoder *enc) { return ft_bpe_steps(enc->bpe); }

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static const uint64_t first_bytes[9] = {
    0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
    0xffffffffffffffff};

static inline size_t line_of(uint64_t a, uint64_t b, size_t lines)
{
    uint64_t h = a * 0x9e3779b97f4a7c15u ^ b * 0xbf58476d1ce4e5b9u;
    return (size_t)(h >> 32 ^ h >> 45) & (lines - 1);
}

/* p: SHORT_BYTES that can be read. */
static inline lookup look_for(ft_encoder *enc, const uint8_t *p, size_t n)
{
    uint64_t a = load64(p) & first_bytes[n < 8 ? n : 8];
    uint64_t b = load64(p + 8) & first_bytes[n < 8 ? 0 : n - 8];
    return (lookup){a, b, &enc->short_words[line_of(a, b, SHORT_LINES)], n};
}

/* Merges a word and puts it in front in its line, if it fits and lost nothing. */
static int new_short_word(ft_encoder *enc, const uint8_t *p, const lookup *l, ft_ids *ids,
                          ft_err *e)
{
    short_word w = {{l->a, l->b}, {0}, 0, (uint16_t)l->n};
    size_t before = ids->n;
    uint64_t lost = enc->lost;
    int rc = ft_bpe_word(enc->bpe, p, l->n, ids, &enc->lost, e);
    if (rc < 0 || ids->n - before > SHORT_IDS || enc->lost != lost)
        return rc;
    w.n_ids = (uint16_t)(ids->n - before);
    memcpy(w.id, ids->p + before, w.n_ids * sizeof *w.id);
    l->line->word[1] = l->line->word[0];
    l->line->word[0] = w;
    return 0;
}

static inline uint64_t differs(const short_word *w, const lookup *l)
{
    return (w->key[0] ^ l->a) | (w->key[1] ^ l->b) | (w->n_bytes ^ l->n);
}

static inline int encode_short(ft_encoder *enc, const uint8_t *p, const lookup *l, ft_ids *ids,
                               ft_err *e)
{
    const short_word *w = l->line->word;
    uint64_t newer = differs(&w[0], l), older = differs(&w[1], l);
    if (newer && older)
        return new_short_word(enc, p, l, ids, e);
    w += newer != 0;
    if (ids->cap - ids->n < SHORT_IDS &&
        ft_grow(&ids->p, &ids->cap, ids->n + SHORT_IDS, sizeof *ids->p, e) < 0)
        return FT_ERR_NOMEM;
    memcpy(ids->p + ids->n, w->id, sizeof w->id);
    ids->n += w->n_ids;
    return 0;
}

static int encode_long(ft_encoder *enc, const uint8_t *p, size_t n, ft_ids *ids, ft_err *e)
{
    size_t before = ids->n;
    uint64_t lost = enc->lost, h;
    long_word *w;
    int rc;
    if (n > LONG_BYTES)
        return ft_bpe_word(enc->bpe, p, n, ids, &enc->lost, e);
    h = ft_hash64(p, n, 0);
    w = &enc->long_words[(size_t)h & (LONG_LINES - 1)];
    if (w->n_bytes == n && memcmp(w->bytes, p, n) == 0) {
        for (size_t i = 0; i < w->n_ids; i++)
            if (ft_ids_add(ids, w->id[i], e) < 0)
                return FT_ERR_NOMEM;
        return 0;
    }
    rc = ft_bpe_word(enc->bpe, p, n, ids, &enc->lost, e);
    if (rc < 0 || ids->n - before > LONG_IDS || enc->lost != lost)
        return rc;
    memcpy(w->bytes, p, n);
    w->n_bytes = (uint16_t)n;
    w->n_ids = (uint16_t)(ids->n - before);
    memcpy(w->id, ids->p + before, w->n_ids * sizeof *w->id);
    return 0;
}

/* The words that end at the places in `ends`; p: AHEAD_BYTES or more that can be read. All are
 * looked for before the first is found, so that memory works for many at a time.
 * Returns: 0 and where the last one ends in *used. */
static int encode_ends(ft_encoder *enc, const uint8_t *p, uint64_t ends, size_t *used,
                       ft_ids *ids, ft_err *e)
{
    lookup *words = enc->words;
    size_t n_words = 0, at = 0;
    int rc = 0;
    for (; ends; ends &= ends - 1) {
        size_t end = (size_t)__builtin_ctzll(ends), n = end - at;
        lookup *l = &words[n_words++];
        *l = n <= SHORT_BYTES ? look_for(enc, p + at, n) : (lookup){.n = n};
        __builtin_prefetch(l->line);
        at = end;
    }
    *used = at;
    for (size_t i = 0; rc == 0 && i < n_words; i++) {
        rc = words[i].line ? encode_short(enc, p, &words[i], ids, e)
                           : encode_long(enc, p, words[i].n, ids, e);
        p += words[i].n;
    }
    return rc;
}

/* The first word of n bytes, whatever it is. */
static int encode_next(ft_encoder *enc, const uint8_t *p, size_t n, size_t *used, ft_ids *ids,
                       ft_err *e)
{
    uint8_t padded[SHORT_BYTES] = {0};
    size_t len = *used = ft_split_next(&enc->t->splitter, p, n);
    lookup l;
    if (len > SHORT_BYTES)
        return encode_long(enc, p, len, ids, e);
    if (n < SHORT_BYTES)
        p = memcpy(padded, p, len);
    l = look_for(enc, p, len);
    return encode_short(enc, p, &l, ids, e);
}

static int encode_text(ft_encoder *enc, const uint8_t *p, size_t n, ft_ids *ids, ft_err *e)
{
    uint8_t tail[AHEAD_BYTES];
    int rc = 0;
    for (size_t used; rc == 0 && n; p += used, n -= used) {
        const uint8_t *from = p;
        uint64_t ends = 0;
        if (n < AHEAD_BYTES) {
            memset(tail, 0, sizeof tail);
            from = memcpy(tail, p, n);
        }
        if (p[0] < 0x80)
            ends = ft_split_ends(&enc->t->splitter, enc->kernels, from, n);
        rc = ends ? encode_ends(enc, from, ends, &used, ids, e)
                  : encode_next(enc, p, n, &used, ids, e);
    }
    return rc;
}

/* Returns: the longest special token at the start of n bytes, or NULL. */
static const ft_special *special_at(const ft_tokenizer *t, const uint8_t *p, size_t n, int flags)
{
    if (!t->special_first[p[0]])
        return NULL;
    for (size_t i = 0; i < t->n_specials; i++) {
        const ft_special *s = &t->specials[i];
        if (s->text.n <= n && memcmp(s->text.p, p, s->text.n) == 0 &&
            (!s->control || (flags & FT_ENCODE_SPECIAL)))
            return s;
    }
    return NULL;
}

int ft_encode(ft_encoder *enc, const void *text, size_t n, int flags, ft_ids *ids, ft_err *e)
{
    const uint8_t *p = text;
    size_t from = 0;
    int rc = 0;
    if (!(flags & FT_ENCODE_SPECIAL) && !enc->t->has_user)
        return encode_text(enc, p, n, ids, e);
    for (size_t i = 0; rc == 0 && i < n;) {
        const ft_special *s = special_at(enc->t, p + i, n - i, flags);
        if (!s) {
            i++;
            continue;
        }
        if ((rc = encode_text(enc, p + from, i - from, ids, e)) == 0)
            rc = ft_ids_add(ids, s->id, e);
        from = i += s->text.n;
    }
    return rc < 0 ? rc : encode_text(enc, p + from, n - from, ids, e);
}
