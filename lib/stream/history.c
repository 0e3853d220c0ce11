#include "stream/stream_internal.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* More than any honest pipeline; keeps the work for a hostile trailer small. */
enum { NODES_MAX = 1 << 14 };

struct entry {
    ft_digest id;
    size_t at, n;             /* its bytes in `bytes` */
};

struct ft_history {
    ft_buf bytes;             /* all nodes, one behind the other */
    struct entry *nodes;      /* inputs before what was made of them */
    size_t n, cap;
    uint32_t *by_id;          /* numbers of nodes, sorted by id */
    size_t by_id_cap;
    ft_digest *tips;          /* inputs of what comes next: sorted, each once */
    size_t n_tips, tips_cap;
};

int ft_history_new(ft_history **h, ft_err *e)
{
    *h = ft_new(1, sizeof **h, e);
    return *h ? 0 : FT_ERR_NOMEM;
}

void ft_history_free(ft_history **h)
{
    if (!*h)
        return;
    ft_buf_free(&(*h)->bytes);
    ft_free((*h)->nodes);
    ft_free((*h)->by_id);
    ft_free((*h)->tips);
    ft_free(*h);
    *h = NULL;
}

/* Where id stands in by_id, or would. */
static size_t position(const ft_history *h, const ft_digest *id, int *found)
{
    size_t lo = 0, hi = h->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = memcmp(h->nodes[h->by_id[mid]].id.b, id->b, sizeof id->b);
        if (order == 0) {
            *found = 1;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *found = 0;
    return lo;
}

static int known(const ft_history *h, const ft_digest *id)
{
    int found;
    (void)position(h, id, &found);
    return found;
}

/* Appends a node, or does nothing when it is known. */
static int add_node(ft_history *h, const ft_digest *id, ft_mp node, ft_err *e)
{
    int found, rc;
    size_t at = position(h, id, &found);
    if (found)
        return 0;
    if (h->n == NODES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "history of more than %d nodes (--no-history starts "
                          "a new one)", NODES_MAX);
    rc = ft_grow(&h->nodes, &h->cap, h->n + 1, sizeof *h->nodes, e);
    if (rc == 0)
        rc = ft_grow(&h->by_id, &h->by_id_cap, h->n + 1, sizeof *h->by_id, e);
    if (rc < 0)
        return rc;
    h->nodes[h->n] = (struct entry){*id, h->bytes.n, node.n};
    ft_buf_add(&h->bytes, node.p, node.n);
    rc = ft_buf_check(&h->bytes, e);
    if (rc < 0)
        return rc;
    memmove(h->by_id + at + 1, h->by_id + at, (h->n - at) * sizeof *h->by_id);
    h->by_id[at] = (uint32_t)h->n;
    h->n++;
    return 0;
}

static int add_tip(ft_history *h, const ft_digest *id, ft_err *e)
{
    size_t at = 0;
    int rc;
    while (at < h->n_tips && memcmp(h->tips[at].b, id->b, sizeof id->b) < 0)
        at++;
    if (at < h->n_tips && ft_digest_equal(&h->tips[at], id))
        return 0;
    rc = ft_grow(&h->tips, &h->tips_cap, h->n_tips + 1, sizeof *h->tips, e);
    if (rc < 0)
        return rc;
    memmove(h->tips + at + 1, h->tips + at, (h->n_tips - at) * sizeof *h->tips);
    h->tips[at] = *id;
    h->n_tips++;
    return 0;
}

static int check_inputs(const ft_history *h, ft_mp node, ft_err *e)
{
    ft_mp inputs, item;
    ft_mp_iter it;
    ft_digest before = {{0}};
    int first = 1;
    if (!ft_mp_get(node, "inputs", &inputs) || ft_mp_type_of(inputs) != FT_MP_ARRAY)
        return ft_err_set(e, FT_ERR_DATA, "no list of inputs");
    it = ft_mp_iter_of(inputs);
    while (ft_mp_next(&it, &item)) {
        ft_slice s;
        ft_digest id;
        if (!ft_mp_bin(item, &s) || s.n != sizeof id.b)
            return ft_err_set(e, FT_ERR_DATA, "an input that is no digest");
        memcpy(id.b, s.p, sizeof id.b);
        if (!known(h, &id))
            return ft_err_set(e, FT_ERR_DATA, "an input that is not in the history before it");
        if (!first && memcmp(before.b, id.b, sizeof id.b) >= 0)
            return ft_err_set(e, FT_ERR_DATA, "inputs that are not sorted");
        before = id;
        first = 0;
    }
    return 0;
}

/* Takes [id, node] in, checked. */
static int read_pair(ft_history *h, ft_mp pair, ft_digest *id, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(pair);
    ft_mp first, node;
    ft_slice s;
    int rc;
    if (ft_mp_type_of(pair) != FT_MP_ARRAY || ft_mp_count(pair) != 2 || !ft_mp_next(&it, &first) ||
        !ft_mp_next(&it, &node) || !ft_mp_bin(first, &s) || s.n != sizeof id->b ||
        ft_mp_type_of(node) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_DATA, "not a pair of id and node");
    *id = ft_digest_of(node.p, node.n);
    if (memcmp(id->b, s.p, sizeof id->b) != 0)
        return ft_err_set(e, FT_ERR_DATA, "its id does not fit its content: it was altered");
    if (known(h, id))
        return ft_err_set(e, FT_ERR_DATA, "it is there twice");
    rc = check_inputs(h, node, e);
    return rc < 0 ? rc : add_node(h, id, node, e);
}

void ft_node_put(ft_buf *b, const ft_node *n, ft_mp inputs)
{
    ft_mp_put_map(b, n->seed ? 8 : 7);
    ft_mp_put_cstr(b, "tool");
    ft_mp_put_str(b, (const char *)n->tool.p, n->tool.n);
    ft_mp_put_cstr(b, "version");
    ft_mp_put_str(b, (const char *)n->version.p, n->version.n);
    ft_mp_put_cstr(b, "kind");
    ft_mp_put_str(b, (const char *)n->kind.p, n->kind.n);
    ft_mp_put_cstr(b, "options");
    ft_mp_put_raw(b, n->options);
    if (n->seed) {
        ft_mp_put_cstr(b, "seed");
        ft_mp_put_uint(b, *n->seed);
    }
    ft_mp_put_cstr(b, "records");
    ft_mp_put_uint(b, n->records);
    ft_mp_put_cstr(b, "digest");
    ft_mp_put_bin(b, n->digest.b, sizeof n->digest.b);
    ft_mp_put_cstr(b, "inputs");
    ft_mp_put_raw(b, inputs);
}

/* Whether the last node is what a stream says of itself. */
static int check_own(const ft_history *h, const ft_node *own, ft_err *e)
{
    const struct entry *n = &h->nodes[h->n - 1];
    ft_mp last = {h->bytes.p + n->at, n->n}, inputs;
    ft_buf b = {0};
    int rc;
    (void)ft_mp_get(last, "inputs", &inputs);      /* check_inputs saw it */
    ft_node_put(&b, own, inputs);
    rc = ft_buf_check(&b, e);
    if (rc == 0 && (b.n != last.n || memcmp(b.p, last.p, b.n) != 0))
        rc = ft_err_set(e, FT_ERR_DATA, "the history's last node is not about this stream");
    ft_buf_free(&b);
    return rc;
}

int ft_history_absorb(ft_history *h, const ft_history *from, ft_err *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < from->n; i++) {
        const struct entry *n = &from->nodes[i];
        rc = add_node(h, &n->id, (ft_mp){from->bytes.p + n->at, n->n}, e);
    }
    for (size_t i = 0; rc == 0 && i < from->n_tips; i++)
        rc = add_tip(h, &from->tips[i], e);
    return rc;
}

