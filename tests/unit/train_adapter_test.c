/* train_adapter_test.c: adapter streams against PEFT's state dict (names, shapes, row order), the
 * way there and back, and everything that must be refused. */
#include "train_support.h"

#include "base/mem.h"
#include "train/adapter_stream.h"

static ft_model *toy;
static ft_mp golden;

static int setup(void **state)
{
    (void)state;
    toy = toy_open();
    golden = golden_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ft_model_free(&toy);
    return 0;
}

static ft_mp slice_of(const ft_buf *b)
{
    return (ft_mp){b->p, b->n};
}

/* A value of PEFT's state dict. */
static float peft_value(const char *name, size_t row, size_t col)
{
    ft_mp v = golden_get(golden_get(golden, "initial"), name), item;
    ft_mp_iter it = ft_mp_iter_of(v);
    uint64_t rows = 0, cols = 0;
    ft_slice data = {0};
    float x;
    assert_true(ft_mp_next(&it, &item) && ft_mp_uint(item, &rows));
    assert_true(ft_mp_next(&it, &item) && ft_mp_uint(item, &cols));
    assert_true(ft_mp_next(&it, &item) && ft_mp_bin(item, &data));
    assert_true(row < rows && col < cols);
    memcpy(&x, data.p + (row * cols + col) * 4, 4);
    return x;
}

/* Every value of every matrix stands where the formula of model.h says that GGUF has it. */
static void rows_of_q_and_k_take_the_order_of_the_model(void **state)
{
    ft_err e = {0};
    ft_buf extra = adapter_extra("lora", 4, 8, toy->L, 7, &toy->digest, "");
    scratch_file f = scratch_new();
    const char *warning = "unset";
    ft_adapter *l = NULL;
    (void)state;
    golden_adapter(f.path, golden, "initial", slice_of(&extra), NULL);
    OK(ft_adapter_read(&l, toy, f.path, NULL, NULL, &warning, &e));
    assert_null(warning);
    assert_int_equal(l->cfg.rank, 4);
    assert_true(l->scaling == 2.0f);
    for (size_t layer = 0; layer < toy->L; layer++)
        for (int t = 0; t < FT_TARGETS; t++) {
            const ft_weight *w = &toy->layers[layer].w[t];
            const float *a = ft_lora_a(l, l->params, layer, (enum ft_target)t);
            const float *b = ft_lora_b(l, l->params, layer, (enum ft_target)t);
            char name[128];
            int n = snprintf(name, sizeof name,
                             "base_model.model.model.layers.%zu.%s.%s.lora_A.weight", layer,
                             t < FT_GATE ? "self_attn" : "mlp",
                             ft_target_peft_name((enum ft_target)t));
            for (size_t i = 0; i < 4; i++)
                for (size_t j = 0; j < w->cols; j++)
                    assert_true(a[i * w->cols + j] == peft_value(name, i, j));
            name[n - 8] = 'B';
            for (size_t i = 0; i < w->rows; i++) {
                size_t D = toy->D, in_head = i % D, row = i;
                if (t == FT_Q || t == FT_K)
                    row = i - in_head + in_head % 2 * (D / 2) + in_head / 2;
                for (size_t j = 0; j < 4; j++)
                    assert_true(b[i * 4 + j] == peft_value(name, row, j));
            }
        }
    ft_adapter_free(&l);
    ft_buf_free(&extra);
    close(f.fd);
}

/* An adapter and what its stream reads as, and how many tensors that has. spoil: the second slot's
 * shape is written with two sides. */
static int write_and_read(const ft_adapter_config *cfg, int spoil, ft_adapter **a,
                          ft_adapter **back, uint64_t *records, ft_err *why)
{
    ft_header h = {0};
    ft_writer_options o = {0};
    ft_counts counts = {0};
    ft_adapter *l = NULL;
    ft_reader *reader = NULL;
    ft_out *out = NULL;
    ft_writer *w = NULL;
    ft_buf extra = {0};
    scratch_file f = scratch_new();
    ft_err e = {0};
    int rc;
    OK(ft_adapter_new(&l, toy, cfg, 7, &e));
    for (size_t i = 0; i < l->n_params; i++)
        l->params[i] = (float)i * 0.5f - 100;
    l->slots[1].vector ^= spoil;
    OK(ft_adapter_header(l, toy, &h, &extra, &e));
    OK(ft_out_open_log(&out, f.path, &e));
    OK(ft_writer_open(&w, out, &h, &o, NULL, &e));
    OK(ft_adapter_write(l, toy, l->params, w, &e));
    OK(ft_writer_finish(&w, &counts, &e));
    rc = ft_adapter_read(back, toy, f.path, NULL, &reader, NULL, &e);
    if (rc == 0) {
        assert_true(ft_reader_verified(reader));
        *records = ft_reader_records(reader);
    }
    ft_reader_free(&reader);
    ft_buf_free(&extra);
    close(f.fd);
    *a = l;
    *why = e;
    return rc;
}

