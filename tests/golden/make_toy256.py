"""make_toy256.py: writes toy256.gguf, a small Llama model whose rows fill the super-blocks of GGUF's
K types, and toy256.golden, what it computes.

    python3 make_toy256.py [toy256.gguf [toy256.golden]]

Made with gguf 0.19.0, tokenizers 0.23.3 and numpy 2.4.6. gguf decodes K types but does not encode
them, so the blocks are random codes with sane scales (random_blocks of make_quant.py). One layer,
grouped-query attention, tied head, the tokenizer of toy.gguf. The golden file, little-endian: T and
n as u32, T ids, n positions, and n times 512 float logits after these positions, computed in double
from the weights that gguf decodes.
"""
import sys

import gguf
import numpy as np

from make_quant import random_blocks
from make_toy import write_tokenizer

C, H, H_KV, D, F, V, THETA, EPS = 256, 4, 2, 64, 512, 512, 10000.0, 1e-5
K = gguf.GGMLQuantizationType
#          name                       rows      cols  type   size of a weight
MATRICES = [("token_embd.weight", V, C, K.Q6_K, 0.3),
            ("blk.0.attn_q.weight", H * D, C, K.Q4_K, 0.15),
            ("blk.0.attn_k.weight", H_KV * D, C, K.Q5_K, 0.15),
            ("blk.0.attn_v.weight", H_KV * D, C, K.Q6_K, 0.1),
            ("blk.0.attn_output.weight", C, H * D, K.Q5_0, 0.1),
            ("blk.0.ffn_gate.weight", F, C, K.Q4_K, 0.1),
            ("blk.0.ffn_up.weight", F, C, K.Q5_1, 0.1),
            ("blk.0.ffn_down.weight", C, F, K.Q5_K, 0.1)]
POSITIONS = [0, 1, 17, 39]


def make_tensors():
    """Name -> (encoded bytes or floats, type)."""
    rng = np.random.default_rng(256)
    t = {}
    for name, rows, cols, kind, size in MATRICES:
        block, n_bytes = gguf.GGML_QUANT_SIZES[kind]
        blocks = random_blocks(kind, rows * cols // block, rng, size)
        t[name] = (blocks.reshape(rows, cols // block * n_bytes), kind)
    for name in ["output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"]:
        t[name] = (rng.uniform(0.5, 1.5, C).astype(np.float32), K.F32)
    return t


def rms_norm(x, w):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPS) * w


def rope(x):
    """x: [T, heads, D]; neighbours rotate together, the order that GGUF's rows have."""
    T = x.shape[0]
    angle = np.arange(T)[:, None] * THETA ** (-np.arange(0, D, 2) / D)
    z = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)[:, None]
    return np.stack([z.real, z.imag], -1).reshape(x.shape)


def forward(w, ids):
    T = len(ids)
    x = w["token_embd.weight"][ids]
    h = rms_norm(x, w["blk.0.attn_norm.weight"])
    q = rope((h @ w["blk.0.attn_q.weight"].T).reshape(T, H, D))
    k = rope((h @ w["blk.0.attn_k.weight"].T).reshape(T, H_KV, D))
    v = (h @ w["blk.0.attn_v.weight"].T).reshape(T, H_KV, D)
    k, v = (np.repeat(a, H // H_KV, axis=1) for a in (k, v))
    s = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(D)
    s = np.where(np.tril(np.ones((T, T), bool)), s, -np.inf)
    p = np.exp(s - s.max(-1, keepdims=True))
    a = np.einsum("hqk,khd->qhd", p / p.sum(-1, keepdims=True), v).reshape(T, C)
    x = x + a @ w["blk.0.attn_output.weight"].T
    h = rms_norm(x, w["blk.0.ffn_norm.weight"])
    g = h @ w["blk.0.ffn_gate.weight"].T
    x = x + (g / (1 + np.exp(-g)) * (h @ w["blk.0.ffn_up.weight"].T)) @ w["blk.0.ffn_down.weight"].T
    return rms_norm(x, w["output_norm.weight"]) @ w["token_embd.weight"].T


def write_model(path, tensors):
    w = gguf.GGUFWriter(path, "llama")
    w.add_type("model")
    w.add_name("toy256")
    w.add_block_count(1)
    w.add_context_length(256)
    w.add_embedding_length(C)
    w.add_feed_forward_length(F)
    w.add_head_count(H)
    w.add_head_count_kv(H_KV)
    w.add_rope_freq_base(THETA)
    w.add_layer_norm_rms_eps(EPS)
    w.add_file_type(15)
    w.add_vocab_size(V)
    w.add_rope_dimension_count(D)
    write_tokenizer(w)
    for name, (data, kind) in tensors.items():
        w.add_tensor(name, data, raw_dtype=None if kind == K.F32 else kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    tensors = make_tensors()
    write_model(sys.argv[1] if len(sys.argv) > 1 else "toy256.gguf", tensors)
    ids = np.random.default_rng(1).integers(0, V, 40)
    w = {name: data.astype(np.float64) if kind == K.F32 else
         gguf.quants.dequantize(data, kind).astype(np.float64)
         for name, (data, kind) in tensors.items()}
    logits = forward(w, ids)[POSITIONS]
    with open(sys.argv[2] if len(sys.argv) > 2 else "toy256.golden", "wb") as f:
        f.write(np.uint32([len(ids), len(POSITIONS)]).tobytes() + ids.astype("<u4").tobytes() +
                np.uint32(POSITIONS).tobytes() + logits.astype("<f4").tobytes())
    print("logits: standard deviation %.3f, largest %.3f" % (logits.std(), abs(logits).max()))


if __name__ == "__main__":
    main()
