#!/usr/bin/python3
"""Makes tests/golden/stream.ft: a stream written from doc/stream.md by Debian 12's python3-zstandard
0.20.0, python3-msgpack 1.0.3 and python3-xxhash 3.0.0, without ft: ft must read it, now and in later
versions. usage: make_stream.py >stream.ft
"""
import sys

import msgpack
import xxhash
import zstandard


def digest(data):
    return xxhash.xxh3_128_digest(data)


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def node(value):
    return [digest(pack(value)), value]


def stream(records, cuts, version="0.0", notes=None):
    """records in frames that begin at the record numbers `cuts`."""
    raw = [pack(r) for r in records]
    header = {"magic": "ft-stream", "version": 1, "kind": "text",
              "entry": {"tool": "golden", "version": version, "options": {"shape": "prompt"},
                        "seed": 11},
              "later": "keys that version 1 does not know are ignored"}
    payload = digest(b"".join(raw))
    source = node({"tool": "file", "options": {"role": "jsonl"}, "digest": digest(b"some file"),
                   "inputs": []})
    own = node({"tool": "golden", "version": version, "kind": "text",
                "options": {"shape": "prompt"}, "seed": 11, "records": len(records),
                "digest": payload, "inputs": [source[0]]})
    trailer = {"records": len(records), "bytes": sum(map(len, raw)), "digest": payload,
               "header": digest(pack(header)),
               "counts": {"read": 0, "created": len(records) + 2, "written": len(records),
                          "dropped": {"empty": 2}},
               "history": [source, own]}
    if notes:
        notes(header, trailer)
    contents = [pack([0, 0, 0]) + pack(header)]
    for i, start in enumerate(cuts):
        end = cuts[i + 1] if i + 1 < len(cuts) else len(raw)
        contents.append(pack([1, i + 1, start]) + b"".join(raw[start:end]))
    contents.append(pack([2, len(cuts) + 1, len(raw)]) + pack(trailer))
    zstd = zstandard.ZstdCompressor(level=5, write_checksum=True, write_content_size=True)
    return b"".join(zstd.compress(c) for c in contents)


RECORDS = [{"id": i, "prompt": f"How much is {i} + {i}?", "completion": str(2 * i),
            "scores": [i / 3, -i, None, True], "wide": "\u00e4\u4e2d\U0001f600" * (i % 5)}
           for i in range(200)]

if __name__ == "__main__":
    sys.stdout.buffer.write(stream(RECORDS, [0, 1, 70, 199]) + stream(RECORDS[:3], [0], "0.1"))
