#include "stream/stream_internal.h"

#include "base/mem.h"

#include <string.h>
#include <zstd.h>

enum { READERS_MAX = 16, DEFAULT_LEVEL = 3, LEVEL_MAX = 19 };

/* A frame on its way: filled by the caller, compressed by a thread, written in order. */
struct slot {
    ft_buf raw, packed;
    ZSTD_CCtx *zstd;
    ft_job job;
    int busy;                    /* submitted, not yet written */
    ft_err err;
};

struct ft_writer {
    ft_out *out;
    ft_pool *pool;
    ft_header header;            /* slices point into `header_map` */
    ft_buf header_map;
    int no_history;
    struct slot slots[FT_STREAM_DEPTH_MAX];
    size_t depth, at;            /* slots in use; the one being filled */
    int open;                    /* a frame is being filled */
    size_t frame_bytes, frame_start;
    uint64_t frame_no;
    ft_hasher *hasher;
    ft_totals totals;
    ft_history *history;
    const ft_reader *readers[READERS_MAX];
    int apart[READERS_MAX];      /* its certificates do not go along */
    size_t n_readers;
    ft_certificate_set certificates;
    ft_err failed;               /* the first failure, said again by each later call */
};

static void compress(void *arg)
{
    struct slot *s = arg;
    size_t room = ZSTD_compressBound(s->raw.n), n;
    ft_buf_clear(&s->packed);
    if (!ft_buf_room(&s->packed, room)) {
        ft_err_nomem(&s->err, room);
        return;
    }
    n = ZSTD_compress2(s->zstd, s->packed.p, room, s->raw.p, s->raw.n);
    if (ZSTD_isError(n))
        ft_err_set(&s->err, FT_ERR_NOMEM, "compressing: %s", ZSTD_getErrorName(n));
    else
        s->packed.n = n;
}

/* Waits for a slot's frame and writes it. */
static int drain(ft_writer *w, struct slot *s)
{
    if (!s->busy)
        return 0;
    s->busy = 0;
    if (w->pool)
        ft_pool_wait(w->pool, &s->job);
    if (s->err.code < 0) {
        w->failed = s->err;
        return w->failed.code;
    }
    if (ft_out_write(w->out, s->packed.p, s->packed.n, &w->failed) < 0)
        return w->failed.code;
    if (s->raw.cap > FT_KEEP_BYTES_MAX)
        ft_buf_free(&s->raw);
    if (s->packed.cap > FT_KEEP_BYTES_MAX)
        ft_buf_free(&s->packed);
    return 0;
}

static int begin_frame(ft_writer *w, enum ft_frame_kind kind)
{
    struct slot *s = &w->slots[w->at];
    if (drain(w, s) < 0)
        return w->failed.code;
    ft_buf_clear(&s->raw);
    ft_mp_put_array(&s->raw, 3);
    ft_mp_put_uint(&s->raw, (uint64_t)kind);
    ft_mp_put_uint(&s->raw, w->frame_no++);
    ft_mp_put_uint(&s->raw, w->totals.records);
    w->frame_start = s->raw.n;
    w->open = 1;
    return 0;
}

static int end_frame(ft_writer *w)
{
    struct slot *s = &w->slots[w->at];
    if (!w->open)
        return 0;
    w->open = 0;
    if (ft_buf_check(&s->raw, &w->failed) < 0)
        return w->failed.code;
    s->job = (ft_job){compress, s, NULL, 0};
    s->busy = 1;
    if (w->pool)
        ft_pool_submit(w->pool, &s->job);
    else
        compress(s);
    w->at = (w->at + 1) % w->depth;
    return 0;
}

/* Writes all frames that are on their way, oldest first. */
static int drain_all(ft_writer *w)
{
    for (size_t i = 0; i < w->depth; i++)
        if (drain(w, &w->slots[(w->at + i) % w->depth]) < 0)
            return w->failed.code;
    return 0;
}

static void writer_free(ft_writer **wp)
{
    ft_writer *w = *wp;
    if (!w)
        return;
    for (size_t i = 0; i < w->depth; i++) {
        struct slot *s = &w->slots[i];
        if (s->busy && w->pool)
            ft_pool_wait(w->pool, &s->job);
        ZSTD_freeCCtx(s->zstd);
        ft_buf_free(&s->raw);
        ft_buf_free(&s->packed);
    }
    ft_buf_free(&w->header_map);
    ft_hasher_free(&w->hasher);
    ft_history_free(&w->history);
    ft_certificate_set_free(&w->certificates);
    ft_free(w);
    *wp = NULL;
}

