#include "stream/stream_internal.h"

#include "base/mem.h"
#include "stream/zframe.h"

#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { INPUT_BYTES = 128 << 10 };

/* Bytes of frames in work at a time, packed and unpacked, when there is more than one frame: with
 * frames of the usual size all threads have work, with the largest allowed ones only one has. */
#define IN_WORK_BYTES_MAX (36u << 20)

/* A frame on its way: read by the caller, decompressed and cut into records by a thread. */
struct slot {
    ft_buf packed, data;
    size_t content, charged;
    ZSTD_DCtx *zstd;
    ft_job job;
    uint64_t marker[3];        /* kind, frame number, number of the first record */
    size_t start;              /* where the records begin in data */
    uint32_t *lengths;
    size_t n, cap;             /* good records */
    ft_err err;                /* what is wrong behind them */
};

enum expect { WANT_HEADER, WANT_RECORDS, WANT_NEXT_STREAM };

struct ft_reader {
    ft_in *in;
    const char *name;
    ft_pool *pool;
    uint8_t *input;            /* INPUT_BYTES, of which [input_at, input_n) is unread */
    size_t input_at, input_n;
    int input_ended;
    uint64_t bytes_in;

    struct slot slots[FT_STREAM_DEPTH_MAX];
    size_t depth, first, queued, in_work;
    ft_err pending;            /* why reading frames stopped, when it was not a clean end */

    struct slot *current;
    size_t at, next;           /* offset and number of the next record in it */
    enum expect expect;
    uint64_t stream_no, frame_no;
    ft_header header;          /* of the first stream */
    char *tool;
    ft_buf header_map, this_map;
    ft_header this_header;     /* of this stream */
    ft_slice this_tool, this_version;
    ft_totals totals;          /* of this stream */
    ft_hasher *all, *this;     /* over all streams; over this one, from the second on */

    uint64_t records, bytes;
    ft_history *graph;
    int has_history;
    ft_buf history;
    ft_buf counts;               /* the last trailer's */
    ft_certificate_set certificates;
    ft_buf proof;
    int verified;
    ft_err failed;             /* said again by each later call */
};

/* ---- compressed bytes ---- */

static int refill(ft_reader *r)
{
    size_t left = r->input_n - r->input_at, got;
    memmove(r->input, r->input + r->input_at, left);
    r->input_at = 0;
    r->input_n = left;
    if (ft_in_read_some(r->in, r->input + left, INPUT_BYTES - left, &got, &r->pending) < 0)
        return r->pending.code;
    r->input_n += got;
    r->bytes_in += got;
    r->input_ended = got == 0;
    return 0;
}

/* Sees to it that n bytes are in the buffer, unless the input ends before. */
static int want(ft_reader *r, size_t n)
{
    while (r->input_n - r->input_at < n && !r->input_ended)
        if (refill(r) < 0)
            return r->pending.code;
    return 0;
}

static int cut_off(ft_reader *r)
{
    return ft_err_set(&r->pending, FT_ERR_TRUNCATED, "the input ends inside a frame");
}

/* Moves n bytes of the input into the slot. */
static int take(ft_reader *r, struct slot *s, size_t n)
{
    while (n > 0) {
        size_t part = r->input_n - r->input_at;
        if (part == 0) {
            if (want(r, 1) < 0)
                return r->pending.code;
            part = r->input_n - r->input_at;
            if (part == 0)
                return cut_off(r);
        }
        part = part < n ? part : n;
        ft_buf_add(&s->packed, r->input + r->input_at, part);
        if (ft_buf_check(&s->packed, &r->pending) < 0)
            return r->pending.code;
        r->input_at += part;
        n -= part;
    }
    return 0;
}

static int take_blocks(ft_reader *r, struct slot *s, ft_zframe *z)
{
    int last = 0;
    while (!last) {
        size_t more;
        if (want(r, 3) < 0)
            return r->pending.code;
        if (r->input_n - r->input_at < 3)
            return cut_off(r);
        if (ft_zframe_block(z, r->input + r->input_at, &more, &last, &r->pending) < 0 ||
            take(r, s, 3 + more) < 0)
            return r->pending.code;
    }
    return 0;
}

