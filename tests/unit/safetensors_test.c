/* safetensors_test.c: safetensors files that the format's authors' package wrote, read and written
 * again byte by byte; its verdicts on bad headers; each truncation and each flipped bit. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/mp.h"
#include "model/safetensors.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define OK(call) do { if ((call) < 0) fail_msg("%s: %s", #call, e.text); } while (0)

/* As in tests/golden/make_safetensors.py, in the order of its lists. */
typedef struct made {
    const char *name;
    ft_type type;
    uint32_t n_dims;
    uint64_t shape[3];
} made;
static const made mixed[] = {{"b.weight", FT_BF16, 2, {3, 5}}, {"a.half", FT_F16, 1, {4}},
                             {"z", FT_F32, 0, {0}}, {"a.b", FT_F32, 3, {2, 3, 4}},
                             {"a", FT_BF16, 1, {1}}, {"empty", FT_F32, 2, {0, 7}},
                             {"B", FT_F16, 2, {2, 2}}, {"quote\"d", FT_F32, 2, {1, 1}},
                             {"a-b", FT_F32, 1, {3}}};
static const made plain[] = {{"x", FT_F32, 1, {5}}, {"w", FT_F16, 1, {3}}};
enum { MIXED = sizeof mixed / sizeof *mixed, PLAIN = sizeof plain / sizeof *plain, MOST = 24 };

static size_t elements_of(const made *t)
{
    size_t n = 1;
    for (uint32_t d = 0; d < t->n_dims; d++)
        n *= t->shape[d];
    return n;
}

static float value(size_t i, size_t k)
{
    return (float)((7 * k + 3 * i) % 64) / 8 - 4;
}

