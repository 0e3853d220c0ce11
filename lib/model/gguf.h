/* gguf.h: read and write GGUF model files (versions 2 and 3, little-endian).
 *
 * Reading maps the file and checks everything before it is used: counts and lengths against the
 * bytes that remain, names unique and printable ASCII, types known, shapes without overflow, and
 * tensors that fill the data part one after the other with nothing between but padding (as the
 * format's authors read it; so offsets are aligned, inside the file and never overlap). Errors
 * name the field and its offset. Keys, values and tensors are slices into the mapping.
 *
 *     ft_gguf *g = NULL;
 *     if (ft_gguf_open(&g, path, e) < 0 || ft_gguf_uint(g, "llama.block_count", &L, e) < 0) …
 *     ft_gguf_free(&g);
 */
#ifndef FT_GGUF_H
#define FT_GGUF_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "model/quant.h"

#include <stdint.h>

enum ft_gguf_value_type { FT_GV_U8, FT_GV_I8, FT_GV_U16, FT_GV_I16, FT_GV_U32, FT_GV_I32, FT_GV_F32,
                          FT_GV_BOOL, FT_GV_STRING, FT_GV_ARRAY, FT_GV_U64, FT_GV_I64, FT_GV_F64 };

typedef struct ft_gguf_kv {
    ft_slice key;
    enum ft_gguf_value_type type;
    ft_slice raw;                  /* the value's bytes in the file, behind its type; with the
                                    * length of a string and the item type and count of an array */
    enum ft_gguf_value_type item;  /* arrays: type of the items                               */
    uint64_t count;                /* arrays: number of items                                 */
} ft_gguf_kv;

enum { FT_GGUF_KEYS_MAX = 1 << 16, FT_GGUF_TENSORS_MAX = 1 << 16, FT_GGUF_NAME_MAX = 64 };

#define FT_DIMS_MAX 4
typedef struct ft_tensor {
    ft_slice name;
    ft_type type;
    uint32_t n_dims;
    uint64_t shape[FT_DIMS_MAX];   /* shape[0] varies fastest: a row has shape[0] weights; 1 past
                                    * n_dims */
    const void *data;              /* in the mapping */
    size_t bytes;
} ft_tensor;

typedef struct ft_gguf ft_gguf;

/* Errors: FT_ERR_NOINPUT, FT_ERR_DATA ("FILE: tensor blk.0.attn_q.weight at byte 1234: …"). */
int ft_gguf_open(ft_gguf **g, const char *path, ft_err *e) FT_MUST_CHECK;
/* The same over bytes in memory, which must outlive *g and be 8-byte aligned; name: for errors. */
int ft_gguf_open_bytes(ft_gguf **g, const char *name, const void *p, size_t n,
                       ft_err *e) FT_MUST_CHECK;
void ft_gguf_free(ft_gguf **g);    /* accepts NULL, sets NULL */
const char *ft_gguf_path(const ft_gguf *g);

size_t ft_gguf_kv_count(const ft_gguf *g);
const ft_gguf_kv *ft_gguf_kv_at(const ft_gguf *g, size_t i);
const ft_gguf_kv *ft_gguf_kv_find(const ft_gguf *g, const char *key);   /* NULL: none */

/* Typed look-ups. Returns: 0, or FT_ERR_DATA when missing or of another type. ft_gguf_uint takes
 * any integer that is not negative, ft_gguf_float F32 and F64. */
int ft_gguf_uint(const ft_gguf *g, const char *key, uint64_t *out, ft_err *e) FT_MUST_CHECK;
int ft_gguf_float(const ft_gguf *g, const char *key, double *out, ft_err *e) FT_MUST_CHECK;
int ft_gguf_string(const ft_gguf *g, const char *key, ft_slice *out, ft_err *e) FT_MUST_CHECK;
int ft_gguf_bool(const ft_gguf *g, const char *key, int *out, ft_err *e) FT_MUST_CHECK;
/* The strings (slices into the mapping) or whole numbers (of type I32, or U32 below 2^31) of an
 * array; *n its length; the caller frees *out with ft_free. */