/* ---- threads: from compressed bytes to records ---- */

static int parse_marker(struct slot *s)
{
    ft_mp marker, item;
    ft_mp_iter it;
    size_t used, i = 0;
    if (ft_mp_check(s->data.p, s->data.n, &used, &s->err) < 0)
        return ft_err_wrap(&s->err, "begins with no frame marker (not an ft stream?)");
    marker = (ft_mp){s->data.p, used};
    it = ft_mp_iter_of(marker);
    if (ft_mp_type_of(marker) == FT_MP_ARRAY && ft_mp_count(marker) == 3 &&
        used <= FT_MARKER_BYTES_MAX)
        while (ft_mp_next(&it, &item) && ft_mp_uint(item, &s->marker[i]))
            i++;
    if (i != 3)
        return ft_err_set(&s->err, FT_ERR_DATA, "begins with no frame marker (not an ft stream?)");
    s->start = used;
    return 0;
}

static int cut_records(struct slot *s)
{
    const uint8_t *p = s->data.p + s->start;
    size_t n = s->data.n - s->start, at = 0, used;
    if (n == 0)
        return ft_err_set(&s->err, FT_ERR_DATA, "holds nothing");
    while (at < n) {
        if (at >= FT_FRAME_BYTES)
            return ft_err_set(&s->err, FT_ERR_DATA, "goes on after %u bytes", FT_FRAME_BYTES);
        if (ft_mp_check(p + at, n - at, &used, &s->err) < 0)
            return s->err.code;
        if (ft_mp_type_of((ft_mp){p + at, used}) != FT_MP_MAP)
            return ft_err_set(&s->err, FT_ERR_DATA, "a record that is no map");
        if (used > FT_RECORD_BYTES_MAX)
            return ft_err_set(&s->err, FT_ERR_DATA, "a record of %zu bytes", used);
        if (ft_grow(&s->lengths, &s->cap, s->n + 1, sizeof *s->lengths, &s->err) < 0)
            return s->err.code;
        s->lengths[s->n++] = (uint32_t)used;
        at += used;
    }
    return 0;
}

static void decode(void *arg)
{
    struct slot *s = arg;
    size_t n;
    if (!ft_buf_room(&s->data, s->content)) {
        ft_err_nomem(&s->err, s->content);
        return;
    }
    n = ZSTD_decompressDCtx(s->zstd, s->data.p, s->content, s->packed.p, s->packed.n);
    if (ZSTD_isError(n)) {
        int code = ZSTD_getErrorCode(n) == ZSTD_error_memory_allocation ? FT_ERR_NOMEM
                                                                        : FT_ERR_DATA;
        ft_err_set(&s->err, code, "zstd: %s", ZSTD_getErrorName(n));
        return;
    }
    s->data.n = n;
    if (parse_marker(s) == 0)
        (void)cut_records(s);
}

/* ---- the ring of frames ---- */

static void keep_or_free(ft_buf *b)
{
    if (b->cap > FT_KEEP_BYTES_MAX)
        ft_buf_free(b);
    else
        ft_buf_clear(b);
}

/* Reads one frame into the next slot and gives it to a thread.
 * Returns: 1, or 0 when there is no room now, no frame more, or a failure (in r->pending). */
