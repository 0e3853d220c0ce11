/* tokenizer_text.h: the text whose ids tests/golden/tokenizer.txt holds, by the same generator as
 * in tests/golden/make_tokenizer.py. Change both or none.
 */
#ifndef FT_TOKENIZER_TEXT_H
#define FT_TOKENIZER_TEXT_H

#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES 65536
#define SCALARS (0x110000u - 0x800u)
#define COUNT_OF(a) ((uint32_t)(sizeof(a) / sizeof *(a)))

typedef struct text_source {
    uint64_t state;            /* of splitmix64 */
    uint32_t sweep;
} text_source;

typedef struct code_range { uint32_t first, last; } code_range;

static const char *const text_words[] = {
    "the", "of", "and", "to", "in", "is", "that", "for", "it", "was", "on", "are", "as", "with",
    "his", "they", "be", "at", "one", "have", "this", "from", "or", "had", "by", "hot", "word",
    "but", "what", "some", "we", "can", "out", "other", "were", "all", "there", "when", "up", "use",
    "your", "how", "said", "an", "each", "she", "which", "do", "their", "time", "if", "will", "way",
    "about", "many", "then", "them", "write", "would", "like", "so", "these", "her", "long", "make",
    "thing", "see", "him", "two", "has", "look", "more", "day", "could", "go", "come", "did",
    "number", "sound", "no", "most", "people", "my", "over", "know", "water", "than", "call",
    "first", "who", "may", "down", "side", "been", "now", "find", "any", "Tokenizer",
    "Internationalisation", "NASA", "McDonald", "X"};
static const char *const text_gaps[] = {" ", " ", " ", " ", ", ", ". ", "\n", "; ", "-"};
static const char *const text_code[] = {
    "if (", ") {\n", "    ", "\t", "\t\t", "return ", ";\n", " == ", "0x1F", "->", "::", "/*",
    "*/\n", "//", "\"", "'", "\\n", "#include <", ">\n", "def ", "self.", "():\n", "[i]", "!=",
    "&&", "||", "<<=", "___", "...", "$x", "@a", "%d", "camelCase", "snake_case", "{}\n\n",
    "<|im_start|>", "<|im_end|>", "\r\n", "        ", "1e-5"};
static const char *const text_after[] = {"", " ", ".", ",", "  "};
static const char *const text_ends[] = {
    "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "'Ll", "\xe2\x80\x99s", "''", "'",
    " '", "'x", "'r", "'v", "'l", " 's", "'sa", "'1"};
static const uint32_t text_spaces[] = {
    0x20, 0x20, 0x20, 0x09, 0x0a, 0x0d, 0x0b, 0x0c, 0x85, 0xa0, 0x1680, 0x2000, 0x2003, 0x200a,
    0x200b, 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff, 0x1c, 0x180e};
static const code_range text_east[] = {{0x4e00, 0x9fff}, {0x3040, 0x30ff}, {0xac00, 0xd7a3},
                                       {0x3000, 0x3020}, {0xff01, 0xff5e}, {0x20000, 0x2a6df}};
static const code_range text_emoji[] = {
    {0x1f300, 0x1f64f}, {0x1f3fb, 0x1f3ff}, {0x200d, 0x200d}, {0xfe0f, 0xfe0f},
    {0x1f1e6, 0x1f1ff}, {0x2600, 0x27bf}, {0x1f900, 0x1f9ff}, {0x20e3, 0x20e3},
    {0xe0061, 0xe007f}, {0x200d, 0x200d}};
static const code_range text_scripts[] = {
    {0x400, 0x4ff}, {0x370, 0x3ff}, {0x600, 0x6ff}, {0x590, 0x5ff}, {0x900, 0x97f},
    {0xe00, 0xe7f}, {0x1200, 0x137f}, {0xc0, 0x24f}, {0x10d40, 0x10d85}, {0x2150, 0x218f},
    {0x1d400, 0x1d7ff}, {0x11bc0, 0x11bff}, {0x2e80, 0x2fdf}, {0xb2, 0xbe}};

static uint32_t text_below(text_source *t, uint32_t n)
{
    uint64_t z = t->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static void text_put(ft_buf *b, uint32_t c)
{
    if (c < 0x80) {
        ft_buf_add_byte(b, (uint8_t)c);
    } else if (c < 0x800) {
        ft_buf_add_byte(b, (uint8_t)(0xc0 | c >> 6));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        ft_buf_add_byte(b, (uint8_t)(0xe0 | c >> 12));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
    } else {
        ft_buf_add_byte(b, (uint8_t)(0xf0 | c >> 18));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c >> 12 & 0x3f)));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c >> 6 & 0x3f)));
        ft_buf_add_byte(b, (uint8_t)(0x80 | (c & 0x3f)));
    }
}

static void text_range(text_source *t, ft_buf *b, const code_range *table, uint32_t n)
{
    const code_range *r = &table[text_below(t, n)];
    text_put(b, r->first + text_below(t, r->last - r->first + 1));
}

static void text_scalar(ft_buf *b, uint32_t c)
{
    text_put(b, c < 0xd800 ? c : c + 0x800);
}

#define PICK(t, table) ((table)[text_below(t, COUNT_OF(table))])

static void text_number(text_source *t, ft_buf *b)
{
    uint32_t limit = 10, digits = text_below(t, 9);
    while (digits--)
        limit *= 10;
    ft_buf_add_fmt(b, "%u", text_below(t, limit));
    ft_buf_add_str(b, PICK(t, text_after));
}

static void text_item(text_source *t, ft_buf *b, uint32_t kind)
{
    uint32_t marks;
    switch (kind) {
    case 0:
        ft_buf_add_str(b, PICK(t, text_words));
        ft_buf_add_str(b, PICK(t, text_gaps));
        break;
    case 1: ft_buf_add_str(b, PICK(t, text_code)); break;
    case 2: text_number(t, b); break;
    case 3: text_range(t, b, text_east, COUNT_OF(text_east)); break;
    case 4: text_range(t, b, text_emoji, COUNT_OF(text_emoji)); break;
    case 5: text_put(b, PICK(t, text_spaces)); break;
    case 6:
        text_put(b, 0x61 + text_below(t, 26));
        for (marks = text_below(t, 4); marks; marks--)
            text_put(b, 0x300 + text_below(t, 0x70));
        break;
    case 7: text_scalar(b, text_below(t, SCALARS)); break;
    case 8:
        ft_buf_add_str(b, PICK(t, text_words));
        ft_buf_add_str(b, PICK(t, text_ends));
        break;
    case 9: text_range(t, b, text_scripts, COUNT_OF(text_scripts)); break;
    case 10: text_put(b, text_below(t, 128)); break;
    default:
        text_scalar(b, t->sweep);
        t->sweep = (t->sweep + 1) % SCALARS;
    }
}

/* Makes the next chunk: a little more than CHUNK_BYTES, whole characters. */
static void text_chunk(text_source *t, ft_buf *b)
{
    ft_buf_clear(b);
    while (b->n < CHUNK_BYTES && !b->failed) {
        uint32_t kind = text_below(t, 12);
        uint32_t n = kind == 11 ? 80 : 1 + text_below(t, kind < 2 ? 60 : 30);
        int pure = text_below(t, 2) != 0;
        while (n--)
            text_item(t, b, pure ? kind : text_below(t, 11));
    }
}

#endif
