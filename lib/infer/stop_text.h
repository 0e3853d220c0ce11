/* stop_text.h: ends a text where one of some strings begins, while the text still grows. The bytes
 * come in pieces, as tokens give them, so a string may begin in one piece and end in another.
 *
 *     ft_stop_text t = {strings, n, {0}, 0};
 *     ended = ft_stop_text_add(&t, bytes, n_bytes);    // t.text is then what stands before it
 *     shown = ft_stop_text_sure(&t);                   // bytes that stay, whatever comes
 */
#ifndef FT_STOP_TEXT_H
#define FT_STOP_TEXT_H

#include "base/buf.h"

typedef struct ft_stop_text {
    const char *const *strings;  /* none of them empty; not owned */
    size_t n;
    ft_buf text;                 /* of the caller to free         */
    int ended;
} ft_stop_text;

/* Appends n bytes. Returns: whether a string was found; the text ends before the one that begins
 * first and takes no more. */
int ft_stop_text_add(ft_stop_text *t, const void *p, size_t n);

/* Returns: how many bytes of the text cannot be the beginning of one of the strings. */
size_t ft_stop_text_sure(const ft_stop_text *t);

#endif
