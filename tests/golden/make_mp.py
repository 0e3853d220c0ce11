#!/usr/bin/python3
"""Makes tests/golden/mp.txt: msgpack and what it means, by Debian 12's python3-msgpack 1.0.3.
usage: make_mp.py >mp.txt

    object HEX USED TEXT  the first USED bytes of HEX are an object that reads as TEXT, see text()
    bad HEX               no object begins HEX, or it nests deeper than 16
    put TYPE VALUE HEX    HEX is VALUE packed; of strings, arrays and maps VALUE is the size, HEX
                          the head
"""
import random
import struct

import msgpack


class Pairs(list):
    """A map, its pairs in order."""


def text(v):
    """nil, T, F, u and i: integers >= 0 and < 0, d: bits of a double, s, b: bytes, x, [] and {}"""
    if v is None or isinstance(v, bool):
        return {None: "nil", True: "T", False: "F"}[v]
    if isinstance(v, int):
        return f"u{v}" if v >= 0 else f"i{v}"
    if isinstance(v, float):
        return "d" + struct.pack(">d", v).hex()
    if isinstance(v, str):
        return "s" + v.encode("utf-8", "surrogateescape").hex()
    if isinstance(v, bytes):
        return "b" + v.hex()
    if isinstance(v, msgpack.ExtType):
        return "x"     # ft carries extensions along and asks nothing of them
    if isinstance(v, Pairs):
        return "{" + "".join(f"{text(k)}:{text(x)}," for k, x in v) + "}"
    return "[" + "".join(text(x) + "," for x in v) + "]"


def depth(v):
    items = [x for pair in v for x in pair] if isinstance(v, Pairs) else v
    if not isinstance(v, (list, Pairs)) or not items:
        return 0
    return 1 + max(map(depth, items))


def read(raw):
    """The first object of raw and its length, or None."""
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False,
                                object_pairs_hook=Pairs)
    unpacker.feed(raw)
    try:
        v = unpacker.unpack()
    except (msgpack.UnpackException, ValueError):
        return None
    return v, unpacker.tell()


def line(raw):
    got = read(raw)
    if got is None or depth(got[0]) > 16:
        return f"bad {raw.hex()}"
    return f"object {raw.hex()} {got[1]} {text(got[0])}"


def every_head():
    """Each first byte with what it needs behind it; sizes that the shortest form would not use."""
    for b in [*range(0x80), *range(0xe0, 0x100), 0xc0, 0xc2, 0xc3]:
        yield bytes([b])
    for n in range(16):
        yield bytes([0x90 | n]) + bytes(range(n))
        yield bytes([0x80 | n]) + bytes(range(2 * n))
    for n in range(32):
        yield bytes([0xa0 | n]) + b"x" * n
    for first, width, unit in ((0xc4, 1, 1), (0xd9, 1, 1), (0xdc, 2, 1), (0xde, 2, 2)):
        for step in range(3 if width == 1 else 2):
            for n in (0, 1, 5):
                size = (n).to_bytes(width << step, "big")
                yield bytes([first + step]) + size + bytes(range(n * unit))
    for step in range(3):
        yield bytes([0xc7 + step]) + (3).to_bytes(1 << step, "big") + b"\x05abc"
    for step in range(5):
        yield bytes([0xd4 + step]) + b"\x07" + bytes(range(1 << step))
    for step in range(4):
        bits = 8 << step
        for v in (0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2 ** bits - 1):
            for first in (0xcc, 0xd0):
                yield bytes([first + step]) + v.to_bytes(1 << step, "big")
    for v in (0.0, -0.0, 1.5, -3.25e30, 2.0 ** -149, float("inf"), float("-inf")):
        yield b"\xca" + struct.pack(">f", v)
        yield b"\xcb" + struct.pack(">d", v)


def nested():
    for levels in range(14, 19):
        for inside in (b"\x01", b"\x90", b"\x80"):
            yield b"\x91" * levels + inside
            yield b"\x81\x01" * levels + inside
            yield b"\x92" * levels + inside + b"\xc0" * levels


def records(rng):
    """Maps such as streams hold."""
    for i in range(12):
        yield msgpack.packb({"id": i, "ids": rng.randbytes(8), "scores": [i / 3, -i, None, True],
                             "turns": [{"role": "user", "content": "\u00e4\u4e2d" * (i % 4)}] * 2,
                             "big": 2 ** (5 * i), "small": -2 ** (5 * i)})


def damaged(rng, good):
    """Bytes of which some were replaced. Extensions stay out, since this reader gives those of
    type -1 a meaning, and so do NaNs, whose bits no conversion need keep."""
    while True:
        raw = bytearray(rng.choice(good))
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.choice((rng.randrange(256), 0xc1, 0xdd, 0xdf, 0x9f))
        if not set(raw) & {*range(0xc7, 0xca), *range(0xd4, 0xd9)} and "d7ff8" not in line(raw):
            yield bytes(raw)


def main():
    rng = random.Random(20)
    whole = list(records(rng))
    spoiled = damaged(rng, whole)
    print("\n".join(line(raw) for raw in (*every_head(), *nested(), *whole, b"", b"\xc1",
                                          *(next(spoiled) for _ in range(200)))))
    edges = [2 ** k + d for k in (0, 5, 7, 8, 15, 16, 31, 32, 63, 64) for d in (-1, 0, 1)]
    for v in [v for v in edges if v < 2 ** 64]:
        print(f"put uint {v} {msgpack.packb(v).hex()}")
    for v in [v for e in edges for v in (e, -e) if -2 ** 63 <= v < 2 ** 63]:
        print(f"put int {v} {msgpack.packb(v).hex()}")
    for v in (0.0, -0.0, 1.5, -1e300, 2.0 ** -1074, float("inf")):
        print(f"put float {v.hex()} {msgpack.packb(v).hex()}")
    for n in (0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536):
        print(f"put str {n} {msgpack.packb('a' * n).hex()[:-2 * n or None]}")
        print(f"put bin {n} {msgpack.packb(b'a' * n).hex()[:-2 * n or None]}")
        print(f"put array {n} {msgpack.Packer().pack_array_header(n).hex()}")
        print(f"put map {n} {msgpack.Packer().pack_map_header(n).hex()}")


if __name__ == "__main__":
    main()
