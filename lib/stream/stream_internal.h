/* stream_internal.h: what the files of lib/stream share; not for others. doc/stream.md says what
 * all of this means on disk. */
#ifndef FT_STREAM_INTERNAL_H
#define FT_STREAM_INTERNAL_H

#include "stream/certificate.h"
#include "stream/history.h"
#include "stream/stream.h"

enum ft_frame_kind { FT_FRAME_HEADER, FT_FRAME_RECORDS, FT_FRAME_TRAILER };

#define FT_STREAM_MAGIC "ft-stream"
#define FT_STREAM_DEPTH_MAX 16                 /* frames in work at a time               */
#define FT_MARKER_BYTES_MAX 64
#define FT_MAP_BYTES_MAX (4u << 20)             /* of header and trailer                  */
/* The last record of a frame begins within FT_FRAME_BYTES. */
#define FT_FRAME_CONTENT_MAX (FT_FRAME_BYTES + FT_RECORD_BYTES_MAX + FT_MARKER_BYTES_MAX)
#define FT_KEEP_BYTES_MAX (4u << 20)           /* larger buffers are not kept for later   */

/* What a trailer says about the records before it. */
typedef struct ft_totals {
    uint64_t records, bytes;
    ft_digest digest, header;
} ft_totals;

size_t ft_record_bytes_max(ft_kind kind);

/* Frames in work at a time: one for each thread and one that the caller fills or empties. */
static inline size_t ft_stream_depth(const ft_pool *pool)
{
    size_t threads = pool ? ft_pool_threads(pool) : 1;
    size_t depth = threads == 1 ? 1 : threads + 1;
    return depth < FT_STREAM_DEPTH_MAX ? depth : FT_STREAM_DEPTH_MAX;
}

/* Appends the header map. The entry is left out when h->tool is NULL. */
void ft_header_put(ft_buf *b, const ft_header *h);

/* Reads a header map; slices point into it. tool and version: of the entry, n = 0 without one
 * (out->tool stays NULL). Errors: FT_ERR_DATA. */
int ft_header_parse(ft_mp map, ft_header *out, ft_slice *tool, ft_slice *version,
                    ft_err *e) FT_MUST_CHECK;

/* Reads a bin of 16 bytes under a key. Returns: 1 and the digest, 0 without the key, or -1 when
 * the value is something else. */
int ft_digest_get(ft_mp map, const char *key, ft_digest *d);

/* Appends the trailer map; h = NULL: no history. */
int ft_trailer_put(ft_buf *b, const ft_totals *t, const ft_counts *c,
                   const ft_certificate_set *certificates, const ft_history *h,
                   ft_err *e) FT_MUST_CHECK;

/* Finds the certificates of a trailer (n = 0: none) and compares them with the header's claims.
 * Errors: FT_ERR_DATA. */
int ft_trailer_certificates(ft_mp map, const ft_header *h, ft_mp *array, ft_err *e) FT_MUST_CHECK;

/* Compares a trailer map with what was read, and its counts among themselves. Errors: FT_ERR_DATA
 * naming the field. */
int ft_trailer_check(ft_mp map, const ft_totals *t, ft_err *e) FT_MUST_CHECK;

/* One node as msgpack. Without seed: NULL. inputs: an array of ids, already msgpack. */
typedef struct ft_node {
    ft_slice tool, version, kind;
    ft_mp options;
    const uint64_t *seed;
    uint64_t records;
    ft_digest digest;
} ft_node;
void ft_node_put(ft_buf *b, const ft_node *n, ft_mp inputs);

/* Merges the array of a trailer whose stream says of itself what `own` holds: the last node must
 * say the same. Errors: FT_ERR_DATA. */
int ft_history_merge_own(ft_history *h, ft_mp array, const ft_node *own, ft_err *e) FT_MUST_CHECK;

/* Merges all nodes and remembered inputs of another history. */
int ft_history_absorb(ft_history *h, const ft_history *from, ft_err *e) FT_MUST_CHECK;

/* The graph behind a reader at its verified end, with all its tips. */
const ft_history *ft_reader_graph(const ft_reader *r);

/* For tests of many frames in few bytes: ends frames after n bytes (1..FT_FRAME_BYTES). */
void ft_writer_set_frame_bytes(ft_writer *w, size_t n);

#endif
