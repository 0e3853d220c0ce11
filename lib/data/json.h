/* json.h: between JSON text and msgpack records. Parsing is jansson's, with ft's rules on top:
 * duplicate keys, invalid UTF-8, numbers that do not fit 64 bits or a double, and nesting that a
 * record cannot hold are errors, never repaired. Printing is exact: what was printed parses to
 * the same msgpack again (doubles by their shortest decimal form that reads back the same).
 */
#ifndef FT_JSON_H
#define FT_JSON_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mp.h"

/* Parses one JSON value and appends it as msgpack. Errors: FT_ERR_DATA with the column. */
int ft_json_parse(const void *text, size_t n, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Appends v as one line of JSON. Binary values become {"$bin": "base64"}; strings that are no valid UTF-8
 * have each offending byte as U+FFFD. NaN and infinities print as null. */
void ft_json_put(ft_buf *b, ft_mp v);

/* Appends n bytes as a JSON string, quotes included; control characters are escaped. */
void ft_json_put_string(ft_buf *b, const void *s, size_t n);

/* Appends a double in its shortest form that reads back the same. */
void ft_json_put_double(ft_buf *b, double v);

#endif