/* Reads an array into an empty history, for it must be complete in itself. */
static int read_array(ft_history *h, ft_mp array, ft_err *e)
{
    ft_mp_iter it = ft_mp_iter_of(array);
    ft_mp pair;
    ft_digest id = {{0}};
    if (ft_mp_type_of(array) != FT_MP_ARRAY || ft_mp_count(array) == 0)
        return ft_err_set(e, FT_ERR_DATA, "history is no list of nodes");
    for (size_t i = 0; ft_mp_next(&it, &pair); i++)
        if (read_pair(h, pair, &id, e) < 0)
            return ft_err_wrap(e, "history node %zu", i);
    return add_tip(h, &id, e);
}

/* Merges an array; own (may be NULL): what its last node must say. */
static int merge(ft_history *h, ft_mp array, const ft_node *own, ft_err *e)
{
    ft_history *fresh;
    int rc = ft_history_new(&fresh, e);
    if (rc == 0)
        rc = read_array(fresh, array, e);
    if (rc == 0 && own)
        rc = check_own(fresh, own, e);
    if (rc == 0)
        rc = ft_history_absorb(h, fresh, e);
    ft_history_free(&fresh);
    return rc;
}

int ft_history_merge(ft_history *h, ft_mp array, ft_err *e)
{
    return merge(h, array, NULL, e);
}

