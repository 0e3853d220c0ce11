/* stream_certificate.c: certificates of splits: what is refused, how sets join, what two say of
 * each other, and that they travel through readers and writers. */
#include "stream_support.h"

/* A certificate of part `part` of a split named by a letter; within: an array, or n = 0. */
static ft_buf certificate(char name, uint64_t part, ft_buf within)
{
    static const uint8_t relations[] = {0x91, 0xa6, 'p', 'r', 'o', 'm', 'p', 't'};
    ft_certificate c = {.split = ft_digest_of(&name, 1), .part = part, .parts = 3,
                        .relations = {relations, sizeof relations},
                        .within = {within.p, within.n}};
    ft_buf b = {0};
    ft_certificate_put(&b, &c);
    return b;
}

/* An array of what words say: "a0" is part 0 of split a, "-" nil, "b1(a0,-)" one within others. */
static ft_buf list(const char **words)
{
    ft_buf items = {0}, b = {0};
    size_t n = 0;
    for (; **words && **words != ')'; n++) {
        if (**words == '-') {
            ft_mp_put_nil(&items);
            ++*words;
        } else {
            char name = *(*words)++;
            uint64_t part = (uint64_t)(*(*words)++ - '0');
            ft_buf within = {0}, one;
            if (**words == '(') {
                ++*words;
                within = list(words);
                ++*words;
            }
            one = certificate(name, part, within);
            ft_buf_add(&items, one.p, one.n);
            ft_buf_free(&one);
            ft_buf_free(&within);
        }
        if (**words == ',')
            ++*words;
    }
    if (n) {
        ft_mp_put_array(&b, n);
        ft_buf_add(&b, items.p, items.n);
    }
    ft_buf_free(&items);
    return b;
}

static ft_buf list_of(const char *words)
{
    return list(&words);
}

static void test_compare(void **state)
{
    static const struct { const char *trained, *data; enum ft_apart want; } cases[] = {
        {"a0", "a1", FT_APART}, {"a0", "a0", FT_APART_LEAK}, {"a0", "b1", FT_APART_UNRELATED},
        {"", "a0", FT_APART_LACKING}, {"a0", "", FT_APART_LACKING}, {"", "", FT_APART_LACKING},
        {"a0,a2", "a1", FT_APART}, {"a0,a1", "a1,a2", FT_APART_LEAK},
        {"a0,-", "a1", FT_APART_PARTLY}, {"a0", "a1,-", FT_APART_PARTLY},
        {"a0,-", "a0", FT_APART_LEAK}, {"a0,b0", "a1", FT_APART_UNRELATED},
        /* splits of parts */
        {"b0(a0)", "b1(a0)", FT_APART}, {"b0(a0)", "a1", FT_APART}, {"b0(a0)", "a0", FT_APART_LEAK},
        {"a0", "b1(a0)", FT_APART_LEAK}, {"a0", "b1(a1)", FT_APART},
        {"b0(a0)", "c0(a1)", FT_APART}, {"b0(a0)", "c1(a0)", FT_APART_LEAK},
        {"b0(a0,a1)", "a2", FT_APART}, {"b0(a0,-)", "a2", FT_APART_UNRELATED},
        {"c0(b0(a0))", "a1", FT_APART}, {"c0(b0(a0))", "b1(a0)", FT_APART},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ft_buf a = list_of(cases[i].trained), b = list_of(cases[i].data);
        ft_mp x = {a.p, a.n}, y = {b.p, b.n};
        enum ft_apart got = ft_certificates_compare(x, y, NULL);
        if (got != cases[i].want || ft_certificates_compare(y, x, NULL) != got)
            fail_msg("%s against %s: %d, not %d", cases[i].trained, cases[i].data, (int)got,
                     (int)cases[i].want);
        ft_buf_free(&a);
        ft_buf_free(&b);
    }
}

/* The proof of sources, of which "" has none. */
static ft_buf joined(const char *const *sources, size_t n)
{
    ft_certificate_set set = {0};
    ft_buf proof = {0};
    ft_err e;
    for (size_t i = 0; i < n; i++) {
        ft_buf b = list_of(sources[i]);
        assert_int_equal(ft_certificate_set_add(&set, (ft_mp){b.p, b.n}, &e), 0);
        ft_buf_free(&b);
    }
    ft_certificate_set_put(&set, &proof);
    ft_certificate_set_free(&set);
    return proof;
}

