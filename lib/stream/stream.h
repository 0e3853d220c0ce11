/* stream.h: read and write ft streams (doc/stream.md is the normative text of the format).
 *
 * A stream is header, records, trailer: msgpack objects inside checksummed zstd frames. The
 * reader says FT_EOS only after the trailer matched what was read, and the writer writes its
 * trailer only after every reader it derives from said FT_EOS, so a stage that is killed makes
 * everything downstream fail instead of looking complete.
 *
 *     ft_reader *in = NULL; ft_writer *out = NULL;
 *     ft_reader_open(&in, ft_in, FT_KIND_TEXT, pool, e)            || …
 *     ft_header h = *ft_reader_header(in);  h.tool = "ft-dedup";  h.options = …
 *     ft_writer_open(&out, ft_out, &h, &wopt, pool, e)             || …
 *     ft_writer_derive(out, in, e)                                 || …
 *     while ((rc = ft_reader_next(in, &rec, e)) == 0) ft_writer_put(out, rec.p, rec.n, e);
 *     if (rc < 0) ft_writer_abandon(&out); else rc = ft_writer_finish(&out, &counts, e);
 *
 * This module knows nothing of models, text or tensors: a record is one msgpack map.
 */
#ifndef FT_STREAM_H
#define FT_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mp.h"
#include "base/pool.h"

#include <stdint.h>

#define FT_STREAM_VERSION 1
#define FT_FRAME_BYTES (1u << 20)           /* a frame ends at the first record past this  */
#define FT_RECORD_BYTES_MAX (16u << 20)
#define FT_TEXT_RECORD_BYTES_MAX (8u << 20) /* for kind text                               */
#define FT_WINDOW_LOG_MAX 23

typedef enum ft_kind { FT_KIND_ANY = 0, FT_KIND_TEXT, FT_KIND_TOKENS, FT_KIND_PACKED,
                       FT_KIND_ADAPTER, FT_KIND_CHECKPOINT } ft_kind;

const char *ft_kind_name(ft_kind k);        /* "text", … */

/* Conservation, counted in examples: read + created = written + dropped. */
#define FT_DROP_REASONS_MAX 64
typedef struct ft_counts {
    uint64_t read, created, written;
    size_t n_reasons;
    struct { const char *reason; uint64_t n; } dropped[FT_DROP_REASONS_MAX]; /* static strings */
} ft_counts;

/* Adds n drops under a reason (a string that outlives c; equal strings share a line). */
void ft_counts_drop(ft_counts *c, const char *reason, uint64_t n);
uint64_t ft_counts_dropped(const ft_counts *c);     /* over all reasons */
int ft_counts_hold(const ft_counts *c);             /* whether read + created = written + dropped */

/* What a header says. Slices are msgpack objects that the caller (writer) or the reader owns. */
typedef struct ft_header {
    ft_kind kind;
    const char *tool;          /* NULL: no entry (--no-history)                             */
    uint64_t seed;             /* recorded when has_seed                                    */
    int has_seed;
    ft_mp options;             /* map of the options that change the payload; n = 0: empty   */
    ft_digest tokenizer;       /* all zero: not said (kind text)                             */
    ft_digest template_;       /* chat template; all zero: none                              */
    ft_mp extra;               /* map of kind-specific facts (adapter configuration …); n = 0 */
    ft_mp certificates;        /* claims: which parts of splits this is from; n = 0: none      */
} ft_header;

/* ---- reading ---- */

typedef struct ft_reader ft_reader;

/* Starts reading and verifies the header. `in` belongs to the reader when this succeeds.
 * kind: what the caller can use (FT_KIND_ANY: all). Decompression runs on `pool` (NULL: in the
 * caller). Errors: FT_ERR_DATA (not a stream, other kind, newer version: the message says which),
 * FT_ERR_TRUNCATED, FT_ERR_IO, FT_ERR_NOMEM. */
int ft_reader_open(ft_reader **r, ft_in *in, ft_kind kind, ft_pool *pool, ft_err *e) FT_MUST_CHECK;

