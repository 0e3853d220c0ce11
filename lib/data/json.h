/* json.h: between JSON text and msgpack records. Parsing is jansson's, with ft's rules on top:
 * duplicate keys, invalid UTF-8, lone surrogates, whole numbers outside -2^63..2^63-1, numbers
 * outside the range of a double, a NUL in a key, and nesting that a record cannot hold are
 * errors, never repaired. (A decimal fraction is rounded to the nearest double, as everywhere.)
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
 * objects in their order. Errors: FT_ERR_DATA with the column, counted in characters from 1, then
 * out is as before; FT_ERR_NOMEM, also when parsing takes more than 256 MiB. */
int ft_json_parse(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

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
