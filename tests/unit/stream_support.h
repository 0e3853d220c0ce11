/* stream_support.h: for the tests of lib/stream: streams in anonymous files. */
#ifndef STREAM_SUPPORT_H
#define STREAM_SUPPORT_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "stream/stream_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory whose name can be opened again and again. */
typedef struct memory_file {
    int fd;
    char path[64];
} memory_file;

static inline memory_file memory_file_of(const void *p, size_t n)
{
    memory_file f;
    f.fd = memfd_create("test", 0);
    assert_true(f.fd >= 0);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    assert_int_equal(pwrite(f.fd, p, n, 0), n);
    return f;
}

/* Reads a whole stream. Returns: what ended it; *records, *digest: what was given out. */
static inline int read_all(const char *path, ft_pool *pool, uint64_t *records, ft_digest *digest,
                           ft_err *e)
{
    ft_in *in = NULL;
    ft_reader *r = NULL;
    ft_mp record;
    int rc = ft_in_open(&in, path, e);
    *records = 0;
    if (rc == 0)
        rc = ft_reader_open(&r, in, FT_KIND_ANY, pool, e);
    if (rc < 0) {
        ft_in_close(&in);
        return rc;
    }
    while ((rc = ft_reader_next(r, &record, e)) == 0)
        assert_true(record.n > 0);
    *records = ft_reader_records(r);
    *digest = ft_reader_digest(r);
    ft_reader_free(&r);
    return rc;
}

/* {"id": i, "text": n random lower-case letters}: they pack to about 0.6 bytes a letter. */
static inline void put_sample(ft_buf *b, uint64_t i, size_t n)
{
    ft_mp_put_map(b, 2);
    ft_mp_put_cstr(b, "id");
    ft_mp_put_uint(b, i);
    ft_mp_put_cstr(b, "text");
    char *text = malloc(n);
    for (size_t k = 0; k < n; k++)
        text[k] = (char)('a' + ft_rng_below(7, FT_RNG_DATA, (uint32_t)i, k, 26));
    ft_mp_put_str(b, text, n);
    free(text);
}

/* Writes `records` samples with frames of about frame_bytes. Returns: its bytes. */
static inline ft_buf sample_stream(size_t records, size_t letters, size_t frame_bytes,
                                   ft_pool *pool, uint64_t first_id)
{
    static char path[] = "/tmp/ft-stream-XXXXXX";
    char name[sizeof path];
    ft_err e = {0};
    ft_out *out = NULL;
    ft_writer *w = NULL;
    ft_header h = {.kind = FT_KIND_TEXT, .tool = "ft-sample", .seed = 7, .has_seed = 1};
    ft_counts c = {.created = records, .written = records};
    ft_buf b = {0}, record = {0};
    memcpy(name, path, sizeof path);
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ft_out_open(&out, name, &e), 0);
    assert_int_equal(ft_writer_open(&w, out, &h, NULL, pool, &e), 0);
    ft_writer_set_frame_bytes(w, frame_bytes);
    for (size_t i = 0; i < records; i++) {
        ft_buf_clear(&record);
        put_sample(&record, first_id + i, letters);
        assert_int_equal(ft_writer_put(w, record.p, record.n, &e), 0);
    }
    assert_int_equal(ft_writer_finish(&w, &c, &e), 0);
    FILE *f = fopen(name, "rb");
    uint8_t chunk[4096];
    size_t got;
    assert_non_null(f);
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0)
        ft_buf_add(&b, chunk, got);
    fclose(f);
    unlink(name);
    ft_buf_free(&record);
    return b;
}

/* Finds the frames of a stream by libzstd. Returns: their number; at[i]: where frame i begins,
 * at[number]: the end. */
size_t ZSTD_findFrameCompressedSize(const void *src, size_t n);
static inline size_t find_frames(ft_buf b, size_t *at, size_t max)
{
    size_t n = 0;
    at[0] = 0;
    while (at[n] < b.n) {
        assert_true(n + 1 < max);
        at[n + 1] = at[n] + ZSTD_findFrameCompressedSize(b.p + at[n], b.n - at[n]);
        assert_true(at[n + 1] <= b.n);
        n++;
    }
    return n;
}

#endif
