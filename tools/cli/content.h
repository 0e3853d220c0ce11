/* content.h: whether the records of a verified stream make sense for its kind: examples have a
 * shape, ids and masks agree, the tensors of an adapter are whole, finite and there once.
 */
#ifndef FT_CLI_CONTENT_H
#define FT_CLI_CONTENT_H

#include "stream/stream.h"

typedef struct cli_content cli_content;

/* Begin with the header, add each record, then end. Errors: FT_ERR_DATA naming the field.
 * Owns: the caller, cli_content_free, which accepts NULL. */
int cli_content_begin(cli_content **c, const ft_header *h, ft_err *e) FT_MUST_CHECK;
int cli_content_add(cli_content *c, ft_mp record, ft_err *e) FT_MUST_CHECK;
int cli_content_end(cli_content *c, ft_err *e) FT_MUST_CHECK;
void cli_content_free(cli_content **c);

#endif