static void check_read(const char *path, const made *list, size_t n)
{
    ft_safetensors *s = NULL;
    const uint8_t *end = NULL;
    ft_err e;
    OK(ft_safetensors_open(&s, path, &e));
    assert_int_equal(ft_safetensors_count(s), n);
    for (size_t i = 0; i < n; i++) {
        const ft_safetensor *t = ft_safetensors_find(s, list[i].name);
        float got[MOST];
        assert_non_null(t);
        assert_int_equal(t->type, list[i].type);
        assert_int_equal(t->n_dims, list[i].n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++)
            assert_int_equal(t->shape[d], list[i].shape[d]);
        assert_int_equal(t->elements, elements_of(&list[i]));
        assert_int_equal(t->bytes, t->elements * (t->type == FT_F32 ? 4 : 2));
        assert_true(t->elements <= MOST);
        ft_safetensor_floats(t, 0, t->elements, got);
        for (size_t k = 0; k < t->elements; k++) {
            assert_true(fabs((double)got[k] - (double)value(i, k)) <= 0);
            ft_safetensor_floats(t, k, 1, &got[0]);
            assert_true(fabs((double)got[0] - (double)value(i, k)) <= 0);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const ft_safetensor *t = ft_safetensors_at(s, i);
        assert_true(i == 0 || t->data == end);
        end = t->data + t->bytes;
    }
    assert_null(ft_safetensors_find(s, "nothing"));
    assert_null(ft_safetensors_find(s, "a."));
    ft_safetensors_free(&s);
}

static void test_reads(void **state)
{
    ft_safetensors *s = NULL;
    ft_slice format;
    ft_err e;
    (void)state;
    check_read("tests/golden/mixed.safetensors", mixed, MIXED);
    check_read("tests/golden/plain.safetensors", plain, PLAIN);
    OK(ft_safetensors_open(&s, "tests/golden/mixed.safetensors", &e));
    assert_true(ft_safetensors_metadata(s, "format", &format) && ft_slice_is(format, "pt"));
    assert_false(ft_safetensors_metadata(s, "other", &format));
    ft_safetensors_free(&s);
    OK(ft_safetensors_open(&s, "tests/golden/plain.safetensors", &e));
    assert_false(ft_safetensors_metadata(s, "format", &format));
    ft_safetensors_free(&s);
    assert_int_equal(ft_safetensors_open(&s, "tests/golden/none.safetensors", &e), FT_ERR_NOINPUT);
    assert_null(s);
}

/* ---- writing ---- */

static void announce(ft_safetensors_writer *w, const made *t)
{
    ft_err e;
    OK(ft_safetensors_writer_tensor(w, (ft_slice){(const uint8_t *)t->name, strlen(t->name)},
                                    t->type, t->n_dims, t->shape, &e));
}

/* Announces the list from its `first` on and around, gives `step` elements at a time. */
static void check_written(const char *path, const made *list, size_t n, size_t first, size_t step)
{
    char name[] = "/tmp/safetensors-test-XXXXXX";
    int fd = mkstemp(name);
    ft_safetensors_writer *w = NULL;
    ft_map want = {0}, got = {0};
    ft_out *out = NULL;
    size_t i, times = 0;
    ft_err e;
    assert_true(fd >= 0);
    close(fd);
    OK(ft_safetensors_writer_new(&w, &e));
    if (n == MIXED)
        OK(ft_safetensors_writer_metadata(w, "format", "pt", &e));
    for (size_t k = 0; k < n; k++)
        announce(w, &list[(first + k) % n]);
    OK(ft_out_open(&out, name, &e));
    OK(ft_safetensors_writer_begin(w, out, &e));
    for (; ft_safetensors_writer_due(w, &i); times++) {
        const made *t = &list[(first + i) % n];
        float v[MOST];
        uint16_t half[MOST];
        size_t count = elements_of(t);
        for (size_t k = 0; k < count; k++)
            v[k] = value((size_t)(t - list), k);
        if (t->type != FT_F32)
            ft_quantise(t->type, v, half, count);
        for (size_t k = 0; k < count; k += step) {
            size_t now = count - k < step ? count - k : step;
            OK(ft_safetensors_writer_data(w, t->type == FT_F32 ? (void *)(v + k) : half + k,
                                          now * (t->type == FT_F32 ? 4 : 2), &e));
        }
    }
    assert_int_equal(ft_safetensors_writer_data(w, name, 1, &e), FT_ERR_INTERNAL);
    OK(ft_out_commit(&out, &e));
    ft_safetensors_writer_free(&w);
    OK(ft_map_open(&want, path, &e));
    OK(ft_map_open(&got, name, &e));
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    ft_map_close(&want);
    ft_map_close(&got);
    unlink(name);
}

static void test_writes(void **state)
{
    (void)state;
    for (size_t first = 0; first < MIXED; first++)
        check_written("tests/golden/mixed.safetensors", mixed, MIXED, first, 1 + first * 5);
    for (size_t first = 0; first < PLAIN; first++)
        check_written("tests/golden/plain.safetensors", plain, PLAIN, first, 2);
}

static void test_writer_refuses(void **state)
{
    static const made twice[] = {{"a", FT_F32, 1, {1}}, {"a", FT_F16, 1, {1}}};
    static const uint64_t big[] = {1ull << 62, 4};
    char name[300];
    ft_safetensors_writer *w = NULL;
    ft_out *out = NULL;
    ft_err e;
    (void)state;
    memset(name, 'n', sizeof name);
    OK(ft_safetensors_writer_new(&w, &e));
#define REFUSED(p, n, type, dims, shape) \
    assert_int_equal(ft_safetensors_writer_tensor(w, (ft_slice){(const uint8_t *)(p), n}, type, \
                                                  dims, shape, &e), FT_ERR_USAGE)
    REFUSED("", 0, FT_F32, 2, big);
    REFUSED(name, 257, FT_F32, 0, big);
    REFUSED("a\n", 2, FT_F32, 0, big);
    REFUSED("__metadata__", 12, FT_F32, 0, big);
    REFUSED("a", 1, FT_Q8_0, 0, big);
    REFUSED("a", 1, FT_F32, 2, big);
    REFUSED("a", 1, FT_F32, FT_SAFETENSOR_DIMS_MAX + 1, big);
    announce(w, &twice[0]);
    announce(w, &twice[1]);
    OK(ft_out_open(&out, "/dev/null", &e));
    assert_int_equal(ft_safetensors_writer_begin(w, out, &e), FT_ERR_USAGE);
    ft_out_abandon(&out);
    ft_safetensors_writer_free(&w);
}

/* ---- what must be refused ---- */

/* Puts text with \xNN for bytes to `to`. Returns: the bytes. */
static size_t unescape(const char *text, uint8_t *to)
{
    size_t n = 0;
    for (; *text; text++) {
        unsigned byte = (unsigned char)*text;
        if (text[0] == '\\' && text[1] == 'x' && sscanf(text + 2, "%2x", &byte) == 1)
            text += 3;
        to[n++] = (uint8_t)byte;
    }
    return n;
}

static void put_length(uint8_t *p, uint64_t n)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(n >> 8 * i);
}

