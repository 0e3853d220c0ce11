#include "data/components.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/digest_set.h"

#include <string.h>

/* A distinct key. What is said of the whole component stands at its root. */
typedef struct node {
    uint32_t parent;             /* itself at a root                     */
    uint32_t smallest, most;     /* root: keys, see ft_component         */
    uint16_t by;                 /* enum ft_relation                     */
    uint16_t common;             /* ties nobody                          */
    uint64_t own_rows;           /* examples that have this key          */
    uint64_t rows;               /* root: examples in the component      */
} node;

struct ft_components {
    ft_digest_set *keys;         /* its numbers are the places in nodes */
    node *nodes;
    size_t cap;
    uint64_t bytes_max, charged;
};

int ft_components_new(ft_components **out, uint64_t bytes_max, ft_err *e)
{
    ft_components *c = ft_new(1, sizeof *c, e);
    *out = NULL;
    if (!c)
        return FT_ERR_NOMEM;
    c->bytes_max = bytes_max;
    if (ft_digest_set_new(&c->keys, bytes_max, e) < 0) {
        ft_free(c);
        return FT_ERR_NOMEM;
    }
    *out = c;
    return 0;
}

static uint32_t root_of(ft_components *c, uint32_t at)
{
    node *nodes = c->nodes;
    while (nodes[at].parent != at) {
        nodes[at].parent = nodes[nodes[at].parent].parent;      /* path halving */
        at = nodes[at].parent;
    }
    return at;
}

static int is_smaller(const ft_components *c, uint32_t a, uint32_t b)
{
    const ft_digest *da = ft_digest_set_at(c->keys, a), *db = ft_digest_set_at(c->keys, b);
    if (c->nodes[a].by != c->nodes[b].by)
        return c->nodes[a].by < c->nodes[b].by;
    return memcmp(da->b, db->b, sizeof da->b) < 0;
}

uint64_t ft_components_bytes(const ft_components *c)
{
    return ft_digest_set_bytes(c->keys) + c->cap * sizeof(node) + c->charged;
}

static int over_bound(const ft_components *c, uint64_t bytes, ft_err *e)
{
    uint64_t held = ft_components_bytes(c);
    if (!c->bytes_max || held + bytes <= c->bytes_max)
        return 0;
    return ft_err_set(e, FT_ERR_NOMEM, "%llu distinct keys take %llu bytes and %llu more are "
                      "needed, over the bound of %llu",
                      (unsigned long long)ft_digest_set_count(c->keys),
                      (unsigned long long)held, (unsigned long long)bytes,
                      (unsigned long long)c->bytes_max);
}

int ft_components_charge(ft_components *c, uint64_t bytes, ft_err *e)
{
    int rc = over_bound(c, bytes, e);
    if (rc == 0)
        c->charged += bytes;
    return rc;
}

/* The set may have what nodes and arrays leave. */
static void share_bound(ft_components *c)
{
    uint64_t others = c->cap * sizeof(node) + c->charged;
    if (c->bytes_max)
        ft_digest_set_bound(c->keys, c->bytes_max > others ? c->bytes_max - others : 1);
}

/* Finds the node of a key, or makes it a component of its own. */
static int node_of(ft_components *c, const ft_digest *key, enum ft_relation by, uint32_t *at,
                   ft_err *e)
{
    uint64_t number = ft_digest_set_count(c->keys);
    int is_new;
    if (number >= FT_NO_KEY)
        return ft_err_set(e, FT_ERR_NOMEM, "over %u distinct keys", FT_NO_KEY - 1);
    if (number == c->cap && over_bound(c, (number + 16) * sizeof(node), e) < 0)
        return FT_ERR_NOMEM;
    if (ft_grow(&c->nodes, &c->cap, (size_t)number + 1, sizeof *c->nodes, e) < 0)
        return FT_ERR_NOMEM;
    share_bound(c);
    if (ft_digest_set_add(c->keys, key, &number, &is_new, e) < 0)
        return c->bytes_max ? ft_err_wrap(e, "within %llu bytes for keys and what is kept of them",
                                          (unsigned long long)c->bytes_max) : FT_ERR_NOMEM;
    *at = (uint32_t)number;
    if (is_new)
        c->nodes[*at] = (node){.parent = *at, .smallest = *at, .most = *at, .by = (uint16_t)by};
    return 0;
}

/* Returns: the root of what a and b are in from now on. */
static uint32_t join(ft_components *c, uint32_t a, uint32_t b)
{
    node *n = c->nodes;
    a = root_of(c, a);
    b = root_of(c, b);
    if (a == b)
        return a;
    if (n[a].rows < n[b].rows) {
        uint32_t larger = b;
        b = a;
        a = larger;
    }
    n[b].parent = a;
    n[a].rows += n[b].rows;
    if (is_smaller(c, n[b].smallest, n[a].smallest))
        n[a].smallest = n[b].smallest;
    if (n[n[b].most].own_rows > n[n[a].most].own_rows)
        n[a].most = n[b].most;
    return a;
}

int ft_components_key(ft_components *c, const ft_digest *key, enum ft_relation by,
                      uint32_t *number, ft_err *e)
{
    if (node_of(c, key, by, number, e) < 0)
        return FT_ERR_NOMEM;
    c->nodes[*number].own_rows++;
    return 0;
}

