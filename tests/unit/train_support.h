/* train_support.h: for the tests of lib/train: the toy model, the golden training, rows of it. */
#ifndef TRAIN_SUPPORT_H
#define TRAIN_SUPPORT_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/mp.h"
#include "model/model.h"
#include "stream/stream.h"
#include "train/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory; its name can be opened again and again. */
typedef struct scratch_file {
    int fd;
    char path[64];
} scratch_file;

static inline scratch_file scratch_new(void)
{
    scratch_file f;
    f.fd = memfd_create("train", 0);
    assert_true(f.fd >= 0);
    snprintf(f.path, sizeof f.path, "/proc/self/fd/%d", f.fd);
    return f;
}

#define OK(call) assert_string_equal((call) < 0 ? e.text : "", "")

static inline ft_model *toy_open(void)
{
    ft_err e = {0};
    ft_model *m = NULL;
    OK(ft_model_open(&m, "tests/golden/toy.gguf", &e));
    return m;
}

/* The golden file; the mapping is never undone. */
static inline ft_mp golden_open(void)
{
    ft_err e = {0};
    ft_map map;
    size_t used;
    OK(ft_map_open(&map, "tests/golden/train.mp", &e));
    OK(ft_mp_check(map.p, map.n, &used, &e));
    assert_int_equal(used, map.n);
    return (ft_mp){map.p, map.n};
}

static inline ft_mp golden_get(ft_mp map, const char *key)
{
    ft_mp v = {0};
    assert_true(ft_mp_get(map, key, &v));
    return v;
}

static inline double golden_real(ft_mp map, const char *key)
{
    double v = 0;
    assert_true(ft_mp_get_float(map, key, &v));
    return v;
}

/* Appends one golden example as a segment map of a packed row. */
static inline void put_segment(ft_buf *b, ft_mp example, uint64_t number)
{
    uint8_t ids[1024] = {0}, mask[64] = {0};
    ft_mp list = golden_get(example, "ids"), bits = golden_get(example, "mask"), item;
    ft_mp_iter it = ft_mp_iter_of(list);
    size_t n = 0, m = 0;
    uint64_t v = 0;
    while (ft_mp_next(&it, &item)) {
        assert_true(ft_mp_uint(item, &v) && n < 256);
        ids[4 * n] = (uint8_t)v;
        ids[4 * n + 1] = (uint8_t)(v >> 8);
        n++;
    }
    it = ft_mp_iter_of(bits);
    while (ft_mp_next(&it, &item)) {
        assert_true(ft_mp_uint(item, &v));
        mask[m / 8] = (uint8_t)(mask[m / 8] | v << m % 8);
        m++;
    }
    assert_int_equal(n, m);
    ft_mp_put_map(b, 5);
    ft_mp_put_cstr(b, "id");
    ft_mp_put_uint(b, number);
    ft_mp_put_cstr(b, "ids");
    ft_mp_put_bin(b, ids, n * 4);
    ft_mp_put_cstr(b, "mask");
    ft_mp_put_bin(b, mask, (n + 7) / 8);
    ft_mp_put_cstr(b, "length");
    ft_mp_put_uint(b, n);
    ft_mp_put_cstr(b, "weight");
    ft_mp_put_float(b, golden_real(example, "weight"));
}

/* The golden examples under `key`, `per_row` in each row. */
static inline ft_dataset *golden_dataset(ft_mp golden, const char *key, size_t per_row, size_t V)
{
    ft_err e = {0};
    ft_mp list = golden_get(golden, key), item;
    ft_mp_iter it = ft_mp_iter_of(list);
    size_t left = (size_t)ft_mp_count(list), number = 0;
    ft_dataset *d = NULL;
    ft_buf b = {0};
    OK(ft_dataset_new(&d, V, &e));
    while (left > 0) {
        size_t n = left < per_row ? left : per_row;
        ft_buf_clear(&b);
        ft_mp_put_map(&b, 1);
        ft_mp_put_cstr(&b, "segments");
        ft_mp_put_array(&b, n);
        for (size_t i = 0; i < n; i++) {
            assert_true(ft_mp_next(&it, &item));
            put_segment(&b, item, number++);
        }
        OK(ft_buf_check(&b, &e));
        OK(ft_dataset_add(d, (ft_mp){b.p, b.n}, &e));
        left -= n;
    }
    OK(ft_dataset_end(d, &e));
    ft_buf_free(&b);
    return d;
}

/* How a test spoils one record of the adapter stream that golden_adapter writes. */
typedef struct spoiler {
    const char *name;          /* of the tensor; NULL: none */
    const char *rename;        /* another name              */
    int leave_out, twice, shift, transpose, nan, half;
} spoiler;