static int new_slots(ft_writer *w, int level, ft_err *e)
{
    size_t depth = ft_stream_depth(w->pool);
    for (w->depth = 0; w->depth < depth; w->depth++) {
        ZSTD_CCtx *z = ZSTD_createCCtx();
        if (!z)
            return ft_err_nomem(e, sizeof(struct slot));
        w->slots[w->depth].zstd = z;
        if (ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_compressionLevel, level)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)) ||
            ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 1))) {
            w->depth++;
            return ft_err_set(e, FT_ERR_INTERNAL, "libzstd takes no checksum flag");
        }
    }
    return 0;
}

/* Keeps the header's bytes and points w->header into them. */
static int keep_header(ft_writer *w, const ft_header *h, ft_err *e)
{
    ft_header said = *h;
    ft_slice tool, version;
    int rc;
    if (w->no_history)
        said.tool = NULL;
    ft_header_put(&w->header_map, &said);
    rc = ft_buf_check(&w->header_map, e);
    if (rc == 0)
        rc = ft_header_parse((ft_mp){w->header_map.p, w->header_map.n}, &w->header, &tool,
                             &version, e);
    if (rc < 0)
        return rc;
    if (w->header_map.n > FT_MAP_BYTES_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "header of %zu bytes is too long", w->header_map.n);
    w->header.tool = said.tool;     /* a literal of the caller's */
    w->totals.header = ft_digest_of(w->header_map.p, w->header_map.n);
    return 0;
}

static int write_header(ft_writer *w, ft_err *e)
{
    if (begin_frame(w, FT_FRAME_HEADER) == 0) {
        ft_buf_add(&w->slots[w->at].raw, w->header_map.p, w->header_map.n);
        if (end_frame(w) == 0 && drain_all(w) == 0)
            /* At once, so that a reader that cannot use it says so now. */
            return ft_out_flush(w->out, e);
    }
    return ft_err_set(e, w->failed.code, "%s", w->failed.text);
}

int ft_writer_open(ft_writer **out, ft_out *to, const ft_header *h, const ft_writer_options *o,
                   ft_pool *pool, ft_err *e)
{
    int level = o && o->level ? o->level : DEFAULT_LEVEL;
    ft_writer *w;
    int rc;
    *out = NULL;
    if (level < 1 || level > LEVEL_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "compression level %d is not in 1..%d", level,
                          LEVEL_MAX);
    w = ft_new(1, sizeof *w, e);
    if (!w)
        return FT_ERR_NOMEM;
    w->out = to;
    w->pool = pool;
    w->no_history = (o && o->no_history) || !h->tool;
    w->frame_bytes = FT_FRAME_BYTES;
    rc = new_slots(w, level, e);
    if (rc == 0)
        rc = ft_hasher_new(&w->hasher, e);
    if (rc == 0)
        rc = ft_history_new(&w->history, e);
    if (rc == 0)
        rc = keep_header(w, h, e);
    if (rc == 0)
        rc = write_header(w, e);
    if (rc < 0)
        writer_free(&w);
    *out = w;
    return rc;
}

void ft_writer_set_frame_bytes(ft_writer *w, size_t n)
{
    w->frame_bytes = n;
}

int ft_writer_derive(ft_writer *w, const ft_reader *r, ft_err *e)
{
    if (w->n_readers == READERS_MAX)
        return ft_err_set(e, FT_ERR_USAGE, "a stream derives from at most %d readers",
                          READERS_MAX);
    w->readers[w->n_readers++] = r;
    return 0;
}

int ft_writer_derive_apart(ft_writer *w, const ft_reader *r, ft_err *e)
{
    int rc = ft_writer_derive(w, r, e);
    if (rc == 0)
        w->apart[w->n_readers - 1] = 1;
    return rc;
}

int ft_writer_derive_file(ft_writer *w, const char *role, const ft_digest *d, ft_err *e)
{
    return ft_history_add_file(w->history, role, d, e);
}

static int check_record(const ft_writer *w, const void *p, size_t n, ft_err *e)
{
    size_t used, max = ft_record_bytes_max(w->header.kind);
    if (n > max)
        return ft_err_set(e, FT_ERR_USAGE, "record of %zu bytes; kind %s holds at most %zu", n,
                          ft_kind_name(w->header.kind), max);
    if (ft_mp_check(p, n, &used, e) < 0) {
        ft_err_wrap(e, "record to be written");
        return e ? e->code = FT_ERR_USAGE : FT_ERR_USAGE;
    }
    if (used != n || ft_mp_type_of((ft_mp){p, n}) != FT_MP_MAP)
        return ft_err_set(e, FT_ERR_USAGE, "record to be written is not one msgpack map");
    return 0;
}

