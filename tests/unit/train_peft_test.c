/* train_peft_test.c: the exchange with PEFT has its own table of tensors, so that it needs no
 * model; here it is held to the adapters themselves: the same names in the same order, the same
 * shapes, the same configuration there and back. And texts of configurations, read again. */
#include "train_support.h"

#include "train/adapter_stream.h"
#include "train/peft_internal.h"

#include <math.h>

static const ft_adapter_config configs[] = {
    {.method = FT_METHOD_LORA, .rank = 3, .alpha = 7.5f, .dropout = 0.1f,
     .targets = (1u << FT_TARGETS) - 1},
    {.method = FT_METHOD_LORA, .rank = 16, .alpha = 1e-3f, .targets = 1u << FT_K | 1u << FT_DOWN},
    {.method = FT_METHOD_LORA, .rank = 2, .alpha = 1, .targets = 1u << FT_V, .rslora = 1},
    {.method = FT_METHOD_LORA, .rank = 5, .alpha = 10, .targets = (1u << FT_TARGETS) - 1,
     .dora = 1},
    {.method = FT_METHOD_IA3, .targets = 1u << FT_K | 1u << FT_V | 1u << FT_DOWN},
    {.method = FT_METHOD_IA3, .targets = 1u << FT_Q},
    {.method = FT_METHOD_PREFIX, .virtual_tokens = 6},
    {.method = FT_METHOD_PROMPT, .virtual_tokens = 1},
};
enum { CONFIGS = sizeof configs / sizeof *configs };

static void same_config(const ft_adapter_config *a, const ft_adapter_config *b)
{
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->rank, b->rank);
    assert_int_equal(a->targets, b->targets);
    assert_int_equal(a->rslora, b->rslora);
    assert_int_equal(a->dora, b->dora);
    assert_int_equal(a->virtual_tokens, b->virtual_tokens);
    assert_true(fabsf(a->alpha - b->alpha) <= 0 && fabsf(a->dropout - b->dropout) <= 0);
}

/* The configuration through the text of a file. */
static void check_text(const ft_peft_config *c, const ft_peft_tensors *t)
{
    ft_peft_config again = {0};
    ft_adapter_config before, after;
    ft_buf text = {0};
    ft_err e;
    ft_peft_config_put(c, t->targets, t->feedforward, &text);
    OK(ft_buf_check(&text, &e));
    OK(ft_peft_config_parse(&again, text.p, text.n, &e));
    assert_int_equal(again.type, c->type);
    for (size_t layer = 0; layer < t->layers; layer++)
        for (int target = 0; target < FT_TARGETS; target++)
            assert_int_equal(ft_peft_selects(again.targets, layer, (enum ft_target)target),
                             t->targets >> target & 1);
    OK(ft_peft_to_adapter(c, t, &before, &e));
    OK(ft_peft_to_adapter(&again, t, &after, &e));
    same_config(&before, &after);
    ft_peft_config_free(&again);
    ft_buf_free(&text);
}

static void check_config(const ft_model *m, const ft_adapter_config *cfg)
{
    ft_adapter *a = NULL;
    ft_header h = {0};
    ft_buf extra = {0};
    ft_peft_config c;
    ft_peft_tensors t;
    ft_adapter_config back;
    char ours[FT_SLOT_NAME], theirs[FT_PEFT_NAME_BYTES];
    ft_err e;
    OK(ft_adapter_new(&a, m, cfg, 1, &e));
    OK(ft_adapter_header(a, m, &h, &extra, &e));
    OK(ft_peft_from_adapter(cfg, h.extra, &c, &e));
    c.layers = m->L;
    for (int with_model = 0; with_model < 2; with_model++) {
        OK(ft_peft_tensors_begin(&t, &c, with_model ? m : NULL, &e));
        for (size_t i = a->n_slots; i-- > 0;) {
            const ft_slot *s = &a->slots[i];
            uint32_t dims = s->vector ? 1 : 2;
            uint64_t shape[] = {s->rows, s->cols}, wrong[] = {s->rows + 1, s->cols + 1};
            ft_slice name = {(const uint8_t *)ours, 0};
            ft_slot_name(a, s, ours);
            name.n = strlen(ours);
            assert_int_equal(ft_peft_tensors_add(&t, name, 3, shape, &e), FT_ERR_DATA);
            if (with_model)
                assert_int_equal(ft_peft_tensors_add(&t, name, dims, wrong, &e), FT_ERR_DATA);
            OK(ft_peft_tensors_add(&t, name, dims, shape, &e));
            assert_int_equal(ft_peft_tensors_add(&t, name, dims, shape, &e), FT_ERR_DATA);
            if (i)
                assert_int_equal(ft_peft_tensors_end(&t, &e), FT_ERR_DATA);
        }
        OK(ft_peft_tensors_end(&t, &e));
        assert_int_equal(t.layers, m->L);
        for (size_t i = 0; i < a->n_slots; i++) {
            assert_true(ft_peft_tensors_at(&t, i, theirs));
            ft_slot_name(a, &a->slots[i], ours);
            assert_string_equal(ours, theirs);
        }
        assert_false(ft_peft_tensors_at(&t, a->n_slots, theirs));
        OK(ft_peft_to_adapter(&c, &t, &back, &e));
        same_config(&back, cfg);
        check_text(&c, &t);
        ft_peft_tensors_free(&t);
    }
    ft_buf_free(&extra);
    ft_adapter_free(&a);
}

