#include "stream/zframe.h"

#include "base/buf.h"

#include <zstd.h>

enum { BLOCK_BYTES_MAX = 128 << 10, WINDOW_BYTES_MAX = 8 << 20, CHECKSUM_BYTES = 4 };

static int refuse_magic(uint32_t magic, const uint8_t *p, ft_err *e)
{
    if ((magic & 0xfffffff0u) == ZSTD_MAGIC_SKIPPABLE_START)
        return ft_err_set(e, FT_ERR_DATA, "a skippable zstd frame, which a stream never holds");
    if (p[0] == '{' || p[0] == '[')
        return ft_err_set(e, FT_ERR_DATA, "no zstd frame but, it seems, JSON, which ft-import "
                          "turns into a stream");
    return ft_err_set(e, FT_ERR_DATA, "no zstd frame (it begins with bytes %02x %02x %02x %02x)",
                      p[0], p[1], p[2], p[3]);
}

/* Window_Descriptor: exponent in the upper 5 bits, eighths of it in the lower 3. */
static uint64_t window_bytes(uint8_t descriptor)
{
    uint64_t base = (uint64_t)1 << (10 + (descriptor >> 3));
    return base + base / 8 * (descriptor & 7);
}

/* Frame_Header_Descriptor, one byte:
 *   bits 7-6 bytes of content size | 5 single segment | 4 unused | 3 reserved | 2 checksum |
 *   1-0 bytes of dictionary id */
int ft_zframe_begin(ft_zframe *z, const uint8_t *p, size_t n, uint64_t content_max, ft_err *e)
{
    ft_rd r = ft_rd_of(p, n);
    uint32_t magic = ft_rd_u32(&r);
    uint8_t descriptor = ft_rd_u8(&r);
    int single = descriptor >> 5 & 1;
    uint64_t window = 0;
    if (n >= 4 && magic != ZSTD_MAGICNUMBER)
        return refuse_magic(magic, p, e);
    if (r.failed)
        return ft_err_set(e, FT_ERR_TRUNCATED, "frame header cut off");
    if (descriptor >> 3 & 1)
        return ft_err_set(e, FT_ERR_DATA, "reserved bit set in the zstd frame header");
    if (!(descriptor >> 2 & 1))
        return ft_err_set(e, FT_ERR_DATA, "zstd frame without checksum");
    if (descriptor & 3)
        return ft_err_set(e, FT_ERR_DATA, "zstd frame that wants a dictionary");
    if (!single)
        window = window_bytes(ft_rd_u8(&r));
    switch (descriptor >> 6) {
    case 0:
        if (!single)
            return ft_err_set(e, FT_ERR_DATA, "zstd frame without content size");
        z->content = ft_rd_u8(&r);
        break;
    case 1: z->content = (uint64_t)ft_rd_u16(&r) + 256; break;
    case 2: z->content = ft_rd_u32(&r); break;
    default: z->content = ft_rd_u64(&r);
    }
    if (r.failed)
        return ft_err_set(e, FT_ERR_TRUNCATED, "frame header cut off");
    if (window > WINDOW_BYTES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "zstd window of %llu bytes, at most %d are allowed",
                          (unsigned long long)window, WINDOW_BYTES_MAX);
    if (z->content > content_max)
        return ft_err_set(e, FT_ERR_DATA, "zstd frame of %llu bytes, at most %llu are allowed",
                          (unsigned long long)z->content, (unsigned long long)content_max);
    z->head_bytes = z->bytes = ft_rd_at(&r);
    /* Enough for every encoder that does not cut its blocks smaller than 1 KiB. */
    z->bytes_max = (size_t)(z->content + z->content / 256) + 1024;
    return 0;
}

/* Block_Header, 24 bits little-endian: bit 0 last, bits 1-2 type, the rest size. */
int ft_zframe_block(ft_zframe *z, const uint8_t p[3], size_t *more, int *last, ft_err *e)
{
    uint32_t head = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    uint32_t type = head >> 1 & 3, size = head >> 3;
    enum { RAW, RLE, COMPRESSED, RESERVED };
    if (type == RESERVED)
        return ft_err_set(e, FT_ERR_DATA, "zstd block of a reserved type");
    if (size > BLOCK_BYTES_MAX)
        return ft_err_set(e, FT_ERR_DATA, "zstd block of %u bytes, at most %d are allowed", size,
                          BLOCK_BYTES_MAX);
    *last = (int)(head & 1);
    *more = (type == RLE ? 1 : size) + (*last ? CHECKSUM_BYTES : 0);
    z->bytes += 3 + *more;
    if (z->bytes > z->bytes_max)
        return ft_err_set(e, FT_ERR_DATA, "zstd frame is longer than its %llu bytes of content "
                          "can need", (unsigned long long)z->content);
    return 0;
}
