"""make_quant.py: writes quant.golden, what the reference quantiser makes of fixed weights, and
quant_k.golden, what the reference makes of fixed blocks of the types that it can only decode.

    python3 make_quant.py [quant.golden [quant_k.golden]]

Made with gguf 0.19.0 and numpy 2.4.6. The file is little-endian: N as u32; N floats; then for
each of f32 f16 bf16 q8_0 q4_0 q4_1 (GGUF's type number as u32, bytes as u32, the encoded bytes, and
N floats decoded from them).

The weights: blocks of normal numbers as far as half-precision scales go; zeros of both signs; equal magnitudes of both signs in both orders (which one is "the largest"
decides the sign of q4_0's scale); values half-way between two codes; constant blocks; subnormal
halves; a single spike. Left out: NaN, infinity, and scales under 2^-128, for which the reference
gives what the machine's float-to-integer conversion gives.
"""
import sys

import gguf
import numpy as np

BLOCK = 32


def weights():
    rng = np.random.default_rng(7)
    blocks = [np.zeros(BLOCK), np.full(BLOCK, -0.0), np.full(BLOCK, 0.37), np.full(BLOCK, -2.5)]
    for exponent in range(-24, 12):
        blocks.append(rng.standard_normal(BLOCK) * 10.0 ** (exponent / 3))
    for first, second in [(1.5, -1.5), (-1.5, 1.5)]:
        b = rng.uniform(-1, 1, BLOCK)
        b[5], b[20] = first, second
        blocks.append(b)
    # Scale exactly 1 (q8_0: largest 127; q4_0: -8; q4_1: 0 and 15), the rest half-way.
    blocks.append(np.concatenate([[127], np.arange(31) - 15 + 0.5]))
    blocks.append(np.concatenate([[-8], np.linspace(-7.5, 7.5, 31)]))
    blocks.append(np.concatenate([[0, 15], np.arange(30) / 2]))
    blocks.append(rng.standard_normal(BLOCK) * 2.0 ** -24)      # subnormal halves and their ties
    blocks.append((np.arange(BLOCK) - 16) * 2.0 ** -25)
    blocks.append(np.concatenate([[1e4], rng.standard_normal(BLOCK - 1) * 1e-6]))
    # Half-way cases of f16 and bf16, and carries into the exponent.
    blocks.append(1 + np.arange(BLOCK) * 2.0 ** -11)
    blocks.append(1 + np.arange(BLOCK) * 2.0 ** -8)
    blocks.append(2 - np.arange(BLOCK) * 2.0 ** -12)
    blocks.append(65504 - np.arange(BLOCK) * 8.0)
    return np.concatenate(blocks).astype(np.float32)


def random_blocks(kind, blocks, rng, size=0.02):
    """Valid super-blocks or blocks of random codes; weights of about +-size."""
    block, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    b = rng.integers(0, 256, (blocks, n_bytes), dtype=np.uint8)
    K = gguf.GGMLQuantizationType
    d = size * rng.uniform(0.5, 1.5, blocks)
    # (where the half stands, its value): the codes' range is centred on zero.
    halves = {K.Q4_K: [(0, d / 480), (2, d / 63)], K.Q5_K: [(0, d / 960), (2, d / 63)],
              K.Q6_K: [(208, d / 2000)], K.Q5_0: [(0, d / 16)], K.Q5_1: [(0, d / 16), (2, -d)]}
    for at, value in halves[kind]:
        b[:, at:at + 2] = value.astype("<f2").view(np.uint8).reshape(blocks, 2)
    return b


def write_k(path):
    rng = np.random.default_rng(8)
    types = gguf.GGMLQuantizationType
    with open(path, "wb") as f:
        for t in [types.Q4_K, types.Q5_K, types.Q6_K]:
            data = random_blocks(t, 5, rng, 3.0)
            back = gguf.quants.dequantize(data, t).astype("<f4")
            f.write(np.uint32([int(t), back.size, data.size]).tobytes() + data.tobytes() +
                    back.tobytes())


def main():
    x = weights()
    types = gguf.GGMLQuantizationType
    with open(sys.argv[1] if len(sys.argv) > 1 else "quant.golden", "wb") as f:
        f.write(np.uint32(x.size).tobytes() + x.tobytes())
        for t in [types.F32, types.F16, types.BF16, types.Q8_0, types.Q4_0, types.Q4_1,
                  types.Q5_0, types.Q5_1]:
            data = gguf.quants.quantize(x.reshape(-1, BLOCK), t)
            back = gguf.quants.dequantize(data, t).astype(np.float32)
            raw = data.tobytes()
            f.write(np.uint32([int(t), len(raw)]).tobytes() + raw + back.tobytes())
    write_k(sys.argv[2] if len(sys.argv) > 2 else "quant_k.golden")


if __name__ == "__main__":
    main()
