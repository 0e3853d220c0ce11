"""make_tokenizer.py: writes tokenizer.txt, the ids that the reference gives for 10 MB of text.

    python3 make_tokenizer.py toy.gguf SmolLM2-135M-Instruct.Q4_1.gguf > tokenizer.txt

Made with tokenizers 0.23.3, gguf 0.19.0 and xxhash 3.0.0 (XXH3-64). The text is not kept: it
comes from a seed, here and in tests/unit/tokenizer_text.h alike. A line holds the digest of one
chunk of text, then for each model and pre-tokenizer the digest of its ids as little-endian u32.
"""
import struct
import sys

import gguf
import xxhash
from tokenizers import Tokenizer, models, pre_tokenizers

MASK = (1 << 64) - 1
CHUNK, CHUNKS = 65536, 160

WORDS = ("the of and to in is that for it was on are as with his they be at one have this from or "
         "had by hot word but what some we can out other were all there when up use your how said "
         "an each she which do their time if will way about many then them write would like so "
         "these her long make thing see him two has look more day could go come did number sound "
         "no most people my over know water than call first who may down side been now find any "
         "Tokenizer Internationalisation NASA McDonald X").split(" ")
CODE = ["if (", ") {\n", "    ", "\t", "\t\t", "return ", ";\n", " == ", "0x1F", "->", "::", "/*",
        "*/\n", "//", "\"", "'", "\\n", "#include <", ">\n", "def ", "self.", "():\n", "[i]", "!=",
        "&&", "||", "<<=", "___", "...", "$x", "@a", "%d", "camelCase", "snake_case", "{}\n\n",
        "<|im_start|>", "<|im_end|>", "\r\n", "        ", "1e-5"]
ENDS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "'Ll", "\u2019s", "''", "'", " '",
        "'x", "'r", "'v", "'l", " 's", "'sa", "'1"]
SPACES = [0x20, 0x20, 0x20, 0x09, 0x0a, 0x0d, 0x0b, 0x0c, 0x85, 0xa0, 0x1680, 0x2000, 0x2003,
          0x200a, 0x200b, 0x2028, 0x2029, 0x202f, 0x205f, 0x2060, 0x3000, 0xfeff, 0x1c, 0x180e]
EAST = [(0x4e00, 0x9fff), (0x3040, 0x30ff), (0xac00, 0xd7a3), (0x3000, 0x3020), (0xff01, 0xff5e),
        (0x20000, 0x2a6df)]
EMOJI = [(0x1f300, 0x1f64f), (0x1f3fb, 0x1f3ff), (0x200d, 0x200d), (0xfe0f, 0xfe0f),
         (0x1f1e6, 0x1f1ff), (0x2600, 0x27bf), (0x1f900, 0x1f9ff), (0x20e3, 0x20e3),
         (0xe0061, 0xe007f), (0x200d, 0x200d)]
SCRIPTS = [(0x400, 0x4ff), (0x370, 0x3ff), (0x600, 0x6ff), (0x590, 0x5ff), (0x900, 0x97f),
           (0xe00, 0xe7f), (0x1200, 0x137f), (0xc0, 0x24f), (0x10d40, 0x10d85), (0x2150, 0x218f),
           (0x1d400, 0x1d7ff), (0x11bc0, 0x11bff), (0x2e80, 0x2fdf), (0xb2, 0xbe)]


class Text:
    """The generator: splitmix64 (Steele, Lea and Flood, OOPSLA 2014) choosing from the tables."""

    def __init__(self, seed):
        self.state, self.sweep = seed, 0

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return (z ^ z >> 31) % n

    def pick(self, table):
        return table[self.below(len(table))]

    def ranged(self, table):
        first, last = self.pick(table)
        return chr(first + self.below(last - first + 1))

    def scalar(self):
        c = self.below(0x110000 - 0x800)
        return chr(c if c < 0xd800 else c + 0x800)

    def swept(self):
        """All code points in turn, surrogates left out."""
        c = self.sweep
        self.sweep = (c + 1) % (0x110000 - 0x800)
        return chr(c if c < 0xd800 else c + 0x800)

    def combined(self):
        s = chr(0x61 + self.below(26))
        for _ in range(self.below(4)):
            s += chr(0x300 + self.below(0x70))
        return s

    def item(self, kind):
        if kind == 0:
            return self.pick(WORDS) + self.pick([" ", " ", " ", " ", ", ", ". ", "\n", "; ", "-"])
        if kind == 1:
            return self.pick(CODE)
        if kind == 2:
            return str(self.below(10 ** (1 + self.below(9)))) + self.pick(["", " ", ".", ",", "  "])
        if kind == 3:
            return self.ranged(EAST)
        if kind == 4:
            return self.ranged(EMOJI)
        if kind == 5:
            return chr(self.pick(SPACES))
        if kind == 6:
            return self.combined()
        if kind == 7:
            return self.scalar()
        if kind == 8:
            return self.pick(WORDS) + self.pick(ENDS)
        if kind == 9:
            return self.ranged(SCRIPTS)
        if kind == 10:
            return chr(self.below(128))
        return self.swept()

    def piece(self):
        kind = self.below(12)
        n = 80 if kind == 11 else 1 + self.below(60 if kind < 2 else 30)
        if self.below(2):
            return "".join(self.item(kind) for _ in range(n))
        return "".join(self.item(self.below(11)) for _ in range(n))

    def chunk(self):
        parts, size = [], 0
        while size < CHUNK:
            part = self.piece().encode()
            parts.append(part)
            size += len(part)
        return b"".join(parts)


def tokenizers_of(path):
    fields = gguf.GGUFReader(path).fields
    vocab = {s: i for i, s in enumerate(fields["tokenizer.ggml.tokens"].contents())}
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = pre_tokenizers.Digits(individual_digits=True)
    for pre in (pre_tokenizers.Sequence([digits, level]), level):     # "smollm", "gpt-2"
        t = Tokenizer(models.BPE(vocab=vocab, merges=merges))
        t.pre_tokenizer = pre
        yield t


def main():
    all_of_them = [t for path in sys.argv[1:] for t in tokenizers_of(path)]
    text = Text(1)
    print("# text, toy smollm, toy gpt-2, SmolLM2 smollm, SmolLM2 gpt-2; see make_tokenizer.py")
    for _ in range(CHUNKS):
        chunk = text.chunk()
        row = [xxhash.xxh3_64_hexdigest(chunk)]
        for t in all_of_them:
            ids = t.encode(chunk.decode(), add_special_tokens=False).ids
            row.append(xxhash.xxh3_64_hexdigest(struct.pack(f"<{len(ids)}I", *ids)))
        print(*row)


if __name__ == "__main__":
    main()
