/* history.h: where a stream came from, as a graph whose nodes are named by digest.
 *
 * A node is a map with these keys in this order: tool, version, kind, options, seed (if any),
 * records, digest (of the record bytes), inputs (ids, sorted, each once). An input that is no
 * stream is a node {tool: "file", options: {role}, digest, inputs: []}. A node's id is the XXH3-128
 * of exactly its msgpack bytes, so one that was altered no longer fits the id under which its
 * successors name it. In the history array each node stands as [id, node], inputs before what was
 * made of them; equal nodes of two branches are kept once.
 */
#ifndef FT_HISTORY_H
#define FT_HISTORY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mp.h"

typedef struct ft_history ft_history;

int ft_history_new(ft_history **h, ft_err *e) FT_MUST_CHECK;
void ft_history_free(ft_history **h);

/* Merges the nodes of a history array. Errors: FT_ERR_DATA when an id does not match its node or
 * an input is missing. tips: the last node's id is remembered as an input of what comes next. */
int ft_history_merge(ft_history *h, ft_mp array, ft_err *e) FT_MUST_CHECK;

/* Adds a "file" node and remembers it as an input. */
int ft_history_add_file(ft_history *h, const char *role, const ft_digest *d,
                        ft_err *e) FT_MUST_CHECK;

/* Adds the node made from all remembered inputs; it becomes the only remembered one. */
int ft_history_add(ft_history *h, const char *tool, const char *version, const char *kind,
                   ft_mp options, const uint64_t *seed, uint64_t records, const ft_digest *digest,
                   ft_err *e) FT_MUST_CHECK;

/* Appends the whole history as a msgpack array to b. */
int ft_history_put(const ft_history *h, ft_buf *b, ft_err *e) FT_MUST_CHECK;

#endif