static void test_tables_agree(void **state)
{
    ft_model *m = toy_open();
    (void)state;
    for (size_t i = 0; i < CONFIGS; i++)
        check_config(m, &configs[i]);
    ft_model_free(&m);
}

/* Which modules a list of names means, by PEFT's rule: a whole name, or its end behind a dot. */
static void test_selects(void **state)
{
    static const struct {
        const char *name;
        size_t layer;
        enum ft_target target;
        int yes;
    } cases[] = {{"q_proj", 3, FT_Q, 1}, {"q_proj", 3, FT_K, 0}, {"proj", 0, FT_Q, 0},
                 {"_proj", 0, FT_Q, 0}, {"self_attn.q_proj", 0, FT_Q, 1},
                 {".q_proj", 0, FT_Q, 0}, {"attn.q_proj", 0, FT_Q, 0},
                 {"layers.1.mlp.up_proj", 1, FT_UP, 1}, {"layers.1.mlp.up_proj", 11, FT_UP, 0},
                 {"1.mlp.up_proj", 1, FT_UP, 1}, {"1.mlp.up_proj", 11, FT_UP, 0},
                 {"model.layers.0.mlp.down_proj", 0, FT_DOWN, 1},
                 {"xmodel.layers.0.mlp.down_proj", 0, FT_DOWN, 0},
                 {"model.layers.0.mlp.down_proj", 10, FT_DOWN, 0}, {"lm_head", 0, FT_Q, 0},
                 {"mlp", 0, FT_UP, 0}, {"model.layers.0.mlp.down_proj.", 0, FT_DOWN, 0}};
    ft_buf b = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ft_buf_clear(&b);
        ft_mp_put_array(&b, 2);
        ft_mp_put_cstr(&b, "nothing");
        ft_mp_put_cstr(&b, cases[i].name);
        if (ft_peft_selects((ft_mp){b.p, b.n}, cases[i].layer, cases[i].target) != cases[i].yes)
            fail_msg("%s", cases[i].name);
    }
    ft_buf_free(&b);
}

/* Numbers in a configuration are the same floats when they are read. */
static void test_numbers(void **state)
{
    ft_buf text = {0};
    uint32_t bits = 1;
    ft_err e;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        ft_peft_config c = {.type = FT_PEFT_LORA, .rank = 1}, again = {0};
        float alpha;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&alpha, &bits, sizeof alpha);
        if (!isfinite(alpha))
            continue;
        c.alpha = (double)alpha;
        c.dropout = (double)((float)(bits >> 9) / 8388608.0f);
        ft_buf_clear(&text);
        ft_peft_config_put(&c, 1, 0, &text);
        OK(ft_peft_config_parse(&again, text.p, text.n, &e));
        assert_true(fabsf((float)again.alpha - alpha) <= 0);
        assert_true(fabsf((float)again.dropout - (float)c.dropout) <= 0);
        ft_peft_config_free(&again);
    }
    ft_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_agree),
        cmocka_unit_test(test_selects),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