static void test_sets(void **state)
{
    static const char *const some[] = {"a0", "b1", "a0", "b1(a2)"}, *const none[] = {"", ""};
    static const char *const mixed[] = {"", "b1", "a0,-"};
    ft_buf b = joined(some, 4);
    ft_err e;
    (void)state;
    assert_int_equal(ft_certificates_check((ft_mp){b.p, b.n}, &e), 0);
    assert_int_equal(ft_mp_count((ft_mp){b.p, b.n}), 3);
    ft_buf_free(&b);
    b = joined(none, 2);
    assert_int_equal(b.n, 0);
    b = joined(mixed, 3);
    assert_int_equal(ft_certificates_check((ft_mp){b.p, b.n}, &e), 0);
    assert_int_equal(ft_mp_count((ft_mp){b.p, b.n}), 3);
    ft_buf_free(&b);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {"", "-", "b1,b1"};
    ft_err e;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ft_buf b = list_of(bad[i]);
        if (b.n == 0)
            ft_mp_put_array(&b, 0);
        assert_int_equal(ft_certificates_check((ft_mp){b.p, b.n}, &e), FT_ERR_DATA);
        ft_buf_free(&b);
    }
    ft_buf claims = list_of("a0,-"), far = list_of("a0(b0(c0(d0)))"), over = list_of("a0");
    assert_int_equal(ft_claims_check((ft_mp){claims.p, claims.n}, &e), FT_ERR_DATA);
    assert_int_equal(ft_claims_check((ft_mp){far.p, far.n}, &e), 0);
    /* What would nest deeper is cut off by the writer and refused by the reader. */
    ft_buf deep = list_of("x0(a0(b0(c0(d0))))");
    assert_int_equal(ft_claims_check((ft_mp){deep.p, deep.n}, &e), 0);
    uint8_t *p = memmem(over.p, over.n, "\xa4" "part", 5);
    assert_non_null(p);
    p[5] = 3;                               /* part 3 of 3 */
    assert_int_equal(ft_claims_check((ft_mp){over.p, over.n}, &e), FT_ERR_DATA);
    ft_buf_free(&claims);
    ft_buf_free(&far);
    ft_buf_free(&deep);
    ft_buf_free(&over);
}

/* Whatever bytes come, checking ends and what it accepts can be compared. */
static void test_flips(void **state)
{
    ft_buf b = list_of("a0,b1(a1,-),c2(b0(a0))");
    size_t accepted = 0;
    (void)state;
    for (size_t i = 0; i < 8 * b.n; i++) {
        size_t used;
        ft_err e;
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
        if (ft_mp_check(b.p, b.n, &used, &e) == 0 && used == b.n &&
            ft_claims_check((ft_mp){b.p, b.n}, &e) == 0) {
            accepted++;
            (void)ft_certificates_compare((ft_mp){b.p, b.n}, (ft_mp){b.p, b.n}, NULL);
        }
        b.p[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(accepted > 0 && accepted < 8 * b.n);
    ft_buf_free(&b);
}

/* ---- through streams ---- */

static ft_reader *reader_of(const char *path)
{
    ft_in *in = NULL;
    ft_reader *r = NULL;
    ft_err e;
    assert_int_equal(ft_in_open(&in, path, &e), 0);
    assert_int_equal(ft_reader_open(&r, in, FT_KIND_TEXT, NULL, &e), 0);
    return r;
}

static void read_to_end(ft_reader *r)
{
    ft_mp record;
    ft_err e;
    int rc;
    while ((rc = ft_reader_next(r, &record, &e)) == 0)
        continue;
    assert_int_equal(rc, FT_EOS);
}

/* Writes an empty stream with claims that derives from the readers. */
static void write_stream(const char *path, const char *claims, ft_reader *const *from, size_t n,
                         int apart)
{
    ft_buf b = list_of(claims);
    ft_header h = {.kind = FT_KIND_TEXT, .tool = "ft-test", .certificates = {b.p, b.n}};
    ft_counts c = {0};
    ft_out *out = NULL;
    ft_writer *w = NULL;
    ft_err e;
    assert_int_equal(ft_out_open(&out, path, &e), 0);
    assert_int_equal(ft_writer_open(&w, out, &h, NULL, NULL, &e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(apart ? ft_writer_derive_apart(w, from[i], &e)
                               : ft_writer_derive(w, from[i], &e), 0);
    assert_int_equal(ft_writer_finish(&w, &c, &e), 0);
    ft_buf_free(&b);
}

static void expect_proof(const char *path, const char *const *sources, size_t n)
{
    ft_reader *r = reader_of(path);
    ft_buf want = joined(sources, n);
    ft_mp got;
    assert_int_equal(ft_reader_certificates(r).n, 0);
    read_to_end(r);
    got = ft_reader_certificates(r);
    assert_int_equal(got.n, want.n);
    if (want.n)
        assert_memory_equal(got.p, want.p, want.n);
    ft_buf_free(&want);
    ft_reader_free(&r);
}

static void test_streams(void **state)
{
    char folder[] = "/tmp/ft-certificate-XXXXXX", path[4][64];
    static const char *const a[] = {"a0"}, *const ab[] = {"a0", "b1"}, *const a_none[] = {"a0", ""};
    static const char *const b[] = {"b1"}, *const none[] = {""};
    ft_reader *in[3];
    (void)state;
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 4; i++)
        snprintf(path[i], sizeof path[i], "%s/%zu", folder, i);
    write_stream(path[0], "a0", NULL, 0, 0);
    write_stream(path[1], "b1", NULL, 0, 0);
    write_stream(path[2], "", NULL, 0, 0);
    expect_proof(path[0], a, 1);
    expect_proof(path[2], none, 1);
    for (size_t i = 0; i < 3; i++)
        read_to_end(in[i] = reader_of(path[i]));
    write_stream(path[3], "", in, 1, 0);
    expect_proof(path[3], a, 1);
    write_stream(path[3], "a0", in, 2, 0);
    expect_proof(path[3], ab, 2);
    write_stream(path[3], "b1", in, 1, 1);
    expect_proof(path[3], b, 1);
    in[1] = (ft_reader_free(&in[1]), in[2]);
    write_stream(path[3], "a0", in, 2, 0);
    expect_proof(path[3], a_none, 2);
    ft_reader_free(&in[0]);
    ft_reader_free(&in[2]);
    for (size_t i = 0; i < 4; i++)
        unlink(path[i]);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compare), cmocka_unit_test(test_sets),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_flips),
                                       cmocka_unit_test(test_streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
