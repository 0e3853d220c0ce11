/* A damaged stream is never taken for whole: cut anywhere, bits flipped, bytes overwritten, frames
 * dropped, doubled, swapped, spliced. Every reader call must come back within two seconds. */
#include "stream_support.h"

enum { FRAMES_MAX = 64 };

static ft_pool *pool;

static void cut_at_every_offset(void **state)
{
    ft_buf b = sample_stream(1000, 100, 12000, NULL, 0);
    size_t at[FRAMES_MAX], frames = find_frames(b, at, FRAMES_MAX);
    memory_file f = memory_file_of(b.p, b.n);
    uint64_t records, whole;
    ft_digest d;
    ft_err e;
    (void)state;
    assert_true(frames >= 8 && b.n > 60000 && b.n < 100000);
    assert_int_equal(read_all(f.path, NULL, &whole, &d, &e), FT_EOS);
    assert_int_equal(whole, 1000);
    for (size_t n = b.n; n-- > 0;) {
        char want[64];
        alarm(2);
        assert_int_equal(ftruncate(f.fd, (off_t)n), 0);
        assert_int_equal(read_all(f.path, n % 16 ? NULL : pool, &records, &d, &e),
                         FT_ERR_TRUNCATED);
        snprintf(want, sizeof want, "truncated after %llu records", (unsigned long long)records);
        if (!strstr(e.text, want))
            fail_msg("cut at %zu: %s", n, e.text);
    }
    alarm(0);
    close(f.fd);
    ft_buf_free(&b);
}

/* A changed file may be accepted only when all records came out unchanged. */
static void expect_refused_or_same(const memory_file *f, const ft_digest *whole, size_t where,
                                   ft_pool *with, size_t *same)
{
    uint64_t records;
    ft_digest d;
    ft_err e;
    alarm(2);
    if (read_all(f->path, with, &records, &d, &e) != FT_EOS) {
        assert_int_equal(ft_err_exit_status(e.code), 65);
        return;
    }
    if (!ft_digest_equal(&d, whole))
        fail_msg("a change at byte %zu gave other records without an error", where);
    ++*same;
}

static void flip_every_bit(void **state)
{
    ft_buf b = sample_stream(60, 40, 300, NULL, 0);
    size_t at[FRAMES_MAX], same = 0;
    memory_file f = memory_file_of(b.p, b.n);
    uint64_t records;
    ft_digest whole;
    ft_err e;
    (void)state;
    assert_true(find_frames(b, at, FRAMES_MAX) >= 8);
    assert_int_equal(read_all(f.path, NULL, &records, &whole, &e), FT_EOS);
    for (size_t i = 0; i < 8 * b.n; i++) {
        uint8_t changed = (uint8_t)(b.p[i / 8] ^ 1 << i % 8);
        assert_int_equal(pwrite(f.fd, &changed, 1, (off_t)(i / 8)), 1);
        expect_refused_or_same(&f, &whole, i / 8, NULL, &same);
        assert_int_equal(pwrite(f.fd, b.p + i / 8, 1, (off_t)(i / 8)), 1);
    }
    alarm(0);
    assert_true(same < b.n);     /* only bits without meaning, such as the unused one of a frame */
    assert_int_equal(read_all(f.path, NULL, &records, &whole, &e), FT_EOS);
    close(f.fd);
    ft_buf_free(&b);
}

/* Bursts of 1 to 64 random bytes in a stream of about 64 KiB. */
static void overwrite_bursts(void **state)
{
    enum { BURSTS = 40000 };
    ft_buf b = sample_stream(1000, 100, 12000, NULL, 0);
    memory_file f = memory_file_of(b.p, b.n);
    uint64_t records;
    size_t same = 0;
    ft_digest whole;
    ft_err e;
    (void)state;
    assert_int_equal(read_all(f.path, NULL, &records, &whole, &e), FT_EOS);
    for (uint32_t i = 0; i < BURSTS; i++) {
        uint8_t burst[64];
        size_t n = 1 + (size_t)ft_rng_below(1, FT_RNG_DATA, i, 0, 64);
        size_t where = (size_t)ft_rng_below(1, FT_RNG_DATA, i, 1, b.n - n + 1);
        for (size_t k = 0; k < n; k++)
            burst[k] = (uint8_t)ft_rng_u64(1, FT_RNG_DATA, i, 2 + k);
        assert_int_equal(pwrite(f.fd, burst, n, (off_t)where), n);
        expect_refused_or_same(&f, &whole, where, i % 64 ? NULL : pool, &same);
        assert_int_equal(pwrite(f.fd, b.p + where, n, (off_t)where), n);
    }
    alarm(0);
    close(f.fd);
    ft_buf_free(&b);
}

static void add_frame(ft_buf *to, ft_buf from, const size_t *at, size_t i)
{
    ft_buf_add(to, from.p + at[i], at[i + 1] - at[i]);
}

static void expect_refused(ft_buf *b, const char *what, size_t i, size_t j)
{
    memory_file f = memory_file_of(b->p, b->n);
    uint64_t records;
    ft_digest d;
    ft_err e;
    int rc;
    alarm(2);
    rc = read_all(f.path, i % 2 ? pool : NULL, &records, &d, &e);
    alarm(0);
    if (rc == FT_EOS || ft_err_exit_status(e.code) != 65)
        fail_msg("frame %zu %s %zu was accepted", i, what, j);
    close(f.fd);
    ft_buf_free(b);
}

/* other: a stream whose frames differ only in what the records say. */
static void rearrange_frames(void **state)
{
    ft_buf a = sample_stream(120, 100, 1000, NULL, 0), b = sample_stream(120, 100, 1000, NULL, 500);
    size_t at[FRAMES_MAX], bt[FRAMES_MAX], n = find_frames(a, at, FRAMES_MAX);
    (void)state;
    assert_true(n >= 8 && find_frames(b, bt, FRAMES_MAX) == n);
    for (size_t i = 0; i < n; i++) {
        ft_buf dropped = {0}, doubled = {0}, spliced = {0};
        for (size_t k = 0; k < n; k++) {
            if (k != i)
                add_frame(&dropped, a, at, k);
            add_frame(&doubled, a, at, k);
            if (k == i)
                add_frame(&doubled, a, at, k);
            add_frame(&spliced, k == i ? b : a, k == i ? bt : at, k);
        }
        expect_refused(&dropped, "dropped", i, 0);
        expect_refused(&doubled, "doubled", i, 0);
        if (i > 0)          /* the headers are equal */
            expect_refused(&spliced, "spliced", i, 0);
        else
            ft_buf_free(&spliced);
        for (size_t j = i + 1; j < n; j++) {
            ft_buf swapped = {0};
            for (size_t k = 0; k < n; k++)
                add_frame(&swapped, a, at, k == i ? j : k == j ? i : k);
            expect_refused(&swapped, "swapped with", i, j);
        }
    }
    ft_buf_free(&a);
    ft_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_offset), cmocka_unit_test(flip_every_bit),
        cmocka_unit_test(overwrite_bursts), cmocka_unit_test(rearrange_frames)};
    ft_err e;
    if (ft_pool_new(&pool, 2, &e) < 0)
        return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    ft_pool_free(&pool);
    return rc;
}
