/* safetensors.h: read and write safetensors files: named tensors behind a JSON header.
 *
 *     8 bytes: length n of the header, little-endian | n bytes: a JSON object | the tensors' bytes
 *     {"__metadata__":{"format":"pt"},"NAME":{"dtype":"F32","shape":[4,32],"data_offsets":[0,512]}}
 *
 * Reading maps the file and checks everything before it is used: the header's length against the
 * file, its JSON (no name twice), names, element types, shapes without overflow, and that the
 * tensors fill the data one behind the other, each with as many bytes as its shape says; so none
 * overlaps another or lies outside. Errors name the tensor and the field. Read are F32, F16 and
 * BF16, names of printable ASCII, and headers up to a limit below the 100 MB of the format's
 * authors, so that reading takes no more memory than a few hundred MB for any file.
 *
 *     ft_safetensors *s = NULL;
 *     if (ft_safetensors_open(&s, path, e) < 0) return e->code;
 *     const ft_safetensor *t = ft_safetensors_find(s, "lm_head.weight");
 *     if (t) ft_safetensor_floats(t, 0, t->elements, out);
 *     ft_safetensors_free(&s);
 */
#ifndef FT_SAFETENSORS_H
#define FT_SAFETENSORS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "model/quant.h"

#include <stddef.h>
#include <stdint.h>

enum { FT_SAFETENSORS_HEADER_MAX = 32 << 20, FT_SAFETENSORS_MAX = 1 << 16,
       FT_SAFETENSOR_NAME_MAX = 256, FT_SAFETENSOR_DIMS_MAX = 8 };

typedef struct ft_safetensor {
    ft_slice name;
    ft_type type;                              /* FT_F32, FT_F16 or FT_BF16               */
    uint32_t n_dims;                           /* 0: a single number                      */
    uint64_t shape[FT_SAFETENSOR_DIMS_MAX];    /* the last one varies fastest             */
    size_t elements, bytes;                    /* 0 where a dimension is 0                */
    const uint8_t *data;                       /* in the mapping, at any address          */
} ft_safetensor;

typedef struct ft_safetensors ft_safetensors;

/* Errors: FT_ERR_NOINPUT, FT_ERR_DATA ("FILE: tensor NAME: data_offsets: …"), FT_ERR_NOMEM. */
int ft_safetensors_open(ft_safetensors **s, const char *path, ft_err *e) FT_MUST_CHECK;
/* The same over bytes in memory, which must outlive *s; name: for errors. */
int ft_safetensors_open_bytes(ft_safetensors **s, const char *name, const void *p, size_t n,
                              ft_err *e) FT_MUST_CHECK;
void ft_safetensors_free(ft_safetensors **s);    /* accepts NULL, sets NULL */

ft_digest ft_safetensors_digest(const ft_safetensors *s);    /* of the whole file */

/* Tensors in the order of their bytes. */
size_t ft_safetensors_count(const ft_safetensors *s);
const ft_safetensor *ft_safetensors_at(const ft_safetensors *s, size_t i);
/* Returns: NULL when there is none of this name. */
const ft_safetensor *ft_safetensors_find(const ft_safetensors *s, const char *name);

/* A value of the header's "__metadata__". Returns: 1 and the value, or 0. */
int ft_safetensors_metadata(const ft_safetensors *s, const char *key, ft_slice *value);

/* Elements [from, from + n) as floats, exactly. */
void ft_safetensor_floats(const ft_safetensor *t, size_t from, size_t n, float *out);

/* "F32", "F16" or "BF16". */
const char *ft_safetensor_type_name(ft_type type);

/* ---- writing: announce all tensors, then give their bytes in the order that the file has ----
 *
 * The order and every byte are those of the format's authors' own writer: wider element types
 * first, of these F32 before BF16 before F16, then by name; so tensors are aligned.
 *
 *     ft_safetensors_writer_tensor(w, name, FT_F32, 2, shape, e); …
 *     ft_safetensors_writer_begin(w, out, e);
 *     while (ft_safetensors_writer_due(w, &i)) ft_safetensors_writer_data(w, p[i], bytes[i], e);
 */
typedef struct ft_safetensors_writer ft_safetensors_writer;
int ft_safetensors_writer_new(ft_safetensors_writer **w, ft_err *e) FT_MUST_CHECK;
void ft_safetensors_writer_free(ft_safetensors_writer **w);
/* Adds a pair to "__metadata__", which keeps the order of the calls. */
int ft_safetensors_writer_metadata(ft_safetensors_writer *w, const char *key, const char *value,
                                   ft_err *e) FT_MUST_CHECK;
/* Announces a tensor; the name is copied. Errors: FT_ERR_USAGE for what the reader would refuse. */
int ft_safetensors_writer_tensor(ft_safetensors_writer *w, ft_slice name, ft_type type,
                                 uint32_t n_dims, const uint64_t *shape, ft_err *e) FT_MUST_CHECK;
/* Writes the header to out, which the caller commits.
 * Errors: FT_ERR_USAGE for a name that was announced twice; FT_ERR_IO, FT_ERR_NOMEM. */
int ft_safetensors_writer_begin(ft_safetensors_writer *w, ft_out *out, ft_err *e) FT_MUST_CHECK;
/* Says which tensor's bytes come next, counted in the order of announcing. Returns: 0 behind the
 * last one. */
int ft_safetensors_writer_due(ft_safetensors_writer *w, size_t *i);
/* Bytes of the tensor that is due, in one or several pieces.
 * Errors: FT_ERR_IO, FT_ERR_INTERNAL for more bytes than it has. */
int ft_safetensors_writer_data(ft_safetensors_writer *w, const void *p, size_t n,
                               ft_err *e) FT_MUST_CHECK;

#endif
