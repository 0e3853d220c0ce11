/* mp.h: msgpack, read by a bounded cursor and written with msgpack-c.
 *
 * Reading has two steps. ft_mp_check walks one object from untrusted bytes and believes no count
 * that the remaining bytes cannot hold (an element has at least one byte), no nesting over
 * FT_MP_DEPTH_MAX and no reserved byte; it allocates nothing. After that the cursor functions
 * need no bounds errors, only questions about type. Objects are plain slices, so a record passes
 * through a filter untouched, fields that the filter does not know included.
 *
 *     ft_mp v;
 *     if (ft_mp_get(record, "prompt", &v) && ft_mp_str(v, &s)) … s.p, s.n …
 *
 * Writing appends to an ft_buf, whose failure is sticky: check it once at the end.
 */
#ifndef FT_MP_H
#define FT_MP_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define FT_MP_DEPTH_MAX 16

typedef ft_slice ft_mp;    /* the bytes of exactly one checked object */

enum ft_mp_type {
    FT_MP_NIL, FT_MP_BOOL, FT_MP_UINT, FT_MP_INT /* negative only */, FT_MP_FLOAT,
    FT_MP_STR, FT_MP_BIN, FT_MP_ARRAY, FT_MP_MAP, FT_MP_EXT
};

/* Checks the first object in n bytes. Returns: 0 with its length in *used, or FT_ERR_DATA with
 * the offset and reason. */
int ft_mp_check(const void *p, size_t n, size_t *used, ft_err *e) FT_MUST_CHECK;

enum ft_mp_type ft_mp_type_of(ft_mp v);
const char *ft_mp_type_name(enum ft_mp_type t);

/* Typed values. Returns: 1 and the value, or 0 when v is of another type (or does not fit). A
 * float question accepts integers. Slices point into v. */
int ft_mp_bool(ft_mp v, int *out);
int ft_mp_uint(ft_mp v, uint64_t *out);
int ft_mp_int(ft_mp v, int64_t *out);
int ft_mp_float(ft_mp v, double *out);
int ft_mp_str(ft_mp v, ft_slice *out);
int ft_mp_bin(ft_mp v, ft_slice *out);

/* Walks an array or a map (a map gives key, value, key, value, …).
 *     ft_mp_iter it = ft_mp_iter_of(v);  while (ft_mp_next(&it, &item)) …
 * Other types give an empty walk. */
typedef struct ft_mp_iter {
    const uint8_t *p, *end;
    uint64_t left;             /* objects still to come */
} ft_mp_iter;
ft_mp_iter ft_mp_iter_of(ft_mp v);
int ft_mp_next(ft_mp_iter *it, ft_mp *item);

/* Elements of an array, pairs of a map, 0 of anything else. */
uint64_t ft_mp_count(ft_mp v);

/* Finds a string key in a map (the first one). Returns: 1 and the value, or 0, and
 * *value is as it was. */
int ft_mp_get(ft_mp map, const char *key, ft_mp *value);
int ft_mp_get_str(ft_mp map, const char *key, ft_slice *out);
int ft_mp_get_uint(ft_mp map, const char *key, uint64_t *out);
int ft_mp_get_float(ft_mp map, const char *key, double *out);

/* Returns: whether s holds exactly the bytes of the C string. */
int ft_slice_is(ft_slice s, const char *text);

/* Returns: whether key is a string among the names, whose list ends with NULL. */
int ft_mp_is_one_of(ft_mp key, const char *const *names);

/* Writers, all in msgpack's shortest form. Announce a map by its number of pairs. */
void ft_mp_put_nil(ft_buf *b);
void ft_mp_put_bool(ft_buf *b, int v);
void ft_mp_put_uint(ft_buf *b, uint64_t v);
void ft_mp_put_int(ft_buf *b, int64_t v);
void ft_mp_put_float(ft_buf *b, double v);
void ft_mp_put_str(ft_buf *b, const char *p, size_t n);
void ft_mp_put_cstr(ft_buf *b, const char *s);
void ft_mp_put_bin(ft_buf *b, const void *p, size_t n);
void ft_mp_put_array(ft_buf *b, size_t n);
void ft_mp_put_map(ft_buf *b, size_t n);
void ft_mp_put_raw(ft_buf *b, ft_mp v);       /* an object as it is */

#endif
