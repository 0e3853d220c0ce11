#include "base/utf8.h"
#include "data/augment_internal.h"

#include <string.h>
#include <utf8proc.h>

/* Keys beside a letter on a QWERTY keyboard. */
static const char *const beside[26] = {
    "qwsz", "vghn", "xdfv", "serfxc", "wrsd", "drtgcv", "ftyhvb", "gyujbn", "uojk", "huiknm",
    "jiolm", "kop", "njk", "bhjm", "ipkl", "ol", "wa", "etdf", "awedzx", "ryfg", "yihj", "cfgb",
    "qeas", "zsdc", "tugh", "asx"};

enum kind { OTHER, LETTER, MARK, POINT };
enum slip { SLIP_SWAP, SLIP_DROP, SLIP_TWICE, SLIP_CASE, SLIP_BESIDE };

/* What stands at byte `at`, and how many bytes it has; OTHER, 0 at the end. */
static enum kind look(ft_slice text, size_t at, size_t *n)
{
    utf8proc_int32_t c;
    utf8proc_category_t category;
    if (at < text.n && text.p[at] < 0x80) {
        uint8_t ascii = text.p[at];
        *n = 1;
        if ((ascii | 32) >= 'a' && (ascii | 32) <= 'z')
            return LETTER;
        return ascii && strchr(".,;:!?'\"-", ascii) ? POINT : OTHER;
    }
    *n = at < text.n ? ft_utf8_length(text.p + at, text.n - at) : 0;
    if (*n == 0) {
        *n = at < text.n;
        return OTHER;
    }
    (void)utf8proc_iterate(text.p + at, (utf8proc_ssize_t)*n, &c);
    category = utf8proc_category(c);
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
        return LETTER;
    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME ? MARK : OTHER;
}

/* Bytes of the letter at `at` that no mark belongs to, else 0. */
static size_t lone_letter(ft_slice text, size_t at)
{
    size_t n, next;
    if (look(text, at, &n) != LETTER || look(text, at + n, &next) == MARK)
        return 0;
    return n;
}

static uint8_t other_key(uint8_t c, ft_dice *dice)
{
    uint8_t small = c | 32;
    const char *keys = beside[small - 'a'];
    uint8_t key = (uint8_t)keys[ft_dice_below(dice, strlen(keys))];
    return c == small ? key : (uint8_t)(key - 32);
}

/* Appends the letter of n bytes at `at` as it was mistyped. Returns: the bytes that are done. */
static size_t slip(ft_slice text, size_t at, size_t n, ft_dice *dice, ft_buf *out)
{
    const uint8_t *p = text.p + at;
    size_t next = lone_letter(text, at + n);
    switch ((enum slip)ft_dice_below(dice, n == 1 ? 5 : 3)) {
    case SLIP_DROP: return n;
    case SLIP_CASE: ft_buf_add_byte(out, *p ^ 32); return n;
    case SLIP_BESIDE: ft_buf_add_byte(out, other_key(*p, dice)); return n;
    case SLIP_SWAP:
        if (next) {
            ft_buf_add(out, p + n, next);
            ft_buf_add(out, p, n);
            return n + next;
        }
        break;
    case SLIP_TWICE: break;
    }
    ft_buf_add(out, p, n);
    ft_buf_add(out, p, n);
    return n;
}

void ft_augment_noise(ft_slice text, double p, const ft_lists *slots, ft_dice *dice, ft_buf *out)
{
    size_t before = out->n, n;
    for (size_t at = 0; at < text.n;) {
        const ft_list *slot;
        enum kind kind = look(text, at, &n);
        size_t whole = ft_augment_placeholder(text.p + at, text.n - at, slots, &slot);
        if (whole) {
            ft_buf_add(out, text.p + at, whole);
            at += whole;
            continue;
        }
        size_t letter = lone_letter(text, at);     /* 0 where there is none */
        if (kind == POINT && ft_dice_chance(dice, p)) {
            at += n;
        } else if (letter && ft_dice_chance(dice, p)) {
            at += slip(text, at, letter, dice, out);
        } else {
            ft_buf_add(out, text.p + at, n);
            at += n;
        }
    }
    if (out->n == before)
        ft_buf_add(out, text.p, text.n);
}
