"""make_gguf.py: GGUF files that must be refused, each with what the message has to name.

    cases()   -> list of (name, bytes, fragment of the message)

Each case is a good file with one thing wrong, built from parts so that everything else still fits.
"""
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
NF4 = 0x66740004
PLAIN = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B",
         U64: "Q", I64: "q", F64: "d"}


def string(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def value(kind, v):
    return string(v) if kind == STRING else struct.pack("<" + PLAIN[kind], v)


def key(name, kind, v):
    return string(name) + struct.pack("<I", kind) + value(kind, v)


def array(name, item, items):
    return (string(name) + struct.pack("<IIQ", ARRAY, item, len(items)) +
            b"".join(value(item, v) for v in items))


def raw(name, kind, data):
    return string(name) + struct.pack("<I", kind) + data


class Model:
    """A model of one layer: C 8, two heads, F 8, V 4, whose parts a case replaces."""

    def __init__(self):
        self.head = b"GGUF" + struct.pack("<I", 3)
        self.counts = None
        self.align = 32
        self.tail = b""
        self.fill = 1.0
        p = "llama."
        self.keys = {
            "general.architecture": key("general.architecture", STRING, "llama"),
            p + "block_count": key(p + "block_count", U32, 1),
            p + "context_length": key(p + "context_length", U32, 16),
            p + "embedding_length": key(p + "embedding_length", U32, 8),
            p + "feed_forward_length": key(p + "feed_forward_length", U32, 8),
            p + "attention.head_count": key(p + "attention.head_count", U32, 2),
            p + "attention.layer_norm_rms_epsilon":
                key(p + "attention.layer_norm_rms_epsilon", F32, 1e-5),
        }
        self.tensors = [["token_embd.weight", [8, 4], 0], ["output_norm.weight", [8], 0]]
        for name in "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down".split():
            self.tensors.append(["blk.0.%s.weight" % name, [8, 8], 0])
        for name in ["attn_norm", "ffn_norm"]:
            self.tensors.append(["blk.0.%s.weight" % name, [8], 0])

    def set(self, name, kind, v):
        self.keys[name] = key(name, kind, v)
        return self

    def tensor(self, name):
        return next(t for t in self.tensors if t[0] == name)

    def add(self, name, shape, kind=0):
        self.tensors.append([name, shape, kind])
        return self

    def bytes(self):
        offset, directory = 0, b""
        for t in self.tensors:
            name, shape, kind = t[:3]
            n = {0: 4, 1: 2, 30: 2, NF4: 1}.get(kind, 4)
            for d in shape:
                n *= d
            if kind == NF4:
                blocks = -(-n // 64)
                n = 4 + 4 * -(-blocks // 256) + blocks + n // 2
            forced = t[3] if len(t) > 3 else offset
            directory += (string(name) + struct.pack("<I", len(shape)) +
                          b"".join(struct.pack("<Q", d % 2 ** 64) for d in shape) +
                          struct.pack("<IQ", kind, forced))
            offset += -(-n // self.align) * self.align if n < 2 ** 20 else 0
        counts = self.counts or (len(self.tensors), len(self.keys))
        b = self.head + struct.pack("<QQ", *counts) + b"".join(self.keys.values()) + directory
        b += b"\0" * (-len(b) % self.align)
        return b + struct.pack("<f", self.fill) * (offset // 4) + self.tail


def with_key(name, kind, v):
    return Model().set(name, kind, v).bytes()


def with_raw(name, kind, data):
    m = Model()
    m.keys[name] = raw(name, kind, data)
    return m.bytes()


def with_tensor(name, shape=None, kind=None, offset=None):
    m = Model()
    t = m.tensor(name)
    t[1] = shape or t[1]
    t[2] = t[2] if kind is None else kind
    if offset is not None:
        t.append(offset)
    return m.bytes()


def header_cases():
    for name, data in [("empty", b""), ("one-byte", b"G"), ("magic", b"GGML" + bytes(60)),
                       ("magic-short", b"GGU")]:
        yield "head-" + name, data, "magic at byte 0"
    for version, word in [(0, "reads 2 and 3"), (1, "reads 2 and 3"), (4, "reads 2 and 3"),
                          (2 ** 32 - 1, "reads 2 and 3"), (0x03000000, "big-endian"),
                          (0x02000000, "big-endian")]:
        m = Model()
        m.head = b"GGUF" + struct.pack("<I", version)
        yield "version-%d" % version, m.bytes(), word
    yield "version-cut", b"GGUF\3\0", "version at byte 4"
    yield "count-cut", b"GGUF\3\0\0\0" + bytes(7), "tensor count at byte 8"
    yield "keys-cut", b"GGUF\3\0\0\0" + bytes(12), "key count at byte 16"
    for n in (1000, 65537, 2 ** 31, 2 ** 32, 2 ** 61, 2 ** 63, 2 ** 64 - 1):
        for which in (0, 1):
            m = Model()
            m.counts = (n, len(m.keys)) if which == 0 else (len(m.tensors), n)
            yield ("count-%d-%d" % (which, n), m.bytes(),
                   "tensor count at byte 8" if which == 0 else "key count at byte 16")
    m = Model()
    m.counts = (len(m.tensors), len(m.keys) + 1)       # the first tensor read as a key
    yield "count-one-key-more", m.bytes(), "tensor 0 at byte"
    m = Model()
    m.counts = (len(m.tensors) - 1, len(m.keys))
    yield "count-one-tensor-less", m.bytes(), "follow the last tensor"
    m = Model()
    m.tail = bytes(64)
    yield "tail", m.bytes(), "64 bytes follow the last tensor"


def key_cases():
    for n in (2 ** 20, 2 ** 32, 2 ** 63, 2 ** 64 - 1):
        yield ("key-length-%d" % n,
               b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, n) + bytes(40), "key 0 at byte 24")
        yield ("string-length-%d" % n, with_raw("a.b", STRING, struct.pack("<Q", n)),
               "key a.b at byte")
        yield ("array-count-%d" % n, with_raw("a.b", ARRAY, struct.pack("<IQ", U32, n)),
               "key a.b at byte")
        yield ("array-strings-%d" % n, with_raw("a.b", ARRAY, struct.pack("<IQ", STRING, n)),
               "key a.b at byte")
    yield "key-empty", with_key("", U32, 1), "name of 0 bytes"
    yield "key-long", with_key("k" * 65536, U32, 1), "name of 65536 bytes"
    yield "key-nul", with_key("a\0b", U32, 1), "byte 0x00 in the name"
    yield "key-escape", with_key("a\x1b[2J", U32, 1), "byte 0x1b in the name"
    yield "key-high", with_key("a\u00e9", U32, 1), "byte 0xc3 in the name"
    m = Model()
    m.keys["again"] = m.keys["llama.block_count"]
    yield "key-twice", m.bytes(), "key llama.block_count at byte"
    for kind in (13, 255, 2 ** 31):
        yield "value-type-%d" % kind, with_raw("a.b", kind, bytes(8)), "key a.b at byte"
        yield ("item-type-%d" % kind, with_raw("a.b", ARRAY, struct.pack("<IQ", kind, 1)),
               "array items: value type %d" % kind)
    yield ("array-nested", with_raw("a.b", ARRAY, struct.pack("<IQIQ", ARRAY, 1, U8, 0)),
           "array of arrays")
    yield "bool-2", with_raw("a.b", BOOL, b"\2"), "bool of value 2"
    bools = struct.pack("<IQ", BOOL, 3) + b"\0\1\xff"
    yield "bools", with_raw("a.b", ARRAY, bools), "bool of value 255"
    yield ("item-length", with_raw("a.b", ARRAY, struct.pack("<IQQ", STRING, 2, 2 ** 62)),
           "item 0: string length")
    for kind, v in [(U32, 0), (U32, 1), (U32, 4), (U32, 24), (U32, 33), (U32, 2 ** 31),
                    (U64, 32), (I32, 32), (STRING, "32"), (F32, 32.0), (U8, 32)]:
        yield ("alignment-%d-%s" % (kind, v), with_key("general.alignment", kind, v),
               "key general.alignment at byte")


def tensor_cases():
    q = "blk.0.attn_q.weight"
    for n in (0, 5, 255, 2 ** 32 - 1):
        m = Model()
        b = m.bytes()
        at = b.index(string(q)) + 8 + len(q)
        yield ("dims-%d" % n, b[:at] + struct.pack("<I", n) + b[at + 4:],
               "tensor %s at byte" % q)
    for i, shape in enumerate([[0, 8], [8, 0], [2 ** 63, 2], [2 ** 32, 2 ** 32], [2 ** 62, 8],
                               [4194305 ** 2, 211106198978564], [2 ** 61, 1], [2 ** 63 - 1, 3],
                               [2 ** 64 - 1, 2 ** 64 - 1]]):
        yield "shape-%d" % i, with_tensor(q, shape), "tensor " + q
    for kind in (4, 5, 9, 10, 11, 15, 16, 29, 31, 255, NF4 + 1, 2 ** 32 - 1):
        yield "type-%d" % kind, with_tensor(q, kind=kind), "type %d is not one" % kind
    for kind in (2, 3, 6, 7, 8, 12, 13, 14, NF4):
        yield "rows-%d" % kind, with_tensor(q, kind=kind), "multiple of"
    for offset in (1, 31, 0, 128 + 64, 2 ** 20, 2 ** 40, 2 ** 63, 2 ** 64 - 32, 2 ** 64 - 1):
        yield "offset-%d" % offset, with_tensor(q, offset=offset), "tensor %s at byte" % q
    yield "name-long", Model().add("t" * 65, [8]).bytes(), "name of 65 bytes"
    yield "name-empty", Model().add("", [8]).bytes(), "name of 0 bytes"
    yield "name-newline", Model().add("a\nb", [8]).bytes(), "byte 0x0a in the name"
    yield "name-twice", Model().add(q, [8, 8]).bytes(), "tensor %s at byte" % q
    b = Model().bytes()
    yield "data-cut", b[:-40], "data of"
    yield "data-none", b[:len(b) - 2016], "data of"


def model_cases():
    p = "llama."
    for name in Model().keys:
        m = Model()
        del m.keys[name]
        yield "without-" + name, m.bytes(), name
        yield "string-" + name, with_key(name, STRING, "x"), name
    for name in ("block_count", "embedding_length", "feed_forward_length", "context_length",
                 "attention.head_count", "attention.head_count_kv"):
        for n in (0, 2 ** 32 - 1):
            yield "%s-%d" % (name, n), with_key(p + name, U32, n), p + name
        yield name + "-negative", with_key(p + name, I32, -1), p + name
        yield name + "-huge", with_key(p + name, U64, 2 ** 64 - 1), p + name
    yield "layers-2", with_key(p + "block_count", U32, 2), "block_count"
    yield "heads-3", with_key(p + "attention.head_count", U32, 3), "head_count"
    yield "heads-8", with_key(p + "attention.head_count", U32, 8), "head_count"
    yield "kv-heads-3", with_key(p + "attention.head_count_kv", U32, 3), "head_count_kv"
    yield "kv-heads-1", with_key(p + "attention.head_count_kv", U32, 1), "attn_k"
    for v in (0.0, -1.0, float("nan"), float("inf"), 2.0):
        yield ("eps-%s" % v, with_key(p + "attention.layer_norm_rms_epsilon", F32, v),
               "layer_norm_rms_epsilon")
    for v in (0.0, -1.0, float("nan"), float("inf")):
        yield "theta-%s" % v, with_key(p + "rope.freq_base", F32, v), "rope.freq_base"
    for name in ("rope.dimension_count", "attention.key_length", "attention.value_length"):
        yield name, with_key(p + name, U32, 2), name
    yield "rope-scaling", with_key(p + "rope.scaling.type", STRING, "yarn"), "rope.scaling.type"
    yield "rope-factor", with_key(p + "rope.scaling.factor", F32, 4.0), "rope.scaling.factor"
    yield "experts", with_key(p + "expert_count", U32, 8), "expert_count"
    yield "vocab", with_key(p + "vocab_size", U32, 5), "vocab_size"
    yield "architecture", with_key("general.architecture", STRING, "gpt2"), '"gpt2"'
    yield ("architecture-odd", with_key("general.architecture", STRING, "\x1b[31m"),
           "general.architecture")
    m = Model()
    m.keys["t"] = array("tokenizer.ggml.tokens", STRING, ["a"] * 5)
    yield "tokens", m.bytes(), "tokenizer.ggml.tokens"
    for t in Model().tensors:
        m = Model()
        m.tensors = [u for u in m.tensors if u[0] != t[0]]
        yield "without-" + t[0], m.bytes(), "token_embd" if "embd" in t[0] else ""
        if len(t[1]) == 1:
            yield "half-" + t[0], with_tensor(t[0], kind=1), t[0]
            yield "twice-" + t[0], with_tensor(t[0], [8, 1]), t[0]
        elif "embd" not in t[0]:
            yield "flat-" + t[0], with_tensor(t[0], [64]), t[0]
            yield "wide-" + t[0], with_tensor(t[0], [16, 4]), t[0]
    yield "bias", Model().add("blk.0.attn_q.bias", [8]).bytes(), "blk.0.attn_q.bias"
    yield "layer-more", Model().add("blk.1.attn_q.weight", [8, 8]).bytes(), "blk.1.attn_q.weight"
    yield "head-shape", Model().add("output.weight", [8, 5]).bytes(), "output.weight"
    yield "rope-freqs-shape", Model().add("rope_freqs.weight", [4]).bytes(), "rope_freqs.weight"


def nf4_model():
    """The model with 32 for 8 and its matrices in NF4; without the right digest of its tensors."""
    m = Model()
    for name in ("embedding_length", "feed_forward_length"):
        m.set("llama." + name, U32, 32)
    for t in m.tensors:
        t[1] = [32 if d == 8 else d for d in t[1]]
        if t[0].startswith("blk.") and len(t[1]) == 2:
            t[2] = NF4
    m.set("ft.nf4.source", STRING, "0123456789abcdef" * 2)
    return m.set("ft.nf4.digest", STRING, "0" * 32)


def nf4_cases():
    q = "blk.0.attn_q.weight"
    yield "nf4-altered", nf4_model().bytes(), "ft.nf4.digest: the tensors are not those"
    for name in ("ft.nf4.source", "ft.nf4.digest"):
        m = nf4_model()
        del m.keys[name]
        yield "nf4-without-" + name, m.bytes(), "key %s is missing" % name
        yield "nf4-type-" + name, nf4_model().set(name, U32, 1).bytes(), name
        for i, v in enumerate(["", "0" * 31, "0" * 33, "0" * 31 + "g", "0" * 31 + "A", "0" * 64]):
            yield ("nf4-%s-%d" % (name, i), nf4_model().set(name, STRING, v).bytes(),
                   name + ": not a digest")
    yield ("nf4-key-alone", with_key("ft.nf4.source", STRING, "0" * 32), "no tensor is in nf4")
    for name in [q, "blk.0.ffn_down.weight"]:
        m = nf4_model()
        m.tensor(name)[2] = 0
        yield "nf4-mixed-" + name, m.bytes(), "all in nf4 or none"
    m = nf4_model()
    m.tensor("token_embd.weight")[2] = NF4
    yield "nf4-embedding", m.bytes(), "token_embd.weight: type nf4"
    m = nf4_model().add("output.weight", [32, 4], NF4)
    yield "nf4-head", m.bytes(), "output.weight: type nf4"
    m = nf4_model()
    m.tensor("output_norm.weight")[2] = NF4
    yield "nf4-norm", m.bytes(), "output_norm.weight: type nf4"
    for v in (float("nan"), float("inf"), -1.0):
        m = nf4_model()
        m.fill = v
        yield "nf4-scale-%s" % v, m.bytes(), q + ": a scale"
    for shape in ([2 ** 63, 2], [2 ** 32, 2 ** 32], [2 ** 61, 8], [2 ** 62, 1], [2 ** 64 - 32, 1]):
        m = nf4_model()
        m.tensor(q)[1] = shape
        yield "nf4-shape-%d-%d" % tuple(shape), m.bytes(), "tensor " + q
    b = nf4_model().bytes()
    yield "nf4-cut", b[:-200], "data of"


def cases():
    out = []
    for group in (header_cases, key_cases, tensor_cases, model_cases, nf4_cases):
        out += list(group())
    names = [c[0] for c in out]
    assert len(set(names)) == len(names), sorted(n for n in names if names.count(n) > 1)
    return out