void ft_components_set_common(ft_components *c, uint32_t key)
{
    c->nodes[key].common = 1;
}

int ft_components_is_common(const ft_components *c, uint32_t key)
{
    return c->nodes[key].common;
}

uint64_t ft_components_rows_with(const ft_components *c, uint32_t key)
{
    return c->nodes[key].own_rows;
}

/* The key of an example whose others are all common: of its prompt and response together. */
static int own_key(ft_components *c, const ft_tie *tie, uint32_t *at, ft_err *e)
{
    uint32_t response = tie->key[FT_TIE_RESPONSE];
    ft_digest both[2] = {*ft_digest_set_at(c->keys, tie->key[FT_TIE_PROMPT])}, key;
    if (response != FT_NO_KEY)
        both[1] = *ft_digest_set_at(c->keys, response);
    key = ft_digest_of(both, sizeof both);
    return node_of(c, &key, FT_BY_PROMPT, at, e);
}

int ft_components_home(ft_components *c, const ft_tie *tie, uint32_t *home, ft_err *e)
{
    for (size_t i = 0; i < FT_TIES; i++)
        if (tie->key[i] != FT_NO_KEY && !c->nodes[tie->key[i]].common) {
            *home = tie->key[i];
            return 0;
        }
    return own_key(c, tie, home, e);
}

int ft_components_tie(ft_components *c, const ft_tie *tie, uint32_t *home, ft_err *e)
{
    uint32_t root = FT_NO_KEY;
    *home = FT_NO_KEY;
    for (size_t i = 0; i < FT_TIES; i++) {
        uint32_t key = tie->key[i];
        if (key == FT_NO_KEY || c->nodes[key].common)
            continue;
        root = *home == FT_NO_KEY ? root_of(c, key) : join(c, root, key);
        if (*home == FT_NO_KEY)
            *home = key;
    }
    if (*home == FT_NO_KEY) {
        if (own_key(c, tie, home, e) < 0)
            return FT_ERR_NOMEM;
        c->nodes[*home].own_rows++;
        root = root_of(c, *home);
    }
    c->nodes[root].rows++;
    return 0;
}

uint32_t ft_components_root(ft_components *c, uint32_t key)
{
    return root_of(c, key);
}

size_t ft_components_keys(const ft_components *c)
{
    return (size_t)ft_digest_set_count(c->keys);
}

size_t ft_components_strongest(ft_components *c, uint32_t root, uint32_t *keys, size_t max)
{
    size_t n = 0;
    for (uint32_t i = 0; i < ft_digest_set_count(c->keys); i++) {
        uint64_t rows = c->nodes[i].own_rows;
        size_t at;
        if (rows < 2 || c->nodes[i].common || root_of(c, i) != root)
            continue;
        for (at = n < max ? n++ : n; at > 0 && c->nodes[keys[at - 1]].own_rows < rows; at--)
            if (at < max)
                keys[at] = keys[at - 1];
        if (at < max)
            keys[at] = i;
    }
    return n;
}

ft_component ft_components_of(ft_components *c, uint32_t key)
{
    const node *root = &c->nodes[root_of(c, key)];
    return (ft_component){.rows = root->rows,
                          .key = *ft_digest_set_at(c->keys, root->smallest),
                          .most = root->most, .most_rows = c->nodes[root->most].own_rows};
}

uint64_t ft_components_count(const ft_components *c)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < ft_digest_set_count(c->keys); i++)
        n += c->nodes[i].parent == i && c->nodes[i].rows;
    return n;
}

ft_component ft_components_largest(ft_components *c)
{
    uint32_t n = (uint32_t)ft_digest_set_count(c->keys), best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (c->nodes[i].parent == i && c->nodes[i].rows > c->nodes[root_of(c, best)].rows)
            best = i;
    return n ? ft_components_of(c, best) : (ft_component){0};
}

void ft_components_free(ft_components **c)
{
    if (!*c)
        return;
    ft_digest_set_free(&(*c)->keys);
    ft_free((*c)->nodes);
    ft_free(*c);
    *c = NULL;
}

/* ---- sides ---- */

int ft_component_is_oversized(const ft_component *c, const ft_shares *s)
{
    double sum = 0, least = s->of[0];
    for (size_t i = 0; i < s->n; i++) {
        sum += s->of[i];
        least = s->of[i] < least ? s->of[i] : least;
    }
    return c->rows > 1 && (double)c->rows * 5 > (double)s->rows * (least / sum);
}

size_t ft_component_side(const ft_component *c, const ft_shares *s, uint64_t seed)
{
    double sum = 0, upto = 0, at;
    if (ft_component_is_oversized(c, s))
        return 0;
    for (size_t i = 0; i < s->n; i++)
        sum += s->of[i];
    /* 53 bits are exact in a double, and sum / 2^53 times them stays below sum. */
    at = (double)(ft_hash64(c->key.b, sizeof c->key.b, seed) >> 11) * 0x1p-53 * sum;
    for (size_t i = 0; i + 1 < s->n; i++) {
        upto += s->of[i];
        if (at < upto)
            return i;
    }
    return s->n - 1;
}

