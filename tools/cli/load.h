/* load.h: what tools take from a model file: the model that they train, the tokenizer and the chat
 * template. All of these end in cli_fail when the file does not have what is asked, so they
 * return no errors.
 */
#ifndef FT_CLI_LOAD_H
#define FT_CLI_LOAD_H

#include "model/model.h"
#include "text/chat.h"
#include "text/tokenizer.h"

/* The model of -m as it is in its file, or with form "nf4" converted to that. Owns: the caller. */
ft_model *cli_base(const char *form);

/* The tokenizer that an open model carries. Owns: the caller, ft_tokenizer_free. The tokenizer
 * keeps nothing of g. Bytes that the vocabulary cannot say are noted on stderr with --verbose. */
ft_tokenizer *cli_tokenizer_of(const ft_gguf *g);

/* The same for a path; only the tokenizer of the file is read. */
ft_tokenizer *cli_tokenizer(const char *model_path);

/* The chat template that a model carries, or the one named override_name when that is not NULL.
 * Static: never freed. */
const ft_chat *cli_chat_of(const ft_gguf *g, const char *override_name);

#endif