int ft_writer_put(ft_writer *w, const void *p, size_t n, ft_err *e)
{
    struct slot *s;
    int rc = check_record(w, p, n, e);
    if (rc < 0)
        return rc;
    if (w->failed.code < 0 || (!w->open && begin_frame(w, FT_FRAME_RECORDS) < 0))
        return ft_err_set(e, w->failed.code, "%s", w->failed.text);
    s = &w->slots[w->at];
    ft_buf_add(&s->raw, p, n);
    ft_hasher_add(w->hasher, p, n);
    w->totals.records++;
    w->totals.bytes += n;
    if (s->raw.n - w->frame_start >= w->frame_bytes && end_frame(w) < 0)
        return ft_err_set(e, w->failed.code, "%s", w->failed.text);
    return 0;
}

uint64_t ft_writer_records(const ft_writer *w)
{
    return w->totals.records;
}

static int may_finish(const ft_writer *w, const ft_counts *c, ft_err *e)
{
    if (w->failed.code < 0)
        return ft_err_set(e, w->failed.code, "%s", w->failed.text);
    for (size_t i = 0; i < w->n_readers; i++)
        if (!ft_reader_verified(w->readers[i]))
            return ft_err_set(e, FT_ERR_INTERNAL, "%s was not read to its verified end",
                              ft_reader_name(w->readers[i]));
    if (!ft_counts_hold(c))
        return ft_err_set(e, FT_ERR_INTERNAL, "counts do not hold: %llu read + %llu created is "
                          "not %llu written + %llu dropped", (unsigned long long)c->read,
                          (unsigned long long)c->created, (unsigned long long)c->written,
                          (unsigned long long)ft_counts_dropped(c));
    return 0;
}

static int complete_history(ft_writer *w, ft_err *e)
{
    const ft_header *h = &w->header;
    for (size_t i = 0; i < w->n_readers; i++) {
        int rc = ft_history_absorb(w->history, ft_reader_graph(w->readers[i]), e);
        if (rc < 0)
            return rc;
    }
    return ft_history_add(w->history, h->tool, FT_VERSION, ft_kind_name(h->kind), h->options,
                          h->has_seed ? &h->seed : NULL, w->totals.records, &w->totals.digest, e);
}

static int collect_certificates(ft_writer *w, ft_err *e)
{
    int rc = 0;
    if (w->header.certificates.n)
        rc = ft_certificate_set_add(&w->certificates, w->header.certificates, e);
    for (size_t i = 0; rc == 0 && i < w->n_readers; i++)
        if (!w->apart[i])
            rc = ft_certificate_set_add(&w->certificates,
                                        ft_reader_certificates(w->readers[i]), e);
    return rc;
}

static int write_trailer(ft_writer *w, const ft_counts *c, ft_err *e)
{
    struct slot *s;
    int rc;
    w->totals.digest = ft_hasher_digest(w->hasher);
    rc = collect_certificates(w, e);
    if (rc < 0)
        return rc;
    if (!w->no_history) {
        rc = complete_history(w, e);
        if (rc < 0)
            return rc;
    }
    if (end_frame(w) < 0 || begin_frame(w, FT_FRAME_TRAILER) < 0)
        return ft_err_set(e, w->failed.code, "%s", w->failed.text);
    s = &w->slots[w->at];
    rc = ft_trailer_put(&s->raw, &w->totals, c, &w->certificates,
                        w->no_history ? NULL : w->history, e);
    if (rc < 0)
        return rc;
    if (s->raw.n - w->frame_start > FT_MAP_BYTES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "history grew over %u bytes: use --no-history",
                          FT_MAP_BYTES_MAX);
    if (end_frame(w) < 0 || drain_all(w) < 0)
        return ft_err_set(e, w->failed.code, "%s", w->failed.text);
    return 0;
}

int ft_writer_finish(ft_writer **wp, const ft_counts *c, ft_err *e)
{
    ft_writer *w = *wp;
    int rc = may_finish(w, c, e);
    if (rc == 0)
        rc = write_trailer(w, c, e);
    if (rc == 0)
        rc = ft_out_commit(&w->out, e);
    else
        ft_out_abandon(&w->out);
    writer_free(wp);
    return rc;
}

void ft_writer_abandon(ft_writer **wp)
{
    if (!*wp)
        return;
    ft_out_abandon(&(*wp)->out);
    writer_free(wp);
}