int ft_gguf_strings(const ft_gguf *g, const char *key, ft_slice **out, size_t *n,
                    ft_err *e) FT_MUST_CHECK;
int ft_gguf_ints(const ft_gguf *g, const char *key, int32_t **out, size_t *n,
                 ft_err *e) FT_MUST_CHECK;

size_t ft_gguf_tensor_count(const ft_gguf *g);
const ft_tensor *ft_gguf_tensor_at(const ft_gguf *g, size_t i);
const ft_tensor *ft_gguf_tensor_find(const ft_gguf *g, const char *name);

/* Digest over all tensors in name order: name, type, shape, bytes. It names the base that an
 * adapter is bound to and does not depend on metadata or on the order in the file. A fold, so that
 * no memory is needed: d starts as 16 zero bytes and becomes, for each tensor, XXH3-128 of 84
 * bytes: d, XXH3-128 of the name, the type as u32, shape[0..3] as u64, XXH3-128 of the data. */
ft_digest ft_gguf_digest(const ft_gguf *g);
/* The same after `as` gave t, the copy of a tensor of the file, another type or other data. */
ft_digest ft_gguf_digest_as(const ft_gguf *g,
                            void (*as)(const void *ctx, const ft_tensor *in_file, ft_tensor *t),
                            const void *ctx);

/* Takes the pages of n bytes at p, part of a tensor, out of memory until they are read again. */
void ft_gguf_forget(const ft_gguf *g, const void *p, size_t n);
/* Asks the system to read n bytes at p of the mapped file, which will be wanted soon. */
void ft_gguf_want(const ft_gguf *g, const void *p, size_t n);

/* ---- writing: announce all keys and tensors, then give the tensors' bytes in that order ---- */

typedef struct ft_gguf_writer ft_gguf_writer;
int ft_gguf_writer_new(ft_gguf_writer **w, ft_err *e) FT_MUST_CHECK;
void ft_gguf_writer_free(ft_gguf_writer **w);
/* Copies a key as it is; of a general.alignment the writer takes the value over. Copy first: a key
 * of the three functions below that is there already is replaced in its place. */
int ft_gguf_writer_copy_kv(ft_gguf_writer *w, const ft_gguf_kv *kv, ft_err *e) FT_MUST_CHECK;
int ft_gguf_writer_uint32(ft_gguf_writer *w, const char *key, uint32_t v, ft_err *e) FT_MUST_CHECK;
int ft_gguf_writer_string(ft_gguf_writer *w, const char *key, const char *s, size_t n,
                          ft_err *e) FT_MUST_CHECK;
/* An array of bytes (u8). */
int ft_gguf_writer_bytes(ft_gguf_writer *w, const char *key, const void *p, size_t n,
                         ft_err *e) FT_MUST_CHECK;
/* shape as in ft_tensor, its rows a multiple of the type's block; names are not checked to be
 * unique. The slice is copied. */
int ft_gguf_writer_tensor(ft_gguf_writer *w, ft_slice name, ft_type type, uint32_t n_dims,
                          const uint64_t *shape, ft_err *e) FT_MUST_CHECK;
/* Writes header, keys and directory to out; then ft_gguf_writer_data gives the bytes of the
 * tensors in order, each in one or several pieces (padding is added); ft_gguf_writer_end checks
 * that all came. The caller commits out. Same calls, same bytes.
 * Errors: FT_ERR_IO, FT_ERR_NOMEM, FT_ERR_INTERNAL for too many or too few bytes. */
int ft_gguf_writer_begin(ft_gguf_writer *w, ft_out *out, ft_err *e) FT_MUST_CHECK;
int ft_gguf_writer_data(ft_gguf_writer *w, const void *p, size_t n, ft_err *e) FT_MUST_CHECK;
int ft_gguf_writer_end(ft_gguf_writer *w, ft_err *e) FT_MUST_CHECK;

#endif
