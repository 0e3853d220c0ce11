/* peft_internal.h: what peft.c, peft_export.c and peft_methods.c share. */
#ifndef FT_PEFT_INTERNAL_H
#define FT_PEFT_INTERNAL_H

#include "nn/adapter.h"
#include "train/peft.h"
#include "train/peft_config.h"
#include "train/peft_tensors.h"

#define FT_PEFT_CONFIG "adapter_config.json"
#define FT_PEFT_FILE "adapter_model.safetensors"

/* Keys of ft in the metadata of the tensors' file: digests in hexadecimal; "nf4". */
#define FT_PEFT_BASE "ft.base"
#define FT_PEFT_TRANSFORM "ft.transform"
#define FT_PEFT_TOKENIZER "ft.tokenizer"
#define FT_PEFT_TEMPLATE "ft.template"

enum { FT_PEFT_PIECE = 8 << 20 >> 2 };     /* floats of a record, as many as a stream allows */

/* FOLDER/NAME. Owns: the caller, ft_free. */
char *ft_peft_path(const char *folder, const char *name, ft_err *e) FT_MUST_CHECK;

/* Appends a file of at most 1 MiB. */
int ft_peft_read_text(const char *path, ft_buf *text, ft_err *e) FT_MUST_CHECK;

/* Between PEFT's configuration and ft's: the methods that both have. t: complete.
 * Errors: FT_ERR_DATA naming what the other side cannot do. */
int ft_peft_to_adapter(const ft_peft_config *c, const ft_peft_tensors *t, ft_adapter_config *cfg,
                       ft_err *e) FT_MUST_CHECK;
/* extra: the header of the stream that cfg was read from; c points into it. */
int ft_peft_from_adapter(const ft_adapter_config *cfg, ft_mp extra, ft_peft_config *c,
                         ft_err *e) FT_MUST_CHECK;

#endif