static void read_back(const ft_adapter_config *cfg, size_t tensors)
{
    ft_adapter *l = NULL, *back = NULL;
    uint64_t records = 0;
    ft_err e = {0};
    OK(write_and_read(cfg, 0, &l, &back, &records, &e));
    assert_int_equal(records, tensors);
    assert_int_equal(back->cfg.method, cfg->method);
    assert_int_equal(back->cfg.rank, cfg->rank);
    assert_int_equal(back->cfg.targets, cfg->targets);
    assert_true(back->cfg.dropout == cfg->dropout && back->scaling == l->scaling);
    assert_int_equal(back->n_params, l->n_params);
    assert_memory_equal(back->params, l->params, l->n_params * sizeof(float));
    ft_adapter_free(&l);
    ft_adapter_free(&back);
}

static void written_adapters_read_back_bit_for_bit(void **state)
{
    (void)state;
    read_back(&(ft_adapter_config){.rank = 3, .alpha = 5, .dropout = 0.125f,
                                   .targets = 1u << FT_Q | 1u << FT_K | 1u << FT_DOWN},
              3 * 2 * toy->L);
    read_back(&(ft_adapter_config){.method = FT_METHOD_ADAPTER, .rank = 3,
                                   .targets = FT_BOTTLENECK_HOULSBY}, 2 * 4 * toy->L);
    read_back(&(ft_adapter_config){.method = FT_METHOD_ADAPTER, .rank = 32,
                                   .targets = FT_BOTTLENECK_PFEIFFER}, 4 * toy->L);
}

static void a_vector_is_no_matrix_of_one_column(void **state)
{
    ft_adapter_config cfg = {.method = FT_METHOD_ADAPTER, .rank = 3,
                             .targets = FT_BOTTLENECK_HOULSBY};
    ft_adapter *l = NULL, *back = NULL;
    uint64_t records;
    ft_err e = {0};
    (void)state;
    assert_int_equal(write_and_read(&cfg, 1, &l, &back, &records, &e), FT_ERR_DATA);
    if (!strstr(e.text, "layers.0.self_attn.adapter_down.bias': shape: not [3]"))
        fail_msg("%s", e.text);
    assert_null(back);
    ft_adapter_free(&l);
}

/* Reading must fail with FT_ERR_DATA and a message that holds `words`. */
static void refused(ft_mp extra, const spoiler *s, const char *words)
{
    ft_err e = {0};
    ft_adapter *l = NULL;
    scratch_file f = scratch_new();
    golden_adapter(f.path, golden, "initial", extra, s);
    assert_int_equal(ft_adapter_read(&l, toy, f.path, NULL, NULL, NULL, &e), FT_ERR_DATA);
    if (!strstr(e.text, words))
        fail_msg("'%s' does not say '%s'", e.text, words);
    assert_null(l);
    close(f.fd);
}

