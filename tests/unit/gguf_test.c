/* gguf_test.c: reading and writing GGUF: against the file that Python's gguf package wrote, with
 * each truncation and each flipped bit of its header, and through the writer and back. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "model/model.h"

#include <string.h>
#include <unistd.h>

static const char toy_path[] = "tests/golden/toy.gguf";
static ft_map toy;
static uint8_t *copy;         /* of the toy's bytes, to be damaged */
static size_t data_at;        /* offset of the first tensor's bytes */

static int load(void **state)
{
    ft_gguf *g = NULL;
    ft_err e;
    (void)state;
    if (ft_map_open(&toy, toy_path, &e) < 0 ||
        ft_gguf_open_bytes(&g, "toy", toy.p, toy.n, &e) < 0)
        return -1;
    data_at = (size_t)((const uint8_t *)ft_gguf_tensor_at(g, 0)->data - toy.p);
    ft_gguf_free(&g);
    copy = ft_new_aligned(toy.n, 1, &e);
    if (copy)
        memcpy(copy, toy.p, toy.n);
    return copy ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    ft_free(copy);
    ft_map_close(&toy);
    return 0;
}

static void values_are_found_by_key_and_type(void **state)
{
    ft_gguf *g = NULL;
    ft_err e = {0};
    uint64_t n;
    double f;
    int flag = 1;
    ft_slice s, *strings;
    int32_t *ints;
    size_t count;
    (void)state;
    assert_int_equal(ft_gguf_open(&g, toy_path, &e), 0);
    assert_int_equal(ft_gguf_uint(g, "llama.feed_forward_length", &n, &e), 0);
    assert_int_equal(n, 64);
    assert_int_equal(ft_gguf_float(g, "llama.rope.freq_base", &f, &e), 0);
    assert_true(f == 10000);
    assert_int_equal(ft_gguf_bool(g, "tokenizer.ggml.add_bos_token", &flag, &e), 0);
    assert_int_equal(flag, 0);
    assert_int_equal(ft_gguf_string(g, "tokenizer.ggml.pre", &s, &e), 0);
    assert_int_equal(s.n, 6);
    assert_memory_equal(s.p, "smollm", 6);
    assert_int_equal(ft_gguf_strings(g, "tokenizer.ggml.tokens", &strings, &count, &e), 0);
    assert_int_equal(count, 512);
    assert_int_equal(strings[2].n, 10);
    assert_memory_equal(strings[2].p, "<|im_end|>", 10);
    ft_free(strings);
    assert_int_equal(ft_gguf_ints(g, "tokenizer.ggml.token_type", &ints, &count, &e), 0);
    assert_int_equal(count, 512);
    assert_int_equal(ints[2], 3);
    assert_int_equal(ints[3], 1);
    ft_free(ints);
    assert_int_equal(ft_gguf_uint(g, "llama.rope.freq_base", &n, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "llama.rope.freq_base"));
    assert_int_equal(ft_gguf_strings(g, "tokenizer.ggml.token_type", &strings, &count, &e),
                     FT_ERR_DATA);
    assert_null(strings);
    assert_int_equal(ft_gguf_string(g, "no.such.key", &s, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "no.such.key is missing"));
    ft_gguf_free(&g);
    assert_null(g);
    assert_int_equal(ft_gguf_open(&g, "tests/golden/none.gguf", &e), FT_ERR_NOINPUT);
}

/* Expected: python3 tests/gguf_read.py --digest tests/golden/toy.gguf (with xxhash 3.2). */
static void digest_is_that_of_the_other_reader(void **state)
{
    ft_gguf *g = NULL;
    ft_err e;
    char hex[33];
    ft_digest d;
    (void)state;
    assert_int_equal(ft_gguf_open(&g, toy_path, &e), 0);
    d = ft_gguf_digest(g);
    assert_string_equal(ft_digest_hex(&d, hex), "4b7872478d90992e98e6f69501a92d9c");
    ft_gguf_free(&g);
}

