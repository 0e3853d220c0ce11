#include "data/components.h"

#include "base/buf.h"
#include "base/mem.h"
#include "data/digest_set.h"

#include <string.h>

/* A distinct key. What is said of the whole component stands at its root. */
typedef struct node {
    uint32_t parent;             /* itself at a root                     */
    uint32_t smallest, most;     /* root: keys, see ft_component         */
    uint32_t is_group;
    uint64_t own_rows;           /* examples that have this key          */
    uint64_t rows;               /* root: examples in the component      */
} node;

struct ft_components {
    ft_digest_set *keys;         /* its numbers are the places in nodes */
    node *nodes;
    size_t cap;
};

int ft_components_new(ft_components **out, ft_err *e)
{
    ft_components *c = ft_new(1, sizeof *c, e);
    *out = NULL;
    if (!c)
        return FT_ERR_NOMEM;
    if (ft_digest_set_new(&c->keys, 0, e) < 0) {
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

/* Groups come before prompts: a prompt that a known group gains must not move the group. */
static int is_smaller(const ft_components *c, uint32_t a, uint32_t b)
{
    const ft_digest *da = ft_digest_set_at(c->keys, a), *db = ft_digest_set_at(c->keys, b);
    if (c->nodes[a].is_group != c->nodes[b].is_group)
        return (int)c->nodes[a].is_group;
    return memcmp(da->b, db->b, sizeof da->b) < 0;
}

/* Finds the node of a key, or makes it a component of its own. */
static int node_of(ft_components *c, const ft_digest *key, int is_group, uint32_t *at, ft_err *e)
{
    uint64_t number = ft_digest_set_count(c->keys);
    int is_new;
    if (number >= FT_NO_KEY)
        return ft_err_set(e, FT_ERR_NOMEM, "over %u distinct prompts and groups", FT_NO_KEY - 1);
    if (ft_grow(&c->nodes, &c->cap, (size_t)number + 1, sizeof *c->nodes, e) < 0 ||
        ft_digest_set_add(c->keys, key, &number, &is_new, e) < 0)
        return FT_ERR_NOMEM;
    *at = (uint32_t)number;
    if (is_new)
        c->nodes[*at] = (node){.parent = *at, .smallest = *at, .most = *at,
                               .is_group = (uint32_t)is_group};
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

static void count_row(ft_components *c, uint32_t key)
{
    node *n = c->nodes, *root = &n[root_of(c, key)];
    n[key].own_rows++;
    if (n[key].own_rows > n[root->most].own_rows)
        root->most = key;
}

int ft_components_add(ft_components *c, const ft_digest *prompt, const ft_digest *group,
                      ft_tie *tie, ft_err *e)
{
    uint32_t root;
    tie->group = FT_NO_KEY;
    if (node_of(c, prompt, 0, &tie->prompt, e) < 0 ||
        (group && node_of(c, group, 1, &tie->group, e) < 0))
        return FT_ERR_NOMEM;
    root = group ? join(c, tie->prompt, tie->group) : root_of(c, tie->prompt);
    c->nodes[root].rows++;
    count_row(c, tie->prompt);
    if (group)
        count_row(c, tie->group);
    return 0;
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
        n += c->nodes[i].parent == i;
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

int ft_group_key(ft_mp value, ft_digest *key, ft_err *e)
{
    static const char salt[] = "\xff" "group" "\xff";     /* no prompt's text looks like this */
    ft_buf b = {0};
    uint64_t u;
    int64_t i;
    double f;
    int rc;
    ft_buf_add(&b, salt, sizeof salt - 1);
    switch (ft_mp_type_of(value)) {
    case FT_MP_NIL: ft_buf_free(&b); return 0;
    case FT_MP_ARRAY:
    case FT_MP_MAP:
    case FT_MP_EXT:
        ft_buf_free(&b);
        return ft_err_set(e, FT_ERR_DATA, "a group is a plain value, this is %s",
                          ft_mp_type_name(ft_mp_type_of(value)));
    case FT_MP_UINT: (void)ft_mp_uint(value, &u); ft_mp_put_uint(&b, u); break;
    case FT_MP_INT: (void)ft_mp_int(value, &i); ft_mp_put_int(&b, i); break;
    case FT_MP_FLOAT: (void)ft_mp_float(value, &f); ft_mp_put_float(&b, f); break;
    case FT_MP_STR: {
        ft_slice s = {0};
        (void)ft_mp_str(value, &s);
        ft_mp_put_str(&b, (const char *)s.p, s.n);
        break;
    }
    case FT_MP_BOOL:
    case FT_MP_BIN: ft_mp_put_raw(&b, value);
    }
    rc = ft_buf_check(&b, e);
    if (rc == 0)
        *key = ft_digest_of(b.p, b.n);
    ft_buf_free(&b);
    return rc < 0 ? rc : 1;
}
