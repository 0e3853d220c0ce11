/* What a stream promises when nothing is damaged: the same bytes for any number of threads,
 * concatenation, refusal to finish what is not sound, a history that cannot be altered, and small
 * costs for hostile input. */
#include "stream_support.h"

#include <sys/resource.h>
#include <time.h>
#include <zstd.h>

static void same_bytes_for_any_threads(void **state)
{
    ft_buf one = sample_stream(400, 8000, FT_FRAME_BYTES, NULL, 0);
    size_t at[16];
    (void)state;
    assert_true(find_frames(one, at, 16) >= 5);
    for (unsigned threads = 1; threads <= 3; threads++) {
        ft_pool *pool;
        ft_err e;
        uint64_t records;
        ft_digest d;
        assert_int_equal(ft_pool_new(&pool, threads, &e), 0);
        ft_buf b = sample_stream(400, 8000, FT_FRAME_BYTES, pool, 0);
        memory_file f = memory_file_of(b.p, b.n);
        assert_int_equal(b.n, one.n);
        assert_memory_equal(b.p, one.p, b.n);
        assert_int_equal(read_all(f.path, pool, &records, &d, &e), FT_EOS);
        assert_int_equal(records, 400);
        close(f.fd);
        ft_buf_free(&b);
        ft_pool_free(&pool);
    }
    ft_buf_free(&one);
}

/* The digest of two streams is that of their records as one row. */
static void concatenation(void **state)
{
    ft_buf a = sample_stream(30, 50, 400, NULL, 0), b = sample_stream(20, 50, 400, NULL, 30);
    ft_buf both = {0}, raw = {0};
    uint64_t records;
    ft_digest d, want;
    ft_err e;
    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        put_sample(&raw, i, 50);
    want = ft_digest_of(raw.p, raw.n);
    ft_buf_add(&both, a.p, a.n);
    ft_buf_add(&both, b.p, b.n);
    memory_file f = memory_file_of(both.p, both.n);
    assert_int_equal(read_all(f.path, NULL, &records, &d, &e), FT_EOS);
    assert_int_equal(records, 50);
    assert_memory_equal(d.b, want.b, sizeof d.b);
    assert_int_equal(pwrite(f.fd, "x", 1, (off_t)both.n), 1);
    assert_int_equal(read_all(f.path, NULL, &records, &d, &e), FT_ERR_TRUNCATED);
    assert_int_equal(pwrite(f.fd, "what stands here", 16, (off_t)both.n), 16);
    assert_int_equal(read_all(f.path, NULL, &records, &d, &e), FT_ERR_DATA);
    close(f.fd);
    ft_buf_free(&a);
    ft_buf_free(&b);
    ft_buf_free(&both);
    ft_buf_free(&raw);
}

static ft_writer *open_writer(const char *path)
{
    ft_header h = {.kind = FT_KIND_TEXT, .tool = "ft-test"};
    ft_out *out;
    ft_writer *w;
    ft_err e;
    assert_int_equal(ft_out_open(&out, path, &e), 0);
    assert_int_equal(ft_writer_open(&w, out, &h, NULL, NULL, &e), 0);
    return w;
}

static void writer_refuses(void **state)
{
    char path[] = "/tmp/ft-refuse-XXXXXX";
    ft_buf b = sample_stream(3, 10, 400, NULL, 0);
    memory_file f = memory_file_of(b.p, b.n);
    ft_counts good = {0}, bad = {.read = 2, .written = 1};
    ft_reader *r;
    ft_in *in;
    ft_err e;
    ft_mp record;
    (void)state;
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    ft_writer *w = open_writer(path);
    static const uint8_t array[] = {0x90}, cut[] = {0x81, 0xa1, 'k'}, two[] = {0x80, 0x80};
    assert_int_equal(ft_writer_put(w, array, sizeof array, &e), FT_ERR_USAGE);
    assert_int_equal(ft_writer_put(w, cut, sizeof cut, &e), FT_ERR_USAGE);
    assert_int_equal(ft_writer_put(w, two, sizeof two, &e), FT_ERR_USAGE);
    assert_int_equal(ft_writer_finish(&w, &bad, &e), FT_ERR_INTERNAL);
    assert_null(w);
    assert_int_equal(access(path, F_OK), -1);

    assert_int_equal(ft_in_open(&in, f.path, &e), 0);
    assert_int_equal(ft_reader_open(&r, in, FT_KIND_TEXT, NULL, &e), 0);
    w = open_writer(path);
    assert_int_equal(ft_writer_derive(w, r, &e), 0);
    assert_int_equal(ft_reader_next(r, &record, &e), 0);
    assert_int_equal(ft_writer_finish(&w, &good, &e), FT_ERR_INTERNAL);
    assert_int_equal(access(path, F_OK), -1);
    w = open_writer(path);
    assert_int_equal(ft_writer_derive(w, r, &e), 0);
    while (ft_reader_next(r, &record, &e) == 0)
        continue;
    assert_int_equal(ft_writer_finish(&w, &good, &e), 0);
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    ft_reader_free(&r);
    close(f.fd);
    ft_buf_free(&b);
}

