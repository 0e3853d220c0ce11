#include "data/unpack.h"

#include "base/mem.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { HELD_BYTES = 1 << 17, GZIP_WINDOW_BITS = 15 + 16 };
enum packing { UNKNOWN, PLAIN, GZIP, ZSTD };

struct ft_unpack {
    ft_in *in;
    ft_hasher *hasher;
    enum packing packing;
    uint8_t held[HELD_BYTES];     /* read and not yet unpacked: [at, n_held) */
    size_t at, n_held;
    int ended;                    /* the input */
    int inside;                   /* a member or frame has begun and not ended */
    int more;                     /* the last call made bytes: it may hold others back */
    uint64_t bytes;
    z_stream gzip;
    int gzip_open;
    ZSTD_DCtx *zstd;
};

int ft_unpack_new(ft_unpack **out, ft_in *in, ft_err *e)
{
    ft_unpack *u = ft_new(1, sizeof *u, e);
    *out = NULL;
    if (!u)
        return FT_ERR_NOMEM;
    u->in = in;
    if (ft_hasher_new(&u->hasher, e) < 0) {
        ft_free(u);
        return FT_ERR_NOMEM;
    }
    *out = u;
    return 0;
}

void ft_unpack_free(ft_unpack **u)
{
    if (!*u)
        return;
    if ((*u)->gzip_open)
        inflateEnd(&(*u)->gzip);
    ZSTD_freeDCtx((*u)->zstd);
    ft_hasher_free(&(*u)->hasher);
    ft_free(*u);
    *u = NULL;
}

static int refuse(const ft_unpack *u, ft_err *e, const char *why)
{
    return ft_err_set(e, FT_ERR_DATA, "%s: %s", ft_in_name(u->in), why);
}

/* Reads from the input itself, and hashes. */
static int read_in(ft_unpack *u, uint8_t *to, size_t n, size_t *got, ft_err *e)
{
    int rc = ft_in_read(u->in, to, n, got, e);
    if (rc < 0)
        return rc;
    ft_hasher_add(u->hasher, to, *got);
    u->bytes += *got;
    u->ended = *got < n;
    return 0;
}

/* Sees to it that held has bytes, unless the input ended. */
static int refill(ft_unpack *u, ft_err *e)
{
    if (u->at < u->n_held || u->ended)
        return 0;
    u->at = 0;
    return read_in(u, u->held, sizeof u->held, &u->n_held, e);
}

/* ---- what it is ---- */

static int begins(const ft_unpack *u, const char *magic, size_t n)
{
    return u->n_held >= n && memcmp(u->held, magic, n) == 0;
}

static int begin_gzip(ft_unpack *u, ft_err *e)
{
    if (inflateInit2(&u->gzip, GZIP_WINDOW_BITS) != Z_OK)
        return ft_err_nomem(e, (size_t)1 << 16);
    u->gzip_open = 1;
    u->packing = GZIP;
    return 0;
}

static int begin_zstd(ft_unpack *u, ft_err *e)
{
    u->zstd = ZSTD_createDCtx();
    if (!u->zstd)
        return ft_err_nomem(e, (size_t)1 << 17);
    if (ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
                                            FT_UNPACK_WINDOW_LOG_MAX)))
        return ft_err_set(e, FT_ERR_INTERNAL, "libzstd takes no bound of the window");
    u->packing = ZSTD;
    return 0;
}

static int recognise(ft_unpack *u, ft_err *e)
{
    int rc = refill(u, e);
    if (rc < 0)
        return rc;
    if (begins(u, "\x1f\x8b", 2))
        return begin_gzip(u, e);
    if (begins(u, "\x28\xb5\x2f\xfd", 4) ||
        (u->n_held >= 4 && (u->held[0] & 0xf0) == 0x50 && begins(u, (const char[]){
            (char)u->held[0], 0x2a, 0x4d, 0x18}, 4)))
        return begin_zstd(u, e);
    /* A text may begin with these four letters, but not go on as a page header does. */
    if (begins(u, "PAR1", 4) && u->n_held > 4 && (u->held[4] < '\t' || u->held[4] > '~' ||
                                                 (u->held[4] > '\r' && u->held[4] < ' ')))
        return refuse(u, e, "a Parquet file, which ft does not read: write it as JSON lines "
                            "first (pandas: to_json(orient=\"records\", lines=True))");
    if (begins(u, "\xff\xfe", 2) || begins(u, "\xfe\xff", 2))
        return refuse(u, e, "text in UTF-16: convert it first (iconv -f UTF-16 -t UTF-8)");
    if (begins(u, "BZh", 3) && u->n_held > 9 && memcmp(u->held + 4, "\x31\x41\x59\x26\x53\x59",
                                                       6) == 0)
        return refuse(u, e, "compressed by bzip2: unpack it first (bzip2 -dc)");
    if (begins(u, "\xfd" "7zXZ", 6))
        return refuse(u, e, "compressed by xz: unpack it first (xz -dc)");
    u->packing = PLAIN;
    return 0;
}