static int enqueue(ft_reader *r)
{
    struct slot *s = &r->slots[(r->first + r->queued) % r->depth];
    ft_zframe z;
    if (r->queued == r->depth || r->pending.code < 0)
        return 0;
    if (want(r, FT_ZFRAME_HEAD_MAX) < 0 || r->input_n == r->input_at)
        return 0;
    if (ft_zframe_begin(&z, r->input + r->input_at, r->input_n - r->input_at,
                        FT_FRAME_CONTENT_MAX, &r->pending) < 0)
        return 0;
    if (r->queued && r->in_work + 2 * z.content > IN_WORK_BYTES_MAX)
        return 0;
    keep_or_free(&s->packed);
    keep_or_free(&s->data);
    s->content = (size_t)z.content;
    s->n = 0;
    s->err.code = 0;
    if (take(r, s, z.head_bytes) < 0 || take_blocks(r, s, &z) < 0)
        return 0;
    s->charged = s->content + s->packed.n;
    r->in_work += s->charged;
    s->job = (ft_job){decode, s, NULL, 0};
    r->queued++;
    if (r->pool)
        ft_pool_submit(r->pool, &s->job);
    else
        decode(s);
    return 1;
}

/* Gives the current frame's slot back. */
static void release(ft_reader *r)
{
    if (!r->current)
        return;
    r->in_work -= r->current->charged;
    r->first = (r->first + 1) % r->depth;
    r->queued--;
    r->current = NULL;
}

/* ---- what the frames say ---- */

static int in_frame(ft_reader *r)
{
    ft_err *f = &r->failed;
    if (r->stream_no > 1)
        ft_err_wrap(f, "%s: stream %llu, frame %llu, record %llu", r->name,
                    (unsigned long long)r->stream_no, (unsigned long long)r->frame_no,
                    (unsigned long long)r->records + 1);
    else
        ft_err_wrap(f, "%s: frame %llu, record %llu", r->name, (unsigned long long)r->frame_no,
                    (unsigned long long)r->records + 1);
    return f->code;
}

static int begin_stream(ft_reader *r, ft_mp map)
{
    int rc;
    ft_buf_clear(&r->this_map);
    ft_buf_add(&r->this_map, map.p, map.n);
    rc = ft_buf_check(&r->this_map, &r->failed);
    map.p = r->this_map.p;
    if (rc == 0)
        rc = ft_header_parse(map, &r->this_header, &r->this_tool, &r->this_version, &r->failed);
    if (rc < 0)
        return in_frame(r);
    if (r->stream_no > 1) {
        const ft_header *a = &r->header, *b = &r->this_header;
        const char *what = a->kind != b->kind ? "kind"
                         : !ft_digest_equal(&a->tokenizer, &b->tokenizer) ? "tokenizer"
                         : !ft_digest_equal(&a->template_, &b->template_) ? "chat template" : NULL;
        if (what) {
            ft_err_set(&r->failed, FT_ERR_DATA, "its %s is not that of the first stream", what);
            return in_frame(r);
        }
        ft_hasher_reset(r->this);
    }
    memset(&r->totals, 0, sizeof r->totals);
    r->totals.header = ft_digest_of(map.p, map.n);
    r->expect = WANT_RECORDS;
    return 0;
}

static int merge_history(ft_reader *r, ft_mp trailer)
{
    const ft_header *h = &r->this_header;
    const char *kind = ft_kind_name(h->kind);
    ft_node own = {r->this_tool, r->this_version, {(const uint8_t *)kind, strlen(kind)},
                   h->options, h->has_seed ? &h->seed : NULL, r->totals.records,
                   r->totals.digest};
    ft_mp array;
    int has = ft_mp_get(trailer, "history", &array);
    if (has != (r->this_tool.n > 0))
        return ft_err_set(&r->failed, FT_ERR_DATA, "only one of header's entry and trailer's "
                          "history is there");
    if (!has)
        return ft_history_add_file(r->graph, "stream", &r->totals.digest, &r->failed);
    r->has_history = 1;
    return ft_history_merge_own(r->graph, array, &own, &r->failed);
}

static int merge_certificates(ft_reader *r, ft_mp trailer)
{
    ft_mp array;
    int rc = ft_trailer_certificates(trailer, &r->this_header, &array, &r->failed);
    return rc < 0 ? rc : ft_certificate_set_add(&r->certificates, array, &r->failed);
}

