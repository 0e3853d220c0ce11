/* tokenizer.c: loads a vocabulary, checks that all of it fits together, and indexes it. */
#include "base/mem.h"
#include "text/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX (1u << 22)
#define TYPE_CONTROL 3
#define TYPE_USER 4
#define SEEN_BITS 8              /* of merge_seen for each slot of the table of merges */

/* Returns: the smallest power of two with room for n entries at half load. */
static size_t table_size(size_t n)
{
    size_t size = 16;
    while (size < 2 * n)
        size *= 2;
    return size;
}

static uint32_t find_name(const ft_tokenizer *t, const uint8_t *p, size_t n)
{
    size_t i = (size_t)ft_hash64(p, n, 0) & t->name_mask;
    for (; t->name_slots[i] != FT_NO_TOKEN; i = (i + 1) & t->name_mask) {
        ft_slice s = t->names[t->name_slots[i]];
        if (s.n == n && memcmp(s.p, p, n) == 0)
            return t->name_slots[i];
    }
    return FT_NO_TOKEN;
}

/* The byte-level alphabet writes each byte as one visible character: bytes 21-7e, a1-ac and
 * ae-ff stand for themselves, the 68 others are U+0100 and up, in order. */
static uint32_t byte_char(unsigned byte)
{
    if (byte <= 0x20)
        return 0x100 + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121 + (byte - 0x7f);
    return byte == 0xad ? 0x143 : byte;
}

/* Writes the bytes that a string in the byte-level alphabet stands for. Returns: their number;
 * for a string with other characters, which stands for itself, n. */
static size_t decode_name(const uint8_t *name, size_t n, uint8_t *out)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = name[i];
        if (c >= 0xc2 && c <= 0xc5 && i + 1 < n && (name[i + 1] & 0xc0) == 0x80)
            c = (c & 0x1f) << 6 | (name[++i] & 0x3f);
        else if (c >= 0x80)
            c = UINT32_MAX;
        if (c >= 0x100 && c <= 0x120)
            c -= 0x100;
        else if (c >= 0x121 && c <= 0x142)
            c = c - 0x121 + 0x7f;
        else if (c == 0x143)
            c = 0xad;
        else if (c > 0xff || byte_char(c) != c) {
            memcpy(out, name, n);
            return n;
        }
        out[used++] = (uint8_t)c;
    }
    return used;
}

static int check_spec(const ft_tokenizer_spec *spec, size_t *total, ft_err *e)
{
    *total = 0;
    if (spec->n_tokens == 0 || spec->n_tokens > TOKENS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "vocabulary of %zu tokens; 1 to %u are possible",
                          spec->n_tokens, TOKENS_MAX);
    if (spec->n_merges > TOKENS_MAX)
        return ft_err_set(e, FT_ERR_DATA, "%zu merges; at most %u are possible", spec->n_merges,
                          TOKENS_MAX);
    if (spec->bos < -1 || spec->bos >= (int64_t)spec->n_tokens)
        return ft_err_set(e, FT_ERR_DATA, "bos token id %lld is not below %zu",
                          (long long)spec->bos, spec->n_tokens);
    if (spec->eos < -1 || spec->eos >= (int64_t)spec->n_tokens)
        return ft_err_set(e, FT_ERR_DATA, "eos token id %lld is not below %zu",
                          (long long)spec->eos, spec->n_tokens);
    for (size_t i = 0; i < spec->n_tokens; i++) {
        if (spec->types && (spec->types[i] < 0 || spec->types[i] > 6))
            return ft_err_set(e, FT_ERR_DATA, "token %zu has type %d; 0 to 6 are known", i,
                              (int)spec->types[i]);
        if (__builtin_add_overflow(*total, spec->tokens[i].n, total) || *total > SIZE_MAX / 4)
            return ft_err_nomem(e, SIZE_MAX);
    }
    return 0;
}