/* ---- unpacking ---- */

static int truncated(const ft_unpack *u, ft_err *e)
{
    return ft_err_set(e, FT_ERR_TRUNCATED, "%s: the compressed data is cut off after %llu bytes",
                      ft_in_name(u->in), (unsigned long long)u->bytes);
}

static int damaged(const ft_unpack *u, ft_err *e, const char *what)
{
    return ft_err_set(e, FT_ERR_DATA, "%s: the compressed data is damaged before byte %llu: %s",
                      ft_in_name(u->in), (unsigned long long)(u->bytes - (u->n_held - u->at)),
                      what);
}

/* Unpacks some of held. *got: bytes made. */
static int inflate_some(ft_unpack *u, uint8_t *to, size_t n, size_t *got, ft_err *e)
{
    z_stream *z = &u->gzip;
    uInt room = n > 1u << 30 ? 1u << 30 : (uInt)n;
    int rc;
    if (!u->inside && inflateReset(z) != Z_OK)
        return ft_err_set(e, FT_ERR_INTERNAL, "zlib cannot begin again");
    u->inside = 1;
    z->next_in = u->held + u->at;
    z->avail_in = (uInt)(u->n_held - u->at);
    z->next_out = to;
    z->avail_out = room;
    rc = inflate(z, Z_NO_FLUSH);
    u->at = u->n_held - z->avail_in;
    *got = room - z->avail_out;
    if (rc == Z_STREAM_END)
        u->inside = 0;
    else if (rc == Z_MEM_ERROR)
        return ft_err_nomem(e, (size_t)1 << 16);
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return damaged(u, e, z->msg ? z->msg : "not gzip");
    return 0;
}

static int zstd_some(ft_unpack *u, uint8_t *to, size_t n, size_t *got, ft_err *e)
{
    ZSTD_inBuffer from = {u->held, u->n_held, u->at};
    ZSTD_outBuffer out = {to, n, 0};
    size_t rc = ZSTD_decompressStream(u->zstd, &out, &from);
    *got = out.pos;
    u->at = from.pos;
    if (ZSTD_isError(rc))
        return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation
                   ? ft_err_nomem(e, (size_t)1 << FT_UNPACK_WINDOW_LOG_MAX)
                   : damaged(u, e, ZSTD_getErrorName(rc));
    u->inside = rc != 0;
    return 0;
}

/* gzip files on tape blocks end with zeros; anything else behind them is no gzip. */
static int skip_padding(ft_unpack *u)
{
    if (u->packing == GZIP && !u->inside)
        while (u->at < u->n_held && u->held[u->at] == 0)
            u->at++;
    return u->at == u->n_held;
}

static int unpack(ft_unpack *u, uint8_t *to, size_t n, size_t *got, ft_err *e)
{
    int rc = 0;
    while (rc == 0 && *got < n) {
        size_t some = 0;
        if ((rc = refill(u, e)) < 0)
            return rc;
        if (!u->more && skip_padding(u)) {
            if (!u->ended)
                continue;
            return u->inside ? truncated(u, e) : 0;
        }
        rc = u->packing == GZIP ? inflate_some(u, to + *got, n - *got, &some, e)
                                : zstd_some(u, to + *got, n - *got, &some, e);
        *got += some;
        u->more = u->inside && some > 0;
    }
    return rc;
}

int ft_unpack_read(ft_unpack *u, void *p, size_t n, size_t *got, ft_err *e)
{
    int rc = u->packing == UNKNOWN ? recognise(u, e) : 0;
    size_t some;
    *got = 0;
    if (rc < 0 || n == 0)
        return rc;
    if (u->packing != PLAIN)
        return unpack(u, p, n, got, e);
    some = u->n_held - u->at < n ? u->n_held - u->at : n;
    memcpy(p, u->held + u->at, some);
    u->at += some;
    *got = some;
    if (*got < n && !u->ended) {
        rc = read_in(u, (uint8_t *)p + some, n - some, &some, e);
        *got += rc == 0 ? some : 0;
    }
    return rc;
}

const char *ft_unpack_name(const ft_unpack *u)
{
    return ft_in_name(u->in);
}

uint64_t ft_unpack_bytes(const ft_unpack *u)
{
    return u->bytes;
}

ft_digest ft_unpack_digest(const ft_unpack *u)
{
    return ft_hasher_digest(u->hasher);
}