static int keep_counts(ft_reader *r, ft_mp trailer)
{
    ft_mp counts;
    ft_buf_clear(&r->counts);
    if (ft_mp_get(trailer, "counts", &counts))
        ft_buf_add(&r->counts, counts.p, counts.n);
    return ft_buf_check(&r->counts, &r->failed);
}

static int end_stream(ft_reader *r, ft_mp map)
{
    r->totals.digest = ft_hasher_digest(r->stream_no > 1 ? r->this : r->all);
    if (ft_trailer_check(map, &r->totals, &r->failed) < 0 || merge_history(r, map) < 0 ||
        merge_certificates(r, map) < 0 || keep_counts(r, map) < 0)
        return in_frame(r);
    r->expect = WANT_NEXT_STREAM;
    return 0;
}

/* Numbers must follow on each other: nothing dropped, doubled, swapped or spliced. */
static int check_marker(ft_reader *r, const struct slot *s)
{
    uint64_t kind = s->marker[0], no = s->marker[1], first = s->marker[2];
    ft_err *f = &r->failed;
    if (r->expect != WANT_RECORDS) {
        r->frame_no = 0;
        r->totals.records = 0;
        r->stream_no++;
    }
    if (kind > FT_FRAME_TRAILER)
        ft_err_set(f, FT_ERR_DATA, "frame of unknown kind %llu", (unsigned long long)kind);
    else if (no != r->frame_no)
        ft_err_set(f, FT_ERR_DATA, "frame number %llu where %llu was due (frames are missing, "
                   "repeated or out of order)", (unsigned long long)no,
                   (unsigned long long)r->frame_no);
    else if (first != r->totals.records)
        ft_err_set(f, FT_ERR_DATA, "frame begins with record %llu where %llu was due (of another "
                   "stream?)", (unsigned long long)first, (unsigned long long)r->totals.records);
    else if ((kind == FT_FRAME_HEADER) != (r->expect != WANT_RECORDS))
        ft_err_set(f, FT_ERR_DATA, kind == FT_FRAME_HEADER ? "a header before the trailer"
                                                            : "a stream without header");
    else if (kind != FT_FRAME_RECORDS && s->err.code == 0 && s->n != 1)
        ft_err_set(f, FT_ERR_DATA, "%zu objects where one was due", s->n);
    else if (kind != FT_FRAME_RECORDS && s->err.code == 0 && s->lengths[0] > FT_MAP_BYTES_MAX)
        ft_err_set(f, FT_ERR_DATA, "a map of %u bytes, at most %u are allowed", s->lengths[0],
                   FT_MAP_BYTES_MAX);
    else
        return 0;
    return in_frame(r);
}

static int open_records(ft_reader *r, const struct slot *s)
{
    size_t bytes = s->data.n - s->start, max = ft_record_bytes_max(r->header.kind);
    for (size_t i = 0; i < s->n; i++)
        if (s->lengths[i] > max) {
            ft_err_set(&r->failed, FT_ERR_DATA, "record %zu of the frame has %u bytes; kind %s "
                       "holds at most %zu", i + 1, s->lengths[i], ft_kind_name(r->header.kind),
                       max);
            return in_frame(r);
        }
    ft_hasher_add(r->stream_no > 1 ? r->this : r->all, s->data.p + s->start, bytes);
    if (r->stream_no > 1)
        ft_hasher_add(r->all, s->data.p + s->start, bytes);
    r->totals.records += s->n;
    r->totals.bytes += bytes;
    return 0;
}

