/* example.h: what a record of kind "text" means. Records stay msgpack; these functions look into
 * one without copying it. Four shapes: messages [{role, content, …}], prompt + completion, text,
 * prediction + reference(s), beside which a prompt may stand. A record with fields of several
 * shapes has the first of them.
 *
 *     if (ft_example_shape(record, &shape, e) < 0) return ft_err_wrap(e, "record %llu", n);
 *     if (ft_example_part(record, FT_PART_PROMPT, &prompt, e) < 0) …
 */
#ifndef FT_EXAMPLE_H
#define FT_EXAMPLE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mp.h"

enum ft_shape { FT_SHAPE_MESSAGES, FT_SHAPE_PROMPT, FT_SHAPE_TEXT, FT_SHAPE_PREDICTION };

const char *ft_shape_name(enum ft_shape s);   /* "messages", "prompt", "text", "prediction" */

/* Finds and checks the shape: required fields are there and strings (a reference may also be a
 * list of strings, not empty), roles and contents are strings, messages is not empty.
 * Errors: FT_ERR_DATA naming the field. */
int ft_example_shape(ft_mp record, enum ft_shape *shape, ft_err *e) FT_MUST_CHECK;

/* Parts of an example for keys and grouping, appended to out.
 * FT_PART_PROMPT: the user turns joined by a newline, without the system turn; the prompt; the
 * whole text for shape text. FT_PART_RESPONSE: the assistant turns joined; the completion; the
 * text; the prediction. FT_PART_ALL: every turn with its role; prompt and completion; the text;
 * prediction and references. Parts are separated by a byte that cannot stand in UTF-8 (0xff), so
 * that "a"+"bc" differs from "ab"+"c".
 * Errors: FT_ERR_DATA as ft_example_shape, and for the prompt of a prediction, which has none. */
enum ft_part { FT_PART_PROMPT, FT_PART_RESPONSE, FT_PART_ALL };
int ft_example_part(ft_mp record, enum ft_part part, ft_buf *out, ft_err *e) FT_MUST_CHECK;

/* Leaves the canonical form (FT_IGNORE_* of text/normal.h) of a part in scratch[1]; each of the
 * pieces between separators is brought into it by itself. scratch: two buffers, cleared here. */
int ft_example_canonical(ft_mp record, enum ft_part part, unsigned ignore, ft_buf scratch[2],
                         ft_err *e) FT_MUST_CHECK;

/* Digest of that form. */
int ft_example_key(ft_mp record, enum ft_part part, ft_buf scratch[2], ft_digest *key,
                   ft_err *e) FT_MUST_CHECK;

/* The same for another canonical form (FT_IGNORE_* of text/normal.h). */
int ft_example_key_ignoring(ft_mp record, enum ft_part part, unsigned ignore, ft_buf scratch[2],
                            ft_digest *key, ft_err *e) FT_MUST_CHECK;

#endif
