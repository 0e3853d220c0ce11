/* encode.c: text to ids. Special tokens are cut out first, the text between them is split into
 * words, and each word is merged, or found among the words that were merged before.
 */
#include "base/mem.h"
#include "text/tokenizer_internal.h"

#include <string.h>

/* The cache maps the hash of a word to the one place where it can be; a newcomer takes the place
 * over. Its size is fixed: 2^15 lines of 64 bytes. */
#define CACHE_LINES (1u << 15)
#define CACHED_BYTES 32
#define CACHED_IDS 7

typedef struct cache_line {
    uint64_t key[CACHED_BYTES / 8];    /* the word's bytes, see read_key; exact together with n */
    uint8_t n_bytes, n_ids;            /* n_bytes = 0: free                                     */
    uint8_t unused[2];
    uint32_t id[CACHED_IDS];
} cache_line;

struct ft_encoder {
    const ft_tokenizer *t;
    ft_bpe *bpe;
    cache_line *cache;
    uint64_t lost;
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
    if (ft_bpe_new(&enc->bpe, t, e) < 0 ||
        !(enc->cache = ft_new_aligned(CACHE_LINES, sizeof *enc->cache, e))) {
        ft_encoder_free(&enc);
        return FT_ERR_NOMEM;
    }
    memset(enc->cache, 0, CACHE_LINES * sizeof *enc->cache);
    *out = enc;
    return 0;
}

void ft_encoder_free(ft_encoder **enc)
{
    if (!*enc)
        return;
    ft_bpe_free(&(*enc)->bpe);
    ft_free((*enc)->cache);
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

static inline uint64_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Gathers 1 to 32 bytes in four words by loads that overlap but never leave the word; together
 * with n they say the bytes exactly. */
static inline void read_key(const uint8_t *p, size_t n, uint64_t key[4])
{
    key[1] = key[2] = key[3] = 0;
    if (n >= 8) {
        key[0] = load64(p);
        key[1] = load64(p + n - 8);
        if (n > 16) {
            key[2] = load64(p + 8);
            key[3] = load64(p + n - 16);
        }
    } else if (n >= 4) {
        key[0] = load32(p) | load32(p + n - 4) << 32;
    } else {
        key[0] = p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
}

static inline size_t key_hash(const uint64_t key[4], size_t n)
{
    uint64_t h = (key[0] ^ n) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 29 ^ key[1]) * 0xbf58476d1ce4e5b9u;
    if (n > 16)
        h = (h ^ h >> 29 ^ key[2] ^ (key[3] << 31 | key[3] >> 33)) * 0x94d049bb133111ebu;
    return (size_t)(h >> 40);
}

/* Merges a word and puts it in its cache line, if it fits and lost nothing. */
static int encode_new(ft_encoder *enc, const uint8_t *p, size_t n, cache_line *line,
                      const uint64_t key[4], ft_ids *ids, ft_err *e)
{
    size_t before = ids->n, n_ids;
    uint64_t lost = enc->lost;
    int rc = ft_bpe_word(enc->bpe, p, n, ids, &enc->lost, e);
    n_ids = ids->n - before;
    if (rc < 0 || n_ids > CACHED_IDS || enc->lost != lost)
        return rc;
    memcpy(line->key, key, sizeof line->key);
    line->n_bytes = (uint8_t)n;
    line->n_ids = (uint8_t)n_ids;
    memcpy(line->id, ids->p + before, n_ids * sizeof *ids->p);
    return 0;
}

static inline int encode_word(ft_encoder *enc, const uint8_t *p, size_t n, ft_ids *ids, ft_err *e)
{
    uint64_t key[4];
    cache_line *line;
    if (n > CACHED_BYTES)
        return ft_bpe_word(enc->bpe, p, n, ids, &enc->lost, e);
    read_key(p, n, key);
    line = &enc->cache[key_hash(key, n) & (CACHE_LINES - 1)];
    if (line->n_bytes != n || line->key[0] != key[0] || line->key[1] != key[1] ||
        line->key[2] != key[2] || line->key[3] != key[3])
        return encode_new(enc, p, n, line, key, ids, e);
    if (ids->cap - ids->n < CACHED_IDS &&
        ft_grow(&ids->p, &ids->cap, ids->n + CACHED_IDS, sizeof *ids->p, e) < 0)
        return FT_ERR_NOMEM;
    for (size_t i = 0; i < line->n_ids; i++)
        ids->p[ids->n + i] = line->id[i];
    ids->n += line->n_ids;
    return 0;
}

static int encode_text(ft_encoder *enc, const uint8_t *p, size_t n, ft_ids *ids, ft_err *e)
{
    for (size_t at = 0, len; at < n; at += len) {
        len = ft_split_next(&enc->t->splitter, p + at, n - at);
        int rc = encode_word(enc, p + at, len, ids, e);
        if (rc < 0)
            return rc;
    }
    return 0;
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