int ft_history_merge_own(ft_history *h, ft_mp array, const ft_node *own, ft_err *e)
{
    return merge(h, array, own, e);
}

/* Adds the node in b, and frees b. */
static int add_made(ft_history *h, ft_buf *b, int only_tip, ft_err *e)
{
    int rc = ft_buf_check(b, e);
    if (rc == 0) {
        ft_digest id = ft_digest_of(b->p, b->n);
        rc = add_node(h, &id, (ft_mp){b->p, b->n}, e);
        if (only_tip)
            h->n_tips = 0;
        if (rc == 0)
            rc = add_tip(h, &id, e);
    }
    ft_buf_free(b);
    return rc;
}

int ft_history_add_file(ft_history *h, const char *role, const ft_digest *d, ft_err *e)
{
    ft_buf b = {0};
    ft_mp_put_map(&b, 4);
    ft_mp_put_cstr(&b, "tool");
    ft_mp_put_cstr(&b, "file");
    ft_mp_put_cstr(&b, "options");
    ft_mp_put_map(&b, 1);
    ft_mp_put_cstr(&b, "role");
    ft_mp_put_cstr(&b, role);
    ft_mp_put_cstr(&b, "digest");
    ft_mp_put_bin(&b, d->b, sizeof d->b);
    ft_mp_put_cstr(&b, "inputs");
    ft_mp_put_array(&b, 0);
    return add_made(h, &b, 0, e);
}

static ft_slice slice_of(const char *s)
{
    return (ft_slice){(const uint8_t *)s, strlen(s)};
}

int ft_history_add(ft_history *h, const char *tool, const char *version, const char *kind,
                   ft_mp options, const uint64_t *seed, uint64_t records, const ft_digest *digest,
                   ft_err *e)
{
    static const uint8_t empty_map = 0x80;
    ft_node n = {slice_of(tool), slice_of(version), slice_of(kind),
                 options.n ? options : (ft_mp){&empty_map, 1}, seed, records, *digest};
    ft_buf inputs = {0}, b = {0};
    ft_mp_put_array(&inputs, h->n_tips);
    for (size_t i = 0; i < h->n_tips; i++)
        ft_mp_put_bin(&inputs, h->tips[i].b, sizeof h->tips[i].b);
    ft_node_put(&b, &n, (ft_mp){inputs.p, inputs.n});
    b.failed |= inputs.failed;
    ft_buf_free(&inputs);
    return add_made(h, &b, 1, e);
}

int ft_history_put(const ft_history *h, ft_buf *b, ft_err *e)
{
    ft_mp_put_array(b, h->n);
    for (size_t i = 0; i < h->n; i++) {
        ft_mp_put_array(b, 2);
        ft_mp_put_bin(b, h->nodes[i].id.b, sizeof h->nodes[i].id.b);
        ft_buf_add(b, h->bytes.p + h->nodes[i].at, h->nodes[i].n);
    }
    return ft_buf_check(b, e);
}
