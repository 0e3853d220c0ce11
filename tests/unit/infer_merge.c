/* ft_merge_write against peft's merge_and_unload (tests/golden/generate.txt), and against itself on
 * other numbers of threads; ft_merge_verify on right and on wrong merges. */
#define _GNU_SOURCE    /* mkdtemp */
#include "infer_golden.h"

#include "base/mp.h"
#include "infer/merge.h"

static char folder[] = "/tmp/ft-merge-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][64];
    static int at;
    char *p = path[at++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

/* What stands for a history here: merge.c passes the bytes on as they are. */
static const char history_bytes[] = "a history";

static void merge(const ft_model *m, const ft_adapter *l, ft_type type, unsigned threads,
                  const char *path)
{
    ft_merge_options o = {type, {(const uint8_t *)history_bytes, sizeof history_bytes - 1},
                          {NULL, 0}};
    ft_pool *pool = golden_pool(threads);
    ft_out *out = NULL;
    ft_err e;
    OK(ft_out_open(&out, path, &e));
    if (ft_merge_write(m, l, &o, out, pool, &e) < 0)
        fail_msg("%s", e.text);
    OK(ft_out_commit(&out, &e));
    ft_pool_free(&pool);
}

static ft_model *open_model(const char *path)
{
    ft_model *m = NULL;
    ft_err e;
    if (ft_model_open(&m, path, &e) < 0)
        fail_msg("%s", e.text);
    return m;
}

/* PEFT's row s*(D/2) + i of a head is GGUF's row 2i + s. */
static size_t gguf_row(const ft_model *m, int t, size_t row)
{
    size_t in_head = row % m->D, half = m->D / 2;
    if (t != FT_Q && t != FT_K)
        return row;
    return row - in_head + 2 * (in_head % half) + in_head / half;
}

static void test_equals_peft(void **state)
{
    FILE *f = fopen("tests/golden/generate.txt", "r");
    ft_model *m = golden_model("toy"), *merged;
    ft_adapter *l = golden_lora(m, 4, 0.5);
    char line[8192];
    int seen = 0;
    (void)state;
    assert_non_null(f);
    merge(m, l, FT_F32, 2, in_folder("f32.gguf"));
    merged = open_model(in_folder("f32.gguf"));
    while (fgets(line, sizeof line, f)) {
        size_t layer, row, col;
        double want, got;
        int t;
        if (sscanf(line, "merged %zu %d %zu %zu %lf", &layer, &t, &row, &col, &want) != 5)
            continue;
        const ft_weight *w = &merged->layers[layer].w[t];
        assert_int_equal(w->type, FT_F32);
        got = (double)((const float *)w->data)[gguf_row(m, t, row) * w->cols + col];
        assert_true(fabs(got - want) <= 1e-6);
        seen++;
    }
    assert_int_equal(seen, 2 * 7 * 24);
    fclose(f);
    ft_model_free(&merged);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static void test_types_and_keys(void **state)
{
    static const struct { ft_type type; const char *name; uint64_t file_type; } cases[] = {
        {FT_F32, "a", 0}, {FT_F16, "b", 1}, {FT_BF16, "c", 32}};
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, 4, 0.5);
    char hex[33];
    ft_err e;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ft_model *merged;
        ft_slice s;
        uint64_t v;
        merge(m, l, cases[i].type, 1, in_folder(cases[i].name));
        merged = open_model(in_folder(cases[i].name));
        for (size_t k = 0; k < ft_gguf_tensor_count(merged->gguf); k++) {
            const ft_tensor *t = ft_gguf_tensor_at(merged->gguf, k);
            assert_int_equal(t->type, t->n_dims >= 2 ? cases[i].type : FT_F32);
        }
        OK(ft_gguf_uint(merged->gguf, "general.file_type", &v, &e));
        assert_int_equal(v, cases[i].file_type);
        OK(ft_gguf_string(merged->gguf, "ft.base_digest", &s, &e));
        assert_true(ft_slice_is(s, ft_digest_hex(&m->digest, hex)));
        const ft_gguf_kv *history = ft_gguf_kv_find(merged->gguf, "ft.history");
        assert_non_null(history);
        assert_int_equal(history->item, FT_GV_U8);
        assert_int_equal(history->count, sizeof history_bytes - 1);
        assert_memory_equal(history->raw.p + history->raw.n - history->count, history_bytes,
                            sizeof history_bytes - 1);
        assert_int_equal(ft_gguf_kv_count(merged->gguf), ft_gguf_kv_count(m->gguf) + 2);
        ft_model_free(&merged);
    }
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static void test_same_bytes(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, 4, 0.5);
    ft_map one, three;
    ft_err e;
    (void)state;
    merge(m, l, FT_BF16, 1, in_folder("one"));
    merge(m, l, FT_BF16, 3, in_folder("three"));
    OK(ft_map_open(&one, in_folder("one"), &e));
    OK(ft_map_open(&three, in_folder("three"), &e));
    assert_int_equal(one.n, three.n);
    assert_memory_equal(one.p, three.p, one.n);
    ft_map_close(&one);
    ft_map_close(&three);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static void test_refuses_what_does_not_fit(void **state)
{
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, 4, 0.5);
    ft_merge_options o = {FT_F16, {NULL, 0}, {NULL, 0}};
    ft_pool *pool = golden_pool(1);
    ft_out *out = NULL;
    float *b = ft_lora_b(l, l->params, 1, FT_O);
    size_t at;
    ft_err e;
    (void)state;
    b[3 * 4] = 1e6f;
    OK(ft_out_open(&out, in_folder("no"), &e));
    assert_int_equal(ft_merge_write(m, l, &o, out, pool, &e), FT_ERR_NUMERIC);
    /* Row 3 of 32 columns. */
    assert_int_equal(sscanf(e.text, "tensor blk.1.attn_output.weight: weight %zu", &at), 1);
    assert_in_range(at, 3 * 32, 4 * 32 - 1);
    o.type = FT_Q8_0;
    assert_int_equal(ft_merge_write(m, l, &o, out, pool, &e), FT_ERR_USAGE);
    ft_out_abandon(&out);
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static void test_verify(void **state)
{
    static const ft_type types[] = {FT_F32, FT_F16, FT_BF16};
    ft_model *m = golden_model("toy");
    ft_adapter *l = golden_lora(m, 4, 0.2);
    ft_pool *pool = golden_pool(1);
    ft_merge_difference d;
    ft_err e;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        ft_model *merged;
        merge(m, l, types[i], 1, in_folder("v.gguf"));
        merged = open_model(in_folder("v.gguf"));
        if (ft_merge_verify(m, l, merged, types[i], pool, &d, &e) < 0)
            fail_msg("%s", e.text);
        assert_true(d.positions >= 100 && d.max_logit > 0 && d.mean_kl > 0);
        /* One wrong number in the adapter, and the merge is no longer its. */
        l->params[7] += 1.0f;
        assert_int_equal(ft_merge_verify(m, l, merged, types[i], pool, &d, &e), FT_ERR_NUMERIC);
        l->params[7] -= 1.0f;
        ft_model_free(&merged);
    }
    ft_pool_free(&pool);
    ft_adapter_free(&l);
    ft_model_free(&m);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"f32.gguf", "a", "b", "c", "one", "three", "v.gguf"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_peft),   cmocka_unit_test(test_types_and_keys),
        cmocka_unit_test(test_same_bytes),    cmocka_unit_test(test_refuses_what_does_not_fit),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