/* Copies names, decodes them and enters them in the hash table. */
static int load_tokens(ft_tokenizer *t, const ft_tokenizer_spec *spec, size_t total, ft_err *e)
{
    size_t slots = table_size(spec->n_tokens);
    uint8_t *at;
    t->n_tokens = spec->n_tokens;
    t->name_mask = slots - 1;
    if (!(t->text = ft_new(2 * total, 1, e)) ||
        !(t->names = ft_new(t->n_tokens, sizeof *t->names, e)) ||
        !(t->bytes = ft_new(t->n_tokens, sizeof *t->bytes, e)) ||
        !(t->types = ft_new(t->n_tokens, 1, e)) ||
        !(t->name_slots = ft_new(slots, sizeof *t->name_slots, e)))
        return e ? e->code : FT_ERR_NOMEM;
    memset(t->name_slots, 0xff, slots * sizeof *t->name_slots);
    at = t->text;
    for (size_t i = 0; i < t->n_tokens; i++) {
        ft_slice s = spec->tokens[i];
        size_t slot;
        uint32_t twin = find_name(t, s.p, s.n);
        if (twin != FT_NO_TOKEN)
            return ft_err_set(e, FT_ERR_DATA, "tokens %u and %zu are the same: \"%.*s\"", twin, i,
                              (int)(s.n < 64 ? s.n : 64), (const char *)s.p);
        t->types[i] = spec->types ? (uint8_t)spec->types[i] : 1;
        if (s.n)
            memcpy(at, s.p, s.n);
        t->names[i] = (ft_slice){at, s.n};
        at += s.n;
        t->bytes[i] = (ft_slice){at, s.n};
        if (ft_tokenizer_is_special(t, (uint32_t)i))
            memcpy(at, t->names[i].p, s.n);
        else
            t->bytes[i].n = decode_name(t->names[i].p, s.n, at);
        at += t->bytes[i].n;
        slot = (size_t)ft_hash64(s.p, s.n, 0) & t->name_mask;
        while (t->name_slots[slot] != FT_NO_TOKEN)
            slot = (slot + 1) & t->name_mask;
        t->name_slots[slot] = (uint32_t)i;
    }
    return 0;
}

static void index_bytes(ft_tokenizer *t)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t c = byte_char(byte);
        uint8_t utf8[2] = {(uint8_t)c, 0};
        size_t n = 1;
        if (c >= 0x80) {
            utf8[0] = (uint8_t)(0xc0 | c >> 6);
            utf8[1] = (uint8_t)(0x80 | (c & 0x3f));
            n = 2;
        }
        t->byte_id[byte] = find_name(t, utf8, n);
    }
}

static int by_length_then_id(const void *a, const void *b)
{
    const ft_special *x = a, *y = b;
    if (x->text.n != y->text.n)
        return x->text.n < y->text.n ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int index_specials(ft_tokenizer *t, ft_err *e)
{
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_tokens; i++)
        n += ft_tokenizer_is_special(t, i) && t->names[i].n;
    if (!(t->specials = ft_new(n, sizeof *t->specials, e)))
        return e ? e->code : FT_ERR_NOMEM;
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        if (!ft_tokenizer_is_special(t, i) || t->names[i].n == 0)
            continue;
        t->special_first[t->names[i].p[0]] = 1;
        t->has_user |= t->types[i] == TYPE_USER;
        t->specials[t->n_specials++] =
            (ft_special){t->names[i], i, t->types[i] == TYPE_CONTROL};
    }
    qsort(t->specials, n, sizeof *t->specials, by_length_then_id);
    return 0;
}

/* Reads "left right" and finds the three tokens of a merge. */
static int parse_merge(const ft_tokenizer *t, ft_slice s, size_t number, ft_merge *m, ft_err *e)
{
    const uint8_t *space = s.n ? memchr(s.p, ' ', s.n) : NULL;
    size_t left = space ? (size_t)(space - s.p) : 0, right = space ? s.n - left - 1 : 0;
    int shown = (int)(s.n < 64 ? s.n : 64);
    uint8_t joined[1024];
    if (left == 0 || right == 0 || memchr(space + 1, ' ', right))
        return ft_err_set(e, FT_ERR_DATA, "merge %zu is \"%.*s\", not two tokens with one space "
                          "between them", number, shown, (const char *)s.p);
    if (left + right > sizeof joined)
        return ft_err_set(e, FT_ERR_DATA, "merge %zu makes a token of %zu bytes; at most %zu are "
                          "possible", number, left + right, sizeof joined);
    memcpy(joined, s.p, left);
    memcpy(joined + left, space + 1, right);
    m->left = find_name(t, s.p, left);
    m->right = find_name(t, space + 1, right);
    m->result = find_name(t, joined, left + right);
    m->rank = (uint32_t)number;
    if (m->left == FT_NO_TOKEN || m->right == FT_NO_TOKEN || m->result == FT_NO_TOKEN)
        return ft_err_set(e, FT_ERR_DATA, "merge %zu \"%.*s\": its %s is not in the vocabulary",
                          number, shown, (const char *)s.p,
                          m->left == FT_NO_TOKEN ? "left half"
                          : m->right == FT_NO_TOKEN ? "right half" : "result");
    return 0;
}