/* No frame is left: the end, or why there are no more. */
static int end_of_frames(ft_reader *r)
{
    unsigned long long n = r->records;
    if (r->pending.code < 0) {
        r->failed = r->pending;
        if (r->pending.code == FT_ERR_TRUNCATED)
            return ft_err_set(&r->failed, FT_ERR_TRUNCATED, "%s: truncated after %llu records "
                              "(the input ends inside a frame)", r->name, n);
        if (r->pending.code == FT_ERR_DATA && r->stream_no == 0)
            return ft_err_wrap(&r->failed, "%s: not an ft stream", r->name);
        if (r->pending.code == FT_ERR_DATA)
            return ft_err_wrap(&r->failed, "%s: after frame %llu, record %llu", r->name,
                               (unsigned long long)r->frame_no - (r->frame_no > 0), n);
        return r->pending.code;
    }
    if (r->expect != WANT_NEXT_STREAM)
        return ft_err_set(&r->failed, FT_ERR_TRUNCATED, r->stream_no ? "%s: truncated after %llu "
                          "records (no trailer)" : "%s: truncated after %llu records (the input "
                          "is empty)", r->name, n);
    if (r->has_history && ft_history_put(r->graph, &r->history, &r->failed) < 0)
        return r->failed.code;
    ft_certificate_set_put(&r->certificates, &r->proof);
    if (ft_buf_check(&r->proof, &r->failed) < 0)
        return r->failed.code;
    r->verified = 1;
    return FT_EOS;
}

/* Goes on to the next frame. ahead: also keep the threads busy with those behind it. */
static int next_frame(ft_reader *r, int ahead)
{
    struct slot *s;
    ft_mp map;
    int rc;
    release(r);
    if (r->queued == 0 || ahead)
        while (enqueue(r) && ahead)
            continue;
    if (r->queued == 0)
        return end_of_frames(r);
    s = &r->slots[r->first];
    if (r->pool)
        ft_pool_wait(r->pool, &s->job);
    r->current = s;
    r->at = s->start;
    r->next = 0;
    if (s->err.code < 0 && s->n == 0) {
        r->failed = s->err;
        return in_frame(r);
    }
    rc = check_marker(r, s);
    if (rc < 0)
        return rc;
    map = (ft_mp){s->data.p + s->start, s->lengths[0]};
    if (s->marker[0] == FT_FRAME_RECORDS) {
        rc = open_records(r, s);
    } else {
        r->next = s->n;        /* nothing in it to give out */
        if (s->err.code < 0) {
            r->failed = s->err;
            return in_frame(r);
        }
        rc = s->marker[0] == FT_FRAME_HEADER ? begin_stream(r, map) : end_stream(r, map);
    }
    if (rc == 0)
        r->frame_no++;
    return rc;
}

/* ---- public ---- */

static int new_slots(ft_reader *r, ft_err *e)
{
    size_t depth = ft_stream_depth(r->pool);
    for (; r->depth < depth; r->depth++) {
        r->slots[r->depth].zstd = ZSTD_createDCtx();
        if (!r->slots[r->depth].zstd)
            return ft_err_nomem(e, sizeof(struct slot));
    }
    return 0;
}

/* Keeps the first header. Its slices move to a copy that stays. */
static int keep_header(ft_reader *r, ft_err *e)
{
    ft_slice tool, version;
    ft_buf_add(&r->header_map, r->this_map.p, r->this_map.n);
    if (ft_buf_check(&r->header_map, e) < 0)
        return e ? e->code : FT_ERR_NOMEM;
    if (ft_header_parse((ft_mp){r->header_map.p, r->header_map.n}, &r->header, &tool, &version,
                        e) < 0)
        return FT_ERR_DATA;
    if (tool.n) {
        r->tool = ft_strndup((const char *)tool.p, tool.n, e);
        if (!r->tool)
            return FT_ERR_NOMEM;
        r->header.tool = r->tool;
    }
    return 0;
}

static int open_header(ft_reader *r, ft_kind kind, ft_err *e)
{
    int rc;
    rc = next_frame(r, 0);
    if (rc < 0)
        return ft_err_set(e, r->failed.code, "%s", r->failed.text);
    rc = keep_header(r, e);
    if (rc < 0)
        return rc;
    if (kind != FT_KIND_ANY && kind != r->header.kind)
        return ft_err_set(e, FT_ERR_DATA, "%s: a stream of kind %s where kind %s is needed",
                          r->name, ft_kind_name(r->header.kind), ft_kind_name(kind));
    return 0;
}

