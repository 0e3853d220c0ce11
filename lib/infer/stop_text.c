#include "infer/stop_text.h"

#include <string.h>

/* The first place at or behind `from` where the string stands, or SIZE_MAX. */
static size_t find(const ft_buf *b, size_t from, const char *s)
{
    size_t n = strlen(s);
    for (size_t at = from; at + n <= b->n; at++)
        if (memcmp(b->p + at, s, n) == 0)
            return at;
    return SIZE_MAX;
}

int ft_stop_text_add(ft_stop_text *t, const void *p, size_t n)
{
    size_t old = t->text.n, end = SIZE_MAX;
    if (t->ended)
        return 1;
    ft_buf_add(&t->text, p, n);
    for (size_t i = 0; i < t->n && !t->text.failed; i++) {
        size_t length = strlen(t->strings[i]);
        size_t at = find(&t->text, old < length ? 0 : old - length + 1, t->strings[i]);
        end = at < end ? at : end;
    }
    if (end == SIZE_MAX)
        return 0;
    t->text.n = end;
    t->ended = 1;
    return 1;
}

size_t ft_stop_text_sure(const ft_stop_text *t)
{
    size_t unsure = 0;
    for (size_t i = 0; i < t->n && !t->ended; i++) {
        size_t n = strlen(t->strings[i]) - 1;
        n = n < t->text.n ? n : t->text.n;
        for (; n > unsure; n--)
            if (memcmp(t->text.p + t->text.n - n, t->strings[i], n) == 0)
                unsure = n;
    }
    return t->text.n - unsure;
}