static int load_merges(ft_tokenizer *t, const ft_tokenizer_spec *spec, ft_err *e)
{
    size_t slots = table_size(spec->n_merges), seen = SEEN_BITS * slots;
    if (!(t->merges = ft_new_aligned(slots, sizeof *t->merges, e)) ||
        !(t->merge_seen = ft_new(seen / 64, sizeof *t->merge_seen, e)))
        return e ? e->code : FT_ERR_NOMEM;
    memset(t->merges, 0xff, slots * sizeof *t->merges);
    t->merge_mask = slots - 1;
    t->seen_mask = seen - 1;
    for (size_t i = 0; i < spec->n_merges; i++) {
        ft_merge m;
        const ft_merge *twin;
        uint64_t hash;
        size_t slot;
        int rc = parse_merge(t, spec->merges[i], i, &m, e);
        if (rc < 0)
            return rc;
        if ((twin = ft_merge_find(t, m.left, m.right)))
            return ft_err_set(e, FT_ERR_DATA, "merges %u and %zu are the same: \"%.*s\"",
                              twin->rank, i, (int)spec->merges[i].n,
                              (const char *)spec->merges[i].p);
        hash = ft_pair_hash(m.left, m.right);
        t->merge_seen[(hash >> 16 & t->seen_mask) / 64] |= 1ull << (hash >> 16) % 64;
        slot = (size_t)hash & t->merge_mask;
        while (t->merges[slot].left != FT_NO_TOKEN)
            slot = (slot + 1) & t->merge_mask;
        t->merges[slot] = m;
    }
    return 0;
}

static void hash_number(ft_hasher *h, uint64_t v)
{
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    ft_hasher_add(h, b, sizeof b);
}

static void hash_string(ft_hasher *h, ft_slice s)
{
    hash_number(h, s.n);
    ft_hasher_add(h, s.p, s.n);
}

static int digest_spec(ft_tokenizer *t, const ft_tokenizer_spec *spec, ft_err *e)
{
    ft_hasher *h = NULL;
    int rc = ft_hasher_new(&h, e);
    if (rc < 0)
        return rc;
    hash_number(h, spec->n_tokens);
    for (size_t i = 0; i < spec->n_tokens; i++) {
        hash_string(h, spec->tokens[i]);
        hash_number(h, t->types[i]);
    }
    hash_number(h, spec->n_merges);
    for (size_t i = 0; i < spec->n_merges; i++)
        hash_string(h, spec->merges[i]);
    hash_string(h, spec->pre);
    hash_number(h, (uint64_t)spec->bos);
    hash_number(h, (uint64_t)spec->eos);
    t->digest = ft_hasher_digest(h);
    ft_hasher_free(&h);
    return 0;
}

int ft_tokenizer_new(ft_tokenizer **out, const ft_tokenizer_spec *spec, ft_err *e)
{
    ft_err local;
    ft_tokenizer *t;
    size_t total;
    int rc;
    *out = NULL;
    if (!e)
        e = &local;
    if ((rc = check_spec(spec, &total, e)) < 0)
        return rc;
    if (!(t = ft_new(1, sizeof *t, e)))
        return e->code;
    t->bos = spec->bos;
    t->eos = spec->eos;
    if ((rc = ft_splitter_init(&t->splitter, spec->pre, e)) < 0 ||
        (rc = load_tokens(t, spec, total, e)) < 0 || (rc = index_specials(t, e)) < 0 ||
        (rc = load_merges(t, spec, e)) < 0 || (rc = digest_spec(t, spec, e)) < 0) {
        ft_tokenizer_free(&t);
        return rc;
    }
    index_bytes(t);
    *out = t;
    return 0;
}

void ft_tokenizer_free(ft_tokenizer **t)
{
    if (!*t)
        return;
    ft_free((*t)->text);
    ft_free((*t)->names);
    ft_free((*t)->bytes);
    ft_free((*t)->types);
    ft_free((*t)->name_slots);
    ft_free((*t)->merges);
    ft_free((*t)->merge_seen);
    ft_free((*t)->specials);
    ft_free(*t);
    *t = NULL;
}

size_t ft_tokenizer_size(const ft_tokenizer *t) { return t->n_tokens; }
int64_t ft_tokenizer_eos(const ft_tokenizer *t) { return t->eos; }
ft_digest ft_tokenizer_digest(const ft_tokenizer *t) { return t->digest; }
ft_slice ft_token_bytes(const ft_tokenizer *t, uint32_t id) { return t->bytes[id]; }

int ft_tokenizer_is_special(const ft_tokenizer *t, uint32_t id)
{
    return t->types[id] == TYPE_CONTROL || t->types[id] == TYPE_USER;
}

int64_t ft_tokenizer_special(const ft_tokenizer *t, const char *text)
{
    uint32_t id = find_name(t, (const uint8_t *)text, strlen(text));
    return id != FT_NO_TOKEN && ft_tokenizer_is_special(t, id) ? (int64_t)id : -1;
}

int ft_tokenizer_has_byte(const ft_tokenizer *t, uint8_t byte)
{
    return t->byte_id[byte] != FT_NO_TOKEN;
}

size_t ft_tokenizer_missing_bytes(const ft_tokenizer *t)
{
    size_t n = 0;
    for (unsigned byte = 0; byte < 256; byte++)
        n += t->byte_id[byte] == FT_NO_TOKEN;
    return n;
}
