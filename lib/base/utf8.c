#include "base/utf8.h"

#include <string.h>

size_t ft_utf8_check(const uint8_t *p, size_t n)
{
    size_t at = 0, len = 1;
    while (at < n && len > 0) {
        uint64_t w;
        if (n - at >= sizeof w) {
            memcpy(&w, p + at, sizeof w);
            if ((w & 0x8080808080808080u) == 0) {
                at += sizeof w;
                continue;
            }
        }
        len = ft_utf8_length(p + at, n - at);
        at += len;
    }
    return at;
}

/* The bytes at p, which begin no valid character, that could still have begun one: they are
 * replaced together. */
static size_t broken_bytes(const uint8_t *p, size_t n)
{
    size_t want = p[0] < 0xc2 || p[0] > 0xf4 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4, len = 1;
    while (len < want && len < n && (p[len] & 0xc0) == 0x80) {
        if (len == 1 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
                         (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
            break;
        len++;
    }
    return len;
}

size_t ft_utf8_repair(const uint8_t *p, size_t n, ft_buf *out)
{
    size_t at = 0, repairs = 0;
    for (;;) {
        size_t valid = ft_utf8_check(p + at, n - at);
        ft_buf_add(out, p + at, valid);
        at += valid;
        if (at == n)
            return repairs;
        ft_buf_add_str(out, "\xef\xbf\xbd");
        at += broken_bytes(p + at, n - at);
        repairs++;
    }
}
