/* json.h: between JSON text and msgpack records. Strict: duplicate keys, invalid UTF-8, lone
 * surrogates, whole numbers outside -2^63..2^63-1, numbers outside the range of a double, a NUL in
 * a key, and nesting that a record cannot hold are errors, never repaired. (A decimal fraction is
 * rounded to the nearest double, as everywhere.)
 * Printing is exact: what was printed parses to the same msgpack again (doubles by their shortest
 * decimal form that reads back the same).
 *
 *     if (ft_json_parse(line, n, &record, e) < 0)
 *         return ft_err_wrap(e, "%s: line %llu", name, number);   // "…: column 17: …"
 */
#ifndef FT_JSON_H
#define FT_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

/* Parses one JSON value (any type, white space around it) and appends it as msgpack, the keys of
 * objects in their order. Memory: out, and 24 bytes a key of the objects that are open. Errors:
 * FT_ERR_DATA with the column, counted in characters from 1 in its line; FT_ERR_NOMEM. Then out is
 * as before. */
int ft_json_parse(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* The same, but an error's message has no place; *where is its offset in the text. */
int ft_json_parse_at(const void *text, size_t n, ft_buf *out, size_t *where,
                     ft_err *e) FT_MUST_CHECK;

/* What an offset means to a person: line ends before it, and the column, in characters from 1. */
void ft_json_place(const void *text, size_t where, size_t *lines, size_t *column);

/* Appends v as JSON without a line break. What JSON has no word for: binary values become
 * {"$bin": "base64"}, extensions {"$msgpack": "base64 of the whole object"}, keys that are no
 * strings their JSON text, NaN and infinities null, and each byte of a string that is not valid
 * UTF-8 becomes U+FFFD. */
void ft_json_put(ft_buf *b, ft_mp v);

/* Appends n bytes as a JSON string, quotes included; control characters (also DEL and C1, which
 * terminals act on) are escaped. */
void ft_json_put_string(ft_buf *b, const void *s, size_t n);

/* Appends a double in its shortest form that reads back the same, and as a number with a fraction
 * or an exponent, so that it does not read back as a whole number. */
void ft_json_put_double(ft_buf *b, double v);

#endif