static void history_shows_tampering(void **state)
{
    ft_history *h, *read;
    ft_digest file = ft_digest_of("a file", 6), payload = ft_digest_of("records", 7);
    ft_buf b = {0};
    ft_err e;
    (void)state;
    assert_int_equal(ft_history_new(&h, &e), 0);
    assert_int_equal(ft_history_add_file(h, "jsonl", &file, &e), 0);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(ft_history_add(h, "ft-dedup", "1", "text", (ft_mp){0}, &i, 10 - i,
                                        &payload, &e), 0);
    assert_int_equal(ft_history_put(h, &b, &e), 0);
    for (size_t i = 0; i <= 8 * b.n; i++) {
        size_t used;
        if (i > 0)
            b.p[(i - 1) / 8] ^= (uint8_t)(1 << (i - 1) % 8);
        assert_int_equal(ft_history_new(&read, &e), 0);
        if (ft_mp_check(b.p, b.n, &used, &e) == 0 && used == b.n) {
            int rc = ft_history_merge(read, (ft_mp){b.p, b.n}, &e);
            if (i == 0)
                assert_int_equal(rc, 0);
            else if (rc == 0)
                fail_msg("bit %zu flipped, not noticed", i - 1);
        }
        ft_history_free(&read);
        if (i > 0)
            b.p[(i - 1) / 8] ^= (uint8_t)(1 << (i - 1) % 8);
    }
    ft_history_free(&h);
    ft_buf_free(&b);
}

/* ---- bombs: refused in a second and 64 MiB ---- */

static void expect_bomb_refused(const char *what, const void *p, size_t n)
{
    struct rusage before, after;
    struct timespec t0, t1;
    memory_file f = memory_file_of(p, n);
    uint64_t records;
    ft_digest d;
    ft_err e = {0};
    alarm(5);
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_MONOTONIC, &t0);
    int rc = read_all(f.path, NULL, &records, &d, &e);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    getrusage(RUSAGE_SELF, &after);
    alarm(0);
    close(f.fd);
    if (rc >= 0 || ft_err_exit_status(e.code) != 65)
        fail_msg("%s: accepted, or failed otherwise: %s", what, e.text);
    if (t1.tv_sec - t0.tv_sec > 1 || after.ru_maxrss - before.ru_maxrss > 64 << 10)
        fail_msg("%s: took %ld KiB", what, after.ru_maxrss - before.ru_maxrss);
}

/* Packs content as one frame behind a sound header frame. */
static void bomb(const char *what, const void *start, size_t start_n, uint8_t fill, size_t n,
                 int window_log)
{
    ft_buf s = sample_stream(1, 10, 400, NULL, 0), content = {0};
    size_t at[8], cap;
    uint8_t marker[] = {0x93, 1, 1, 0};
    ZSTD_CCtx *z = ZSTD_createCCtx();
    (void)find_frames(s, at, 8);
    ft_buf_add(&content, marker, sizeof marker);
    ft_buf_add(&content, start, start_n);
    if (n) {
        assert_non_null(ft_buf_room(&content, n));
        memset(content.p + content.n, fill, n);
        content.n += n;
    }
    s.n = at[1];
    cap = ZSTD_compressBound(content.n);
    assert_non_null(ft_buf_room(&s, cap));
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log);
    s.n += ZSTD_compress2(z, s.p + s.n, cap, content.p, content.n);
    ZSTD_freeCCtx(z);
    ft_buf_free(&content);
    expect_bomb_refused(what, s.p, s.n);
    ft_buf_free(&s);
}

static void bombs(void **state)
{
    static const uint8_t array32[] = {0xdd, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t map32[] = {0xdf, 0x7f, 0xff, 0xff, 0xff};
    static const uint8_t str32[] = {0x81, 0xa1, 'k', 0xdb, 0xff, 0xff, 0xff, 0xff};
    uint8_t deep[31 * 5];
    (void)state;
    for (size_t i = 0; i < sizeof deep; i += 5)
        memcpy(deep + i, array32, 5);
    bomb("counted array", array32, 5, 0, 0, 20);
    bomb("counted map", map32, 5, 0, 0, 20);
    bomb("counted string", str32, 8, 0, 0, 20);
    bomb("31 counts deep", deep, sizeof deep, 0, 0, 20);
    bomb("16 MiB of nils", array32, 0, 0xc0, 16 << 20, 23);
    bomb("16 MiB of empty maps", array32, 0, 0x80, 16 << 20, 23);
    bomb("64 MiB of zeros", array32, 0, 0, 64 << 20, 23);
    for (int log = 24; log <= 27; log++)
        bomb("wide window", array32, 0, 0x80, 1 << 20, log);
    for (uint8_t log = 27; log <= 31; log++) {
        uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x84, (uint8_t)((log - 10) << 3), 0, 0, 1, 0,
                          1, 0, 0, 0, 0, 0, 0};
        expect_bomb_refused("window in the header", head, sizeof head);
    }
}

/* The golden stream was written by other programs (tests/golden/make_stream.py). */
static void reads_the_golden_stream(void **state)
{
    uint64_t records;
    ft_digest d;
    ft_err e;
    char hex[33];
    (void)state;
    assert_int_equal(read_all("tests/golden/stream.ft", NULL, &records, &d, &e), FT_EOS);
    assert_int_equal(records, 203);
    /* XXH3-128 of the records as python3-msgpack packs them, by python3-xxhash. */
    assert_string_equal(ft_digest_hex(&d, hex), "62837ee8dd096a30693d294471f4079c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs), cmocka_unit_test(same_bytes_for_any_threads),
        cmocka_unit_test(concatenation), cmocka_unit_test(writer_refuses),
        cmocka_unit_test(history_shows_tampering), cmocka_unit_test(reads_the_golden_stream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
