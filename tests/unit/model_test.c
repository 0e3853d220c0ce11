/* model_test.c: a model file as sizes and views of weights. tests/cli/quant_hostile.py has the
 * refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/model.h"

#include <string.h>

/* Sizes as CONFIG in tests/golden/make_toy.py. */
static void the_toy_has_its_sizes(void **state)
{
    ft_model *m = NULL;
    ft_err e;
    (void)state;
    assert_int_equal(ft_model_open(&m, "tests/golden/toy.gguf", &e), 0);
    assert_true(m->L == 2 && m->C == 32 && m->H == 4 && m->H_kv == 2 && m->D == 8);
    assert_true(m->F == 64 && m->V == 512 && m->context == 256);
    assert_true(m->rope_theta == 10000.0f && m->rms_eps == 1e-5f);
    assert_true(m->tied && m->head.data == m->embedding.data && !m->rope_factors);
    for (size_t l = 0; l < m->L; l++) {
        const ft_weight *w = m->layers[l].w;
        assert_true(w[FT_Q].rows == 32 && w[FT_K].rows == 16 && w[FT_V].rows == 16);
        assert_true(w[FT_GATE].rows == 64 && w[FT_UP].rows == 64 && w[FT_DOWN].rows == 32);
        assert_true(w[FT_DOWN].cols == 64 && w[FT_O].cols == 32);
        assert_ptr_equal(w[FT_UP].data, ft_gguf_tensor_find(m->gguf, l ? "blk.1.ffn_up.weight"
                                                            : "blk.0.ffn_up.weight")->data);
    }
    ft_model_free(&m);
    assert_null(m);
}

/* GGUF row h*D + 2i + s is PEFT row h*D + s*(D/2) + i. */
static void rows_move_between_the_orders(void **state)
{
    enum { HEADS = 3, D = 6, COLS = 2, ROWS = HEADS * D };
    float peft[ROWS * COLS], gguf[ROWS * COLS], back[ROWS * COLS];
    (void)state;
    for (size_t i = 0; i < ROWS * COLS; i++)
        peft[i] = (float)i;
    ft_rows_from_peft(peft, gguf, HEADS, D, COLS);
    for (size_t h = 0; h < HEADS; h++)
        for (size_t i = 0; i < D / 2; i++)
            for (size_t s = 0; s < 2; s++)
                assert_memory_equal(gguf + (h * D + 2 * i + s) * COLS,
                                    peft + (h * D + s * (D / 2) + i) * COLS,
                                    COLS * sizeof *gguf);
    ft_rows_to_peft(gguf, back, HEADS, D, COLS);
    assert_memory_equal(back, peft, sizeof peft);
}

static void targets_have_the_names_that_users_and_peft_know(void **state)
{
    (void)state;
    assert_string_equal(ft_target_name(FT_O), "o");
    assert_string_equal(ft_target_peft_name(FT_GATE), "gate_proj");
    assert_string_equal(ft_target_peft_name(FT_DOWN), "down_proj");
}

static void what_is_no_model_is_refused(void **state)
{
    ft_model *m = NULL;
    ft_err e;
    (void)state;
    assert_int_equal(ft_model_open(&m, "tests/golden/none.gguf", &e), FT_ERR_NOINPUT);
    assert_int_equal(ft_model_open(&m, "tests/golden/make_toy.py", &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "magic"));
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_toy_has_its_sizes),
        cmocka_unit_test(rows_move_between_the_orders),
        cmocka_unit_test(targets_have_the_names_that_users_and_peft_know),
        cmocka_unit_test(what_is_no_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
