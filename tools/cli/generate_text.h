/* generate_text.h: the bytes of an answer as text: whole characters, and nothing that a terminal
 * would take for a command. */
#ifndef FT_CLI_GENERATE_TEXT_H
#define FT_CLI_GENERATE_TEXT_H

#include "base/buf.h"

enum { CLI_TEXT_LAST = 1,        /* no more bytes follow: what is cut short is no character      */
       CLI_TEXT_ESCAPED = 2 };   /* control characters but newline and tab become \u00XX         */

/* Appends n bytes to b; each that belongs to no character becomes U+FFFD. Without CLI_TEXT_LAST a
 * character that may still become whole is left. Returns: how many bytes were used. */
size_t cli_text_put(ft_buf *b, const uint8_t *p, size_t n, int flags);

/* What the words of --stop mean: \n, \t, \r and \\ are what they are in C; other bytes are
 * themselves. list: as CLI_LIST gives it, overwritten. Returns: how many there are, in *strings,
 * which the caller frees by ft_free. Fails the tool for an empty one. */
size_t cli_stop_strings(char *list, const char ***strings);

#endif