/* One line of safetensors.txt. */
static int check_line(char *line)
{
    static uint8_t file[1 << 16];
    char *part[5], *rest = line;
    ft_safetensors *s = NULL;
    uint64_t length;
    size_t n;
    int rc;
    ft_err e = {0};
    for (int i = 0; i < 5; i++)
        part[i] = strsep(&rest, i < 4 ? "\t" : "\n");
    assert_non_null(part[4]);
    n = unescape(part[4], file + 8);
    length = *part[1] == '=' ? n : strtoull(part[1], NULL, 10);
    put_length(file, length);
    n += 8;
    memset(file + n, 0, strtoul(part[2], NULL, 10));
    n += strtoul(part[2], NULL, 10);
    rc = ft_safetensors_open_bytes(&s, "case", file, n, &e);
    if (strcmp(part[0], "ok") == 0 ? rc != 0 : rc != FT_ERR_DATA)
        fail_msg("%d (%s): %s", rc, e.text, part[4]);
    if (rc < 0 && *part[3] != '-' && !strstr(e.text, part[3]))
        fail_msg("'%s' lacks '%s': %s", e.text, part[3], part[4]);
    for (const char *p = e.text; *p; p++)
        assert_true((unsigned char)*p >= ' ');
    ft_safetensors_free(&s);
    return rc;
}

static void test_verdicts(void **state)
{
    FILE *f = fopen("tests/golden/safetensors.txt", "r");
    char *line = NULL;
    size_t cap = 0, accepted = 0, refused = 0;
    (void)state;
    assert_non_null(f);
    while (getline(&line, &cap, f) > 0)
        if (check_line(line) == 0)
            accepted++;
        else
            refused++;
    assert_true(accepted >= 12 && refused >= 120);
    free(line);
    fclose(f);
}

/* A file that claims more than there is, or less, is never accepted; a flipped bit of the header
 * may give other names or shapes, but only such as cover the data. */
static void test_damage(void **state)
{
    ft_map good = {0};
    uint8_t *copy;
    size_t data_at = 0, opened = 0;
    ft_err e;
    (void)state;
    OK(ft_map_open(&good, "tests/golden/mixed.safetensors", &e));
    for (size_t i = 8; i-- > 0;)
        data_at = data_at << 8 | good.p[i];
    data_at += 8;
    assert_true(data_at < good.n);
    for (size_t n = 0; n < good.n; n++) {
        ft_safetensors *s = NULL;
        copy = malloc(n + 1);       /* no byte behind the end is readable under a sanitizer */
        memcpy(copy, good.p, n);
        copy = realloc(copy, n ? n : 1);
        assert_int_equal(ft_safetensors_open_bytes(&s, "cut", copy, n, &e), FT_ERR_DATA);
        assert_null(s);
        free(copy);
    }
    copy = malloc(good.n);
    memcpy(copy, good.p, good.n);
    for (size_t bit = 0; bit < data_at * 8; bit++) {
        ft_safetensors *s = NULL;
        const uint8_t *at = copy + data_at;
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (ft_safetensors_open_bytes(&s, "flipped", copy, good.n, &e) == 0) {
            opened++;
            for (size_t i = 0; i < ft_safetensors_count(s); i++) {
                assert_ptr_equal(ft_safetensors_at(s, i)->data, at);
                at += ft_safetensors_at(s, i)->bytes;
            }
            assert_ptr_equal(at, copy + good.n);
        }
        ft_safetensors_free(&s);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(opened > 0 && opened < data_at * 8 / 2);
    free(copy);
    ft_map_close(&good);
}

/* Headers at the limits: too long, too many tensors, many keys. */
static void test_limits(void **state)
{
    ft_buf b = {0};
    ft_safetensors *s = NULL;
    ft_err e;
    (void)state;
    for (int over = 0; over < 2; over++) {
        ft_buf_clear(&b);
        ft_buf_add_u64(&b, 0);
        ft_buf_add_byte(&b, '{');
        for (size_t i = 0; i < FT_SAFETENSORS_MAX + (size_t)over; i++)
            ft_buf_add_fmt(&b, "%s\"%zu\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}",
                           i ? "," : "", i);
        ft_buf_add_byte(&b, '}');
        put_length(b.p, b.n - 8);
        assert_int_equal(ft_safetensors_open_bytes(&s, "many", b.p, b.n, &e),
                         over ? FT_ERR_DATA : 0);
        if (!over)
            assert_non_null(ft_safetensors_find(s, "65535"));
        else
            assert_non_null(strstr(e.text, "65537 tensors"));
        ft_safetensors_free(&s);
    }
    while (b.n < FT_SAFETENSORS_HEADER_MAX + 8u)
        ft_buf_add_fmt(&b, "%4096s", "");
    OK(ft_buf_check(&b, &e));
    put_length(b.p, FT_SAFETENSORS_HEADER_MAX + 1u);
    ft_buf_add(&b, "   ", 3);
    assert_int_equal(ft_safetensors_open_bytes(&s, "long", b.p, b.n, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "limit"));
    ft_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),    cmocka_unit_test(test_writes),
        cmocka_unit_test(test_writer_refuses), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_damage),   cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