/* Gives the next record: one checked msgpack map, valid until the next call.
 * Returns: 0, FT_EOS when the last trailer matched and the input ended, or an error. A whole new
 * stream of the same kind, tokenizer and template may follow a trailer (cat a.ft b.ft): its
 * records simply come next. Errors name the input, the frame and the record. */
int ft_reader_next(ft_reader *r, ft_mp *record, ft_err *e) FT_MUST_CHECK;

/* Of the first header; later ones must agree in kind, tokenizer and template. */
const ft_header *ft_reader_header(const ft_reader *r);
const char *ft_reader_name(const ft_reader *r);
uint64_t ft_reader_records(const ft_reader *r);      /* given out so far                    */
uint64_t ft_reader_bytes(const ft_reader *r);        /* uncompressed record bytes so far      */
uint64_t ft_reader_bytes_in(const ft_reader *r);     /* compressed bytes read (for progress)  */
int ft_reader_verified(const ft_reader *r);          /* FT_EOS was reached                    */

/* After FT_EOS: digest over all record bytes in order, across concatenated streams. */
ft_digest ft_reader_digest(const ft_reader *r);

/* After FT_EOS: the history, a msgpack array of nodes (see history.h); n = 0 when no stream had
 * one. Owned by the reader. */
ft_mp ft_reader_history(const ft_reader *r);

/* After FT_EOS: the certificates of all streams, a msgpack array (see certificate.h); n = 0 when no
 * stream had one. Owned by the reader. Before, there are the claims in the header. */
ft_mp ft_reader_certificates(const ft_reader *r);

/* After FT_EOS: the counts of the trailer as they stand there (doc/stream.md, section 5); those of
 * the last stream, when several follow on each other. Owned by the reader. */
ft_mp ft_reader_counts(const ft_reader *r);

void ft_reader_free(ft_reader **r);                  /* closes the input; accepts NULL */

/* ---- writing ---- */

typedef struct ft_writer ft_writer;

typedef struct ft_writer_options {
    int level;           /* zstd level 1..19; 0 = 3                  */
    int no_history;      /* leave out entry and history              */
} ft_writer_options;

/* Writes the header. `out` belongs to the writer when this succeeds: finish commits it, abandon
 * removes it. The bytes written do not depend on the number of threads in `pool`. */
int ft_writer_open(ft_writer **w, ft_out *out, const ft_header *h, const ft_writer_options *o,
                   ft_pool *pool, ft_err *e) FT_MUST_CHECK;

/* Says that what is written depends on r, whose trailer must have been verified before finish,
 * and whose history and certificates go into this one's. r must outlive the writer. At most 16. */
int ft_writer_derive(ft_writer *w, const ft_reader *r, ft_err *e) FT_MUST_CHECK;

/* The same for what leaves no record in this stream (validation data), or is certified anew by the
 * header (parts of a split): its certificates do not go along. */
int ft_writer_derive_apart(ft_writer *w, const ft_reader *r, ft_err *e) FT_MUST_CHECK;

/* Names an input that is no stream (a JSONL file, a model), by role ("jsonl", "model") and
 * digest, for the history. */
int ft_writer_derive_file(ft_writer *w, const char *role, const ft_digest *d,
                          ft_err *e) FT_MUST_CHECK;

/* Appends one record: a msgpack map of at most FT_RECORD_BYTES_MAX (text: 8 MiB). Copies it.
 * Errors: FT_ERR_USAGE when it is no such map (a programmer's mistake), FT_ERR_IO. */
int ft_writer_put(ft_writer *w, const void *p, size_t n, ft_err *e) FT_MUST_CHECK;

uint64_t ft_writer_records(const ft_writer *w);

/* Writes the trailer, commits the output and frees *w (also on failure).
 * Errors: FT_ERR_INTERNAL when counts do not hold or a reader it derives from is not at its
 * verified end; FT_ERR_IO. The output is then abandoned. */
int ft_writer_finish(ft_writer **w, const ft_counts *c, ft_err *e) FT_MUST_CHECK;

/* Drops the stream without a trailer: a file disappears, a pipe's reader will see truncation. */
void ft_writer_abandon(ft_writer **w);

#endif
