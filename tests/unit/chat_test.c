/* chat_test.c: chats rendered byte for byte as the templates do it, by jinja2's renderings in
 * tests/golden/chat.txt; and what is a target. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"
#include "model/gguf.h"
#include "text/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ft_slice slice_of(const char *s)
{
    return (ft_slice){(const uint8_t *)s, strlen(s)};
}

/* A string field of a line. */
static ft_slice field(ft_mp line, const char *name)
{
    ft_slice s = {0};
    assert_true(ft_mp_get_str(line, name, &s));
    return s;
}

static void assert_equal(ft_buf got, ft_slice want)
{
    if (got.n != want.n || (got.n && memcmp(got.p, want.p, got.n) != 0))
        fail_msg("got %.*s, expected %.*s", (int)got.n, (const char *)got.p, (int)want.n,
                 (const char *)want.p);
}

static void check_recognised(ft_mp line)
{
    ft_err e = {0};
    const ft_chat *c = NULL;
    ft_slice text = field(line, "template");
    ft_buf b = {0};
    assert_int_equal(ft_chat_recognise(&c, text, &e), 0);
    assert_true(ft_slice_is(field(line, "name"), ft_chat_name(c)));
    ft_buf_add_str(&b, "\n ");
    ft_buf_add(&b, text.p, text.n);
    ft_buf_add_str(&b, "\n");
    assert_int_equal(ft_chat_recognise(&c, (ft_slice){b.p, b.n}, &e), 0);
    b.p[b.n / 2]++;
    assert_int_equal(ft_chat_recognise(&c, (ft_slice){b.p, b.n}, &e), FT_ERR_DATA);
    assert_non_null(strstr(e.text, "--chat-template"));
    ft_buf_free(&b);
}

/* Renders one case and compares all of the text; the target pieces must be the assistant's
 * contents, each with the end of its turn. */
static void check_rendered(ft_mp line)
{
    ft_err e = {0};
    const ft_chat *c = NULL;
    ft_mp messages = {0}, m;
    ft_mp_iter it;
    ft_turn turns[16];
    char name[16] = "";
    size_t n;
    int prompt = -1;
    ft_buf pieces = {0}, text = {0}, got = {0}, want = {0};
    assert_true(ft_mp_get(line, "messages", &messages));
    n = (size_t)ft_mp_count(messages);
    assert_true(n > 0 && n <= 16);
    it = ft_mp_iter_of(messages);
    for (size_t i = 0; ft_mp_next(&it, &m); i++) {
        turns[i].role = field(m, "role");
        turns[i].content = field(m, "content");
        if (turns[i].role.n == 9) {
            ft_buf_add(&want, turns[i].content.p, turns[i].content.n);
            ft_buf_add_str(&want, "<|im_end|>");
        }
    }
    assert_true(field(line, "name").n < sizeof name);
    memcpy(name, field(line, "name").p, field(line, "name").n);
    assert_int_equal(ft_chat_by_name(&c, name, &e), 0);
    assert_true(ft_mp_get(line, "prompt", &m) && ft_mp_bool(m, &prompt));
    assert_int_equal(ft_chat_render(c, turns, n, prompt, &pieces, &e), 0);
    for (size_t i = 0; i < pieces.n / sizeof(ft_piece); i++) {
        ft_piece p;
        memcpy(&p, pieces.p + i * sizeof p, sizeof p);
        assert_true(p.turn <= n);
        ft_buf_add(&text, p.text.p, p.text.n);
        if (p.target)
            ft_buf_add(&got, p.text.p, p.text.n);
    }
    assert_equal(text, field(line, "text"));
    assert_equal(got, (ft_slice){want.p, want.n});
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
    ft_buf packed = {0};
    ft_err e = {0};
    ft_mp line, template;
    (void)state;
    assert_non_null(f);
    while (fgets(buffer, sizeof buffer, f)) {
        ft_buf_clear(&packed);
        assert_int_equal(ft_json_parse(buffer, strlen(buffer), &packed, &e), 0);
        line = (ft_mp){packed.p, packed.n};
        if (ft_mp_get(line, "template", &template)) {
            check_recognised(line);
            templates++;
        } else {
            check_rendered(line);
            cases++;
        }
    }
    ft_buf_free(&packed);
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
