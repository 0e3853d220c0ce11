/* kv.h: keys and values of many sequences, in blocks of FT_KV_BLOCK tokens.
 *
 * A sequence is a list of blocks, so sequences of any length share one bounded store without gaps.
 * A block is counted by the sequences that hold it. What prompts computed can be published: under
 * the block before it (parent), what was applied to the base (variant) and its exact token ids; a
 * later prompt that begins alike finds it and holds the same block, or copies the beginning of one
 * that is alike only so far. A published block that nobody holds is kept until its memory is wanted
 * for another; the one that was let go longest ago goes first.
 *
 *     ft_kv_new(&kv, model, 400, e);
 *     ft_kv_take(kv, &block, e);  …  memcpy(ft_kv_values(kv, block, layer, head) + row * D, …)
 *     parent = ft_kv_publish(kv, block, parent, 0, ids, 64);
 *     ft_kv_drop(kv, block);
 *
 * It does not know what a sequence is, and computes nothing. Threads: one at a time, but for keys
 * and values, which any thread may ask for.
 */
#ifndef FT_KV_H
#define FT_KV_H

#include "base/err.h"
#include "model/model.h"

#include <stddef.h>
#include <stdint.h>

enum { FT_KV_BLOCK = 64 };
#define FT_KV_NONE UINT32_MAX

typedef struct ft_kv ft_kv;

/* Bytes of one block: 2*L*H_kv*D floats a token. */
size_t ft_kv_block_bytes(const ft_model *m);

/* Makes a store of at most max_blocks blocks (1..2^31), whose memory is taken when it is needed
 * first. Owns: the caller, ft_kv_free (accepts NULL, sets NULL). Errors: FT_ERR_NOMEM. */
int ft_kv_new(ft_kv **kv, const ft_model *m, size_t max_blocks, ft_err *e) FT_MUST_CHECK;
void ft_kv_free(ft_kv **kv);

/* Gives a block that the caller holds, its content undefined. Errors: FT_ERR_NOMEM; also when
 * max_blocks are held. */
int ft_kv_take(ft_kv *kv, uint32_t *block, ft_err *e) FT_MUST_CHECK;
void ft_kv_hold(ft_kv *kv, uint32_t block);      /* once more          */
void ft_kv_drop(ft_kv *kv, uint32_t block);      /* once less          */
size_t ft_kv_held(const ft_kv *kv);              /* blocks held by somebody */

/* Keys: D rows of FT_KV_BLOCK floats, element d of all tokens in row d, a packed panel of
 * kernels.h, finite numbers where nothing was written. Values: FT_KV_BLOCK rows of D floats. */
float *ft_kv_keys(const ft_kv *kv, uint32_t block, size_t layer, size_t head);
float *ft_kv_values(const ft_kv *kv, uint32_t block, size_t layer, size_t head);

/* Makes a held block that holds n (1..FT_KV_BLOCK) tokens of a prompt findable. parent: what this
 * returned for the block before, 0 for the first of a prompt. variant: sequences of different ones
 * share nothing. A block may be published again with more tokens.
 * Returns: the block's name, never given to another, as parent of the next. */
uint64_t ft_kv_publish(ft_kv *kv, uint32_t block, uint64_t parent, uint32_t variant,
                       const uint32_t *ids, size_t n);

/* Looks for the published block behind parent that shares most of the first n (1..FT_KV_BLOCK)
 * ids. Returns: the block and how many it shares in *common, or FT_KV_NONE. Not held by this. */
uint32_t ft_kv_find(const ft_kv *kv, uint64_t parent, uint32_t variant, const uint32_t *ids,
                    size_t n, size_t *common);
uint64_t ft_kv_name(const ft_kv *kv, uint32_t block);

/* Copies keys and values of the first n tokens. */
void ft_kv_copy(ft_kv *kv, uint32_t from, uint32_t to, size_t n);

#endif
