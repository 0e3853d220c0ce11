#include "tools/cli/generate_text.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "tools/cli/cli.h"

#include <string.h>

/* Whether up to three bytes are the beginning of a character. */
static int may_become_whole(const uint8_t *p, size_t n)
{
    static const uint8_t tails[][3] = {{0x80, 0x80, 0x80}, {0xa0, 0x80, 0x80}, {0x90, 0x80, 0x80}};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        uint8_t whole[4];
        if (n > 3)
            return 0;
        memcpy(whole, p, n);
        memcpy(whole + n, tails[i] + n - 1, 4 - n);
        if (ft_utf8_length(whole, 4) > n)
            return 1;
    }
    return 0;
}

/* C0, DEL and C1 (in UTF-8: c2 80 to c2 9f). */
static int is_control(const uint8_t *p, size_t n)
{
    return (n == 1 && (*p < 0x20 || *p == 0x7f) && *p != '\n' && *p != '\t') ||
           (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

size_t cli_text_put(ft_buf *b, const uint8_t *p, size_t n, int flags)
{
    size_t at = 0;
    while (at < n) {
        size_t length = ft_utf8_length(p + at, n - at);
        if (length == 0 && !(flags & CLI_TEXT_LAST) && may_become_whole(p + at, n - at))
            break;
        if (length == 0)
            ft_buf_add_str(b, "\xef\xbf\xbd");
        else if ((flags & CLI_TEXT_ESCAPED) && is_control(p + at, length))
            ft_buf_add_fmt(b, "\\u%04x", p[at + length - 1]);
        else
            ft_buf_add(b, p + at, length);
        at += length ? length : 1;
    }
    return at;
}

/* Replaces the escapes of s in place. */
static void unescape(char *s)
{
    static const char names[] = "ntr\\", meant[] = "\n\t\r\\";
    char *to = s;
    for (; *s; s++) {
        const char *name = s[0] == '\\' && s[1] ? strchr(names, s[1]) : NULL;
        *to++ = name ? meant[name - names] : *s;
        s += name != NULL;
    }
    *to = '\0';
}

size_t cli_stop_strings(char *list, const char ***strings)
{
    size_t n = 1, i = 0;
    for (const char *p = list; *p; p++)
        n += *p == '\n';
    *strings = ft_new(n, sizeof **strings, cli_err());
    if (!*strings)
        cli_fail();
    for (char *p = list, *end; p; p = end) {
        end = strchr(p, '\n');
        if (end)
            *end++ = '\0';
        if (!*p)
            cli_usage_error("--stop: an empty text would end every answer; a newline is '\\n'");
        unescape(p);
        (*strings)[i++] = p;
    }
    return n;
}