static void each_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < toy.n; n += n < data_at + 64 ? 1 : 997) {
        ft_gguf *g = NULL;
        ft_err e = {0};
        uint8_t *part = ft_new(n, 1, &e);      /* of exactly this size, for the sanitizer */
        assert_non_null(part);
        memcpy(part, toy.p, n);
        assert_int_equal(ft_gguf_open_bytes(&g, "cut.gguf", part, n, &e), FT_ERR_DATA);
        assert_null(g);
        assert_true(strncmp(e.text, "cut.gguf: ", 10) == 0);
        assert_non_null(strstr(e.text, " byte"));
        ft_free(part);
    }
}

/* A file that is still accepted must hold the same tensors in the same places: the flip fell into
 * a name or value that does not decide how weights are read. */
static void assert_same_tensors(const ft_model *m, const ft_model *good)
{
    assert_true(m->L == good->L && m->C == good->C && m->H == good->H && m->H_kv == good->H_kv &&
                m->D == good->D && m->F == good->F && m->V == good->V && m->tied == good->tied);
    assert_true(m->context >= 1 && m->rms_eps > 0 && m->rope_theta > 0);
    assert_true(ft_digest_equal(&m->digest, &good->digest));
}

static void each_flipped_bit_of_the_header_is_refused_or_harmless(void **state)
{
    ft_model *good = NULL;
    ft_err e;
    size_t accepted = 0, refused = 0;
    (void)state;
    assert_int_equal(ft_model_open(&good, toy_path, &e), 0);
    for (size_t bit = 0; bit < 8 * data_at; bit++) {
        ft_gguf *g = NULL;
        ft_model *m = NULL;
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        e.text[0] = '\0';
        if (ft_gguf_open_bytes(&g, "flip.gguf", copy, toy.n, &e) == 0 &&
            ft_model_of_gguf(&m, &g, &e) == 0) {
            assert_same_tensors(m, good);
            accepted++;
        } else {
            assert_null(m);
            assert_true(strncmp(e.text, "flip.gguf: ", 11) == 0);
            refused++;
        }
        ft_model_free(&m);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_memory_equal(copy, toy.p, toy.n);
    assert_true(accepted > 0 && refused > 0);
    ft_model_free(&good);
}

/* ---- writing ---- */

static int write_like(const ft_gguf *g, const char *path, const char *key, size_t piece, ft_err *e)
{
    ft_gguf_writer *w = NULL;
    ft_out *out = NULL;
    int rc = ft_gguf_writer_new(&w, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_kv_count(g); i++)
        rc = ft_gguf_writer_copy_kv(w, ft_gguf_kv_at(g, i), e);
    if (rc == 0 && key)
        rc = ft_gguf_writer_string(w, key, "other", 5, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(g); i++) {
        const ft_tensor *t = ft_gguf_tensor_at(g, i);
        rc = ft_gguf_writer_tensor(w, t->name, t->type, t->n_dims, t->shape, e);
    }
    rc = rc < 0 ? rc : ft_out_open(&out, path, e);
    rc = rc < 0 ? rc : ft_gguf_writer_begin(w, out, e);
    for (size_t i = 0; rc == 0 && i < ft_gguf_tensor_count(g); i++) {
        const ft_tensor *t = ft_gguf_tensor_at(g, i);
        for (size_t at = 0; rc == 0 && at < t->bytes; at += piece)
            rc = ft_gguf_writer_data(w, (const uint8_t *)t->data + at,
                                     t->bytes - at < piece ? t->bytes - at : piece, e);
    }
    rc = rc < 0 ? rc : ft_gguf_writer_end(w, e);
    rc = rc < 0 ? rc : ft_out_commit(&out, e);
    ft_out_abandon(&out);
    ft_gguf_writer_free(&w);
    return rc;
}

static void in_temporary_folder(char path[64])
{
    strcpy(path, "/tmp/ft-gguf-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

/* Python's package wrote the toy; the same content gives its very bytes. */
static void a_copy_has_the_bytes_of_the_other_writer(void **state)
{
    static const size_t pieces[] = {1 << 20, 77};
    char path[64];
    ft_gguf *g = NULL;
    ft_err e;
    (void)state;
    in_temporary_folder(path);
    assert_int_equal(ft_gguf_open(&g, toy_path, &e), 0);
    for (size_t i = 0; i < 2; i++) {
        ft_map map;
        assert_int_equal(write_like(g, path, NULL, pieces[i], &e), 0);
        assert_int_equal(ft_map_open(&map, path, &e), 0);
        assert_int_equal(map.n, toy.n);
        assert_memory_equal(map.p, toy.p, toy.n);
        ft_map_close(&map);
    }
    ft_gguf_free(&g);
    unlink(path);
}

static void keys_are_replaced_in_place_or_added(void **state)
{
    static const char *const keys[] = {"general.name", "ft.new"};
    char path[64];
    ft_gguf *g = NULL;
    ft_err e;
    (void)state;
    in_temporary_folder(path);
    assert_int_equal(ft_gguf_open(&g, toy_path, &e), 0);
    for (size_t i = 0; i < 2; i++) {
        ft_gguf *h = NULL;
        ft_slice s;
        assert_int_equal(write_like(g, path, keys[i], 1 << 20, &e), 0);
        assert_int_equal(ft_gguf_open(&h, path, &e), 0);
        assert_int_equal(ft_gguf_kv_count(h), ft_gguf_kv_count(g) + i);
        assert_int_equal(ft_gguf_string(h, keys[i], &s, &e), 0);
        assert_int_equal(s.n, 5);
        assert_memory_equal(s.p, "other", 5);
        ft_digest a = ft_gguf_digest(g), b = ft_gguf_digest(h);
        assert_true(ft_digest_equal(&a, &b));
        ft_gguf_free(&h);
    }
    ft_gguf_free(&g);
    unlink(path);
}

static void too_many_or_too_few_bytes_are_noticed(void **state)
{
    static const uint64_t shape[] = {8};
    static const float x[9] = {0};
    ft_slice name = {(const uint8_t *)"x", 1};
    ft_gguf_writer *w = NULL;
    ft_out *out = NULL;
    ft_err e;
    (void)state;
    assert_int_equal(ft_gguf_writer_new(&w, &e), 0);
    assert_int_equal(ft_gguf_writer_tensor(w, name, FT_F32, 1, shape, &e), 0);
    assert_int_equal(ft_gguf_writer_tensor(w, name, FT_Q8_0, 1, shape, &e), FT_ERR_USAGE);
    assert_int_equal(ft_out_open(&out, "/dev/null", &e), 0);
    assert_int_equal(ft_gguf_writer_begin(w, out, &e), 0);
    assert_int_equal(ft_gguf_writer_data(w, x, 36, &e), FT_ERR_INTERNAL);
    assert_int_equal(ft_gguf_writer_data(w, x, 28, &e), 0);
    assert_int_equal(ft_gguf_writer_end(w, &e), FT_ERR_INTERNAL);
    assert_int_equal(ft_gguf_writer_data(w, x, 4, &e), 0);
    assert_int_equal(ft_gguf_writer_end(w, &e), 0);
    assert_int_equal(ft_gguf_writer_data(w, x, 4, &e), FT_ERR_INTERNAL);
    ft_out_abandon(&out);
    ft_gguf_writer_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_key_and_type),
        cmocka_unit_test(digest_is_that_of_the_other_reader),
        cmocka_unit_test(each_truncation_is_refused),
        cmocka_unit_test(each_flipped_bit_of_the_header_is_refused_or_harmless),
        cmocka_unit_test(a_copy_has_the_bytes_of_the_other_writer),
        cmocka_unit_test(keys_are_replaced_in_place_or_added),
        cmocka_unit_test(too_many_or_too_few_bytes_are_noticed),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
