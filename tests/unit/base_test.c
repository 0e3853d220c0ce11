/* base_test.c: the base library: memory, buffers, hashing, random numbers, threads, files. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void error_text_grows_outwards(void **state)
{
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_err_set(&e, FT_ERR_DATA, "frame %d", 3), FT_ERR_DATA);
    assert_int_equal(ft_err_wrap(&e, "record %d of %s", 812, "-"), FT_ERR_DATA);
    assert_string_equal(e.text, "record 812 of -: frame 3");
    assert_int_equal(ft_err_exit_status(e.code), 65);
    for (int i = 0; i < 100; i++)
        ft_err_wrap(&e, "a long context that will not fit for ever");
    assert_true(strlen(e.text) < FT_ERR_TEXT_BYTES);
}

static void sizes_that_overflow_are_refused(void **state)
{
    ft_err e = {0};
    char *p = NULL;
    size_t cap = 0;
    (void)state;
    assert_null(ft_new(SIZE_MAX / 2, 3, &e));
    assert_int_equal(e.code, FT_ERR_NOMEM);
    assert_null(ft_new_aligned(SIZE_MAX - 3, 1, &e));
    assert_int_equal(ft_grow(&p, &cap, SIZE_MAX - 1, 8, &e), FT_ERR_NOMEM);
    assert_null(p);
    assert_int_equal(cap, 0);
}

static void arena_gives_disjoint_aligned_memory(void **state)
{
    ft_err e = {0};
    ft_arena *a = NULL;
    (void)state;
    assert_int_equal(ft_arena_new(&a, 256, &e), 0);
    for (int round = 0; round < 3; round++) {
        unsigned char *p[200];
        for (size_t i = 0; i < 200; i++) {
            p[i] = ft_arena_alloc(a, i * 3 + 1, &e);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            memset(p[i], (int)i, i * 3 + 1);
        }
        for (size_t i = 0; i < 200; i++)
            for (size_t j = 0; j < i * 3 + 1; j++)
                assert_int_equal(p[i][j], (unsigned char)i);
        ft_arena_reset(a);
    }
    ft_arena_free(&a);
    assert_null(a);
}

static void bounded_reader_never_passes_the_end(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    ft_rd r = ft_rd_of(bytes, sizeof bytes);
    (void)state;
    assert_int_equal(ft_rd_u32(&r), 0x04030201);
    assert_int_equal(ft_rd_left(&r), 5);
    assert_null(ft_rd_bytes(&r, UINT64_MAX));
    assert_true(r.failed);
    assert_int_equal(ft_rd_u8(&r), 0);   /* failure is sticky */
    r = ft_rd_of(bytes, sizeof bytes);
    assert_int_equal(ft_rd_u64(&r), 0x0807060504030201);
    assert_int_equal(ft_rd_u16(&r), 0);
    assert_true(r.failed);
}

/* Vectors published with the paper (Random123, kat_vectors, philox4x32 10). */
static void philox_gives_the_published_vectors(void **state)
{
    static const struct { uint32_t ctr[4], key[2], out[4]; } v[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        ft_philox(v[i].ctr, v[i].key, out);
        assert_memory_equal(out, v[i].out, sizeof out);
    }
}

static void uniform_draws_are_in_range_and_even(void **state)
{
    unsigned hits[10] = {0};
    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        float f = ft_rng_float(7, FT_RNG_DROPOUT, 1, i);
        assert_true(f >= 0 && f < 1);
        hits[ft_rng_below(7, FT_RNG_SHUFFLE, 0, i, 10)]++;
    }
    for (int k = 0; k < 10; k++)    /* 10000 expected; six standard deviations are 570 */
        assert_in_range(hits[k], 9430, 10570);
}

