/* chat.c: see chat.h. A template is known by the digest of its text, so none is kept here. */
#include "text/chat.h"

#include <string.h>

struct ft_chat {
    const char *name;
    const char *default_system;    /* a turn put first when the chat begins with no system turn */
    ft_digest texts[4];            /* of the known template texts, outer white space removed;
                                      all zero ends the list                                    */
};

static const ft_chat chats[] = {
    {"smollm2",
     "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
     {{{0x98, 0xf6, 0x3c, 0xc3, 0xd4, 0x21, 0xd2, 0x8f,
       0x99, 0xab, 0x99, 0x5e, 0x96, 0x29, 0xda, 0xcd}}, {{0}}}},
    {"chatml", NULL,
     {{{0xf0, 0xa6, 0xa8, 0x27, 0x84, 0x39, 0xfd, 0xb0,
       0x56, 0x19, 0x1e, 0x20, 0x5a, 0x44, 0x02, 0x63}},
      {{0xa3, 0x44, 0xe8, 0xc8, 0x4f, 0xb0, 0x28, 0x2d,
       0xda, 0x20, 0x6a, 0x9e, 0x46, 0xa4, 0xac, 0x01}}, {{0}}}},
};

#define N_CHATS (sizeof chats / sizeof *chats)

static const char *const known_roles[] = {"system", "user", "assistant", "tool"};

static int is_white(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int ft_chat_recognise(const ft_chat **c, ft_slice text, ft_err *e)
{
    ft_digest d;
    *c = NULL;
    while (text.n && is_white(text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n && is_white(text.p[text.n - 1]))
        text.n--;
    d = ft_digest_of(text.p, text.n);
    for (size_t i = 0; i < N_CHATS; i++)
        for (const ft_digest *known = chats[i].texts; !ft_digest_is_zero(known); known++)
            if (ft_digest_equal(known, &d)) {
                *c = &chats[i];
                return 0;
            }
    return ft_err_set(e, FT_ERR_DATA, "the model's chat template is none that ft knows; name the "
                      "one that fits by --chat-template smollm2 or --chat-template chatml");
}

int ft_chat_by_name(const ft_chat **c, const char *name, ft_err *e)
{
    *c = NULL;
    for (size_t i = 0; i < N_CHATS; i++)
        if (strcmp(chats[i].name, name) == 0) {
            *c = &chats[i];
            return 0;
        }
    return ft_err_set(e, FT_ERR_USAGE, "no chat template \"%s\"; known are: smollm2, chatml",
                      name);
}

const char *ft_chat_name(const ft_chat *c)
{
    return c->name;
}

ft_digest ft_chat_digest(const ft_chat *c)
{
    return ft_digest_of(c->name, strlen(c->name));
}

static int role_known(ft_slice role)
{
    for (size_t i = 0; i < sizeof known_roles / sizeof *known_roles; i++)
        if (role.n == strlen(known_roles[i]) && memcmp(role.p, known_roles[i], role.n) == 0)
            return 1;
    return 0;
}

static void put(ft_buf *pieces, ft_slice text, int special, int target, size_t turn)
{
    ft_piece piece = {text, special, target, turn};
    if (text.n)
        ft_buf_add(pieces, &piece, sizeof piece);
}

static ft_slice of(const char *s)
{
    return (ft_slice){(const uint8_t *)s, strlen(s)};
}

static void put_turn(ft_buf *pieces, ft_slice role, ft_slice content, int target, size_t turn)
{
    put(pieces, of("<|im_start|>"), 1, 0, turn);
    put(pieces, role, 0, 0, turn);
    put(pieces, of("\n"), 0, 0, turn);
    put(pieces, content, 0, target, turn);
    put(pieces, of("<|im_end|>"), 1, target, turn);
    put(pieces, of("\n"), 0, 0, turn);
}

int ft_chat_render(const ft_chat *c, const ft_turn *turns, size_t n, int add_prompt,
                   ft_buf *pieces, ft_err *e)
{
    const ft_slice system = of("system"), assistant = of("assistant");
    for (size_t i = 0; i < n; i++) {
        ft_slice role = turns[i].role;
        int from_model = role.n == assistant.n && memcmp(role.p, assistant.p, role.n) == 0;
        if (!role_known(role))
            return ft_err_set(e, FT_ERR_DATA, "turn %zu has role \"%.*s\"; known are: system, "
                              "user, assistant, tool", i, (int)(role.n < 64 ? role.n : 64),
                              (const char *)role.p);
        if (i == 0 && c->default_system &&
            (role.n != system.n || memcmp(role.p, system.p, role.n) != 0))
            put_turn(pieces, system, of(c->default_system), 0, 0);
        put_turn(pieces, role, turns[i].content, from_model, i);
    }
    if (add_prompt) {
        put(pieces, of("<|im_start|>"), 1, 0, n);
        put(pieces, of("assistant\n"), 0, 0, n);
    }
    return ft_buf_check(pieces, e);
}