int ft_reader_open(ft_reader **out, ft_in *in, ft_kind kind, ft_pool *pool, ft_err *e)
{
    ft_reader *r = ft_new(1, sizeof *r, e);
    int rc;
    *out = NULL;
    if (!r)
        return FT_ERR_NOMEM;
    r->pool = pool;
    r->in = in;
    r->name = ft_in_name(in);
    r->input = ft_new(INPUT_BYTES, 1, e);
    rc = r->input ? new_slots(r, e) : FT_ERR_NOMEM;
    if (rc == 0)
        rc = ft_hasher_new(&r->all, e);
    if (rc == 0)
        rc = ft_hasher_new(&r->this, e);
    if (rc == 0)
        rc = ft_history_new(&r->graph, e);
    if (rc == 0)
        rc = open_header(r, kind, e);
    if (rc < 0) {
        r->in = NULL;          /* still the caller's */
        ft_reader_free(&r);
    }
    *out = r;
    return rc;
}

int ft_reader_next(ft_reader *r, ft_mp *record, ft_err *e)
{
    while (r->failed.code == 0 && !r->verified && (!r->current || r->next == r->current->n)) {
        if (r->current && r->current->err.code < 0) {
            r->failed = r->current->err;
            r->frame_no--;         /* was counted when the frame began */
            (void)in_frame(r);
        } else {
            (void)next_frame(r, 1);
        }
    }
    if (r->failed.code < 0)
        return ft_err_set(e, r->failed.code, "%s", r->failed.text);
    if (r->verified)
        return FT_EOS;
    *record = (ft_mp){r->current->data.p + r->at, r->current->lengths[r->next]};
    r->at += record->n;
    r->next++;
    r->records++;
    r->bytes += record->n;
    return 0;
}

void ft_reader_free(ft_reader **rp)
{
    ft_reader *r = *rp;
    if (!r)
        return;
    while (r->queued > 0) {
        if (r->pool)
            ft_pool_wait(r->pool, &r->slots[r->first].job);
        r->first = (r->first + 1) % r->depth;
        r->queued--;
    }
    for (size_t i = 0; i < r->depth; i++) {
        ZSTD_freeDCtx(r->slots[i].zstd);
        ft_buf_free(&r->slots[i].packed);
        ft_buf_free(&r->slots[i].data);
        ft_free(r->slots[i].lengths);
    }
    ft_buf_free(&r->header_map);
    ft_buf_free(&r->this_map);
    ft_buf_free(&r->history);
    ft_buf_free(&r->counts);
    ft_buf_free(&r->proof);
    ft_certificate_set_free(&r->certificates);
    ft_hasher_free(&r->all);
    ft_hasher_free(&r->this);
    ft_history_free(&r->graph);
    ft_free(r->tool);
    ft_free(r->input);
    ft_in_close(&r->in);
    ft_free(r);
    *rp = NULL;
}

const ft_header *ft_reader_header(const ft_reader *r)
{
    return &r->header;
}

const char *ft_reader_name(const ft_reader *r)
{
    return r->name;
}

uint64_t ft_reader_records(const ft_reader *r)
{
    return r->records;
}

uint64_t ft_reader_bytes(const ft_reader *r)
{
    return r->bytes;
}

uint64_t ft_reader_bytes_in(const ft_reader *r)
{
    return r->bytes_in;
}

int ft_reader_verified(const ft_reader *r)
{
    return r->verified;
}

ft_digest ft_reader_digest(const ft_reader *r)
{
    return ft_hasher_digest(r->all);
}

ft_mp ft_reader_history(const ft_reader *r)
{
    return (ft_mp){r->history.p, r->history.n};
}

ft_mp ft_reader_certificates(const ft_reader *r)
{
    return (ft_mp){r->proof.p, r->proof.n};
}

ft_mp ft_reader_counts(const ft_reader *r)
{
    return (ft_mp){r->counts.p, r->counts.n};
}

const ft_history *ft_reader_graph(const ft_reader *r)
{
    return r->graph;
}
