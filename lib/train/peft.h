/* peft.h: adapters as PEFT saves them: a folder with adapter_config.json and
 * adapter_model.safetensors, to and from streams of kind "adapter".
 *
 * Streams have PEFT's names, shapes and row order, so tensors are copied as they are (f16 and bf16
 * to f32, exactly). What a folder says that ft cannot honour is refused, see peft_config.h. PEFT's
 * files name no base by its content. Those that ft wrote do, in the metadata of the safetensors
 * file, together with the digests of tokenizer and chat template; what came from elsewhere is bound
 * by its shapes alone. The name and the revision that PEFT has of the base go along as base_name
 * and revision in the header's `extra`.
 *
 *     ft_peft_open(&p, "adapter", NULL, e);
 *     ft_peft_header(p, &h, &extra, e);          // then open a writer with h
 *     ft_peft_copy(p, w, e);
 *     ft_peft_free(&p);
 */
#ifndef FT_PEFT_H
#define FT_PEFT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "model/model.h"
#include "stream/stream.h"

typedef struct ft_peft ft_peft;

/* Opens a folder and checks all but the values. m: the model that the adapter must fit, to which it
 * is then bound; NULL: any. Errors: FT_ERR_NOINPUT, FT_ERR_DATA naming file and key or tensor. */
int ft_peft_open(ft_peft **p, const char *folder, const ft_model *m, ft_err *e) FT_MUST_CHECK;
void ft_peft_free(ft_peft **p);

/* Digest of the configuration's bytes, and of the tensors' file. */
ft_digest ft_peft_config_digest(const ft_peft *p);
ft_digest ft_peft_file_digest(const ft_peft *p);
size_t ft_peft_count(const ft_peft *p);      /* tensors */
int ft_peft_is_bound(const ft_peft *p);      /* whether the base is known by its digest */
const char *ft_peft_remark(const ft_peft *p); /* what training on would miss, or NULL     */

/* Fills the header of the stream; `extra` is built in *buf, which must live as long as it. */
int ft_peft_header(const ft_peft *p, ft_header *h, ft_buf *buf, ft_err *e) FT_MUST_CHECK;

/* Writes all tensors as records. Errors: FT_ERR_DATA for a value that is not finite. */
int ft_peft_copy(const ft_peft *p, ft_writer *w, ft_err *e) FT_MUST_CHECK;

/* Writes an adapter stream, read to its verified end, as a folder, which is made when it is
 * missing; a folder that holds another adapter's configuration is left alone (FT_ERR_CREATE), so
 * that never one adapter's tensors stand beside another's configuration. base_name: what PEFT is to
 * load as the base, or NULL: as the stream says, if it does. *tensors: how many were written.
 * Errors: FT_ERR_DATA for methods that PEFT has not, and for damaged adapters; FT_ERR_CREATE,
 * FT_ERR_IO. */
int ft_peft_export(ft_reader *in, const char *folder, const char *base_name, size_t *tensors,
                   ft_err *e) FT_MUST_CHECK;

#endif