/* XXH3-128 of nothing, as xxhsum -H2 prints it. */
static void digest_is_the_canonical_xxh3(void **state)
{
    char hex[33];
    ft_digest d = ft_digest_of("", 0);
    ft_hasher *h = NULL;
    ft_err e;
    (void)state;
    assert_string_equal(ft_digest_hex(&d, hex), "99aa06d3014798d86001c324468d497f");
    assert_int_equal(ft_hasher_new(&h, &e), 0);
    ft_hasher_add(h, "he", 2);
    ft_hasher_add(h, "llo", 3);
    d = ft_hasher_digest(h);
    ft_digest whole = ft_digest_of("hello", 5);
    assert_true(ft_digest_equal(&d, &whole));
    ft_hasher_free(&h);
}

struct tally { unsigned char seen[1000]; unsigned workers; };

static void mark(void *ctx, size_t task, unsigned worker)
{
    struct tally *t = ctx;
    t->seen[task]++;
    if (worker >= t->workers)
        t->seen[task] = 99;
}

static void add_one(void *arg)
{
    ++*(int *)arg;
}

/* Loops of a few tasks, one right after the other, as a pass over a model has them; some from
 * inside a task, some while jobs run, some after the threads went to sleep. */
struct nest { ft_pool *p; struct tally t[4]; };

static void loop_inside(void *ctx, size_t task, unsigned worker)
{
    struct nest *n = ctx;
    (void)worker;
    ft_pool_run(n->p, 10, mark, &n->t[task]);
}

static void pool_runs_short_loops(void **state)
{
    ft_err e;
    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct nest n = {0};
        int done[8] = {0};
        ft_job jobs[8];
        assert_int_equal(ft_pool_new(&n.p, threads, &e), 0);
        for (size_t round = 0; round < 20000 / threads; round++) {
            struct tally t = {{0}, ft_pool_threads(n.p)};
            size_t tasks = round % 7;
            int with_jobs = round % 500 == 0;
            for (int i = 0; with_jobs && i < 8; i++) {
                jobs[i] = (ft_job){add_one, &done[i], NULL, 0};
                ft_pool_submit(n.p, &jobs[i]);
            }
            ft_pool_run(n.p, tasks, mark, &t);
            for (size_t i = 0; i < 8; i++)
                assert_int_equal(t.seen[i], i < tasks);
            for (int i = 0; with_jobs && i < 8; i++)
                ft_pool_wait(n.p, &jobs[i]);
            if (round % 1000 == 999)
                nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        for (size_t i = 0; i < 4; i++)
            n.t[i].workers = threads;
        ft_pool_run(n.p, 4, loop_inside, &n);
        for (size_t i = 0; i < 40; i++)
            assert_int_equal(n.t[i / 10].seen[i % 10], 1);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(done[i], (20000 / threads + 499) / 500);
        ft_pool_free(&n.p);
    }
}

static void pool_runs_each_task_once(void **state)
{
    ft_err e;
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        ft_pool *p = NULL;
        struct tally t;
        int done[40] = {0};
        ft_job jobs[40];
        assert_int_equal(ft_pool_new(&p, threads, &e), 0);
        for (int round = 0; round < 50; round++) {
            memset(&t, 0, sizeof t);
            t.workers = ft_pool_threads(p);
            ft_pool_run(p, 1000, mark, &t);
            for (size_t i = 0; i < 1000; i++)
                assert_int_equal(t.seen[i], 1);
        }
        for (int i = 0; i < 40; i++) {
            jobs[i] = (ft_job){add_one, &done[i], NULL, 0};
            ft_pool_submit(p, &jobs[i]);
        }
        for (int i = 39; i >= 0; i--) {   /* the reverse order makes the caller steal jobs */
            ft_pool_wait(p, &jobs[i]);
            assert_int_equal(done[i], 1);
        }
        ft_pool_free(&p);
    }
}

static void read_file(const char *path, char out[64])
{
    ft_in *in = NULL;
    ft_err e;
    size_t got = 0;
    assert_int_equal(ft_in_open(&in, path, &e), 0);
    assert_int_equal(ft_in_read(in, out, 63, &got, &e), 0);
    out[got] = '\0';
    ft_in_close(&in);
}

