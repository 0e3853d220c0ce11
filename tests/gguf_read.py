"""gguf_read.py: a GGUF reader of its own for the tests, in plain Python, apart from lib/model.

    python3 gguf_read.py FILE           keys (short ones with values) and tensors
    python3 gguf_read.py --digest FILE  the digest of the tensors that lib/model/gguf.h defines
"""
import struct
import sys

PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
NF4 = 0x66740004
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
          12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (1, 2)}
NAMES = {0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 6: "q5_0", 7: "q5_1", 8: "q8_0", 12: "q4_k",
         13: "q5_k", 14: "q6_k", 30: "bf16", NF4: "nf4"}


def size_of(kind, shape):
    n = 1
    for d in shape:
        n *= d
    if kind == NF4:
        blocks = -(-n // 64)
        return 4 + 4 * -(-blocks // 256) + blocks + n // 2
    return n // BLOCKS[kind][0] * BLOCKS[kind][1]


class Gguf:
    """keys: name -> value; tensors: name -> (type, shape, bytes), both in file order."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.b = f.read()
        self.at = 0
        magic, version, n_tensors, n_keys = self.take("4sIQQ")
        assert magic == b"GGUF" and version == 3, (magic, version)
        self.keys = {}
        for _ in range(n_keys):
            name = self.string()
            assert name not in self.keys
            self.keys[name] = self.value(self.take("I")[0])
        entries = [self.entry() for _ in range(n_tensors)]
        align = self.keys.get("general.alignment", 32)
        start = (self.at + align - 1) // align * align
        self.tensors = {}
        for name, kind, shape, offset in entries:
            n = size_of(kind, shape)
            assert offset % align == 0 and start + offset + n <= len(self.b)
            assert name not in self.tensors
            self.tensors[name] = (kind, shape, self.b[start + offset:start + offset + n])

    def take(self, fmt):
        v = struct.unpack_from("<" + fmt, self.b, self.at)
        self.at += struct.calcsize("<" + fmt)
        return v

    def string(self):
        n = self.take("Q")[0]
        assert n <= len(self.b) - self.at
        self.at += n
        return self.b[self.at - n:self.at].decode()

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            item, n = self.take("IQ")
            return [self.value(item) for _ in range(n)]
        return self.take(PLAIN[kind])[0]

    def entry(self):
        name = self.string()
        shape = self.take("%dQ" % self.take("I")[0])
        kind, offset = self.take("IQ")
        return name, kind, shape, offset


def decode(kind, data):
    """The weights of a tensor as a list of floats; not of the K types and NF4."""
    assert kind != NF4 and BLOCKS[kind][0] <= 32
    if kind == 0:
        return list(struct.unpack("<%df" % (len(data) // 4), data))
    if kind == 1:
        return list(struct.unpack("<%de" % (len(data) // 2), data))
    if kind == 30:
        return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0] for i in range(0, len(data), 2)]
    out = []
    size = BLOCKS[kind][1]
    for at in range(0, len(data), size):
        b = data[at:at + size]
        d = struct.unpack_from("<e", b)[0]
        if kind == 8:
            out += [d * q for q in struct.unpack_from("<32b", b, 2)]
        elif kind == 2:
            out += [d * ((q & 15) - 8) for q in b[2:]] + [d * ((q >> 4) - 8) for q in b[2:]]
        elif kind in (6, 7):
            m, at_bits = (struct.unpack_from("<e", b, 2)[0], 4) if kind == 7 else (-16 * d, 2)
            bits = struct.unpack_from("<I", b, at_bits)[0]
            low = [q & 15 for q in b[at_bits + 4:]] + [q >> 4 for q in b[at_bits + 4:]]
            out += [d * (q + 16 * (bits >> i & 1)) + m for i, q in enumerate(low)]
        else:
            m = struct.unpack_from("<e", b, 2)[0]
            out += [d * (q & 15) + m for q in b[4:]] + [d * (q >> 4) + m for q in b[4:]]
    return out


def digest(g):
    import xxhash
    d = bytes(16)
    for name in sorted(g.tensors, key=str.encode):
        kind, shape, data = g.tensors[name]
        four = (tuple(shape) + (1, 1, 1))[:4]
        d = xxhash.xxh3_128_digest(d + xxhash.xxh3_128_digest(name.encode()) +
                                   struct.pack("<I4Q", kind, *four) +
                                   xxhash.xxh3_128_digest(data))
    return d.hex()


if __name__ == "__main__":
    if sys.argv[1] == "--digest":
        print(digest(Gguf(sys.argv[2])))
        sys.exit(0)
    file = Gguf(sys.argv[1])
    for key, val in file.keys.items():
        print(key, val if not isinstance(val, list) else "%d items" % len(val))
    for key, (t, dims, raw) in file.tensors.items():
        print(key, NAMES[t], dims, len(raw))
