"""make_7b.py: writes a model of the shape of Llama-2-7B with random weights in Q4_0, to measure
what training such a model costs where none can be fetched.

    python3 make_7b.py OUT.gguf [--layers 32] [--embed 4096] [--heads 32] [--kv-heads HEADS]
                       [--mlp 11008] [--vocab 32000] [--context 4096]

A quarter of the 70B shape: --layers 20 --embed 8192 --heads 64 --kv-heads 8 --mlp 28672. Prints the
numbers of weights in the layers and in the head. Needs only Python and is bound by the disk: one
pool of random blocks is written over and over, each matrix from another place of it. The scales
give each matrix the gain of a usual initialisation, so activations stay finite. The tokenizer is
byte-level: 256 bytes, some merges, three special tokens and unused entries up to --vocab.
"""
import argparse
import random
import struct

ALIGN = 32
BLOCK_BYTES, BLOCK = 18, 32
POOL_BLOCKS = 65537                     # odd: rows of 2^n blocks begin everywhere in the pool
F32, Q4_0 = 0, 2
U32, F32_VALUE, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
NORMAL, CONTROL, UNUSED = 1, 3, 5


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STRING:
        return string(v)
    return struct.pack({U32: "<I", I32: "<i", F32_VALUE: "<f", BOOL: "<?"}[kind], v)


def key(name, kind, v):
    return string(name) + struct.pack("<I", kind) + value(kind, v)


def array(name, item, values):
    return string(name) + struct.pack("<IIQ", ARRAY, item, len(values)) + b"".join(
        value(item, v) for v in values)


def byte_alphabet():
    """Byte-level BPE writes each byte as one visible character."""
    visible = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in visible]
    return [chr(b) for b in visible] + [chr(0x100 + i) for i in range(len(others))]


def tokenizer(vocab):
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    merges = ["t h", "th e", "i n", "a n", "\u0120 t", "o n"]
    tokens = specials + byte_alphabet() + [m.replace(" ", "") for m in merges]
    types = [CONTROL] * len(specials) + [NORMAL] * (len(tokens) - len(specials))
    if vocab < len(tokens):
        raise SystemExit(f"--vocab is at least {len(tokens)}")
    n = vocab - len(tokens)
    tokens += [f"<unused{i}>" for i in range(n)]
    types += [UNUSED] * n
    return [key("tokenizer.ggml.model", STRING, "gpt2"),
            key("tokenizer.ggml.pre", STRING, "smollm"),
            array("tokenizer.ggml.tokens", STRING, tokens),
            array("tokenizer.ggml.token_type", I32, types),
            array("tokenizer.ggml.merges", STRING, merges),
            key("tokenizer.ggml.bos_token_id", U32, 1),
            key("tokenizer.ggml.eos_token_id", U32, 2),
            key("tokenizer.ggml.add_bos_token", BOOL, False),
            key("tokenizer.ggml.add_space_prefix", BOOL, False)]


def keys(a):
    return [key("general.architecture", STRING, "llama"),
            key("general.name", STRING, "random weights"),
            key("general.file_type", U32, 2),
            key("general.alignment", U32, ALIGN),
            key("llama.block_count", U32, a.layers),
            key("llama.context_length", U32, a.context),
            key("llama.embedding_length", U32, a.embed),
            key("llama.feed_forward_length", U32, a.mlp),
            key("llama.attention.head_count", U32, a.heads),
            key("llama.attention.head_count_kv", U32, a.kv_heads),
            key("llama.rope.freq_base", F32_VALUE, 10000.0),
            key("llama.rope.dimension_count", U32, a.embed // a.heads),
            key("llama.attention.layer_norm_rms_epsilon", F32_VALUE, 1e-5),
            key("llama.vocab_size", U32, a.vocab)] + tokenizer(a.vocab)


def tensors(a):
    """(name, type, columns, rows) in file order; rows 0: a vector."""
    C, kv, F = a.embed, a.embed // a.heads * a.kv_heads, a.mlp
    yield "token_embd.weight", Q4_0, C, a.vocab
    for i in range(a.layers):
        p = f"blk.{i}."
        yield p + "attn_norm.weight", F32, C, 0
        for name, cols, rows in [("attn_q", C, C), ("attn_k", C, kv), ("attn_v", C, kv),
                                 ("attn_output", C, C)]:
            yield p + name + ".weight", Q4_0, cols, rows
        yield p + "ffn_norm.weight", F32, C, 0
        for name, cols, rows in [("ffn_gate", C, F), ("ffn_up", C, F), ("ffn_down", F, C)]:
            yield p + name + ".weight", Q4_0, cols, rows
    yield "output_norm.weight", F32, C, 0
    yield "output.weight", Q4_0, C, a.vocab


def size(kind, cols, rows):
    return 4 * cols if kind == F32 else cols // BLOCK * BLOCK_BYTES * rows


def directory(a):
    out, at = [], 0
    for name, kind, cols, rows in tensors(a):
        shape = [cols, rows] if rows else [cols]
        out.append(string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, at))
        at += (size(kind, cols, rows) + ALIGN - 1) // ALIGN * ALIGN
    return out


def pool_of(gain):
    """POOL_BLOCKS blocks of random nibbles; those (uniform in -8..7) deviate by 4.6 scales."""
    r = random.Random(7)
    pool = bytearray(POOL_BLOCKS * BLOCK_BYTES)
    scale = struct.pack("<e", gain / 4.6)
    pool[0::BLOCK_BYTES] = scale[:1] * POOL_BLOCKS
    pool[1::BLOCK_BYTES] = scale[1:] * POOL_BLOCKS
    for i in range(2, BLOCK_BYTES):
        pool[i::BLOCK_BYTES] = r.randbytes(POOL_BLOCKS)
    return bytes(pool)


def write_matrix(out, pool, n, number):
    at = number * 7919 % POOL_BLOCKS * BLOCK_BYTES
    while n > 0:
        part = memoryview(pool)[at:at + n]
        out.write(part)
        n -= len(part)
        at = 0


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    for name, default in [("layers", 32), ("embed", 4096), ("heads", 32), ("kv-heads", 0),
                          ("mlp", 11008), ("vocab", 32000), ("context", 4096)]:
        p.add_argument("--" + name, type=int, default=default)
    a = p.parse_args()
    a.kv_heads = a.kv_heads or a.heads
    if a.embed % BLOCK or a.mlp % BLOCK:
        raise SystemExit("--embed and --mlp are multiples of 32")
    pools = {cols: pool_of(cols ** -0.5) for cols in (a.embed, a.mlp)}
    pools["embedding"] = pool_of(0.05)
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(directory(a)), len(keys(a))), *keys(a),
            *directory(a)]
    with open(a.out, "wb", buffering=1 << 20) as out:
        out.write(b"".join(head))
        out.write(bytes(-out.tell() % ALIGN))
        for number, (name, kind, cols, rows) in enumerate(tensors(a)):
            if kind == F32:
                out.write(struct.pack("<f", 1.0) * cols)
            else:
                pool = pools["embedding" if name == "token_embd.weight" else cols]
                write_matrix(out, pool, size(kind, cols, rows), number)
            out.write(bytes(-out.tell() % ALIGN))
    matrices = sum(c * r for name, _, c, r in tensors(a) if name.startswith("blk.") and r)
    print(matrices, a.embed * a.vocab)


if __name__ == "__main__":
    main()
