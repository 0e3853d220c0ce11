/* chat_test.c: chats rendered byte for byte as the templates do it, by jinja2's renderings in
 * tests/golden/chat.txt; and what is a target. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/gguf.h"
#include "text/chat.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ft_slice slice_of(const char *s)
{
    return (ft_slice){(const uint8_t *)s, strlen(s)};
}

static void check_recognised(const json_t *line)
{
    ft_err e = {0};
    const ft_chat *c = NULL;
    const char *text = json_string_value(json_object_get(line, "template"));
    ft_buf b = {0};
    assert_int_equal(ft_chat_recognise(&c, slice_of(text), &e), 0);
    assert_string_equal(ft_chat_name(c), json_string_value(json_object_get(line, "name")));
    ft_buf_add_str(&b, "\n ");
    ft_buf_add_str(&b, text);
    ft_buf_add_str(&b, "\n");
    assert_int_equal(ft_chat_recognise(&c, (ft_slice){b.p, b.n}, &e), 0);
    b.p[b.n / 2]++;
    assert_int_equal(ft_chat_recognise(&c, (ft_slice){b.p, b.n}, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "--chat-template"));
    ft_buf_free(&b);
}

/* Renders one case and compares all of the text; the target pieces must be the assistant's
 * contents, each with the end of its turn. */
static void check_rendered(const json_t *line)
{
    ft_err e = {0};
    const ft_chat *c = NULL;
    const json_t *messages = json_object_get(line, "messages");
    ft_turn turns[16];
    size_t n = json_array_size(messages);
    ft_buf pieces = {0}, text = {0}, got = {0}, want = {0};
    assert_true(n > 0 && n <= 16);
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(messages, i);
        turns[i].role = slice_of(json_string_value(json_object_get(m, "role")));
        turns[i].content = slice_of(json_string_value(json_object_get(m, "content")));
        if (turns[i].role.n == 9) {
            ft_buf_add(&want, turns[i].content.p, turns[i].content.n);
            ft_buf_add_str(&want, "<|im_end|>");
        }
    }
    assert_int_equal(
        ft_chat_by_name(&c, json_string_value(json_object_get(line, "name")), &e), 0);
    assert_int_equal(ft_chat_render(c, turns, n, json_is_true(json_object_get(line, "prompt")),
                                    &pieces, &e), 0);
    for (size_t i = 0; i < pieces.n / sizeof(ft_piece); i++) {
        ft_piece p;
        memcpy(&p, pieces.p + i * sizeof p, sizeof p);
        assert_true(p.turn <= n);
        ft_buf_add(&text, p.text.p, p.text.n);
        if (p.target)
            ft_buf_add(&got, p.text.p, p.text.n);
    }
    ft_buf_add_byte(&text, 0);
    ft_buf_add_byte(&got, 0);
    ft_buf_add_byte(&want, 0);
    assert_string_equal((char *)text.p, json_string_value(json_object_get(line, "text")));
    assert_string_equal((char *)got.p, (char *)want.p);
    ft_buf_free(&pieces);
    ft_buf_free(&text);
    ft_buf_free(&got);
    ft_buf_free(&want);
}

static void chats_are_rendered_as_the_templates_do(void **state)
{
    static char buffer[65536];
    size_t templates = 0, cases = 0;
    FILE *f = fopen("tests/golden/chat.txt", "r");
    (void)state;
    assert_non_null(f);
    while (fgets(buffer, sizeof buffer, f)) {
        json_t *line = json_loads(buffer, 0, NULL);
        assert_non_null(line);
        if (json_object_get(line, "template")) {
            check_recognised(line);
            templates++;
        } else {
            check_rendered(line);
            cases++;
        }
        json_decref(line);
    }
    fclose(f);
    assert_int_equal(templates, 3);
    assert_int_equal(cases, 66);
}

static void a_model_s_own_template_is_recognised(void **state)
{
    ft_err e = {0};
    ft_gguf *g = NULL;
    const ft_chat *c = NULL;
    ft_slice text;
    (void)state;
    assert_int_equal(ft_gguf_open(&g, "tests/golden/toy.gguf", &e), 0);
    assert_int_equal(ft_gguf_string(g, "tokenizer.chat_template", &text, &e), 0);
    assert_int_equal(ft_chat_recognise(&c, text, &e), 0);
    assert_string_equal(ft_chat_name(c), "smollm2");
    ft_gguf_free(&g);
}

static void what_is_unknown_is_refused(void **state)
{
    ft_err e = {0};
    const ft_chat *c = NULL, *other = NULL;
    ft_buf pieces = {0};
    ft_turn turns[2] = {{slice_of("user"), slice_of("a")}, {slice_of("human"), slice_of("b")}};
    ft_digest d, other_d;
    (void)state;
    assert_int_equal(ft_chat_by_name(&c, "llama3", &e), FT_ERR_USAGE);
    assert_non_null(strstr(e.text, "smollm2, chatml"));
    assert_int_equal(ft_chat_recognise(&c, slice_of(""), &e), FT_ERR_DATA);
    assert_int_equal(ft_chat_by_name(&c, "chatml", &e), 0);
    assert_int_equal(ft_chat_render(c, turns, 2, 0, &pieces, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "turn 1 has role \"human\""));
    assert_int_equal(ft_chat_by_name(&other, "smollm2", &e), 0);
    d = ft_chat_digest(c);
    other_d = ft_chat_digest(other);
    assert_false(ft_digest_equal(&d, &other_d));
    ft_buf_free(&pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chats_are_rendered_as_the_templates_do),
        cmocka_unit_test(a_model_s_own_template_is_recognised),
        cmocka_unit_test(what_is_unknown_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