/* Bottlenecks: kind, width and activation as a header has them. */
static void a_header_of_bottlenecks_must_make_sense(void **state)
{
    static const struct { const char *kind; uint64_t width; const char *activation, *words; }
        cases[] = {
         {"parallel", 4, "silu", "kind: missing"}, {"houlsby", 0, "silu", "width: missing or zero"},
         {"pfeiffer", 33, "silu", "32 channels: 1 to 32"}, {"houlsby", 4, "relu", "activation: "},
         {"houlsby", UINT64_MAX, "silu", "32 channels: 1 to 32"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ft_buf b = {0};
        ft_mp_put_map(&b, 6);
        ft_mp_put_cstr(&b, "method");
        ft_mp_put_cstr(&b, "adapter");
        ft_mp_put_cstr(&b, "kind");
        ft_mp_put_cstr(&b, cases[i].kind);
        ft_mp_put_cstr(&b, "width");
        ft_mp_put_uint(&b, cases[i].width);
        ft_mp_put_cstr(&b, "activation");
        ft_mp_put_cstr(&b, cases[i].activation);
        ft_mp_put_cstr(&b, "layers");
        ft_mp_put_uint(&b, toy->L);
        ft_mp_put_cstr(&b, "base");
        ft_mp_put_bin(&b, toy->digest.b, sizeof toy->digest.b);
        refused(slice_of(&b), NULL, cases[i].words);
        ft_buf_free(&b);
    }
}

#define TENSOR "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight"

static void tensors_that_do_not_fit_are_refused(void **state)
{
    static const struct { spoiler s; const char *words; } cases[] = {
        {{.name = TENSOR, .leave_out = 1}, "layers.1.mlp.up_proj.lora_B.weight: 0 of 256"},
        {{.name = TENSOR, .half = 1}, "128 of 256"},
        {{.name = TENSOR, .twice = 1}, "comes twice"},
        {{.name = TENSOR, .twice = 2}, "comes twice"},
        {{.name = TENSOR, .half = 1, .twice = 1}, "offset: not 128"},
        {{.name = TENSOR, .shift = 1}, "offset: not 0"},
        {{.name = TENSOR, .transpose = 1}, "shape: not [64, 4]"},
        {{.name = TENSOR, .nan = 1}, "element 255 is not finite"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.2.mlp.up_proj.lora_B.weight"},
         "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.01.mlp.up_proj.lora_B.weight"},
         "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.-1.mlp.up_proj.lora_B.weight"},
         "no such tensor"},
        {{.name = TENSOR,
          .rename = "base_model.model.model.layers.18446744073709551617.mlp.up_proj.lora_B.weight"},
         "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weightX"},
         "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.1.mlp.q_proj.lora_B.weight"},
         "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers."}, "no such tensor"},
        {{.name = TENSOR, .rename = ""}, "no such tensor"},
        {{.name = TENSOR, .rename = "base_model.model.model.layers.1.mlp.gate_proj.lora_B.weight"},
         "comes twice"}};
    ft_buf extra = adapter_extra("lora", 4, 8, toy->L, 7, &toy->digest, "");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(slice_of(&extra), &cases[i].s, cases[i].words);
    ft_buf_free(&extra);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
    ft_digest other = toy->digest;
    struct { ft_buf extra; const char *words; } cases[8];
    char hex[33];
    (void)state;
    other.b[3] ^= 1;
    cases[0].extra = adapter_extra("no-such", 4, 8, toy->L, 7, &toy->digest, "");
    cases[0].words = "method";
    cases[1].extra = adapter_extra("lora", 0, 8, toy->L, 7, &toy->digest, "");
    cases[1].words = "rank: missing or zero";
    cases[2].extra = adapter_extra("lora", 1u << 30, 8, toy->L, 7, &toy->digest, "");
    cases[2].words = "LoRA rank 1073741824 does not fit q, which is 32 x 32: 1 to 32";
    cases[3].extra = adapter_extra("lora", 4, 1e300, toy->L, 7, &toy->digest, "");
    cases[3].words = "alpha";
    cases[4].extra = adapter_extra("lora", 4, 8, toy->L + 1, 7, &toy->digest, "");
    cases[4].words = "layers";
    cases[5].extra = adapter_extra("lora", 4, 8, toy->L, 8, &toy->digest, "");
    cases[5].words = "q_proj twice";
    cases[6].extra = adapter_extra("lora", 4, 8, toy->L, 7, &other, "");
    cases[6].words = ft_digest_hex(&toy->digest, hex);
    cases[7].extra = adapter_extra("lora", 4, 8, toy->L, 7, &toy->digest, "nf8");
    cases[7].words = "transform";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(slice_of(&cases[i].extra), NULL, cases[i].words);
        ft_buf_free(&cases[i].extra);
    }
    refused((ft_mp){0}, NULL, "method");
}

static void an_adapter_without_a_base_is_bound_by_shape_with_a_warning(void **state)
{
    ft_err e = {0};
    ft_buf extra = adapter_extra("lora", 4, 8, toy->L, 7, NULL, "");
    scratch_file f = scratch_new();
    const char *warning = NULL;
    ft_adapter *l = NULL;
    (void)state;
    golden_adapter(f.path, golden, "initial", slice_of(&extra), NULL);
    OK(ft_adapter_read(&l, toy, f.path, NULL, NULL, &warning, &e));
    assert_non_null(warning);
    ft_adapter_free(&l);
    ft_buf_free(&extra);
    close(f.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_q_and_k_take_the_order_of_the_model),
        cmocka_unit_test(written_adapters_read_back_bit_for_bit),
        cmocka_unit_test(a_vector_is_no_matrix_of_one_column),
        cmocka_unit_test(a_header_of_bottlenecks_must_make_sense),
        cmocka_unit_test(tensors_that_do_not_fit_are_refused),
        cmocka_unit_test(headers_that_do_not_fit_are_refused),
        cmocka_unit_test(an_adapter_without_a_base_is_bound_by_shape_with_a_warning),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
