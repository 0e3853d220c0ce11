/* rows.h: the records of kinds "tokens" and "packed".
 *
 * tokens: map {id, ids: bin of little-endian u32, mask: bin, one bit a token, low bit first,
 *              group?, weight?, …}. Bit i of mask says that ids[i] is a target: it is predicted
 *              from what stands before it in its segment. Bit 0 is always 0.
 * packed: map {segments: [ {id, ids, mask, group?, weight?, …}, … ]}; each segment is a tokens
 *              map with a `length`. Segments do not see each other; positions restart in each.
 */
#ifndef FT_ROWS_H
#define FT_ROWS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

#include <stddef.h>
#include <stdint.h>

#define FT_TOKENS_PER_SEGMENT_MAX (1u << 20)

/* A segment as it stands in a record: slices into the record's bytes, not aligned. */
typedef struct ft_segment {
    ft_mp id;              /* any msgpack scalar                         */
    ft_mp group;           /* n = 0: none                                */
    const uint8_t *ids;    /* n_tokens * 4 bytes, little-endian          */
    const uint8_t *mask;   /* (n_tokens + 7) / 8 bytes                   */
    size_t n_tokens, n_targets;
    double weight;         /* 1 when the record says nothing; finite, >= 0 */
    ft_mp map;             /* the whole map, for fields that ride along   */
} ft_segment;

uint32_t ft_segment_id_at(const ft_segment *s, size_t i);
int ft_segment_is_target(const ft_segment *s, size_t i);

/* Reads a tokens map (also one segment of a packed row) and checks all of it: sizes agree, no
 * empty ids, unused mask bits zero, bit 0 clear, weight finite. Errors: FT_ERR_DATA naming the
 * field. */
int ft_segment_parse(ft_mp map, ft_segment *s, ft_err *e) FT_MUST_CHECK;

/* Walks the segments of a packed record. Returns: 0, FT_EOS after the last one, or FT_ERR_DATA. */
typedef struct ft_row_iter { ft_mp_iter it; size_t at; } ft_row_iter;
int ft_row_begin(ft_mp record, ft_row_iter *it, size_t *n_segments, ft_err *e) FT_MUST_CHECK;
int ft_row_next(ft_row_iter *it, ft_segment *s, ft_err *e) FT_MUST_CHECK;

/* Appends a tokens map. mask: one byte a token here, packed to bits on the way. Fields of
 * `carry` (a map, n = 0: none) other than ids, mask, length are copied; id is put first. */
void ft_tokens_put(ft_buf *b, ft_mp carry, ft_mp id, const uint32_t *ids, const uint8_t *mask,
                   size_t n_tokens);

/* Appends tokens [from, to) of a segment as a segment map with `length`; the first `context`
 * of them (and always the very first) lose their target bit. */
void ft_segment_put(ft_buf *b, const ft_segment *s, size_t from, size_t to, size_t context);

#endif