static inline void put_tensor(ft_writer *w, ft_slice name, uint64_t rows, uint64_t cols,
                              uint64_t offset, ft_slice data)
{
    ft_err e = {0};
    ft_buf b = {0};
    ft_mp_put_map(&b, 4);
    ft_mp_put_cstr(&b, "name");
    ft_mp_put_str(&b, (const char *)name.p, name.n);
    ft_mp_put_cstr(&b, "shape");
    ft_mp_put_array(&b, 2);
    ft_mp_put_uint(&b, rows);
    ft_mp_put_uint(&b, cols);
    ft_mp_put_cstr(&b, "offset");
    ft_mp_put_uint(&b, offset);
    ft_mp_put_cstr(&b, "data");
    ft_mp_put_bin(&b, data.p, data.n);
    OK(ft_buf_check(&b, &e));
    OK(ft_writer_put(w, b.p, b.n, &e));
    ft_buf_free(&b);
}

static inline void put_spoilt(ft_writer *w, ft_slice name, uint64_t rows, uint64_t cols,
                              ft_slice data, const spoiler *s)
{
    static uint8_t copy[1 << 16];
    static const uint8_t nan_bytes[4] = {0, 0, 0xc0, 0x7f};
    uint64_t swap = rows;
    if (s->leave_out)
        return;
    if (s->rename)
        name = (ft_slice){(const uint8_t *)s->rename, strlen(s->rename)};
    if (s->transpose) {
        rows = cols;
        cols = swap;
    }
    assert_true(data.n <= sizeof copy);
    memcpy(copy, data.p, data.n);
    if (s->nan)
        memcpy(copy + data.n - 4, nan_bytes, 4);
    put_tensor(w, name, rows, cols, s->shift ? 1 : 0,
               (ft_slice){copy, s->half ? data.n / 2 : data.n});
    if (s->twice)
        put_tensor(w, name, rows, cols, s->twice > 1 ? rows * cols : 0, data);
}

/* Writes the golden adapter under `key` ("initial", "final") as a stream, tensors in the order of
 * the file. extra: the header's map. */
static inline void golden_adapter(const char *path, ft_mp golden, const char *key, ft_mp extra,
                                  const spoiler *s)
{
    ft_err e = {0};
    ft_header h = {.kind = FT_KIND_ADAPTER, .extra = extra};
    ft_writer_options o = {0};
    ft_counts counts = {0};
    ft_out *out = NULL;
    ft_writer *w = NULL;
    ft_mp name, v, item, tensors = golden_get(golden, key);
    ft_mp_iter it = ft_mp_iter_of(tensors);
    OK(ft_out_open_log(&out, path, &e));
    OK(ft_writer_open(&w, out, &h, &o, NULL, &e));
    while (ft_mp_next(&it, &name) && ft_mp_next(&it, &v)) {
        ft_mp_iter parts = ft_mp_iter_of(v);
        uint64_t rows = 0, cols = 0;
        ft_slice text, data = {0};
        assert_true(ft_mp_str(name, &text));
        assert_true(ft_mp_next(&parts, &item) && ft_mp_uint(item, &rows));
        assert_true(ft_mp_next(&parts, &item) && ft_mp_uint(item, &cols));
        assert_true(ft_mp_next(&parts, &item) && ft_mp_bin(item, &data));
        if (s && s->name && ft_slice_is(text, s->name))
            put_spoilt(w, text, rows, cols, data, s);
        else
            put_tensor(w, text, rows, cols, 0, data);
    }
    OK(ft_writer_finish(&w, &counts, &e));
}

/* The header's map of a LoRA adapter. base: NULL to leave it out. */
static inline ft_buf adapter_extra(const char *method, uint64_t rank, double alpha, uint64_t layers,
                                   size_t n_targets, const ft_digest *base, const char *transform)
{
    static const char *const names[] = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj",
                                        "up_proj", "down_proj"};
    ft_buf b = {0};
    ft_mp_put_map(&b, base ? 8 : 7);
    ft_mp_put_cstr(&b, "method");
    ft_mp_put_cstr(&b, method);
    ft_mp_put_cstr(&b, "rank");
    ft_mp_put_uint(&b, rank);
    ft_mp_put_cstr(&b, "alpha");
    ft_mp_put_float(&b, alpha);
    ft_mp_put_cstr(&b, "dropout");
    ft_mp_put_float(&b, 0);
    ft_mp_put_cstr(&b, "layers");
    ft_mp_put_uint(&b, layers);
    ft_mp_put_cstr(&b, "targets");
    ft_mp_put_array(&b, n_targets);
    for (size_t i = 0; i < n_targets; i++)
        ft_mp_put_cstr(&b, names[i % 7]);
    ft_mp_put_cstr(&b, "transform");
    ft_mp_put_cstr(&b, transform);
    if (base) {
        ft_mp_put_cstr(&b, "base");
        ft_mp_put_bin(&b, base->b, sizeof base->b);
    }
    return b;
}

#endif
