"""make_nf4.py: writes nf4.golden, what bitsandbytes makes of fixed matrices.

    python3 make_nf4.py [nf4.golden]

Made with bitsandbytes 0.50.2, torch 2.15.0, numpy 2.4.6 and xxhash 4.1.0 on a processor (AVX2 or
more), with one torch thread: the mean of the scales is a sum of floats, which torch takes in another
order with more threads when there are 32768 scales or more. Decoding goes through the package's
portable operator: that of its native library for AVX-512 takes the scales of whole rows, and so
wrong ones, when rows are no multiple of 64 (it is used, and must agree, where they are).

The file, little-endian, for each matrix: rows, cols, D and kind as u32. D is 0, or the head size of a
matrix whose rows GGUF holds permuted. Kind 0: rows * cols floats follow, in GGUF's row order; kind
1: the weights are those of large_weights(). Then what bitsandbytes made of the rows in Hugging Face's
order, as lib/model/nf4.h lays it out: f32 offset, f32 group scales, u8 scale codes, and
the XXH3-128 of the weight codes and of the decoded floats.
"""
import sys

import bitsandbytes.functional as F
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
import numpy as np
import torch
import xxhash

from make_toy import permuted

torch.set_num_threads(1)


def large_weights(n):
    """Numbers that C makes without a generator; every product is rounded to a float once."""
    i = np.arange(n, dtype=np.uint64)
    u = (i * 2654435761 + (i >> np.uint64(7)) * 40503) % 2 ** 32
    unit = ((u >> np.uint64(8)).astype(np.int64) - 2 ** 23).astype(np.float32)
    size = (1 + (i // 64 * 37 % 101).astype(np.float32) / 64).astype(np.float32)
    return unit * np.float32(2.0 ** -23) * size


def edge_cases():
    """Rows of 64: zeros of both signs, constants, values half-way between two codes and next to
    that, scales that span the map, subnormals, the largest numbers."""
    code = F.get_4bit_type("nf4", device="cpu").numpy()
    middle = (code[:-1] + code[1:]) / 2
    row = np.zeros((14, 64), np.float32)
    row[1] = -0.0
    row[2] = 0.37
    row[3] = -2.5
    row[4, :15], row[4, 15] = middle, 1
    row[5, :15], row[5, 15] = np.nextafter(middle, np.float32(2)), 1
    row[6, :15], row[6, 15] = np.nextafter(middle, np.float32(-2)), -1
    row[7, :16] = code * np.float32(0.3)
    for r, size in enumerate([1e-42, 1e-39, 3e-38, 1e-20, 1e-6, 30.0]):
        row[8 + r] = np.random.default_rng(r).standard_normal(64) * size
    return row


def matrices():
    rng = np.random.default_rng(4)
    normal = lambda rows, cols: (rng.standard_normal((rows, cols)) * 0.05).astype(np.float32)
    yield normal(48, 96), 0                                  # blocks that end inside rows
    yield normal(150, 64), 0
    yield normal(5, 32), 0                                   # a block that is half there
    yield normal(1, 32), 0
    yield normal(3, 128), 0
    yield edge_cases(), 0
    yield normal(48, 64), 16                                 # three heads, as q
    yield normal(16, 32), 8                                  # two heads, blocks of two rows, as k


def put(f, w, D, kind):
    q, s = F.quantize_4bit(torch.from_numpy(w), blocksize=64, compress_statistics=True,
                           quant_type="nf4")
    scales = F.dequantize_blockwise(s.absmax, s.state2) + s.offset
    back = _dequantize_4bit_compute(q.reshape(-1), scales, s.code.cpu(), 64, w.shape,
                                    torch.float32).numpy()
    if w.shape[1] % 64 == 0:
        assert (back == F.dequantize_4bit(q, s).numpy()).all()
    assert back.dtype == np.float32 and back.shape == w.shape
    f.write(np.uint32([*w.shape, D, kind]).tobytes())
    if kind == 0:
        f.write((permuted(w, w.shape[0] // D) if D else w).tobytes())
    f.write(np.float32([s.offset.item()]).tobytes() + s.state2.absmax.numpy().tobytes() +
            s.absmax.numpy().tobytes() + xxhash.xxh3_128_digest(q.numpy().tobytes()) +
            xxhash.xxh3_128_digest(back.tobytes()))


def main():
    with open(sys.argv[1] if len(sys.argv) > 1 else "nf4.golden", "wb") as f:
        for w, D in matrices():
            put(f, w, D, 0)
        put(f, large_weights(1100 * 544).reshape(1100, 544), 0, 1)


if __name__ == "__main__":
    main()