static void put_file(const char *path, const char *text, int commit)
{
    ft_out *out = NULL;
    ft_err e;
    assert_int_equal(ft_out_open(&out, path, &e), 0);
    assert_int_equal(ft_out_write(out, text, strlen(text), &e), 0);
    if (commit)
        assert_int_equal(ft_out_commit(&out, &e), 0);
    else
        ft_out_abandon(&out);
    assert_null(out);
}

static void output_replaces_only_when_committed(void **state)
{
    char dir[] = "/tmp/ft-base-XXXXXX", path[64], tmp[80], text[64];
    ft_out *out = NULL, *second = NULL;
    ft_err e;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x", dir);
    snprintf(tmp, sizeof tmp, "%s.ft-tmp", path);
    put_file(path, "old", 1);
    put_file(path, "never", 0);
    read_file(path, text);
    assert_string_equal(text, "old");
    assert_int_equal(access(tmp, F_OK), -1);
    put_file(path, "new", 1);
    read_file(path, text);
    assert_string_equal(text, "new");
    /* two writers of one file: the second is refused and the first is unharmed */
    assert_int_equal(ft_out_open(&out, path, &e), 0);
    assert_int_equal(ft_out_open(&second, path, &e), FT_ERR_CREATE);
    assert_int_equal(ft_out_write(out, "1st", 3, &e), 0);
    assert_int_equal(ft_out_commit(&out, &e), 0);
    read_file(path, text);
    assert_string_equal(text, "1st");
    /* a stale temporary file that a killed run left is taken over */
    int fd = open(tmp, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "stale and long", 14), 14);
    close(fd);
    put_file(path, "2nd", 1);
    read_file(path, text);
    assert_string_equal(text, "2nd");
    assert_int_equal(access(tmp, F_OK), -1);
    unlink(path);
    assert_int_equal(rmdir(dir), 0);
}

static void full_device_is_an_error(void **state)
{
    ft_out *out = NULL;
    ft_err e = {0};
    (void)state;
    assert_int_equal(ft_out_open(&out, "/dev/full", &e), 0);
    assert_int_equal(ft_out_write(out, "x", 1, &e), 0);    /* still in the buffer */
    assert_int_equal(ft_out_commit(&out, &e), FT_ERR_IO);
    assert_non_null(strstr(e.text, "/dev/full"));
    assert_int_equal(ft_err_exit_status(e.code), 74);
}

static void spool_gives_back_what_was_written(void **state)
{
    ft_spool *s = NULL;
    ft_err e;
    uint32_t v, i;
    size_t got;
    (void)state;
    assert_int_equal(ft_spool_new(&s, &e), 0);
    for (i = 0; i < 100000; i++)
        assert_int_equal(ft_spool_write(s, &i, sizeof i, &e), 0);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(ft_spool_rewind(s, &e), 0);
        for (i = 0; i < 100000; i++) {
            assert_int_equal(ft_spool_read(s, &v, sizeof v, &got, &e), 0);
            assert_int_equal(got, sizeof v);
            assert_int_equal(v, i);
        }
        assert_int_equal(ft_spool_read(s, &v, sizeof v, &got, &e), 0);
        assert_int_equal(got, 0);
    }
    assert_int_equal(ft_spool_read_at(s, 4 * 777, &v, sizeof v, &e), 0);
    assert_int_equal(v, 777);
    ft_spool_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_text_grows_outwards),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(arena_gives_disjoint_aligned_memory),
        cmocka_unit_test(bounded_reader_never_passes_the_end),
        cmocka_unit_test(philox_gives_the_published_vectors),
        cmocka_unit_test(uniform_draws_are_in_range_and_even),
        cmocka_unit_test(digest_is_the_canonical_xxh3),
        cmocka_unit_test(pool_runs_each_task_once),
        cmocka_unit_test(pool_runs_short_loops),
        cmocka_unit_test(output_replaces_only_when_committed),
        cmocka_unit_test(full_device_is_an_error),
        cmocka_unit_test(spool_gives_back_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
